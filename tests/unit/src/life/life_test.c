/*
 * life_test: the rules of waking, failing, idling and stopping, one scenario each; the
 * interleavings are explore_test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/src/life/rig.h"

/* ---- which events are possible where ---- */

static const char *const possible[LIFE_PHASE_COUNT] = {
	[LIFE_P_DORMANT] = "wake timer sleep policy remove",
	[LIFE_P_ADMITTING] = "wake admitted refused timer sleep policy remove",
	[LIFE_P_INTENDING] = "wake stored timer sleep policy remove",
	[LIFE_P_STARTING] = "wake started ready died timer sleep policy remove",
	[LIFE_P_RESTORING] = "wake restored ready died timer sleep policy remove",
	[LIFE_P_PROBING] = "wake ready died timer sleep policy remove",
	[LIFE_P_AWAKE] = "wake died timer sleep policy remove",
	[LIFE_P_READING] = "wake activity died timer sleep policy remove",
	[LIFE_P_FREEZING] = "wake frozen died timer sleep policy remove",
	[LIFE_P_FROZEN] = "wake died timer sleep policy remove",
	[LIFE_P_THAWING] = "wake thawed died timer sleep policy remove",
	[LIFE_P_SAVING] = "wake saved died timer sleep policy remove",
	[LIFE_P_SAVED] = "wake timer sleep policy remove",
	[LIFE_P_STOPPING] = "wake stopped died timer sleep policy remove",
	[LIFE_P_RETRYING] = "wake died timer sleep policy remove",
	[LIFE_P_FAILED] = "wake timer sleep policy remove",
	[LIFE_P_GONE] = "",
};

static bool
listed(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = strstr(words, word); p != NULL; p = strstr(p + 1, word))
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static void
events_are_possible_as_listed(void **state)
{
	(void)state;
	for (unsigned ph = 0; ph < LIFE_PHASE_COUNT; ph++)
		for (unsigned k = 0; k < LIFE_EVENT_COUNT; k++) {
			struct rig r = rig_in_phase((enum life_phase)ph);
			/* no event was before */
			bool fresh = ph == LIFE_P_DORMANT && k == LIFE_EV_ADOPT;
			bool want = fresh ||
			    listed(possible[ph], life_event_text((enum life_event_kind)k));
			struct life before = r.l;
			struct life_event ev = { .kind = (enum life_event_kind)k,
				.ticket = r.l.ticket };
			enum err e;

			if (k == LIFE_EV_WAKE)
				ev.cause = LIFE_BY_QUERY;
			e = rig_step(&r, ev);
			if (e != (want ? ERR_OK : ERR_STATE))
				fail_msg("%s while %s: %s", life_event_text(ev.kind),
				    life_phase_text((enum life_phase)ph), err_str(e));
			if (!want) {
				assert_int_equal(r.out.n, 0);
				assert_memory_equal(&before, &r.l, sizeof(before));
			}
		}
}

static void
unknown_events_are_refused(void **state)
{
	struct rig r = rig_new();

	(void)state;
	assert_int_equal(rig_step(&r, (struct life_event){ .kind = LIFE_EVENT_COUNT }), ERR_STATE);
	rig_wake(&r, LIFE_BY_QUERY);
	/* only ever the first */
	assert_int_equal(rig_step(&r, (struct life_event){ .kind = LIFE_EV_ADOPT }), ERR_STATE);
	rig_event(&r, LIFE_EV_REFUSED, ERR_LIMIT);
	is(&r, LIFE_DORMANT);
	assert_int_equal(rig_step(&r, (struct life_event){ .kind = LIFE_EV_ADOPT }), ERR_STATE);
}

