/* tiers_test: freeze, save, removal and adoption, one scenario each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/src/life/rig.h"

/* ---- tiers ---- */

static void
a_frozen_unit_wakes_at_once(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_READING);

	(void)state;
	r.p.sleep = LIFE_TIER_FROZEN;
	rig_activity(&r, 0, 0);
	did(&r, "changed freeze timer");
	is(&r, LIFE_FROZEN);
	rig_event(&r, LIFE_EV_FROZEN, ERR_OK);
	did(&r, "timer");   /* the slot is kept */
	rig_wake(&r, LIFE_BY_QUERY);
	did(&r, "changed thaw timer");
	r.now += 3;
	rig_event(&r, LIFE_EV_THAWED, ERR_OK);
	did(&r, "changed woken timer");
	rig_answered(&r, WAKE_READY);
	is(&r, LIFE_AWAKE);
	assert_int_equal(r.l.why, LIFE_WHY_READY);
	assert_int_equal(r.l.awake_since_ms, r.now);
	assert_int_equal(r.l.timer_ms, r.now + 60 * S);
}

static void
a_thawed_unit_starts_anew(void **state)
{
	struct rig r = rig_new();

	(void)state;
	r.p.unused_after_ms = 15 * S;
	rig_awake(&r);
	r.l.failures = 1;
	rig_timer(&r);
	rig_activity(&r, 0, r.now);
	rig_sleep_to(&r, LIFE_TIER_FROZEN);
	assert_int_equal(r.l.failures, 0);   /* it was awake for long enough */
	rig_event(&r, LIFE_EV_FROZEN, ERR_OK);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_event(&r, LIFE_EV_THAWED, ERR_OK);
	assert_int_equal(r.l.timer_ms, r.now + 15 * S);   /* nobody has contacted it yet */
	r.l.failures = 1;
	r.now += r.p.steady_ms;
	rig_sleep_to(&r, LIFE_TIER_SAVED);
	assert_int_equal(r.l.failures, 0);
}

static void
a_hanging_freeze_keeps_nobody_waiting(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_FREEZING);

	(void)state;
	rig_wake(&r, LIFE_BY_QUERY);
	rig_timer(&r);
	did(&r, "changed woken");
	rig_answered(&r, WAKE_FAILED);
	assert_int_equal(r.l.timer_ms, LIFE_NEVER);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_answered(&r, WAKE_FAILED);
	rig_event(&r, LIFE_EV_FROZEN, ERR_IO);
	did(&r, "stop timer");
	r = rig_in_phase(LIFE_P_FREEZING);
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	r.now += S;
	rig_event(&r, LIFE_EV_REMOVE, ERR_OK);   /* which does not give it more time */
	did(&r, "");
}

static void
rig_kept(struct rig *r, enum life_event_kind kind)
{
	assert_int_equal(
	    rig_step(r,
		(struct life_event){
		    .kind = kind, .ticket = r->l.ticket, .result = ERR_TIMEOUT, .kept = true }),
	    ERR_OK);
}

/* What the driver did after its deadline is as good as before. */
static void
what_ends_well_is_kept_however_late(void **state)
{
	static const struct {
		enum life_phase phase;
		enum life_event_kind ends;
		enum life_state then;
	} rows[] = {
		{ LIFE_P_FREEZING, LIFE_EV_FROZEN, LIFE_FROZEN },
		{ LIFE_P_THAWING, LIFE_EV_THAWED, LIFE_AWAKE },
		{ LIFE_P_SAVING, LIFE_EV_SAVED, LIFE_SAVED },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig r = rig_in_phase(rows[i].phase);

		rig_timer(&r);
		is(&r, LIFE_FAILED);
		assert_int_equal(r.l.why, LIFE_WHY_LATE);
		r.now += 600 * S;
		rig_event(&r, rows[i].ends, ERR_OK);
		is(&r, rows[i].then);
		assert_int_equal(r.l.why, LIFE_WHY_LATE);
		rig_wake(&r, LIFE_BY_QUERY);
		assert_true(life_state(&r.l) == LIFE_AWAKE || life_state(&r.l) == LIFE_BOOTING);
		/* ... unless it is not wanted any more. */
		r = rig_in_phase(rows[i].phase);
		rig_timer(&r);
		rig_event(&r, LIFE_EV_REMOVE, ERR_OK);
		rig_event(&r, rows[i].ends, ERR_OK);
		assert_int_equal(rig_action(&r, LIFE_DO_STOP)->ticket, r.l.ticket);
	}
}

