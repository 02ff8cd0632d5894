/* args: one function per group of options, in the order in which they appear. */
#include "vm/qemu/args.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/mem.h"
#define MIB ((uint64_t)1024 * 1024)

/*
 * Slots of virtio-mmio are named: QEMU fills them from the end, and the guest sees its NICs in
 * reverse.  The first stays empty: its interrupt is pin 0 of the second IOAPIC, which QEMU takes
 * for the ISA timer's and raises as pin 2.  With KVM a device in SLOTS_ISA silences what a machine
 * with ACPI has there, on the first IOAPIC: serial port, clock and power button.
 */
#define SLOT_FIRST 1u
#define SLOTS_ISA (1u << 4 | 1u << 8 | 1u << 9)
#define TSC_WORD " tsc_early_khz="
#define WAITS_WORD "-S"
#define ARGS_MOST 256   /* fixed ones, 4 per NIC and disk, and LIMIT_ARGS */

struct builder {
	struct qemu_args *args;
	enum err err;            /* the first error; everything after it is skipped */
	struct errmsg *m;
};

static void
add(struct builder *b, char *arg)
{
	if (b->err == ERR_OK && b->args->n + 1 >= ARGS_MOST)
		b->err = err_set(b->m, ERR_LIMIT, "QEMU arguments: more than %d", ARGS_MOST);
	if (b->err != ERR_OK) {
		free(arg);
		return;
	}
	b->args->argv[b->args->n++] = arg;
}

static void __attribute__((format(printf, 3, 4)))
option(struct builder *b, const char *name, const char *fmt, ...)
{
	char *value = NULL;
	va_list ap;

	add(b, mem_text(name));
	va_start(ap, fmt);
	if (vasprintf(&value, fmt, ap) < 0)
		fatal("out of memory for QEMU's arguments");
	va_end(ap);
	add(b, value);
}

/* QEMU's option lists end a value at a comma; a doubled comma is one in the value.  malloc'd. */
static char *
commas(const char *text)
{
	char *out = mem_zero(2 * strlen(text) + 1, 1), *p = out;

	for (; *text != '\0'; text++) {
		*p++ = *text;
		if (*text == ',')
			*p++ = ',';
	}
	return out;
}

static void
add_identity(struct builder *b, const struct qemu_run *run)
{
	char *name = commas(run->spec->unit);

	add(b, mem_text(run->qemu));
	if (run->wait == QEMU_WAIT_NOT || run->wait == QEMU_WAIT_CONT)
		option(b, "-name", "guest=%s", name);
	option(b, "-uuid", "%s", VM_UUID_STR(&run->spec->uuid));
	free(name);
}

static void
add_machine(struct builder *b, const struct qemu_run *run)
{
	const struct vm_spec *spec = run->spec;
	const char *pc = run->acpi ? "on" : "off";

	if (run->wait == QEMU_WAIT_CONFIG) {
		/* It has no place for the console, so QEMU ends when no configuration comes. */
		option(b, "-machine", "none");
		return;
	}
	if (spec->machine == VM_MACHINE_MICROVM) {
		option(b, "-machine",
		    "microvm,acpi=%s,pit=%s,pic=%s,rtc=%s,x-option-roms=off,isa-serial=off", pc, pc,
		    pc, pc);
		option(b, "-bios", "qboot.rom");
		option(b, "-global", "virtio-mmio.force-legacy=off");
	} else {
		option(b, "-machine", "q35,vmport=off,usb=off");
	}
	if (run->kvm)
		option(b, "-accel", "kvm");
	else
		option(b, "-accel", "tcg,tb-size=%d", QEMU_TB_MIB);
}

