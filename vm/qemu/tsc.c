/* tsc: two samples, as far apart as the first start is from the daemon's. */
#include "vm/qemu/tsc.h"

#include <poll.h>

#include "base/clock.h"

#define APART_NS (20 * NS_PER_MS)

#if defined(__x86_64__)
#include <x86intrin.h>

static uint64_t
read_ticks(void)
{
	return __rdtsc();
}
#else
static uint64_t
read_ticks(void)
{
	return 0;
}
#endif

void
tsc_init(struct tsc *t)
{
	t->ns = clock_now_ns();
	t->ticks = read_ticks();
}

unsigned
tsc_khz(const struct tsc *t)
{
	uint64_t ns = clock_now_ns() - t->ns;

	/* A start that comes within the daemon's first moments waits for them to pass. */
	if (ns < APART_NS)
		(void)poll(NULL, 0, (int)((APART_NS - ns) / NS_PER_MS) + 1);
	ns = clock_now_ns() - t->ns;
	return (unsigned)((double)(read_ticks() - t->ticks) * 1e6 / (double)ns);
}
