/*
 * probe: the state machine of readiness probes.
 *
 *          probe_start         first frame of the guest's MAC
 *   (none) ------------> SILENT ------------------------------> ALIVE --+ TCP RST: a new port,
 *      ^                   |     report MSG_ALIVE, schedule       |     | a new ISN; the first
 *      |                   |     restarts (probe_alive)           | <---+ restarts the schedule
 *      | probe_stop        |                                      |
 *      | (from every       | that frame is the                    | the answer (probe_ready):
 *      | state)            v answer, too                          v report MSG_READY
 *      +---------------- READY <----------------------------------+
 *
 * SILENT and ALIVE probes are on the active list and send by the schedule (probe_fire); READY ones
 * send nothing but the RST that closes a connection the guest still believes in.
 * Invariants: MSG_ALIVE and MSG_READY are reported once each, in this order; probe_next_ns is 0
 * exactly when no probe is active.
 */
#include "vm/sentinel/probe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/limits.h"
#include "vm/sentinel/frame.h"
#include "vm/vm.h"

/*
 * A power of two, of the order of the units that run at once on one host.  No base/table: several
 * probes may have one MAC or address, and lack of memory must not end the sentinel.
 */
#define BUCKETS 1024
#define PROBE_PORTS (VM_PROBE_PORT_LAST - VM_PROBE_PORT_FIRST + 1)

enum probe_state { PROBE_SILENT, PROBE_ALIVE, PROBE_READY };

/* A connection attempt: all its SYNs are identical, so that the guest sees one connection. */
struct attempt {
	uint16_t port;
	uint32_t isn;
};

struct probe {
	LIST_ENTRY(probe) by_mac, by_guest, by_unit, active;
	uint32_t unit, network;
	enum msg_probe_kind kind;
	enum probe_state state;
	uint16_t port;             /* the guest's */
	uint8_t mac[6];
	struct msg_addr guest, source;
	/* `before`: an answer to the attempt that was refused last may still be under way */
	struct attempt now, before;
	uint16_t signs;            /* 1 << enum msg_sign: told */
	uint16_t echo_seq;
	uint8_t nonce[FRAME_ECHO_DATA];
	uint64_t begun_ns;         /* when it was started */
	uint64_t dense_ns;         /* when the schedule (re)started */
	uint64_t interval_ns;
	uint64_t next_ns;
	uint64_t ask_ns, ask_pause_ns;   /* when all are asked next for its address, and then */
};

LIST_HEAD(probe_list, probe);

struct network {
	bool set;
	uint8_t mac[6];
	unsigned probes;
};

struct probe_set {
	struct probe_ops ops;
	void *arg;
	struct network networks[LIMIT_NETWORKS];
	struct probe_list by_mac[BUCKETS], by_guest[BUCKETS], by_unit[BUCKETS];
	struct probe_list active;
};

struct probe_set *
probe_set_new(const struct probe_ops *ops, void *arg)
{
	struct probe_set *set = calloc(1, sizeof(*set));     /* a list of zeros is empty */

	if (set != NULL) {
		set->ops = *ops;
		set->arg = arg;
	}
	return set;
}

static void
probe_free(struct probe_set *set, struct probe *p)
{
	if (p->state != PROBE_READY)
		LIST_REMOVE(p, active);
	LIST_REMOVE(p, by_mac);
	LIST_REMOVE(p, by_guest);
	LIST_REMOVE(p, by_unit);
	set->networks[p->network].probes--;
	free(p);
}

