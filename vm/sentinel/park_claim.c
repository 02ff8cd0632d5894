/*
 * park_claim: the addresses of parked units, who asks for them and who else has them.
 *
 *            park_claim_set          three probes, no answer: announced
 *   (none) -----------------> PROBING --------------------------> OWNED  answers who asks
 *                                |     another host's claim         |
 *                                +-------------+    +---------------+
 *                                              v    v
 *                                             CONFLICT  asks again, with longer and longer
 *                                                       pauses; no answer: OWNED
 *
 * An address that was the guest's until now is OWNED at once.  Only ARP and neighbour discovery
 * claim an address: what an IP header has as its source, anybody beyond a router may write.
 * Nothing is sent to all while the guest begins to run (PARK_LINKED), since its own duplicate
 * address detection would hear us; and what has its own MAC is never answered.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"
#include "vm/sentinel/park_impl.h"

static void
key_make(uint8_t key[PARK_KEY], uint32_t network, const struct msg_addr *a)
{
	memcpy(key, &network, sizeof(network));
	key[4] = a->family;
	memcpy(key + 5, a->bytes, sizeof(a->bytes));
	if (a->family == 4)
		memset(key + 9, 0, sizeof(a->bytes) - 4);
}

struct claim *
park_claim_find(const struct park_set *set, uint32_t network, const struct msg_addr *a)
{
	uint8_t key[PARK_KEY];

	key_make(key, network, a);
	return table_find(&set->by_addr, key, sizeof(key));
}

/* ---- sending ---- */

static struct frame_ends
ends_of(const struct claim *c)
{
	struct frame_ends ends = { .src = c->addr, .dst = c->addr };

	memcpy(ends.src_mac, c->unit->mac, 6);
	return ends;
}

static void
send_out(struct park_set *set, const struct claim *c, bool built, const struct frame_out *out)
{
	if (built)
		set->ops.port(set->arg, c->unit->network, out->bytes, out->len);
}

/* ARP of our side; `sender` is 0.0.0.0 in a probe. */
static void
arp_send(struct park_set *set, const struct claim *c, uint16_t op, const struct msg_addr *sender,
    const uint8_t to_mac[6], const struct msg_addr *target)
{
	struct frame_ends ends = ends_of(c);
	struct frame_arp arp = { .op = op, .sender = *sender, .target = *target };
	struct frame_out out;

	memcpy(ends.dst_mac, to_mac, 6);
	memcpy(arp.sender_mac, c->unit->mac, 6);
	if (op == 2)
		memcpy(arp.target_mac, to_mac, 6);
	send_out(set, c, frame_build_arp(&out, &ends, &arp), &out);
}

static const uint8_t to_all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* "Has anybody this address?"  The sender is no address, so that nobody learns one of us. */
static void
probe_send(struct park_set *set, const struct claim *c)
{
	static const struct msg_addr none = { .family = 4 };
	struct frame_ends ends = ends_of(c);
	struct frame_out out;

	if (c->addr.family == 4) {
		arp_send(set, c, 1, &none, to_all, &c->addr);
		return;
	}
	frame_ends_to_asked(&ends);
	ends.src = (struct msg_addr){ .family = 6 };
	send_out(set, c, frame_build_solicit(&out, &ends, &c->addr), &out);
}

/* An advertisement to all nodes: an announcement, or the answer to who asks from ::. */
static void
advert_all(struct park_set *set, const struct claim *c)
{
	struct frame_ends ends = ends_of(c);
	struct frame_out out;

	frame_ends_to_all(&ends);
	send_out(set, c, frame_build_advert(&out, &ends, &c->addr, FRAME_ND_OVERRIDE), &out);
}

static void
announce(struct park_set *set, const struct claim *c)
{
	if (c->addr.family == 4)
		arp_send(set, c, 1, &c->addr, to_all, &c->addr);
	else
		advert_all(set, c);
}

/* ---- claims ---- */

static void
tell_conflict(struct park_set *set, const struct claim *c, const uint8_t mac[6], uint64_t now_ns)
{
	struct msg m = { .type = MSG_CONFLICT, .unit = c->unit->number, .time_ns = now_ns,
	    .conflict = { .addr = c->addr, .over = mac == NULL } };

	if (mac != NULL)
		memcpy(m.conflict.mac, mac, 6);
	set->ops.tell(set->arg, &m);
}

