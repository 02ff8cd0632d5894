/*
 * clock.h: time since boot from the time stamp counter, calibrated against the local APIC while the
 * image boots
 */
#ifndef HELLO_CLOCK_H
#define HELLO_CLOCK_H

#include <stdint.h>

/* Takes the present as boot and starts comparing counters. */
void clock_start(void);

/*
 * Ends the comparison, which lasts a fifth of a millisecond at least; the clock runs from here on.
 */
void clock_calibrate(void);

uint64_t clock_us(void);

/* Eight bytes from the jitter of two clocks. */
void clock_seed(uint8_t seed[8]);

#endif
