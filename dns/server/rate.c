/* rate: a shared limit on how often something happens. */
#include "dns/server/rate.h"

#include "base/clock.h"

#define MINUTE_NS (60 * NS_PER_S)

bool
rate_take(struct rate *r, uint64_t now_ns)
{
	uint32_t per_minute = atomic_load_explicit(&r->per_minute, memory_order_relaxed);
	uint64_t due_ns = atomic_load_explicit(&r->due_ns, memory_order_relaxed), step_ns, next_ns;

	if (per_minute == 0)
		return true;
	step_ns = MINUTE_NS / per_minute;
	do {
		next_ns = (due_ns > now_ns ? due_ns : now_ns) + step_ns;
		if (next_ns > now_ns + step_ns * per_minute)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&r->due_ns, &due_ns, next_ns,
	    memory_order_relaxed, memory_order_relaxed));
	return true;
}
