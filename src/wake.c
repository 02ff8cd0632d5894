/*
 * wake: carries out what the life cycle (life.h) decides: slots, store, driver, probes, timers, answers.
 *
 * Every action is started here and ends in an event that brings the action's ticket back.  An event that arises while a step's actions are
 * being done waits in w->pending until they all are.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/needs.h"
#include "src/record.h"
#include "src/spec.h"
#include "src/warden.h"

struct wake_pending {
	STAILQ_ENTRY(wake_pending) next;
	uint32_t unit;
	struct life_event ev;
};

/* An operation under way: what its completion needs to find the unit again. */
struct op {
	struct warden *w;
	uint32_t unit;
	uint32_t ticket;
	enum life_event_kind ends_with;
	bool kept;                 /* RESTORED: for its event */
};

static struct op *
op_new(struct warden *w, const struct unit *u, uint32_t ticket, enum life_event_kind ends_with)
{
	struct op *op = malloc(sizeof(*op));

	if (op == NULL)
		fatal("unit %s: %s", u->name, err_str(ERR_NOMEM));
	*op = (struct op){ .w = w, .unit = u->number, .ticket = ticket, .ends_with = ends_with };
	return op;
}

static uint64_t
now_ms(void)
{
	return clock_now_ns() / NS_PER_MS;
}

static void pending_drain(struct warden *w);

/* ---- events ---- */

static void
post(struct warden *w, const struct unit *u, const struct life_event *ev)
{
	struct wake_pending *p = malloc(sizeof(*p));

	if (p == NULL)
		fatal("unit %s: %s", u->name, err_str(ERR_NOMEM));
	p->unit = u->number;
	p->ev = *ev;
	STAILQ_INSERT_TAIL(&w->pending, p, next);
}

static void
post_result(struct warden *w, const struct unit *u, enum life_event_kind kind, uint32_t ticket, enum err result)
{
	struct life_event ev = { .kind = kind, .now_ms = now_ms(), .ticket = ticket, .result = result };

	post(w, u, &ev);
}

/* When the unit was used last, as the life cycle asks at a deadline. */
static void
fill_activity(const struct warden *w, const struct unit *u, struct life_event *ev)
{
	ev->activity.last_query_ms = board_last_query_ns(&w->board, u->number, clock_now_ns()) / NS_PER_MS;
	if (u->run != NULL)
		ev->activity.last_packet_ms = u->run->last_packet_ns / NS_PER_MS;
	/* One that needs it is awake: that is use, and contact. */
	if (needs_used(w, u))
		ev->activity.last_packet_ms = ev->now_ms;
}

/* The result of an operation, from the loop. */
static void
op_done(struct op *op, enum err result, const char *why)
{
	struct warden *w = op->w;
	struct unit *u = unit_by_number(&w->units, op->unit);
	struct life_event ev = { .kind = op->ends_with, .now_ms = now_ms(), .ticket = op->ticket, .result = result };

	struct errmsg m = { "" };

	if (ev.kind == LIFE_EV_RESTORED)
		ev.kept = op->kept;
	free(op);
	if (u == NULL)
		return;
	/* Nothing to stop is no failure; a kernel that is missing is one. */
	if (result != ERR_OK && !(result == ERR_MISSING && ev.kind == LIFE_EV_STOPPED) && why != NULL && why[0] != '\0') {
		(void)err_set(&m, result, "%s%s", ev.kind == LIFE_EV_RESTORED && ev.kept ? "it stays saved: " : "", why);
		unit_error_set(u, m.text);
	}
	wake_step(w, u, &ev);
}

/* ---- waiting operators ---- */

void
wake_wait(struct warden *w, struct unit *u, struct control_request *req, bool for_sleep)
{
	struct unit_waiter *waiter = calloc(1, sizeof(*waiter));

	(void)w;
	if (waiter == NULL) {
		control_fail(req, "%s", err_str(ERR_NOMEM));
		return;
	}
	waiter->req = req;
	waiter->for_sleep = for_sleep;
	SLIST_INSERT_HEAD(&unit_run(u)->waiters, waiter, next);
}

/* Answers those who wait for this; `failed` = NULL when it worked. */
static void
answer_waiters(struct warden *w, struct unit *u, bool for_sleep, const char *failed)
{
	struct unit_waiter *x, *tmp;

	if (u->run == NULL)
		return;
	for (x = SLIST_FIRST(&u->run->waiters); x != NULL; x = tmp) {
		tmp = SLIST_NEXT(x, next);
		if (x->for_sleep != for_sleep)
			continue;
		SLIST_REMOVE(&u->run->waiters, x, unit_waiter, next);
		if (failed != NULL)
			control_fail(x->req, "%s: %s", u->name, failed);
		else
			control_reply(x->req, record_woken_json(w, u));
		free(x);
	}
}

