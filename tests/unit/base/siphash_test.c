/* siphash_test: the vectors of the paper's reference implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/siphash.h"

static void
reference_vectors(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} want[] = {
		{ 0, 0x726fdb47dd0e0e31ull },
		{ 1, 0x74f839c593dc67fdull },
		{ 7, 0xab0200f58b01d137ull },
		{ 8, 0x93f5f5799a932462ull },
		{ 15, 0xa129ca6149be45e5ull },
	};
	uint8_t key[16], data[16];

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		key[i] = data[i] = (uint8_t)i;
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_true(siphash24(key, data, want[i].len) == want[i].hash);
	key[0] ^= 1;
	assert_true(siphash24(key, data, 15) != want[4].hash);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reference_vectors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
