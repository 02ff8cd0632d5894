/* text.h: building text in a bounded buffer, and comparing it
 *
 * What does not fit is cut off; the buffer always ends in a NUL. */
#ifndef HELLO_TEXT_H
#define HELLO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *buf;
	size_t len; /* without the NUL */
	size_t cap; /* with the NUL, at least 1 */
};

/* Characters of a longer text. */
struct text_word {
	const char *at;
	size_t len;
};

struct text text_init(char *buf, size_t cap);
void text_char(struct text *t, char c);
void text_str(struct text *t, const char *s);
/* Without the NUL. */
size_t text_length(const char *s);
/* How many characters come before the first c; all when there is none. */
size_t text_before(struct text_word w, char c);
/* Decimal, filled with `fill` on the left to at least `width` characters. */
void text_dec(struct text *t, uint64_t n, unsigned width, char fill);
/* Hexadecimal, lower case, at least `width` digits. */
void text_hex(struct text *t, uint32_t n, unsigned width);
/* Milliseconds as seconds with three decimals. */
void text_seconds(struct text *t, uint64_t ms);
/* The n characters at s are the word, whatever the case of ASCII letters. */
bool text_is_nocase(const char *s, size_t n, const char *word);
/* Length of the decimal number that s starts with, into *value; 0: there is none up to `most`. */
size_t text_parse_dec(const char *s, size_t n, uint32_t most, uint32_t *value);
/* n / d and the rest without a 64-bit division, which 32-bit x86 has only in libgcc. d is not 0. */
uint64_t text_divide(uint64_t n, uint16_t d, uint16_t *rest);

#endif
