/* counters: statistics as JSON. */
#include "src/warden/counters.h"

#include <stdio.h>

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

json_t *
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
