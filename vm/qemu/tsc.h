/*
 * tsc: how fast this host's time stamp counter runs.
 *
 * A Linux that boots on an emulated microvm has no other clock to measure the counter with than a
 * timer that is late on a busy host; then Linux gives the counter up and waits for ever for a tick
 * that this machine has not: so 6 of 12 boots ended on a busy host.  Told the frequency
 * (`tsc_early_khz`), Linux does not measure, and 8 of 8 boots came through.
 */
#ifndef VM_QEMU_TSC_H
#define VM_QEMU_TSC_H

#include <stdint.h>

struct tsc {
	uint64_t ticks, ns;        /* the first sample */
};

void tsc_init(struct tsc *t);

/* kHz, from the first sample until now, at least 20 ms later.  0: there is no such counter. */
unsigned tsc_khz(const struct tsc *t);

#endif