void
probe_set_free(struct probe_set *set)
{
	struct probe *p;

	if (set == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while ((p = LIST_FIRST(&set->by_unit[i])) != NULL)
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it leaves the list */
			probe_free(set, p);
	free(set);
}

enum err
probe_network_set(struct probe_set *set, uint32_t network, const uint8_t mac[6], struct errmsg *m)
{
	if (network >= LIMIT_NETWORKS)
		return err_set(m, ERR_RANGE, "network %u: there are at most %d", network,
		    LIMIT_NETWORKS);
	set->networks[network].set = true;
	memcpy(set->networks[network].mac, mac, 6);
	return ERR_OK;
}

static uint32_t
hash_bytes(const uint8_t low[4])
{
	uint32_t v = (uint32_t)low[0] << 24 | (uint32_t)low[1] << 16 | (uint32_t)low[2] << 8 |
	    low[3];

	return v * 2654435761u >> 22 & (BUCKETS - 1);
}

static struct probe_list *
mac_bucket(struct probe_set *set, const uint8_t mac[6])
{
	return &set->by_mac[hash_bytes(mac + 2)];
}

static struct probe_list *
guest_bucket(struct probe_set *set, const struct msg_addr *guest)
{
	return &set->by_guest[hash_bytes(guest->bytes + (guest->family == 4 ? 0 : 12))];
}

/* ---- sending ---- */

static void
attempt_renew(struct probe_set *set, struct probe *p)
{
	p->before = p->now;
	do
		p->now.port = (uint16_t)(VM_PROBE_PORT_FIRST +
		    set->ops.random(set->arg) % PROBE_PORTS);
	while (p->now.port == p->before.port);
	p->now.isn = set->ops.random(set->arg);
}

static struct frame_ends
ends_of(const struct probe_set *set, const struct probe *p)
{
	struct frame_ends ends = { .src = p->source, .dst = p->guest };

	memcpy(ends.src_mac, set->networks[p->network].mac, 6);
	memcpy(ends.dst_mac, p->mac, 6);
	return ends;
}

static void
tcp_send(struct probe_set *set, const struct probe *p, uint16_t sport, uint32_t seq, uint8_t flags)
{
	struct frame_tcp tcp = { .sport = sport, .dport = p->port, .seq = seq, .flags = flags };
	struct frame_ends ends = ends_of(set, p);
	struct frame_out out;

	if (frame_build_tcp(&out, &ends, &tcp))
		set->ops.send(set->arg, p->network, out.bytes, out.len);
}

static void
ping_send(struct probe_set *set, struct probe *p)
{
	struct frame_echo echo = { .id = VM_PROBE_ECHO_ID, .seq = p->echo_seq++,
	    .len = FRAME_ECHO_DATA };
	struct frame_ends ends = ends_of(set, p);
	struct frame_out out;

	memcpy(echo.data, p->nonce, sizeof(echo.data));
	if (frame_build_echo_request(&out, &ends, &echo))
		set->ops.send(set->arg, p->network, out.bytes, out.len);
}

static void
who_has_send(struct probe_set *set, const struct probe *p, bool to_all)
{
	struct frame_ends ends = ends_of(set, p);
	struct frame_out out;
	bool built;

	if (to_all)
		frame_ends_to_asked(&ends);
	if (p->guest.family == 4) {
		struct frame_arp arp = { .op = 1, .sender = p->source, .target = p->guest };

		memcpy(arp.sender_mac, ends.src_mac, 6);
		built = frame_build_arp(&out, &ends, &arp);
	} else {
		built = frame_build_solicit(&out, &ends, &p->guest);
	}
	if (built)
		set->ops.send(set->arg, p->network, out.bytes, out.len);
}

/* Puts next_ns after the frame that was due then; what a late tick missed is not made up for. */
static void
schedule_next(struct probe *p, uint64_t now_ns)
{
	bool given_up = p->state == PROBE_SILENT && now_ns - p->begun_ns >= PROBE_SILENT_NS;
	uint64_t most = given_up ? PROBE_SILENT_MOST_NS : PROBE_MOST_NS;

	if (now_ns - p->dense_ns >= PROBE_DENSE_NS) {
		p->interval_ns *= 2;
		if (p->interval_ns > most)
			p->interval_ns = most;
	}
	p->next_ns += p->interval_ns;
	if (p->next_ns <= now_ns)
		p->next_ns = now_ns + p->interval_ns;
}

static void
schedule_restart(struct probe *p, uint64_t now_ns)
{
	p->dense_ns = now_ns;
	p->interval_ns = PROBE_FIRST_NS;
	p->next_ns = now_ns;
}

static void
probe_fire(struct probe_set *set, struct probe *p, uint64_t now_ns)
{
	switch (p->kind) {
	case PROBE_TCP:
		tcp_send(set, p, p->now.port, p->now.isn, FRAME_TCP_SYN);
		break;
	case PROBE_PING:
		ping_send(set, p);
		break;
	case PROBE_ARP:
		who_has_send(set, p, false);
		break;
	}
	if (now_ns >= p->ask_ns) {
		who_has_send(set, p, true);
		p->ask_ns = now_ns + p->ask_pause_ns;
		if (p->ask_pause_ns < PROBE_ASK_MOST_NS)
			p->ask_pause_ns *= 2;
	}
	schedule_next(p, now_ns);
}

/* ---- starting and stopping ---- */

static enum err
probe_check(const struct probe_set *set, const struct msg *msg, struct errmsg *m)
{
	uint32_t kind = msg->probe.kind, network = msg->probe.network;
	uint8_t guest = msg->probe.guest.family, source = msg->probe.source.family;

	if (network >= LIMIT_NETWORKS)
		return err_set(m, ERR_RANGE, "probe of unit %u: network %u of at most %d",
		    msg->unit, network, LIMIT_NETWORKS);
	if (!set->networks[network].set)
		return err_set(m, ERR_MISSING, "probe of unit %u: network %u is not set", msg->unit,
		    network);
	if (kind != PROBE_TCP && kind != PROBE_PING && kind != PROBE_ARP)
		return err_set(m, ERR_RANGE, "probe of unit %u: unknown kind %u", msg->unit, kind);
	if (guest != 4 && guest != 6)
		return err_set(m, ERR_RANGE, "probe of unit %u: address family %u of the guest, "
		    "not 4 or 6", msg->unit, guest);
	if (source != guest && !(source == 0 && kind == PROBE_ARP))
		return err_set(m, ERR_RANGE, "probe of unit %u: address family %u of the source, "
		    "not %u", msg->unit, source, guest);
	if (kind == PROBE_TCP && msg->probe.port == 0)
		return err_set(m, ERR_RANGE, "probe of unit %u: TCP port 0", msg->unit);
	if ((msg->probe.mac[0] & 1) != 0)
		return err_set(m, ERR_RANGE, "probe of unit %u: the guest's MAC is a multicast "
		    "address", msg->unit);
	return ERR_OK;
}

/*
 * The sender of a question that needs no answer routed: 0.0.0.0 for ARP (RFC 5227 section 1.1).
 * For IPv6 the bridge's link-local address, not ::, since a solicitation from :: is itself a
 * duplicate address detection, and a guest that is just checking its address would give it up.
 */
static void
source_default(const struct probe_set *set, struct probe *p)
{
	if (p->source.family != 0)
		return;
	if (p->guest.family == 4)
		p->source.family = 4;
	else
		frame_addr_link_local(&p->source, set->networks[p->network].mac);
}

enum err
probe_start(struct probe_set *set, const struct msg *msg, uint64_t now_ns, struct errmsg *m)
{
	struct probe *p;
	enum err e;

	probe_stop(set, msg->unit);
	e = probe_check(set, msg, m);
	if (e != ERR_OK)
		return e;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return err_set(m, ERR_NOMEM, "probe of unit %u: out of memory", msg->unit);
	*p = (struct probe){ .unit = msg->unit, .network = msg->probe.network,
	    .kind = (enum msg_probe_kind)msg->probe.kind, .port = msg->probe.port,
	    .guest = msg->probe.guest, .source = msg->probe.source, .begun_ns = now_ns,
	    .ask_ns = now_ns + PROBE_ASK_NS, .ask_pause_ns = PROBE_ASK_NS };
	memcpy(p->mac, msg->probe.mac, 6);
	source_default(set, p);
	attempt_renew(set, p);
	p->before = p->now;
	for (size_t i = 0; i < sizeof(p->nonce); i += 4) {
		uint32_t r = set->ops.random(set->arg);

		memcpy(p->nonce + i, &r, 4);
	}
	LIST_INSERT_HEAD(mac_bucket(set, p->mac), p, by_mac);
	LIST_INSERT_HEAD(guest_bucket(set, &p->guest), p, by_guest);
	LIST_INSERT_HEAD(&set->by_unit[p->unit % BUCKETS], p, by_unit);
	LIST_INSERT_HEAD(&set->active, p, active);
	set->networks[p->network].probes++;
	schedule_restart(p, now_ns);
	probe_fire(set, p, now_ns);
	return ERR_OK;
}

void
probe_stop(struct probe_set *set, uint32_t unit)
{
	struct probe *p;

	LIST_FOREACH(p, &set->by_unit[unit % BUCKETS], by_unit) {
		if (p->unit == unit) {
			probe_free(set, p);
			return;   /* a unit has one at most: probe_start stops the one before */
		}
	}
}

bool
probe_wants_frames(const struct probe_set *set, uint32_t network)
{
	return set->networks[network].probes > 0;
}

void
probe_tick(struct probe_set *set, uint64_t now_ns)
{
	struct probe *p;

	LIST_FOREACH(p, &set->active, active)
		if (p->next_ns <= now_ns)
			probe_fire(set, p, now_ns);
}

uint64_t
probe_next_ns(const struct probe_set *set)
{
	const struct probe *p;
	uint64_t next = 0;

	LIST_FOREACH(p, &set->active, active)
		if (next == 0 || p->next_ns < next)
			next = p->next_ns;
	return next;
}

/* ---- signs: what a guest does that is not ready ---- */

static void
sign(struct probe_set *set, struct probe *p, enum msg_sign what, const struct msg_addr *addr,
    const uint8_t *mac, uint64_t now_ns)
{
	if (p->state == PROBE_READY || (p->signs & 1u << what) != 0)
		return;
	p->signs |= (uint16_t)(1u << what);
	set->ops.sign(set->arg, p->unit, what, addr, mac, now_ns);
}

/* Every interface has one of its own. */
static bool
is_link_local(const struct msg_addr *a)
{
	return a->family == 6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

/* Whose address the frame says the sender's is, and by which MAC; family 0: it says nothing. */
static void
claim_of(const struct frame *f, struct msg_addr *addr, uint8_t mac[6])
{
	memset(addr, 0, sizeof(*addr));
	memcpy(mac, f->src_mac, 6);
	if (f->kind == FRAME_ARP) {
		*addr = f->arp.sender;
		memcpy(mac, f->arp.sender_mac, 6);
	} else if (f->kind == FRAME_ADVERT) {
		*addr = f->nd.target;
		if (f->nd.has_mac)
			memcpy(mac, f->nd.mac, 6);
	} else if (f->kind == FRAME_SOLICIT) {
		*addr = f->src;
	}
	if (addr->family != 0 && addr_is_any(addr))
		addr->family = 0;   /* it looks whether the address is free */
}

/* The frame has the guest's MAC. */
static void
signs_of_guest(struct probe_set *set, struct probe *p, const struct frame *f, uint64_t now_ns)
{
	struct msg_addr addr;
	uint8_t mac[6];

	if (f->kind == FRAME_DHCP && p->guest.family == 4)
		sign(set, p, SIGN_DHCP, NULL, NULL, now_ns);
	if (f->kind == FRAME_UNREACHABLE && p->kind == PROBE_TCP &&
	    addr_cmp(&f->unreachable.dst, &p->guest) == 0 &&
	    f->unreachable.dport == p->port && (f->unreachable.sport == p->now.port ||
	    f->unreachable.sport == p->before.port))
		sign(set, p, SIGN_UNREACHABLE, NULL, NULL, now_ns);
	claim_of(f, &addr, mac);
	if (addr.family != p->guest.family || (is_link_local(&addr) && !is_link_local(&p->guest)))
		return;
	if (addr_cmp(&addr, &p->guest) != 0)
		sign(set, p, SIGN_OTHER_ADDRESS, &addr, NULL, now_ns);
	else if (memcmp(mac, p->mac, 6) == 0)
		sign(set, p, SIGN_NEIGHBOUR, NULL, NULL, now_ns);
	else
		sign(set, p, SIGN_OTHER_MAC, NULL, mac, now_ns);
}

/* Does the frame say that somebody else has a guest's address? */
static void
signs_of_others(struct probe_set *set, uint32_t network, const struct frame *f, uint64_t now_ns)
{
	struct msg_addr addr;
	uint8_t mac[6];
	struct probe *p;

	claim_of(f, &addr, mac);
	if (addr.family == 0)
		return;
	LIST_FOREACH(p, guest_bucket(set, &addr), by_guest)
		if (p->network == network && addr_cmp(&p->guest, &addr) == 0 &&
		    memcmp(p->mac, f->src_mac, 6) != 0 && memcmp(p->mac, mac, 6) != 0)
			sign(set, p, SIGN_OTHER_MAC, NULL, mac, now_ns);
}

/* ---- receiving ---- */

static bool
attempt_acked(const struct attempt *a, const struct frame_tcp *tcp)
{
	return tcp->dport == a->port && (tcp->flags & FRAME_TCP_ACK) != 0 && tcp->ack == a->isn + 1;
}

/* True when the port is open; a RST closes what the guest has opened for us. */
static bool
tcp_answered(struct probe_set *set, struct probe *p, const struct frame *f, uint64_t now_ns)
{
	bool current = attempt_acked(&p->now, &f->tcp);

	if (f->tcp.sport != p->port || (!current && !attempt_acked(&p->before, &f->tcp)))
		return false;
	if ((f->tcp.flags & FRAME_TCP_RST) != 0) {
		bool first = (p->signs & 1u << SIGN_REFUSED) == 0;

		if (!current || p->state == PROBE_READY)
			return false;
		attempt_renew(set, p);
		sign(set, p, SIGN_REFUSED, NULL, NULL, now_ns);
		if (first) {   /* its network is up; the service follows */
			schedule_restart(p, now_ns);
			p->next_ns = now_ns + PROBE_FIRST_NS;
		}
		return false;
	}
	return (f->tcp.flags & FRAME_TCP_SYN) != 0;
}

/* Does this frame, whose source MAC is the guest's, answer the probe? */
static bool
probe_answered(struct probe_set *set, struct probe *p, const struct frame *f, uint64_t now_ns)
{
	bool from_guest = addr_cmp(&f->src, &p->guest) == 0 &&
	    addr_cmp(&f->dst, &p->source) == 0;

	switch (p->kind) {
	case PROBE_TCP:
		return f->kind == FRAME_TCP && from_guest && tcp_answered(set, p, f, now_ns);
	case PROBE_PING:
		return f->kind == FRAME_ECHO_REPLY && from_guest &&
		    f->echo.id == VM_PROBE_ECHO_ID &&
		    f->echo.len == sizeof(p->nonce) &&
		    memcmp(f->echo.data, p->nonce, sizeof(p->nonce)) == 0;
	case PROBE_ARP:
		/* Any ARP of the guest as the address's owner will do, an announcement too. */
		if (f->kind == FRAME_ARP)
			return addr_cmp(&f->arp.sender, &p->guest) == 0 &&
			    memcmp(f->arp.sender_mac, p->mac, 6) == 0;
		return f->kind == FRAME_ADVERT && addr_cmp(&f->nd.target, &p->guest) == 0 &&
		    (!f->nd.has_mac || memcmp(f->nd.mac, p->mac, 6) == 0);
	}
	return false;
}

static void
probe_take(struct probe_set *set, struct probe *p, const struct frame *f, uint64_t now_ns)
{
	bool first = p->state == PROBE_SILENT;
	bool answered;

	if (first) {
		p->state = PROBE_ALIVE;
		set->ops.report(set->arg, p->unit, MSG_ALIVE, now_ns);
		schedule_restart(p, now_ns);
	}
	answered = probe_answered(set, p, f, now_ns);
	if (!answered)
		signs_of_guest(set, p, f, now_ns);
	if (answered && p->state != PROBE_READY) {
		p->state = PROBE_READY;
		LIST_REMOVE(p, active);
		/* before the RST: somebody waits for it */
		set->ops.report(set->arg, p->unit, MSG_READY, now_ns);
	}
	if (answered && p->kind == PROBE_TCP)
		tcp_send(set, p, f->tcp.dport, f->tcp.ack, FRAME_TCP_RST);
	if (first && !answered && p->next_ns <= now_ns)
		probe_fire(set, p, now_ns);
}

void
probe_frame(struct probe_set *set, uint32_t network, const uint8_t *bytes, size_t len,
    uint64_t now_ns)
{
	struct frame f;
	struct probe *p;

	if (!frame_parse(bytes, len, &f))
		return;
	LIST_FOREACH(p, mac_bucket(set, f.src_mac), by_mac)
		if (p->network == network && memcmp(p->mac, f.src_mac, 6) == 0)
			probe_take(set, p, &f, now_ns);
	signs_of_others(set, network, &f, now_ns);
}
