/* microvm.c: QEMU's microvm as a machine: local APIC, clock, serial port, virtio-mmio */
#include "vm/hello/microvm.h"

#include "vm/hello/cpu.h"
#include "vm/hello/irq.h"

_Static_assert(MACHINE_TIMER_MOST_MS <= IRQ_TIMER_MOST_MS, "the APIC's timer can count so far");

#define LEAST_NS 200000u /* of boot that are over before the rate is taken */
#define SAMPLES  5

#define UART_DATA         0x3f8
#define UART_LINE_CONTROL 0x3fb
#define UART_LINE_STATUS  0x3fd
#define UART_SCRATCH      0x3ff
#define UART_8N1          3
#define UART_CAN_TAKE     0x20
#define UART_SPINS        100000 /* far longer than one character at 9600 baud */

/* ---- the clock: the time stamp counter, calibrated against the local APIC */

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

/* high:low / divisor, where the quotient has 32 bits: what C would leave to libgcc. */
static uint32_t
divide(uint32_t high, uint32_t low, uint32_t divisor)
{
	__asm__("divl %2" : "+a"(low), "+d"(high) : "r"(divisor) : "cc");
	return low;
}

static void
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

static uint64_t
clock_us(void)
{
	uint64_t ticks = cpu_tsc() - first.tsc;

	return (ticks >> 32) * us_per_tick + ((ticks & UINT32_MAX) * us_per_tick >> 32);
}

/* ---- the first serial port, if there is one; given up once it does not take bytes */

static bool present;

static void
serial_init(void)
{
	cpu_out8(UART_SCRATCH, 0x5a);
	present = cpu_in8(UART_SCRATCH) == 0x5a;
	if (present)
		cpu_out8(UART_LINE_CONTROL, UART_8N1);
}

static void
put(char c)
{
	for (int spins = 0; !(cpu_in8(UART_LINE_STATUS) & UART_CAN_TAKE); spins++)
		if (spins == UART_SPINS) {
			present = false;
			return;
		}
	cpu_out8(UART_DATA, (uint8_t)c);
}

static void
serial_print(const char *bytes, size_t n)
{
	for (; n && present; n--)
		put(*bytes++);
}

/* ---- the machine */

static void
start(void)
{
	irq_lapic_start();
	irq_counter_start();
	first = sample_take();
	serial_init();
}

const struct machine machine_microvm = {
	.card = &virtio_net_card, .start = start, .card_start = virtio_net_start,
	.jitter = irq_counter, .clock_calibrate = clock_calibrate, .clock_us = clock_us,
	.timer_set = irq_timer_set, .attend = virtio_net_attend, .print = serial_print,
	/* for good: on other machines a timer ticks from the start, which has no handler here */
	.idle = cpu_halt,
	.die = cpu_die,
};