static void
stale_completions_are_ignored(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_STARTING);
	uint32_t first = r.l.ticket;
	struct life before;

	(void)state;
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	rig_event(&r, LIFE_EV_STARTED, ERR_OK);
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	rig_starting(&r);
	before = r.l;
	assert_int_equal(
	    rig_step(&r, (struct life_event){ .kind = LIFE_EV_STARTED, .ticket = first }), ERR_OK);
	assert_int_equal(
	    rig_step(&r, (struct life_event){ .kind = LIFE_EV_READY, .ticket = first }), ERR_OK);
	assert_int_equal(r.out.n, 0);
	assert_memory_equal(&before, &r.l, sizeof(before));
}

/* ---- up ---- */

static void
a_cold_boot(void **state)
{
	struct rig r = rig_new();
	uint32_t t;

	(void)state;
	rig_wake(&r, LIFE_BY_QUERY);
	did(&r, "changed admit timer");
	is(&r, LIFE_BOOTING);
	assert_int_equal(rig_action(&r, LIFE_DO_CHANGED)->changed.why, LIFE_WHY_QUERY);
	r.now += 20 * S;   /* in the queue */
	rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
	did(&r, "intent timer");
	assert_int_equal(r.l.timer_ms, r.now + r.p.boot_ms);
	assert_false(life_has_vm(&r.l));
	rig_event(&r, LIFE_EV_STORED, ERR_OK);   /* not before is anything spawned */
	did(&r, "start probe");
	t = rig_action(&r, LIFE_DO_START)->ticket;
	assert_int_equal(rig_action(&r, LIFE_DO_PROBE)->ticket, t);
	assert_true(life_has_vm(&r.l));
	rig_event(&r, LIFE_EV_STARTED, ERR_OK);
	did(&r, "");
	assert_int_equal(r.l.ticket, t);
	rig_event(&r, LIFE_EV_READY, ERR_OK);
	did(&r, "changed boot-done woken timer");
	rig_answered(&r, WAKE_READY);
	is(&r, LIFE_AWAKE);
	assert_int_equal(r.l.why, LIFE_WHY_READY);
	assert_int_equal(r.l.timer_ms, r.now + 60 * S);
}

static void
wakes_join_one_boot(void **state)
{
	(void)state;
	for (unsigned ph = LIFE_P_ADMITTING; ph <= LIFE_P_PROBING; ph++) {
		struct rig r = rig_in_phase((enum life_phase)ph);

		rig_wake(&r, LIFE_BY_QUERY);
		did(&r, "");
		rig_wake(&r, LIFE_BY_PACKET);
		did(&r, "");
	}
}

static void
ready_before_started_answers_at_once(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_STARTING);

	(void)state;
	rig_event(&r, LIFE_EV_READY, ERR_OK);
	did(&r, "changed boot-done woken");
	rig_answered(&r, WAKE_READY);
	is(&r, LIFE_AWAKE);
	rig_wake(&r, LIFE_BY_QUERY);
	did(&r, "woken");
	rig_event(&r, LIFE_EV_STARTED, ERR_OK);
	did(&r, "timer");
	is(&r, LIFE_AWAKE);
}

static void
a_wake_of_an_awake_unit_is_answered(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_AWAKE);

	(void)state;
	rig_wake(&r, LIFE_BY_OPERATOR);
	did(&r, "woken");
	rig_answered(&r, WAKE_READY);
}

static void
no_slot_is_an_answer(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_ADMITTING);

	(void)state;
	rig_event(&r, LIFE_EV_REFUSED, ERR_LIMIT);
	did(&r, "changed woken timer");
	rig_answered(&r, WAKE_REFUSED);
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.why, LIFE_WHY_REFUSED);
	r = rig_in_phase(LIFE_P_ADMITTING);
	rig_timer(&r);   /* queued for too long */
	did(&r, "changed woken release");
	rig_answered(&r, WAKE_REFUSED);
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.why, LIFE_WHY_REFUSED);
}

