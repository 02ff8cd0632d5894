/* wake_slot: slots for boots and VMs, asked for and given, and what a wake waits for. */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/warden/pressure.h"
#include "src/warden/record.h"

static struct unit *
unit_of(struct admit_waiter *x)
{
	return (struct unit *)((char *)x - offsetof(struct unit, admit));
}

/* ---- what it waits for ---- */

enum wake_waits
wake_waits_for(const struct warden *w, const struct unit *u)
{
	static const enum wake_waits wants[] = { [ADMIT_WANT_BOOT] = WAITS_BOOTS,
		[ADMIT_WANT_VM] = WAITS_VMS, [ADMIT_WANT_MEMORY] = WAITS_MEMORY };

	if (u->behind)
		return WAITS_FORMER;
	if (needs_waits(u))
		return WAITS_NEEDS;
	return u->admit.queued ? wants[admit_wants(&w->admit, &u->admit)] : WAITS_NOT;
}

const char *
wake_waits_text(enum wake_waits what)
{
	static const char *const texts[] = { [WAITS_NOT] = "nothing", [WAITS_BOOTS] = "boots",
		[WAITS_VMS] = "vms", [WAITS_MEMORY] = "memory", [WAITS_FORMER] = "former",
		[WAITS_NEEDS] = "needs" };

	return texts[what];
}

void
wake_waits_say(const struct warden *w, const struct unit *u, char *buf, size_t size)
{
	enum wake_waits what = wake_waits_for(w, u);
	const struct unit *before =
	    u->behind ? unit_by_number(&w->units, u->run->behind_number) : NULL;
	const char *after = "had";
	const struct unit *first = what == WAITS_NEEDS ? needs_first(w, u, &after) : NULL;

	if (what == WAITS_NOT)
		snprintf(buf, size, "waits for nothing");
	else if (what == WAITS_NEEDS)
		snprintf(buf, size, "waits for %s to be %s, which it needs",
		    first != NULL ? first->name : "nothing", after);
	else if (what != WAITS_FORMER)
		snprintf(buf, size, "waits for a slot, number %u (%s)",
		    admit_position(&w->admit, &u->admit), wake_waits_text(what));
	else
		snprintf(buf, size,
		    "waits: the VM of the former %s, which has its name, MAC or address, is not "
		    "gone yet", before != NULL ? before->name : "unit");
}

bool
wake_is_unsure(const struct warden *w, const struct unit *u)
{
	enum life_state s = life_state(&u->life);

	if (s == LIFE_BOOTING && needs_unsure(w, u))
		return true;
	if (u->life.phase == LIFE_P_ADMITTING && u->admit.queued)
		return !u->admit.sure;
	if (u->life.phase == LIFE_P_ADMITTING)
		return u->behind || !admit_would_be_sure(&w->admit, &u->admit);
	/* The slot is given back first, and goes to a unit that waits already. */
	if (s == LIFE_STOPPING || u->life.phase == LIFE_P_SAVING)
		return !admit_would_be_sure(&w->admit, &u->admit);
	return false;
}

void
wake_slot_sure(struct admit_waiter *x, void *arg)
{
	wake_board(arg, unit_of(x));
}

/* A wake begins to wait, or for something else; it is one wake that waits. */
static void
waits_begin(struct warden *w, struct unit *u, uint32_t ticket)
{
	struct unit_run *r = unit_run(u);
	char text[LIMIT_NAME_TEXT + 100];

	if (r->waits_ticket != ticket) {
		w->totals.queued++;
		r->waits_since_ms = clock_now_ms();
	}
	r->waits_ticket = r->admit_ticket = ticket;
	wake_waits_changed(w);
	pressure_soon(w);
	wake_waits_say(w, u, text, sizeof(text));
	if (u->behind)
		unit_error_set(u, text);
	if (!flood_pass(w->flood, u->number,
		u->behind ? "waits for the VM of a former unit" : "waits for a slot",
		LIMIT_FLOOD_KIND))
		return;
	log_info("%s: %s", u->name, text);
	record_event(w, u->name, "queued", text);
}

