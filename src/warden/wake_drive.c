/* wake_drive: operations on store, driver and counters; each ends in an event with its ticket. */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/warden/ahead.h"
#include "src/warden/links.h"
#include "src/warden/parklink.h"
#include "src/warden/probelink.h"
#include "src/warden/record.h"

/*
 * A full disk keeps nobody asleep: whose the VM is stands in a file too (vm/host/owner.h), the row
 * is tried again with each change, and the store says that it is not saved.
 */
static void
intent_stored(enum err e, const char *why, void *arg)
{
	wake_op_done(arg, e == ERR_NOMEM ? e : ERR_OK, why);
}

void
wake_vm_intend(struct warden *w, struct unit *u, uint32_t ticket)
{
	struct vm_uuid uuid;

	vm_uuid_make(&uuid);
	unit_uuid_set(&w->units, u, &uuid);
	u->run->vm_memory_bytes = 0;
	unit_boot_begin(u);
	record_store(w, u, intent_stored, wake_op_new(w, u, ticket, LIFE_EV_STORED));
}

void
wake_count(struct warden *w, const struct unit *u, const struct vm_uuid *uuid)
{
	struct vm_activity_nic nics[LIMIT_NICS];
	struct vm_ids ids;
	const struct config_passive *passive;
	uint64_t below;
	unsigned n;

	if (w->activity == NULL || u->conf == NULL)
		return;
	ids = vm_ids_get(w->vms, uuid);
	n = spec_nics(&w->secret, u->conf, &ids, nics);
	below = u->conf->policy.idle_below;
	passive = u->conf->policy.passive;
	for (unsigned i = 0; i < n; i++) {
		nics[i].below_bytes = CONFIG_RATE_BYTES(below);
		nics[i].below_s = CONFIG_RATE_S(below);
		nics[i].passive = passive != NULL ? passive->from : NULL;
		nics[i].npassive = passive != NULL ? passive->n : 0;
	}
	vm_activity_watch(w->activity, uuid, nics, n);
}

void
wake_go_on(struct warden *w, struct unit *u, uint32_t ticket)
{
	if (u->life.phase == LIFE_P_THAWING)
		vm_thaw(w->vms, &u->run->uuid, u->conf->mac, parklink_holds(u), wake_vm_done,
		    wake_op_new(w, u, ticket, LIFE_EV_THAWED));
	else
		wake_slot_ask(w, u, ticket);
}

static void
vm_started(struct warden *w, struct unit *u, const struct vm_result *res)
{
	struct unit_run *r = unit_run(u);

	u->boots++;
	w->totals.boots++;
	r->trace.exec_ns = res->exec_ns;
	snprintf(r->detail, sizeof(r->detail), "%s", res->detail != NULL ? res->detail : "");
	r->count_waits = true;
	if (r->probe_waits && u->conf != NULL)
		probelink_start(w, u, false);
	links_started(w, u);
}

static void
vm_stopped(
    struct warden *w, struct unit *u, const struct vm_uuid *uuid, const struct vm_result *res)
{
	if (res->console_len > 0)
		unit_console_set(u, res->console, res->console_len);
	if (w->activity != NULL)
		vm_activity_unwatch(w->activity, uuid);
	unit_uuid_set(&w->units, u, NULL);
	u->run->awake_since_ns = 0;
}

/*
 * After a restore that failed the wake goes on with a cold boot, unless that could not be tried.  A
 * guest that did not let itself be saved once is not asked again until a reload.
 */
void
wake_vm_done(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct wake_op *op = arg;
	struct unit *u = unit_by_number(&op->w->units, op->unit);
	enum life_event_kind kind = op->ends_with;
	bool worked = res->err == ERR_OK, gone = worked || res->err == ERR_MISSING;

	op->kept = res->kept || (kind == LIFE_EV_RESTORED && res->saved);
	if (u != NULL && worked && (kind == LIFE_EV_STARTED || kind == LIFE_EV_RESTORED)) {
		vm_started(op->w, u, res);
	} else if (u != NULL && gone && kind == LIFE_EV_STOPPED) {
		vm_stopped(op->w, u, uuid, res);
	} else if (u != NULL && kind == LIFE_EV_RESTORED && !res->saved) {
		log_warn("%s: its saved state is of no use, and it boots anew: %s", u->name,
		    res->text);
		parklink_lost(op->w, u);
	} else if (u != NULL && !gone && kind == LIFE_EV_SAVED && !res->kept) {
		u->save_failed = true;
		log_warn("%s: it cannot be saved, and is stopped from now on: %s", u->name,
		    res->text);
	}
	if (u != NULL && res->kept)
		log_warn("%s: %s", u->name, res->text);
	if (u != NULL && res->console_len > 0 && !worked)
		unit_console_set(u, res->console, res->console_len);
	ahead_soon(op->w);     /* a state begins when its operation does */
	wake_op_done(op, res->err, res->text);
}

