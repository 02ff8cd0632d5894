/*
 * board: what the warden and the DNS process share about every unit, without messages.
 *
 * Two memory files, both arrays indexed by unit number.  The *state* board is written by the warden
 * and only read by the DNS process; the *use* board is the other way round.  Each reader's
 * descriptor is sealed against new writable mappings (F_SEAL_FUTURE_WRITE).  All accesses are
 * relaxed atomics: a value may be a moment old, so a wake is asked for again, and a time in the
 * future counts as now.
 *
 * Held queries of a wake wait from its first query on.  The DNS process writes that query's time
 * when it asks for the wake, the warden writes when the last wake ended: a first query that is not
 * newer belongs to a wake that is over.  So no worker resets anything, and a DNS process that is
 * replaced during a wake keeps to its deadline.
 *
 * On the hot path one relaxed load of board_state.state decides whether a name may be answered at
 * once.
 */
#ifndef BASE_BOARD_H
#define BASE_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"

enum board_answer {
	BOARD_HOLD = 0,   /* not awake: ask the warden (MSG_WAKE) and hold */
	BOARD_NOW = 1,    /* awake, or the unit has answer=now: answer */
	BOARD_WAKE_TOO = 2,   /* likewise, and ask for a wake */
	BOARD_FAIL = 3,   /* in back-off, or without network: SERVFAIL, EDE in `ede` */
	BOARD_CHECK = 4,  /* awake: answer, and MSG_WAKE: the warden looks whether the VM lives */
	BOARD_UNSURE = 5, /* BOARD_HOLD, but limits may forbid a boot: held too long, SERVFAIL */
};

struct board_state {
	_Atomic uint16_t answer;    /* enum board_answer */
	_Atomic uint16_t ede;       /* MSG_EDE_*, to give with BOARD_FAIL */
	_Atomic uint16_t hold_ms;   /* how long a wake's queries may be held, from the first on */
	_Atomic uint16_t passive;   /* MSG_PASSIVE: whose queries do not wake it; 0 = nobody's */
	_Atomic uint64_t woken_ns;  /* when the last wake ended, well or not (clock.h); 0 = never */
};

/* The alignment keeps what one query writes within one cache line. */
struct board_use {
	/* the last query that wanted this unit's address (clock.h); 0 = never */
	_Alignas(32) _Atomic uint64_t last_query_ns;
	_Atomic uint64_t queries;
	_Atomic uint64_t first_query_ns;   /* the first one of a wake; see board_wake_first_ns */
};

_Static_assert(sizeof(struct board_state) == 16, "four units per cache line");
_Static_assert(sizeof(struct board_use) == 32, "two units per cache line");

/* Query types that are counted each; the others together. */
enum board_type {
	BOARD_TYPE_A, BOARD_TYPE_NS, BOARD_TYPE_CNAME, BOARD_TYPE_SOA, BOARD_TYPE_PTR,
	BOARD_TYPE_MX, BOARD_TYPE_TXT, BOARD_TYPE_AAAA, BOARD_TYPE_SRV, BOARD_TYPE_DS,
	BOARD_TYPE_DNSKEY, BOARD_TYPE_TLSA, BOARD_TYPE_SVCB, BOARD_TYPE_HTTPS, BOARD_TYPE_ANY,
	BOARD_TYPE_OTHER, BOARD_TYPE_COUNT
};

/* How long queries were held: bucket i for less than 2^i ms, the last for everything longer. */
#define BOARD_HELD_BUCKETS 16

static inline unsigned
board_held_bucket(uint64_t held_ns)
{
	uint64_t ms = held_ns / 1000000;
	unsigned bucket = ms == 0 ? 0 : 64 - (unsigned)__builtin_clzll(ms);

	return bucket < BOARD_HELD_BUCKETS ? bucket : BOARD_HELD_BUCKETS - 1;
}

