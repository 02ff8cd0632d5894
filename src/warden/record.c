/* record: log lines, stored events, rows, and units as JSON. */
#include "src/warden/record.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/siphash.h"
#include "base/utf8.h"
#include "src/warden/warden.h"

/* ---- events ---- */

json_t *
record_bytes_json(const char *bytes, size_t len)
{
	char *text = utf8_from_bytes(bytes, len);
	json_t *j = text != NULL ? json_string(text) : NULL;

	free(text);
	return j;
}

static json_t *
steps_json(const int64_t step_us[STORE_STEPS])
{
	json_t *steps = json_object();

	for (int i = 0; i < STORE_STEPS; i++)
		if (step_us[i] != STORE_STEP_NONE)
			(void)json_object_set_new(steps, store_step_names[i], json_integer(step_us[i]));
	return steps;
}

json_t *
record_event_json(const struct store_event *ev)
{
	json_t *steps = steps_json(ev->step_us), *j;

	j = json_pack("{s:f, s:s, s:s, s:o, s:o}", "time", (double)ev->time_us / 1e6, "unit", ev->unit, "kind", ev->kind,
	    "durations_us", steps, "text", record_bytes_json(ev->text, strlen(ev->text)));
	return j;
}

static void
emit(struct warden *w, struct store_event *ev)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ev->time_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	ev->mono_ns = clock_now_ns();
	store_event_add(w->store, ev);
	if (w->control != NULL && control_has_followers(w->control)) {
		json_t *j = record_event_json(ev);

		if (j != NULL)
			control_event_push(w->control, ev->unit[0] != '\0' ? ev->unit : NULL, j);
		json_decref(j);
	}
}

void
record_event(struct warden *w, const char *unit, const char *kind, const char *text)
{
	struct store_event ev = STORE_EVENT(unit, kind, text);

	emit(w, &ev);
}

static int64_t
leg_us(uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns == 0 || to_ns < from_ns)
		return STORE_STEP_NONE;
	return (int64_t)((to_ns - from_ns) / 1000);
}

/* The legs of a wake; one that did not happen is skipped, and the next counts from the one before it. */
static void
trace_steps(const struct unit_trace *t, int64_t steps[STORE_STEPS])
{
	const uint64_t at[STORE_STEPS] = { t->exec_ns, t->alive_ns, t->ready_ns, t->answer_ns };
	uint64_t from = t->query_ns;

	for (int i = 0; i < STORE_STEPS; i++) {
		steps[i] = at[i] != 0 ? leg_us(from, at[i]) : STORE_STEP_NONE;
		if (steps[i] != STORE_STEP_NONE)
			from = at[i];
	}
}

static void
steps_text(const int64_t steps[STORE_STEPS], char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < STORE_STEPS && used < size; i++) {
		if (steps[i] == STORE_STEP_NONE)
			continue;
		used += (size_t)snprintf(buf + used, size - used, "%s%s %.1f ms", used == 0 ? ": " : ", ", store_step_names[i],
		    (double)steps[i] / 1000);
	}
}

/* How many changes of this kind there may be in a minute. */
static unsigned
change_bound(const struct warden *w, enum life_state to, enum life_why why)
{
	unsigned wakes = w->gen != NULL ? w->gen->conf->limits.wakes_per_minute_total : 0;

	if (why == LIFE_WHY_OPERATOR || why == LIFE_WHY_ADOPTED || why == LIFE_WHY_REMOVED)
		return UINT_MAX;
	/* Anybody may ask for a wake; whether it boots is looked at afterwards. */
	if (to == LIFE_BOOTING || why == LIFE_WHY_REFUSED || why == LIFE_WHY_NEEDS)
		return LIMIT_FLOOD_KIND;
	return wakes == 0 ? UINT_MAX : wakes > LIMIT_FLOOD_KIND ? wakes : LIMIT_FLOOD_KIND;
}