static void
own(struct claim *c, uint64_t now_ns)
{
	c->state = CLAIM_OWNED;
	c->next_ns = 0;
	c->sent = 0;
	c->owned_ns = now_ns;
}

static void
claim_clear(struct park_set *set, struct claim *c)
{
	/* another unit may have got the address meanwhile */
	if (c->state != CLAIM_NONE && table_find(&set->by_addr, c->key, sizeof(c->key)) == c)
		(void)table_remove(&set->by_addr, c->key, sizeof(c->key));
	*c = (struct claim){ .unit = c->unit };
}

void
park_claim_clear(struct park_set *set, struct park_unit *u)
{
	for (size_t i = 0; i < PARK_ADDRS; i++)
		claim_clear(set, &u->claims[i]);
}

/* The unit that is told of last has the address: the other's number is about to be forgotten. */
static void
claim_take(struct park_set *set, struct claim *c, const struct msg_addr *a, uint64_t at_ns)
{
	struct claim *before;

	claim_clear(set, c);
	c->addr = *a;
	key_make(c->key, c->unit->network, a);
	before = table_find(&set->by_addr, c->key, sizeof(c->key));
	if (before != NULL)
		claim_clear(set, before);
	c->state = CLAIM_PROBING;
	c->next_ns = at_ns;
	table_set(&set->by_addr, c->key, sizeof(c->key), c);
}

static bool
same_claim(const struct claim *c, uint32_t network, const struct msg_addr *a)
{
	uint8_t key[PARK_KEY];

	key_make(key, network, a);
	return c->state != CLAIM_NONE && memcmp(c->key, key, sizeof(key)) == 0;
}

void
park_claim_set(struct park_set *set, struct park_unit *u, const struct msg_park *park,
    uint64_t now_ns)
{
	bool owned = (park->flags & MSG_PARK_OWNED) != 0, slot = false;
	uint64_t at_ns = set->claim_slot_ns > now_ns ? set->claim_slot_ns : now_ns;

	for (size_t i = 0; i < PARK_ADDRS; i++) {
		struct claim *c = &u->claims[i];

		if (park->addr[i].family == 0) {
			claim_clear(set, c);
			continue;
		}
		if (!same_claim(c, park->network, &park->addr[i])) {
			claim_take(set, c, &park->addr[i], at_ns);
			slot = slot || !owned;
		}
		if (owned && c->state != CLAIM_OWNED)
			own(c, now_ns);
	}
	if (slot)
		set->claim_slot_ns = at_ns + PARK_CLAIM_PACE_NS;
}

void
park_claim_tick(struct park_set *set, struct claim *c, uint64_t now_ns)
{
	if (c->sent < PARK_CLAIM_PROBES) {
		c->sent++;
		c->next_ns = now_ns + PARK_CLAIM_NS;
		probe_send(set, c);
		return;
	}
	/* The warden hears of the end in any case: it marks the unit. */
	if (c->state == CLAIM_CONFLICT)
		tell_conflict(set, c, NULL, now_ns);
	own(c, now_ns);
	announce(set, c);
}

static void
conflict_wait(struct claim *c, uint64_t now_ns)
{
	c->sent = 0;
	c->next_ns = now_ns + c->pause_ns;
}

/* Another host says that the address is its own, or looks whether it can have it. */
static void
claimed(struct park_set *set, struct claim *c, const uint8_t mac[6], uint64_t now_ns)
{
	bool again = c->state == CLAIM_CONFLICT;

	/* The guest speaks for itself soon; while a conflict waits there is nothing new. */
	if (c->unit->state > PARK_ASKED || (again && c->sent == 0))
		return;
	if (!again && !park_may_tell(set, now_ns))
		return;
	/* One that comes and goes is asked for less and less often, too. */
	if (c->pause_ns == 0 || (!again && now_ns - c->owned_ns > PARK_CONFLICT_MOST_NS))
		c->pause_ns = PARK_CONFLICT_NS;
	else if (c->pause_ns < PARK_CONFLICT_MOST_NS / 2)
		c->pause_ns *= 2;
	else
		c->pause_ns = PARK_CONFLICT_MOST_NS;
	c->state = CLAIM_CONFLICT;
	conflict_wait(c, now_ns);
	if (!again)
		tell_conflict(set, c, mac, now_ns);
	park_due_set(set, c->unit);
}