/* The wait for a slot has a time of its own, and none when its turn is all that is missing. */
static void
the_queue_has_its_own_patience(void **state)
{
	struct rig r = rig_new();

	(void)state;
	r.p.queue_ms = 300 * S;
	rig_wake(&r, LIFE_BY_QUERY);
	assert_int_equal(r.l.timer_ms, r.now + 300 * S);
	r.p.queue_sure = true;
	rig_timer(&r);
	is(&r, LIFE_BOOTING);
	assert_int_equal(r.l.phase, LIFE_P_ADMITTING);
	assert_int_equal(r.l.timer_ms, r.now + 300 * S);
	rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
	assert_int_equal(r.l.timer_ms, r.now + r.p.boot_ms);
	r = rig_new();
	r.p.queue_ms = 0;
	rig_wake(&r, LIFE_BY_QUERY);
	assert_true(r.l.timer_ms == LIFE_NEVER);
	r = rig_new();
	rig_wake(&r, LIFE_BY_QUERY);
	rig_timer(&r);
	rig_answered(&r, WAKE_REFUSED);
	is(&r, LIFE_DORMANT);
}

static void
a_failed_store_spawns_nothing(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_INTENDING);

	(void)state;
	rig_event(&r, LIFE_EV_STORED, ERR_IO);
	did(&r, "changed woken boot-done release timer");
	rig_answered(&r, WAKE_FAILED);
	is(&r, LIFE_FAILED);
	assert_int_equal(r.l.why, LIFE_WHY_STORE);
}

/* ---- failures ---- */

static void
a_boot_that_is_not_ready_in_time_fails(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_PROBING);

	(void)state;
	rig_timer(&r);
	did(&r, "changed woken unprobe boot-done stop timer");
	rig_answered(&r, WAKE_FAILED);
	is(&r, LIFE_STOPPING);
	rig_wake(&r, LIFE_BY_QUERY);   /* it would only wait for the back-off */
	rig_answered(&r, WAKE_FAILED);
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	did(&r, "changed release timer");
	is(&r, LIFE_FAILED);
	assert_int_equal(r.l.why, LIFE_WHY_NOT_READY);
	assert_int_equal(r.l.timer_ms, r.now + S);
	rig_wake(&r, LIFE_BY_QUERY);
	did(&r, "woken");
	rig_answered(&r, WAKE_FAILED);
	rig_timer(&r);
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.why, LIFE_WHY_BACKOFF_OVER);
}

static void
a_hanging_start_fails_and_is_cleaned_up(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_STARTING);

	(void)state;
	rig_timer(&r);
	did(&r, "changed woken unprobe boot-done timer");
	is(&r, LIFE_STOPPING);
	rig_timer(&r);
	did(&r, "changed");
	is(&r, LIFE_FAILED);
	assert_int_equal(r.l.why, LIFE_WHY_STOP);
	assert_int_equal(r.l.timer_ms, LIFE_NEVER);
	rig_wake(&r, LIFE_BY_OPERATOR);
	rig_answered(&r, WAKE_FAILED);
	rig_event(&r, LIFE_EV_STARTED, ERR_OK);   /* after all */
	did(&r, "stop timer");
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	did(&r, "release timer");
	is(&r, LIFE_FAILED);
}

static void
backoff_doubles_and_ends(void **state)
{
	static const unsigned seconds[] = { 1, 2, 4, 8, 8 };
	struct rig r = rig_new();

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		rig_starting(&r);
		rig_event(&r, LIFE_EV_STARTED, ERR_IO);
		is(&r, LIFE_FAILED);
		assert_int_equal(r.l.timer_ms, r.now + seconds[i] * S);
		rig_timer(&r);
		is(&r, LIFE_DORMANT);
	}
	rig_awake(&r);
	r.now += r.p.steady_ms;
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.failures, 0);
}