/* False: it was said often enough. */
static bool
change_pass(struct warden *w, const struct unit *u, enum life_state from, enum life_state to, enum life_why why)
{
	unsigned most = change_bound(w, to, why);
	char kind[FLOOD_KIND_TEXT];

	snprintf(kind, sizeof(kind), "%s -> %s (%s)", life_state_text(from), life_state_text(to), life_why_text(why));
	return flood_pass(w->flood, most == UINT_MAX ? FLOOD_NO_UNIT : u->number, kind, most);
}

/* A wake that is refused leaves the row as it was: in a flood of them it is not written twice for each. */
static bool
row_stays(struct unit *u, enum life_state to, enum life_why why, bool said)
{
	bool back = u->row_behind && to != LIFE_FAILED && (why == LIFE_WHY_REFUSED || why == LIFE_WHY_NEEDS);

	u->row_behind = !said && to == LIFE_BOOTING && (u->run == NULL || !u->run->has_vm);
	return back || u->row_behind;
}

/* The end of what a guest wrote: the last lines are what a person needs; all that is kept is in `jitsu show`. */
static const char *
console_tail(const struct unit *u, char *buf, size_t size)
{
	const char *console = u->run != NULL && u->run->console != NULL ? u->run->console : "";
	size_t len = strlen(console);

	if (len > 240) {
		console += len - 240;
		len = 240;
	}
	text_show(buf, size, console, len);
	return buf;
}

/* A failure: why, how far it came, and its guest's last lines. */
static void
record_failure(struct warden *w, const struct unit *u, enum life_state from, enum life_state to, enum life_why why)
{
	const char *reason = life_why_text(why), *error = u->run->error != NULL ? u->run->error : reason;
	bool boot = from == LIFE_BOOTING || from == LIFE_STOPPING, again = strncmp(error, reason, strlen(reason)) == 0;
	char legs[160] = "", text[1200], tail[1024];
	struct store_event ev = STORE_EVENT(u->name, life_state_text(LIFE_FAILED), text);

	if (boot) {
		trace_steps(&u->run->failed, ev.step_us);
		steps_text(ev.step_us, legs, sizeof(legs));
	}
	snprintf(text, sizeof(text), "%s%s%s", again ? "" : to == LIFE_FAILED ? reason : "the boot failed", again ? "" : ": ", error);
	console_tail(u, tail, sizeof(tail));
	log_warn("%s: %s -> %s (%s)%s%s%s", u->name, life_state_text(from), life_state_text(to), text, legs,
	    boot && tail[0] != '\0' ? "; console: " : "", boot ? tail : "");
	emit(w, &ev);
}

void
record_change(struct warden *w, struct unit *u, enum life_state from, enum life_state to, enum life_why why)
{
	bool said = change_pass(w, u, from, to, why), failing = u->run != NULL && u->run->failing;
	struct store_event ev = STORE_EVENT(u->name, life_state_text(to), life_why_text(why));
	char legs[160] = "", text[1200];

	if (to == LIFE_AWAKE && from == LIFE_BOOTING) {
		trace_steps(&u->run->trace, ev.step_us);
		steps_text(ev.step_us, legs, sizeof(legs));
	}
	if (why == LIFE_WHY_NEEDS && u->run != NULL && u->run->error != NULL) {
		snprintf(text, sizeof(text), "%s: %s", life_why_text(why), u->run->error);
		ev.text = text;
	}
	if (said && u->run != NULL && (to == LIFE_FAILED || (failing && from == LIFE_STOPPING)))
		record_failure(w, u, from, to, why);
	else if (said && failing && to == LIFE_STOPPING)
		log_debug("%s: %s -> %s (%s)", u->name, life_state_text(from), life_state_text(to), life_why_text(why));
	else if (said)
		log_info("%s: %s -> %s (%s)%s", u->name, life_state_text(from), life_state_text(to), ev.text, legs);
	if (said && to != LIFE_FAILED)
		emit(w, &ev);
	if (!row_stays(u, to, why, said) && !u->leaving)
		record_store(w, u, NULL, NULL);
}

