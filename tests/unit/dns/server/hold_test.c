/* hold_test: the table of held queries, with a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/limits.h"
#include "dns/server/hold.h"

#define T0 (1000 * NS_PER_S)
#define MS NS_PER_MS
#define KEPT 8192

/* What the callbacks saw. */
static struct {
	unsigned answers, wakes, reports;
	uint32_t ids[KEPT];            /* of the answered queries, in order */
	int edes[KEPT];
	uint32_t woken[KEPT];          /* units that were asked for */
	struct hold_report report[KEPT];
	uint64_t arrived_ns;           /* of the last wake */
} seen;

static void
seen_answer(void *arg, const struct hold_query *q, int ede, bool expired)
{
	(void)arg;
	(void)expired;
	memcpy(&seen.ids[seen.answers % KEPT], q->wire, 4);
	seen.edes[seen.answers++ % KEPT] = ede;
}

static void
seen_wake(void *arg, const struct hold_wake *w)
{
	(void)arg;
	seen.woken[seen.wakes++ % KEPT] = w->unit;
	seen.arrived_ns = w->arrived_ns;
}

static void
seen_report(void *arg, const struct hold_report *r)
{
	(void)arg;
	seen.report[seen.reports++ % KEPT] = *r;
}

static const struct hold_ops ops = { .answer = seen_answer, .wake = seen_wake,
	.report = seen_report };

static struct hold *
table(uint32_t per_unit, uint32_t total)
{
	struct hold *h = hold_new(per_unit, total, &ops, NULL);

	memset(&seen, 0, sizeof(seen));
	assert_non_null(h);
	return h;
}

/* `first_ns`: when the wake's first query came to another worker; 0 = to none. */
static enum err
add_joining(struct hold *h, uint32_t unit, uint32_t id, uint64_t now_ns, uint32_t hold_ms,
    uint64_t first_ns)
{
	static const struct dns_peer peer;
	uint8_t wire[40] = { 0 };
	struct hold_request r = { .wake = { .unit = unit, .qtype = 1, .arrived_ns = now_ns,
		.peer = &peer }, .hold_ms = hold_ms, .first_ns = first_ns, .wire = wire,
		.len = sizeof(wire) };

	memcpy(wire, &id, 4);
	return hold_add(h, &r);
}

static enum err
add(struct hold *h, uint32_t unit, uint32_t id, uint64_t now_ns, uint32_t hold_ms)
{
	return add_joining(h, unit, id, now_ns, hold_ms, 0);
}

static void
many_join_one_wake(void **state)
{
	struct hold *h = table(1000, 1000);

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(add(h, 7, i, T0 + i * MS, 1000), ERR_OK);
	assert_int_equal(seen.wakes, 1);
	assert_int_equal(seen.woken[0], 7);
	assert_true(seen.arrived_ns == T0);
	assert_int_equal(seen.answers, 0);
	hold_woken(h, 8, -1);
	assert_int_equal(seen.answers, 0);
	hold_woken(h, 7, -1);
	assert_int_equal(seen.answers, 200);
	for (uint32_t i = 0; i < 200; i++) {
		assert_int_equal(seen.ids[i], i);
		assert_int_equal(seen.edes[i], -1);
	}
	assert_int_equal(seen.reports, 1);
	assert_int_equal(seen.report[0].unit, 7);
	assert_int_equal(seen.report[0].answers, 200);
	assert_true(seen.report[0].first_query_ns == T0);
	assert_false(seen.report[0].expired);
	assert_int_equal(hold_count(h), 0);
	assert_int_equal(hold_units(h), 0);
	assert_true(hold_next_ns(h) == HOLD_NEVER);
	hold_free(h);
}

static void
a_retransmission_is_held_too(void **state)
{
	struct hold *h = table(10, 10);

	(void)state;
	(void)add(h, 1, 42, T0, 1000);
	(void)add(h, 1, 42, T0 + 376 * MS, 1000);
	(void)add(h, 1, 43, T0 + 752 * MS, 1000);
	assert_int_equal(hold_count(h), 3);
	assert_int_equal(seen.wakes, 1);
	hold_woken(h, 1, -1);
	assert_int_equal(seen.answers, 3);
	hold_free(h);
}

static void
a_failed_wake_answers_with_its_code(void **state)
{
	struct hold *h = table(10, 10);

	(void)state;
	(void)add(h, 1, 1, T0, 1000);
	(void)add(h, 2, 2, T0, 1000);
	hold_woken(h, 1, 14);
	assert_int_equal(seen.answers, 1);
	assert_int_equal(seen.edes[0], 14);
	assert_int_equal(hold_count(h), 1);
	hold_free(h);
}

