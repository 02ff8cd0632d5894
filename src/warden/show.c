/* show: units and events as JSON. */
#include "src/warden/show.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "src/warden/ahead.h"
#include "src/warden/wake.h"

json_t *
show_bytes(const char *bytes, size_t len)
{
	char *text = utf8_from_bytes(bytes, len);
	json_t *j = text != NULL ? json_string(text) : NULL;

	free(text);
	return j;
}

json_t *
show_text(const char *text)
{
	return text == NULL || text[0] == '\0' ? json_null() : show_bytes(text, strlen(text));
}

json_t *
show_number(int64_t n)
{
	return n > 0 ? json_integer(n) : json_null();
}

json_t *
show_joined(json_t *j, json_t *more)
{
	if (json_object_update(j, more) != 0) {   /* as where one is NULL */
		json_decref(j);
		j = NULL;
	}
	json_decref(more);
	return j;
}

/* A leg that did not happen is skipped, and the next counts from the one before. */
void
show_steps(const struct unit_trace *t, int64_t steps[STORE_STEPS])
{
	const uint64_t at[STORE_STEPS] = { t->exec_ns, t->alive_ns, t->ready_ns, t->answer_ns };
	uint64_t from = t->query_ns;

	for (int i = 0; i < STORE_STEPS; i++) {
		steps[i] = STORE_STEP_NONE;
		if (from != 0 && at[i] >= from) {
			steps[i] = (int64_t)((at[i] - from) / 1000);
			from = at[i];
		}
	}
}

static json_t *
steps_json(const int64_t step_us[STORE_STEPS])
{
	json_t *steps = json_object();

	for (int i = 0; i < STORE_STEPS; i++)
		if (step_us[i] != STORE_STEP_NONE)
			(void)json_object_set_new(
			    steps, store_step_names[i], json_integer(step_us[i]));
	return steps;
}

json_t *
show_event(const struct store_event *ev)
{
	return json_pack("{s:f, s:s, s:s, s:o, s:o}", "time", (double)ev->time_us / 1e6,
	    "unit", ev->unit, "kind", ev->kind, "durations_us", steps_json(ev->step_us),
	    "text", show_bytes(ev->text, strlen(ev->text)));
}

static json_t *
addresses_json(const struct unit_conf *uc)
{
	json_t *a = json_array();
	char text[ADDR_TEXT];

	for (unsigned i = 0; i < uc->naddrs; i++) {
		addr_text(&uc->addrs[i], text);
		(void)json_array_append_new(a, json_string(text));
	}
	return a;
}

json_t *
show_seconds(bool known, uint64_t ns)
{
	return known ? json_integer((json_int_t)(ns / NS_PER_S)) : json_null();
}

/* What the unit's VM was started with; NULL: there is none, or nobody knows. */
static const struct unit_run *
vm_of(const struct unit *u)
{
	return unit_has_vm(u) && u->run->vm_memory_bytes != 0 ? u->run : NULL;
}

/* What a reload has changed since, for the next boot; null when it is the same. */
static json_t *
next_json(const struct unit *u)
{
	const struct unit_run *vm = vm_of(u);

	if (vm == NULL ||
	    (vm->vm_memory_bytes == u->conf->policy.memory_bytes &&
		strcmp(vm->vm_image, u->conf->image->name) == 0))
		return json_null();
	return json_pack("{s:I, s:s}", "memory", (json_int_t)u->conf->policy.memory_bytes,
	    "image", u->conf->image->name);
}

/* What the unit costs in memory now: its VM, or one that waits to become its VM; 0: nothing. */
static uint64_t
memory_now(const struct warden *w, const struct unit *u, bool *stands_by)
{
	uint64_t bytes = 0;

	*stands_by = ahead_stands_by(w, u, &bytes);
	return !*stands_by && unit_has_vm(u) ? vm_memory_now(w->vms, &u->run->uuid) : bytes;
}

bool
show_conflict(const struct unit *u, char text[SHOW_CONFLICT])
{
	const struct unit_conflict *c = u->run != NULL ? u->run->conflicts : NULL;
	char addr[ADDR_TEXT];

	if (c != NULL && c->addr.family == 0)
		c++;
	if (c == NULL || c->addr.family == 0)
		return false;
	addr_text(&c->addr, addr);
	snprintf(text, SHOW_CONFLICT, "%s has %s, too", ADDR_MAC_STR(c->mac), addr);
	return true;
}

