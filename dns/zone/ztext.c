/* ztext: a growing text. */
#include "dns/zone/zfield.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define FIRST_CAP 4096

static void
reserve(struct ztext *x, size_t more)
{
	size_t cap = x->cap > 0 ? x->cap : FIRST_CAP;

	while (cap - x->len <= more)
		cap *= 2;
	if (cap == x->cap)
		return;
	x->buf = mem_resize(x->buf, cap, 1);
	x->cap = cap;
}

void
ztext_cut(struct ztext *x, size_t len)
{
	if (len >= x->len)
		return;
	x->len = len;
	x->buf[len] = '\0';
}

void
ztext_add(struct ztext *x, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	reserve(x, (size_t)n);
	va_start(ap, fmt);
	(void)vsnprintf(x->buf + x->len, x->cap - x->len, fmt, ap);   /* fits */
	va_end(ap);
	x->len += (size_t)n;
}

void
ztext_add_name(struct ztext *x, const uint8_t *name)
{
	char text[LIMIT_NAME_TEXT];

	dns_name_text(name, text);
	ztext_add(x, "%s%s", text, name[0] != 0 ? "." : "");
}

void
ztext_add_ip(struct ztext *x, int family, const uint8_t *p)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(family, p, text, sizeof(text));   /* cannot fail: the text has room */
	ztext_add(x, "%s", text);
}

void
ztext_add_quoted(struct ztext *x, const uint8_t *p, size_t len)
{
	size_t n;

	reserve(x, 4 * len + 2);
	n = x->len;
	x->buf[n++] = '"';
	for (size_t i = 0; i < len; i++) {
		if (p[i] < 0x20 || p[i] >= 0x7f) {
			n += (size_t)snprintf(x->buf + n, 5, "\\%03u", p[i]);
			continue;
		}
		if (p[i] == '"' || p[i] == '\\')
			x->buf[n++] = '\\';
		x->buf[n++] = (char)p[i];
	}
	x->buf[n++] = '"';
	x->buf[n] = '\0';
	x->len = n;
}

/* Digits of `bits` each, the first ones from the highest bits; the last may lack some. */
static void
add_digits(struct ztext *x, const uint8_t *p, size_t len, unsigned bits, const char *digits)
{
	size_t total = len * 8, at = 0;

	reserve(x, total / bits + 1);
	for (; at < total; at += bits) {
		unsigned two = (unsigned)p[at / 8] << 8 | (at / 8 + 1 < len ? p[at / 8 + 1] : 0u);

		x->buf[x->len++] = digits[two >> (16 - at % 8 - bits) & ((1u << bits) - 1)];
	}
	x->buf[x->len] = '\0';
}

void
ztext_add_hex(struct ztext *x, const uint8_t *p, size_t len)
{
	add_digits(x, p, len, 4, "0123456789abcdef");
}

void
ztext_add_base64(struct ztext *x, const uint8_t *p, size_t len)
{
	static const char *const pads[] = { "", "==", "=" };

	add_digits(
	    x, p, len, 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	ztext_add(x, "%s", pads[len % 3]);
}

void
ztext_add_base32hex(struct ztext *x, const uint8_t *p, size_t len)
{
	add_digits(x, p, len, 5, "0123456789abcdefghijklmnopqrstuv");
}
