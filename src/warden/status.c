/* status: what `jitsu status` shows: zones, children, limits, counts, the last reload. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "src/warden/ahead.h"
#include "src/warden/aside.h"
#include "src/warden/show.h"

static json_t *
sum(const struct warden *w, size_t offset)
{
	uint64_t total = 0;

	for (unsigned k = 0; k < w->sockets.workers; k++)
		total += atomic_load_explicit((const _Atomic uint64_t *)(const void *)(
		    (const char *)&w->board.counters[k] + offset), memory_order_relaxed);
	return json_integer((json_int_t)total);
}

#define SUM(w, field) sum(w, offsetof(struct board_counters, field))
#define SUM_AT(w, array, i) sum(w, offsetof(struct board_counters, array) + (i) * sizeof(uint64_t))

static json_t *
rcodes_json(const struct warden *w)
{
	static const struct {
		unsigned code;
		const char *name;
	} names[] = { { 0, "NOERROR" }, { 1, "FORMERR" }, { 2, "SERVFAIL" }, { 3, "NXDOMAIN" },
		{ 4, "NOTIMP" }, { 5, "REFUSED" }, { 6, "YXDOMAIN" }, { 9, "NOTAUTH" },
		{ 16, "BADVERS" } };
	json_t *j = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)json_object_set_new(j, names[i].name, SUM_AT(w, rcode, names[i].code));
	return j;
}

static json_t *
types_json(const struct warden *w)
{
	static const char *const names[BOARD_TYPE_COUNT] = {
		[BOARD_TYPE_A] = "A", [BOARD_TYPE_NS] = "NS", [BOARD_TYPE_CNAME] = "CNAME",
		[BOARD_TYPE_SOA] = "SOA", [BOARD_TYPE_PTR] = "PTR", [BOARD_TYPE_MX] = "MX",
		[BOARD_TYPE_TXT] = "TXT", [BOARD_TYPE_AAAA] = "AAAA", [BOARD_TYPE_SRV] = "SRV",
		[BOARD_TYPE_DS] = "DS", [BOARD_TYPE_DNSKEY] = "DNSKEY", [BOARD_TYPE_TLSA] = "TLSA",
		[BOARD_TYPE_SVCB] = "SVCB", [BOARD_TYPE_HTTPS] = "HTTPS", [BOARD_TYPE_ANY] = "ANY",
		[BOARD_TYPE_OTHER] = "other",
	};
	json_t *j = json_object();

	for (unsigned i = 0; i < BOARD_TYPE_COUNT; i++)
		(void)json_object_set_new(j, names[i], SUM_AT(w, type, i));
	return j;
}

/* Held queries by how long they waited. */
static json_t *
held_json(const struct warden *w)
{
	json_t *j = json_object();
	char key[32];

	for (unsigned i = 0; i < BOARD_HELD_BUCKETS; i++) {
		if (i + 1 < BOARD_HELD_BUCKETS)
			snprintf(key, sizeof(key), "below %lu ms", 1ul << i);
		else
			snprintf(key, sizeof(key), "longer");
		(void)json_object_set_new(j, key, SUM_AT(w, held_for, i));
	}
	return j;
}

static json_t *
counters_json(const struct warden *w)
{
	json_int_t udp, tcp;
	json_t *transports = json_pack("{s:o, s:o, s:o, s:o}", "UDP", SUM(w, udp_queries),
	    "TCP", SUM(w, tcp_queries), "IPv6", SUM(w, ipv6_queries),
	    "connections", SUM(w, tcp_connections));

	if (transports == NULL ||
	    json_unpack(transports, "{s:I, s:I}", "UDP", &udp, "TCP", &tcp) != 0)
		return NULL;
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, "
	    "s:I, s:I, s:I, s:I, s:I}", "queries", udp + tcp, "transports", transports,
	    "types", types_json(w), "answers", SUM(w, answers), "truncated", SUM(w, truncated),
	    "dropped", SUM(w, dropped), "rcodes", rcodes_json(w), "held", SUM(w, held),
	    "held_for", held_json(w), "expired", SUM(w, held_expired),
	    "deferred", SUM(w, wakes_deferred), "not_ready", SUM(w, not_ready),
	    "wakes", (json_int_t)w->totals.wakes, "boots", (json_int_t)w->totals.boots,
	    "failures", (json_int_t)w->totals.failures, "crashes", (json_int_t)w->totals.crashes,
	    "refused", (json_int_t)w->totals.refused, "queued", (json_int_t)w->totals.queued,
	    "left_out", (json_int_t)w->totals.left_out);
}