/* The driver could not even try: the VM is as it was. */
static void
what_could_not_be_tried_changes_nothing(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_FREEZING);

	(void)state;
	rig_kept(&r, LIFE_EV_FROZEN);
	is(&r, LIFE_AWAKE);
	assert_int_equal(r.l.why, LIFE_WHY_DRIVER);
	assert_true(r.l.timer_ms >= r.now + r.p.idle_ms);   /* it is tried again */
	r = rig_in_phase(LIFE_P_THAWING);
	assert_int_equal(rig_step(&r,
			     (struct life_event){ .kind = LIFE_EV_THAWED,
				 .ticket = r.l.ticket,
				 .result = ERR_STATE,
				 .kept = true,
				 .needs = true }),
	    ERR_OK);
	assert_int_equal(r.l.why, LIFE_WHY_NEEDS);
	is(&r, LIFE_FROZEN);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_kept(&r, LIFE_EV_THAWED);
	assert_int_equal(r.l.why, LIFE_WHY_DRIVER);
	rig_answered(&r, WAKE_FAILED);
	is(&r, LIFE_FROZEN);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_event(&r, LIFE_EV_THAWED, ERR_OK);
	is(&r, LIFE_AWAKE);
	r = rig_in_phase(LIFE_P_SAVING);
	rig_kept(&r, LIFE_EV_SAVED);
	is(&r, LIFE_AWAKE);
	r = rig_in_phase(LIFE_P_FROZEN);
	rig_sleep_to(&r, LIFE_TIER_SAVED);
	rig_kept(&r, LIFE_EV_SAVED);
	is(&r, LIFE_FROZEN);
	rig_sleep_to(&r, LIFE_TIER_SAVED);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_kept(&r, LIFE_EV_SAVED);
	is(&r, LIFE_BOOTING);                               /* thaws */
	rig_event(&r, LIFE_EV_THAWED, ERR_OK);
	rig_answered(&r, WAKE_READY);
	/* Not wanted any more, it goes all the same. */
	r = rig_in_phase(LIFE_P_FREEZING);
	rig_event(&r, LIFE_EV_REMOVE, ERR_OK);
	rig_kept(&r, LIFE_EV_FROZEN);
	assert_int_equal(rig_action(&r, LIFE_DO_STOP)->ticket, r.l.ticket);
}

static void
an_operation_that_waits_for_a_thread_is_not_late(void **state)
{
	static const enum life_phase phases[] = { LIFE_P_STARTING, LIFE_P_RESTORING,
		LIFE_P_FREEZING, LIFE_P_THAWING, LIFE_P_SAVING, LIFE_P_STOPPING };

	(void)state;
	for (unsigned i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		struct rig r = rig_in_phase(phases[i]);
		enum life_state before = life_state(&r.l);

		r.p.op_waits = true;
		for (int k = 0; k < 100; k++)
			rig_timer(&r);
		is(&r, before);
		r.p.op_waits = false;
		rig_timer(&r);
		assert_true(life_state(&r.l) != before);
	}
}

static void
a_save_and_a_restore_have_a_deadline_of_their_own(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_SAVING);

	(void)state;
	r.now += r.p.op_ms + S;
	rig_event(&r, LIFE_EV_TIMER, ERR_OK);   /* too early */
	is(&r, LIFE_SAVED);
	r = rig_in_phase(LIFE_P_SAVED);
	r.p.boot_ms = S;
	rig_wake(&r, LIFE_BY_QUERY);
	rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
	r.now += 20 * S;                        /* longer than a boot may take */
	rig_event(&r, LIFE_EV_TIMER, ERR_OK);
	is(&r, LIFE_BOOTING);
	rig_event(&r, LIFE_EV_RESTORED, ERR_OK);
	assert_int_equal(r.l.timer_ms, r.now + r.p.boot_ms);
	rig_event(&r, LIFE_EV_READY, ERR_OK);
	is(&r, LIFE_AWAKE);
}

static void
a_wake_while_freezing_thaws(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_FREEZING);

	(void)state;
	rig_wake(&r, LIFE_BY_QUERY);
	did(&r, "");
	rig_event(&r, LIFE_EV_FROZEN, ERR_OK);
	did(&r, "changed thaw");   /* both deadlines are the same moment */
	assert_int_equal(r.l.why, LIFE_WHY_AGAIN);
}

