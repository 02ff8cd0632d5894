/* move: movements between the phases of the life cycle. */
#include "src/life/move.h"

#include <stdlib.h>
#include <string.h>

struct life_action *
move_act(struct step *s, enum life_action_kind kind)
{
	struct life_action *a;

	if (s->out->n == LIFE_ACTIONS_MAX)
		abort();   /* the longest list has eight; a broken invariant stops the daemon */
	a = &s->out->actions[s->out->n++];
	memset(a, 0, sizeof(*a));
	a->kind = kind;
	return a;
}

void
move_arm(struct step *s, uint64_t ms)
{
	s->l->timer_ms = s->now + ms;
}

void
move_operate(struct step *s, enum life_phase phase, enum life_action_kind kind)
{
	s->l->phase = (uint8_t)phase;
	move_act(s, kind)->ticket = ++s->l->ticket;
}

void
move_woken(struct step *s, enum msg_wake_result result)
{
	move_act(s, LIFE_DO_WOKEN)->woken = result;
	flag_drop(s, F_WAITING);
}

void
move_answer(struct step *s, enum msg_wake_result result)
{
	if (flag_has(s, F_WAITING))
		move_woken(s, result);
}

void
move_probe(struct step *s)
{
	move_act(s, LIFE_DO_PROBE)->ticket = s->l->ticket;
	flag_set(s, F_PROBE);
}

void
move_boot_end(struct step *s)
{
	if (flag_has(s, F_PROBE))
		(void)move_act(s, LIFE_DO_UNPROBE);   /* has no parameters */
	if (flag_has(s, F_BOOT))
		(void)move_act(s, LIFE_DO_BOOT_DONE); /* has no parameters */
	flag_drop(s, F_PROBE | F_BOOT);
}

void
move_release(struct step *s)
{
	move_boot_end(s);
	if (flag_has(s, F_SLOT))
		(void)move_act(s, LIFE_DO_RELEASE);   /* has no parameters */
	flag_drop(s, F_SLOT);
}

void
move_fail(struct step *s, enum life_why why)
{
	s->why = why;
	flag_set(s, F_FAIL);
	move_answer(s, WAKE_FAILED);
}

uint64_t
move_backoff_ms(const struct life_policy *p, unsigned failures)
{
	uint64_t ms = p->backoff_min_ms;

	for (unsigned i = 1; i < failures && ms < p->backoff_max_ms; i++)
		ms *= 2;
	return ms < p->backoff_max_ms ? ms : p->backoff_max_ms;
}

bool
move_settle(struct step *s)
{
	if (s->now < s->l->awake_since_ms + s->p->steady_ms)
		return false;
	s->l->failures = 0;
	return true;
}

/* ---- where a unit without a VM goes ---- */

uint64_t
move_after(uint64_t since_ms, uint32_t ms)
{
	return ms == 0 ? LIFE_NEVER : since_ms + ms;
}

void
move_rest(struct step *s)
{
	struct life *l = s->l;

	l->ticket++;   /* whatever was asked for is not wanted any more */
	flag_drop(s, F_CONTACTED);
	if (l->backoff_until_ms > s->now) {
		l->phase = LIFE_P_FAILED;
		l->timer_ms = l->backoff_until_ms;
		return;
	}
	l->backoff_until_ms = 0;
	l->phase = flag_has(s, F_SAVED) ? LIFE_P_SAVED : LIFE_P_DORMANT;
	l->timer_ms = flag_has(s, F_SAVED) ? move_after(s->now, s->p->saved_ms) : LIFE_NEVER;
}

void
move_begin(struct step *s)
{
	flag_set(s, F_WAITING | F_SLOT);
	move_operate(s, LIFE_P_ADMITTING, LIFE_DO_ADMIT);
	s->l->timer_ms = move_after(s->now, s->p->queue_ms);
}

void
move_gone(struct step *s)
{
	flag_drop(s, F_SAVED);
	move_ended(s);
}

