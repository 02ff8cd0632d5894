/* name_test: case, lengths and relations of names in wire format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "dns/zimage/name.h"

/* Every octet, at every place of a name of every length, beside any other. */
static void
lower(void **state)
{
	uint8_t name[40], got[41];

	(void)state;
	for (size_t len = 1; len <= sizeof(name); len++)
		for (size_t at = 0; at < len; at++)
			for (unsigned c = 0; c < 256; c++) {
				for (size_t i = 0; i < len; i++)
					name[i] = (uint8_t)(c + 37 * i);
				name[at] = (uint8_t)c;
				got[len] = 0xee;
				dns_name_lower(got, name, len);
				for (size_t i = 0; i < len; i++)
					assert_int_equal(got[i], dns_lower(name[i]));
				assert_int_equal(got[len], 0xee);
			}
	assert_int_equal(dns_lower('A'), 'a');
	assert_int_equal(dns_lower('Z'), 'z');
	assert_int_equal(dns_lower('@'), '@');
	assert_int_equal(dns_lower('['), '[');
	assert_int_equal(dns_lower(0xc1), 0xc1);
}

static void
length(void **state)
{
	static const uint8_t name[] = "\1a\3bcd";
	uint8_t long_name[300];

	(void)state;
	assert_int_equal(dns_name_len(name, sizeof(name)), 7);
	for (size_t avail = 0; avail < 7; avail++)
		assert_int_equal(dns_name_len(name, avail), 0);
	assert_int_equal(dns_name_len((const uint8_t *)"\100", 70), 0);
	assert_int_equal(dns_name_len((const uint8_t *)"\300\14", 2), 0);
	for (size_t i = 0; i < sizeof(long_name); i += 2)
		memcpy(long_name + i, "\1x", 2);
	long_name[254] = 0;
	assert_int_equal(dns_name_len(long_name, sizeof(long_name)), 255);
	memcpy(long_name + 254, "\1x\0", 3);
	assert_int_equal(dns_name_len(long_name, sizeof(long_name)), 0);
}

/* Below means at a label's edge. */
static void
under(void **state)
{
	(void)state;
	assert_true(dns_name_under((const uint8_t *)"\1a\1b", 5, (const uint8_t *)"\1b", 3));
	assert_true(dns_name_under((const uint8_t *)"\1b", 3, (const uint8_t *)"\1b", 3));
	assert_true(dns_name_under((const uint8_t *)"\1b", 3, (const uint8_t *)"", 1));
	assert_false(dns_name_under((const uint8_t *)"\3a\1b", 5, (const uint8_t *)"\1b", 3));
	assert_false(dns_name_under((const uint8_t *)"\1b", 3, (const uint8_t *)"\1a\1b", 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(lower), cmocka_unit_test(length),
		cmocka_unit_test(under) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