void
record_answered(struct warden *w, struct unit *u, unsigned answers)
{
	char text[64];
	struct store_event ev = STORE_EVENT(u->name, "answered", text);

	if (!flood_pass(w->flood, u->number, "answered", change_bound(w, LIFE_AWAKE, LIFE_WHY_READY)))
		return;
	snprintf(text, sizeof(text), "%u held %s answered", answers, answers == 1 ? "query" : "queries");
	trace_steps(&u->run->trace, ev.step_us);
	emit(w, &ev);
}

void
record_expired(struct warden *w, struct unit *u, unsigned answers)
{
	char text[LIMIT_NAME_TEXT + 200], waits[LIMIT_NAME_TEXT + 100] = "may not get a slot";

	if (!flood_pass(w->flood, u->number, "expired", LIMIT_EXPIRED_EVENTS))
		return;
	if (wake_waits_for(w, u) != WAITS_NOT)
		wake_waits_say(w, u, waits, sizeof(waits));
	if (wake_is_unsure(w, u))
		snprintf(text, sizeof(text), "%u held %s answered with SERVFAIL, since the unit %s", answers,
		    answers == 1 ? "query" : "queries", waits);
	else
		snprintf(text, sizeof(text), "%u held %s answered before the unit was ready", answers, answers == 1 ? "query" : "queries");
	record_event(w, u->name, "expired", text);
}

void
record_died(struct warden *w, struct unit *u, const char *why)
{
	bool boot = life_state(&u->life) == LIFE_BOOTING || u->run->failing;
	char tail[1024];

	if (!flood_pass(w->flood, u->number, "died", change_bound(w, LIFE_DORMANT, LIFE_WHY_DIED)))
		return;
	console_tail(u, tail, sizeof(tail));
	if (!boot)   /* what makes a boot fail is said once, when that has ended */
		log_warn("%s: the VM ended by itself: %s%s%s", u->name, why, tail[0] != '\0' ? "; console: " : "", tail);
	record_event(w, u->name, "died", why);
}

void
record_driver_line(struct warden *w, const struct unit *u, const char *text)
{
	if (flood_pass(w->flood, u != NULL ? u->number : FLOOD_NO_UNIT, "what a driver says", LIMIT_FLOOD_KIND))
		log_warn("%s: %s", u != NULL ? u->name : "driver", text);
}

void
record_left_out(const char *kind, unsigned more, uint32_t unit, void *arg)
{
	struct warden *w = arg;
	const struct unit *u = unit != FLOOD_NO_UNIT ? unit_by_number(&w->units, unit) : NULL;
	char text[FLOOD_KIND_TEXT + 64];

	snprintf(text, sizeof(text), "%u more of this kind within a minute: %s", more, kind);
	log_warn("%s%s%s", u != NULL ? u->name : "", u != NULL ? ": " : "", text);
	record_event(w, u != NULL ? u->name : "", "more", text);
	w->totals.left_out += more;
}

void
record_identity(const struct unit_conf *uc, char text[RECORD_IDENTITY])
{
	static const uint8_t key[16] = { 0 };
	const struct config_network *net = uc->image->network;
	char all[LIMIT_UNIT_ADDRS * ADDR_TEXT + ADDR_MAC_TEXT + 512], one[ADDR_TEXT], mac[ADDR_MAC_TEXT];
	size_t used;

	addr_mac_text(uc->mac, mac);
	used = (size_t)snprintf(all, sizeof(all), "%s %.200s %.200s", mac, net->name, net->bridge);
	for (unsigned i = 0; i < uc->naddrs && used < sizeof(all); i++) {
		addr_text(&uc->addrs[i], one);
		used += (size_t)snprintf(all + used, sizeof(all) - used, " %s", one);
	}
	snprintf(text, RECORD_IDENTITY, "%016llx", (unsigned long long)siphash24(key, all, used < sizeof(all) ? used : sizeof(all) - 1));
}

