/*
 * park_flow: what packets for a parked unit mean: one wakes it and is kept, one is refused, one of
 * a monitor is answered without waking anybody; and what a guest that begins to run takes.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"
#include "base/siphash.h"
#include "vm/sentinel/park_impl.h"

/* ---- what a frame is ---- */

/* A RST is not answered; nor is what has neither SYN nor ACK, which no host sends. */
static enum packet_kind
tcp_kind_of(uint8_t flags)
{
	flags &= FRAME_TCP_SYN | FRAME_TCP_ACK | FRAME_TCP_FIN | FRAME_TCP_RST;
	if (flags == FRAME_TCP_SYN)
		return PACKET_SYN;
	return (flags & (FRAME_TCP_ACK | FRAME_TCP_RST)) == FRAME_TCP_ACK ? PACKET_MIDDLE
	    : PACKET_NOTHING;
}

static enum packet_kind
kind_of(const struct frame *f, struct packet *p)
{
	switch (f->kind) {
	case FRAME_TCP:
		p->proto = IPPROTO_TCP;
		p->peer_port = f->tcp.sport;
		p->port = f->tcp.dport;
		p->seq = f->tcp.seq;
		return tcp_kind_of(f->tcp.flags);
	case FRAME_UDP:
	case FRAME_DHCP:
		p->proto = IPPROTO_UDP;
		p->peer_port = f->udp.sport;
		p->port = f->udp.dport;
		return PACKET_DATAGRAM;
	case FRAME_ECHO_REQUEST:
		p->proto = f->src.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		p->peer_port = f->echo.id;
		p->seq = f->echo.seq;
		return PACKET_DATAGRAM;
	default:
		return PACKET_NOTHING;
	}
}

/* Nobody who could be answered has such an address. */
static bool
is_host(const struct msg_addr *a)
{
	static const uint8_t loopback[16] = { [15] = 1 };

	if (a->family == 4)
		return a->bytes[0] != 0 && a->bytes[0] != 127 && a->bytes[0] < 224;
	return a->bytes[0] != 0xff && !addr_is_any(a) && memcmp(a->bytes, loopback, 16) != 0;
}

static struct packet
packet_of(const struct frame *f)
{
	struct packet p = { .peer = f->src, .own = f->dst };

	p.kind = kind_of(f, &p);
	if (!is_host(&f->src) || addr_cmp(&f->src, &f->dst) == 0)
		p.kind = PACKET_NOTHING;
	return p;
}

static bool
wakes(const struct park_unit *u, const struct packet *p)
{
	const struct park_policy *policy = u->policy;
	uint8_t proto = p->proto == IPPROTO_ICMPV6 ? IPPROTO_ICMP : p->proto;

	if (policy == NULL || policy->non == 0)
		return true;
	for (size_t i = 0; i < policy->non; i++) {
		const struct msg_wake_on *on = &policy->on[i];

		if (on->proto == proto &&
		    (on->port == 0 || on->port == p->port || proto == IPPROTO_ICMP))
			return true;
	}
	return false;
}

static bool
is_passive(const struct park_unit *u, const struct msg_addr *peer)
{
	for (size_t i = 0; u->policy != NULL && i < u->policy->npassive; i++)
		if (addr_in_prefix(peer, &u->policy->passive[i]))
			return true;
	return false;
}

/* ---- answers ---- */

static void
answer(struct park_set *set, const struct park_unit *u, const struct frame *f, uint32_t seq,
    uint32_t ack, uint8_t flags, uint64_t now_ns)
{
	struct frame_ends ends = { .src = f->dst, .dst = f->src };
	struct frame_tcp tcp = { .sport = f->tcp.dport, .dport = f->tcp.sport, .seq = seq,
	    .ack = ack, .flags = flags };
	struct frame_out out;

	if (!park_window_open(&set->refusals, LIMIT_PARK_REFUSALS, NS_PER_S, now_ns))
		return;
	memcpy(ends.src_mac, u->mac, 6);
	memcpy(ends.dst_mac, f->src_mac, 6);
	if (frame_build_tcp(&out, &ends, &tcp))
		set->ops.port(set->arg, u->network, out.bytes, out.len);
}

