/* err: error phrases, messages and reports. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

static const char *const phrases[ERR_COUNT] = {
	[ERR_OK] = "ok",
	[ERR_NOMEM] = "out of memory",
	[ERR_IO] = "system call failed",
	[ERR_PARSE] = "malformed input",
	[ERR_RANGE] = "value out of range",
	[ERR_LIMIT] = "limit reached",
	[ERR_EXISTS] = "exists already",
	[ERR_MISSING] = "does not exist",
	[ERR_PERM] = "permission denied",
	[ERR_STATE] = "not possible in this state",
	[ERR_PROTO] = "protocol violation",
	[ERR_TIMEOUT] = "timed out",
	[ERR_UNSUPPORTED] = "not supported here",
};

const char *
err_str(enum err e)
{
	return (unsigned)e < ERR_COUNT ? phrases[e] : "unknown error";
}

static void
escape(char *dst, size_t size, const char *src, size_t len, bool backslash)
{
	size_t used = 0;

	if (size == 0)
		return;
	for (size_t i = 0; i < len && used + 4 < size; i++) {
		unsigned char c = (unsigned char)src[i];

		if (c >= 0x20 && c < 0x7f && (c != '\\' || !backslash))
			dst[used++] = (char)c;
		else
			used += (size_t)snprintf(dst + used, size - used, "\\%03o", c);
	}
	dst[used] = '\0';
}

void
text_escape(char *dst, size_t size, const char *src, size_t len)
{
	escape(dst, size, src, len, true);
}

void
text_show(char *dst, size_t size, const char *src, size_t len)
{
	escape(dst, size, src, len, false);
}

void
text_join(char *dst, size_t size, const char *between, const char *fmt, ...)
{
	size_t used = strlen(dst);
	va_list ap;

	if (used > 0)
		used += (size_t)snprintf(dst + used, size - used, "%s", between);
	if (used >= size)
		return;
	va_start(ap, fmt);
	vsnprintf(dst + used, size - used, fmt, ap);
	va_end(ap);
}

/* Messages may quote input, so they are made printable here, once. */
static void __attribute__((format(printf, 3, 0)))
vformat(char *dst, size_t size, const char *fmt, va_list ap)
{
	char raw[1024];

	vsnprintf(raw, sizeof(raw), fmt, ap);
	escape(dst, size, raw, strlen(raw), false);
}

enum err
err_set(struct errmsg *m, enum err e, const char *fmt, ...)
{
	va_list ap;

	if (m == NULL)
		return e;
	va_start(ap, fmt);
	vformat(m->text, sizeof(m->text), fmt, ap);
	va_end(ap);
	return e;
}

enum err
err_sys(struct errmsg *m, const char *fmt, ...)
{
	int saved = errno;
	bool denied = saved == EPERM || saved == EACCES;
	enum err e = saved == ENOMEM ? ERR_NOMEM : denied ? ERR_PERM : ERR_IO;
	va_list ap;
	size_t used;

	if (m == NULL)
		return e;
	va_start(ap, fmt);
	vformat(m->text, sizeof(m->text), fmt, ap);
	va_end(ap);
	used = strlen(m->text);
	snprintf(m->text + used, sizeof(m->text) - used, ": %s", strerror(saved));
	errno = saved;
	return e;
}

void
report_init(struct report *r)
{
	memset(r, 0, sizeof(*r));
}

void
report_clear(struct report *r)
{
	for (size_t i = 0; i < r->nlines; i++) {
		free(r->lines[i].file);
		free(r->lines[i].text);
	}
	free(r->lines);
	report_init(r);
}

static void __attribute__((format(printf, 4, 0)))
add_line(struct report *r, const char *file, unsigned line, const char *fmt, va_list ap,
    bool warning)
{
	char text[1024];
	struct report_line *grown;

	if (r->nlines >= LIMIT_REPORT_LINES)
		return;
	grown = realloc(r->lines, (r->nlines + 1) * sizeof(*grown));
	if (grown == NULL)
		return;
	r->lines = grown;
	vformat(text, sizeof(text), fmt, ap);
	grown[r->nlines++] = (struct report_line){ .file = file != NULL ? strdup(file) : NULL,
		.line = line, .text = strdup(text), .warning = warning };
}

enum err
report_vadd(struct report *r, const char *file, unsigned line, const char *fmt, va_list ap)
{
	r->nerrors++;
	add_line(r, file, line, fmt, ap, false);
	return ERR_PARSE;
}

enum err
report_add(struct report *r, const char *file, unsigned line, const char *fmt, ...)
{
	enum err e;
	va_list ap;

	va_start(ap, fmt);
	e = report_vadd(r, file, line, fmt, ap);
	va_end(ap);
	return e;
}

void
report_vwarn(struct report *r, const char *file, unsigned line, const char *fmt, va_list ap)
{
	if (r->nwarnings++ < LIMIT_REPORT_WARNINGS)
		add_line(r, file, line, fmt, ap, true);
}

void
report_warn(struct report *r, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_vwarn(r, file, line, fmt, ap);
	va_end(ap);
}

size_t
report_errors_left_out(const struct report *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->nlines; i++)
		kept += !r->lines[i].warning;
	return r->nerrors - kept;
}

void
report_format(const struct report *r, size_t i, char *buf, size_t size)
{
	const struct report_line *l = &r->lines[i];
	const char *text = l->text != NULL ? l->text : err_str(ERR_NOMEM);
	const char *kind = l->warning ? "warning: " : "";
	char line[16] = "";

	if (l->line > 0)
		snprintf(line, sizeof(line), ":%u", l->line);
	if (l->file != NULL)
		snprintf(buf, size, "%s%s: %s%s", l->file, line, kind, text);
	else
		snprintf(buf, size, "%s%s", kind, text);
}