static void
the_operator_overrides_backoff(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_FAILED);

	(void)state;
	rig_wake(&r, LIFE_BY_OPERATOR);
	did(&r, "changed admit timer");
	rig_event(&r, LIFE_EV_REFUSED, ERR_LIMIT);   /* which does not end it */
	is(&r, LIFE_FAILED);
	rig_wake(&r, LIFE_BY_OPERATOR);
	rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
	rig_event(&r, LIFE_EV_STORED, ERR_OK);
	rig_event(&r, LIFE_EV_STARTED, ERR_OK);
	rig_event(&r, LIFE_EV_READY, ERR_OK);
	rig_answered(&r, WAKE_READY);
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	is(&r, LIFE_DORMANT);   /* success ended it */
	r = rig_in_phase(LIFE_P_PROBING);
	rig_timer(&r);
	rig_wake(&r, LIFE_BY_OPERATOR);   /* while the failed boot is cleaned up */
	did(&r, "");
	rig_wake(&r, LIFE_BY_QUERY);
	did(&r, "");
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	did(&r, "changed release admit timer");
}

static void
death_while_booting_is_a_failed_boot(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_PROBING);

	(void)state;
	rig_event(&r, LIFE_EV_DIED, ERR_OK);
	did(&r, "changed woken unprobe boot-done release timer");
	rig_answered(&r, WAKE_FAILED);
	is(&r, LIFE_FAILED);
	r = rig_in_phase(LIFE_P_STARTING);
	rig_event(&r, LIFE_EV_DIED, ERR_OK);   /* the report of the start is still to come */
	did(&r, "changed woken unprobe boot-done timer");
	rig_event(&r, LIFE_EV_STARTED, ERR_OK);
	did(&r, "changed release timer");
	is(&r, LIFE_FAILED);
	assert_int_equal(r.l.why, LIFE_WHY_DIED);
	r = rig_in_phase(LIFE_P_STARTING);
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	rig_event(&r, LIFE_EV_DIED, ERR_OK);   /* nobody wanted it any more */
	rig_event(&r, LIFE_EV_STARTED, ERR_OK);
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.failures, 0);
}

static void
early_deaths_back_off_when_repeated(void **state)
{
	struct rig r = rig_new();

	(void)state;
	rig_awake(&r);
	r.now += S;
	rig_event(&r, LIFE_EV_DIED, ERR_OK);
	did(&r, "changed release timer");
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.why, LIFE_WHY_DIED);
	rig_awake(&r);
	r.now += S;
	rig_event(&r, LIFE_EV_DIED, ERR_OK);
	is(&r, LIFE_FAILED);
	rig_timer(&r);
	rig_awake(&r);
	r.now += r.p.steady_ms;
	rig_event(&r, LIFE_EV_DIED, ERR_OK);
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.failures, 0);
}

static void
a_clock_that_steps_back_is_harmless(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_AWAKE);

	(void)state;
	r.now -= S;   /* an event that was stamped before the last one was handled */
	rig_event(&r, LIFE_EV_DIED, ERR_OK);
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.failures, 1);
}

/* ---- idle ---- */

static void
activity_is_read_at_the_deadline_only(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_AWAKE);

	(void)state;
	r.now += 59 * S;
	rig_event(&r, LIFE_EV_TIMER, ERR_OK);   /* too early: armed again */
	did(&r, "timer");
	rig_timer(&r);
	did(&r, "read timer");
	is(&r, LIFE_AWAKE);
}

static void
packets_keep_a_unit_awake(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_READING);
	uint64_t packet = r.now - 10 * S;

	(void)state;
	rig_activity(&r, 0, packet);   /* though nobody asked its name since it was woken */
	did(&r, "timer");
	assert_int_equal(r.l.timer_ms, packet + 60 * S);
	rig_timer(&r);
	rig_activity(&r, 0, packet);
	did(&r, "changed stop timer");
	assert_int_equal(r.l.why, LIFE_WHY_IDLE);
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	did(&r, "changed release timer");
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.timer_ms, LIFE_NEVER);
}

