/* wake_do: the table of a life cycle's actions; wake_impl.h names the files that begin them. */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include "base/clock.h"
#include "base/mem.h"
#include "src/warden/ahead.h"
#include "src/warden/dnslink.h"
#include "src/warden/links.h"
#include "src/warden/parklink.h"
#include "src/warden/pressure.h"
#include "src/warden/record.h"
#include "src/warden/schedule.h"
#include "src/warden/timer.h"

static void
do_changed(struct warden *w, struct unit *u, const struct life_action *a)
{
	enum life_state from = a->changed.from, to = a->changed.to;
	enum life_why why = a->changed.why;

	if (to == LIFE_AWAKE) {
		wake_check_begin(w, u);
		links_awake(w, u);
	} else {
		wake_check_end(u);
	}
	wake_board(w, u);
	parklink_changed(w, u, from);
	if (to == LIFE_AWAKE && unit_run(u)->awake_since_ns == 0)
		u->run->awake_since_ns = clock_now_ns();
	wake_why_change(w, u, a);
	record_change(w, u, from, to, why);
	schedule_changed(w, u, to, why);
	pressure_changed(w, u, to, why);
	ahead_soon(w);
	if (from == LIFE_STOPPING)
		unit_run(u)->failing = false;
	if (to == LIFE_FAILED && why == LIFE_WHY_STOP)
		wake_waiters_answer(u, true, "its VM could not be stopped");
	else if (to == LIFE_FAILED && why == LIFE_WHY_LATE)
		wake_waiters_answer(u, true,
		    "the hypervisor has not answered in time; what it does after all is kept");
	else if (to == LIFE_AWAKE && why == LIFE_WHY_DRIVER)
		wake_waiters_answer(u, true, unit_error(u, life_why_text(LIFE_WHY_DRIVER)));
	else if (to == LIFE_DORMANT || to == LIFE_FAILED || from == LIFE_STOPPING ||
	    (to == LIFE_BOOTING && (from == LIFE_FROZEN || from == LIFE_SAVED)))
		wake_waiters_answer(u, true, NULL);   /* the unit slept, if only for a moment */
}

static void
do_woken(struct warden *w, struct unit *u, enum msg_wake_result result)
{
	enum life_why why = (enum life_why)u->life.why;
	const char *error;

	if (result == WAKE_READY && unit_unreachable(u))
		result = WAKE_FAILED;
	switch (result) {
	case WAKE_READY:
		dnslink_woken(w, u->number, result, 0);
		wake_waiters_answer(u, false, NULL);
		return;
	case WAKE_REFUSED:
		if (why == LIFE_WHY_REFUSED)
			wake_slot_expired(w, u);
		dnslink_woken(w, u->number, result, MSG_EDE_NOT_READY);
		parklink_refused(w, u);
		break;
	case WAKE_FAILED:
		dnslink_woken(w, u->number, result, wake_ede(u));
		parklink_refused(w, u);
		break;
	case WAKE_GONE:
		dnslink_woken(w, u->number, result, 0);
		wake_waiters_answer(u, false, "it is no longer in the configuration");
		return;   /* who needs it is looked at when the reload is done */
	}
	error = unit_error(u, life_why_text(why));
	if (result == WAKE_REFUSED && why != LIFE_WHY_REFUSED && why != LIFE_WHY_UNREACHABLE)
		error = "it was sent to sleep";
	wake_waiters_answer(u, false, error);
	needs_failed(w, u, error);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wake_op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);
	struct life_event ev = { .kind = LIFE_EV_TIMER, .now_ms = clock_now_ms() };

	(void)fd;
	(void)what;
	if (u != NULL)
		wake_step(op->w, u, &ev);
}

static void
do_timer(struct warden *w, struct unit *u, uint64_t at_ms)
{
	struct unit_run *r = u->run;
	uint64_t now = clock_now_ms();

	if (at_ms == LIFE_NEVER) {
		if (r != NULL && r->timer != NULL)
			event_del(r->timer);
		if (r != NULL)
			r->deadline_ns = 0;
		return;
	}
	r = unit_run(u);
	if (r->timer == NULL) {
		r->timer_arg = wake_op_new(w, u, 0, LIFE_EV_TIMER);
		r->timer = mem_must(evtimer_new(w->base, on_timer, r->timer_arg));
	}
	timer_arm(r->timer, at_ms > now ? at_ms - now : 0);
	r->deadline_ns = at_ms * NS_PER_MS;
	if (life_state(&u->life) == LIFE_AWAKE)
		store_unit_touch(w->store, u->name, wake_last_use_ns(w, u), r->deadline_ns);
}

static void
do_forget(struct warden *w, struct unit *u)
{
	uint32_t number = u->number;
	bool stood_before = !LIST_EMPTY(&w->units.left) && u->run != NULL;

	wake_waiters_answer(u, true, NULL);
	wake_waiters_answer(u, false, "it is no longer in the configuration");
	/* A unit of the same name may have come meanwhile; then the row is its. */
	if (!u->aside && unit_by_name(&w->units, u->name) == NULL)
		store_unit_delete(w->store, u->name, NULL, NULL);
	needs_leave(u);
	unit_free(&w->units, u);
	wake_behind_gone(w, number);
	if (stood_before)
		parklink_review(w);   /* another unit may have its MAC or address */
}

bool
wake_do(struct warden *w, struct unit *u, const struct life_action *a)
{
	switch (a->kind) {
	case LIFE_DO_CHANGED:
		do_changed(w, u, a);
		break;
	case LIFE_DO_ADMIT:
	case LIFE_DO_THAW:
		needs_ask(w, u, a->ticket);
		break;
	case LIFE_DO_CLAIM:
		u->admit.memory_bytes = u->conf != NULL ? u->conf->policy.memory_bytes : 0;
		admit_take(&w->admit, &u->admit);
		break;
	case LIFE_DO_RELEASE:
		needs_leave(u);
		wake_behind_leave(u);
		admit_release(&w->admit, &u->admit);
		wake_admit(w);
		break;
	case LIFE_DO_BOOT_DONE:
		admit_boot_done(&w->admit, &u->admit);
		wake_admit(w);
		break;
	case LIFE_DO_INTENT:
		wake_vm_intend(w, u, a->ticket);
		break;
	case LIFE_DO_START:
	case LIFE_DO_RESTORE:
		wake_vm_start(w, u, a->ticket, a->kind == LIFE_DO_RESTORE);
		break;
	case LIFE_DO_PROBE:
		wake_probe_start(w, u, a->ticket);
		break;
	case LIFE_DO_UNPROBE:
		wake_probe_stop(w, u);
		break;
	case LIFE_DO_FREEZE:
		vm_do(w->vms, &u->run->uuid, VM_FREEZE, wake_vm_done,
		    wake_op_new(w, u, a->ticket, LIFE_EV_FROZEN));
		break;
	case LIFE_DO_SAVE:
		vm_do(w->vms, &u->run->uuid, VM_SAVE, wake_vm_done,
		    wake_op_new(w, u, a->ticket, LIFE_EV_SAVED));
		break;
	case LIFE_DO_STOP:
		wake_vm_stop(w, u, a);
		break;
	case LIFE_DO_READ:
		wake_use_read(w, u, a->ticket);
		break;
	case LIFE_DO_WOKEN:
		do_woken(w, u, a->woken);
		break;
	case LIFE_DO_TIMER:
		do_timer(w, u, a->at_ms);
		break;
	case LIFE_DO_FORGET:
		do_forget(w, u);
		return false;
	case LIFE_ACTION_COUNT:
		break;
	}
	return true;
}