/* The sequence number behind the segment. */
static uint32_t
seq_after(const struct frame_tcp *tcp)
{
	return tcp->seq + tcp->payload + ((tcp->flags & FRAME_TCP_SYN) != 0) +
	    ((tcp->flags & FRAME_TCP_FIN) != 0);
}

void
park_refuse(struct park_set *set, const struct park_unit *u, const struct frame *f, uint64_t now_ns)
{
	if (f->kind != FRAME_TCP || (f->tcp.flags & FRAME_TCP_RST) != 0)
		return;
	if ((f->tcp.flags & FRAME_TCP_ACK) != 0)
		answer(set, u, f, f->tcp.ack, 0, FRAME_TCP_RST, now_ns);
	else
		answer(set, u, f, PARK_REFUSAL_SEQ, seq_after(&f->tcp),
		    FRAME_TCP_RST | FRAME_TCP_ACK, now_ns);
}

void
park_refuse_held(struct park_set *set, const struct park_unit *u, bool all, uint64_t now_ns)
{
	const struct held *h;
	struct frame f;

	TAILQ_FOREACH(h, &u->held, entry)
		if (h->packet.kind == PACKET_SYN && (all || h->refused) &&
		    frame_parse(h->data + PARK_HEADER, h->len - PARK_HEADER, &f))
			park_refuse(set, u, &f, now_ns);
}

/* Ours for this flow, always the same: nothing is kept of a monitor's connection. */
static uint32_t
isn_of(const struct park_set *set, const struct packet *p)
{
	uint8_t flow[2 * 16 + 4];

	memset(flow, 0, sizeof(flow));
	memcpy(flow, p->peer.bytes, 16);
	memcpy(flow + 16, p->own.bytes, 16);
	memcpy(flow + 32, &p->peer_port, 2);
	memcpy(flow + 34, &p->port, 2);
	return (uint32_t)siphash24(set->secret, flow, sizeof(flow));
}

/*
 * A monitor connects, and we close: SYN-ACK to its SYN, FIN to its ACK, ACK to its FIN.  What it
 * sends behind our FIN is refused, as by a host whose program has closed.
 */
static void
accept_and_close(struct park_set *set, const struct park_unit *u, const struct packet *p,
    const struct frame *f, uint64_t now_ns)
{
	const struct frame_tcp *tcp = &f->tcp;
	uint32_t isn = isn_of(set, p), after = seq_after(tcp);

	if (p->kind == PACKET_SYN)
		answer(set, u, f, isn, after, FRAME_TCP_SYN | FRAME_TCP_ACK, now_ns);
	else if ((tcp->flags & (FRAME_TCP_ACK | FRAME_TCP_SYN)) != FRAME_TCP_ACK)
		park_refuse(set, u, f, now_ns);
	else if (tcp->ack == isn + 1)
		answer(set, u, f, isn + 1, after, FRAME_TCP_FIN | FRAME_TCP_ACK, now_ns);
	else if (tcp->ack != isn + 2 || tcp->payload > 0)
		park_refuse(set, u, f, now_ns);
	else if ((tcp->flags & FRAME_TCP_FIN) != 0)
		answer(set, u, f, isn + 2, after, FRAME_TCP_ACK, now_ns);
}

static void
passive_answer(struct park_set *set, const struct park_unit *u, const struct packet *p,
    const struct frame *f, uint64_t now_ns)
{
	if (p->proto != IPPROTO_TCP)
		return;
	if (u->policy->passive_accepts != 0)
		accept_and_close(set, u, p, f, now_ns);
	else
		park_refuse(set, u, f, now_ns);
}

/* ---- giving ---- */

void
park_give(struct park_set *set, struct park_unit *u, struct held *h, uint64_t now_ns)
{
	set->ops.give(set->arg, u->number, h->data, h->len);
	h->next_ns = now_ns + h->interval_ns;
	h->interval_ns *= 2;
	if (h->interval_ns > PARK_GIVE_MOST_NS)
		h->interval_ns = PARK_GIVE_MOST_NS;
}

