/* microvm.c: QEMU's microvm as a machine: local APIC, serial port, virtio-mmio */
#include "vm/hello/microvm.h"

#include "vm/hello/cpu.h"
#include "vm/hello/irq.h"

_Static_assert(MACHINE_TIMER_MOST_MS <= IRQ_TIMER_MOST_MS, "the APIC's timer can count so far");

static void
start(void)
{
	irq_lapic_start();
	clock_start();
	serial_init();
}

const struct machine machine_microvm = {
	.card = &virtio_net_card,
	.start = start,
	.card_start = virtio_net_start,
	.jitter = irq_counter,
	.clock_calibrate = clock_calibrate,
	.clock_us = clock_us,
	.timer_set = irq_timer_set,
	.attend = virtio_net_attend,
	.print = serial_print,
	/* for good: on other machines a timer ticks from the start, which has no handler here */
	.idle = cpu_halt,
	.die = cpu_die,
};
