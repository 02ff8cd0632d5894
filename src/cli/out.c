/* out: what `jitsu` writes: data to standard output, everything else to standard error. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"

static void __attribute__((format(printf, 1, 0)))
say(const char *fmt, va_list ap)
{
	/* What was printed before comes before. */
	(void)fflush(stdout);   /* cli_flush tells of errors */
	fputs("jitsu: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int
cli_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return CLI_FAILED;
}

void
cli_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void
cli_json(const json_t *data, bool one_line)
{
	/* An error of the stream is told by cli_flush. */
	(void)json_dumpf(data, stdout,
	    JSON_ENCODE_ANY | JSON_ENSURE_ASCII | (one_line ? JSON_COMPACT : JSON_INDENT(2)));
	putchar('\n');
}

int
cli_flush(void)
{
	static bool told;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return CLI_OK;
	if (!told)
		cli_note("standard output: %s", strerror(errno));
	told = true;
	return CLI_FAILED;
}