void
wake_answer_all(struct warden *w, const char *why)
{
	for (uint32_t i = 0; i < w->units.next; i++) {
		struct unit *u = unit_by_number(&w->units, i);

		if (u == NULL)
			continue;
		answer_waiters(w, u, true, why);
		answer_waiters(w, u, false, why);
	}
}

/* ---- the actions ---- */

static void
do_changed(struct warden *w, struct unit *u, const struct life_action *a)
{
	enum life_state to = a->changed.to;

	wake_board(w, u);
	if (to == LIFE_AWAKE) {
		if (unit_run(u)->awake_since_ns == 0)
			u->run->awake_since_ns = clock_now_ns();
		needs_release(w, u);
	}
	if (to == LIFE_FAILED || a->changed.why == LIFE_WHY_DIED) {
		w->totals.failures += to == LIFE_FAILED;
		if (unit_run(u)->error == NULL || a->changed.why == LIFE_WHY_NOT_READY)
			unit_error_set(u, life_why_text(a->changed.why));
	}
	record_change(w, u, a->changed.from, to, a->changed.why);
	if (to == LIFE_FAILED && a->changed.why == LIFE_WHY_STOP)
		answer_waiters(w, u, true, "its VM could not be stopped");
	else if (to == LIFE_DORMANT || to == LIFE_FAILED || a->changed.from == LIFE_STOPPING ||
	    (to == LIFE_BOOTING && (a->changed.from == LIFE_FROZEN || a->changed.from == LIFE_SAVED)))
		answer_waiters(w, u, true, NULL);   /* it slept, even if somebody woke it meanwhile */
}

static void
behind_set(struct warden *w, struct unit *u, bool behind)
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

	behind_set(w, u, before != NULL);
	if (before == NULL)
		return false;
	snprintf(why, sizeof(why), "the VM of the former %s, which has its name, MAC or address, is not gone yet", before->name);
	unit_error_set(u, why);
	log_info("%s: %s", u->name, why);
	unit_run(u)->admit_ticket = ticket;
	return true;
}

static void
do_admit(struct warden *w, struct unit *u, uint32_t ticket)
{
	bool operator = u->life.why == LIFE_WHY_OPERATOR;

	if (waits_behind(w, u, ticket))
		return;
	u->admit.memory_bytes = u->conf->policy.memory_bytes;
	switch (admit_ask(&w->admit, &u->admit, now_ms(), operator)) {
	case ADMIT_NOW:
		post_result(w, u, LIFE_EV_ADMITTED, ticket, ERR_OK);
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
	post_result(w, u, LIFE_EV_REFUSED, ticket, ERR_LIMIT);
}

void
wake_admit(struct warden *w)
{
	struct admit_waiter *x;

	while ((x = admit_next(&w->admit)) != NULL) {
		struct unit *u = (struct unit *)((char *)x - offsetof(struct unit, admit));

		post_result(w, u, LIFE_EV_ADMITTED, unit_run(u)->admit_ticket, ERR_OK);
	}
	pending_drain(w);
}

static void
intent_stored(enum err e, const char *why, void *arg)
{
	op_done(arg, e, why);
}

static void
do_intent(struct warden *w, struct unit *u, uint32_t ticket)
{
	struct vm_uuid uuid;

	vm_uuid_make(&uuid);
	unit_uuid_set(&w->units, u, &uuid);
	unit_error_set(u, NULL);
	unit_console_set(u, NULL);
	record_store(w, u, intent_stored, op_new(w, u, ticket, LIFE_EV_STORED));
}

static void
vm_op_done(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);

	(void)uuid;
	if (u != NULL && res->console[0] != '\0' && res->err != ERR_OK)
		unit_console_set(u, res->console);
	op_done(op, res->err, res->text);
}

void
wake_count(struct warden *w, const struct unit *u, const struct vm_uuid *uuid)
{
	struct vm_ids ids;

	if (w->activity == NULL || u->conf == NULL)
		return;
	ids = vm_ids_get(w->vms, uuid);
	vm_activity_watch(w->activity, uuid, ids.nic, u->conf->mac);
}

/* What a guest did not do once it will not do next time: that wait is spared, and said. */
static void
vm_saved(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);

	if (u != NULL && res->err != ERR_OK && res->err != ERR_MISSING) {
		u->save_failed = true;
		log_warn("%s: it cannot be saved, and is stopped from now on: %s", u->name, res->text);
	}
	vm_op_done(uuid, res, arg);
}

