/* start: the steps of a start, which start.c and ahead.c go.  Not included outside vm/qemu. */
#ifndef VM_QEMU_START_H
#define VM_QEMU_START_H

#include "vm/qemu/args.h"
#include "vm/qemu/qemu.h"

/* What a start holds until the VM runs. */
struct start {
	struct qemu_ctx *ctx;
	const struct vm_spec *spec;
	struct qemu_vm *v;
	enum qemu_wait wait;
	struct qemu_files files;
	struct accel_choice accel;
	struct cgroup_entry group;
	struct qemu_args args;
	struct spawn_conf sc;
	int qmp_fd, handle_fd;     /* the socket; what stands for it (vm.c) */
	int taps[LIMIT_NICS];
	int state_fd;              /* -1: a cold boot */
	int config[2];             /* the pipe of QEMU_WAIT_CONFIG */
	char *key;                 /* of a process that waits: before its files were opened */
};

/* Looks, and builds the arguments and the shape: nothing is made yet.  Takes state_fd over. */
enum err start_plan(struct start *s, struct qemu_ctx *ctx, const struct vm_spec *spec,
    enum qemu_wait wait, int state_fd, struct errmsg *m);
/* Makes what a process needs, and executes QEMU. */
enum err start_launch(struct start *s, uint64_t *exec_ns, struct errmsg *m);
/* Closes and frees all but the VM; after an error start_undo takes that away, too. */
void start_clear(struct start *s);
void start_undo(struct start *s, struct vm_outcome *out);
void start_tell(const struct start *s, uint64_t exec_ns, struct vm_outcome *out);

/* The arguments of a process that waits for `wait`, for the same specification. */
enum err start_args(const struct start *s, enum qemu_wait wait, struct qemu_args *args,
    struct errmsg *m);
void start_limits(const struct start *s, struct cgroup_limits *lim);
enum err start_limits_write(struct qemu_vm *v, const struct cgroup_limits *lim, struct errmsg *m);
/* The first NIC's link is told where that is wanted, then a port gets the NIC's MAC (port_take). */
enum err start_port(const struct start *s, unsigned nic, const char *name, struct errmsg *m);
/* Makes the overlays that are missing. */
enum err start_disks(const struct start *s, struct errmsg *m);

/* ---- ahead.c ---- */

/* By which a process is found (ahead_key); malloc'd, NULL: one that waits for that cannot do it. */
char *ahead_key_of(const struct start *s, enum qemu_wait wait);

/*
 * Has a process that was started ahead go on as s->v, which then is that process's; false: none
 * fits, or it could not, and nothing has happened.
 */
bool ahead_use_start(struct start *s, uint64_t *exec_ns);
bool ahead_use_restore(struct start *s, uint64_t *exec_ns);

#endif
