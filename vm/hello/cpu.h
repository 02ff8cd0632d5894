/* cpu.h: the instructions that C does not have, and memory-mapped registers */
#ifndef HELLO_CPU_H
#define HELLO_CPU_H

#include <stdint.h>

/* Memory that nobody clears at boot: large, and written before it is read. */
#define CPU_NOINIT __attribute__((section(".bss.noinit")))

static inline void
cpu_out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t
cpu_in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

struct cpu_id {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpu_id
cpu_id(uint32_t leaf)
{
	struct cpu_id id;

	__asm__ volatile("cpuid" : "=a"(id.eax), "=b"(id.ebx), "=c"(id.ecx), "=d"(id.edx)
	    : "0"(leaf), "2"(0));
	return id;
}

static inline void
cpu_write_msr(uint32_t msr, uint32_t low)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"(low), "d"(0) : "memory");
}

static inline uint64_t
cpu_tsc(void)
{
	uint64_t v;

	__asm__ volatile("rdtsc" : "=A"(v));
	return v;
}

/* entry.S: sleeps until an interrupt, also a pending one. Elsewhere interrupts are off. */
void cpu_sleep(void);

/* Keeps the compiler from moving memory accesses across. */
static inline void
cpu_compiler_barrier(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Keeps the processor from doing so: stores before are seen before loads behind happen. */
static inline void
cpu_full_barrier(void)
{
	__asm__ volatile("lock; addl $0, (%%esp)" : : : "memory", "cc");
}

static inline uint32_t
cpu_read32(uintptr_t at)
{
	return *(volatile uint32_t *)at;
}

static inline uint8_t
cpu_read8(uintptr_t at)
{
	return *(volatile uint8_t *)at;
}

static inline void
cpu_write32(uintptr_t at, uint32_t v)
{
	*(volatile uint32_t *)at = v;
}

/* For good: nothing wakes it. */
__attribute__((noreturn)) static inline void
cpu_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Triple fault: the machine resets, or exits under QEMU's -no-reboot. */
__attribute__((noreturn)) static inline void
cpu_die(void)
{
	static const struct __attribute__((packed)) {
		uint16_t limit;
		uint32_t base;
	} no_idt;

	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
	__builtin_unreachable();
}

#endif