/* What is the same for all VMs. */
static void
add_manners(struct builder *b, const struct qemu_run *run)
{
	if (run->cpu != NULL)
		option(b, "-cpu", "%s", run->cpu);
	add(b, mem_text("-nodefaults"));
	add(b, mem_text("-no-user-config"));
	option(b, "-display", "none");
	option(b, "-sandbox",
	    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	/* A guest that ends by itself leaves QEMU paused: its last console lines are read. */
	add(b, mem_text("-no-reboot"));
	option(b, "-action", "reboot=shutdown,shutdown=pause,panic=pause");
}

static void
add_size(struct builder *b, const struct qemu_run *run)
{
	if (run->wait == QEMU_WAIT_CONFIG)
		return;
	option(b, "-m", "%" PRIu64 "M", run->spec->memory_bytes / MIB);
	option(b, "-smp", "%u", run->spec->vcpus);
	if (run->wait == QEMU_WAIT_CONT)
		add(b, mem_text(WAITS_WORD));
}

static void
add_control(struct builder *b, const struct qemu_run *run)
{
	option(b, "-chardev", "socket,id=qmp,fd=%d,server=on,wait=off", run->qmp_fd);
	option(b, "-mon", "chardev=qmp,mode=control");
	option(b, "-chardev", "ringbuf,id=con,size=%d", LIMIT_CONSOLE_RING);
	option(b, "-device", "isa-serial,chardev=con");
}

/*
 * A state brings along what was booted, but for a q35's kernel, for which the machine has a ROM.
 */
static void
add_boot(struct builder *b, const struct qemu_run *run)
{
	const struct vm_spec *spec = run->spec;
	char *initrd;

	if (run->wait == QEMU_WAIT_STATE)
		option(b, "-incoming", "defer");
	if (run->wait == QEMU_WAIT_CONFIG)
		option(b, "-readconfig", "/proc/self/fd/%d", run->config_fd);
	if (run->wait == QEMU_WAIT_CONFIG ||
	    (run->wait == QEMU_WAIT_STATE && spec->machine == VM_MACHINE_MICROVM))
		return;
	initrd = commas(spec->initrd != NULL ? spec->initrd : "");
	/* These are no option lists: commas stand for themselves. */
	if (spec->kernel != NULL && run->kernel_fd >= 0)
		option(b, "-kernel", "/proc/self/fd/%d", run->kernel_fd);
	else if (spec->kernel != NULL)
		option(b, "-kernel", "%s", spec->kernel);
	if (spec->initrd != NULL && run->initrd_fd >= 0)
		option(b, "-initrd", "/proc/self/fd/%d", run->initrd_fd);
	else if (spec->initrd != NULL)
		/* A list of modules for multiboot kernels: commas are doubled here as well. */
		option(b, "-initrd", "%s", initrd);
	free(initrd);
	if (run->wait == QEMU_WAIT_STATE)
		return;
	if (spec->kernel != NULL && run->tsc_khz != 0)
		option(b, "-append", "%s" TSC_WORD "%u", spec->cmdline != NULL ? spec->cmdline : "",
		    run->tsc_khz);
	else if (spec->kernel != NULL && spec->cmdline != NULL)
		option(b, "-append", "%s", spec->cmdline);
	if (run->incoming_fd >= 0)
		option(b, "-incoming", "fd:%d", run->incoming_fd);
}

/* The i-th device's slot, NICs first; with ACPI from the end: QEMU's tables begin there. */
static unsigned
mmio_slot(const struct qemu_run *run, unsigned i)
{
	unsigned n = run->spec->nnics + run->spec->ndisks, slot = SLOT_FIRST;

	if (!run->acpi)
		return SLOT_FIRST + i;
	for (unsigned before = n - 1 - i; before > 0 || (SLOTS_ISA >> slot & 1) != 0; slot++)
		before -= (SLOTS_ISA >> slot & 1) == 0;
	return slot;
}

static void
add_nics(struct builder *b, const struct qemu_run *run)
{
	const struct vm_spec *spec = run->spec;

	for (unsigned i = 0; i < spec->nnics; i++) {
		const uint8_t any[6] = { 2, 'j', 'i', 't', 's', (uint8_t)i };
		const char *mac = ADDR_MAC_STR(run->wait == QEMU_WAIT_STATE ? any :
		    spec->nics[i].mac);

		option(b, "-netdev", "tap,id=n%u,fd=%d", i, run->tap_fd + (int)i);
		if (spec->machine == VM_MACHINE_MICROVM)
			option(b, "-device",
			    "virtio-net-device,netdev=n%u,mac=%s,bus=virtio-mmio-bus.%u", i, mac,
			    mmio_slot(run, i));
		else
			option(b, "-device", "virtio-net-pci,netdev=n%u,mac=%s,romfile=", i, mac);
	}
}

static void
add_disks(struct builder *b, const struct qemu_run *run)
{
	const struct vm_spec *spec = run->spec;

	for (unsigned i = 0; i < spec->ndisks; i++) {
		const struct vm_disk *d = &spec->disks[i];
		bool qcow2 = d->overlay != NULL || d->format == VM_DISK_QCOW2;
		char *path = commas(d->overlay != NULL ? d->overlay : d->path);

		option(b, "-drive", "if=none,id=d%u,file=%s,format=%s,readonly=%s", i, path,
		    qcow2 ? "qcow2" : "raw", d->readonly && d->overlay == NULL ? "on" : "off");
		free(path);
		if (spec->machine == VM_MACHINE_MICROVM)
			option(b, "-device", "virtio-blk-device,drive=d%u,bus=virtio-mmio-bus.%u",
			    i, mmio_slot(run, spec->nnics + i));
		else
			option(b, "-device", "virtio-blk-pci,drive=d%u", i);
	}
}

static enum err
check(const struct vm_spec *spec, struct errmsg *m)
{
	if (spec->memory_bytes < MIB || spec->memory_bytes % MIB != 0)
		return err_set(m, ERR_RANGE, "memory of %" PRIu64 " bytes: whole MiB, at least 1",
		    spec->memory_bytes);
	if (spec->vcpus < 1 || spec->vcpus > 255)
		return err_set(m, ERR_RANGE, "%u vcpus: 1 to 255", spec->vcpus);
	if (spec->nnics > LIMIT_NICS || spec->ndisks > LIMIT_DISKS || spec->nargs > LIMIT_ARGS)
		return err_set(m, ERR_LIMIT, "at most %d NICs, %d disks and %d extra arguments",
		    LIMIT_NICS, LIMIT_DISKS, LIMIT_ARGS);
	if (spec->kernel == NULL && spec->machine == VM_MACHINE_MICROVM)
		return err_set(m, ERR_RANGE, "a microvm needs a kernel; to boot from a disk use "
		    "machine = q35");
	if (spec->kernel == NULL && spec->ndisks == 0)
		return err_set(m, ERR_RANGE, "neither a kernel nor a disk to boot from");
	if (spec->kernel == NULL && spec->initrd != NULL)
		return err_set(m, ERR_RANGE, "an initrd without a kernel");
	return ERR_OK;
}

enum err
qemu_args_build(const struct qemu_run *run, struct qemu_args *args, struct errmsg *m)
{
	struct builder b = { .args = args, .m = m };

	memset(args, 0, sizeof(*args));
	if (run->wait != QEMU_WAIT_CONFIG)
		b.err = check(run->spec, m);
	if (b.err != ERR_OK)
		return b.err;
	args->argv = mem_zero(ARGS_MOST, sizeof(*args->argv));
	add_identity(&b, run);
	add_machine(&b, run);
	add_manners(&b, run);
	add_size(&b, run);
	add_control(&b, run);
	add_boot(&b, run);
	if (run->wait != QEMU_WAIT_CONFIG) {
		add_nics(&b, run);
		add_disks(&b, run);
	}
	for (unsigned i = 0; i < run->spec->nargs && run->wait != QEMU_WAIT_CONFIG; i++)
		add(&b, mem_text(run->spec->args[i]));
	if (b.err != ERR_OK)
		qemu_args_clear(args);
	return b.err;
}

void
qemu_args_clear(struct qemu_args *args)
{
	for (size_t i = 0; i < args->n; i++)
		free(args->argv[i]);
	free(args->argv);
	memset(args, 0, sizeof(*args));
}

/* Arguments that differ between two runs of the same VM. */
static bool
is_passing(const char *name, const char *value)
{
	return strcmp(name, "-incoming") == 0 || strcmp(name, "-uuid") == 0 ||
	    (strcmp(name, "-netdev") == 0 && strncmp(value, "tap,", 4) == 0) ||
	    (strcmp(name, "-chardev") == 0 && strncmp(value, "socket,id=qmp,", 14) == 0);
}

char *
qemu_args_shape(const struct qemu_args *args)
{
	size_t size = 1, used = 0;
	const char *clock;
	char *text;

	for (size_t i = 0; i < args->n; i++)
		size += strlen(args->argv[i]) + 1;
	text = mem_zero(size, 1);
	for (size_t i = 0; i < args->n; i++) {
		const char *arg = args->argv[i];

		if (strcmp(arg, WAITS_WORD) == 0)
			continue;
		if (i + 1 < args->n && is_passing(arg, args->argv[i + 1])) {
			i++;
			continue;
		}
		/* The word of add_boot, the last of its argument, differs from start to start. */
		clock = i > 0 && strcmp(args->argv[i - 1], "-append") == 0 ? strstr(arg, TSC_WORD)
		    : NULL;
		used += (size_t)snprintf(text + used, size - used, "%.*s\n",
		    clock != NULL ? (int)(clock - arg) : (int)strlen(arg), arg);
	}
	return text;
}
