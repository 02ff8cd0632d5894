/* log: lines with a level, to stderr, syslog or another process. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/crash.h"
#include "base/limits.h"
#include "base/log_out.h"

static const char *process_name = "jitsud";
static enum log_level threshold = LOG_L_INFO;
static void (*divert)(enum log_level level, const char *text);

static const struct {
	const char *word;
	int priority;
} levels[] = {
	[LOG_L_ERR] = { "error", LOG_ERR }, [LOG_L_WARN] = { "warning", LOG_WARNING },
	[LOG_L_INFO] = { "info", LOG_INFO }, [LOG_L_DEBUG] = { "debug", LOG_DEBUG },
};

void
log_init(const char *process, unsigned to, enum log_level most)
{
	process_name = process;
	threshold = most;
	crash_init(process, log_out_crash);
	log_out_open((to & LOG_TO_STDERR) != 0, (to & LOG_TO_SYSLOG) != 0);
}

void
log_flush(void)
{
	log_out_flush();
}

void
log_divert(void (*sink)(enum log_level level, const char *text))
{
	divert = sink;
}

static void __attribute__((format(printf, 2, 0)))
emit(enum log_level level, const char *fmt, va_list ap)
{
	char line[LIMIT_LOG_LINE];
	size_t n;

	if (level > threshold)
		return;
	n = divert != NULL ? 0 :
	    (size_t)snprintf(line, sizeof(line), "%s: %s: ", process_name, levels[level].word);
	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (divert != NULL)
		divert(level, line);
	else
		log_out_line(levels[level].priority, line);
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_L_ERR, fmt, ap);
	va_end(ap);
	log_flush();
	exit(1);
}