static void
a_saved_unit_is_restored(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_SAVING);

	(void)state;
	rig_event(&r, LIFE_EV_SAVED, ERR_OK);
	did(&r, "release timer");
	is(&r, LIFE_SAVED);
	assert_false(life_has_vm(&r.l));
	assert_true(life_has_state(&r.l));
	rig_wake(&r, LIFE_BY_QUERY);
	assert_true(life_has_state(&r.l));
	rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
	did(&r, "restore probe");
	assert_true(life_has_state(&r.l));
	rig_event(&r, LIFE_EV_RESTORED, ERR_OK);
	assert_false(life_has_state(&r.l));
	rig_event(&r, LIFE_EV_READY, ERR_OK);
	did(&r, "changed boot-done woken timer");
	r = rig_in_phase(LIFE_P_RESTORING);
	/* a cold boot instead, for the same query and in the same slot */
	rig_event(&r, LIFE_EV_RESTORED, ERR_IO);
	did(&r, "unprobe intent");
	assert_false(life_has_state(&r.l));
	rig_event(&r, LIFE_EV_STORED, ERR_OK);
	did(&r, "start probe");
	r = rig_in_phase(LIFE_P_SAVED);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_event(&r, LIFE_EV_REFUSED, ERR_LIMIT);
	is(&r, LIFE_SAVED);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_sleep_to(&r, LIFE_TIER_SAVED);
	did(&r, "changed woken release timer");
	is(&r, LIFE_SAVED);
}

static void
rig_not_tried(struct rig *r)
{
	assert_int_equal(rig_step(r,
			     (struct life_event){ .kind = LIFE_EV_RESTORED,
				 .ticket = r->l.ticket,
				 .result = ERR_LIMIT,
				 .kept = true }),
	    ERR_OK);
}

static void
a_restore_that_cannot_be_tried_keeps_the_state(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_RESTORING);

	(void)state;
	rig_not_tried(&r);
	did(&r, "changed woken unprobe boot-done release timer");   /* no cold boot */
	rig_answered(&r, WAKE_FAILED);
	is(&r, LIFE_FAILED);
	assert_int_equal(r.l.why, LIFE_WHY_START);
	assert_int_equal(r.l.failures, 1);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_answered(&r, WAKE_FAILED);
	rig_timer(&r);
	did(&r, "changed");
	is(&r, LIFE_SAVED);
	assert_int_equal(r.l.why, LIFE_WHY_BACKOFF_OVER);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
	did(&r, "restore probe");
	rig_not_tried(&r);
	assert_int_equal(r.l.failures, 2);
	rig_wake(&r, LIFE_BY_OPERATOR);   /* who does not wait for the back-off */
	rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
	did(&r, "restore probe");
	rig_event(&r, LIFE_EV_RESTORED, ERR_OK);
	rig_event(&r, LIFE_EV_READY, ERR_OK);
	is(&r, LIFE_AWAKE);
}

static void
a_kept_state_goes_when_it_is_not_wanted(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_RESTORING);

	(void)state;
	rig_not_tried(&r);
	rig_event(&r, LIFE_EV_REMOVE, ERR_OK);
	did(&r, "changed stop timer");
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	did(&r, "changed timer forget");
	r = rig_in_phase(LIFE_P_RESTORING);
	rig_event(&r, LIFE_EV_REMOVE, ERR_OK);
	rig_not_tried(&r);
	did(&r, "release stop timer");
	r = rig_in_phase(LIFE_P_RESTORING);
	rig_not_tried(&r);
	rig_sleep_to(&r, LIFE_TIER_SAVED);
	did(&r, "");
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	did(&r, "changed stop timer");
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	is(&r, LIFE_FAILED);
	rig_timer(&r);
	is(&r, LIFE_DORMANT);
	/* Its time was over before the driver said so. */
	r = rig_in_phase(LIFE_P_RESTORING);
	rig_timer(&r);
	is(&r, LIFE_STOPPING);
	rig_not_tried(&r);
	is(&r, LIFE_FAILED);
	rig_timer(&r);
	is(&r, LIFE_SAVED);
}

