/* flood_test: what is said too often is left out, counted, and said when the window is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "src/process/flood.h"

#define LONG_MS 600000     /* nothing ends by itself */

static struct {
	char kind[FLOOD_KIND_TEXT];
	unsigned more;
	uint32_t unit;
} told[LIMIT_FLOOD_KINDS];
static unsigned ntold;

static void
tell(const char *kind, unsigned more, uint32_t unit, void *arg)
{
	struct event_base *base = arg;

	snprintf(told[ntold].kind, sizeof(told[0].kind), "%s", kind);
	told[ntold].more = more;
	told[ntold++].unit = unit;
	if (base != NULL)
		event_base_loopbreak(base);
}

static unsigned
passed(struct flood *f, uint32_t unit, const char *kind, unsigned most, unsigned n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++)
		count += flood_pass(f, unit, kind, most);
	return count;
}

static struct event_base *base;

static struct flood *
fresh(unsigned window_ms, bool breaks)
{
	struct flood *f = flood_new(base, window_ms, tell, breaks ? base : NULL);

	assert_non_null(f);
	ntold = 0;
	return f;
}

static void
a_kind_has_a_bound_and_leaves_room_for_others(void **state)
{
	struct flood *f = fresh(LONG_MS, false);

	(void)state;
	for (uint32_t u = 0; u < 100; u++)
		assert_int_equal(passed(f, u, "refused", 50, 1), u < 50);
	assert_int_equal(passed(f, 7, "awake", 50, 3), 3);
	assert_int_equal(ntold, 0);
	flood_free(f);
	assert_int_equal(ntold, 1);
	assert_string_equal(told[0].kind, "refused");
	assert_int_equal(told[0].more, 50);
	assert_int_equal(told[0].unit, FLOOD_NO_UNIT);
}

static void
a_unit_has_a_bound_and_leaves_room_for_others(void **state)
{
	struct flood *f = fresh(LONG_MS, false);

	(void)state;
	assert_int_equal(passed(f, 3, "awake", 100000, 1000), LIMIT_FLOOD_UNIT);
	assert_int_equal(passed(f, 4, "awake", 100000, 5), 5);
	assert_int_equal(passed(f, 3, "asleep", 100000, 5), 5);
	assert_int_equal(passed(f, FLOOD_NO_UNIT, "lines", 100000, 1000), 1000);
	flood_free(f);
	assert_int_equal(ntold, 1);
	assert_int_equal(told[0].more, 1000 - LIMIT_FLOOD_UNIT);
	assert_int_equal(told[0].unit, 3);
}

static void
more_units_and_kinds_than_there_is_room_for_are_bounded_too(void **state)
{
	struct flood *f = fresh(LONG_MS, false);
	unsigned more = 0, n = 0;
	char kind[32];

	(void)state;
	for (uint32_t u = 0; u < 100000; u++)
		n += flood_pass(f, u, "awake", 20000);
	assert_int_equal(n, 20000);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(kind, sizeof(kind), "kind %u", i);
		n += passed(f, FLOOD_NO_UNIT, kind, 10, 20);
	}
	assert_int_equal(n, 20000 + (LIMIT_FLOOD_KINDS - 1) * 10);
	flood_free(f);
	for (unsigned i = 0; i < ntold; i++)
		more += told[i].more;
	assert_int_equal(n + more, 100000 + 1000 * 20);
}

static void
what_was_left_out_is_told_when_the_window_is_over_and_nothing_comes_any_more(void **state)
{
	struct flood *f = fresh(50, true);

	(void)state;
	assert_int_equal(passed(f, 1, "refused", 10, 30), 10);
	assert_int_equal(ntold, 0);
	assert_int_not_equal(event_base_dispatch(base), -1);
	assert_int_equal(ntold, 1);
	assert_int_equal(told[0].more, 20);
	assert_int_equal(passed(f, 1, "refused", 10, 5), 5);
	flood_free(f);
	assert_int_equal(ntold, 1);
}

static void
nothing_wakes_the_loop_when_nothing_was_left_out(void **state)
{
	struct flood *f = fresh(50, true);

	(void)state;
	assert_int_equal(passed(f, 1, "refused", 10, 10), 10);
	assert_int_equal(event_base_dispatch(base), 1);   /* no event is pending */
	flood_free(f);
	assert_int_equal(ntold, 0);
	assert_true(flood_pass(NULL, 1, "refused", 0));
	flood_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kind_has_a_bound_and_leaves_room_for_others),
		cmocka_unit_test(a_unit_has_a_bound_and_leaves_room_for_others),
		cmocka_unit_test(more_units_and_kinds_than_there_is_room_for_are_bounded_too),
		cmocka_unit_test(
		    what_was_left_out_is_told_when_the_window_is_over_and_nothing_comes_any_more),
		cmocka_unit_test(nothing_wakes_the_loop_when_nothing_was_left_out),
	};

	base = event_base_new();
	if (base == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
