/* uuid_test: text and back, version and variant, and what is no UUID. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vm/vm.h"

static void
test_round(void **state)
{
	struct vm_uuid a, b;
	char text[VM_UUID_TEXT];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		vm_uuid_make(&a);
		vm_uuid_text(&a, text);
		assert_int_equal(strlen(text), 36);
		assert_int_equal(text[14], '4');
		assert_non_null(strchr("89ab", text[19]));
		assert_true(vm_uuid_parse(text, &b));
		assert_memory_equal(&a, &b, sizeof(a));
	}
	vm_uuid_make(&b);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

static void
test_bad(void **state)
{
	static const char *const bad[] = { "", "1", "00000000-0000-4000-8000-00000000000",
	    "00000000-0000-4000-8000-0000000000000",
		"00000000+0000-4000-8000-000000000000", "0000000000000000000000000000000000000",
		"g0000000-0000-4000-8000-000000000000",
		"00000000-0000-4000-8000-00000000000 ", "../../../../../../../../../../../etc" };
	struct vm_uuid u = { { 7 } }, v;

	(void)state;
	assert_false(vm_uuid_parse(NULL, &u));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vm_uuid_parse(bad[i], &u));
	assert_int_equal(u.bytes[0], 7);
	assert_true(vm_uuid_parse("ABCDEF00-0000-4000-8000-000000000001", &u));
	assert_true(vm_uuid_parse("abcdef00-0000-4000-8000-000000000001", &v));
	assert_memory_equal(&u, &v, sizeof(u));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round),
	    cmocka_unit_test(test_bad) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
