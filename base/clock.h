/*
 * clock: the one clock of the project, CLOCK_MONOTONIC.
 *
 * It is the same in every process of one boot, so times may be compared across channels, boards
 * and, together with the kernel's boot id, across restarts of the daemon.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define MS_PER_S 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

/* Nanoseconds since boot. */
static inline uint64_t
clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static inline uint64_t
clock_now_ms(void)
{
	return clock_now_ns() / NS_PER_MS;
}

#endif
