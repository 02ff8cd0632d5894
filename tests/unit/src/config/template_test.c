/* template_test: placeholders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "src/config/template.h"

static const struct template_values values = { .values = {
	[TEMPLATE_NAME] = "www.example.test",
	[TEMPLATE_ADDRESS] = "10.77.0.10",
	[TEMPLATE_PREFIXLEN] = "24",
	[TEMPLATE_MAC] = "02:00:00:00:00:01",
} };

static void
fills(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "{name}", "www.example.test" },
		{ "ip={address}/{prefixlen} x", "ip=10.77.0.10/24 x" },
		{ "{{name}", "{name}" },
		{ "{{{name}}", "{www.example.test}" },
		{ "}{{", "}{" },
		{ "{mac}{mac}", "02:00:00:00:00:0102:00:00:00:00:01" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[64];
		size_t len;

		assert_int_equal(
		    template_fill(cases[i].text, &values, buf, sizeof(buf), &len, NULL), ERR_OK);
		assert_string_equal(buf, cases[i].want);
		assert_int_equal(len, strlen(buf));
	}
}

static void
refuses(void **state)
{
	static const char *const bad[] = { "{", "{name", "{nam}", "{}", "{name }", "{Name}",
		"{address66}", "x{{{" };
	struct errmsg m;
	unsigned used = 0;
	char buf[64];
	size_t len;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(template_scan(bad[i], &used, &m), ERR_PARSE);
		assert_non_null(strstr(m.text, "{prefixlen6}"));
		assert_int_equal(
		    template_fill(bad[i], &values, buf, sizeof(buf), &len, NULL), ERR_PARSE);
	}
}

static void
missing_values_are_named(void **state)
{
	struct errmsg m;
	char buf[64];
	size_t len;

	(void)state;
	assert_int_equal(
	    template_fill("a {address6} b", &values, buf, sizeof(buf), &len, &m), ERR_MISSING);
	assert_string_equal(m.text, "it has no value for {address6} in \"a {address6} b\"");
}

static void
never_writes_beyond(void **state)
{
	char buf[12];
	size_t len;

	(void)state;
	memset(buf, 'z', sizeof(buf));
	assert_int_equal(template_fill("{address}", &values, buf, 10, &len, NULL), ERR_LIMIT);
	assert_int_equal(buf[10], 'z');
	assert_int_equal(template_fill("{address}", &values, buf, 11, &len, NULL), ERR_OK);
	assert_int_equal(buf[11], 'z');
	assert_int_equal(template_fill("", &values, buf, 0, &len, NULL), ERR_LIMIT);
}

static void
scan_collects(void **state)
{
	unsigned used = 0;

	(void)state;
	assert_int_equal(template_scan("{uuid} {{mac} {gateway6}", &used, NULL), ERR_OK);
	assert_int_equal(used, 1u << TEMPLATE_UUID | 1u << TEMPLATE_GATEWAY6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills),
		cmocka_unit_test(refuses),
		cmocka_unit_test(missing_values_are_named),
		cmocka_unit_test(never_writes_beyond),
		cmocka_unit_test(scan_collects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
