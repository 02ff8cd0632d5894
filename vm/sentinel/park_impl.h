/*
 * park_impl: what the parts of park share: units, claims, held frames.
 *
 * park_state.c has messages and states, park_due.c the order of timers, park_claim.c addresses and
 * who else has them, park_hold.c what is kept, park_flow.c what packets mean.
 */
#ifndef VM_SENTINEL_PARK_IMPL_H
#define VM_SENTINEL_PARK_IMPL_H

#include <sys/queue.h>

#include "base/limits.h"
#include "base/table.h"
#include "vm/sentinel/frame.h"
#include "vm/sentinel/park.h"

enum park_state { PARK_ASLEEP, PARK_ASKED, PARK_LINKED, PARK_AWAKE };
enum claim_state { CLAIM_NONE, CLAIM_PROBING, CLAIM_OWNED, CLAIM_CONFLICT };

#define PARK_ADDRS 2
#define PARK_KEY 21        /* network, family, address */

struct park_unit;

struct claim {
	struct park_unit *unit;
	struct msg_addr addr;
	uint8_t key[PARK_KEY];
	enum claim_state state;
	unsigned sent;             /* probes of this round */
	uint64_t next_ns;          /* 0 = nothing to do */
	uint64_t pause_ns;         /* of a conflict */
	uint64_t owned_ns;         /* since when */
};

/* What a frame is to us. */
enum packet_kind {
	PACKET_NOTHING,
	PACKET_SYN,
	PACKET_MIDDLE,             /* a segment in the middle of a flow */
	PACKET_DATAGRAM            /* UDP or an echo request */
};

struct packet {
	enum packet_kind kind;
	uint8_t proto;             /* IPPROTO_* */
	struct msg_addr peer, own;
	uint16_t peer_port, port;  /* of an echo request: its identifier, 0 */
	uint32_t seq;              /* of a segment or an echo request */
};

struct held {
	TAILQ_ENTRY(held) entry;
	struct packet packet;
	uint64_t next_ns;          /* of a SYN: when it is given next, once the guest is alive */
	uint64_t interval_ns;
	bool refused;              /* a SYN: the guest has answered with a RST */
	size_t len;
	uint8_t data[];            /* with its header */
};

TAILQ_HEAD(held_list, held);
TAILQ_HEAD(park_list, park_unit);

/* Only where something is limited, so that ten thousand units without are small. */
struct park_policy {
	uint8_t non, npassive, passive_accepts;
	struct msg_wake_on on[LIMIT_WAKE_ON];
	struct msg_addr passive[LIMIT_PASSIVE];
};

struct park_unit {
	uint32_t number, network;
	uint8_t mac[6];
	bool memory;               /* MSG_PARK_MEMORY */
	bool linked;
	bool alive;                /* linked, and the guest has shown life */
	enum park_state state;
	struct park_policy *policy;   /* owned; may be NULL */
	struct claim claims[PARK_ADDRS];
	struct held_list held;     /* oldest first */
	unsigned nheld;
	size_t held_bytes;
	TAILQ_ENTRY(park_unit) fullness;   /* while something is held */
	unsigned full_at;
	uint64_t knock_ns;         /* not asked for before */
	uint64_t deadline_ns;      /* of PARK_AWAKE; else 0 */
	uint64_t due_ns;           /* when park_tick has something to do; 0 = never */
	size_t due_at;             /* in the heap, while due_ns is not 0 */
};

/* Units that hold frames, by how much each holds. */
#define FULL_STEP 2048
#define FULL_STEPS (LIMIT_HELD_UNIT_BYTES / FULL_STEP + 1)

/* So many within each window. */
struct park_window {
	uint64_t begun_ns;
	unsigned n;
};

struct park_set {
	struct park_ops ops;
	void *arg;
	uint8_t secret[16];        /* of sequence numbers */
	struct table by_unit;      /* number to struct park_unit */
	struct table by_addr;      /* key to struct claim */
	struct park_unit **heap;   /* by due_ns */
	size_t nheap, heap_room;
	struct park_list full[FULL_STEPS];
	size_t held, held_bytes;
	uint64_t claim_slot_ns;    /* when the unit that was told of last begins its claim */
	struct park_window tells, refusals;
};