static void
queries_keep_a_unit_awake(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_READING);
	uint64_t query = r.now - 20 * S;

	(void)state;
	rig_activity(&r, query, 0);
	assert_int_equal(r.l.timer_ms, query + 60 * S);
	rig_timer(&r);
	rig_wake(&r, LIFE_BY_QUERY);   /* while the counters are read */
	rig_activity(&r, query, 0);
	is(&r, LIFE_AWAKE);
	assert_int_equal(r.l.timer_ms, r.now - 1 + 60 * S);
}

static void
the_future_counts_as_now(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_READING);

	(void)state;
	rig_activity(&r, UINT64_MAX - 1, 0);
	assert_int_equal(r.l.timer_ms, r.now + 60 * S);
}

static void
unreadable_counters_stop_nothing(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_READING);

	(void)state;
	rig_event(&r, LIFE_EV_ACTIVITY, ERR_IO);
	did(&r, "timer");
	is(&r, LIFE_AWAKE);
	assert_int_equal(r.l.timer_ms, r.now + 60 * S);
	rig_timer(&r);
	rig_timer(&r);   /* no answer at all */
	did(&r, "timer");
	is(&r, LIFE_AWAKE);
	assert_int_equal(r.l.timer_ms, r.now + 60 * S);
}

static void
min_up_prevents_flapping(void **state)
{
	struct rig r = rig_new();
	uint64_t since;

	(void)state;
	r.p.idle_ms = S;
	rig_awake(&r);
	since = r.now;
	assert_int_equal(r.l.timer_ms, since + 5 * S);
	rig_timer(&r);
	rig_activity(&r, since, 0);
	is(&r, LIFE_STOPPING);
}

static void
a_unit_that_was_never_contacted_goes_early(void **state)
{
	struct rig r = rig_new();
	uint64_t query;

	(void)state;
	r.p.unused_after_ms = 15 * S;
	rig_awake(&r);
	assert_int_equal(r.l.timer_ms, r.now + 15 * S);
	rig_timer(&r);
	query = r.now - S;
	/* a new client got the address a second ago: it has its time too */
	rig_activity(&r, query, 0);
	assert_int_equal(r.l.timer_ms, query + 15 * S);
	rig_timer(&r);
	rig_activity(&r, 0, 0);
	did(&r, "changed stop timer");
	assert_int_equal(r.l.why, LIFE_WHY_UNUSED);
}

static void
a_unit_that_was_contacted_gets_its_idle_time(void **state)
{
	struct rig r = rig_new();
	uint64_t since;

	(void)state;
	r.p.unused_after_ms = 15 * S;
	rig_awake(&r);
	since = r.now;
	rig_timer(&r);
	rig_activity(&r, 0, since + S);
	assert_int_equal(r.l.timer_ms, since + 61 * S);
	r = rig_new();
	r.p.unused_after_ms = 15 * S;
	/* a held SYN is a contact; the counters do not see it when it is injected */
	rig_wake(&r, LIFE_BY_PACKET);
	rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
	rig_event(&r, LIFE_EV_STORED, ERR_OK);
	rig_event(&r, LIFE_EV_STARTED, ERR_OK);
	rig_event(&r, LIFE_EV_READY, ERR_OK);
	assert_int_equal(r.l.timer_ms, r.now + 60 * S);
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	rig_awake(&r);   /* the next boot starts anew */
	assert_int_equal(r.l.timer_ms, r.now + 15 * S);
	r = rig_new();
	r.p.unused_after_ms = 15 * S;
	rig_wake(&r, LIFE_BY_PACKET);
	rig_event(&r, LIFE_EV_REFUSED, ERR_LIMIT);
	rig_awake(&r);
	assert_int_equal(r.l.timer_ms, r.now + 15 * S);
}

static void
idle_nought_is_never(void **state)
{
	struct rig r = rig_new();

	(void)state;
	r.p.idle_ms = 0;
	rig_awake(&r);
	did(&r, "changed boot-done woken timer");
	assert_int_equal(r.l.timer_ms, LIFE_NEVER);
}

