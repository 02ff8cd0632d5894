/*
 * needs: units that must be ready, or started, before another one boots (`needs=`, `after=`).
 *
 * A unit that is woken wakes what it needs, all at once, and asks for its own slot, or is thawed,
 * when each of them is had: awake or, where that is enough, with a VM that runs; so do the needed
 * ones in turn.  Until then it waits, and holds no slot.  When a needed one cannot be had its wake
 * fails, with that one's name and error, and queries do not wake it before they would wake that
 * one.  When a needed one is lost while the unit boots, its readiness is held back.  And no needed
 * one sleeps while a unit that needs it is up.
 */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/warden/record.h"

#define ERROR_TEXT 1024        /* of a chain of units that need each other */

/* ---- questions ---- */

struct unit *
needs_unit(const struct warden *w, const struct unit *u, unsigned i)
{
	return unit_by_name(&w->units, mapping_unit_target(u->conf->needs[i].unit)->name);
}

/* Is the i-th of `u`'s needs, which is `n`, what it must be? */
static bool
is_had(const struct unit *u, unsigned i, const struct unit *n)
{
	return life_state(&n->life) == LIFE_AWAKE ||
	    (u->conf->needs[i].after == CONFIG_AFTER_STARTED && needs_started(n));
}

bool
needs_started(const struct unit *u)
{
	return life_state(&u->life) == LIFE_BOOTING && u->life.phase == LIFE_P_PROBING;
}

const char *
needs_after_text(unsigned after)
{
	static const char *const texts[] = { [CONFIG_AFTER_READY] = "ready",
		[CONFIG_AFTER_STARTED] = "started" };

	return texts[after];
}

bool
needs_anybody(const struct unit *u)
{
	return u->conf != NULL && u->conf->needed;
}

/* Which of `u`'s needs `other` is; -1: none. */
static int
place_of(const struct unit *u, const struct unit *other)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++)
		if (strcmp(mapping_unit_target(u->conf->needs[i].unit)->name, other->name) == 0)
			return (int)i;
	return -1;
}

bool
needs_this(const struct unit *u, const struct unit *other)
{
	return place_of(u, other) >= 0;
}

bool
needs_waits(const struct unit *u)
{
	return u->needing && u->run->needs_ticket != 0;
}

const struct unit *
needs_first(const struct warden *w, const struct unit *u, const char **after)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++) {
		const struct unit *n = needs_unit(w, u, i);

		if (n == NULL || is_had(u, i, n))
			continue;
		if (after != NULL)
			*after = needs_after_text(u->conf->needs[i].after);
		return n;
	}
	return NULL;
}

bool
needs_met(const struct warden *w, const struct unit *u)
{
	return needs_first(w, u, NULL) == NULL;
}

bool
needs_unsure(const struct warden *w, const struct unit *u)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++) {
		const struct unit *n = needs_unit(w, u, i);

		/* As the board says: a net of needs may have as many ways up as it has subsets. */
		if (n != NULL && atomic_load_explicit(&w->board.state[n->number].answer,
		    memory_order_relaxed) == BOARD_UNSURE)
			return true;
	}
	return false;
}

bool
needs_uses(const struct unit *x, const struct unit *u)
{
	enum life_state s = life_state(&x->life);

	/* A unit that shuts down may have something to write there. */
	return (s == LIFE_AWAKE || s == LIFE_BOOTING || s == LIFE_STOPPING) && needs_this(x, u);
}

bool
needs_used(const struct warden *w, const struct unit *u)
{
	const struct unit *x;

	if (!needs_anybody(u))
		return false;
	UNIT_FOREACH(x, &w->units)
		if (needs_uses(x, u))
			return true;
	return false;
}

bool
needs_holds(const struct warden *w, const struct unit *u, char *buf, size_t size)
{
	const char *after = "";
	const struct unit *n = u->ready_held ? needs_first(w, u, &after) : NULL;

	if (n != NULL)
		snprintf(buf, size, "is ready, but needs %s to be %s", n->name, after);
	return n != NULL;
}

/* ---- waiting ---- */

/* Needs have no cycles (mapping.h), so this ends: each wakes its own. */
void
needs_wake(struct warden *w, struct unit *u, enum life_cause cause)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++) {
		struct unit *n = needs_unit(w, u, i);
		bool sleeps;

		if (n == NULL || is_had(u, i, n))
			continue;
		sleeps = life_state(&n->life) != LIFE_BOOTING;
		if (!n->admit.queued)
			n->admit.asker = u->admit.asker;
		wake_request(w, n, cause, 0);
		if (sleeps)
			unit_run(n)->woken_for = u->number + 1;
	}
}

/*
 * w->needing: units that wait have a ticket; without are those whose wake has failed for want of
 * a unit, and which go on, too, when that comes up.
 */

static void
join(struct warden *w, struct unit *u, uint32_t ticket)
{
	needs_leave(u);
	unit_run(u)->needs_ticket = ticket;
	LIST_INSERT_HEAD(&w->needing, u, run->needs_link);
	u->needing = true;
}

void
needs_leave(struct unit *u)
{
	if (!u->needing)
		return;
	LIST_REMOVE(u, run->needs_link);
	u->run->needs_ticket = 0;
	u->needing = false;
}

static void
go_on(struct warden *w, struct unit *u)
{
	uint32_t ticket = u->run->needs_ticket;

	needs_leave(u);
	wake_go_on(w, u, ticket);
	wake_waits_changed(w);
}