static void
deadlines_come_in_order(void **state)
{
	struct hold *h = table(100, 100);

	(void)state;
	(void)add(h, 1, 10, T0, 500);
	(void)add(h, 2, 20, T0, 100);
	(void)add(h, 3, 30, T0, 300);
	(void)add(h, 2, 21, T0 + 50 * MS, 150);   /* a reload has made it longer */
	assert_true(hold_next_ns(h) == T0 + 100 * MS);
	hold_tick(h, T0 + 99 * MS);
	assert_int_equal(seen.answers, 0);
	hold_tick(h, T0 + 100 * MS);
	assert_int_equal(seen.answers, 1);
	assert_int_equal(seen.ids[0], 20);
	assert_int_equal(seen.reports, 1);
	assert_true(seen.report[0].expired);
	assert_true(hold_next_ns(h) == T0 + 150 * MS);
	hold_tick(h, T0 + 600 * MS);
	assert_int_equal(seen.answers, 4);
	assert_int_equal(seen.ids[1], 21);
	assert_int_equal(seen.ids[2], 30);
	assert_int_equal(seen.ids[3], 10);
	/* The second expiry of unit 2 is told when its wake ends. */
	assert_int_equal(seen.reports, 3);
	hold_woken(h, 2, -1);
	assert_int_equal(seen.reports, 4);
	assert_int_equal(seen.report[3].answers, 1);
	assert_true(seen.report[3].expired);
	hold_free(h);
}

