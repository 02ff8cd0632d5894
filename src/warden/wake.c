/*
 * wake: the engine: events go into a unit's life cycle (life.h), actions come out and are begun.
 *
 * Every action is begun in wake_do.c and ends in an event that brings the action's ticket back.  An
 * event that arises while the actions of a step are begun waits in w->pending until all are.
 */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct wake_pending {
	STAILQ_ENTRY(wake_pending) next;
	uint32_t unit;
	struct life_event ev;
};

void
wake_post(struct warden *w, const struct unit *u, const struct life_event *ev)
{
	struct wake_pending *p = mem_zero(1, sizeof(*p));

	*p = (struct wake_pending){ .unit = u->number, .ev = *ev };
	STAILQ_INSERT_TAIL(&w->pending, p, next);
}

void
wake_post_result(struct warden *w, const struct unit *u, enum life_event_kind kind, uint32_t ticket,
    enum err result)
{
	struct life_event ev = { .kind = kind, .now_ms = clock_now_ms(), .ticket = ticket,
		.result = result };

	wake_post(w, u, &ev);
}

struct wake_op *
wake_op_new(struct warden *w, const struct unit *u, uint32_t ticket, enum life_event_kind ends_with)
{
	struct wake_op *op = mem_zero(1, sizeof(*op));

	*op = (struct wake_op){ .w = w, .unit = u->number, .ticket = ticket,
		.ends_with = ends_with };
	return op;
}

void
wake_op_done(struct wake_op *op, enum err result, const char *why)
{
	struct warden *w = op->w;
	struct unit *u = unit_by_number(&w->units, op->unit);
	struct life_event ev = { .kind = op->ends_with, .now_ms = clock_now_ms(),
		.ticket = op->ticket, .result = result };
	struct errmsg m = { "" };

	if (ev.kind == LIFE_EV_RESTORED || ev.kind == LIFE_EV_FROZEN || ev.kind == LIFE_EV_THAWED ||
	    ev.kind == LIFE_EV_SAVED)
		ev.kept = op->kept;
	free(op);
	if (u == NULL)
		return;
	/* Nothing to stop is no failure; a kernel that is missing is one. */
	if (result != ERR_OK && !(result == ERR_MISSING && ev.kind == LIFE_EV_STOPPED) &&
	    why != NULL && why[0] != '\0') {
		bool failing = u->run != NULL && u->run->failing && u->run->error != NULL;

		/* The reason of a failed boot stays in front of what followed. */
		(void)err_set(&m, result, "%.600s%s%s%s", failing ? u->run->error : "",
		    failing ? "; then: " : "",
		    ev.kind == LIFE_EV_RESTORED && ev.kept ? "it stays saved: " : "", why);
		unit_error_set(u, m.text);
	}
	wake_step(w, u, &ev);
}

static void
step_one(struct warden *w, struct unit *u, const struct life_event *ev)
{
	bool started = needs_started(u);
	struct life_policy policy;
	struct life_out out;

	wake_policy(w, u, &policy);
	if (life_step(&u->life, &policy, ev, &out) != ERR_OK) {
		log_err("%s: event %s is not possible while %s (%s): ignored", u->name,
		    life_event_text(ev->kind), life_state_text(life_state(&u->life)),
		    life_phase_text(u->life.phase));
		return;
	}
	for (unsigned i = 0; i < out.n; i++)
		if (!wake_do(w, u, &out.actions[i]))
			return;
	/* Not before: it has given its boot's slot back by now, which another one may need. */
	if ((out.n > 0 && out.actions[0].kind == LIFE_DO_CHANGED &&
	    out.actions[0].changed.to == LIFE_AWAKE) || (!started && needs_started(u)))
		needs_release(w, u);
	needs_stepped(w, u);
	/* The states begin when the driver begins; who waits is answered when that is done. */
	if (u->life.phase == LIFE_P_FROZEN || u->life.phase == LIFE_P_SAVED)
		wake_waiters_answer(u, true, NULL);
}

/* Events of steps in progress wait until those are done. */
void
wake_drain(struct warden *w)
{
	struct wake_pending *p;

	if (w->stepping)
		return;
	w->stepping = true;
	while ((p = STAILQ_FIRST(&w->pending)) != NULL) {
		struct unit *u = unit_by_number(&w->units, p->unit);

		STAILQ_REMOVE_HEAD(&w->pending, next);
		if (u != NULL)
			step_one(w, u, &p->ev);
		free(p);
	}
	w->stepping = false;
}

void
wake_step(struct warden *w, struct unit *u, const struct life_event *ev)
{
	wake_post(w, u, ev);
	wake_drain(w);
}

void
wake_policy_step(struct warden *w, struct unit *u)
{
	wake_post_result(w, u, LIFE_EV_POLICY, 0, ERR_OK);
	wake_drain(w);
}

static void gone_soon(struct warden *w);

static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	struct warden *w = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < LIMIT_GONE_SLICE && !LIST_EMPTY(&w->units.gone); i++) {
		wake_post_result(w, LIST_FIRST(&w->units.gone)->unit, LIFE_EV_REMOVE, 0, ERR_OK);
		wake_drain(w);
	}
	if (!LIST_EMPTY(&w->units.gone))
		gone_soon(w);
}

/* A time-out of 0 would be due in the same turn of the loop, before any other event. */
static void
gone_soon(struct warden *w)
{
	static const struct timeval next_turn = { 0, 1 };

	if (event_base_once(w->base, -1, EV_TIMEOUT, on_gone, w, &next_turn) != 0)
		fatal("event loop: %s", err_str(ERR_NOMEM));
}

/*
 * A unit without settings can only go, so the news is queued at once: the queue is empty outside of
 * steps.  Nobody finds a dormant one any more; there may be tens of thousands, which go in slices.
 */
void
wake_leave(struct warden *w, struct unit *u)
{
	if (u->leaving)
		return;
	wake_slot_withdraw(w, u);
	unit_leave(&w->units, u);
	if (life_state(&u->life) != LIFE_DORMANT) {
		wake_post_result(w, u, LIFE_EV_REMOVE, 0, ERR_OK);
		return;
	}
	if (LIST_EMPTY(&w->units.gone))
		gone_soon(w);
	unit_gone(&w->units, u);
}