json_t *
show_row(const struct warden *w, const struct unit *u)
{
	/* in this order: a query may come at any moment */
	uint64_t last = wake_last_use_ns(w, u), now = clock_now_ns();
	bool awake = life_state(&u->life) == LIFE_AWAKE;
	uint64_t deadline = awake && u->run != NULL ? u->run->deadline_ns : 0;
	unsigned position = admit_position(&w->admit, &u->admit);
	enum wake_waits waits = wake_waits_for(w, u);
	bool stands_by;
	uint64_t bytes = memory_now(w, u, &stands_by);
	char conflict[SHOW_CONFLICT];
	bool conflicts = show_conflict(u, conflict);

	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:I, s:o, s:o, s:o}",
	    "name", u->name,
	    "state", life_state_text(life_state(&u->life)), "standby", (int)stands_by,
	    "memory_now", show_number((json_int_t)bytes),
	    "conflict", show_text(conflicts ? conflict : NULL),
	    "waits_for", waits != WAITS_NOT ? json_string(wake_waits_text(waits)) : json_null(),
	    "queue_position", show_number(position),
	    "image", vm_of(u) != NULL ? vm_of(u)->vm_image : u->conf->image->name,
	    "driver", vm_of(u) != NULL ? vm_of(u)->vm_driver : u->conf->image->driver_name,
	    "addresses", addresses_json(u->conf), "boots", (json_int_t)u->boots,
	    "last_boot_ms", show_number(u->last_boot_ms),
	    "idle_s", show_seconds(awake && last != 0, now - last),
	    "sleeps_in_s", show_seconds(deadline != 0, deadline > now ? deadline - now : 0));
}

json_t *
show_woken(const struct unit *u)
{
	enum life_state state = life_state(&u->life);
	json_t *j = json_pack("{s:s, s:s}", "name", u->name, "state", life_state_text(state));

	if (u->conf == NULL || state != LIFE_AWAKE)
		return j;
	return show_joined(j, json_pack("{s:o, s:o}", "boot_ms", show_number(u->last_boot_ms),
	    "addresses", addresses_json(u->conf)));
}

static json_t *
aliases_json(const struct warden *w, const struct unit *u)
{
	json_t *a = json_array();

	for (unsigned z = 0; z < w->gen->conf->nzones; z++) {
		const struct config_zone *zone = &w->gen->conf->zones[z];

		for (uint32_t i = 0; i < mapping_zone_units(w->gen->mappings, zone); i++) {
			const struct unit_conf *uc = mapping_zone_unit(w->gen->mappings, zone, i);

			if (uc->target == u->conf)
				(void)json_array_append_new(a, json_string(uc->name));
		}
	}
	return a;
}

static json_t *
needs_json(const struct warden *w, const struct unit *u)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < u->conf->nneeds; i++) {
		const struct unit *n = needs_unit(w, u, i);

		if (n != NULL)
			(void)json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "name",
			    n->name, "after", needs_after_text(u->conf->needs[i].after), "state",
			    life_state_text(life_state(&n->life))));
	}
	return all;
}

static json_t *
schedule_json(const struct config_schedule *s)
{
	json_t *all = json_array();
	char text[CONFIG_HOURS_TEXT];

	for (unsigned i = 0; s != NULL && i < s->n; i++) {
		config_hours_text(&s->at[i], text);
		(void)json_array_append_new(all, json_string(text));
	}
	return all;
}

static const char *
port_text(unsigned proto, unsigned port, char text[16])
{
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		snprintf(text, 16, "icmp");
	else
		snprintf(text, 16, "%s:%u", proto == IPPROTO_TCP ? "tcp" : "udp", port);
	return text;
}

/* "tcp:80", "udp" of any port; null: all packets. */
static json_t *
wake_on_json(const struct config_wake_on *w)
{
	json_t *all = w != NULL ? json_array() : json_null();
	char text[16];

	for (unsigned i = 0; w != NULL && i < w->n; i++)
		(void)json_array_append_new(all, json_string(
		    port_text(w->on[i].proto, w->on[i].port, text)));
	return all;
}

static json_t *
passive_json(const struct config_passive *p)
{
	char addr[ADDR_TEXT], text[ADDR_TEXT + 8];
	json_t *all = json_array();

	for (unsigned i = 0; p != NULL && i < p->n; i++) {
		addr_text(&p->from[i], addr);
		snprintf(text, sizeof(text), "%s/%u", addr, p->from[i].prefixlen);
		(void)json_array_append_new(all, json_string(text));
	}
	return all;
}

/* What is said of packets, of answers and of the tiers. */
static json_t *
policy_more_json(const struct unit_conf *uc)
{
	const struct config_policy *p = &uc->policy;

	return json_pack("{s:o, s:o, s:s, s:s, s:s, s:s}", "wake_on", wake_on_json(p->wake_on),
	    "passive_from", passive_json(p->passive),
	    "passive_port", p->passive_port == CONFIG_PASSIVE_ACCEPT ? "accept" : "closed",
	    "answer", p->answer == CONFIG_ANSWER_NOW ? "now" : "ready",
	    "after", needs_after_text(p->after),
	    "freeze_then", uc->image->freeze_then == CONFIG_FREEZE_THEN_SAVE ? "save" : "stop");
}