/* As unbound asks: every 0.3 s, and what waits longer than 1.9 s is dropped. */
static void
the_deadline_is_the_wakes(void **state)
{
	struct hold *h = table(100, 100);

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(add(h, 1, i, T0 + i * 300 * MS, 1000), ERR_OK);
	assert_true(hold_next_ns(h) == T0 + 1000 * MS);
	hold_tick(h, T0 + 1000 * MS - 1);
	assert_int_equal(seen.answers, 0);
	hold_tick(h, T0 + 1000 * MS);
	assert_int_equal(seen.answers, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(seen.edes[i], -1);
	/* The boot goes on: nothing is held any more, though this table has forgotten the unit. */
	assert_int_equal(add_joining(h, 1, 4, T0 + 1100 * MS, 1000, T0), ERR_TIMEOUT);
	assert_int_equal(add_joining(h, 1, 5, T0 + 9000 * MS, 1000, T0), ERR_TIMEOUT);
	assert_int_equal(hold_count(h), 0);
	/* The next wake has a deadline of its own. */
	hold_woken(h, 1, -1);
	assert_int_equal(add(h, 1, 6, T0 + 20000 * MS, 1000), ERR_OK);
	assert_true(hold_next_ns(h) <= T0 + 21000 * MS);
	hold_tick(h, T0 + 20999 * MS);
	assert_int_equal(hold_count(h), 1);
	hold_tick(h, T0 + 21000 * MS);
	assert_int_equal(hold_count(h), 0);
	hold_free(h);
}

static void
the_first_query_may_be_another_workers(void **state)
{
	struct hold *h = table(100, 100);

	(void)state;
	assert_int_equal(add_joining(h, 1, 1, T0 + 700 * MS, 1000, T0), ERR_OK);
	assert_int_equal(seen.wakes, 1);
	hold_tick(h, T0 + 999 * MS);
	assert_int_equal(seen.answers, 0);
	hold_tick(h, T0 + 1000 * MS);
	assert_int_equal(seen.answers, 1);
	/* Its clock was read a moment after ours: that is now. */
	assert_int_equal(add_joining(h, 2, 2, T0 + 2000 * MS, 1000, T0 + 2001 * MS), ERR_OK);
	hold_tick(h, T0 + 2999 * MS);
	assert_int_equal(seen.answers, 1);
	hold_tick(h, T0 + 3000 * MS);
	assert_int_equal(seen.answers, 2);
	hold_free(h);
}

/* hold = 0, and what comes after the deadline: never held, but the unit is asked for, and again. */
static void
what_is_not_held_is_asked_for(void **state)
{
	struct hold *h = table(10, 10);

	(void)state;
	assert_int_equal(add(h, 1, 1, T0, 0), ERR_TIMEOUT);
	assert_int_equal(seen.wakes, 1);
	assert_int_equal(add(h, 1, 2, T0 + 10 * MS, 0), ERR_TIMEOUT);
	assert_int_equal(seen.wakes, 1);
	assert_int_equal(add_joining(h, 1, 3, T0 + 1000 * MS, 500, T0), ERR_TIMEOUT);
	assert_int_equal(seen.wakes, 2);
	assert_int_equal(seen.answers, 0);
	assert_int_equal(hold_count(h), 0);
	hold_free(h);
}

/*
 * Without any query the table falls silent after the time in which a wake is not asked for twice.
 */
static void
nothing_stays_due(void **state)
{
	struct hold *h = table(10, 10);

	(void)state;
	(void)add(h, 1, 1, T0, 100);
	hold_tick(h, T0 + 100 * MS);
	assert_int_equal(hold_count(h), 0);
	assert_int_equal(hold_units(h), 1);
	hold_tick(h, T0 + HOLD_ASK_AGAIN_NS);
	assert_int_equal(hold_units(h), 0);
	assert_true(hold_next_ns(h) == HOLD_NEVER);
	hold_free(h);
}

static void
a_wake_is_asked_for_again(void **state)
{
	struct hold *h = table(10, 10);

	(void)state;
	(void)add(h, 1, 1, T0, 2500);
	(void)add(h, 1, 2, T0 + 900 * MS, 2500);
	assert_int_equal(seen.wakes, 1);
	hold_tick(h, T0 + 999 * MS);
	assert_int_equal(seen.wakes, 1);
	hold_tick(h, T0 + 1000 * MS);
	assert_int_equal(seen.wakes, 2);
	assert_true(seen.arrived_ns == T0);
	hold_tick(h, T0 + 2000 * MS);
	assert_int_equal(seen.wakes, 3);
	/* by a query, after an expiry and with a wake outstanding */
	hold_tick(h, T0 + 2500 * MS);
	assert_int_equal(seen.answers, 2);
	(void)add(h, 1, 3, T0 + 2600 * MS, 2500);
	assert_int_equal(seen.wakes, 3);
	(void)add(h, 1, 4, T0 + 3000 * MS, 2500);
	assert_int_equal(seen.wakes, 4);
	hold_free(h);
}

static void
the_oldest_makes_room_in_its_unit(void **state)
{
	struct hold *h = table(3, 100);

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		(void)add(h, 1, i, T0 + i, 1000);
	assert_int_equal(seen.answers, 2);
	assert_int_equal(seen.ids[0], 0);
	assert_int_equal(seen.ids[1], 1);
	assert_int_equal(seen.edes[0], -1);
	assert_int_equal(hold_count(h), 3);
	hold_woken(h, 1, -1);
	assert_int_equal(seen.report[0].answers, 5);
	assert_true(seen.report[0].expired);
	hold_free(h);
}

static void
the_oldest_makes_room_in_all(void **state)
{
	struct hold *h = table(3, 4);

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		(void)add(h, i, i, T0 + i, 1000);
	assert_int_equal(hold_count(h), 4);
	assert_int_equal(seen.answers, 16);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(seen.ids[i], i);
	assert_in_range(hold_units(h), 4, 5);
	assert_int_equal(seen.wakes, 20);
	hold_free(h);
}

/* 200,000 retransmissions while a unit boots, through a queue of 1,000. */
static void
a_storm_is_bounded(void **state)
{
	struct hold *h = table(1000, 4000);

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		uint64_t now_ns = T0 + i * 5000;   /* one second in all */

		(void)add(h, i % 2, i, now_ns, 1000);
		if (hold_next_ns(h) <= now_ns)
			hold_tick(h, now_ns);
	}
	assert_int_equal(hold_count(h), 2000);
	assert_int_equal(seen.answers, 198000);
	assert_int_equal(seen.wakes, 2);
	hold_woken(h, 0, -1);
	hold_woken(h, 1, -1);
	assert_int_equal(seen.answers, 200000);
	hold_free(h);
}

/* A scan of 4,000 sleeping names within 4 ms may not fill the channel; every unit's turn comes. */
static void
a_flood_of_wakes_is_paced(void **state)
{
	static bool asked[4000];
	struct hold *h = table(10, 20000);
	unsigned distinct = 0;

	(void)state;
	for (uint32_t i = 0; i < 4000; i++)
		(void)add(h, i, i, T0 + i * 1000, 5000);
	assert_int_equal(seen.wakes, LIMIT_WAKES_WINDOW);
	for (uint64_t now_ns = T0; now_ns < T0 + 2950 * MS; now_ns += MS) {
		hold_tick(h, now_ns);
		assert_true(seen.wakes <=
		    (now_ns - T0 + 100 * MS) / (100 * MS) * LIMIT_WAKES_WINDOW);
	}
	for (unsigned k = 0; k < seen.wakes; k++)
		asked[seen.woken[k]] = true;
	for (uint32_t i = 0; i < 4000; i++)
		distinct += asked[i];
	assert_int_equal(distinct, 4000);
	hold_free(h);
}

/*
 * Whose hold runs out before its turn comes, or who is not held at all, is asked for all the same.
 */
