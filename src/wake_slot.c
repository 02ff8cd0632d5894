/* wake_slot: slots for boots and VMs, asked for and given. */
#include "src/wake_impl.h"

#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

void
wake_behind_set(struct warden *w, struct unit *u, bool behind)
{
	if (u->behind && !behind)
		w->behind--;
	else if (!u->behind && behind)
		w->behind++;
	u->behind = behind;
}

/* Its VM would meet another with the same MAC, address or name: it waits, at most as long as for a slot. */
static bool
waits_behind(struct warden *w, struct unit *u, uint32_t ticket)
{
	const struct unit *before = unit_before(&w->units, u);
	char why[LIMIT_NAME_TEXT + 100];

	wake_behind_set(w, u, before != NULL);
	if (before == NULL)
		return false;
	snprintf(why, sizeof(why), "the VM of the former %s, which has its name, MAC or address, is not gone yet", before->name);
	unit_error_set(u, why);
	log_info("%s: %s", u->name, why);
	unit_run(u)->admit_ticket = ticket;
	return true;
}

void
wake_slot_ask(struct warden *w, struct unit *u, uint32_t ticket)
{
	bool operator = u->life.why == LIFE_WHY_OPERATOR;

	if (waits_behind(w, u, ticket))
		return;
	u->admit.memory_bytes = u->conf->policy.memory_bytes;
	switch (admit_ask(&w->admit, &u->admit, clock_now_ms(), operator)) {
	case ADMIT_NOW:
		wake_post_result(w, u, LIFE_EV_ADMITTED, ticket, ERR_OK);
		return;
	case ADMIT_WAIT:
		unit_run(u)->admit_ticket = ticket;
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