void
wake_vm_start(struct warden *w, struct unit *u, uint32_t ticket, bool restore)
{
	struct wake_op *op =
	    wake_op_new(w, u, ticket, restore ? LIFE_EV_RESTORED : LIFE_EV_STARTED);
	char identity[RECORD_IDENTITY];
	struct errmsg m;
	struct vm_spec spec;
	enum err e = links_check(w, u, &m);

	unit_links_reset(u);
	if (e == ERR_OK)
		e = probelink_plan(w, u, &m);
	u->run->no_network = e != ERR_OK;
	if (restore)
		unit_boot_begin(u);   /* as INTENT does before a cold boot */
	u->run->vm_memory_bytes = u->conf->policy.memory_bytes;
	u->run->vm_driver = u->conf->image->driver_name;
	snprintf(u->run->vm_image, sizeof(u->run->vm_image), "%s", u->conf->image->name);
	if (e == ERR_OK)
		e = spec_build(w->gen->conf, &w->secret, u->conf, &u->run->uuid, &spec, &m);
	if (e != ERR_OK) {
		op->kept = restore;
		wake_op_done(op, e, m.text);
		return;
	}
	record_identity(u->conf, identity);
	spec.identity = arena_strdup(&spec.memory, identity);
	spec.link = parklink_holds(u);
	if (restore) {
		vm_restore(w->vms, &spec, wake_vm_done, op);
		return;
	}
	parklink_guard(w, u);
	vm_start(w->vms, &spec, wake_vm_done, op);
}

void
wake_vm_stop(struct warden *w, struct unit *u, const struct life_action *a)
{
	if (!unit_has_vm(u)) {
		wake_post_result(w, u, LIFE_EV_STOPPED, a->ticket, ERR_MISSING);
		return;
	}
	parklink_stops(w, u, a->stop.shutdown);
	vm_stop(w->vms, &u->run->uuid, a->stop.shutdown ? VM_STOP_SHUTDOWN : VM_STOP_DESTROY,
	    a->stop.deadline_ms, wake_vm_done, wake_op_new(w, u, a->ticket, LIFE_EV_STOPPED));
}

/* When the unit was used last, as the life cycle asks at a deadline. */
static struct life_event
activity_event(const struct warden *w, const struct unit *u, uint32_t ticket, enum err result)
{
	struct life_event ev = { .kind = LIFE_EV_ACTIVITY, .now_ms = clock_now_ms(),
		.ticket = ticket, .result = result };

	ev.activity.last_query_ms = board_last_query_ns(&w->board, u->number, clock_now_ns()) /
	    NS_PER_MS;
	if (u->run != NULL)
		ev.activity.last_packet_ms = u->run->last_packet_ns / NS_PER_MS;
	/* A unit that needs this one is awake: that counts as use, and as contact. */
	if (needs_used(w, u))
		ev.activity.last_packet_ms = ev.now_ms;
	return ev;
}

/* Connections that are open are use now, and contact; `keep-open`. */
static void
flows_read(enum err e, uint64_t bytes, const struct vm_flow *flows, unsigned n, const char *why,
    void *arg)
{
	struct wake_op *op = arg;
	struct warden *w = op->w;
	struct unit *u = unit_by_number(&w->units, op->unit);
	struct life_event ev;

	(void)bytes;
	(void)flows;
	if (u != NULL && e != ERR_OK)
		log_warn("%s: connections: %s", u->name, why);
	if (u != NULL) {
		ev = activity_event(w, u, op->ticket, e);
		if (n > 0)
			ev.activity.last_packet_ms = ev.now_ms;
		wake_step(w, u, &ev);
	}
	free(op);
}

static void
activity_read(enum err e, uint64_t last_ns, const char *why, void *arg)
{
	struct wake_op *op = arg;
	struct warden *w = op->w;
	struct unit *u = unit_by_number(&w->units, op->unit);
	struct life_event ev;

	if (u != NULL && e == ERR_OK && last_ns > unit_run(u)->last_packet_ns)
		u->run->last_packet_ns = last_ns;
	if (u != NULL && e == ERR_OK && u->conf != NULL && u->conf->policy.keep_open &&
	    unit_has_vm(u)) {
		vm_activity_flows(w->activity, &u->run->uuid, flows_read, op);
		return;
	}
	if (u != NULL && e != ERR_OK)
		log_warn("%s: payload counters: %s", u->name, why);
	if (u != NULL) {
		ev = activity_event(w, u, op->ticket, e);
		wake_step(w, u, &ev);
	}
	free(op);
}

void
wake_use_read(struct warden *w, struct unit *u, uint32_t ticket)
{
	struct life_event ev;

	wake_check(w, u);
	if (w->activity != NULL && unit_has_vm(u)) {
		vm_activity_read(w->activity, &u->run->uuid, activity_read,
		    wake_op_new(w, u, ticket, LIFE_EV_ACTIVITY));
		return;
	}
	ev = activity_event(w, u, ticket, ERR_OK);
	wake_post(w, u, &ev);
}