static void
a_new_policy_moves_the_deadlines(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_AWAKE);

	(void)state;
	r.now += 20 * S;
	r.p.idle_ms = 30 * S;
	rig_event(&r, LIFE_EV_POLICY, ERR_OK);
	did(&r, "timer");
	assert_int_equal(r.l.timer_ms, r.now + 10 * S);
	rig_event(&r, LIFE_EV_POLICY, ERR_OK);
	did(&r, "");
	r = rig_in_phase(LIFE_P_FROZEN);
	assert_int_equal(r.l.timer_ms, LIFE_NEVER);
	r.now += 20 * S;
	r.p.frozen_ms = 30 * S;
	rig_event(&r, LIFE_EV_POLICY, ERR_OK);
	assert_int_equal(r.l.timer_ms, r.now + 10 * S);
	r = rig_in_phase(LIFE_P_SAVED);
	r.p.saved_ms = 30 * S;
	rig_event(&r, LIFE_EV_POLICY, ERR_OK);
	assert_int_equal(r.l.timer_ms, r.now + 30 * S);
	r = rig_in_phase(LIFE_P_FAILED);
	assert_true(r.l.failures > 0);
	rig_event(&r, LIFE_EV_POLICY, ERR_OK);   /* what made it fail may be mended */
	is(&r, LIFE_DORMANT);
	assert_int_equal(r.l.failures, 0);
	rig_wake(&r, LIFE_BY_QUERY);
	is(&r, LIFE_BOOTING);
}

/* ---- down ---- */

static void
a_wake_while_stopping_boots_again(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_STOPPING);

	(void)state;
	rig_wake(&r, LIFE_BY_QUERY);
	did(&r, "");
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	did(&r, "changed release admit timer");
	is(&r, LIFE_BOOTING);
	assert_int_equal(r.l.why, LIFE_WHY_AGAIN);
}

static void
only_a_running_guest_is_asked_to_shut_down(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_AWAKE);

	(void)state;
	r.p.shutdown = true;
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	assert_true(rig_action(&r, LIFE_DO_STOP)->stop.shutdown);
	assert_int_equal(rig_action(&r, LIFE_DO_STOP)->stop.deadline_ms, 20 * S);
	assert_int_equal(r.l.timer_ms, r.now + 35 * S);
	r = rig_in_phase(LIFE_P_FROZEN);
	r.p.shutdown = true;
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	assert_false(rig_action(&r, LIFE_DO_STOP)->stop.shutdown);
	r = rig_in_phase(LIFE_P_AWAKE);
	r.p.shutdown = true;
	r.p.can_shutdown = false;
	rig_sleep_to(&r, LIFE_TIER_DORMANT);
	assert_false(rig_action(&r, LIFE_DO_STOP)->stop.shutdown);
}

static void
a_failed_stop_is_tried_again(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_STOPPING);

	(void)state;
	rig_wake(&r, LIFE_BY_QUERY);
	rig_event(&r, LIFE_EV_STOPPED, ERR_IO);
	did(&r, "changed woken timer");
	rig_answered(&r, WAKE_FAILED);
	is(&r, LIFE_FAILED);
	assert_int_equal(r.l.why, LIFE_WHY_STOP);
	assert_true(life_has_vm(&r.l));
	rig_wake(&r, LIFE_BY_OPERATOR);
	rig_answered(&r, WAKE_FAILED);
	rig_timer(&r);
	did(&r, "stop timer");
	rig_event(&r, LIFE_EV_STOPPED, ERR_MISSING);   /* nothing is left: as good */
	did(&r, "changed release timer");
	is(&r, LIFE_DORMANT);
}

static void
a_hanging_stop_keeps_nobody_waiting(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_STOPPING);

	(void)state;
	rig_wake(&r, LIFE_BY_QUERY);
	rig_timer(&r);
	did(&r, "changed woken");
	rig_answered(&r, WAKE_FAILED);
	assert_int_equal(r.l.timer_ms, LIFE_NEVER);
	rig_event(&r, LIFE_EV_STOPPED, ERR_OK);
	is(&r, LIFE_DORMANT);
}