static void
a_wake_while_saving_restores(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_SAVING);

	(void)state;
	rig_wake(&r, LIFE_BY_QUERY);
	rig_event(&r, LIFE_EV_SAVED, ERR_OK);
	did(&r, "changed release admit");
	assert_int_equal(r.l.why, LIFE_WHY_AGAIN);
}

static void
what_the_driver_cannot_do_becomes_a_stop(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_AWAKE);

	(void)state;
	r.p.can_freeze = r.p.can_save = false;
	rig_sleep_to(&r, LIFE_TIER_FROZEN);
	did(&r, "changed stop timer");
	r = rig_in_phase(LIFE_P_AWAKE);
	r.p.can_freeze = r.p.can_save = false;
	rig_sleep_to(&r, LIFE_TIER_SAVED);
	did(&r, "changed stop timer");
	r = rig_in_phase(LIFE_P_FREEZING);
	rig_event(&r, LIFE_EV_FROZEN, ERR_IO);
	did(&r, "changed stop");
	assert_int_equal(r.l.why, LIFE_WHY_DRIVER);
	r = rig_in_phase(LIFE_P_SAVING);
	rig_event(&r, LIFE_EV_SAVED, ERR_IO);
	did(&r, "changed stop timer");
	assert_int_equal(r.l.why, LIFE_WHY_DRIVER);
	r = rig_in_phase(LIFE_P_THAWING);
	rig_event(&r, LIFE_EV_THAWED, ERR_IO);
	did(&r, "changed stop");
	assert_int_equal(r.l.why, LIFE_WHY_DRIVER);
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	did(&r, "changed release admit timer");   /* the query still waits */
}

static void
sleep_grows_deeper_with_age(void **state)
{
	struct rig r = rig_new();

	(void)state;
	r.p.frozen_ms = 100 * S;
	r.p.frozen_then = LIFE_TIER_SAVED;
	r.p.saved_ms = 1000 * S;
	rig_awake(&r);
	rig_sleep_to(&r, LIFE_TIER_FROZEN);
	rig_event(&r, LIFE_EV_FROZEN, ERR_OK);
	assert_int_equal(r.l.timer_ms, r.now + 100 * S);
	rig_timer(&r);
	did(&r, "changed save timer");
	assert_int_equal(r.l.why, LIFE_WHY_AGED);
	rig_wake(&r, LIFE_BY_QUERY);
	rig_event(&r, LIFE_EV_SAVED, ERR_OK);
	rig_event(&r, LIFE_EV_REFUSED, ERR_LIMIT);
	assert_int_equal(r.l.timer_ms, r.now + 1000 * S);
	rig_timer(&r);
	assert_int_equal(r.l.why, LIFE_WHY_AGED);
	did(&r, "changed stop timer");   /* throws the state away; no slot is involved */
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	did(&r, "changed timer");
	is(&r, LIFE_DORMANT);
}

static void
pressure_demotes_but_never_lifts(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_FROZEN);

	(void)state;
	rig_sleep_to(&r, LIFE_TIER_FROZEN);
	did(&r, "");
	rig_sleep_to(&r, LIFE_TIER_SAVED);
	did(&r, "changed save timer");
	rig_event(&r, LIFE_EV_SAVED, ERR_OK);
	rig_sleep_to(&r, LIFE_TIER_FROZEN);
	did(&r, "");
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	did(&r, "changed stop timer");
	r = rig_in_phase(LIFE_P_FREEZING);
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	is(&r, LIFE_STOPPING);
	rig_event(&r, LIFE_EV_FROZEN, ERR_OK);
	did(&r, "stop");
	r = rig_in_phase(LIFE_P_SAVING);
	rig_sleep_to(&r, LIFE_TIER_SAVED);
	is(&r, LIFE_SAVED);
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	rig_event(&r, LIFE_EV_SAVED, ERR_OK);
	did(&r, "release stop timer");
}

/* ---- removal and adoption ---- */

static bool
forgotten(const struct rig *r)
{
	return r->out.n > 0 && r->out.actions[r->out.n - 1].kind == LIFE_DO_FORGET;
}

