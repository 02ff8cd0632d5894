/* out: what `jitsu` writes: data to standard output, everything else to standard error. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"

int
cli_fail(const char *fmt, ...)
{
	va_list ap;

	(void)fflush(stdout);   /* what was printed before; cli_flush tells of errors */
	fputs("jitsu: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAILED;
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
