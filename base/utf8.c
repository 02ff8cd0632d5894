/* utf8: RFC 3629 section 4. */
#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of the first and second byte; `more` follow the first, from the third on 80 to BF. */
static const struct {
	uint8_t first, last, second_first, second_last, more;
} sequences[] = {
	{ 0x01, 0x7f, 0, 0, 0 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 1 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 2 },
	{ 0xe1, 0xec, 0x80, 0xbf, 2 },
	{ 0xed, 0xed, 0x80, 0x9f, 2 },
	{ 0xee, 0xef, 0x80, 0xbf, 2 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 3 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 3 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
};

/* The length of the character that begins here; 0: none does. */
static size_t
character(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		size_t more = sequences[i].more;

		if (p[0] < sequences[i].first || p[0] > sequences[i].last)
			continue;
		if (more >= len || (more > 0 &&
		    (p[1] < sequences[i].second_first || p[1] > sequences[i].second_last)))
			return 0;
		for (size_t k = 2; k <= more; k++)
			if (p[k] < 0x80 || p[k] > 0xbf)
				return 0;
		return more + 1;
	}
	return 0;
}

char *
utf8_from_bytes(const char *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes;
	char *text = malloc(4 * len + 1), *at = text;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < len;) {
		size_t n = character(p + i, len - i);

		if (n > 0) {
			at = mempcpy(at, p + i, n);
			i += n;
		} else {
			at += sprintf(at, "\\%03o", p[i++]);
		}
	}
	*at = '\0';
	return text;
}
