/*
 * zstring: fields that are text (RFC 1035 section 5.1).
 *
 * A character-string is a run of characters without blanks, or anything in quotes; where a quote
 * begins or ends, the next string begins, as other servers have it: `a"b c"d` are three.
 */
#include <ctype.h>
#include <string.h>

#include "dns/zone/zfield.h"

#define STRING_MAX 255

/* Where the string at t ends: behind its last character, and before a closing quote. */
static const char *
string_end(const char *t, bool quoted)
{
	while (*t != '\0' && *t != '"' && (quoted || *t != ' '))
		t += t[0] == '\\' && t[1] != '\0' ? 2 : 1;
	return t;
}

/* The string at in->t, which moves behind it, into out[cap]; its *len.  False with `why`. */
static bool
string_parse(struct zrdata_in *in, const char *what, uint8_t *out, size_t cap, size_t *len)
{
	bool quoted = in->t[0] == '"';
	const char *begin = in->t + quoted, *end = string_end(begin, quoted);
	size_t at = 0, n = 0;
	int c;

	in->token = begin;
	in->token_len = (size_t)(end - begin);
	if (in->t[0] == '\0')
		return zfield_lacks(in, what);
	if (quoted && *end != '"')
		return zfield_fail(in, "a quote without its end");
	while (at < in->token_len) {
		if ((c = zfield_unescape(begin, in->token_len, &at)) < 0)
			return zfield_wrong(in, ZFIELD_ESCAPE);
		if (n >= cap)
			return zfield_wrong(in, " is longer than %zu characters", cap);
		out[n++] = (uint8_t)c;
	}
	*len = n;
	in->t = end + quoted;
	in->t += in->t[0] == ' ';
	return true;
}

/* A string, which may be left out where f->bytes is 0. */
static bool
string_read(struct zrdata_in *in, const struct zfield *f)
{
	uint8_t string[STRING_MAX];
	size_t len = 0;

	if (in->t[0] == '\0' && f->bytes == 0)
		return true;
	return string_parse(in, "a string", string, sizeof(string), &len) &&
	    zfield_put_counted(in, string, len);
}

static ssize_t
string_span(const uint8_t *p, size_t len, const struct zfield *f)
{
	if (len == 0)
		return f->bytes == 0 ? 0 : -1;
	return len > p[0] ? (ssize_t)p[0] + 1 : -1;
}

static bool
string_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	if (len > 0)
		ztext_add_quoted(x, p + 1, len - 1);
	return true;
}

const struct zfield zfield_string = ZFIELD(string_read, string_span, string_print, 1);
const struct zfield zfield_string_maybe = ZFIELD(string_read, string_span, string_print, 0);

/* ---- to the end: some strings ---- */

static bool
strings_read(struct zrdata_in *in, const struct zfield *f)
{
	do {
		if (!string_read(in, f))
			return false;
	} while (in->t[0] != '\0');
	return true;
}

static ssize_t
strings_span(const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	size_t at = 0;

	while (at < len)
		at += 1u + p[at];
	return len > 0 && at == len ? (ssize_t)len : -1;
}

static bool
strings_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	for (size_t at = 0; at < len; at += 1u + p[at]) {
		if (at > 0)
			ztext_add(x, " ");
		ztext_add_quoted(x, p + at + 1, p[at]);
	}
	return true;
}

const struct zfield zfield_strings = ZFIELD(strings_read, strings_span, strings_print, 1);

/* ---- strings of certain characters ---- */

static bool
all_are(const uint8_t *p, size_t len, int (*is)(int))
{
	for (size_t i = 0; i < len; i++)
		if (p[i] >= 0x80 || !is(p[i]))
			return false;
	return true;
}

/* RFC 1183 section 3.1: a PSDN address has at least its DNIC of four digits. */
static bool
digits_read(struct zrdata_in *in, const struct zfield *f)
{
	size_t at = in->len;

	if (!string_read(in, f))
		return false;
	return (in->out[at] >= f->bytes && all_are(in->out + at + 1, in->out[at], isdigit)) ||
	    zfield_fail(in, "%s needs four digits or more", in->type);
}

/* A string of f->bytes such characters or more. */
static ssize_t
certain_span(const uint8_t *p, size_t len, const struct zfield *f)
{
	ssize_t n = string_span(p, len, f);

	return n > (ssize_t)f->bytes &&
	    all_are(p + 1, p[0], f == &zfield_digits ? isdigit : isalnum) ? n : -1;
}

const struct zfield zfield_digits = ZFIELD(digits_read, certain_span, string_print, 4);

/* RFC 8659 section 4.1: letters and digits, at least one. */
static bool
tag_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	if (!zfield_token(in, "a tag"))
		return false;
	if (in->token_len > STRING_MAX ||
	    !all_are((const uint8_t *)in->token, in->token_len, isalnum))
		return zfield_wrong(in, " is not a tag: it needs letters and digits alone");
	return zfield_put_counted(in, in->token, in->token_len);
}

static bool
tag_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	ztext_add(x, "%.*s", (int)len - 1, (const char *)p + 1);
	return true;
}

const struct zfield zfield_tag = ZFIELD(tag_read, certain_span, tag_print, 1);

/* ---- one text of any length, without a length octet, to the end of the data ---- */

static bool
rest_read(struct zrdata_in *in, const struct zfield *f)
{
	size_t len = 0;

	if (f == &zfield_rest_quoted && in->t[0] != '\0' && in->t[0] != '"')
		return zfield_fail(in, "`%.*s' where %s needs a text in quotes",
		    ztoken_shown(ztoken_len(in->t)), in->t, in->type);
	if (!string_parse(in, "a text", in->out + in->len, ZRDATA_MAX - in->len, &len))
		return false;
	if (len < f->bytes)
		return zfield_fail(in, "the text of %s is empty", in->type);
	in->len += len;
	return true;
}

static bool
rest_print(struct ztext *x, const uint8_t *p, size_t len, const struct zfield *f)
{
	ztext_add_quoted(x, p, len);
	return len >= f->bytes;
}

/* An empty text has no form that URI allows, but other servers take that as unknown data. */
const struct zfield zfield_rest = ZFIELD(rest_read, zfield_span_rest, rest_print, 0);
/* RFC 7553 sections 4.4 and 4.5: in quotes, and never empty. */
const struct zfield zfield_rest_quoted = ZFIELD(rest_read, zfield_span_rest, rest_print, 1);
