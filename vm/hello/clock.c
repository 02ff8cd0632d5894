/* clock.c: time since boot from the time stamp counter, calibrated against the local APIC */
#include "vm/hello/cpu.h"
#include "vm/hello/irq.h"
#include "vm/hello/microvm.h"

#define LEAST_NS 200000u
#define SAMPLES  5

struct sample {
	uint64_t tsc;
	uint32_t counter;
};

static struct sample first;
static uint32_t us_per_tick; /* times 2^32 */

/* Both counters at one moment: of several readings the one that took least time. */
static struct sample
sample_take(void)
{
	struct sample best = { 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < SAMPLES; i++) {
		uint64_t before = cpu_tsc();
		uint32_t counter = irq_counter();
		uint64_t took = cpu_tsc() - before;

		if (took < least) {
			least = took;
			best = (struct sample){ before + took / 2, counter };
		}
	}
	return best;
}

void
clock_start(void)
{
	irq_counter_start();
	first = sample_take();
}

/* high:low / divisor, where the quotient has 32 bits: what C would leave to libgcc. */
static uint32_t
divide(uint32_t high, uint32_t low, uint32_t divisor)
{
	__asm__("divl %2" : "+a"(low), "+d"(high) : "r"(divisor) : "cc");
	return low;
}

void
clock_calibrate(void)
{
	struct sample now;
	uint32_t ns, ticks, high;
	uint64_t us;

	do
		now = sample_take();
	while (first.counter - now.counter < LEAST_NS);
	ns = first.counter - now.counter;
	ticks = (uint32_t)(now.tsc - first.tsc);
	us = (uint64_t)ns * 4294967u; /* 2^32 / 1000: microseconds times 2^32 */
	high = (uint32_t)(us >> 32);
	us_per_tick = high < ticks ? divide(high, (uint32_t)us, ticks) : UINT32_MAX;
}

uint64_t
clock_us(void)
{
	uint64_t ticks = cpu_tsc() - first.tsc;

	return (ticks >> 32) * us_per_tick + ((ticks & UINT32_MAX) * us_per_tick >> 32);
}