static void
a_flood_that_is_not_held_is_asked_for(void **state)
{
	struct hold *h = table(10, 10000);
	bool asked[2000] = { false };
	unsigned distinct = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(add(h, i, i, T0, 50), ERR_OK);
	for (uint32_t i = 1000; i < 2000; i++)
		assert_int_equal(add(h, i, i, T0, 0), ERR_TIMEOUT);
	assert_int_equal(seen.wakes, LIMIT_WAKES_WINDOW);
	for (uint64_t now_ns = T0; now_ns < T0 + 950 * MS; now_ns += MS) {
		hold_tick(h, now_ns);
		assert_true(seen.wakes <=
		    (now_ns - T0 + 100 * MS) / (100 * MS) * LIMIT_WAKES_WINDOW);
	}
	assert_int_equal(seen.answers, 1000);
	for (unsigned k = 0; k < seen.wakes; k++)
		asked[seen.woken[k]] = true;
	for (uint32_t i = 0; i < 2000; i++)
		distinct += asked[i];
	assert_int_equal(distinct, 2000);
	assert_true(seen.arrived_ns == T0);
	/* Nobody waits: they are forgotten. */
	hold_tick(h, T0 + 3000 * MS);
	assert_int_equal(hold_units(h), 0);
	hold_free(h);
}

static void
too_long_is_not_held_but_asked_for(void **state)
{
	static const struct dns_peer peer;
	static uint8_t wire[LIMIT_HELD_QUERY + 1];
	struct hold *h = table(10, 10);
	struct hold_request r = { .wake = { .unit = 5, .arrived_ns = T0, .peer = &peer },
		.hold_ms = 1000, .wire = wire, .len = sizeof(wire) };

	(void)state;
	assert_int_equal(hold_add(h, &r), ERR_LIMIT);
	assert_int_equal(hold_count(h), 0);
	assert_int_equal(seen.wakes, 1);
	hold_ask(h, &r.wake);
	assert_int_equal(seen.wakes, 1);
	r.wake.arrived_ns += HOLD_ASK_AGAIN_NS;
	hold_ask(h, &r.wake);
	assert_int_equal(seen.wakes, 2);
	hold_tick(h, r.wake.arrived_ns + HOLD_ASK_AGAIN_NS);
	assert_int_equal(hold_units(h), 0);
	hold_free(h);
}

/*
 * Random use against the invariants: each query is answered once, and not after its deadline's
 * tick.
 */
static void
random_use(void **state)
{
	struct hold *h = table(50, 300);
	uint64_t now_ns = T0;
	uint32_t seed = 12345, added = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint32_t unit;

		seed = seed * 1664525 + 1013904223;
		unit = (seed >> 8) % 5000;
		now_ns += (seed >> 4) % (2 * MS);
		if (seed % 16 == 0) {
			hold_woken(h, unit % 40, (int)(seed >> 20) % 3 - 1);
		} else {
			uint32_t held = hold_count(h) + seen.answers;
			uint32_t hold_ms = 1 + (seed >> 12) % 3000;
			enum err e = add(h, seed % 3 ? unit % 40 : unit, added, now_ns, hold_ms);

			/* What comes after its wake's deadline is answered by the caller. */
			assert_true(e == ERR_OK || e == ERR_TIMEOUT);
			added += e == ERR_OK;
			assert_int_equal(hold_count(h) + seen.answers, held + (e == ERR_OK));
		}
		if (hold_next_ns(h) <= now_ns)
			hold_tick(h, now_ns);
		assert_true(hold_next_ns(h) > now_ns);
		assert_true(hold_count(h) <= 300);
		assert_int_equal(seen.answers + hold_count(h), added);
	}
	hold_tick(h, now_ns + 3 * NS_PER_S);
	hold_tick(h, now_ns + 10 * NS_PER_S);
	assert_int_equal(seen.answers, added);
	assert_int_equal(hold_units(h), 0);
	hold_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_join_one_wake),
		cmocka_unit_test(a_retransmission_is_held_too),
		cmocka_unit_test(a_failed_wake_answers_with_its_code),
		cmocka_unit_test(deadlines_come_in_order),
		cmocka_unit_test(the_deadline_is_the_wakes),
		cmocka_unit_test(the_first_query_may_be_another_workers),
		cmocka_unit_test(what_is_not_held_is_asked_for),
		cmocka_unit_test(nothing_stays_due),
		cmocka_unit_test(a_wake_is_asked_for_again),
		cmocka_unit_test(the_oldest_makes_room_in_its_unit),
		cmocka_unit_test(the_oldest_makes_room_in_all),
		cmocka_unit_test(a_storm_is_bounded),
		cmocka_unit_test(a_flood_of_wakes_is_paced),
		cmocka_unit_test(a_flood_that_is_not_held_is_asked_for),
		cmocka_unit_test(too_long_is_not_held_but_asked_for),
		cmocka_unit_test(random_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
