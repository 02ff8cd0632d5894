/* irq.c: interrupts: exceptions, the local APIC with its timer, the IOAPIC */
#include "vm/hello/irq.h"

#include "vm/hello/cpu.h"
#include "vm/hello/layout.h"
#include "vm/hello/machine.h"
#include "vm/hello/text.h"

#define VECTOR_WAKE         LAYOUT_EXCEPTIONS  /* devices and the timer alike */
#define VECTOR_SPURIOUS     (VECTOR_WAKE + 15) /* its low four bits must be set on old APICs */
#define VECTORS             (VECTOR_SPURIOUS + 1)

#define LAPIC_SPURIOUS      0xf0
#define LAPIC_ENABLE        0x100
#define LAPIC_LVT_TIMER     0x320
#define LAPIC_MASKED        0x10000
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE  0x3e0
#define LAPIC_DIVIDE_1      11
#define LAPIC_DIVIDE_16     3
#define TIMER_PER_MS        (1000000 / 16)

/* microvm wires slot i to pin 5 + i; with ACPI to pin 16 + i, or pin i of the second IOAPIC. */
#define IOAPIC             0xfec00000
#define IOAPIC_SECOND      0xfec10000
#define IOAPIC_DATA        0x10
#define IOAPIC_VERSION     1
#define IOAPIC_REDIRECTION 0x10
#define PIN_PLAIN          5
#define PIN_ACPI           16

_Static_assert(IRQ_VECTOR_EVENT > VECTOR_WAKE && IRQ_VECTOR_EVENT < VECTOR_SPURIOUS,
    "each vector has one meaning");
_Static_assert((uint64_t)IRQ_TIMER_MOST_MS *TIMER_PER_MS <= UINT32_MAX,
    "the timer's count has 32 bits");

struct gate {
	uint16_t offset_low, selector;
	uint8_t zero, type;
	uint16_t offset_high;
} __attribute__((packed));

struct frame {
	uint32_t vector, error, eip;
};

extern const char exception_stubs[], interrupt_stub[], spurious_stub[], event_stub[];
void exception(const struct frame *frame) __attribute__((noreturn));

static struct gate idt[VECTORS];

static void
gate_set(unsigned vector, const char *handler)
{
	uintptr_t at = (uintptr_t)handler;

	idt[vector] = (struct gate){ (uint16_t)at, LAYOUT_CODE, 0, 0x8e, (uint16_t)(at >> 16) };
}

void
exception(const struct frame *frame)
{
	char line[80];
	struct text t = text_init(line, sizeof(line));

	text_str(&t, "exception ");
	text_dec(&t, frame->vector, 0, ' ');
	text_str(&t, ", error ");
	text_hex(&t, frame->error, 1);
	text_str(&t, ", at ");
	text_hex(&t, frame->eip, 8);
	console_line(line);
	machine->die();
	cpu_halt();
}

static void
lapic_write(unsigned reg, uint32_t v)
{
	cpu_write32(LAYOUT_LAPIC + reg, v);
}

void
irq_init(void)
{
	const struct __attribute__((packed)) {
		uint16_t limit;
		uint32_t base;
	} pointer = { sizeof(idt) - 1, (uint32_t)(uintptr_t)idt };

	for (unsigned v = 0; v < LAYOUT_EXCEPTIONS; v++)
		gate_set(v, exception_stubs + v * LAYOUT_STUB_BYTES);
	gate_set(VECTOR_WAKE, interrupt_stub);
	gate_set(IRQ_VECTOR_EVENT, event_stub);
	gate_set(VECTOR_SPURIOUS, spurious_stub);
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void
irq_lapic_start(void)
{
	lapic_write(LAPIC_SPURIOUS, LAPIC_ENABLE | VECTOR_SPURIOUS);
}

static void
ioapic_write(uintptr_t base, uint32_t reg, uint32_t v)
{
	cpu_write32(base, reg);
	cpu_write32(base + IOAPIC_DATA, v);
}

/* Edge triggered: no edge is lost, as the main loop acknowledges before it looks for work. */
static void
ioapic_route(uintptr_t base, unsigned pin)
{
	unsigned last;

	cpu_write32(base, IOAPIC_VERSION);
	last = cpu_read32(base + IOAPIC_DATA) >> 16 & 0xff;
	if (last == 0 || last == 0xff || pin > last) /* nothing there */
		return;
	ioapic_write(base, IOAPIC_REDIRECTION + 2 * pin + 1, 0);
	ioapic_write(base, IOAPIC_REDIRECTION + 2 * pin, VECTOR_WAKE);
}

void
irq_route_slot(unsigned slot)
{
	ioapic_route(IOAPIC, PIN_PLAIN + slot);
	ioapic_route(IOAPIC, PIN_ACPI + slot);
	ioapic_route(IOAPIC_SECOND, slot);
}

void
irq_counter_start(void)
{
	lapic_write(LAPIC_LVT_TIMER, LAPIC_MASKED | VECTOR_WAKE);
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_1);
	lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
}

uint32_t
irq_counter(void)
{
	return cpu_read32(LAYOUT_LAPIC + LAPIC_TIMER_CURRENT);
}

void
irq_timer_set(uint32_t ms)
{
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_16);
	lapic_write(LAPIC_LVT_TIMER, VECTOR_WAKE);
	lapic_write(LAPIC_TIMER_INITIAL, ms * TIMER_PER_MS);
}
