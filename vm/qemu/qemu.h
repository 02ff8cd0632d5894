/*
 * qemu: what the parts of the QEMU driver share.
 *
 *     driver.c  the operations, and the driver's beginning and end
 *     vm.c      what they have in common: the control socket, the console, the end of a VM
 *     start.c   from a specification to a running QEMU, cold or from a saved state
 *     files.c   the files that a start needs, as the VMs' user sees them
 *     ahead.c   processes that are started ahead, and how one becomes a VM
 *     pool.c    which of them there are
 *     save.c    a VM's state in a file
 *     adopt.c   VMs of the daemon before
 *     dir.c     a VM's directory
 *     tsc.c     the host's time stamp counter
 */
#ifndef VM_QEMU_QEMU_H
#define VM_QEMU_QEMU_H

#include <limits.h>
#include <sys/types.h>

#include "base/clock.h"
#include "vm/driver.h"
#include "vm/proc/cgroup.h"
#include "vm/proc/dir.h"
#include "vm/proc/ring.h"
#include "vm/proc/spawn.h"
#include "vm/qemu/accel.h"
#include "vm/qemu/qmp.h"

#define QEMU_QMP_NS (LIMIT_QMP_S * NS_PER_S)
#define QEMU_FIRST_NS (LIMIT_QMP_FIRST_S * NS_PER_S)
#define QEMU_LAST_NS (LIMIT_QMP_LAST_S * NS_PER_S)
#define QEMU_RESTORE_NS (LIMIT_VM_RESTORE_S * NS_PER_S)
#define QEMU_SAVE_NS (LIMIT_VM_SAVE_S * NS_PER_S)
#define QEMU_END_MS (LIMIT_VM_END_S * 1000)

struct qemu_tsc {
	uint64_t ticks, ns;       /* the first sample */
};

struct pool;

struct qemu_ctx {
	const struct vm_env *env;
	char qemu[PATH_MAX];
	char vms_path[PATH_MAX];  /* run_dir/vm, canonical */
	int vms_fd;
	int saved_fd;             /* state_dir/saved */
	struct cgroup_host cg;
	struct accel accel;
	struct qemu_tsc tsc;
	struct pool *pool;
};

struct qemu_vm {
	struct vm vm;             /* first: the host knows no more */
	/* the UUID under which its process was started, which names its cgroup and its taps */
	struct vm_uuid born;
	struct qemu_ctx *ctx;
	int dir_fd;               /* -1: its directory is gone */
	pid_t pid;                /* 0: there is no process */
	struct qmp qmp;
	int output_fd;            /* its stderr; -1 after adoption */
	bool frozen;
	bool asked_status;        /* once, when QMP became ready */
	bool told_taken;          /* that another program has its socket; until QEMU speaks */
	bool acpi;                /* it has a power button */
	char limits[64];          /* what QEMU_DIR_LIMITS has; "" = nothing */
	char *shape;              /* see qemu_args_shape; NULL = unknown */
	bool shape_hidden;        /* its command line does not say that */
	struct ring con;          /* what was read of its console */
	bool reaped;
	struct spawn_end end;
};

/* ---- vm.c ---- */

/* The process that the VM runs in was started under this UUID. */
void qemu_vm_born(struct qemu_vm *v, const struct vm_uuid *born);
/* An empty one. */
struct qemu_vm *qemu_vm_new(struct qemu_ctx *ctx, const struct vm_uuid *uuid, const char *unit);
void qemu_vm_free(struct vm *vm);

/* Connects QMP if it is not connected. */
enum err qemu_vm_connect(struct qemu_vm *v, struct errmsg *m);
void qemu_vm_disconnect(struct qemu_vm *v);
/* To be called when something came from QEMU: whatever it has said, it lives. */
void qemu_vm_heard(struct qemu_vm *v);
/* One command within QEMU_QMP_NS, or QEMU_FIRST_NS. */
enum err qemu_vm_command(struct qemu_vm *v, const char *name, json_t *args, struct errmsg *m);
/* The error of a freeze, thaw or save; if another program has the socket, with out->kept. */
enum err qemu_vm_untried(struct qemu_vm *v, enum err e, struct vm_outcome *out);
/* query-status; status[] is QEMU's word, letters and '-' only. */
enum err qemu_vm_status(struct qemu_vm *v, char *status, size_t size, uint64_t deadline_ns,
    struct errmsg *m);
