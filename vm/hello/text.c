/* text.c: building text in a bounded buffer, and comparing it */
#include "vm/hello/text.h"

struct text
text_init(char *buf, size_t cap)
{
	buf[0] = '\0';
	return (struct text){ .buf = buf, .cap = cap };
}

void
text_char(struct text *t, char c)
{
	if (t->len + 1 >= t->cap)
		return;
	t->buf[t->len++] = c;
	t->buf[t->len] = '\0';
}

size_t
text_length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

size_t
text_before(struct text_word w, char c)
{
	size_t n = 0;

	while (n < w.len && w.at[n] != c)
		n++;
	return n;
}

void
text_str(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

uint64_t
text_divide(uint64_t n, uint16_t d, uint16_t *rest)
{
	uint64_t quotient = 0;
	uint32_t r = 0;

	for (int shift = 48; shift >= 0; shift -= 16) {
		r = r << 16 | (uint16_t)(n >> shift);
		quotient = quotient << 16 | r / d;
		r %= d;
	}
	*rest = (uint16_t)r;
	return quotient;
}

void
text_dec(struct text *t, uint64_t n, unsigned width, char fill)
{
	char digits[20];
	unsigned count = 0;
	uint16_t digit;

	do {
		n = text_divide(n, 10, &digit);
		digits[count++] = (char)('0' + digit);
	} while (n);
	for (; width > count; width--)
		text_char(t, fill);
	while (count)
		text_char(t, digits[--count]);
}

void
text_hex(struct text *t, uint32_t n, unsigned width)
{
	for (unsigned digit = 8; digit-- > 0;)
		if (digit < width || digit == 0 || n >> (4 * digit))
			text_char(t, "0123456789abcdef"[n >> (4 * digit) & 15]);
}

void
text_seconds(struct text *t, uint64_t ms)
{
	uint16_t rest;

	text_dec(t, text_divide(ms, 1000, &rest), 0, ' ');
	text_char(t, '.');
	text_dec(t, rest, 3, '0');
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

bool
text_is_nocase(const char *s, size_t n, const char *word)
{
	for (; n && *word; n--, s++, word++)
		if (lower(*s) != lower(*word))
			return false;
	return n == 0 && *word == '\0';
}

size_t
text_parse_dec(const char *s, size_t n, uint32_t most, uint32_t *value)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
		v = v * 10 + (uint32_t)(s[i] - '0');
		if (v > most)
			return 0;
	}
	*value = (uint32_t)v;
	return i;
}
