/*
 * log: one line per event, with the level and the process's name, to stderr (-f), where the journal
 * is told the priority, or to syslog.
 *
 * Levels as OpenBSD has them: what an operator must act on is `warn`, what stopped us is `err`, one
 * line per VM state change is `info`.  Control characters are replaced here.  Thread-safe, and
 * never waits for a reader (log_out.h).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_L_ERR, LOG_L_WARN, LOG_L_INFO, LOG_L_DEBUG };

enum { LOG_TO_STDERR = 1, LOG_TO_SYSLOG = 2 };

/* `process` is a literal such as "warden"; opens the destinations, before any confinement. */
void log_init(const char *process, unsigned to, enum log_level most);
/* Before an exit: waits for slow readers, for a moment. */
void log_flush(void);
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_err(...) log_at(LOG_L_ERR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_L_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_L_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_L_DEBUG, __VA_ARGS__)

/*
 * From now on lines go to `sink`, which is thread-safe, without the process's name and the level;
 * for confined processes, where syslog(3), which reads files and connects again, would be fatal.
 */
void log_divert(void (*sink)(enum log_level level, const char *text));
/* Logs at `err` and exits with 1: at the start, or a broken invariant; not for clients or files. */
void fatal(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
