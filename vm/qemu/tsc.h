/*
 * tsc: how fast this host's time stamp counter runs.
 *
 * A Linux that boots on an emulated microvm has no other clock to measure it with than a timer that
 * is late on a busy host; then it gives the counter up and waits for ever for a tick that this
 * machine has not.  Told the frequency (`tsc_early_khz`), it does not measure.
 */
#ifndef VM_QEMU_TSC_H
#define VM_QEMU_TSC_H

#include <stdint.h>

struct tsc {
	uint64_t ticks, ns;        /* the first sample */
};

void tsc_init(struct tsc *t);

/*
 * kHz, from the first sample until now; waits until 20 ms lie between.  0 where there is no such
 * counter.
 */
unsigned tsc_khz(const struct tsc *t);

#endif
