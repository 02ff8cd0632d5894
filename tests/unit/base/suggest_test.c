/* suggest_test: the nearest of some names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/suggest.h"

static const char *
nearest(const char *wanted, const char *const *names)
{
	static struct suggest s;

	suggest_init(&s, wanted);
	for (; *names != NULL; names++)
		suggest_offer(&s, *names);
	return suggest_text(&s);
}

static void
test_suggest(void **state)
{
	static const char *const names[] = { "www.example.test", "blog.example.test",
		"mail.example.test", NULL };

	(void)state;
	assert_string_equal(nearest("ww.example.test", names), "; did you mean www.example.test?");
	assert_string_equal(
	    nearest("blgo.example.test", names), "; did you mean blog.example.test?");
	assert_string_equal(nearest("mail", names), "; did you mean mail.example.test?");
	assert_string_equal(
	    nearest("mail.exmaple.org", names), "; did you mean mail.example.test?");
	assert_string_equal(nearest("entirely.different.name", names), "");
	assert_string_equal(nearest("", names), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suggest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
