/* pvclock.c: Xen's system time from the time stamp counter */
#include "vm/hello/xen.h"

/* ticks * 2^shift * mul / 2^32 without a product of more than 64 bits */
static uint64_t
scale(uint64_t ticks, int shift, uint32_t mul)
{
	ticks = shift < 0 ? ticks >> (-shift & 63) : ticks << (shift & 63);
	return (ticks >> 32) * mul + ((ticks & UINT32_MAX) * mul >> 32);
}

uint64_t
pvclock_ns(const struct xen_time_info *info, uint64_t (*tsc)(void))
{
	const volatile struct xen_time_info *now = info;
	uint64_t ns;
	uint32_t version;

	do {
		uint64_t then, ticks;

		/* an odd one never equals what is read below */
		version = xen_load(&info->version) & ~1u;
		then = now->tsc_timestamp;
		ticks = tsc();
		ticks = ticks > then ? ticks - then : 0;
		ns = now->system_time + scale(ticks, now->tsc_shift, now->tsc_to_system_mul);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (version != xen_load(&info->version));
	return ns;
}