static void
vm_started(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);

	if (u != NULL && res->err == ERR_OK) {
		struct unit_run *r = unit_run(u);

		u->boots++;
		op->w->totals.boots++;
		r->trace.exec_ns = res->exec_ns;
		snprintf(r->detail, sizeof(r->detail), "%s", res->detail != NULL ? res->detail : "");
		r->count_waits = true;
		if (r->probe_waits && u->conf != NULL)
			probelink_start(op->w, u, false);
	}
	vm_op_done(uuid, res, arg);
}

/*
 * After a failure the same wake goes on with a cold boot, and what the guest had in memory is lost; unless the restore could not be tried, which it is again
 * after the back-off.
 */
static void
vm_restored(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);

	op->kept = res->saved;
	if (u != NULL && res->err != ERR_OK && !res->saved)
		log_warn("%s: its saved state is of no use, and it boots anew: %s", u->name, res->text);
	vm_started(uuid, res, arg);
}

static void
do_start(struct warden *w, struct unit *u, uint32_t ticket, bool restore)
{
	enum life_event_kind kind = restore ? LIFE_EV_RESTORED : LIFE_EV_STARTED;
	struct errmsg m;
	struct spec spec;
	enum err e = probelink_plan(w, u, &m);

	if (restore)
		unit_error_set(u, NULL);   /* as INTENT does before a cold boot */
	if (e == ERR_OK)
		e = spec_build(w->gen->conf, &w->secret, u->conf, &u->run->uuid, &spec, &m);
	if (e != ERR_OK) {
		struct op *op = op_new(w, u, ticket, kind);

		op->kept = restore;
		op_done(op, e, m.text);
		return;
	}
	if (restore)
		vm_restore(w->vms, &spec.vm, vm_restored, op_new(w, u, ticket, kind));
	else
		vm_start(w->vms, &spec.vm, vm_started, op_new(w, u, ticket, kind));
	spec_clear(&spec);
}

static void
on_delay(evutil_socket_t fd, short what, void *arg)
{
	struct op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);

	(void)fd;
	(void)what;
	if (u != NULL && u->run != NULL && u->run->probe_ticket == op->ticket)
		wake_ready(op->w, u, clock_now_ns());
	free(op);
}

static void
do_probe(struct warden *w, struct unit *u, uint32_t ticket)
{
	const struct config_ready *ready = &u->conf->image->ready;
	struct unit_run *r = unit_run(u);

	r->probe_ticket = ticket;
	r->probe_sent_ns = clock_now_ns();
	if (ready->kind == CONFIG_READY_DELAY) {
		struct timeval tv = { .tv_sec = ready->delay_ms / 1000, .tv_usec = (suseconds_t)(ready->delay_ms % 1000) * 1000 };

		if (event_base_once(w->base, -1, EV_TIMEOUT, on_delay, op_new(w, u, ticket, LIFE_EV_READY), &tv) != 0)
			fatal("unit %s: %s", u->name, err_str(ERR_NOMEM));
		return;
	}
	if (ready->kind == CONFIG_READY_XENSTORE)
		return;   /* the driver tells by an event */
	probelink_start(w, u, u->life.phase == LIFE_P_STARTING || u->life.phase == LIFE_P_RESTORING);
}

static void
do_unprobe(struct warden *w, struct unit *u)
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
		probelink_unprobe(w, u);   /* even if it needs none by now: a reload may have changed that during the boot */
	}
}

static void
vm_stopped(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);

	if (u != NULL && (res->err == ERR_OK || res->err == ERR_MISSING)) {
		if (res->console[0] != '\0')
			unit_console_set(u, res->console);
		if (op->w->activity != NULL)
			vm_activity_unwatch(op->w->activity, uuid);
		unit_uuid_set(&op->w->units, u, NULL);
		u->run->awake_since_ns = 0;
	}
	vm_op_done(uuid, res, arg);
}

static void
do_stop(struct warden *w, struct unit *u, const struct life_action *a)
{
	if (u->run == NULL || !u->run->has_vm) {
		post_result(w, u, LIFE_EV_STOPPED, a->ticket, ERR_MISSING);
		return;
	}
	vm_stop(w->vms, &u->run->uuid, a->stop.shutdown ? VM_STOP_SHUTDOWN : VM_STOP_DESTROY, a->stop.deadline_ms, vm_stopped,
	    op_new(w, u, a->ticket, LIFE_EV_STOPPED));
}

