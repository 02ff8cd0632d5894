/*
 * wake: carries out what the life cycle (life.h) decides: slots, store, driver, probes, timers, answers.
 *
 * Every action is started here and ends in an event that brings the action's ticket back.  An event that arises while a step's actions are
 * being done waits in w->pending until they all are.  What the actions do is in the files that
 * wake_impl.h names.
 */
#include "src/warden/wake_impl.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/warden/aside.h"
#include "src/warden/holds.h"
#include "src/warden/needs.h"
#include "src/warden/record.h"

struct wake_pending {
	STAILQ_ENTRY(wake_pending) next;
	uint32_t unit;
	struct life_event ev;
};

/* ---- events ---- */

void
wake_post(struct warden *w, const struct unit *u, const struct life_event *ev)
{
	struct wake_pending *p = malloc(sizeof(*p));

	if (p == NULL)
		fatal("unit %s: %s", u->name, err_str(ERR_NOMEM));
	p->unit = u->number;
	p->ev = *ev;
	STAILQ_INSERT_TAIL(&w->pending, p, next);
}

void
wake_post_result(struct warden *w, const struct unit *u, enum life_event_kind kind, uint32_t ticket, enum err result)
{
	struct life_event ev = { .kind = kind, .now_ms = clock_now_ms(), .ticket = ticket, .result = result };

	wake_post(w, u, &ev);
}

/* ---- the actions ---- */

static void
do_changed(struct warden *w, struct unit *u, const struct life_action *a)
{
	enum life_state to = a->changed.to;

	if (to == LIFE_AWAKE)
		wake_check_begin(w, u);
	else
		wake_check_end(u);
	if (to == LIFE_AWAKE)
		links_awake(w, u);
	wake_board(w, u);
	if (to == LIFE_AWAKE && unit_run(u)->awake_since_ns == 0)
		u->run->awake_since_ns = clock_now_ns();
	wake_why_change(w, u, a);
	record_change(w, u, a->changed.from, to, a->changed.why);
	if (a->changed.from == LIFE_STOPPING)
		unit_run(u)->failing = false;
	if (to == LIFE_FAILED && a->changed.why == LIFE_WHY_STOP)
		wake_waiters_answer(w, u, true, "its VM could not be stopped");
	else if (to == LIFE_FAILED && a->changed.why == LIFE_WHY_LATE)
		wake_waiters_answer(w, u, true, "the hypervisor has not answered in time; what it does after all is kept");
	else if (to == LIFE_AWAKE && a->changed.why == LIFE_WHY_DRIVER)
		wake_waiters_answer(w, u, true, u->run->error != NULL ? u->run->error : life_why_text(LIFE_WHY_DRIVER));
	else if (to == LIFE_DORMANT || to == LIFE_FAILED || a->changed.from == LIFE_STOPPING ||
	    (to == LIFE_BOOTING && (a->changed.from == LIFE_FROZEN || a->changed.from == LIFE_SAVED)))
		wake_waiters_answer(w, u, true, NULL);   /* it slept, even if somebody woke it meanwhile */
}

static void
do_woken(struct warden *w, struct unit *u, enum msg_wake_result result)
{
	const char *error = u->run != NULL && u->run->error != NULL ? u->run->error : NULL;

	if (result == WAKE_READY && unit_unreachable(u))
		result = WAKE_FAILED;
	switch (result) {
	case WAKE_READY:
		dnslink_woken(w, u->number, result, 0);
		wake_waiters_answer(w, u, false, NULL);
		return;
	case WAKE_REFUSED:
		if (u->life.why == LIFE_WHY_REFUSED) {
			wake_slot_expired(w, u);
			error = u->run != NULL ? u->run->error : NULL;
		}
		dnslink_woken(w, u->number, result, MSG_EDE_NOT_READY);
		if (u->life.why != LIFE_WHY_REFUSED && u->life.why != LIFE_WHY_UNREACHABLE)
			error = "it was sent to sleep";
		error = error != NULL ? error : life_why_text((enum life_why)u->life.why);
		break;
	case WAKE_FAILED:
		dnslink_woken(w, u->number, result, u->life.why == LIFE_WHY_NEEDS ? MSG_EDE_NEEDS : MSG_EDE_OTHER);
		error = error != NULL ? error : life_why_text(u->life.why);
		break;
	case WAKE_GONE:
		dnslink_woken(w, u->number, result, 0);
		wake_waiters_answer(w, u, false, "it is no longer in the configuration");
		return;   /* who needs it is looked at when the reload is done */
	}
	wake_waiters_answer(w, u, false, error);
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
	uint64_t now = clock_now_ms(), in;
	struct timeval tv;

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
		r->timer = evtimer_new(w->base, on_timer, r->timer_arg);
	}
	in = at_ms > now ? at_ms - now : 0;
	tv.tv_sec = (time_t)(in / 1000);
	tv.tv_usec = (suseconds_t)(in % 1000) * 1000;
	if (r->timer == NULL || event_add(r->timer, &tv) != 0)
		fatal("unit %s: %s", u->name, err_str(ERR_NOMEM));
	r->deadline_ns = at_ms * NS_PER_MS;
	if (life_state(&u->life) == LIFE_AWAKE)
		store_unit_touch(w->store, u->name, wake_last_use_ns(w, u), r->deadline_ns);
}

