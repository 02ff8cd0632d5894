/* hold: the table of held queries: per unit a queue, over the units a heap of times. */
#include "dns/server/hold.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

/*
 * Unit numbers are dense: their low bits are a perfect hash for up to so many at once.
 * No base/table, since each held query looks here, and lack of memory must not end a worker.
 */
#define BUCKETS 4096u

TAILQ_HEAD(hold_list, hold_query);

struct hold_unit {
	SLIST_ENTRY(hold_unit) in_bucket;
	struct hold_list queries;   /* oldest first; deadlines do not decrease */
	uint32_t unit;
	uint32_t count;
	uint32_t slot;              /* in the heap */
	uint64_t next_ns;           /* the heap's key: at or before the first thing that is due */
	uint64_t asked_ns;          /* 0 = never */
	uint64_t first_ns;          /* arrival of the first query of this wake; 0 = none yet */
	uint32_t answers;           /* since the last report */
	bool expired;               /* one of these was answered too early */
	bool reported;              /* an expiry of this wake was; the rest waits for its end */
	bool owed;                  /* its turn to be asked for comes later, for this wake: */
	struct hold_wake owes;
	struct dns_peer owes_peer;
};

SLIST_HEAD(hold_bucket, hold_unit);

struct hold {
	const struct hold_ops *ops;
	void *arg;
	uint32_t per_unit, total;
	uint32_t count;             /* queries */
	uint32_t nunits, heap_cap;
	struct hold_unit **heap;
	struct hold_list all;       /* by arrival */
	uint64_t window_ns;         /* when the current window of asking began */
	uint32_t window_asked;
	struct hold_bucket buckets[BUCKETS];
};

/* ---- the heap ---- */

static void
heap_put(struct hold *h, uint32_t slot, struct hold_unit *u)
{
	h->heap[slot] = u;
	u->slot = slot;
}

static void
heap_up(struct hold *h, struct hold_unit *u)
{
	uint32_t slot = u->slot;

	while (slot > 0) {
		uint32_t parent = (slot - 1) / 2;

		if (h->heap[parent]->next_ns <= u->next_ns)
			break;
		heap_put(h, slot, h->heap[parent]);
		slot = parent;
	}
	heap_put(h, slot, u);
}

static void
heap_down(struct hold *h, struct hold_unit *u)
{
	uint32_t slot = u->slot;

	for (;;) {
		uint32_t child = 2 * slot + 1;

		if (child >= h->nunits)
			break;
		if (child + 1 < h->nunits && h->heap[child + 1]->next_ns < h->heap[child]->next_ns)
			child++;
		if (u->next_ns <= h->heap[child]->next_ns)
			break;
		heap_put(h, slot, h->heap[child]);
		slot = child;
	}
	heap_put(h, slot, u);
}

/* Room for one more; false without memory. */
static bool
heap_reserve(struct hold *h)
{
	uint32_t cap = h->heap_cap == 0 ? 64 : 2 * h->heap_cap;
	struct hold_unit **grown;

	if (h->nunits < h->heap_cap)
		return true;
	if ((grown = realloc(h->heap, cap * sizeof(struct hold_unit *))) != NULL) {
		h->heap = grown;
		h->heap_cap = cap;
	}
	return grown != NULL;
}

/* ---- units ---- */

static struct hold_unit *
unit_find(const struct hold *h, uint32_t unit)
{
	struct hold_unit *u;

	SLIST_FOREACH(u, &h->buckets[unit % BUCKETS], in_bucket)
		if (u->unit == unit)
			return u;
	return NULL;
}

static struct hold_unit *
unit_make(struct hold *h, uint32_t unit)
{
	struct hold_unit *u = heap_reserve(h) ? malloc(sizeof(*u)) : NULL;

	if (u == NULL)
		return NULL;
	*u = (struct hold_unit){ .unit = unit, .next_ns = HOLD_NEVER };
	TAILQ_INIT(&u->queries);
	SLIST_INSERT_HEAD(&h->buckets[unit % BUCKETS], u, in_bucket);
	heap_put(h, h->nunits++, u);
	return u;
}

/* What is due first: the oldest query's deadline, or asking again. */
static uint64_t
unit_due(const struct hold_unit *u)
{
	const struct hold_query *q = TAILQ_FIRST(&u->queries);
	uint64_t again = u->asked_ns + HOLD_ASK_AGAIN_NS;

	return q != NULL && q->deadline_ns < again ? q->deadline_ns : again;
}