void
park_give_datagrams(struct park_set *set, struct park_unit *u, uint64_t now_ns)
{
	struct held *h, *next;

	for (h = TAILQ_FIRST(&u->held); h != NULL; h = next) {
		next = TAILQ_NEXT(h, entry);
		if (h->packet.kind == PACKET_SYN)
			continue;
		park_give(set, u, h, now_ns);
		park_hold_free(set, u, h);
	}
}

void
park_give_syns(struct park_set *set, struct park_unit *u, uint64_t now_ns)
{
	struct held *h;

	TAILQ_FOREACH(h, &u->held, entry) {
		if (h->packet.kind != PACKET_SYN)
			continue;
		h->interval_ns = PARK_GIVE_NS;
		park_give(set, u, h, now_ns);
	}
}

/* ---- by the port ---- */

void
park_knock(struct park_set *set, struct park_unit *u, const struct packet *p, uint64_t now_ns)
{
	struct msg m = { .type = MSG_KNOCK, .unit = u->number, .time_ns = now_ns,
	    .knock = { .peer = p->peer, .proto = p->proto, .port = p->port,
		.middle = p->kind == PACKET_MIDDLE } };

	if (!park_may_tell(set, now_ns))
		return;
	u->state = PARK_ASKED;
	set->ops.tell(set->arg, &m);
}

/* May the packet wake a unit that is asleep?  If not, it is refused. */
static bool
may_wake(struct park_set *set, const struct park_unit *u, const struct packet *p,
    const struct frame *f, uint64_t now_ns)
{
	if (wakes(u, p) && now_ns >= u->knock_ns)
		return true;
	if (p->kind == PACKET_SYN)
		park_refuse(set, u, f, now_ns);
	return false;
}

/* What is done with a packet that was kept, according to where its unit is. */
static void
kept(struct park_set *set, struct park_unit *u, struct held *h, uint64_t now_ns)
{
	bool once = h->packet.kind != PACKET_SYN;

	switch (u->state) {
	case PARK_ASLEEP:
		park_knock(set, u, &h->packet, now_ns);
		if (u->state == PARK_ASLEEP)   /* the client's next finds another window */
			park_hold_free(set, u, h);
		return;
	case PARK_ASKED:
		return;
	case PARK_LINKED:
		/* a guest that goes on with what it had takes everything at once; see park_link */
		if (once && !u->memory)
			return;
		break;
	case PARK_AWAKE:
		break;
	}
	park_give(set, u, h, now_ns);
	if (once)
		park_hold_free(set, u, h);
}

static void
packet_frame(struct park_set *set, uint32_t network, const struct frame *f, const uint8_t *frame,
    size_t len, uint64_t now_ns)
{
	struct claim *c = park_claim_find(set, network, &f->dst);
	struct park_unit *u = c != NULL ? c->unit : NULL;
	struct packet p;
	struct held *h;

	if (u == NULL || c->state == CLAIM_CONFLICT || memcmp(f->dst_mac, u->mac, 6) != 0 ||
	    memcmp(f->src_mac, u->mac, 6) == 0)
		return;
	p = packet_of(f);
	if (p.kind == PACKET_NOTHING)
		return;
	if (park_speaks(u) && is_passive(u, &p.peer)) {
		passive_answer(set, u, &p, f, now_ns);
		return;
	}
	if (p.kind == PACKET_MIDDLE && park_speaks(u) && !u->memory) {
		park_refuse(set, u, f, now_ns);
		return;
	}
	if (u->state == PARK_ASLEEP && !may_wake(set, u, &p, f, now_ns))
		return;
	h = park_hold_add(set, u, &p, f, frame, len);
	if (h != NULL)
		kept(set, u, h, now_ns);
	else if (u->state == PARK_ASLEEP)   /* what cannot be kept is sent again */
		park_knock(set, u, &p, now_ns);
	park_due_set(set, u);
}

void
park_port_frame(struct park_set *set, uint32_t network, const uint8_t *frame, size_t len,
    uint64_t now_ns)
{
	struct frame f;

	if (len < PARK_HEADER || !frame_parse(frame + PARK_HEADER, len - PARK_HEADER, &f))
		return;
	if (f.kind == FRAME_ARP || f.kind == FRAME_SOLICIT || f.kind == FRAME_ADVERT)
		park_claim_frame(set, network, &f, now_ns);
	else if (f.dst.family != 0)
		packet_frame(set, network, &f, frame, len, now_ns);
}

