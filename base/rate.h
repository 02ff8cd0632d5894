/*
 * rate: how often something may happen, for all threads together (the generic cell rate algorithm:
 * one number, one compare-and-swap).
 *
 * `per_minute` may happen at once after a quiet minute, and evenly from then on.
 */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct rate {
	_Atomic uint64_t due_ns;       /* when all that happened so far is paid for */
	_Atomic uint32_t per_minute;   /* 0 = no limit */
};

/* True: it may happen, and is counted.  `now_ns` is monotonic; threads may differ a little. */
static inline bool
rate_take(struct rate *r, uint64_t now_ns)
{
	uint32_t per_minute = atomic_load_explicit(&r->per_minute, memory_order_relaxed);
	uint64_t due_ns = atomic_load_explicit(&r->due_ns, memory_order_relaxed), step_ns, next_ns;

	if (per_minute == 0)
		return true;
	step_ns = 60 * NS_PER_S / per_minute;
	do {
		next_ns = (due_ns > now_ns ? due_ns : now_ns) + step_ns;
		if (next_ns > now_ns + step_ns * per_minute)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&r->due_ns, &due_ns, next_ns,
	    memory_order_relaxed, memory_order_relaxed));
	return true;
}

#endif
