/* admit_test: budgets hold, queues are fair and bounded, everything that was taken comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "src/life/admit.h"

#define MIB (1024u * 1024u)

static const struct admit_limits roomy = {
	.boots = 2, .vms = 4, .memory_bytes = 64 * MIB, .queue = 2
};

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
	admit_init(&a, &roomy, NULL, NULL);
	init_waiters(w, 5, MIB);
	assert_int_equal(admit_ask(&a, &w[0], 1, false), ADMIT_NOW);
	assert_int_equal(admit_ask(&a, &w[1], 1, false), ADMIT_NOW);
	assert_int_equal(admit_ask(&a, &w[2], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_ask(&a, &w[3], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_ask(&a, &w[4], 1, false), ADMIT_FULL);
	/* asking twice queues once */
	assert_int_equal(admit_ask(&a, &w[2], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_position(&a, &w[0]), 0);
	assert_int_equal(admit_position(&a, &w[2]), 1);
	assert_int_equal(admit_position(&a, &w[3]), 2);
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
waiters_of(struct admit_waiter *w, size_t n, uint32_t asker)
{
	init_waiters(w, n, MIB);
	for (size_t i = 0; i < n; i++)
		w[i].asker = asker;
}

/* Who asks for one waits for one of each other's, not for all. */
static void
askers_take_turns(void **state)
{
	struct admit_limits l = { .boots = 1, .vms = 100, .memory_bytes = 100 * MIB, .queue = 20 };
	struct admit_waiter many[8], few[2], one[1], late[1];
	struct admit_waiter *const order[] = { &many[0], &many[1], &few[0], &one[0], &many[2] };
	struct admit a;

	(void)state;
	admit_init(&a, &l, NULL, NULL);
	waiters_of(many, 8, 1);
	waiters_of(few, 2, 2);
	waiters_of(one, 1, 3);
	waiters_of(late, 1, 4);
	assert_int_equal(admit_ask(&a, &many[0], 1, false), ADMIT_NOW);
	for (int i = 1; i < 8; i++)
		assert_int_equal(admit_ask(&a, &many[i], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_position(&a, &many[7]), 7);
	assert_int_equal(admit_ask(&a, &few[0], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_ask(&a, &few[1], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_ask(&a, &one[0], 1, false), ADMIT_WAIT);
	/* many few one | many few | many many ... */
	assert_int_equal(admit_position(&a, &many[1]), 1);
	assert_int_equal(admit_position(&a, &few[0]), 2);
	assert_int_equal(admit_position(&a, &one[0]), 3);
	assert_int_equal(admit_position(&a, &few[1]), 5);
	assert_int_equal(admit_position(&a, &many[7]), 10);
	admit_number(&a);
	assert_int_equal(admit_position(&a, &few[1]), 5);
	for (int i = 0; i < 4; i++) {
		admit_boot_done(&a, order[i]);
		assert_ptr_equal(admit_next(&a), order[i + 1]);
	}
	/* Who comes now is in the round behind the one that began. */
	assert_int_equal(admit_ask(&a, &late[0], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_position(&a, &few[1]), 1);
	assert_int_equal(admit_position(&a, &late[0]), 3);
	assert_int_equal(admit_position(&a, &many[3]), 2);
	/* An empty queue has forgotten who had how many. */
	for (int i = 0; i < 8; i++)
		admit_release(&a, &many[i]);
	admit_release(&a, &few[0]);
	admit_release(&a, &few[1]);
	admit_release(&a, &one[0]);
	admit_release(&a, &late[0]);
	assert_int_equal(a.round, 0);
	for (int i = 0; i < ADMIT_ASKERS; i++)
		assert_true(a.rounds[i] == 0 && a.asked[i] == 0);
}

/* In a full queue the last of those who have most is who goes. */
static void
a_full_queue_is_fair(void **state)
{
	struct admit_limits l = { .boots = 1, .vms = 100, .memory_bytes = 100 * MIB, .queue = 4 };
	struct admit_waiter many[6], few[2], one[1];
	struct admit a;

	(void)state;
	admit_init(&a, &l, NULL, NULL);
	waiters_of(many, 6, 1);
	waiters_of(few, 2, 2);
	waiters_of(one, 1, 3);
	for (int i = 0; i < 5; i++)
		(void)admit_ask(&a, &many[i], 1, false);
	assert_int_equal(admit_ask(&a, &many[5], 1, false), ADMIT_FULL);
	assert_null(admit_yield(&a, &many[5]));
	assert_int_equal(admit_ask(&a, &few[0], 1, false), ADMIT_FULL);
	assert_ptr_equal(admit_yield(&a, &few[0]), &many[4]);
	assert_false(many[4].queued);
	assert_int_equal(admit_ask(&a, &few[0], 1, false), ADMIT_WAIT);
	assert_ptr_equal(admit_yield(&a, &few[1]), &many[3]);
	assert_int_equal(admit_ask(&a, &few[1], 1, false), ADMIT_WAIT);
	/* many few | many few: a third one's first is in the first round. */
	assert_ptr_equal(admit_yield(&a, &one[0]), &few[1]);
	assert_int_equal(admit_ask(&a, &one[0], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_position(&a, &one[0]), 3);
	assert_int_equal(a.waiting, 4);
	assert_null(admit_yield(&a, &few[1]));
}

/* Who has waited in vain is not made to wait behind the others for that. */
static void
rounds_are_given_back(void **state)
{
	struct admit_limits l = { .boots = 1, .vms = 100, .memory_bytes = 100 * MIB, .queue = 20 };
	struct admit_waiter many[6], few[3];
	struct admit a;

	(void)state;
	admit_init(&a, &l, NULL, NULL);
	waiters_of(many, 6, 1);
	waiters_of(few, 3, 2);
	for (int i = 0; i < 6; i++)
		(void)admit_ask(&a, &many[i], 1, false);
	for (int i = 0; i < 3; i++)
		(void)admit_ask(&a, &few[i], 1, false);
	/* many few | many few | many few | many | many: its last two are withdrawn. */
	admit_release(&a, &many[5]);
	admit_release(&a, &many[4]);
	assert_int_equal(a.rounds[1], 3);
	assert_int_equal(admit_ask(&a, &many[5], 1, false), ADMIT_WAIT);
	assert_int_equal(many[5].round, 4);
	/* All of them expire. */
	for (int i = 1; i < 6; i++)
		admit_release(&a, &many[i]);
	assert_int_equal(a.waiting, 3);
	assert_int_equal(admit_ask(&a, &many[1], 1, false), ADMIT_WAIT);
	assert_int_equal(admit_position(&a, &many[1]), 2);
}

/* ---- who is sure ---- */

#define CROWD 12

struct crowd {
	struct admit a;
	struct admit_waiter w[CROWD];
	bool told[CROWD];          /* what was told last */
	unsigned tells;
};

static void
told(struct admit_waiter *w, void *arg)
{
	struct crowd *c = arg;

	c->told[w - c->w] = w->sure;
	c->tells++;
}

static void
crowd_init(struct crowd *c, const struct admit_limits *l, uint64_t bytes)
{
	memset(c, 0, sizeof(*c));
	admit_init(&c->a, l, told, c);
	init_waiters(c->w, CROWD, bytes);
}

/* By the definition: room for all before it and for it, beside what runs. */
static bool
is_sure(const struct admit *a, const struct admit_waiter *w)
{
	uint64_t bytes = a->memory_bytes;
	unsigned vms = a->vms;
	const struct admit_waiter *x;

	TAILQ_FOREACH(x, &a->queue, link) {
		bytes += x->memory_bytes;
		if (++vms > a->limits.vms || bytes > a->limits.memory_bytes)
			return false;
		if (x == w)
			return true;
	}
	return false;
}

static void
who_is_sure_and_what_the_others_want(void **state)
{
	struct admit_limits l = roomy;
	struct crowd c;

	(void)state;
	l.queue = CROWD;
	crowd_init(&c, &l, MIB);
	for (int i = 0; i < 6; i++)
		assert_int_equal(
		    admit_ask(&c.a, &c.w[i], 1, false), i < 2 ? ADMIT_NOW : ADMIT_WAIT);
	/* Two of four VMs boot, two boot when these have; the others wait for the end of a VM. */
	assert_true(c.w[2].sure && c.w[3].sure && c.told[2] && c.told[3]);
	assert_false(c.w[4].sure || c.w[5].sure || c.w[0].sure);
	assert_int_equal(admit_wants(&c.a, &c.w[3]), ADMIT_WANT_BOOT);
	assert_int_equal(admit_wants(&c.a, &c.w[4]), ADMIT_WANT_VM);
	assert_int_equal(admit_wants(&c.a, &c.w[5]), ADMIT_WANT_VM);
	assert_false(admit_would_be_sure(&c.a, &c.w[0]));   /* two wait for its slot */
	/* A reload allows one VM less, or three megabytes, and takes that back. */
	l.vms = 3;
	admit_limits_set(&c.a, &l);
	assert_true(c.w[2].sure && !c.w[3].sure && !c.told[3]);
	l.vms = CROWD;
	l.memory_bytes = 3 * MIB;
	admit_limits_set(&c.a, &l);
	assert_true(c.w[2].sure && !c.w[3].sure);
	assert_int_equal(admit_wants(&c.a, &c.w[3]), ADMIT_WANT_MEMORY);
	l.memory_bytes = 64 * MIB;
	admit_limits_set(&c.a, &l);
	assert_true(c.told[3] && c.told[4] && c.told[5]);
	assert_true(admit_would_be_sure(&c.a, &c.w[0]) && admit_would_be_sure(&c.a, &c.w[6]));
	/* One leaves from the middle; who comes after it moves up. */
	l.vms = 5;
	admit_limits_set(&c.a, &l);
	assert_false(c.told[5]);
	admit_release(&c.a, &c.w[3]);
	assert_true(c.told[5]);
	assert_int_equal(admit_position(&c.a, &c.w[5]), 3);
	admit_number(&c.a);
	assert_int_equal(admit_position(&c.a, &c.w[2]), 1);
	assert_int_equal(admit_position(&c.a, &c.w[5]), 3);
}

/*
 * Whatever happens in whatever order, the sure ones are those of the definition, and were told so.
 */
static void
who_is_sure_is_kept_right(void **state)
{
	struct admit_limits l = {
		.boots = 2, .vms = 4, .memory_bytes = 16 * MIB, .queue = CROWD - 2
	};
	uint32_t seed = 4711;
	struct crowd c;

	(void)state;
	crowd_init(&c, &l, MIB);
	for (unsigned step = 0; step < 20000; step++) {
		struct admit_waiter *w;
		unsigned what, place = 0;

		seed = seed * 1664525u + 1013904223u;
		what = (seed >> 8) % 16;
		w = &c.w[(seed >> 16) % CROWD];
		if (what < 7) {
			if (!w->queued && !w->held) {
				w->memory_bytes = (1 + (seed >> 12) % 5) * MIB;
				w->asker = (seed >> 28) % 4;
				c.told[w - c.w] = false;
			}
			if (c.a.waiting == l.queue && !w->queued && !w->held)
				(void)admit_yield(&c.a, w);   /* perhaps */
			(void)admit_ask(&c.a, w, step, true);   /* whether it waits is seen below */
		} else if (what < 10) {
			admit_release(&c.a, w);
		} else if (what < 13) {
			admit_boot_done(&c.a, w);
			(void)admit_next(&c.a);   /* as above */
		} else if (what < 14) {
			l.vms = 1 + (seed >> 12) % 8;
			l.memory_bytes = (1 + (seed >> 20) % 24) * MIB;
			admit_limits_set(&c.a, &l);
		} else if (what < 15 && w->queued) {
			admit_resize(&c.a, w, (1 + (seed >> 12) % 5) * MIB);
		} else if (what < 15) {
			admit_take(&c.a, w);
		} else {
			admit_number(&c.a);
		}
		TAILQ_FOREACH(w, &c.a.queue, link) {
			assert_int_equal(w->sure, is_sure(&c.a, w));
			assert_int_equal(c.told[w - c.w], w->sure);
			assert_int_equal(admit_position(&c.a, w), ++place);
			assert_true(TAILQ_NEXT(w, link) == NULL ||
			    TAILQ_NEXT(w, link)->round >= w->round);
		}
		assert_int_equal(c.a.waiting, place);
	}
	assert_true(c.tells > 1000);
}

static void
memory_is_bounded(void **state)
{
	struct admit a;
	struct admit_waiter w[3];

	(void)state;
	admit_init(&a, &roomy, NULL, NULL);
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
	admit_init(&a, &roomy, NULL, NULL);
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
	admit_init(&a, &l, NULL, NULL);
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
	admit_init(&a, &l, NULL, NULL);
	init_waiters(w, 3, MIB);
	assert_int_equal(admit_ask(&a, &w[0], 5, false), ADMIT_NOW);
	admit_boot_done(&a, &w[0]);
	assert_int_equal(admit_ask(&a, &w[1], 5, false), ADMIT_NOW);
	admit_boot_done(&a, &w[1]);
	assert_int_equal(admit_ask(&a, &w[2], 5, false), ADMIT_TOO_OFTEN);
}

/* Nobody is thrown out of a full queue for who may not come in, and its tokens stay. */
static void
a_full_queue_uses_no_rate(void **state)
{
	struct admit_limits l = roomy;
	struct admit a;
	struct admit_waiter w[4];

	(void)state;
	l.boots = 1;
	l.queue = 1;
	l.wakes_per_min_all = 3;
	admit_init(&a, &l, NULL, NULL);
	init_waiters(w, 4, MIB);
	assert_int_equal(admit_ask(&a, &w[0], 5, false), ADMIT_NOW);
	assert_int_equal(admit_ask(&a, &w[1], 5, false), ADMIT_WAIT);
	for (int i = 0; i < 5; i++)
		assert_int_equal(admit_ask(&a, &w[2], 5, false), ADMIT_FULL);
	admit_release(&a, &w[1]);
	assert_int_equal(admit_ask(&a, &w[2], 5, false), ADMIT_WAIT);
	assert_int_equal(admit_ask(&a, &w[3], 5, false), ADMIT_TOO_OFTEN);
	/* What the unit may is not used up where all together may not. */
	l.wakes_per_min = 1;
	l.queue = 2;
	admit_limits_set(&a, &l);
	assert_int_equal(admit_ask(&a, &w[3], 5, false), ADMIT_TOO_OFTEN);
	assert_int_equal(w[3].bucket.at_ms, 0);
}

static void
adopted_vms_count_beyond_the_limit(void **state)
{
	struct admit_limits l = roomy;
	struct admit a;
	struct admit_waiter w[3];

	(void)state;
	l.vms = 1;
	admit_init(&a, &l, NULL, NULL);
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

static void
what_the_first_unsure_one_lacks(void **state)
{
	struct admit_limits l = roomy;
	struct admit a;
	struct admit_waiter w[4];
	unsigned vms;
	uint64_t bytes;

	(void)state;
	l.vms = 2;
	l.memory_bytes = 10 * MIB;
	admit_init(&a, &l, NULL, NULL);
	init_waiters(w, 4, 4 * MIB);
	assert_int_equal(admit_ask(&a, &w[0], 1, true), ADMIT_NOW);
	assert_int_equal(admit_ask(&a, &w[1], 1, true), ADMIT_NOW);
	assert_false(admit_lacks(&a, &vms, &bytes));
	assert_int_equal(admit_ask(&a, &w[2], 1, true), ADMIT_WAIT);
	assert_int_equal(admit_ask(&a, &w[3], 1, true), ADMIT_WAIT);
	assert_true(admit_lacks(&a, &vms, &bytes));
	assert_int_equal(vms, 1);
	assert_int_equal(bytes, 2 * MIB);
	admit_release(&a, &w[0]);
	/* the first is sure now, and what the second lacks is counted behind that */
	assert_true(w[2].sure && admit_lacks(&a, &vms, &bytes));
	assert_int_equal(vms, 1);
	assert_int_equal(bytes, 2 * MIB);
	l.vms = 8;
	admit_limits_set(&a, &l);
	assert_true(admit_lacks(&a, &vms, &bytes));
	assert_int_equal(vms, 0);
	assert_int_equal(bytes, 2 * MIB);
	l.memory_bytes = 100 * MIB;
	admit_limits_set(&a, &l);
	assert_false(admit_lacks(&a, &vms, &bytes));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boots_are_bounded_and_wait_in_order),
		cmocka_unit_test(askers_take_turns),
		cmocka_unit_test(a_full_queue_is_fair),
		cmocka_unit_test(rounds_are_given_back),
		cmocka_unit_test(a_full_queue_uses_no_rate),
		cmocka_unit_test(who_is_sure_and_what_the_others_want),
		cmocka_unit_test(who_is_sure_is_kept_right),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(a_small_one_does_not_overtake_forever),
		cmocka_unit_test(rates_are_bounded_and_come_back),
		cmocka_unit_test(the_global_rate_counts_all),
		cmocka_unit_test(adopted_vms_count_beyond_the_limit),
		cmocka_unit_test(what_the_first_unsure_one_lacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
