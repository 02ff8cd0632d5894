/* microvm.h: what QEMU's microvm has: a clock, a serial port, a network card */
#ifndef HELLO_MICROVM_H
#define HELLO_MICROVM_H

#include "vm/hello/machine.h"

/*
 * clock.c: the time stamp counter. clock_start() takes the present as boot; clock_calibrate() takes
 * the rate from the local APIC, once a fifth of a millisecond of boot is over, and the clock runs.
 */
void clock_start(void);
void clock_calibrate(void);
uint64_t clock_us(void);

/* serial.c: the first serial port, if there is one; a port that does not take bytes is given up. */
void serial_init(void);
void serial_print(const char *bytes, size_t n);

/*
 * virtio_net.c: the first card in the virtio-mmio window (virtio 1.1, no offloads), as struct
 * machine wants the card; virtio_net_attend() lets the card interrupt again.
 */
const char *virtio_net_start(uint8_t mac[MAC_BYTES]);
bool virtio_net_attend(void);
extern const struct machine_card virtio_net_card;

#endif