static void
a_removed_unit_goes_from_every_phase(void **state)
{
	static const enum life_event_kind ends[LIFE_PHASE_COUNT] = {
		[LIFE_P_STARTING] = LIFE_EV_STARTED,
		[LIFE_P_RESTORING] = LIFE_EV_RESTORED,
		[LIFE_P_FREEZING] = LIFE_EV_FROZEN,
		[LIFE_P_THAWING] = LIFE_EV_THAWED,
		[LIFE_P_SAVING] = LIFE_EV_SAVED,
		[LIFE_P_STOPPING] = LIFE_EV_STOPPED
	};

	(void)state;
	for (unsigned ph = 0; ph < LIFE_P_GONE; ph++) {
		struct rig r = rig_in_phase((enum life_phase)ph);
		bool waiting = (ph >= LIFE_P_ADMITTING && ph <= LIFE_P_PROBING) ||
		    ph == LIFE_P_THAWING,
		     done;

		rig_event(&r, LIFE_EV_REMOVE, ERR_OK);
		done = forgotten(&r);
		if (ph == LIFE_P_AWAKE)
			assert_int_equal(r.l.why, LIFE_WHY_REMOVED);
		if (waiting)
			rig_answered(&r, WAKE_GONE);
		/* once is enough */
		assert_int_equal(
		    rig_step(&r, (struct life_event){ .kind = LIFE_EV_REMOVE }), ERR_STATE);
		while (!done) {
			rig_wake(&r, LIFE_BY_QUERY);   /* too late */
			rig_answered(&r, WAKE_GONE);
			if (r.l.phase == LIFE_P_RETRYING)
				rig_timer(&r);
			else
				rig_event(&r, ends[r.l.phase], ERR_OK);
			done = forgotten(&r);
		}
		assert_int_equal(r.l.phase, LIFE_P_GONE);
		assert_int_equal(r.l.timer_ms, LIFE_NEVER);
	}
}

