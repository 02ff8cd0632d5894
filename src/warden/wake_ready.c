/* wake_ready: readiness: its probes, their end, and when the waiting queries were answered. */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include <stdlib.h>

#include "base/clock.h"
#include "src/warden/probelink.h"
#include "src/warden/record.h"
#include "src/warden/timer.h"

static void
on_delay(evutil_socket_t fd, short what, void *arg)
{
	struct wake_op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);

	(void)fd;
	(void)what;
	if (u != NULL && u->run != NULL && u->run->probe_ticket == op->ticket)
		wake_ready(op->w, u, clock_now_ns());
	free(op);
}

void
wake_probe_start(struct warden *w, struct unit *u, uint32_t ticket)
{
	const struct config_ready *ready = &u->conf->image->ready;
	struct unit_run *r = unit_run(u);

	r->probe_ticket = ticket;
	r->probe_sent_ns = clock_now_ns();
	if (ready->kind == CONFIG_READY_DELAY) {
		timer_once(w->base, ready->delay_ms, on_delay,
		    wake_op_new(w, u, ticket, LIFE_EV_READY));
		return;
	}
	if (ready->kind == CONFIG_READY_XENSTORE)
		return;   /* the driver tells by an event */
	probelink_start(
	    w, u, u->life.phase == LIFE_P_STARTING || u->life.phase == LIFE_P_RESTORING);
}

void
wake_probe_stop(struct warden *w, struct unit *u)
{
	if (u->run == NULL || u->run->probe_ticket == 0)
		return;
	u->run->probe_ticket = 0;
	u->run->probe_waits = false;
	probelink_unplan(u->run);
	if (u->ready_held) {
		u->ready_held = false;
		w->ready_held--;
	} else {
		probelink_unprobe(w, u);   /* a reload may have changed that a probe is needed */
	}
}

void
wake_alive(struct unit *u, uint64_t seen_ns)
{
	if (u->run != NULL && u->run->probe_ticket != 0 && seen_ns >= u->run->probe_sent_ns &&
	    u->run->trace.alive_ns == 0)
		u->run->trace.alive_ns = seen_ns;
}

/* The readiness test succeeded and everything that the unit needs is awake. */
static void
ready_now(struct warden *w, struct unit *u)
{
	struct unit_run *r = u->run;
	struct life_event ev = { .kind = LIFE_EV_READY, .now_ms = clock_now_ms(),
		.ticket = r->probe_ticket };

	r->probe_ticket = 0;
	if (u->conf == NULL || u->conf->image->ready.kind != CONFIG_READY_DELAY)
		probelink_unprobe(w, u);
	unit_boot_works(u);
	if (r->trace.query_ns != 0 && r->trace.ready_ns > r->trace.query_ns)
		u->last_boot_ms = (uint32_t)((r->trace.ready_ns - r->trace.query_ns) / NS_PER_MS);
	wake_step(w, u, &ev);
	if (unit_has_vm(u) && u->run->count_waits) {
		u->run->count_waits = false;
		wake_count(w, u, &u->run->uuid);
	}
}

void
wake_ready(struct warden *w, struct unit *u, uint64_t seen_ns)
{
	struct unit_run *r = u->run;

	if (r == NULL || r->probe_ticket == 0 || seen_ns < r->probe_sent_ns || u->ready_held)
		return;
	r->trace.ready_ns = seen_ns;
	if (needs_met(w, u)) {
		ready_now(w, u);
		return;
	}
	u->ready_held = true;
	w->ready_held++;
	/* The boot is done, and the needed unit may wait for its slot. */
	admit_boot_done(&w->admit, &u->admit);
	needs_wake(w, u, LIFE_BY_QUERY);
	wake_admit(w);
}

void
wake_ready_again(struct warden *w, struct unit *u)
{
	u->ready_held = false;
	w->ready_held--;
	u->run->trace.ready_ns = clock_now_ns();
	ready_now(w, u);
}

void
wake_answered(struct warden *w, struct unit *u, uint64_t first_query_ns, uint64_t time_ns,
    unsigned answers, bool expired)
{
	struct unit_run *r = u->run;

	if (r == NULL)
		return;   /* nobody woke it */
	if (r->trace.query_ns == 0 || first_query_ns < r->trace.query_ns)
		r->trace.query_ns = first_query_ns;
	if (r->trace.answer_ns == 0 && r->trace.ready_ns != 0 && time_ns >= r->trace.ready_ns) {
		r->trace.answer_ns = time_ns;
		record_answered(w, u, answers);
	} else if (expired) {
		record_expired(w, u, answers);
	}
}
