/* admit: budgets for boots, VMs, memory and wakes. */
#include "src/life/admit.h"

#include <stddef.h>
#include <string.h>

#define MINUTE_MS 60000u

void
admit_init(struct admit *a, const struct admit_limits *limits, admit_sure_cb on_sure, void *arg)
{
	*a = (struct admit){ .limits = *limits, .numbered = true, .on_sure = on_sure, .arg = arg };
	TAILQ_INIT(&a->queue);
}

/* So many VMs and so much memory are within the limits. */
static bool
within(const struct admit *a, uint64_t vms, uint64_t bytes, uint64_t more_bytes)
{
	return vms <= a->limits.vms && more_bytes <= a->limits.memory_bytes &&
	    bytes <= a->limits.memory_bytes - more_bytes;
}

/* There is room for it beside what runs and what is sure to run. */
static bool
has_room(const struct admit *a, const struct admit_waiter *w)
{
	return within(
	    a, (uint64_t)a->vms + a->nsure + 1, a->memory_bytes + a->sure_bytes, w->memory_bytes);
}

static void
sure_set(struct admit *a, struct admit_waiter *w, bool sure)
{
	w->sure = sure;
	a->nsure = sure ? a->nsure + 1 : a->nsure - 1;
	a->sure_bytes = sure ? a->sure_bytes + w->memory_bytes : a->sure_bytes - w->memory_bytes;
	a->last_sure = sure ? w : TAILQ_PREV(w, admit_queue, link);
	if (a->on_sure != NULL)
		a->on_sure(w, a->arg);
}

static struct admit_waiter *
first_unsure(const struct admit *a)
{
	return a->last_sure != NULL ? TAILQ_NEXT(a->last_sure, link) : TAILQ_FIRST(&a->queue);
}

/* After any change of what runs, of the limits or of the queue. */
static void
sure_settle(struct admit *a)
{
	struct admit_waiter *w;

	while ((w = a->last_sure) != NULL &&
	    !within(a, (uint64_t)a->vms + a->nsure, a->memory_bytes, a->sure_bytes))
		sure_set(a, w, false);
	while ((w = first_unsure(a)) != NULL && has_room(a, w))
		sure_set(a, w, true);
}

/*
 * The rounds of a waiter's asker, which it has left: what it has before is in an earlier round, if
 * not in the one just before.
 */
static void
rounds_give_back(struct admit *a, const struct admit_waiter *w)
{
	unsigned asker = w->asker % ADMIT_ASKERS;

	if (--a->asked[asker] == 0)
		a->rounds[asker] = 0;
	else if (a->rounds[asker] == w->round)
		a->rounds[asker] = w->round - 1;
}

/* A waiter leaves the queue; the caller settles what that changes. */
static void
queue_remove(struct admit *a, struct admit_waiter *w)
{
	if (w->sure) {
		a->nsure--;
		a->sure_bytes -= w->memory_bytes;
	}
	if (a->last_sure == w)
		a->last_sure = TAILQ_PREV(w, admit_queue, link);
	TAILQ_REMOVE(&a->queue, w, link);
	w->queued = w->sure = false;
	a->waiting--;
	a->numbered = a->waiting == 0;
	rounds_give_back(a, w);
	if (a->waiting == 0)
		a->round = 0;
}

void
admit_limits_set(struct admit *a, const struct admit_limits *limits)
{
	a->limits = *limits;
	sure_settle(a);
}

/* Thousandths of a token that are there by now. */
static uint64_t
bucket_milli(const struct admit_bucket *b, unsigned per_min, uint64_t now_ms)
{
	uint64_t full = (uint64_t)per_min * 1000, milli;

	if (b->at_ms == 0 || now_ms < b->at_ms)
		milli = b->at_ms == 0 ? full : b->milli;
	else if (now_ms - b->at_ms >= MINUTE_MS)
		milli = full;
	else
		milli = b->milli + (now_ms - b->at_ms) * per_min * 1000 / MINUTE_MS;
	return milli < full ? milli : full;
}

static bool
bucket_has(const struct admit_bucket *b, unsigned per_min, uint64_t now_ms)
{
	return per_min == 0 || bucket_milli(b, per_min, now_ms) >= 1000;
}

/* There is a token: without one the time is not moved on, so that fractions are not lost. */
static void
bucket_take(struct admit_bucket *b, unsigned per_min, uint64_t now_ms)
{
	if (per_min == 0)
		return;
	b->milli = (uint32_t)(bucket_milli(b, per_min, now_ms) - 1000);
	b->at_ms = now_ms != 0 ? now_ms : 1;
}

static bool
is_too_often(const struct admit *a, const struct admit_waiter *w, uint64_t now_ms)
{
	return !bucket_has(&w->bucket, a->limits.wakes_per_min, now_ms) ||
	    !bucket_has(&a->bucket, a->limits.wakes_per_min_all, now_ms);
}

static bool
fits(const struct admit *a, const struct admit_waiter *w)
{
	return a->boots < a->limits.boots &&
	    within(a, (uint64_t)a->vms + 1, a->memory_bytes, w->memory_bytes);
}

void
admit_take(struct admit *a, struct admit_waiter *w)
{
	if (w->held)
		return;
	w->held = true;
	a->vms++;
	a->memory_bytes += w->memory_bytes;
	sure_settle(a);
}

static void
take_boot(struct admit *a, struct admit_waiter *w)
{
	admit_take(a, w);
	w->booting = true;
	a->boots++;
}

/* The round that its asker's next waiter is in. */
static uint32_t
next_round(const struct admit *a, const struct admit_waiter *w)
{
	uint32_t last = a->rounds[w->asker % ADMIT_ASKERS];

	return (last > a->round ? last : a->round) + 1;
}