/* The key is only ever too early, so that a query that leaves costs nothing here. */
static void
unit_hasten(struct hold *h, struct hold_unit *u)
{
	uint64_t due = unit_due(u);

	if (due >= u->next_ns)
		return;
	u->next_ns = due;
	heap_up(h, u);
}

static void
unit_report(struct hold *h, struct hold_unit *u)
{
	struct hold_report r = { .unit = u->unit, .answers = u->answers,
		.first_query_ns = u->first_ns, .expired = u->expired };

	if (u->answers == 0)
		return;
	u->answers = 0;
	u->expired = false;
	h->ops->report(h->arg, &r);
}

static void
unit_drop(struct hold *h, struct hold_unit *u)
{
	struct hold_unit *last = h->heap[--h->nunits];

	if (last != u) {
		heap_put(h, u->slot, last);
		heap_up(h, last);
		heap_down(h, last);
	}
	SLIST_REMOVE(&h->buckets[u->unit % BUCKETS], u, hold_unit, in_bucket);
	free(u);
}

/*
 * Asks the warden, unless it was asked lately.  A flood of names must not fill the channel: beyond
 * LIMIT_WAKES_WINDOW the unit's turn comes with the next window.
 */
static void
unit_ask(struct hold *h, struct hold_unit *u, uint64_t now_ns, const struct hold_wake *w)
{
	if (u->asked_ns != 0 && now_ns < u->asked_ns + HOLD_ASK_AGAIN_NS)
		return;
	if (now_ns - h->window_ns >= LIMIT_WAKES_WINDOW_MS * NS_PER_MS) {
		h->window_ns = now_ns;
		h->window_asked = 0;
	}
	if (h->window_asked >= LIMIT_WAKES_WINDOW) {
		u->asked_ns = now_ns + LIMIT_WAKES_WINDOW_MS * NS_PER_MS - HOLD_ASK_AGAIN_NS;
		if (!u->owed) {
			u->owes_peer = *w->peer;
			u->owes = *w;
			u->owes.peer = &u->owes_peer;
		}
		u->owed = true;
		return;
	}
	h->window_asked++;
	u->owed = false;
	u->asked_ns = now_ns;
	h->ops->wake(h->arg, w);
}

/* ---- queries ---- */

static void
query_answer(struct hold *h, struct hold_query *q, int ede, bool expired)
{
	struct hold_unit *u = q->unit;

	TAILQ_REMOVE(&u->queries, q, in_unit);
	TAILQ_REMOVE(&h->all, q, in_all);
	u->count--;
	h->count--;
	u->answers++;
	u->expired |= expired;
	h->ops->answer(h->arg, q, ede, expired);
	free(q);
}

/* When queries of the wake are answered at the latest; `u` may be NULL. */
static uint64_t
wake_deadline_ns(const struct hold_request *r, const struct hold_unit *u)
{
	uint64_t first = r->first_ns;

	if (first == 0 && u != NULL)
		first = u->first_ns;
	/* Another worker may have read the clock a moment later. */
	if (first == 0 || first > r->wake.arrived_ns)
		first = r->wake.arrived_ns;
	return first + r->hold_ms * NS_PER_MS;
}

static struct hold_query *
query_copy(const struct hold_request *r, struct hold_unit *u, uint64_t deadline_ns)
{
	struct hold_query *q = malloc(sizeof(*q) + r->len);
	const struct hold_query *last = TAILQ_LAST(&u->queries, hold_list);

	if (q == NULL)
		return NULL;
	*q = (struct hold_query){ .unit = u, .unit_number = u->unit,
		.arrived_ns = r->wake.arrived_ns, .deadline_ns = deadline_ns,
		.peer = *r->wake.peer, .qtype = r->wake.qtype, .len = (uint16_t)r->len };
	if (last != NULL && last->deadline_ns > q->deadline_ns)
		q->deadline_ns = last->deadline_ns;
	memcpy(q->wire, r->wire, r->len);
	return q;
}

/* Beyond a bound the oldest query is answered: its client is nearest to giving up. */
static void
evict(struct hold *h, struct hold_unit *u)
{
	struct hold_query *q;
	struct hold_unit *other;

	if (u->count > h->per_unit)
		query_answer(h, TAILQ_FIRST(&u->queries), -1, true);
	if (h->count <= h->total)
		return;
	q = TAILQ_FIRST(&h->all);
	other = q->unit;
	query_answer(h, q, -1, true);
	/* Records without queries keep us from asking twice, but must not outgrow the queries. */
	if (other->count == 0 && h->nunits > h->total)
		unit_drop(h, other);
}

