/*
 * hold: the queries that wait for their unit, of one worker.
 *
 * No I/O and no clock of its own: every call says what time it is, and what is to be done comes
 * back through three callbacks.  They run inside the call and must not call into the table.  All
 * work per query is O(1); only the first query of a unit costs O(log units).
 *
 * The deadline is the wake's: `hold_ms` after its first query, for all its queries.  Resolvers ask
 * again while they wait, each time with a new id and port, and drop what comes late: if each
 * retransmission waited anew, nobody would listen to its answer any more.
 *
 * Invariants: a query in the table has a deadline at which hold_tick answers it; a unit has at most
 * `per_unit` queries and the table at most `total`, beyond which the oldest is answered; a unit
 * with queries was asked for, and is asked for again every HOLD_ASK_AGAIN_NS.
 */
#ifndef DNS_SERVER_HOLD_H
#define DNS_SERVER_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/err.h"
#include "dns/server/peer.h"

/* After so long without an answer, a wake is asked for again: the warden may be a new one. */
#define HOLD_ASK_AGAIN_NS NS_PER_S

/* Nothing is due. */
#define HOLD_NEVER UINT64_MAX

struct hold_unit;

/* One held query, as the callbacks see it. */
struct hold_query {
	TAILQ_ENTRY(hold_query) in_unit;
	TAILQ_ENTRY(hold_query) in_all;
	struct hold_unit *unit;
	uint64_t arrived_ns;
	uint64_t deadline_ns;
	struct dns_peer peer;
	uint32_t unit_number;
	uint16_t qtype;
	uint16_t len;
	uint8_t wire[];
};

/* MSG_WAKE: somebody waits for this unit. */
struct hold_wake {
	uint32_t unit;
	uint16_t qtype;
	uint64_t arrived_ns;   /* of the query; for hold_add and hold_ask this is the time now */
	const struct dns_peer *peer;
};

/* What hold_add is told. */
struct hold_request {
	struct hold_wake wake;
	uint32_t hold_ms;      /* a shorter time takes effect when the unit's queue is empty */
	uint64_t first_ns;     /* arrival of the wake's first query, in any worker; 0 = not known */
	const uint8_t *wire;   /* copied */
	size_t len;
};

/* MSG_ANSWERED: queries of one wake were answered. */
struct hold_report {
	uint32_t unit;
	uint32_t answers;
	uint64_t first_query_ns;
	bool expired;          /* one of them was answered before the unit was ready */
};

struct hold_ops {
	/*
	 * Answers with the zone's data when `ede` is below 0, else SERVFAIL and that code; `q` is
	 * freed afterwards.  `expired`: how the wake ends is not known, and `ede` is below 0.
	 */
	void (*answer)(void *arg, const struct hold_query *q, int ede, bool expired);
	void (*wake)(void *arg, const struct hold_wake *w);
	void (*report)(void *arg, const struct hold_report *r);
};

struct hold;

/* per_unit and total are at least 1. */
struct hold *hold_new(uint32_t per_unit, uint32_t total, const struct hold_ops *ops, void *arg);
/* What is still held is dropped, not answered. */
void hold_free(struct hold *h);

/*
 * Holds a query: asks for the unit unless a wake is outstanding, and answers the oldest when a
 * bound is passed.  ERR_TIMEOUT (the wake's deadline has passed, or hold_ms is 0), ERR_LIMIT
 * (longer than LIMIT_HELD_QUERY) and ERR_NOMEM: the query is not held, the caller answers; the unit
 * was asked for nevertheless.
 */
enum err hold_add(struct hold *h, const struct hold_request *r);

/* Asks for a unit without holding anything, at most once per HOLD_ASK_AGAIN_NS. */
void hold_ask(struct hold *h, const struct hold_wake *w);

/* Would a query for the unit make us ask for it now, or does a wake go on already? */
bool hold_would_ask(const struct hold *h, uint32_t unit, uint64_t now_ns);

/* The wake ended: answers all that wait, with the zone's data (`ede` below 0) or SERVFAIL. */
void hold_woken(struct hold *h, uint32_t unit, int ede);

/* Answers what has waited long enough, asks again for what is overdue, forgets the rest. */
void hold_tick(struct hold *h, uint64_t now_ns);

/* When hold_tick is due at the latest, or HOLD_NEVER; perhaps too early, never too late. */
uint64_t hold_next_ns(const struct hold *h);

/* Queries held now; units with a record. */
uint32_t hold_count(const struct hold *h);
uint32_t hold_units(const struct hold *h);

#endif
