/* admit: budgets for boots, VMs, memory and wakes. */
#include "src/admit.h"

#include <string.h>

#define MINUTE_MS 60000u

void
admit_init(struct admit *a, const struct admit_limits *limits)
{
	memset(a, 0, sizeof(*a));
	a->limits = *limits;
	TAILQ_INIT(&a->queue);
}

void
admit_limits_set(struct admit *a, const struct admit_limits *limits)
{
	a->limits = *limits;
}

/* Takes a token when there is one. */
static bool
bucket_take(struct admit_bucket *b, unsigned per_min, uint64_t now_ms)
{
	uint64_t full = (uint64_t)per_min * 1000, milli;

	if (per_min == 0)
		return true;
	if (b->at_ms == 0 || now_ms < b->at_ms)
		milli = b->at_ms == 0 ? full : b->milli;
	else if (now_ms - b->at_ms >= MINUTE_MS)
		milli = full;
	else
		milli = b->milli + (now_ms - b->at_ms) * per_min * 1000 / MINUTE_MS;
	if (milli > full)
		milli = full;
	if (milli < 1000)
		return false;   /* the time is not moved on, so that fractions are not lost */
	b->milli = (uint32_t)(milli - 1000);
	b->at_ms = now_ms != 0 ? now_ms : 1;
	return true;
}

static bool
fits(const struct admit *a, const struct admit_waiter *w)
{
	return a->boots < a->limits.boots && a->vms < a->limits.vms && w->memory_bytes <= a->limits.memory_bytes &&
	    a->memory_bytes <= a->limits.memory_bytes - w->memory_bytes;
}

void
admit_take(struct admit *a, struct admit_waiter *w)
{
	if (w->held)
		return;
	w->held = true;
	a->vms++;
	a->memory_bytes += w->memory_bytes;
}

static void
take_boot(struct admit *a, struct admit_waiter *w)
{
	admit_take(a, w);
	w->booting = true;
	a->boots++;
}

enum admit_verdict
admit_ask(struct admit *a, struct admit_waiter *w, uint64_t now_ms, bool free_rate)
{
	if (w->held)
		return ADMIT_NOW;
	if (w->queued)
		return ADMIT_WAIT;
	if (w->memory_bytes > a->limits.memory_bytes)
		return ADMIT_NEVER;
	if (TAILQ_EMPTY(&a->queue) ? !fits(a, w) && a->limits.queue == 0 : a->waiting >= a->limits.queue)
		return ADMIT_FULL;
	if (!free_rate && (!bucket_take(&w->bucket, a->limits.wakes_per_min, now_ms) ||
	    !bucket_take(&a->bucket, a->limits.wakes_per_min_all, now_ms)))
		return ADMIT_TOO_OFTEN;
	if (TAILQ_EMPTY(&a->queue) && fits(a, w)) {
		take_boot(a, w);
		return ADMIT_NOW;
	}
	w->queued = true;
	a->waiting++;
	TAILQ_INSERT_TAIL(&a->queue, w, link);
	return ADMIT_WAIT;
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
	if (w->queued) {
		TAILQ_REMOVE(&a->queue, w, link);
		w->queued = false;
		a->waiting--;
	}
	if (w->held) {
		w->held = false;
		a->vms--;
		a->memory_bytes -= w->memory_bytes;
	}
}

struct admit_waiter *
admit_next(struct admit *a)
{
	struct admit_waiter *w = TAILQ_FIRST(&a->queue);

	if (w == NULL || !fits(a, w))
		return NULL;
	TAILQ_REMOVE(&a->queue, w, link);
	w->queued = false;
	a->waiting--;
	take_boot(a, w);
	return w;
}

unsigned
admit_position(const struct admit *a, const struct admit_waiter *w)
{
	const struct admit_waiter *x;
	unsigned n = 0;

	if (!w->queued)
		return 0;
	TAILQ_FOREACH(x, &a->queue, link) {
		n++;
		if (x == w)
			break;
	}
	return n;
}

bool
admit_is_sure(const struct admit *a, const struct admit_waiter *w)
{
	uint64_t memory_bytes = a->memory_bytes;
	unsigned vms = a->vms;
	const struct admit_waiter *x;

	TAILQ_FOREACH(x, &a->queue, link) {
		memory_bytes += x->memory_bytes;
		if (++vms > a->limits.vms || memory_bytes > a->limits.memory_bytes)
			return false;
		if (x == w)
			return true;
	}
	return false;
}