struct hold *
hold_new(uint32_t per_unit, uint32_t total, const struct hold_ops *ops, void *arg)
{
	struct hold *h = mem_zero(1, sizeof(*h));

	*h = (struct hold){ .ops = ops, .arg = arg, .per_unit = per_unit, .total = total };
	TAILQ_INIT(&h->all);
	return h;
}

void
hold_free(struct hold *h)
{
	struct hold_query *q;

	while ((q = TAILQ_FIRST(&h->all)) != NULL) {
		TAILQ_REMOVE(&h->all, q, in_all);
		free(q);
	}
	for (uint32_t i = 0; i < h->nunits; i++)
		free(h->heap[i]);
	free(h->heap);
	free(h);
}

enum err
hold_add(struct hold *h, const struct hold_request *r)
{
	const struct hold_wake *w = &r->wake;
	struct hold_unit *u = unit_find(h, w->unit);
	uint64_t deadline_ns = wake_deadline_ns(r, u);
	struct hold_query *q;

	if (deadline_ns <= w->arrived_ns) {
		hold_ask(h, w);
		return ERR_TIMEOUT;
	}
	if (u == NULL)
		u = unit_make(h, w->unit);
	if (u == NULL) {
		h->ops->wake(h->arg, w);
		return ERR_NOMEM;
	}
	q = r->len <= LIMIT_HELD_QUERY ? query_copy(r, u, deadline_ns) : NULL;
	unit_ask(h, u, w->arrived_ns, w);
	if (q == NULL) {
		unit_hasten(h, u);
		return r->len <= LIMIT_HELD_QUERY ? ERR_NOMEM : ERR_LIMIT;
	}
	if (u->first_ns == 0)
		u->first_ns = w->arrived_ns;
	TAILQ_INSERT_TAIL(&u->queries, q, in_unit);
	TAILQ_INSERT_TAIL(&h->all, q, in_all);
	u->count++;
	h->count++;
	unit_hasten(h, u);
	evict(h, u);
	return ERR_OK;
}

void
hold_ask(struct hold *h, const struct hold_wake *w)
{
	struct hold_unit *u = unit_find(h, w->unit);

	if (u == NULL && h->nunits <= h->total)
		u = unit_make(h, w->unit);
	if (u == NULL)
		return;
	unit_ask(h, u, w->arrived_ns, w);
	unit_hasten(h, u);
}

bool
hold_would_ask(const struct hold *h, uint32_t unit, uint64_t now_ns)
{
	const struct hold_unit *u = unit_find(h, unit);

	return u == NULL || u->asked_ns == 0 || now_ns >= u->asked_ns + HOLD_ASK_AGAIN_NS;
}

void
hold_woken(struct hold *h, uint32_t unit, int ede)
{
	struct hold_unit *u = unit_find(h, unit);

	if (u == NULL)
		return;
	while (!TAILQ_EMPTY(&u->queries))
		query_answer(h, TAILQ_FIRST(&u->queries), ede, false);
	unit_report(h, u);
	unit_drop(h, u);
}

static void
unit_tick(struct hold *h, struct hold_unit *u, uint64_t now_ns)
{
	struct hold_query *q;
	bool expired = false;

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): query_answer takes it off the list */
	while ((q = TAILQ_FIRST(&u->queries)) != NULL && q->deadline_ns <= now_ns) {
		query_answer(h, q, -1, true);
		expired = true;
	}
	if (expired && !u->reported) {
		u->reported = true;
		unit_report(h, u);
	}
	q = TAILQ_FIRST(&u->queries);
	if (q != NULL) {
		struct hold_wake w = { .unit = u->unit, .qtype = q->qtype,
			.arrived_ns = q->arrived_ns, .peer = &q->peer };

		unit_ask(h, u, now_ns, &w);
	} else if (u->owed) {
		unit_ask(h, u, now_ns, &u->owes);
	} else if (now_ns >= u->asked_ns + HOLD_ASK_AGAIN_NS) {
		unit_report(h, u);
		unit_drop(h, u);
		return;
	}
	u->next_ns = unit_due(u);
	heap_down(h, u);
}

void
hold_tick(struct hold *h, uint64_t now_ns)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): a unit that is dropped leaves the heap */
	while (h->nunits > 0 && h->heap[0]->next_ns <= now_ns)
		unit_tick(h, h->heap[0], now_ns);
}

uint64_t
hold_next_ns(const struct hold *h)
{
	return h->nunits > 0 ? h->heap[0]->next_ns : HOLD_NEVER;
}

uint32_t
hold_count(const struct hold *h)
{
	return h->count;
}

uint32_t
hold_units(const struct hold *h)
{
	return h->nunits;
}