static void
a_death_during_an_operation_waits_for_its_end(void **state)
{
	struct rig r = rig_in_phase(LIFE_P_STOPPING);

	(void)state;
	rig_event(&r, LIFE_EV_DIED, ERR_OK);
	did(&r, "");
	rig_event(&r, LIFE_EV_STOPPED, ERR_IO);
	is(&r, LIFE_DORMANT);
	r = rig_in_phase(LIFE_P_THAWING);
	rig_event(&r, LIFE_EV_DIED, ERR_OK);
	rig_event(&r, LIFE_EV_THAWED, ERR_IO);   /* the waiting query gets a cold boot */
	did(&r, "release admit timer");
	r = rig_in_phase(LIFE_P_FROZEN);
	rig_event(&r, LIFE_EV_DIED, ERR_OK);
	did(&r, "changed release");
}

static void
the_operator_gives_up_a_boot(void **state)
{
	(void)state;
	for (unsigned ph = LIFE_P_ADMITTING; ph <= LIFE_P_PROBING; ph++) {
		struct rig r = rig_in_phase((enum life_phase)ph);

		rig_sleep_to(&r, LIFE_TIER_FROZEN);
		rig_answered(&r, WAKE_REFUSED);
		assert_true(life_state(&r.l) != LIFE_BOOTING);
		if (ph != LIFE_P_STARTING)
			continue;
		/* which would have been a failure, had anybody wanted it */
		rig_event(&r, LIFE_EV_STARTED, ERR_IO);
		is(&r, LIFE_DORMANT);
		assert_int_equal(r.l.failures, 0);
		assert_int_equal(r.l.why, LIFE_WHY_OPERATOR);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_possible_as_listed),
		cmocka_unit_test(unknown_events_are_refused),
		cmocka_unit_test(stale_completions_are_ignored),
		cmocka_unit_test(a_cold_boot),
		cmocka_unit_test(wakes_join_one_boot),
		cmocka_unit_test(ready_before_started_answers_at_once),
		cmocka_unit_test(a_wake_of_an_awake_unit_is_answered),
		cmocka_unit_test(no_slot_is_an_answer),
		cmocka_unit_test(the_queue_has_its_own_patience),
		cmocka_unit_test(a_failed_store_spawns_nothing),
		cmocka_unit_test(a_boot_that_is_not_ready_in_time_fails),
		cmocka_unit_test(a_hanging_start_fails_and_is_cleaned_up),
		cmocka_unit_test(backoff_doubles_and_ends),
		cmocka_unit_test(the_operator_overrides_backoff),
		cmocka_unit_test(death_while_booting_is_a_failed_boot),
		cmocka_unit_test(early_deaths_back_off_when_repeated),
		cmocka_unit_test(a_clock_that_steps_back_is_harmless),
		cmocka_unit_test(activity_is_read_at_the_deadline_only),
		cmocka_unit_test(packets_keep_a_unit_awake),
		cmocka_unit_test(queries_keep_a_unit_awake),
		cmocka_unit_test(the_future_counts_as_now),
		cmocka_unit_test(unreadable_counters_stop_nothing),
		cmocka_unit_test(min_up_prevents_flapping),
		cmocka_unit_test(a_unit_that_was_never_contacted_goes_early),
		cmocka_unit_test(a_unit_that_was_contacted_gets_its_idle_time),
		cmocka_unit_test(idle_nought_is_never),
		cmocka_unit_test(a_new_policy_moves_the_deadlines),
		cmocka_unit_test(a_wake_while_stopping_boots_again),
		cmocka_unit_test(only_a_running_guest_is_asked_to_shut_down),
		cmocka_unit_test(a_failed_stop_is_tried_again),
		cmocka_unit_test(a_hanging_stop_keeps_nobody_waiting),
		cmocka_unit_test(a_death_during_an_operation_waits_for_its_end),
		cmocka_unit_test(the_operator_gives_up_a_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