/*
 * Behind all of its round.  Where those that follow are sure, it is sure as well: if there is no
 * room for that, the last of them are not any more.
 */
static void
queue_insert(struct admit *a, struct admit_waiter *w)
{
	struct admit_waiter *x = TAILQ_LAST(&a->queue, admit_queue);
	struct admit_waiter *next;

	w->round = a->rounds[w->asker % ADMIT_ASKERS] = next_round(a, w);
	a->asked[w->asker % ADMIT_ASKERS]++;
	w->queued = true;
	w->sure = false;
	w->place = ++a->waiting;
	while (x != NULL && x->round > w->round)
		x = TAILQ_PREV(x, admit_queue, link);
	if (x != NULL)
		TAILQ_INSERT_AFTER(&a->queue, x, w, link);
	else
		TAILQ_INSERT_HEAD(&a->queue, w, link);
	next = TAILQ_NEXT(w, link);
	a->numbered = a->numbered && next == NULL;
	if (next != NULL && next->sure) {
		w->sure = true;
		a->nsure++;
		a->sure_bytes += w->memory_bytes;
	}
	sure_settle(a);
	if (next != NULL && w->sure && a->on_sure != NULL)
		a->on_sure(w, a->arg);
}

enum admit_verdict
admit_ask(struct admit *a, struct admit_waiter *w, uint64_t now_ms, bool free_rate)
{
	bool at_once = TAILQ_EMPTY(&a->queue) && fits(a, w);

	if (w->held)
		return ADMIT_NOW;
	if (w->queued)
		return ADMIT_WAIT;
	if (w->memory_bytes > a->limits.memory_bytes)
		return ADMIT_NEVER;
	/* Before the queue: who may not wait anyway takes nobody's place there (admit_yield). */
	if (!free_rate && is_too_often(a, w, now_ms))
		return ADMIT_TOO_OFTEN;
	if (!at_once && a->waiting >= a->limits.queue)
		return ADMIT_FULL;
	if (!free_rate) {
		bucket_take(&w->bucket, a->limits.wakes_per_min, now_ms);
		bucket_take(&a->bucket, a->limits.wakes_per_min_all, now_ms);
	}
	if (at_once) {
		take_boot(a, w);
		return ADMIT_NOW;
	}
	queue_insert(a, w);
	return ADMIT_WAIT;
}

struct admit_waiter *
admit_yield(struct admit *a, const struct admit_waiter *w)
{
	struct admit_waiter *last = TAILQ_LAST(&a->queue, admit_queue);

	if (last == NULL || last->round <= next_round(a, w))
		return NULL;
	queue_remove(a, last);
	sure_settle(a);
	return last;
}

void
admit_resize(struct admit *a, struct admit_waiter *w, uint64_t memory_bytes)
{
	if (w->held)
		return;
	if (w->queued && w->sure)
		a->sure_bytes = a->sure_bytes - w->memory_bytes + memory_bytes;
	w->memory_bytes = memory_bytes;
	if (w->queued)
		sure_settle(a);
}

void
admit_boot_done(struct admit *a, struct admit_waiter *w)
{
	if (!w->booting)
		return;
	w->booting = false;
	a->boots--;
}

void
admit_release(struct admit *a, struct admit_waiter *w)
{
	admit_boot_done(a, w);
	if (!w->queued && !w->held)
		return;
	if (w->queued)
		queue_remove(a, w);
	if (w->held) {
		w->held = false;
		a->vms--;
		a->memory_bytes -= w->memory_bytes;
	}
	sure_settle(a);
}

struct admit_waiter *
admit_next(struct admit *a)
{
	struct admit_waiter *w = TAILQ_FIRST(&a->queue);

	if (w == NULL || !fits(a, w))
		return NULL;
	queue_remove(a, w);
	if (a->waiting > 0)
		a->round = w->round;
	take_boot(a, w);
	return w;
}

unsigned
admit_position(const struct admit *a, const struct admit_waiter *w)
{
	const struct admit_waiter *x;
	unsigned n = 1;

	if (!w->queued)
		return 0;
	if (a->numbered)
		return w->place;
	for (x = TAILQ_PREV(w, admit_queue, link); x != NULL; x = TAILQ_PREV(x, admit_queue, link))
		n++;
	return n;
}

void
admit_number(struct admit *a)
{
	struct admit_waiter *x;
	unsigned n = 0;

	if (a->numbered)
		return;
	TAILQ_FOREACH(x, &a->queue, link)
		x->place = ++n;
	a->numbered = true;
}

enum admit_want
admit_wants(const struct admit *a, const struct admit_waiter *w)
{
	if (w->sure)
		return ADMIT_WANT_BOOT;
	return (uint64_t)a->vms + a->nsure >= a->limits.vms ? ADMIT_WANT_VM : ADMIT_WANT_MEMORY;
}

bool
admit_would_be_sure(const struct admit *a, const struct admit_waiter *w)
{
	return a->nsure == a->waiting && (w->held || has_room(a, w));
}

bool
admit_lacks(const struct admit *a, unsigned *vms, uint64_t *bytes)
{
	const struct admit_waiter *w = first_unsure(a);
	uint64_t all_vms = (uint64_t)a->vms + a->nsure + 1, all_bytes;

	*vms = 0;
	*bytes = 0;
	if (w == NULL)
		return false;
	all_bytes = a->memory_bytes + a->sure_bytes + w->memory_bytes;
	if (all_vms > a->limits.vms)
		*vms = (unsigned)(all_vms - a->limits.vms);
	if (all_bytes > a->limits.memory_bytes)
		*bytes = all_bytes - a->limits.memory_bytes;
	return true;
}
