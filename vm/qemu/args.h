/* args: a QEMU's command line, from a VM's specification.  Pure.  Not included outside vm/. */
#ifndef VM_QEMU_ARGS_H
#define VM_QEMU_ARGS_H

#include "vm/vm.h"

/* MiB of translated code (TCG): Linux boots as fast as with the default of 1 GiB. */
#define QEMU_TB_MIB 64

/* What a process waits for that is started ahead of its use (pool.h). */
enum qemu_wait {
	QEMU_WAIT_NOT,             /* nothing: it runs at once */
	QEMU_WAIT_CONT,            /* the command `cont`, before its guest's first instruction */
	/* a state of any VM on such a machine: it has no name, no command line, and MACs of ours */
	QEMU_WAIT_STATE,
	/* its configuration: of the specification it has the UUID and `cpu` alone */
	QEMU_WAIT_CONFIG
};
#define QEMU_WAITS 4

struct qemu_run {
	const struct vm_spec *spec;
	enum qemu_wait wait;
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
	int config_fd;             /* the pipe of QEMU_WAIT_CONFIG */
};

struct qemu_args {
	char **argv;               /* NULL-terminated, each owned */
	size_t n;
};

/* ERR_RANGE: an impossible specification.  After an error there is nothing to clear. */
enum err qemu_args_build(const struct qemu_run *run, struct qemu_args *args, struct errmsg *m);
void qemu_args_clear(struct qemu_args *args);

/*
 * What a saved state depends on: the arguments, but descriptors, UUID, clock and whether it waits;
 * malloc'd lines.
 */
char *qemu_args_shape(const struct qemu_args *args);

/*
 * What a process that waits for its configuration is told, so that it does what `args` say: a file
 * for -readconfig, malloc'd.  NULL: such a file cannot say that.
 */
char *qemu_args_config(const struct qemu_args *args);

#endif