static inline bool
park_window_open(struct park_window *w, unsigned most, uint64_t window_ns, uint64_t now_ns)
{
	if (now_ns - w->begun_ns >= window_ns)
		*w = (struct park_window){ .begun_ns = now_ns };
	if (w->n >= most)
		return false;
	w->n++;
	return true;
}

/* May the warden be told of something that anybody can bring about? */
static inline bool
park_may_tell(struct park_set *set, uint64_t now_ns)
{
	return park_window_open(&set->tells, LIMIT_KNOCKS_WINDOW,
	    LIMIT_KNOCKS_WINDOW_MS * NS_PER_MS, now_ns);
}

/* Does the sentinel speak for the unit? */
static inline bool
park_speaks(const struct park_unit *u)
{
	return u->state <= PARK_LINKED;
}

/* ---- park_due.c ---- */

/* Computes when the unit is due, and puts it in its place. */
void park_due_set(struct park_set *set, struct park_unit *u);
void park_due_never(struct park_set *set, struct park_unit *u);
/* A unit that is due, or NULL. */
struct park_unit *park_due_first(struct park_set *set, uint64_t now_ns);

/* ---- park_claim.c ---- */

/* NULL when no unit has the address; its state may be any but CLAIM_NONE. */
struct claim *park_claim_find(const struct park_set *set, uint32_t network,
    const struct msg_addr *a);
/* Takes the addresses of a MSG_PARK over; what they were stays where they are the same. */
void park_claim_set(struct park_set *set, struct park_unit *u, const struct msg_park *park,
    uint64_t now_ns);
void park_claim_clear(struct park_set *set, struct park_unit *u);
void park_claim_tick(struct park_set *set, struct claim *c, uint64_t now_ns);
/* ARP or neighbour discovery came in by the port. */
void park_claim_frame(struct park_set *set, uint32_t network, const struct frame *f,
    uint64_t now_ns);

/* ---- park_hold.c ---- */

/*
 * Keeps a frame, in place of one that says the same; the oldest go where it is too much.  NULL: it
 * cannot be kept.  It may then be given (its header is as the kernel takes it).
 */
struct held *park_hold_add(struct park_set *set, struct park_unit *u, const struct packet *p,
    const struct frame *f, const uint8_t *frame, size_t len);
void park_hold_free(struct park_set *set, struct park_unit *u, struct held *h);
void park_hold_clear(struct park_set *set, struct park_unit *u);

/* ---- park_flow.c ---- */

/* Tells that the packet wants the unit, which may have been done too often already. */
void park_knock(struct park_set *set, struct park_unit *u, const struct packet *p,
    uint64_t now_ns);
/* Answers a segment with a RST (RFC 9293 section 3.10.7.1, but PARK_REFUSAL_SEQ). */
void park_refuse(struct park_set *set, const struct park_unit *u, const struct frame *f,
    uint64_t now_ns);
/* Likewise each SYN that is held, or only those that the guest has refused. */
void park_refuse_held(struct park_set *set, const struct park_unit *u, bool all,
    uint64_t now_ns);
/* Gives a held frame; a SYN's next time is set. */
void park_give(struct park_set *set, struct park_unit *u, struct held *h, uint64_t now_ns);
/* Gives all that is given once, and forgets it. */
void park_give_datagrams(struct park_set *set, struct park_unit *u, uint64_t now_ns);
/* Gives each SYN now, and from then on by a new schedule. */
void park_give_syns(struct park_set *set, struct park_unit *u, uint64_t now_ns);

/* ---- park_state.c ---- */

struct park_unit *park_find(const struct park_set *set, uint32_t unit);
/* Is an awake unit done?  Then that is told, and the unit is gone: true. */
bool park_settle(struct park_set *set, struct park_unit *u);

#endif