static void
activity_read(enum err e, uint64_t last_ns, const char *why, void *arg)
{
	struct op *op = arg;
	struct warden *w = op->w;
	struct unit *u = unit_by_number(&w->units, op->unit);
	struct life_event ev = { .kind = LIFE_EV_ACTIVITY, .now_ms = now_ms(), .ticket = op->ticket, .result = e };

	free(op);
	if (u == NULL)
		return;
	if (e != ERR_OK)
		log_warn("%s: payload counters: %s", u->name, why);
	else if (last_ns > unit_run(u)->last_packet_ns)
		u->run->last_packet_ns = last_ns;
	fill_activity(w, u, &ev);
	wake_step(w, u, &ev);
}

static void
do_read(struct warden *w, struct unit *u, uint32_t ticket)
{
	struct life_event ev = { .kind = LIFE_EV_ACTIVITY, .now_ms = now_ms(), .ticket = ticket };

	if (w->activity != NULL && u->conf != NULL) {
		vm_activity_read(w->activity, u->conf->mac, activity_read, op_new(w, u, ticket, LIFE_EV_ACTIVITY));
		return;
	}
	fill_activity(w, u, &ev);
	post(w, u, &ev);
}

static void
do_woken(struct warden *w, struct unit *u, enum msg_wake_result result)
{
	const char *error = u->run != NULL && u->run->error != NULL ? u->run->error : NULL;

	switch (result) {
	case WAKE_READY:
		dnslink_woken(w, u->number, result, 0);
		answer_waiters(w, u, false, NULL);
		break;
	case WAKE_REFUSED:
		dnslink_woken(w, u->number, result, MSG_EDE_NOT_READY);
		answer_waiters(w, u, false, u->life.why != LIFE_WHY_REFUSED ? "it was sent to sleep" : error != NULL ? error :
		    "a limit is reached");
		break;
	case WAKE_FAILED:
		dnslink_woken(w, u->number, result, MSG_EDE_OTHER);
		answer_waiters(w, u, false, error != NULL ? error : life_why_text(u->life.why));
		break;
	case WAKE_GONE:
		dnslink_woken(w, u->number, result, 0);
		answer_waiters(w, u, false, "it is no longer in the configuration");
		break;
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);
	struct life_event ev = { .kind = LIFE_EV_TIMER, .now_ms = now_ms() };

	(void)fd;
	(void)what;
	if (u != NULL)
		wake_step(op->w, u, &ev);
}

static void
do_timer(struct warden *w, struct unit *u, uint64_t at_ms)
{
	struct unit_run *r = u->run;
	uint64_t now = now_ms(), in;
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
		r->timer_arg = op_new(w, u, 0, LIFE_EV_TIMER);
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
	answer_waiters(w, u, true, NULL);
	answer_waiters(w, u, false, "it is no longer in the configuration");
	/* A unit of the same name may have come meanwhile; then the row is its. */
	if (unit_by_name(&w->units, u->name) == NULL)
		store_unit_delete(w->store, u->name, NULL, NULL);
	unit_free(&w->units, u);
	for (uint32_t i = 0; i < w->units.next && w->behind > 0; i++) {
		struct unit *x = unit_by_number(&w->units, i);

		if (x != NULL && x->behind)
			do_admit(w, x, x->run->admit_ticket);
	}
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
		do_admit(w, u, a->ticket);
		break;
	case LIFE_DO_CLAIM:
		u->admit.memory_bytes = u->conf != NULL ? u->conf->policy.memory_bytes : 0;
		admit_take(&w->admit, &u->admit);
		break;
	case LIFE_DO_RELEASE:
		behind_set(w, u, false);
		admit_release(&w->admit, &u->admit);
		wake_admit(w);
		break;
	case LIFE_DO_BOOT_DONE:
		admit_boot_done(&w->admit, &u->admit);
		wake_admit(w);
		break;
	case LIFE_DO_INTENT:
		do_intent(w, u, a->ticket);
		break;
	case LIFE_DO_START:
		do_start(w, u, a->ticket, false);
		break;
	case LIFE_DO_RESTORE:
		do_start(w, u, a->ticket, true);
		break;
	case LIFE_DO_PROBE:
		do_probe(w, u, a->ticket);
		break;
	case LIFE_DO_UNPROBE:
		do_unprobe(w, u);
		break;
	case LIFE_DO_FREEZE:
		vm_freeze(w->vms, &u->run->uuid, vm_op_done, op_new(w, u, a->ticket, LIFE_EV_FROZEN));
		break;
	case LIFE_DO_THAW:
		vm_thaw(w->vms, &u->run->uuid, vm_op_done, op_new(w, u, a->ticket, LIFE_EV_THAWED));
		break;
	case LIFE_DO_SAVE:
		vm_save(w->vms, &u->run->uuid, vm_saved, op_new(w, u, a->ticket, LIFE_EV_SAVED));
		break;
	case LIFE_DO_STOP:
		do_stop(w, u, a);
		break;
	case LIFE_DO_READ:
		do_read(w, u, a->ticket);
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
	/* The states frozen and saved begin when the driver begins: who waits wants to know when it is done. */
	if (u->life.phase == LIFE_P_FROZEN || u->life.phase == LIFE_P_SAVED)
		answer_waiters(w, u, true, NULL);
}

