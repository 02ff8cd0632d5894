/* log: lines to stderr or syslog. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/limits.h"

static const char *process_name = "jitsud";
static int on_stderr = 1;
static enum log_level threshold = LOG_L_INFO;
static void (*divert)(enum log_level level, const char *text);
static int crash_fd = -1;      /* to syslog: syslog(3) itself is not for signal handlers */

static const struct {
	const char *word;
	int priority;
} levels[] = {
	[LOG_L_ERR] = { "error", LOG_ERR },
	[LOG_L_WARN] = { "warning", LOG_WARNING },
	[LOG_L_INFO] = { "info", LOG_INFO },
	[LOG_L_DEBUG] = { "debug", LOG_DEBUG },
};

static int
crash_connect(void)
{
	static const struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void
log_crash(const char *line)
{
	char text[LIMIT_CRASH_LINE + 32] = "";
	size_t n = 0;

	for (const char *p = on_stderr ? "" : "<27>jitsud: "; *p != '\0'; p++)   /* LOG_DAEMON | LOG_ERR */
		text[n++] = *p;
	for (; *line != '\0' && n < sizeof(text) - 1; line++)
		text[n++] = *line;
	if (on_stderr)
		text[n++] = '\n';
	/* Nobody is left to tell if it fails. */
	if (write(on_stderr ? STDERR_FILENO : crash_fd, text, n) < 0)
		return;
}

void
log_init(const char *process, int to_stderr, enum log_level most)
{
	process_name = process;
	on_stderr = to_stderr;
	threshold = most;
	crash_init(process);
	if (to_stderr)
		return;
	openlog("jitsud", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	if (crash_fd < 0)
		crash_fd = crash_connect();
}

void
log_divert(void (*sink)(enum log_level level, const char *text))
{
	divert = sink;
}

static void __attribute__((format(printf, 2, 0)))
emit(enum log_level level, const char *fmt, va_list ap)
{
	char line[2048];
	size_t n;

	if (level > threshold)
		return;
	n = divert != NULL ? 0 : (size_t)snprintf(line, sizeof(line), "%s: %s: ", process_name, levels[level].word);
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (divert != NULL) {
		divert(level, line);
		return;
	}
	if (!on_stderr) {
		syslog(levels[level].priority, "%s", line);
		return;
	}
	n = strlen(line);
	line[n++] = '\n';
	/* One write per line, so that lines of several processes do not mix; nobody is left to tell if it fails. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

#define EMIT(level)               \
	do {                          \
		va_list ap;               \
		va_start(ap, fmt);        \
		emit((level), fmt, ap);   \
		va_end(ap);               \
	} while (0)

void
log_at(enum log_level level, const char *fmt, ...)
{
	EMIT(level);
}

void
log_err(const char *fmt, ...)
{
	EMIT(LOG_L_ERR);
}

void
log_warn(const char *fmt, ...)
{
	EMIT(LOG_L_WARN);
}

void
log_info(const char *fmt, ...)
{
	EMIT(LOG_L_INFO);
}

void
log_debug(const char *fmt, ...)
{
	EMIT(LOG_L_DEBUG);
}

void
fatal(const char *fmt, ...)
{
	EMIT(LOG_L_ERR);
	exit(1);
}