void
record_store(struct warden *w, struct unit *u, store_done_cb done, void *arg)
{
	const struct unit_run *r = u->run;
	char uuid[VM_UUID_TEXT] = "", identity[RECORD_IDENTITY] = "";
	struct store_unit row = {
		.owner = u->name,
		.state = life_state_text(life_state(&u->life)),
		.uuid = uuid,
		.driver = u->conf != NULL ? u->conf->image->driver_name : "",
		.image = u->conf != NULL ? u->conf->image->name : "",
		.last_activity_ns = wake_last_use_ns(w, u),
		.backoff_until_ns = u->life.backoff_until_ms * NS_PER_MS,
		.boots = u->boots,
		.crashes = u->crashes,
		.failures = u->life.failures,
		.last_boot_ms = u->last_boot_ms,
		.last_error = "",
		.console = "",
		.identity = identity,
	};

	if (r != NULL) {
		if (r->has_vm)
			vm_uuid_text(&r->uuid, uuid);
		if (r->has_vm && u->conf != NULL)
			record_identity(u->conf, identity);
		row.awake_since_ns = r->awake_since_ns;
		row.deadline_ns = r->deadline_ns;
		if (r->error != NULL)
			row.last_error = r->error;
		if (r->console != NULL)
			row.console = r->console;
	}
	store_unit_put(w->store, &row, done, arg);
}

/* ---- JSON ---- */

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

static json_t *
seconds_json(bool known, uint64_t ns)
{
	return known ? json_integer((json_int_t)(ns / NS_PER_S)) : json_null();
}

/* What the unit's VM was started with; NULL: there is none, or nobody knows. */
static const struct unit_run *
vm_of(const struct unit *u)
{
	return u->run != NULL && u->run->has_vm && u->run->vm_memory_bytes != 0 ? u->run : NULL;
}

/* What a reload has changed since, for the next boot; null when it is the same. */
static json_t *
next_json(const struct unit *u)
{
	const struct unit_run *vm = vm_of(u);

	if (vm == NULL || (vm->vm_memory_bytes == u->conf->policy.memory_bytes && strcmp(vm->vm_image, u->conf->image->name) == 0))
		return json_null();
	return json_pack("{s:I, s:s}", "memory", (json_int_t)u->conf->policy.memory_bytes, "image", u->conf->image->name);
}

json_t *
record_list_json(const struct warden *w, const struct unit *u)
{
	uint64_t last = wake_last_use_ns(w, u), now = clock_now_ns();   /* in this order: a query may come at any moment */
	bool awake = life_state(&u->life) == LIFE_AWAKE;
	uint64_t deadline = awake && u->run != NULL ? u->run->deadline_ns : 0;

	unsigned position = admit_position(&w->admit, &u->admit);
	enum wake_waits waits = wake_waits_for(w, u);

	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:s, s:o, s:I, s:o, s:o, s:o}", "name", u->name,
	    "state", life_state_text(life_state(&u->life)),
	    "waits_for", waits != WAITS_NOT ? json_string(wake_waits_text(waits)) : json_null(),
	    "queue_position", position != 0 ? json_integer(position) : json_null(), "image", vm_of(u) != NULL ? vm_of(u)->vm_image : u->conf->image->name, "driver",
	    vm_of(u) != NULL ? vm_of(u)->vm_driver : u->conf->image->driver_name, "addresses", addresses_json(u->conf),
	    "boots", (json_int_t)u->boots, "last_boot_ms", u->last_boot_ms != 0 ? json_integer(u->last_boot_ms) : json_null(),
	    "idle_s", seconds_json(awake && last != 0, now - last),
	    "sleeps_in_s", seconds_json(deadline != 0, deadline > now ? deadline - now : 0));
}