/* Statistics of the DNS process; one row per worker so that nothing is contended. */
struct board_counters {
	_Atomic uint64_t udp_queries, tcp_queries, answers, dropped;
	_Atomic uint64_t ipv6_queries;       /* of both */
	_Atomic uint64_t type[BOARD_TYPE_COUNT];
	_Atomic uint64_t held_for[BOARD_HELD_BUCKETS];
	_Atomic uint64_t rcode[24];
	_Atomic uint64_t held, held_expired, truncated, tcp_connections;
	_Atomic uint64_t wakes_deferred;     /* UDP clients sent to TCP: too many wakes */
	_Atomic uint64_t not_ready;          /* SERVFAIL: waits for a limit, perhaps in vain */
	_Atomic uint64_t reserved[6];
};

#define BOARD_FILES 3   /* state, use, counters */

struct board {
	int fds[BOARD_FILES];                /* in the order of MSG_BOARD; -1 when not held here */
	struct board_state *state;           /* the DNS process may only read it */
	struct board_use *use;               /* the warden may only read it, and counters */
	struct board_counters *counters;     /* LIMIT_WORKERS rows */
	uint32_t capacity;
};

/* No files and no mappings, as board_clear leaves it. */
void board_init(struct board *b);
/*
 * The warden's side: creates the files, for LIMIT_UNIT_NUMBERS units (sparse: untouched pages cost
 * nothing).  The state is sealed against new writable mappings; the others are their reader's.
 */
enum err board_create(struct board *b, struct errmsg *m);
/* The DNS process's side: maps what MSG_BOARD brought and closes the descriptors. */
enum err board_map(
    struct board *b, const int fds[BOARD_FILES], uint32_t capacity, struct errmsg *m);
void board_clear(struct board *b);
/* The warden ends a wake, before it tells the DNS process how it ended. */
static inline void
board_wake_end(const struct board *b, uint32_t unit, uint64_t now_ns)
{
	atomic_store_explicit(&b->state[unit].woken_ns, now_ns, memory_order_relaxed);
}

/* What arrived then was held when the last wake ended, and is answered by that end. */
static inline bool
board_wake_over(const struct board *b, uint32_t unit, uint64_t arrived_ns)
{
	return arrived_ns <= atomic_load_explicit(&b->state[unit].woken_ns, memory_order_relaxed);
}

/* When a wake's first query came; 0 when none was asked for since the last one ended. */
static inline uint64_t
board_wake_first_ns(const struct board *b, uint32_t unit)
{
	uint64_t first = atomic_load_explicit(&b->use[unit].first_query_ns, memory_order_relaxed);
	uint64_t woken = atomic_load_explicit(&b->state[unit].woken_ns, memory_order_relaxed);

	return first > woken ? first : 0;
}

/*
 * The DNS process asks for a wake, for a query that arrived then: of all workers' queries the
 * earliest is the wake's first.  Whoever calls it must also tell the warden, since nothing but the
 * end of a wake makes the time void.
 */
static inline void
board_wake_begin(const struct board *b, uint32_t unit, uint64_t arrived_ns)
{
	_Atomic uint64_t *at = &b->use[unit].first_query_ns;
	uint64_t woken = atomic_load_explicit(&b->state[unit].woken_ns, memory_order_relaxed);
	uint64_t first = atomic_load_explicit(at, memory_order_relaxed);

	/* A query from before the end of the last wake is answered by that end. */
	while (arrived_ns > woken && (first <= woken || arrived_ns < first))
		if (atomic_compare_exchange_weak_explicit(at, &first, arrived_ns,
		    memory_order_relaxed, memory_order_relaxed))
			break;
}

/* Last use as the warden reads it: a time in the future counts as `now_ns`. */
static inline uint64_t
board_last_query_ns(const struct board *b, uint32_t unit, uint64_t now_ns)
{
	uint64_t t = atomic_load_explicit(&b->use[unit].last_query_ns, memory_order_relaxed);

	return t > now_ns ? now_ns : t;
}

#endif
