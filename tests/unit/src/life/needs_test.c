/* needs_test: the life cycle of a unit whose wake waited for another one that could not be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/src/life/rig.h"

static void
rig_needs(struct rig *r, uint64_t again_ms)
{
	assert_int_equal(rig_step(r,
			     (struct life_event){ .kind = LIFE_EV_REFUSED,
				 .ticket = r->l.ticket,
				 .result = ERR_STATE,
				 .needs = true,
				 .again_ms = again_ms }),
	    ERR_OK);
}

/*
 * What it needs could not be had: its wake has failed, and it has a back-off only as that unit has.
 */
static void
what_it_needs_fails(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_ADMITTING);
	uint64_t again;

	(void)state;
	rig_needs(&r, 0);
	did(&r, "changed woken timer");
	rig_answered(&r, WAKE_FAILED);
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.why, LIFE_WHY_NEEDS);
	rig_wake(&r, LIFE_BY_QUERY);
	again = r.now + 3 * S;
	rig_needs(&r, again);
	did(&r, "changed woken timer");
	rig_answered(&r, WAKE_FAILED);
	is(&r, LIFE_FAILED);
	assert_int_equal(r.l.timer_ms, again);
	assert_int_equal(r.l.failures, 0);   /* it has not failed itself */
	rig_wake(&r, LIFE_BY_QUERY);
	did(&r, "woken");
	rig_wake(&r, LIFE_BY_OPERATOR);
	did(&r, "changed admit timer");
	rig_needs(&r, again);
	rig_timer(&r);
	is(&r, LIFE_DORMANT);
	/* A back-off of its own that is longer stays. */
	r = rig_in_phase(LIFE_P_FAILED);
	again = r.l.backoff_until_ms;
	rig_wake(&r, LIFE_BY_OPERATOR);
	rig_needs(&r, r.now + 1);
	assert_int_equal(r.l.timer_ms, again);
	/* A saved state is kept. */
	r = rig_in_phase(LIFE_P_SAVED);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_needs(&r, r.now + S);
	is(&r, LIFE_FAILED);
	rig_timer(&r);
	is(&r, LIFE_SAVED);
}

/* As soon as its wake has failed, others can know how long it will be refused. */
static void
its_back_off_is_known_before_it_begins(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_PROBING);

	(void)state;
	assert_int_equal(life_again_ms(&r.l, &r.p, r.now), 0);
	rig_timer(&r);
	is(&r, LIFE_STOPPING);
	rig_answered(&r, WAKE_FAILED);
	assert_int_equal(life_again_ms(&r.l, &r.p, r.now), r.now + r.p.backoff_min_ms);
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	is(&r, LIFE_FAILED);
	assert_int_equal(life_again_ms(&r.l, &r.p, r.now), r.now + r.p.backoff_min_ms);
}

/* Its thaw has not begun: it sleeps as it did, or deeper. */
static void
who_waits_to_be_thawed_can_sleep_on(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_THAWING);
	uint32_t ticket = r.l.ticket;

	(void)state;
	r.p.needs_waits = true;
	rig_sleep_to(&r, LIFE_TIER_FROZEN);
	rig_answered(&r, WAKE_REFUSED);
	is(&r, LIFE_FROZEN);
	assert_int_equal(rig_step(&r,
			     (struct life_event){ .kind = LIFE_EV_THAWED,
				 .ticket = ticket,
				 .result = ERR_STATE,
				 .kept = true,
				 .needs = true }),
	    ERR_OK);
	did(&r, "");
	rig_wake(&r, LIFE_BY_QUERY);
	did(&r, "changed thaw timer");
	rig_sleep_to(&r, LIFE_TIER_SAVED);
	did(&r, "changed woken save timer");
	r = rig_in_phase(LIFE_P_THAWING);
	r.p.needs_waits = true;
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	did(&r, "changed woken stop");
	/* One that has begun cannot be called back. */
	r = rig_in_phase(LIFE_P_THAWING);
	rig_sleep_to(&r, LIFE_TIER_FROZEN);
	is(&r, LIFE_STOPPING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_needs_fails),
		cmocka_unit_test(its_back_off_is_known_before_it_begins),
		cmocka_unit_test(who_waits_to_be_thawed_can_sleep_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
