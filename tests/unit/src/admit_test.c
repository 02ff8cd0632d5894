/* admit_test: budgets hold, queues are fair and bounded, everything that was taken comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "src/admit.h"

#define MIB (1024u * 1024u)

static const struct admit_limits roomy = { .boots = 2, .vms = 4, .memory_bytes = 64 * MIB, .queue = 2 };

static void
init_waiters(struct admit_waiter *w, size_t n, uint64_t bytes)
{
	memset(w, 0, n * sizeof(*w));
	for (size_t i = 0; i < n; i++)
		w[i].memory_bytes = bytes;
}

static void
boots_are_bounded_and_wait_in_order(void **state)
{
	struct admit a;
	struct admit_waiter w[5];

	(void)state;
	admit_init(&a, &roomy);
	init_waiters(w, 5, MIB);
	assert_int_equal(admit_ask(&a, &w[0], 1, false), ADMIT_NOW);
	assert_int_equal(admit_ask(&a, &w[1], 1, false), ADMIT_NOW);
	assert_int_equal(admit_ask(&a, &w[2], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_ask(&a, &w[3], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_ask(&a, &w[4], 1, false), ADMIT_FULL);
	assert_int_equal(admit_ask(&a, &w[2], 1, false), ADMIT_WAIT);   /* asking twice queues once */
	assert_int_equal(admit_position(&a, &w[0]), 0);
	assert_int_equal(admit_position(&a, &w[2]), 1);
	assert_int_equal(admit_position(&a, &w[3]), 2);
	/* For both there is room among the four VMs; with one place less for the first alone. */
	assert_true(admit_is_sure(&a, &w[2]) && admit_is_sure(&a, &w[3]));
	a.limits.vms = 3;
	assert_true(admit_is_sure(&a, &w[2]));
	assert_false(admit_is_sure(&a, &w[3]));
	a.limits.vms = 4;
	a.limits.memory_bytes = 3 * MIB;
	assert_false(admit_is_sure(&a, &w[3]));
	a.limits = roomy;
	assert_false(admit_is_sure(&a, &w[0]));
	assert_null(admit_next(&a));
	admit_boot_done(&a, &w[0]);
	assert_ptr_equal(admit_next(&a), &w[2]);
	assert_null(admit_next(&a));
	admit_release(&a, &w[1]);
	assert_ptr_equal(admit_next(&a), &w[3]);
	for (int i = 0; i < 5; i++) {
		admit_release(&a, &w[i]);
		admit_release(&a, &w[i]);   /* harmless */
	}
	assert_int_equal(a.boots, 0);
	assert_int_equal(a.vms, 0);
	assert_int_equal(a.waiting, 0);
	assert_int_equal(a.memory_bytes, 0);
}

static void
memory_is_bounded(void **state)
{
	struct admit a;
	struct admit_waiter w[3];

	(void)state;
	admit_init(&a, &roomy);
	init_waiters(w, 3, 40 * MIB);
	assert_int_equal(admit_ask(&a, &w[0], 1, false), ADMIT_NOW);
	admit_boot_done(&a, &w[0]);
	assert_int_equal(admit_ask(&a, &w[1], 1, false), ADMIT_WAIT);
	w[2].memory_bytes = 65 * MIB;
	assert_int_equal(admit_ask(&a, &w[2], 1, false), ADMIT_NEVER);
	assert_null(admit_next(&a));
	admit_release(&a, &w[0]);
	assert_ptr_equal(admit_next(&a), &w[1]);
}

static void
a_small_one_does_not_overtake_forever(void **state)
{
	struct admit a;
	struct admit_waiter w[3];

	(void)state;
	admit_init(&a, &roomy);
	init_waiters(w, 3, 40 * MIB);
	w[2].memory_bytes = MIB;
	assert_int_equal(admit_ask(&a, &w[0], 1, false), ADMIT_NOW);
	assert_int_equal(admit_ask(&a, &w[1], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_ask(&a, &w[2], 1, false), ADMIT_WAIT);
	admit_release(&a, &w[0]);
	assert_ptr_equal(admit_next(&a), &w[1]);
	assert_ptr_equal(admit_next(&a), &w[2]);
}

static void
rates_are_bounded_and_come_back(void **state)
{
	struct admit_limits l = roomy;
	struct admit a;
	struct admit_waiter w;

	(void)state;
	l.wakes_per_min = 2;
	admit_init(&a, &l);
	init_waiters(&w, 1, MIB);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(admit_ask(&a, &w, 1000, false), ADMIT_NOW);
		admit_release(&a, &w);
	}
	assert_int_equal(admit_ask(&a, &w, 1000, false), ADMIT_TOO_OFTEN);
	assert_int_equal(admit_ask(&a, &w, 1000, true), ADMIT_NOW);   /* an operator */
	admit_release(&a, &w);
	assert_int_equal(admit_ask(&a, &w, 20000, false), ADMIT_TOO_OFTEN);
	assert_int_equal(admit_ask(&a, &w, 31000, false), ADMIT_NOW);
	admit_release(&a, &w);
	assert_int_equal(admit_ask(&a, &w, 31001, false), ADMIT_TOO_OFTEN);
	assert_int_equal(admit_ask(&a, &w, 500000, false), ADMIT_NOW);
}

static void
the_global_rate_counts_all(void **state)
{
	struct admit_limits l = roomy;
	struct admit a;
	struct admit_waiter w[3];

	(void)state;
	l.wakes_per_min_all = 2;
	admit_init(&a, &l);
	init_waiters(w, 3, MIB);
	assert_int_equal(admit_ask(&a, &w[0], 5, false), ADMIT_NOW);
	admit_boot_done(&a, &w[0]);
	assert_int_equal(admit_ask(&a, &w[1], 5, false), ADMIT_NOW);
	admit_boot_done(&a, &w[1]);
	assert_int_equal(admit_ask(&a, &w[2], 5, false), ADMIT_TOO_OFTEN);
}

static void
adopted_vms_count_beyond_the_limit(void **state)
{
	struct admit_limits l = roomy;
	struct admit a;
	struct admit_waiter w[3];

	(void)state;
	l.vms = 1;
	admit_init(&a, &l);
	init_waiters(w, 3, MIB);
	admit_take(&a, &w[0]);
	admit_take(&a, &w[1]);
	admit_take(&a, &w[1]);
	assert_int_equal(a.vms, 2);
	assert_int_equal(admit_ask(&a, &w[2], 1, false), ADMIT_WAIT);
	admit_release(&a, &w[0]);
	assert_null(admit_next(&a));
	admit_release(&a, &w[1]);
	assert_ptr_equal(admit_next(&a), &w[2]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boots_are_bounded_and_wait_in_order),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(a_small_one_does_not_overtake_forever),
		cmocka_unit_test(rates_are_bounded_and_come_back),
		cmocka_unit_test(the_global_rate_counts_all),
		cmocka_unit_test(adopted_vms_count_beyond_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
