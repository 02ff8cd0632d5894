/* wake_slot: slots for boots and VMs, asked for and given. */
#include "src/wake_impl.h"

#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/record.h"

static void
behind_join(struct warden *w, struct unit *u, const struct unit *before)
{
	unit_run(u)->behind_number = before->number;
	LIST_INSERT_HEAD(&w->behind, u, run->behind_link);
	u->behind = true;
}

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

/* Its VM would meet another with the same MAC, address or name: it waits, at most as long as for a slot. */
static bool
waits_behind(struct warden *w, struct unit *u, uint32_t ticket)
{
	const struct unit *before = unit_before(&w->units, u);
	char why[LIMIT_NAME_TEXT + 100];

	wake_behind_leave(u);
	if (before == NULL)
		return false;
	behind_join(w, u, before);
	snprintf(why, sizeof(why), "the VM of the former %s, which has its name, MAC or address, is not gone yet", before->name);
	unit_error_set(u, why);
	if (flood_pass(w->flood, u->number, "waits for the VM of a former unit", LIMIT_FLOOD_KIND))
		log_info("%s: %s", u->name, why);
	unit_run(u)->admit_ticket = ticket;
	return true;
}

void
wake_slot_ask(struct warden *w, struct unit *u, uint32_t ticket)
{
	bool operator = u->life.why == LIFE_WHY_OPERATOR;
	char text[80];

	if (waits_behind(w, u, ticket))
		return;
	u->admit.memory_bytes = u->conf->policy.memory_bytes;
	switch (admit_ask(&w->admit, &u->admit, clock_now_ms(), operator)) {
	case ADMIT_NOW:
		wake_post_result(w, u, LIFE_EV_ADMITTED, ticket, ERR_OK);
		return;
	case ADMIT_WAIT:
		unit_run(u)->admit_ticket = ticket;
		snprintf(text, sizeof(text), "waits for a slot, number %u in the queue", w->admit.waiting);
		record_event(w, u->name, "queued", text);
		w->totals.queued++;
		return;
	case ADMIT_FULL:
		unit_error_set(u, "too many wakes are waiting (limits: queue)");
		break;
	case ADMIT_TOO_OFTEN:
		unit_error_set(u, "woken too often (limits: wakes-per-minute)");
		break;
	case ADMIT_NEVER:
		unit_error_set(u, "needs more memory than all VMs together may have (limits: memory)");
		break;
	}
	w->totals.refused++;
	wake_post_result(w, u, LIFE_EV_REFUSED, ticket, ERR_LIMIT);
}

void
wake_admit(struct warden *w)
{
	struct admit_waiter *x;

	while ((x = admit_next(&w->admit)) != NULL) {
		struct unit *u = (struct unit *)((char *)x - offsetof(struct unit, admit));

		wake_post_result(w, u, LIFE_EV_ADMITTED, unit_run(u)->admit_ticket, ERR_OK);
	}
	wake_drain(w);
}