json_t *
record_woken_json(const struct warden *w, const struct unit *u)
{
	(void)w;
	if (u->conf == NULL || life_state(&u->life) != LIFE_AWAKE)
		return json_pack("{s:s, s:s}", "name", u->name, "state", life_state_text(life_state(&u->life)));
	return json_pack("{s:s, s:s, s:o, s:o}", "name", u->name, "state", life_state_text(life_state(&u->life)),
	    "boot_ms", u->last_boot_ms != 0 ? json_integer(u->last_boot_ms) : json_null(), "addresses", addresses_json(u->conf));
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
policy_json(const struct unit *u)
{
	static const char *const sleeps[] = { [CONFIG_SLEEP_STOP] = "stop", [CONFIG_SLEEP_FREEZE] = "freeze", [CONFIG_SLEEP_SAVE] = "save" };
	const struct unit_conf *uc = u->conf;

	return json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:b}", "idle_ms", (json_int_t)uc->policy.idle_ms, "hold_ms",
	    (json_int_t)uc->policy.hold_ms, "min_up_ms", (json_int_t)uc->policy.min_up_ms, "unused_after_ms",
	    (json_int_t)uc->policy.unused_after_ms, "ready", uc->image->ready_text, "sleep",
	    sleeps[uc->policy.sleep], "save_failed", u->save_failed);
}

/* NULL and "" are null. */
json_t *
record_text_json(const char *text)
{
	return text == NULL || text[0] == '\0' ? json_null() : record_bytes_json(text, strlen(text));
}

/* Failed boots in a row, as people count them: the machine's own count waits until the VM is steady. */
static json_int_t
failures_of(const struct unit *u)
{
	return life_state(&u->life) == LIFE_AWAKE ? 0 : (json_int_t)u->life.failures;
}

/* The legs of the last boot that failed, or else of the last wake. */
static json_t *
legs_json(const struct unit_run *r)
{
	struct unit_trace none = { .query_ns = 0 };
	int64_t steps[STORE_STEPS];

	if (r != NULL)
		trace_steps(memcmp(&r->failed, &none, sizeof(none)) != 0 ? &r->failed : &r->trace, steps);
	else
		trace_steps(&none, steps);
	return steps_json(steps);
}

json_t *
record_show_json(const struct warden *w, const struct unit *u)
{
	json_t *j = record_list_json(w, u), *more;
	const struct unit_run *r = u->run;
	uint64_t now = clock_now_ns(), backoff = u->life.backoff_until_ms * NS_PER_MS;
	struct vm_ids ids = { .pid = 0 };
	char mac[ADDR_MAC_TEXT], uuid[VM_UUID_TEXT] = "";
	uint64_t queries = atomic_load_explicit(&w->board.use[u->number].queries, memory_order_relaxed);

	if (j == NULL)
		return NULL;
	addr_mac_text(u->conf->mac, mac);
	if (r != NULL && r->has_vm) {
		vm_uuid_text(&r->uuid, uuid);
		ids = vm_ids_get(w->vms, &r->uuid);
	}
	more = json_pack("{s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:s, s:I, s:o, s:o, s:s}",
	    "aliases", aliases_json(w, u), "mac", mac, "uuid", record_text_json(uuid),
	    "pid", ids.pid > 0 ? json_integer(ids.pid) : json_null(), "domid", ids.domid > 0 ? json_integer(ids.domid) : json_null(),
	    "memory", (json_int_t)(vm_of(u) != NULL ? vm_of(u)->vm_memory_bytes : u->conf->policy.memory_bytes), "next", next_json(u), "policy", policy_json(u),
	    "crashes", (json_int_t)u->crashes, "failures", failures_of(u), "queries", (json_int_t)queries,
	    "backoff_s", seconds_json(backoff > now, backoff - now), "durations_us", legs_json(r), "last_error", record_text_json(r != NULL ? r->error : NULL),
	    "console", record_text_json(r != NULL ? r->console : NULL), "file", u->conf->file, "line", (json_int_t)u->conf->line,
	    "accel", record_text_json(r != NULL ? r->detail : NULL),
	    "since_s", seconds_json(r != NULL && r->awake_since_ns != 0, r != NULL ? now - r->awake_since_ns : 0),
	    "zone", u->conf->zone->origin);
	if (more == NULL || json_object_update(j, more) != 0) {
		json_decref(j);
		j = NULL;
	}
	json_decref(more);
	return j;
}