/* Has another program QEMU's only connection?  True also where the kernel does not tell. */
bool qemu_vm_is_taken(struct qemu_vm *v);
enum err qemu_vm_taken_error(const struct qemu_vm *v, enum err e, struct errmsg *m);
/* Reads what the guest has written since, within that time; 0: as qemu_vm_command. */
enum err qemu_vm_console(struct qemu_vm *v, uint64_t patience_ns, struct errmsg *m);
/* Copies console and stderr to the outcome. */
void qemu_vm_tell(struct qemu_vm *v, struct vm_outcome *out);
/* Kills, reaps, cleans up. */
enum err qemu_vm_end(struct qemu_vm *v, struct errmsg *m);

/* ---- files.c ---- */

#define QEMU_STAMPS 4096

struct qemu_files {
	bool linux_guest;          /* it wants PC timers, clock, ACPI */
	/* files behind directories that are closed to the VMs' user; -1: QEMU opens them by name */
	int kernel_fd, initrd_fd;
	char stamps[QEMU_STAMPS];  /* others when a file that is only read is another */
};

/* ERR_MISSING, ERR_PERM, ...: what is wrong with a file.  Descriptors: the caller's in any case. */
enum err qemu_files_check(const struct vm_host_conf *conf, const struct vm_spec *spec,
    struct qemu_files *f, struct errmsg *m);

/* ---- start.c, save.c, adopt.c: entries of the driver ---- */

enum err qemu_start(void *ctx, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out);
enum err qemu_restore(void *ctx, const struct vm_spec *spec, struct vm **vm,
    struct vm_outcome *out);
enum err qemu_save(struct vm *vm, struct vm_outcome *out);
enum err qemu_list(void *arg, vm_each_cb each, void *each_arg, struct errmsg *m);

/* ---- dir.c: run_dir/vm/UUID/ ---- */

#define QEMU_DIR_QMP "qmp"        /* the socket */
#define QEMU_DIR_CGROUP "cgroup"  /* the cgroups, written before they are made */
#define QEMU_DIR_LIMITS "limits"  /* of those: "MEMORY_BYTES CPU_PERCENT CPU_WEIGHT\n" */
#define QEMU_DIR_PID "pid"        /* "PID STARTTIME\n" */
#define QEMU_DIR_WAITS "waits"    /* while it is there, the process is no VM's yet; its key */
/* of a process that was started ahead: qemu_vm.born, and its shape if that is hidden */
#define QEMU_DIR_BORN "born"
#define QEMU_DIR_SHAPE "shape"

/* Makes run_dir/vm again where somebody has removed it, under the same descriptor. */
enum err qemu_dir_vms_keep(void *ctx, struct errmsg *m);
/* Likewise the directory of a VM that runs, with its files; its socket cannot be. */
enum err qemu_dir_keep(struct vm *vm, struct errmsg *m);
/* A VM's own; ERR_EXISTS when it is there already. */
enum err qemu_dir_make(struct qemu_ctx *ctx, const struct vm_uuid *uuid, int *fd, struct errmsg *m);
enum err qemu_dir_write(int dir_fd, const char *name, const char *text, struct errmsg *m);
enum err qemu_dir_write_pid(int dir_fd, pid_t pid, struct errmsg *m);
/* A process that was started ahead is that VM's from now on.  ERR_EXISTS: as qemu_dir_make. */
enum err qemu_dir_give(struct qemu_vm *v, const struct vm_uuid *uuid, struct errmsg *m);
/* Reads a small file; false when it is missing or too long. */
bool qemu_dir_read(int dir_fd, const char *name, char *text, size_t size);
/* Removes the VM's cgroups and its directory; what is missing is no error. */
enum err qemu_dir_clean(const struct qemu_vm *v, struct errmsg *m);

/* ---- tsc.c ---- */

void qemu_tsc_init(struct qemu_tsc *t);
/* kHz, from the first sample until now, at least 20 ms later.  0: there is no such counter. */
unsigned qemu_tsc_khz(const struct qemu_tsc *t);

/* ---- save.c ---- */

/* Removes all files of a saved state. */
enum err qemu_saved_remove(void *ctx, const struct vm_uuid *uuid, struct errmsg *m);
/* Waits until a QEMU that was started with -incoming runs. */
enum err qemu_saved_arrive(struct qemu_vm *v, struct errmsg *m);

#endif