void
move_ended(struct step *s)
{
	struct life *l = s->l;

	move_release(s);
	flag_drop(s, F_READY | F_DOOM | F_STUCK | F_DEAD);
	if (flag_has(s, F_FAIL)) {
		flag_drop(s, F_FAIL);
		l->failures += l->failures < UINT8_MAX;
		l->backoff_until_ms = s->now + move_backoff_ms(s->p, l->failures);
	}
	/* nobody waits: step_remove has answered, and so does step_wake since */
	if (flag_has(s, F_REMOVE)) {
		l->ticket++;
		l->phase = LIFE_P_GONE;
		l->timer_ms = LIFE_NEVER;
	} else if (flag_has(s, F_WAITING)) {
		s->why = LIFE_WHY_AGAIN;
		move_begin(s);
	} else {
		move_rest(s);
	}
}

/* ---- down ---- */

void
move_stop(struct step *s)
{
	bool up = phase_in(s, P_UP);
	struct life_action *a;

	if (flag_has(s, F_DEAD)) {
		move_gone(s);
		return;
	}
	move_boot_end(s);
	flag_drop(s, F_DOOM | F_READY);
	move_operate(s, LIFE_P_STOPPING, LIFE_DO_STOP);
	a = &s->out->actions[s->out->n - 1];
	/* A guest that sleeps or never came up cannot be asked. */
	a->stop.shutdown = up && s->p->shutdown && s->p->can_shutdown;
	a->stop.deadline_ms = a->stop.shutdown ? s->p->stop_ms : 0;
	move_arm(s, (uint64_t)a->stop.deadline_ms + s->p->op_ms);
}

void
move_doom(struct step *s)
{
	move_boot_end(s);
	if (!flag_has(s, F_DOOM | F_STUCK))
		move_arm(s, phase_in(s, P(SAVING) | P(RESTORING)) ? s->p->state_ms : s->p->op_ms);
	flag_set(s, F_DOOM);
}

void
move_down(struct step *s)
{
	if (phase_in(s, P(ADMITTING) | P(DORMANT) | P(INTENDING) | P(FAILED))) {
		move_release(s);
		if (flag_has(s, F_SAVED))
			move_stop(s);
		else
			move_gone(s);
	} else if (phase_in(s, P(STARTING) | P(RESTORING) | P(FREEZING) | P(THAWING) | P(SAVING))) {
		move_doom(s);
	} else if (phase_in(s, P_UP | P(PROBING) | P(FROZEN) | P(SAVED))) {
		if (phase_in(s, P_UP))
			(void)move_settle(s);   /* the unit goes down either way */
		move_stop(s);
	}
}

void
move_descend(struct step *s, enum life_tier tier)
{
	bool up = phase_in(s, P_UP);

	if (up)
		(void)move_settle(s);   /* the unit goes down either way */
	if (up && tier == LIFE_TIER_FROZEN && s->p->can_freeze) {
		move_operate(s, LIFE_P_FREEZING, LIFE_DO_FREEZE);
		move_arm(s, s->p->op_ms);
	} else if (tier == LIFE_TIER_SAVED && s->p->can_save) {
		if (!up)
			flag_set(s, F_FROZEN);
		move_operate(s, LIFE_P_SAVING, LIFE_DO_SAVE);
		move_arm(s, s->p->state_ms);
	} else {
		move_down(s);
	}
	flag_drop(s, F_CONTACTED);
}

/* ---- up ---- */

void
move_thaw(struct step *s)
{
	move_operate(s, LIFE_P_THAWING, LIFE_DO_THAW);
	move_arm(s, s->p->op_ms);
}

uint64_t
move_sleep_due(const struct life *l, const struct life_policy *p)
{
	uint64_t used = l->last_use_ms > l->awake_since_ms ? l->last_use_ms : l->awake_since_ms;
	uint64_t due = move_after(used, p->idle_ms);

	if ((l->flags & F_CONTACTED) == 0 && move_after(used, p->unused_after_ms) < due)
		due = move_after(used, p->unused_after_ms);
	if (due < l->awake_since_ms + p->min_up_ms)
		due = l->awake_since_ms + p->min_up_ms;
	return due;
}

void
move_awake(struct step *s)
{
	flag_drop(s, F_READY);
	s->l->phase = LIFE_P_AWAKE;
	s->l->timer_ms = move_sleep_due(s->l, s->p);
}

void
move_intend(struct step *s)
{
	move_operate(s, LIFE_P_INTENDING, LIFE_DO_INTENT);
	move_arm(s, s->p->boot_ms);
}
