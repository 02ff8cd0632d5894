/*
 * serve: what happens to one query.
 *
 * A reply that gives a unit's address leaves at once when the unit board says so, waits in the hold
 * table when the unit sleeps, and is SERVFAIL with an EDE code (RFC 8914) when it cannot be woken.
 * Everything else leaves at once.
 */
#include "dns/server/server.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "dns/zimage/rdata.h"

#define HEADER_TC 0x02

#define COUNTED_RCODES (sizeof(((struct board_counters *)0)->rcode) / sizeof(uint64_t))

static const struct {
	int code;
	const char *phrase;
} ede_phrases[] = {
	{ MSG_EDE_OTHER, "the service failed to start" },           /* Other Error */
	{ MSG_EDE_NEEDS, "a service that this one needs failed to start" },     /* Other Error */
	{ 13, "the service failed to start a moment ago" },         /* Cached Error */
	{ MSG_EDE_NOT_READY, "the service is over its limits, try again later" },   /* Not Ready */
	{ 15, "the service is blocked" },                           /* Blocked */
	{ 18, "the service may not be woken by this client" },      /* Prohibited */
	{ 20, "the service is not run here" },                      /* Not Authoritative */
	{ 22, "the service cannot be reached" },                    /* No Reachable Authority */
	{ 23, "the service started but does not answer" },          /* Network Error */
};

/* The code and its fixed phrase; `ede` as the warden says (base/msg.h). */
static struct dns_ede
ede_with_phrase(int ede)
{
	struct dns_ede e = { ede & MSG_EDE_CODE, "the service is not available" };

	for (size_t i = 0; i < sizeof(ede_phrases) / sizeof(ede_phrases[0]); i++)
		if (ede_phrases[i].code == ede)
			e.text = ede_phrases[i].phrase;
	return e;
}

static enum serve
reply_count(struct worker *w, const struct dns_reply *r)
{
	if (r->len < 3)
		return SERVE_NOTHING;
	count_add(&w->count->answers, 1);
	count_add(&w->count->rcode[r->rcode < COUNTED_RCODES ? r->rcode : COUNTED_RCODES - 1], 1);
	if (r->buf[2] & HEADER_TC)
		count_add(&w->count->truncated, 1);
	return SERVE_REPLY;
}

static enum board_type
type_row(uint16_t qtype)
{
	switch (qtype) {
	case DNS_T_A: return BOARD_TYPE_A;
	case DNS_T_NS: return BOARD_TYPE_NS;
	case DNS_T_CNAME: return BOARD_TYPE_CNAME;
	case DNS_T_SOA: return BOARD_TYPE_SOA;
	case DNS_T_PTR: return BOARD_TYPE_PTR;
	case DNS_T_MX: return BOARD_TYPE_MX;
	case DNS_T_TXT: return BOARD_TYPE_TXT;
	case DNS_T_AAAA: return BOARD_TYPE_AAAA;
	case DNS_T_SRV: return BOARD_TYPE_SRV;
	case DNS_T_DS: return BOARD_TYPE_DS;
	case DNS_T_DNSKEY: return BOARD_TYPE_DNSKEY;
	case DNS_T_TLSA: return BOARD_TYPE_TLSA;
	case DNS_T_SVCB: return BOARD_TYPE_SVCB;
	case DNS_T_HTTPS: return BOARD_TYPE_HTTPS;
	case DNS_T_ANY: return BOARD_TYPE_ANY;
	default: return BOARD_TYPE_OTHER;
	}
}

static enum serve
reply_servfail(struct worker *w, const struct dns_query *q, bool tcp, struct dns_ede ede,
    struct dns_reply *r)
{
	dns_error_build(q, tcp, DNS_R_SERVFAIL, ede, &w->conf, r);
	return reply_count(w, r);
}

/*
 * A wake that an unproven address asks for counts, since the address may be spoofed; beyond the
 * limit that client has to come again over TCP, which proves its address.  A query that joins a
 * wake costs nothing.
 */
static bool
wake_allowed(struct worker *w, uint32_t unit, bool proven, uint64_t now_ns)
{
	bool begun = board_wake_first_ns(w->board, unit) != 0;

	if (proven || begun || !hold_would_ask(w->held, unit, now_ns))
		return true;
	return rate_take(w->udp_wakes, now_ns);
}

static enum serve
reply_truncated(struct worker *w, const struct dns_query *q, struct dns_reply *r)
{
	dns_truncated_build(q, &w->conf, r);
	count_add(&w->count->wakes_deferred, 1);
	return reply_count(w, r);
}

int
serve_unheld_ede(struct worker *w, uint32_t unit)
{
	if (atomic_load_explicit(&w->board->state[unit].answer, memory_order_relaxed) !=
	    BOARD_UNSURE)
		return -1;
	count_add(&w->count->not_ready, 1);
	return MSG_EDE_NOT_READY;
}

static enum serve
reply_unheld(struct worker *w, const struct dns_query *q, uint32_t unit, bool tcp,
    struct dns_reply *r)
{
	int ede = serve_unheld_ede(w, unit);

	return ede < 0 ? reply_count(w, r) : reply_servfail(w, q, tcp, ede_with_phrase(ede), r);
}

/* To a client that neither wakes the unit nor counts as its use; the address goes out, though. */
static enum serve
reply_passive(struct worker *w, const struct dns_query *q, uint32_t unit, bool tcp,
    struct dns_reply *r)
{
	const struct board_state *state = &w->board->state[unit];

	atomic_fetch_add_explicit(&w->board->use[unit].queries, 1, memory_order_relaxed);
	if (atomic_load_explicit(&state->answer, memory_order_relaxed) != BOARD_FAIL)
		return reply_count(w, r);
	return reply_servfail(w, q, tcp,
	    ede_with_phrase(atomic_load_explicit(&state->ede, memory_order_relaxed)), r);
}

