/* rig: one unit for the scenario tests, see rig.h. */
#include "tests/unit/src/life/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/src/life/words.h"

struct rig
rig_new(void)
{
	struct rig r = { .now = 1000000,
		.p = { .idle_ms = 60 * S,
		    .unused_after_ms = 0,
		    .min_up_ms = 5 * S,
		    .boot_ms = 30 * S,
		    .queue_ms = 30 * S,
		    .backoff_min_ms = S,
		    .backoff_max_ms = 8 * S,
		    .steady_ms = 10 * S,
		    .stop_ms = 20 * S,
		    .op_ms = 15 * S,
		    .state_ms = 30 * S,
		    .sleep = LIFE_TIER_DORMANT,
		    .frozen_then = LIFE_TIER_DORMANT,
		    .can_freeze = true,
		    .can_save = true,
		    .can_shutdown = true } };

	life_init(&r.l);
	return r;
}

enum err
rig_step(struct rig *r, struct life_event ev)
{
	ev.now_ms = r->now;
	return life_step(&r->l, &r->p, &ev, &r->out);
}

void
rig_wake(struct rig *r, enum life_cause cause)
{
	assert_int_equal(
	    rig_step(r, (struct life_event){ .kind = LIFE_EV_WAKE, .cause = cause }), ERR_OK);
}

void
rig_sleep_to(struct rig *r, enum life_tier tier)
{
	assert_int_equal(
	    rig_step(r,
		(struct life_event){ .kind = LIFE_EV_SLEEP, .sleep = { LIFE_BY_OPERATOR, tier } }),
	    ERR_OK);
}

/* An event with the present ticket. */
void
rig_event(struct rig *r, enum life_event_kind kind, enum err result)
{
	assert_int_equal(
	    rig_step(
		r, (struct life_event){ .kind = kind, .ticket = r->l.ticket, .result = result }),
	    ERR_OK);
}

void
rig_activity(struct rig *r, uint64_t last_query_ms, uint64_t last_packet_ms)
{
	r->now++;
	assert_int_equal(rig_step(r,
			     (struct life_event){ .kind = LIFE_EV_ACTIVITY,
				 .ticket = r->l.ticket,
				 .activity = { last_query_ms, last_packet_ms } }),
	    ERR_OK);
}

void
rig_timer(struct rig *r)
{
	assert_true(r->l.timer_ms != LIFE_NEVER);
	if (r->l.timer_ms > r->now)
		r->now = r->l.timer_ms;
	rig_event(r, LIFE_EV_TIMER, ERR_OK);
}

void
rig_adopt(struct rig *r, enum life_found found, enum life_state was)
{
	assert_int_equal(rig_step(r,
			     (struct life_event){ .kind = LIFE_EV_ADOPT,
				 .adopt = { .found = found,
				     .was = was,
				     .awake_since_ms = r->now - 90 * S,
				     .last_use_ms = r->now - 20 * S } }),
	    ERR_OK);
}

/* The actions of the last step, in order, as words. */
void
rig_did_at(const struct rig *r, const char *words, int line)
{
	char text[256] = "";
	size_t n = 0;

	for (unsigned i = 0; i < r->out.n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i > 0 ? " " : "",
		    action_text(r->out.actions[i].kind));
	if (strcmp(text, words) != 0)
		fail_msg("line %d: did '%s', not '%s'", line, text, words);
}

void
rig_is_at(const struct rig *r, enum life_state s, int line)
{
	if (life_state(&r->l) != s)
		fail_msg("line %d: %s, not %s", line, life_state_text(life_state(&r->l)),
		    life_state_text(s));
}

const struct life_action *
rig_action(const struct rig *r, enum life_action_kind kind)
{
	for (unsigned i = 0; i < r->out.n; i++)
		if (r->out.actions[i].kind == kind)
			return &r->out.actions[i];
	fail_msg("no %s", action_text(kind));
	return NULL;
}

void
rig_answered(const struct rig *r, enum msg_wake_result result)
{
	assert_int_equal(rig_action(r, LIFE_DO_WOKEN)->woken, result);
}

void
rig_starting(struct rig *r)
{
	rig_wake(r, LIFE_BY_QUERY);
	rig_event(r, LIFE_EV_ADMITTED, ERR_OK);
	rig_event(r, LIFE_EV_STORED, ERR_OK);
}

void
rig_probing(struct rig *r)
{
	rig_starting(r);
	rig_event(r, LIFE_EV_STARTED, ERR_OK);
}

void
rig_awake(struct rig *r)
{
	rig_probing(r);
	rig_event(r, LIFE_EV_READY, ERR_OK);
	is(r, LIFE_AWAKE);
}

/* Brings a new unit into a phase. */
struct rig
rig_in_phase(enum life_phase phase)
{
	struct rig r = rig_new();

	switch (phase) {
	case LIFE_P_DORMANT:
		break;
	case LIFE_P_ADMITTING:
	case LIFE_P_INTENDING:
	case LIFE_P_STARTING:
	case LIFE_P_PROBING:
	case LIFE_P_AWAKE:
	case LIFE_P_READING:
		rig_wake(&r, LIFE_BY_QUERY);
		if (phase >= LIFE_P_INTENDING)
			rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
		if (phase >= LIFE_P_STARTING)
			rig_event(&r, LIFE_EV_STORED, ERR_OK);
		if (phase >= LIFE_P_PROBING)
			rig_event(&r, LIFE_EV_STARTED, ERR_OK);
		if (phase >= LIFE_P_AWAKE)
			rig_event(&r, LIFE_EV_READY, ERR_OK);
		if (phase >= LIFE_P_READING)
			rig_timer(&r);
		break;
	case LIFE_P_FREEZING:
	case LIFE_P_FROZEN:
	case LIFE_P_THAWING:
		rig_awake(&r);
		rig_sleep_to(&r, LIFE_TIER_FROZEN);
		if (phase >= LIFE_P_FROZEN)
			rig_event(&r, LIFE_EV_FROZEN, ERR_OK);
		if (phase >= LIFE_P_THAWING)
			rig_wake(&r, LIFE_BY_QUERY);
		break;
	case LIFE_P_SAVING:
	case LIFE_P_SAVED:
	case LIFE_P_RESTORING:
		rig_awake(&r);
		rig_sleep_to(&r, LIFE_TIER_SAVED);
		if (phase != LIFE_P_SAVING)
			rig_event(&r, LIFE_EV_SAVED, ERR_OK);
		if (phase == LIFE_P_RESTORING) {
			rig_wake(&r, LIFE_BY_QUERY);
			rig_event(&r, LIFE_EV_ADMITTED, ERR_OK);
		}
		break;
	case LIFE_P_STOPPING:
	case LIFE_P_RETRYING:
		rig_awake(&r);
		rig_sleep_to(&r, LIFE_TIER_DORMANT);
		if (phase == LIFE_P_RETRYING)
			rig_event(&r, LIFE_EV_STOPPED, ERR_IO);
		break;
	case LIFE_P_FAILED:
		rig_starting(&r);
		rig_event(&r, LIFE_EV_STARTED, ERR_IO);
		break;
	default:
		rig_event(&r, LIFE_EV_REMOVE, ERR_OK);
		break;
	}
	assert_int_equal(r.l.phase, phase);
	return r;
}

