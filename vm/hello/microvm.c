/* microvm.c: QEMU's microvm as a machine: local APIC, serial port, virtio-mmio */
#include "vm/hello/clock.h"
#include "vm/hello/cpu.h"
#include "vm/hello/irq.h"
#include "vm/hello/machine.h"
#include "vm/hello/serial.h"
#include "vm/hello/virtio_net.h"

_Static_assert(MACHINE_TIMER_MOST_MS <= IRQ_TIMER_MOST_MS, "the APIC's timer can count so far");

static void
start(void)
{
	irq_lapic_start();
	clock_start();
	serial_init();
}

static bool
attend(void)
{
	virtio_net_acknowledge();
	return false;
}

/*
 * With interrupts off: other machines than microvm have a timer that ticks from the start, and no
 * handler here.
 */
static void
idle(void)
{
	cpu_halt();
}

static void
die(void)
{
	cpu_die();
}

static const struct machine_card card = {
	.receive = virtio_net_receive,
	.release = virtio_net_release,
	.has_frame = virtio_net_has_frame,
	.send = virtio_net_send,
	.flush = virtio_net_flush,
};

const struct machine machine_microvm = {
	.card = &card,
	.start = start,
	.card_start = virtio_net_start,
	.seed = clock_seed,
	.clock_calibrate = clock_calibrate,
	.clock_us = clock_us,
	.timer_set = irq_timer_set,
	.attend = attend,
	.print = serial_print,
	.idle = idle,
	.die = die,
};
