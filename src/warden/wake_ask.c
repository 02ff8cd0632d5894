/* wake_ask: how wakes and news of VMs come in: from queries, operators, units and drivers. */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/siphash.h"
#include "src/warden/aside.h"
#include "src/warden/dnslink.h"
#include "src/warden/holds.h"
#include "src/warden/parklink.h"
#include "src/warden/record.h"

/* A wake that its life cycle does not hear of; `why` is said where the unit has no error. */
static void
turn_away(
    struct warden *w, struct unit *u, enum msg_wake_result result, unsigned ede, const char *why)
{
	const char *error = unit_error(u, why);

	dnslink_woken(w, u->number, result, ede);
	parklink_refused(w, u);
	wake_waiters_answer(u, false, error);
	needs_failed(w, u, error);
	wake_drain(w);
}

static bool
is_loopback(const struct msg_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == 4 ? a->bytes[0] == 127 :
	    a->family == 6 && memcmp(a->bytes, one, sizeof(one)) == 0;
}

/* Clients of one network are one: it costs nothing to have many addresses there. */
void
wake_asker(const struct warden *w, struct unit *u, const struct msg_addr *client)
{
	size_t len = client == NULL ? 0 : client->family == 4 ? 3 : client->family == 6 ? 7 : 0;

	if (life_state(&u->life) != LIFE_AWAKE)
		unit_run(u)->asker = len > 0 ? *client : (struct msg_addr){ .family = 0 };
	if (u->admit.queued)
		return;
	u->admit.asker = 0;
	if (len > 0 && !is_loopback(client))
		u->admit.asker = 1 + (uint32_t)(siphash24(w->secret.key, client->bytes, len) %
		    (ADMIT_ASKERS - 1));
}

void
wake_request(struct warden *w, struct unit *u, enum life_cause cause, uint64_t time_ns)
{
	uint64_t now = clock_now_ns();
	struct life_event ev = { .kind = LIFE_EV_WAKE, .now_ms = now / NS_PER_MS, .cause = cause };
	enum life_state s = life_state(&u->life);
	uint32_t number = u->number;

	if (unit_unreachable(u)) {   /* and that is no use */
		turn_away(w, u, WAKE_FAILED, MSG_EDE_OTHER, life_why_text(LIFE_WHY_UNREACHABLE));
		return;
	}
	if (time_ns == 0 || time_ns > now)
		time_ns = now;
	if (time_ns > u->last_use_ns)
		u->last_use_ns = time_ns;
	if (s == LIFE_AWAKE && u->run->check_due)
		wake_check(w, u);
	else
		w->totals.wakes++;
	if (u->refused && (s == LIFE_DORMANT || s == LIFE_FAILED) && holds_refuse(w, u)) {
		w->totals.refused++;
		turn_away(w, u, WAKE_REFUSED, MSG_EDE_NOT_READY, "its address is held for another");
		return;
	}
	holds_handed_out(w, u);
	/* The first of a wake's causes starts its clock. */
	if ((s != LIFE_AWAKE && s != LIFE_BOOTING && s != LIFE_STOPPING) ||
	    (s == LIFE_STOPPING && unit_run(u)->trace.answer_ns != 0)) {
		unit_run(u)->trace = (struct unit_trace){ .query_ns = time_ns };
		u->run->woken_by = (uint8_t)cause;
		u->run->client = u->run->asker;
		u->run->woken_for = 0;
	}
	if (u->ready_held)
		needs_wake(w, u, cause);   /* what it needs was lost while it booted */
	wake_step(w, u, &ev);
	/* Whether there would be a slot is looked at anew for each wake. */
	u = unit_by_number(&w->units, number);
	if (u != NULL && s != LIFE_AWAKE && !u->admit.queued)
		wake_board(w, u);
}

void
wake_vm_event(const struct vm_event *ev, void *arg)
{
	struct warden *w = arg;
	struct unit *u = unit_by_uuid(&w->units, &ev->uuid);
	struct life_event died = { .kind = LIFE_EV_DIED, .now_ms = ev->time_ns / NS_PER_MS };

	if (ev->kind == VM_EVENT_LOG) {
		record_driver_line(w, u, ev->text);
		return;
	}
	if (ev->kind == VM_EVENT_LINK) {
		if (u != NULL)
			parklink_link(w, u, ev->fd);
		else
			close(ev->fd);
		return;
	}
	if (u == NULL) {
		aside_event(w, ev);
		return;
	}
	if (ev->kind == VM_EVENT_READY) {
		wake_ready(w, u, ev->time_ns);
		return;
	}
	u->crashes++;
	w->totals.crashes++;
	wake_why_died(u, ev);
	record_died(w, u, ev->text);
	if (w->activity != NULL)
		vm_activity_unwatch(w->activity, &ev->uuid);
	if (u->life.phase != LIFE_P_SAVING)   /* its state may be saved under that name by now */
		unit_uuid_set(&w->units, u, NULL);
	u->run->awake_since_ns = 0;
	wake_step(w, u, &died);
}