/* ---- who asks, and who claims ---- */

/* The claim of an address that the frame says is another MAC's; NULL: there is none. */
static struct claim *
contested(const struct park_set *set, uint32_t network, const struct frame *f,
    const struct msg_addr *a, const uint8_t mac[6])
{
	struct claim *c = park_claim_find(set, network, a);

	return c != NULL && memcmp(c->unit->mac, mac, 6) != 0 &&
	    memcmp(c->unit->mac, f->src_mac, 6) != 0 ? c : NULL;
}

/* Somebody asks for an address that nobody has probed for yet: its turn comes now. */
static void
hurry(struct park_set *set, struct claim *c, uint64_t now_ns)
{
	if (c->state != CLAIM_PROBING || c->sent > 0 || c->next_ns <= now_ns)
		return;
	c->next_ns = now_ns;
	park_due_set(set, c->unit);
}

static void
arp_frame(struct park_set *set, uint32_t network, const struct frame *f, uint64_t now_ns)
{
	const struct frame_arp *arp = &f->arp;
	bool probe = addr_is_any(&arp->sender);
	struct claim *c = probe ? NULL
	    : contested(set, network, f, &arp->sender, arp->sender_mac);

	if (c != NULL)
		claimed(set, c, arp->sender_mac, now_ns);
	if (arp->op != 1 || (arp->sender_mac[0] & 1) != 0)
		return;
	c = contested(set, network, f, &arp->target, arp->sender_mac);
	if (c == NULL || addr_cmp(&arp->sender, &arp->target) == 0 || !park_speaks(c->unit))
		return;
	if (c->state == CLAIM_OWNED)
		arp_send(set, c, 2, &c->addr, arp->sender_mac, &arp->sender);
	else if (probe)
		claimed(set, c, arp->sender_mac, now_ns);
	else
		hurry(set, c, now_ns);
}

/* Answers who asks from `f->src`, which is not ::. */
static void
advert_answer(struct park_set *set, const struct claim *c, const struct frame *f)
{
	struct frame_ends ends = ends_of(c);
	struct frame_out out;

	ends.dst = f->src;
	memcpy(ends.dst_mac, f->nd.has_mac ? f->nd.mac : f->src_mac, 6);
	if ((ends.dst_mac[0] & 1) == 0)
		send_out(set, c, frame_build_advert(&out, &ends, &c->addr,
		    FRAME_ND_SOLICITED | FRAME_ND_OVERRIDE), &out);
}

static void
solicit_frame(struct park_set *set, uint32_t network, const struct frame *f, uint64_t now_ns)
{
	const uint8_t *mac = f->nd.has_mac ? f->nd.mac : f->src_mac;
	bool probe = addr_is_any(&f->src);
	struct claim *c = probe ? NULL : contested(set, network, f, &f->src, mac);

	if (c != NULL)
		claimed(set, c, mac, now_ns);
	c = contested(set, network, f, &f->nd.target, mac);
	if (c == NULL || addr_cmp(&f->src, &f->nd.target) == 0 || !park_speaks(c->unit))
		return;
	if (c->state != CLAIM_OWNED && probe)
		claimed(set, c, mac, now_ns);
	else if (c->state != CLAIM_OWNED)
		hurry(set, c, now_ns);
	else if (!probe)
		advert_answer(set, c, f);
	else if (c->unit->state != PARK_LINKED)
		advert_all(set, c);
}

static void
advert_frame(struct park_set *set, uint32_t network, const struct frame *f, uint64_t now_ns)
{
	const uint8_t *mac = f->nd.has_mac ? f->nd.mac : f->src_mac;
	struct claim *c = contested(set, network, f, &f->nd.target, mac);

	if (c != NULL)
		claimed(set, c, mac, now_ns);
}

void
park_claim_frame(struct park_set *set, uint32_t network, const struct frame *f, uint64_t now_ns)
{
	if (f->kind == FRAME_ARP)
		arp_frame(set, network, f, now_ns);
	else if (f->kind == FRAME_SOLICIT)
		solicit_frame(set, network, f, now_ns);
	else if (f->kind == FRAME_ADVERT)
		advert_frame(set, network, f, now_ns);
}