void
wake_slot_expired(struct warden *w, struct unit *u)
{
	enum wake_waits what = wake_waits_for(w, u);
	char text[LIMIT_NAME_TEXT + 160];

	if (what == WAITS_NOT)
		return;
	wake_waits_say(w, u, text, sizeof(text));
	snprintf(text + strlen(text), sizeof(text) - strlen(text),
	    ", and nothing let it boot in time (limits: %s%squeue-timeout)",
	    what != WAITS_FORMER ? wake_waits_text(what) : "", what != WAITS_FORMER ? ", " : "");
	unit_error_set(u, text);
	w->totals.refused++;
}

/* ---- behind a leaving unit ---- */

void
wake_behind_leave(struct unit *u)
{
	if (u->behind)
		LIST_REMOVE(u, run->behind_link);
	u->behind = false;
}

void
wake_behind_gone(struct warden *w, uint32_t number)
{
	struct unit *u, *next;

	/* Who has to wait again, for another, stands in front: its turn is over. */
	for (u = LIST_FIRST(&w->behind); u != NULL; u = next) {
		next = LIST_NEXT(u, run->behind_link);
		if (u->run->behind_number == number)
			wake_slot_ask(w, u, u->run->admit_ticket);
	}
}

void
wake_slot_withdraw(struct warden *w, struct unit *u)
{
	wake_behind_leave(u);
	if (u->admit.queued)
		admit_release(&w->admit, &u->admit);
}

/* Does a leaving unit's VM have its MAC, address or name?  The wait is bounded as for a slot. */
static bool
waits_behind(struct warden *w, struct unit *u, uint32_t ticket)
{
	const struct unit *before = unit_before(&w->units, u);

	wake_behind_leave(u);
	if (before == NULL)
		return false;
	unit_run(u)->behind_number = before->number;
	LIST_INSERT_HEAD(&w->behind, u, run->behind_link);
	u->behind = true;
	waits_begin(w, u, ticket);
	return true;
}

/* ---- the slots ---- */

static void
refuse(struct warden *w, struct unit *u, uint32_t ticket, const char *why)
{
	unit_error_set(u, why);
	w->totals.refused++;
	wake_post_result(w, u, LIFE_EV_REFUSED, ticket, ERR_LIMIT);
}

void
wake_slot_ask(struct warden *w, struct unit *u, uint32_t ticket)
{
	static const char *const refusals[] = {
		[ADMIT_FULL] = "too many wakes are waiting (limits: queue)",
		[ADMIT_TOO_OFTEN] = "woken too often (limits: wakes-per-minute)",
		[ADMIT_NEVER] = "needs more memory than all VMs together may have (limits: memory)",
	};
	struct admit_waiter *last;
	bool operator = u->life.why == LIFE_WHY_OPERATOR, was_behind = u->behind;
	bool is_behind = waits_behind(w, u, ticket);
	enum admit_verdict verdict;

	if (is_behind || was_behind)
		wake_board(w, u);
	if (is_behind)
		return;
	u->admit.memory_bytes = u->conf->policy.memory_bytes;
	verdict = admit_ask(&w->admit, &u->admit, clock_now_ms(), operator);
	if (verdict == ADMIT_FULL && (last = admit_yield(&w->admit, &u->admit)) != NULL) {
		refuse(w, unit_of(last), unit_of(last)->run->admit_ticket, refusals[ADMIT_FULL]);
		verdict = admit_ask(&w->admit, &u->admit, clock_now_ms(), operator);
	}
	if (verdict == ADMIT_NOW) {
		wake_post_result(w, u, LIFE_EV_ADMITTED, ticket, ERR_OK);
		wake_board(w, u);   /* there may have been no room when it was looked at last */
	} else if (verdict == ADMIT_WAIT) {
		waits_begin(w, u, ticket);
		wake_board(w, u);
	} else {
		refuse(w, u, ticket, refusals[verdict]);
	}
}

void
wake_slot_review(struct warden *w)
{
	struct admit_waiter *x;

	TAILQ_FOREACH(x, &w->admit.queue, link)
		admit_resize(&w->admit, x, unit_of(x)->conf->policy.memory_bytes);
}

void
wake_admit(struct warden *w)
{
	struct admit_waiter *x;

	wake_waits_changed(w);
	while ((x = admit_next(&w->admit)) != NULL) {
		struct unit *u = unit_of(x);

		wake_post_result(w, u, LIFE_EV_ADMITTED, unit_run(u)->admit_ticket, ERR_OK);
	}
	if (!TAILQ_EMPTY(&w->admit.queue))
		pressure_soon(w);
	wake_drain(w);
}
