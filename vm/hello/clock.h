/* clock.h: time since boot from the time stamp counter, calibrated while the image boots */
#ifndef HELLO_CLOCK_H
#define HELLO_CLOCK_H

#include <stdint.h>

/* Takes the present as boot and starts comparing counters. */
void clock_start(void);

/* Ends the comparison, which lasts a fifth of a millisecond at least; the clock runs from here on. */
void clock_calibrate(void);

uint64_t clock_us(void);
uint64_t clock_ms(void);

/* Eight bytes that another cannot easily guess, from the jitter of two clocks. RDRAND would be better, but stops a guest
 * that runs through KVM's instruction emulator. */
void clock_seed(uint8_t seed[8]);

#endif