/* May `r`, which gives the address of `unit`, leave?  `proven`: the client's is not spoofed. */
static enum serve
unit_decide(struct worker *w, const struct dns_query *q, uint32_t unit, const struct dns_peer *peer,
    bool proven, uint64_t *now_ns, struct dns_reply *r)
{
	struct board_state *state = &w->board->state[unit];
	struct board_use *use = &w->board->use[unit];
	struct hold_request req = { .wake = { .unit = unit, .qtype = q->qtype, .peer = peer },
		.wire = q->wire, .len = q->len };
	unsigned passive = atomic_load_explicit(&state->passive, memory_order_relaxed);

	if (passive != 0 && passive_has(w->passive, passive, peer))
		return reply_passive(w, q, unit, peer->tcp, r);
	if (*now_ns == 0)
		*now_ns = clock_now_ns();
	atomic_store_explicit(&use->last_query_ns, *now_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&use->queries, 1, memory_order_relaxed);
	req.wake.arrived_ns = *now_ns;

	switch (atomic_load_explicit(&state->answer, memory_order_relaxed)) {
	case BOARD_NOW:
		return reply_count(w, r);
	case BOARD_CHECK:
		hold_ask(w->held, &req.wake);
		return reply_count(w, r);
	case BOARD_WAKE_TOO:
		if (!wake_allowed(w, unit, proven, *now_ns))
			return reply_truncated(w, q, r);
		hold_ask(w->held, &req.wake);
		return reply_count(w, r);
	case BOARD_FAIL:
		return reply_servfail(w, q, peer->tcp,
		    ede_with_phrase(atomic_load_explicit(&state->ede, memory_order_relaxed)), r);
	default:
		break;
	}
	if (!wake_allowed(w, unit, proven, *now_ns))
		return reply_truncated(w, q, r);
	req.hold_ms = atomic_load_explicit(&state->hold_ms, memory_order_relaxed);
	req.first_ns = board_wake_first_ns(w->board, unit);
	if (hold_add(w->held, &req) != ERR_OK)
		return reply_unheld(w, q, unit, peer->tcp, r);
	count_add(&w->count->held, 1);
	return SERVE_HELD;
}

static uint32_t
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);   /* cannot fail */
	return (uint32_t)ts.tv_sec;
}

/* What of EDNS depends on the client and the transport.  True: the client's address is proven. */
static bool
edns_settle(const struct worker *w, struct dns_query *q, const struct dns_peer *peer,
    uint16_t *rcode, enum dns_parsed *parsed)
{
	struct dns_edns *e = &q->edns;
	struct msg_addr client;
	uint8_t reply[DNS_COOKIE_LEN];
	bool proven = !peer->unproven;

	if (!peer->tcp) {
		e->keepalive = false;   /* RFC 7828 section 3.2.2 */
	} else if (e->keepalive_bad && *parsed == DNS_PARSED_OK) {
		*parsed = DNS_PARSED_ERROR;
		*rcode = DNS_R_FORMERR;
	}
	if (e->cookie_len == 0 || w->tune.cookies.n == 0)
		return proven;
	dns_peer_client(peer, &client);
	proven |= dns_cookie_check(&w->tune.cookies, e->cookie, e->cookie_len, &client, now_s(),
	    reply);
	memcpy(e->cookie, reply, sizeof(reply));
	e->cookie_reply = true;
	return proven;
}

enum serve
serve_query(struct worker *w, const uint8_t *wire, size_t len, const struct dns_peer *peer,
    uint64_t *now_ns, struct dns_reply *r)
{
	static const struct dns_ede no_zones = { MSG_EDE_NOT_READY, "no zones are loaded yet" };
	struct dns_query q;
	enum dns_parsed parsed;
	uint16_t rcode = 0;
	uint32_t unit;
	bool proven;

	parsed = dns_query_parse(wire, len, &q, &rcode);
	if (parsed == DNS_PARSED_DROP) {
		count_add(&w->count->dropped, 1);
		return SERVE_NOTHING;
	}
	proven = edns_settle(w, &q, peer, &rcode, &parsed);
	if (parsed == DNS_PARSED_ERROR) {
		dns_error_build(&q, peer->tcp, rcode, (struct dns_ede){ .code = -1 }, &w->conf, r);
		return reply_count(w, r);
	}
	count_add(&w->count->type[type_row(q.qtype)], 1);
	if (w->set == NULL)
		return reply_servfail(w, &q, peer->tcp, no_zones, r);
	unit = dns_answer_build(w->set, &q, peer->tcp, &w->conf, r);
	if (unit == DNS_NO_UNIT)
		return reply_count(w, r);
	return unit_decide(w, &q, unit, peer, proven, now_ns, r);
}

bool
serve_held(struct worker *w, const struct hold_query *held, int ede, struct dns_reply *r)
{
	struct dns_query q;
	uint16_t rcode = 0;
	enum dns_parsed parsed = dns_query_parse(held->wire, held->len, &q, &rcode);

	/* Parsed and answered again: the zones may have been swapped since the query came. */
	if (parsed != DNS_PARSED_OK)
		return false;   /* cannot happen: the bytes are those that were parsed before */
	(void)edns_settle(w, &q, &held->peer, &rcode, &parsed);
	if (ede >= 0)
		return reply_servfail(w, &q, held->peer.tcp, ede_with_phrase(ede), r) ==
		    SERVE_REPLY;
	/* its unit has been decided upon */
	(void)dns_answer_build(w->set, &q, held->peer.tcp, &w->conf, r);
	return reply_count(w, r) == SERVE_REPLY;
}
