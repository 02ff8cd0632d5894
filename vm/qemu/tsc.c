/*
 * tsc: how fast this host's time stamp counter runs, by two samples.
 *
 * A Linux that boots on an emulated microvm can measure the counter only against a timer that is
 * late on a busy host; then Linux gives the counter up and waits for ever for a tick that this
 * machine has not: so 6 of 12 boots ended on a busy host.  Told the frequency (`tsc_early_khz`),
 * Linux does not measure, and 8 of 8 boots came through.
 */
#include "vm/qemu/qemu.h"

#include <poll.h>

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
qemu_tsc_init(struct qemu_tsc *t)
{
	t->ns = clock_now_ns();
	t->ticks = read_ticks();
}

unsigned
qemu_tsc_khz(const struct qemu_tsc *t)
{
	uint64_t ns = clock_now_ns() - t->ns;

	/* A start that comes within the daemon's first moments waits for them to pass. */
	if (ns < APART_NS)
		(void)poll(NULL, 0, (int)((APART_NS - ns) / NS_PER_MS) + 1);
	ns = clock_now_ns() - t->ns;
	return (unsigned)((double)(read_ticks() - t->ticks) * 1e6 / (double)ns);
}