/* Events of steps in progress wait until those are done. */
static void
pending_drain(struct warden *w)
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
	post(w, u, ev);
	pending_drain(w);
}

/* ---- what others tell ---- */

void
wake_request_alone(struct warden *w, struct unit *u, enum life_cause cause, uint64_t time_ns)
{
	uint64_t now = clock_now_ns();
	struct life_event ev = { .kind = LIFE_EV_WAKE, .now_ms = now / NS_PER_MS, .cause = cause };
	enum life_state s = life_state(&u->life);

	if (time_ns == 0 || time_ns > now)
		time_ns = now;
	if (time_ns > u->last_use_ns)
		u->last_use_ns = time_ns;
	w->totals.wakes++;
	/* The first of a wake's causes starts its clock. */
	if (s != LIFE_AWAKE && s != LIFE_BOOTING && s != LIFE_STOPPING)
		unit_run(u)->trace = (struct unit_trace){ .query_ns = time_ns };
	else if (s == LIFE_STOPPING && unit_run(u)->trace.answer_ns != 0)
		u->run->trace = (struct unit_trace){ .query_ns = time_ns };
	wake_step(w, u, &ev);
}

void
wake_request(struct warden *w, struct unit *u, enum life_cause cause, uint64_t time_ns)
{
	/* First, so that in the queue for slots nobody is behind a unit that waits for it. */
	if (life_state(&u->life) != LIFE_AWAKE)
		needs_wake(w, u);
	wake_request_alone(w, u, cause, time_ns);
}

void
wake_alive(struct warden *w, struct unit *u, uint64_t seen_ns)
{
	(void)w;
	if (u->run != NULL && u->run->probe_ticket != 0 && seen_ns >= u->run->probe_sent_ns && u->run->trace.alive_ns == 0)
		u->run->trace.alive_ns = seen_ns;
}

/* The readiness test succeeded and everything that the unit needs is awake. */
static void
ready_now(struct warden *w, struct unit *u)
{
	struct life_event ev = { .kind = LIFE_EV_READY, .now_ms = now_ms() };
	struct unit_run *r = u->run;

	ev.ticket = r->probe_ticket;
	r->probe_ticket = 0;
	if (u->conf == NULL || u->conf->image->ready.kind != CONFIG_READY_DELAY)
		probelink_unprobe(w, u);
	if (r->trace.query_ns != 0 && r->trace.ready_ns > r->trace.query_ns)
		u->last_boot_ms = (uint32_t)((r->trace.ready_ns - r->trace.query_ns) / NS_PER_MS);
	wake_step(w, u, &ev);
	if (u->run != NULL && u->run->has_vm && u->run->count_waits) {
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
	needs_wake(w, u);
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
wake_answered(struct warden *w, struct unit *u, uint64_t first_query_ns, uint64_t time_ns, unsigned answers, bool expired)
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

void
wake_vm_event(const struct vm_event *ev, void *arg)
{
	struct warden *w = arg;
	struct unit *u = unit_by_uuid(&w->units, &ev->uuid);
	struct life_event died = { .kind = LIFE_EV_DIED, .now_ms = ev->time_ns / NS_PER_MS };

	if (ev->kind == VM_EVENT_LOG) {
		log_warn("%s: %s", u != NULL ? u->name : "driver", ev->text);
		return;
	}
	if (u == NULL)
		return;
	if (ev->kind == VM_EVENT_READY) {
		wake_ready(w, u, ev->time_ns);
		return;
	}
	u->crashes++;
	w->totals.crashes++;
	unit_error_set(u, ev->text);
	unit_console_set(u, ev->console);
	record_died(w, u, ev->text);
	if (w->activity != NULL)
		vm_activity_unwatch(w->activity, &ev->uuid);
	if (u->life.phase != LIFE_P_SAVING)   /* its state may be saved under that name by now */
		unit_uuid_set(&w->units, u, NULL);
	u->run->awake_since_ns = 0;
	wake_step(w, u, &died);
}
