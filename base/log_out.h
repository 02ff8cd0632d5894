/*
 * log_out: where log lines go: standard error, the journal, syslog; without ever waiting for who
 * reads them.
 *
 * A line that cannot leave now is kept (LIMIT_LOG_QUEUE_BYTES for each destination) and leaves as
 * soon as somebody reads again; lines beyond that are counted, and the count is the next line.  A
 * thread waits for the reader, and there is one only while there is something to wait for.
 *
 * Standard error may be anybody's pipe or terminal, whose O_NONBLOCK would be seen by all who share
 * it: descriptor 2 becomes an open file description of our own, which is non-blocking, so that what
 * a library or libc itself says there cannot stop us either.
 *
 * Not included outside base/.  Thread-safe.
 */
#ifndef BASE_LOG_OUT_H
#define BASE_LOG_OUT_H

#include <stdbool.h>

/* Opens what is used, descriptor 2 anew, and closes the rest, whose waiting lines are lost. */
void log_out_open(bool to_stderr, bool to_syslog);
/* One line of text for each destination; the priority is syslog(3)'s. */
void log_out_line(int priority, const char *line);
/* Before the end of the process: gives those who read slowly LIMIT_LOG_EXIT_MS. */
void log_out_flush(void);

/* In a handler: at most LIMIT_CRASH_LINE, no newline, at once or not at all; async-signal-safe. */
void log_out_crash(const char *line);

#endif