static void
do_forget(struct warden *w, struct unit *u)
{
	uint32_t number = u->number;

	wake_waiters_answer(w, u, true, NULL);
	wake_waiters_answer(w, u, false, "it is no longer in the configuration");
	/* A unit of the same name may have come meanwhile; then the row is its. */
	if (!u->aside && unit_by_name(&w->units, u->name) == NULL)
		store_unit_delete(w->store, u->name, NULL, NULL);
	needs_leave(u);
	unit_free(&w->units, u);
	wake_behind_gone(w, number);
}

/* Carries out one action; false when the unit is gone. */
static bool
do_action(struct warden *w, struct unit *u, const struct life_action *a)
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
		wake_vm_start(w, u, a->ticket, false);
		break;
	case LIFE_DO_RESTORE:
		wake_vm_start(w, u, a->ticket, true);
		break;
	case LIFE_DO_PROBE:
		wake_probe_start(w, u, a->ticket);
		break;
	case LIFE_DO_UNPROBE:
		wake_probe_stop(w, u);
		break;
	case LIFE_DO_FREEZE:
		vm_freeze(w->vms, &u->run->uuid, wake_vm_done, wake_op_new(w, u, a->ticket, LIFE_EV_FROZEN));
		break;
	case LIFE_DO_SAVE:
		vm_save(w->vms, &u->run->uuid, wake_vm_saved, wake_op_new(w, u, a->ticket, LIFE_EV_SAVED));
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

static void
step_one(struct warden *w, struct unit *u, const struct life_event *ev)
{
	struct life_policy policy;
	struct life_out out;

	wake_policy(w, u, &policy);
	if (life_step(&u->life, &policy, ev, &out) != ERR_OK) {
		log_err("%s: event %s is not possible while %s (%s): ignored", u->name, life_event_text(ev->kind),
		    life_state_text(life_state(&u->life)), life_phase_text(u->life.phase));
		return;
	}
	for (unsigned i = 0; i < out.n; i++)
		if (!do_action(w, u, &out.actions[i]))
			return;
	/* Not before: it has given its boot's slot back by now, which another one may need. */
	if (out.n > 0 && out.actions[0].kind == LIFE_DO_CHANGED && out.actions[0].changed.to == LIFE_AWAKE)
		needs_release(w, u);
	needs_stepped(w, u);
	/* The states frozen and saved begin when the driver begins: who waits wants to know when it is done. */
	if (u->life.phase == LIFE_P_FROZEN || u->life.phase == LIFE_P_SAVED)
		wake_waiters_answer(w, u, true, NULL);
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

/* ---- units that leave ---- */

static void
leave_done(struct warden *w, struct unit *u)
{
	struct life_event gone = { .kind = LIFE_EV_REMOVE, .now_ms = clock_now_ms() };

	wake_post(w, u, &gone);
}

/* A time-out of nothing would be due in the same turn of the loop, before anything else is looked at. */
static const struct timeval next_turn = { 0, 1 };

static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	struct warden *w = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < LIMIT_GONE_SLICE && !LIST_EMPTY(&w->units.gone); i++) {
		leave_done(w, LIST_FIRST(&w->units.gone)->unit);
		wake_drain(w);
	}
	if (!LIST_EMPTY(&w->units.gone) && event_base_once(w->base, -1, EV_TIMEOUT, on_gone, w, &next_turn) != 0)
		fatal("event loop: %s", err_str(ERR_NOMEM));
}

/*
 * A unit without settings can do nothing but go.  So nothing may be delivered between the loss and
 * the news of it: the news is queued at once, and the queue is empty outside of steps.
 *
 * To a dormant one nothing can be delivered, since nobody finds it any more; and of these there may
 * be tens of thousands, so that they go in slices.
 */
void
wake_leave(struct warden *w, struct unit *u)
{
	if (u->leaving)
		return;
	wake_slot_withdraw(w, u);
	unit_leave(&w->units, u);
	if (life_state(&u->life) != LIFE_DORMANT) {
		leave_done(w, u);
		return;
	}
	if (LIST_EMPTY(&w->units.gone) && event_base_once(w->base, -1, EV_TIMEOUT, on_gone, w, &next_turn) != 0)
		fatal("event loop: %s", err_str(ERR_NOMEM));
	unit_gone(&w->units, u);
}

/* ---- what others tell ---- */

/* A wake that its life cycle does not hear of; `why` is said where the unit has no error. */
static void
turn_away(struct warden *w, struct unit *u, enum msg_wake_result result, unsigned ede, const char *why)
{
	const char *error = u->run != NULL && u->run->error != NULL ? u->run->error : why;

	dnslink_woken(w, u->number, result, ede);
	wake_waiters_answer(w, u, false, error);
	needs_failed(w, u, error);
	wake_drain(w);
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
	if (s != LIFE_AWAKE && s != LIFE_BOOTING && s != LIFE_STOPPING)
		unit_run(u)->trace = (struct unit_trace){ .query_ns = time_ns };
	else if (s == LIFE_STOPPING && unit_run(u)->trace.answer_ns != 0)
		u->run->trace = (struct unit_trace){ .query_ns = time_ns };
	if (u->ready_held)
		needs_wake(w, u, cause);   /* what it needs was lost while it booted */
	wake_step(w, u, &ev);
	/* Whether it gets a slot for which it has not asked yet is looked at each time somebody asks. */
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