static void
adoption(void **state)
{
	static const struct {
		enum life_found found;
		enum life_state was;
		enum life_phase phase;
		const char *actions;
	} rows[] = {
		{ LIFE_FOUND_NONE, LIFE_DORMANT, LIFE_P_DORMANT, "" },
		/* killed before the spawn */
		{ LIFE_FOUND_NONE, LIFE_BOOTING, LIFE_P_DORMANT, "changed" },
		/* died while nobody looked */
		{ LIFE_FOUND_NONE, LIFE_AWAKE, LIFE_P_DORMANT, "changed" },
		{ LIFE_FOUND_NONE, LIFE_SAVED, LIFE_P_DORMANT, "changed" },
		{ LIFE_FOUND_RUNNING, LIFE_AWAKE, LIFE_P_AWAKE, "claim timer" },
		/* killed between spawn and the first write */
		{ LIFE_FOUND_RUNNING, LIFE_BOOTING, LIFE_P_PROBING, "claim probe timer" },
		{ LIFE_FOUND_RUNNING, LIFE_DORMANT, LIFE_P_PROBING, "changed claim probe timer" },
		{ LIFE_FOUND_RUNNING, LIFE_FROZEN, LIFE_P_PROBING, "changed claim probe timer" },
		{ LIFE_FOUND_RUNNING, LIFE_SAVED, LIFE_P_PROBING, "changed claim probe timer" },
		{ LIFE_FOUND_RUNNING, LIFE_STOPPING, LIFE_P_STOPPING, "claim stop timer" },
		{ LIFE_FOUND_RUNNING, LIFE_FAILED, LIFE_P_STOPPING, "changed claim stop timer" },
		{ LIFE_FOUND_FROZEN, LIFE_FROZEN, LIFE_P_FROZEN, "claim" },
		{ LIFE_FOUND_FROZEN, LIFE_AWAKE, LIFE_P_FROZEN, "changed claim" },
		{ LIFE_FOUND_FROZEN, LIFE_STOPPING, LIFE_P_STOPPING, "claim stop timer" },
		{ LIFE_FOUND_SAVED, LIFE_SAVED, LIFE_P_SAVED, "" },
		{ LIFE_FOUND_SAVED, LIFE_AWAKE, LIFE_P_SAVED, "changed" },
		{ LIFE_FOUND_BROKEN, LIFE_AWAKE, LIFE_P_STOPPING, "changed claim stop timer" },
		{ LIFE_FOUND_BROKEN, LIFE_BOOTING, LIFE_P_STOPPING, "changed claim stop timer" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig r = rig_new();

		rig_adopt(&r, rows[i].found, rows[i].was);
		did(&r, rows[i].actions);
		assert_int_equal(r.l.phase, rows[i].phase);
	}
}

static void
an_adopted_unit_keeps_its_clocks(void **state)
{
	struct rig r = rig_new();

	(void)state;
	rig_adopt(&r, LIFE_FOUND_RUNNING, LIFE_AWAKE);
	assert_int_equal(r.l.timer_ms, r.now + 40 * S);   /* used 20 s ago */
	rig_timer(&r);
	rig_activity(&r, 0, 0);
	is(&r, LIFE_STOPPING);
	r = rig_new();
	rig_adopt(&r, LIFE_FOUND_RUNNING, LIFE_BOOTING);
	rig_event(&r, LIFE_EV_READY, ERR_OK);
	did(&r, "changed timer");
	is(&r, LIFE_AWAKE);
	r = rig_new();
	assert_int_equal(rig_step(&r,
			     (struct life_event){ .kind = LIFE_EV_ADOPT,
				 .adopt = { .was = LIFE_FAILED,
				     .backoff_until_ms = r.now + S,
				     .failures = 2 } }),
	    ERR_OK);
	did(&r, "timer");
	is(&r, LIFE_FAILED);
	rig_wake(&r, LIFE_BY_OPERATOR);
	rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
	rig_event(&r, LIFE_EV_STORED, ERR_IO);
	assert_int_equal(r.l.timer_ms, r.now + 4 * S);   /* the third failure */
	r = rig_new();
	assert_int_equal(rig_step(&r,
			     (struct life_event){ .kind = LIFE_EV_ADOPT,
				 .adopt = { .found = LIFE_FOUND_RUNNING, .was = LIFE_AWAKE } }),
	    ERR_OK);
	assert_int_equal(r.l.timer_ms, r.now + 60 * S);   /* nothing is known of its past */
	r = rig_new();
	r.p.frozen_ms = 100 * S;
	rig_adopt(&r, LIFE_FOUND_FROZEN, LIFE_AWAKE);
	assert_int_equal(r.l.timer_ms, r.now + 100 * S);
	assert_int_equal(r.l.why, LIFE_WHY_ADOPTED);
	r = rig_new();   /* a time of another world does not keep it down for ever */
	assert_int_equal(
	    rig_step(&r,
		(struct life_event){ .kind = LIFE_EV_ADOPT,
		    .adopt = { .was = LIFE_FAILED, .backoff_until_ms = LIFE_NEVER - 1 } }),
	    ERR_OK);
	assert_int_equal(r.l.timer_ms, r.now + 8 * S);
}

static void
words_are_there(void **state)
{
	enum life_state s;

	(void)state;
	for (unsigned i = 0; i < LIFE_STATE_COUNT; i++) {
		assert_true(life_state_parse(life_state_text((enum life_state)i), &s));
		assert_int_equal(s, i);
	}
	assert_false(life_state_parse("asleep", &s));
	for (unsigned i = 0; i < LIFE_WHY_COUNT; i++)
		assert_string_not_equal(life_why_text((enum life_why)i), "unknown");
	assert_string_equal(life_why_text(LIFE_WHY_COUNT), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frozen_unit_wakes_at_once),
		cmocka_unit_test(a_thawed_unit_starts_anew),
		cmocka_unit_test(what_ends_well_is_kept_however_late),
		cmocka_unit_test(what_could_not_be_tried_changes_nothing),
		cmocka_unit_test(an_operation_that_waits_for_a_thread_is_not_late),
		cmocka_unit_test(a_save_and_a_restore_have_a_deadline_of_their_own),
		cmocka_unit_test(a_hanging_freeze_keeps_nobody_waiting),
		cmocka_unit_test(a_wake_while_freezing_thaws),
		cmocka_unit_test(a_saved_unit_is_restored),
		cmocka_unit_test(a_restore_that_cannot_be_tried_keeps_the_state),
		cmocka_unit_test(a_kept_state_goes_when_it_is_not_wanted),
		cmocka_unit_test(a_wake_while_saving_restores),
		cmocka_unit_test(what_the_driver_cannot_do_becomes_a_stop),
		cmocka_unit_test(sleep_grows_deeper_with_age),
		cmocka_unit_test(pressure_demotes_but_never_lifts),
		cmocka_unit_test(a_removed_unit_goes_from_every_phase),
		cmocka_unit_test(adoption),
		cmocka_unit_test(an_adopted_unit_keeps_its_clocks),
		cmocka_unit_test(words_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