/* ---- by the link ---- */

/* Does the frame of the guest answer what is held?  A RST is no answer, but is noted. */
static bool
answers(const struct frame *f, struct held *h)
{
	const struct packet *p = &h->packet;

	if (addr_cmp(&f->dst, &p->peer) != 0 || addr_cmp(&f->src, &p->own) != 0)
		return false;
	if (f->kind == FRAME_TCP) {
		if (p->kind != PACKET_SYN || f->tcp.dport != p->peer_port ||
		    f->tcp.sport != p->port || (f->tcp.flags & FRAME_TCP_ACK) == 0 ||
		    f->tcp.ack != p->seq + 1)
			return false;
		h->refused = (f->tcp.flags & FRAME_TCP_RST) != 0;
		return !h->refused && (f->tcp.flags & FRAME_TCP_SYN) != 0;
	}
	if (p->kind != PACKET_DATAGRAM)
		return false;
	if (f->kind == FRAME_UDP)
		return p->proto == IPPROTO_UDP && f->udp.dport == p->peer_port &&
		    f->udp.sport == p->port;
	return f->kind == FRAME_ECHO_REPLY && p->proto != IPPROTO_UDP &&
	    f->echo.id == p->peer_port && f->echo.seq == p->seq;
}

static void
from_guest(struct park_set *set, struct park_unit *u, const struct frame *f, uint64_t now_ns)
{
	struct held *h, *next;
	bool accepted = false;

	if (!u->alive) {
		u->alive = true;
		park_give_syns(set, u, now_ns);
	}
	for (h = TAILQ_FIRST(&u->held); h != NULL; h = next) {
		next = TAILQ_NEXT(h, entry);
		/* The services of a guest that goes on with what it had are there: no is no. */
		if (!answers(f, h) && !(h->refused && u->memory))
			continue;
		accepted = accepted || (h->packet.kind == PACKET_SYN && !h->refused);
		park_hold_free(set, u, h);
	}
	/* Where one service answers, its host has its addresses, and the others may, too. */
	if (accepted)
		park_give_datagrams(set, u, now_ns);
}

static bool
has_addr(const struct park_unit *u, const struct msg_addr *a)
{
	for (size_t i = 0; i < PARK_ADDRS; i++)
		if (u->claims[i].state != CLAIM_NONE && addr_cmp(&u->claims[i].addr, a) == 0)
			return true;
	return false;
}

/*
 * The bridge has given the guest a client's packet.  It may have come too early: a SYN is given
 * again, and once more what a guest that boots may have had no service for.
 */
static void
to_guest(struct park_set *set, struct park_unit *u, const struct frame *f, const uint8_t *frame,
    size_t len, uint64_t now_ns)
{
	struct packet p = packet_of(f);
	struct held *h;

	if (!has_addr(u, &f->dst) || is_passive(u, &p.peer))
		return;
	if (p.kind != PACKET_SYN &&
	    (p.kind != PACKET_DATAGRAM || u->memory || u->state == PARK_AWAKE))
		return;
	h = park_hold_add(set, u, &p, f, frame, len);
	if (h != NULL)
		h->next_ns = p.kind == PACKET_SYN ? now_ns + h->interval_ns : 0;
}

void
park_link_frame(struct park_set *set, uint32_t unit, bool outgoing, const uint8_t *frame,
    size_t len, uint64_t now_ns)
{
	struct park_unit *u = park_find(set, unit);
	struct frame f;

	if (u == NULL || !u->linked || len < PARK_HEADER ||
	    !frame_parse(frame + PARK_HEADER, len - PARK_HEADER, &f))
		return;
	if (outgoing && memcmp(f.dst_mac, u->mac, 6) == 0 && memcmp(f.src_mac, u->mac, 6) != 0)
		to_guest(set, u, &f, frame, len, now_ns);
	else if (!outgoing && memcmp(f.src_mac, u->mac, 6) == 0)
		from_guest(set, u, &f, now_ns);
	if (!park_settle(set, u))
		park_due_set(set, u);
}