/* Ends the wait; `again_ms` as of LIFE_EV_REFUSED. */
static void
give_up(struct warden *w, struct unit *u, uint64_t again_ms)
{
	bool thaws = u->life.phase == LIFE_P_THAWING;
	struct life_event ev = { .kind = thaws ? LIFE_EV_THAWED : LIFE_EV_REFUSED,
		.now_ms = clock_now_ms(), .ticket = u->run->needs_ticket, .result = ERR_STATE,
		.needs = true };

	if (thaws)
		ev.kept = true;
	else
		ev.again_ms = again_ms;
	needs_leave(u);
	if (!thaws && again_ms > ev.now_ms)
		join(w, u, 0);
	wake_post(w, u, &ev);
}

static bool
is_wanted_by_operator(const struct unit *u)
{
	const struct unit_waiter *x;

	if (u->life.why == LIFE_WHY_OPERATOR)
		return true;
	SLIST_FOREACH(x, &u->run->waiters, next)
		if (!x->for_sleep)
			return true;
	return false;
}

static void
say_waits(struct warden *w, struct unit *u)
{
	char text[LIMIT_NAME_TEXT + 100];

	if (!flood_pass(w->flood, u->number, "waits for a unit that it needs", LIMIT_FLOOD_KIND))
		return;
	wake_waits_say(w, u, text, sizeof(text));
	log_info("%s: %s", u->name, text);
	record_event(w, u->name, "needs", text);
}

void
needs_ask(struct warden *w, struct unit *u, uint32_t ticket)
{
	if (needs_met(w, u)) {
		needs_leave(u);
		wake_go_on(w, u, ticket);
		return;
	}
	join(w, u, ticket);
	say_waits(w, u);
	wake_waits_changed(w);
	needs_wake(w, u, is_wanted_by_operator(u) ? LIFE_BY_OPERATOR : LIFE_BY_QUERY);
	wake_board(w, u);
}

void
needs_stepped(struct warden *w, struct unit *u)
{
	enum life_phase p = (enum life_phase)u->life.phase;

	if (!u->needing)
		return;
	/* An operation that has not begun ends at once when nobody wants it any more. */
	if (p == LIFE_P_THAWING && needs_waits(u) &&
	    (life_state(&u->life) != LIFE_BOOTING || !u->run->has_vm))
		give_up(w, u, 0);
	else if (p != LIFE_P_ADMITTING && p != LIFE_P_THAWING && p != LIFE_P_FAILED)
		needs_leave(u);
}

/* ---- what becomes of the needed ones ---- */

/* `x` waits for `u`, which has become awake or started, or has failed for want of it. */
static void
release(struct warden *w, struct unit *x, const struct unit *u)
{
	if (needs_waits(x)) {
		if (needs_met(w, x))
			go_on(w, x);
	} else if (x->life.phase == LIFE_P_FAILED && is_had(x, (unsigned)place_of(x, u), u)) {
		needs_leave(x);
		wake_post_result(w, x, LIFE_EV_POLICY, 0, ERR_OK);   /* its back-off is over, too */
	}
}

void
needs_release(struct warden *w, const struct unit *u)
{
	struct unit *x, *next;

	if (!needs_anybody(u))
		return;
	for (x = LIST_FIRST(&w->needing); x != NULL; x = next) {
		next = LIST_NEXT(x, run->needs_link);
		if (needs_this(x, u))
			release(w, x, u);
	}
	if (w->ready_held == 0)
		return;
	UNIT_FOREACH(x, &w->units)
		if (x->ready_held && needs_this(x, u) && needs_met(w, x))
			wake_ready_again(w, x);
}

void
needs_failed(struct warden *w, const struct unit *u, const char *why)
{
	uint64_t now = clock_now_ms(), again;
	struct life_policy policy;
	struct unit *x, *next;
	char text[ERROR_TEXT];
	int at;

	if (!needs_anybody(u) || LIST_EMPTY(&w->needing))
		return;
	wake_policy(w, u, &policy);
	again = life_again_ms(&u->life, &policy, now);
	for (x = LIST_FIRST(&w->needing); x != NULL; x = next) {
		next = LIST_NEXT(x, run->needs_link);
		if (!needs_waits(x) || (at = place_of(x, u)) < 0)
			continue;
		snprintf(text, sizeof(text), "%s, which this unit needs to be %s: %s", u->name,
		    needs_after_text(x->conf->needs[at].after), why);
		unit_error_set(x, text);
		x->run->failed = (struct unit_trace){ .query_ns = 0 };   /* it has no legs */
		give_up(w, x, again);
	}
}

void
needs_board(struct warden *w, const struct unit *u)
{
	struct unit *x;

	if (!needs_anybody(u))
		return;
	UNIT_FOREACH(x, &w->units)
		if (life_state(&x->life) == LIFE_BOOTING && needs_this(x, u))
			wake_board(w, x);
}

void
needs_review(struct warden *w)
{
	struct unit *u;

	if (w->ready_held == 0 && LIST_EMPTY(&w->needing))
		return;
	UNIT_FOREACH(u, &w->units) {
		bool held = u->ready_held;

		if (u->conf == NULL || (!held && !needs_waits(u)))
			continue;
		if (!needs_met(w, u))
			needs_wake(w, u, LIFE_BY_QUERY);
		else if (held)
			wake_ready_again(w, u);
		else
			go_on(w, u);
	}
}
