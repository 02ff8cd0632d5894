/* irq.h: interrupts: exceptions, the local APIC with its timer, the IOAPIC */
#ifndef HELLO_IRQ_H
#define HELLO_IRQ_H

#include <stdint.h>

#define IRQ_TIMER_MOST_MS 60000

/* The interrupt that needs no acknowledgement at an APIC: Xen's events. */
#define IRQ_VECTOR_EVENT 33

/* Sets up exceptions and interrupts, which stay off except inside cpu_sleep(). */
void irq_init(void);
/* What follows is for a machine whose interrupts come through its local APIC. */
void irq_lapic_start(void);
/* Routes the interrupt of a virtio-mmio slot of QEMU's microvm. */
void irq_route_slot(unsigned slot);
/*
 * Counts nanoseconds, downwards from 2^32 - 1, until the first irq_timer_set(): the timer counts
 * the bus clock, which QEMU has at 1 GHz with TCG and with KVM alike.
 */
void irq_counter_start(void);
uint32_t irq_counter(void);
/* One interrupt in so many milliseconds, at most IRQ_TIMER_MOST_MS; 0 for none. */
void irq_timer_set(uint32_t ms);

#endif
