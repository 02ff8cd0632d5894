/* hex_test: digits, and bytes to digits and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"

static void
values(void **state)
{
	static const char digits[] = "0123456789abcdef", capitals[] = "0123456789ABCDEF";
	unsigned known = 0;

	(void)state;
	for (int i = 0; i < 16; i++) {
		assert_int_equal(hex_value(digits[i]), i);
		assert_int_equal(hex_value(capitals[i]), i);
	}
	for (int c = -128; c < 256; c++)
		known += hex_value(c) >= 0;
	assert_int_equal(known, 22);
}

static void
there_and_back(void **state)
{
	uint8_t all[256], back[256];
	char text[513];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	assert_ptr_equal(hex_write(text, all, sizeof(all)), text + 512);
	assert_int_equal(strlen(text), 512);
	assert_memory_equal(text, "000102", 6);
	assert_string_equal(text + 506, "fdfeff");
	assert_true(hex_read(text, back, sizeof(back)));
	assert_memory_equal(back, all, sizeof(all));
	assert_ptr_equal(hex_write(text, all, 0), text);
	assert_string_equal(text, "");
}

static void
no_digits(void **state)
{
	uint8_t b[2];

	(void)state;
	assert_true(hex_read("aBCd and more", b, 2));
	assert_int_equal(b[0], 0xab);
	assert_int_equal(b[1], 0xcd);
	assert_true(hex_read("", b, 0));
	assert_false(hex_read("", b, 1));
	assert_false(hex_read("a", b, 1));
	assert_false(hex_read("abc", b, 2));
	assert_false(hex_read("ab:d", b, 2));
	assert_false(hex_read("abg0", b, 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(no_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
