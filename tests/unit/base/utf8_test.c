/* utf8_test: text of any bytes is text that JSON takes, and nothing valid is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/utf8.h"

static void
becomes(const char *bytes, size_t len, const char *want)
{
	char *text = utf8_from_bytes(bytes, len);

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

#define BECOMES(bytes, want) becomes(bytes, sizeof(bytes) - 1, want)

static void
what_is_valid_stays(void **state)
{
	(void)state;
	BECOMES("", "");
	BECOMES("a line\r\n\tand \033[31mred\177\n", "a line\r\n\tand \033[31mred\177\n");
	BECOMES("\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf "
		"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf",
	    "\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf "
	    "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf");
}

static void
what_is_not_is_octal_byte_by_byte(void **state)
{
	(void)state;
	BECOMES("a\0b", "a\\000b");
	BECOMES("\xff\xfe\x80", "\\377\\376\\200");
	BECOMES("\xc0\x80", "\\300\\200");                /* NUL, too long */
	BECOMES("\xe0\x80\x80", "\\340\\200\\200");
	BECOMES("\xed\xa0\x80", "\\355\\240\\200");       /* a surrogate */
	BECOMES("\xf4\x90\x80\x80", "\\364\\220\\200\\200");
	BECOMES("\xe2\x82", "\\342\\202");                /* cut off */
	BECOMES("\xe2\x82!", "\\342\\202!");
}

/* All of two bytes, and many longer ones. */
static void
json_takes_everything(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned n = 0; n < 65536 + 200000; n++) {
		char bytes[8], *text;
		size_t len = n < 65536 ? 2 : 1 + n % 8;
		json_t *j;

		for (size_t i = 0; i < len; i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] =
			    (char)(n < 65536 ? n >> (8 * i) : (seed >> 24) | (i % 2 ? 0x80 : 0));
		}
		text = utf8_from_bytes(bytes, len);
		assert_non_null(text);
		j = json_string(text);
		assert_non_null(j);
		/* What JSON takes as it is was not touched. */
		if (memchr(bytes, 0, len) == NULL) {
			json_t *raw = json_stringn(bytes, len);

			assert_true(raw == NULL || json_equal(raw, j));
			json_decref(raw);
		}
		json_decref(j);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_valid_stays),
		cmocka_unit_test(what_is_not_is_octal_byte_by_byte),
		cmocka_unit_test(json_takes_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