static json_t *
policy_json(const struct unit *u)
{
	static const char *const sleeps[] = { [CONFIG_SLEEP_STOP] = "stop",
		[CONFIG_SLEEP_FREEZE] = "freeze", [CONFIG_SLEEP_SAVE] = "save" };
	const struct unit_conf *uc = u->conf;

	return show_joined(json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:I, s:I, s:b, s:o}",
	    "idle_ms", (json_int_t)uc->policy.idle_ms, "hold_ms", (json_int_t)uc->policy.hold_ms,
	    "min_up_ms", (json_int_t)uc->policy.min_up_ms,
	    "unused_after_ms", (json_int_t)uc->policy.unused_after_ms,
	    "ready", uc->image->ready_text, "sleep", sleeps[uc->policy.sleep],
	    "save_failed", u->save_failed,
	    "idle_below_bytes", (json_int_t)CONFIG_RATE_BYTES(uc->policy.idle_below),
	    "idle_below_s", (json_int_t)CONFIG_RATE_S(uc->policy.idle_below),
	    "keep_open", uc->policy.keep_open, "schedule", schedule_json(uc->policy.schedule)),
	    policy_more_json(uc));
}

/* The legs of the last boot that failed, or else of the last wake. */
static json_t *
legs_json(const struct unit_run *r)
{
	const struct unit_trace none = { .query_ns = 0 }, *t = &none;
	int64_t steps[STORE_STEPS];

	if (r != NULL)
		t = memcmp(&r->failed, &none, sizeof(none)) != 0 ? &r->failed : &r->trace;
	show_steps(t, steps);
	return steps_json(steps);
}

bool
show_knock(const struct unit *u, char text[SHOW_KNOCK])
{
	const struct unit_knock *k = u->run != NULL ? &u->run->knock : NULL;
	char peer[ADDR_TEXT], port[16];

	if (k == NULL || u->run->woken_by != LIFE_BY_PACKET || k->peer.family == 0)
		return false;
	addr_text(&k->peer, peer);
	snprintf(text, SHOW_KNOCK, "packet from %s to %s", peer,
	    port_text(k->proto, k->port, port));
	return true;
}

/* What woke it last; null when that was before jitsud started. */
static json_t *
woken_json(const struct warden *w, const struct unit *u)
{
	const struct unit *other = u->run != NULL && u->run->woken_for != 0 ?
	    unit_by_number(&w->units, u->run->woken_for - 1) : NULL;
	char knock[SHOW_KNOCK], text[LIMIT_NAME_TEXT + 16];

	if (u->run == NULL || u->run->woken_by == 0)
		return json_null();
	if (other != NULL) {
		snprintf(text, sizeof(text), "needed by %s", other->name);
		return json_string(text);
	}
	if (show_knock(u, knock))
		return json_string(knock);
	return json_string(life_why_text((enum life_why)u->run->woken_by));
}

json_t *
show_unit(const struct warden *w, const struct unit *u)
{
	const struct unit_run *r = u->run;
	uint64_t since = r != NULL ? r->awake_since_ns : 0;
	uint64_t now = clock_now_ns(), backoff = u->life.backoff_until_ms * NS_PER_MS;
	struct vm_ids ids = { .pid = 0 };
	char mac[ADDR_MAC_TEXT], uuid[VM_UUID_TEXT] = "";
	/* In a row; the life cycle counts on until a VM was awake for a while. */
	json_int_t failures = life_state(&u->life) == LIFE_AWAKE ? 0 : u->life.failures;
	uint64_t queries =
	    atomic_load_explicit(&w->board.use[u->number].queries, memory_order_relaxed);

	addr_mac_text(u->conf->mac, mac);
	if (r != NULL && r->has_vm) {
		vm_uuid_text(&r->uuid, uuid);
		ids = vm_ids_get(w->vms, &r->uuid);
	}
	return show_joined(show_row(w, u), json_pack("{s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o, "
	    "s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:s, s:I, s:o, s:o, s:s, s:o, s:o}",
	    "aliases", aliases_json(w, u), "mac", mac, "uuid", show_text(uuid),
	    "pid", show_number(ids.pid), "domid", show_number(ids.domid),
	    "memory", (json_int_t)(vm_of(u) != NULL ? vm_of(u)->vm_memory_bytes :
	    u->conf->policy.memory_bytes),
	    "next", next_json(u), "policy", policy_json(u), "crashes", (json_int_t)u->crashes,
	    "failures", failures, "queries", (json_int_t)queries,
	    "backoff_s", show_seconds(backoff > now, backoff - now), "durations_us", legs_json(r),
	    "last_error", show_text(r != NULL ? r->error : NULL),
	    "console", show_text(r != NULL ? r->console : NULL), "file", u->conf->file,
	    "line", (json_int_t)u->conf->line, "accel", show_text(r != NULL ? r->detail : NULL),
	    "since_s", show_seconds(since != 0, now - since), "zone", u->conf->zone->origin,
	    "needs", needs_json(w, u), "woken_by", woken_json(w, u)));
}
