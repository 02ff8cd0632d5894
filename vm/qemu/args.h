/* args: a QEMU's command line, from a VM's specification.  Pure.  Not included outside vm/. */
#ifndef VM_QEMU_ARGS_H
#define VM_QEMU_ARGS_H

#include "vm/vm.h"

/* MiB of translated code (TCG): Linux boots as fast as with the default of 1 GiB. */
#define QEMU_TB_MIB 64

struct qemu_run {
	const struct vm_spec *spec;
	const char *qemu;          /* argv[0] */
	const char *cpu;           /* of -cpu; NULL = QEMU's default */
	bool kvm;                  /* else TCG */
	/* microvm: PC timers, clock and ACPI, which Linux needs and a unikernel does not */
	bool acpi;
	unsigned tsc_khz;          /* not 0: told to a Linux on its command line, see tsc.c */
	int qmp_fd;                /* the numbers in the child: the listening QMP socket, */
	int tap_fd;                /* the first NIC's tap, the others follow, */
	int incoming_fd;           /* the saved state; -1 = a cold boot, */
	int kernel_fd, initrd_fd;  /* and files that cannot be opened by name; -1 = by name */
};

struct qemu_args {
	char **argv;               /* NULL-terminated, each owned */
	size_t n;
};

/* ERR_RANGE: an impossible specification.  After an error there is nothing to clear. */
enum err qemu_args_build(const struct qemu_run *run, struct qemu_args *args, struct errmsg *m);
void qemu_args_clear(struct qemu_args *args);

/* What a saved state depends on: the arguments, but descriptors, UUID and clock; malloc'd lines. */
char *qemu_args_shape(const struct qemu_args *args);

#endif