static json_t *
zone_json(const struct warden *w, unsigned i)
{
	const struct served_zone *z = &w->gen->zones[i];

	return json_pack("{s:s, s:s, s:o, s:I, s:s, s:o}", "name", z->origin,
	    "state", z->zimage == NULL ? "failed" : z->error != NULL ? "old" : "ok",
	    "serial", z->zimage != NULL ? json_integer(z->serial) : json_null(),
	    "units", (json_int_t)z->nunits, "file", w->gen->conf->zones[i].file,
	    "error", z->error != NULL ? json_string(z->error) : json_null());
}

/* A file is named by its bytes, which are any. */
static json_t *
stray_json(const struct config_stray *s)
{
	char file[4 * PATH_MAX];

	text_escape(file, sizeof(file), s->file, strlen(s->file));
	return json_pack("{s:s, s:s, s:n, s:i, s:s, s:s}", "name", s->name, "state", "failed",
	    "serial", "units", 0, "file", file, "error", s->why);
}

/* All, or those alone that are not served as their files say: twenty thousand take 100 ms. */
static json_t *
zones_json(const struct warden *w, bool bad)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < w->gen->conf->nzones; i++)
		if (!bad || !served_zone_ok(&w->gen->zones[i]))
			(void)json_array_append_new(all, zone_json(w, i));
	for (const struct config_stray *s = w->gen->conf->strays; s != NULL; s = s->next)
		(void)json_array_append_new(all, stray_json(s));
	return all;
}

static json_t *
child_json(const struct child *c)
{
	return json_pack("{s:s, s:o, s:I}", "name", c->name, "pid", show_number(c->pid),
	    "restarts", (json_int_t)c->restarts);
}

static json_t *
limit_json(uint64_t used, uint64_t most)
{
	return json_pack("{s:I, s:I}", "used", (json_int_t)used, "most", (json_int_t)most);
}

static json_t *
limits_json(const struct warden *w)
{
	const struct admit *a = &w->admit;
	struct vm_ahead see;

	vm_ahead_see(w->vms, NULL, &see);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "boots", limit_json(a->boots, a->limits.boots),
	    "vms", limit_json(a->vms, a->limits.vms),
	    "memory", limit_json(a->memory_bytes, a->limits.memory_bytes),
	    "queue", limit_json(a->waiting, a->limits.queue),
	    "standby", limit_json(see.n[VM_AHEAD_UNIT], ahead_standbys(w)),
	    "pool", limit_json(see.n[VM_AHEAD_RESTORE] + see.n[VM_AHEAD_BOOT], w->gen->conf->pool),
	    "ahead_memory", limit_json(see.bytes, a->limits.memory_bytes > a->memory_bytes ?
	    a->limits.memory_bytes - a->memory_bytes : 0));
}

static json_t *
reload_json(const struct warden *w)
{
	if (w->reload.time <= 0)
		return json_null();
	return json_pack("{s:f, s:s, s:b, s:o}", "time", w->reload.time, "by", w->reload.by,
	    "refused", (int)w->reload.refused,
	    "error", w->reload.error != NULL ? json_string(w->reload.error) : json_null());
}

/* What is wrong with the store: since the start, or now; null when nothing is. */
static json_t *
state_json(const struct warden *w)
{
	struct store_stats st;
	char text[STORE_FAILING + 64];

	store_stats_get(w->store, &st);
	if (w->store_note[0] != '\0' || st.failing[0] == '\0')
		return show_text(w->store_note);
	snprintf(text, sizeof(text), "NOT SAVED, tried again with every change: %s", st.failing);
	return show_text(text);
}

void
status_verb(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	struct generation_zones n;
	json_t *aside = json_array(), *all;
	int bad = 0;

	(void)json_unpack(args, "{s?b}", "bad_zones", &bad);   /* anything else: all zones */
	generation_zones_count(w->gen, &n);
	aside_list_json(w, aside);
	all = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:[o, o], s:o, "
	    "s:o, s:o, s:o, s:I, s:o}", "version", JITSU_VERSION, "pid", (json_int_t)getpid(),
	    "uptime_s", (json_int_t)((clock_now_ns() - w->started_ns) / NS_PER_S),
	    "generation", (json_int_t)w->gen->number, "zones_read", (json_int_t)w->gen->compiled,
	    "zones_from_disk", (json_int_t)w->gen->from_disk, "zones_failed", (json_int_t)n.failed,
	    "zones_old", (json_int_t)n.old, "units", (json_int_t)w->units.count,
	    "mapping_bytes", (json_int_t)mapping_set_bytes(w->gen->mappings),
	    "zones", zones_json(w, bad != 0),
	    "children", child_json(&w->dns), child_json(&w->sentinel), "counters", counters_json(w),
	    "limits", limits_json(w), "reload", reload_json(w), "aside", aside,
	    "refused_units", (json_int_t)w->refused_units, "state", state_json(w));
	control_reply(req, all);
}
