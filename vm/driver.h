/*
 * driver: what a kind of VM must offer to vm/host.  Not included outside vm/.
 *
 * Every function but open and close runs on a driver thread and may block up to its deadline; one
 * at a time per VM.  `struct vm` begins a driver's own structure.  A driver that needs something
 * per thread (libxl contexts) keeps it in thread-local storage and gives it back in thread_end.
 * Drivers do not call back into the host, except through vm_report_log, which is thread-safe.
 */
#ifndef VM_DRIVER_H
#define VM_DRIVER_H

#include <errno.h>

#include "vm/vm.h"

struct vm_driver;
struct vm_reporter;

/* What vm/host keeps of every VM, first in a driver's own structure; read between operations. */
struct vm {
	struct vm_uuid uuid;
	const struct vm_driver *driver;
	char unit[LIMIT_NAME_TEXT];
	/* set by the driver before the host sees the VM, and the same from then on */
	struct vm_ids ids;
	/* readable when driver->watched is due; -1 = none; watched between operations */
	int watch_fd;
	/* pidfd: readable when the process ended; -1 = none.  Always watched */
	int death_fd;
	bool answered;             /* its control socket has spoken to us */
	/* no answer lately, until it speaks: operations on it keep no other VM waiting */
	bool hung;
	/* it was asked whether it lives, and has not said a word since */
	bool owes;
};

struct vm_outcome {            /* behind struct vm_result; owned by the host's job */
	struct errmsg msg;
	uint64_t exec_ns;
	char detail[32];
	char *text;                /* malloc'd: console text; the host frees it */
	size_t text_len;
	int64_t usec_cpu;
	/* restore, after an error: it could not be tried, and the saved state is still there */
	bool saved;
	/* freeze, thaw, save, after an error: it could not be tried, and the VM is as before */
	bool kept;
};

enum vm_watch_verdict { VM_WATCH_ALIVE, VM_WATCH_READY /* spec.ready_key; once */, VM_WATCH_ENDED };

/* What open gets; both outlive the driver. */
struct vm_env {
	const struct vm_host_conf *conf;
	struct vm_reporter *reporter;
};

/* A state that could not be opened: is that a shortage here, not the state's own fault? */
static inline bool
vm_saved_may_open_later(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* uuid may be NULL.  Becomes a VM_EVENT_LOG on the loop. */
void vm_report_log(struct vm_reporter *r, const struct vm_uuid *uuid, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Adoption: ownership of vm passes to the callee; it is NULL for VM_FOUND_SAVED. */
typedef void (*vm_each_cb)(const struct vm_uuid *uuid, struct vm *vm, enum vm_found_state state,
    const char *why, void *arg);

struct vm_driver {
	const char *name;
	unsigned caps;
	/*
	 * On the loop, once: is there such a hypervisor here?  The message says what is missing.
	 * *ctx goes to the functions below.
	 */
	enum err (*open)(const struct vm_env *env, void **ctx, struct errmsg *m);
	void (*close)(void *ctx);
	void (*thread_end)(void);  /* may be NULL; by each driver thread at its end */
	/*
	 * On the loop: what starts of such VMs need to know of this host and takes long to find out
	 * is found out in the background; again when it is not known yet.  NULL: there is no such
	 * thing.
	 */
	void (*prepare)(void *ctx, enum vm_accel accel);
	/* After an error nothing is left and *vm is NULL; out->text: the hypervisor's words. */
	enum err (*start)(void *ctx, const struct vm_spec *spec, struct vm **vm,
	    struct vm_outcome *out);
	/*
	 * As start, from the saved state of spec->uuid.  The state is removed when it was used or
	 * is useless.  It stays (out->saved) when the restore failed for want of what a cold boot
	 * needs as well: a file, a bridge, memory, a process.
	 */
	enum err (*restore)(void *ctx, const struct vm_spec *spec, struct vm **vm,
	    struct vm_outcome *out);
	/* Removes a saved state. */
	enum err (*discard)(void *ctx, const struct vm_uuid *uuid, struct errmsg *m);
	/*
	 * Asks the guest to shut down and does not wait: the end comes by watch_fd or death_fd.
	 * ERR_UNSUPPORTED: it cannot be asked.
	 */
	enum err (*ask)(struct vm *vm, struct vm_outcome *out);
	/*
	 * NULL, or: reads the console once more before a stop, into out->text, and gives up soon
	 * when the hypervisor does not answer.
	 */
	void (*words)(struct vm *vm, struct vm_outcome *out);
	/* Ends it and cleans up all but the structure; keeps an out->text that is there. */
	enum err (*stop)(struct vm *vm, struct vm_outcome *out);
	enum err (*freeze)(struct vm *vm, struct vm_outcome *out);
	enum err (*thaw)(struct vm *vm, struct vm_outcome *out);
	/* Writes the state to a file, then stops and cleans up.  After an error it runs on. */
	enum err (*save)(struct vm *vm, struct vm_outcome *out);
	enum err (*console)(struct vm *vm, struct vm_outcome *out);
	/*
	 * watch_fd was readable: consume what came.  On VM_WATCH_ENDED, why[] and out->text
	 * (console) are filled in; the host then calls stop.
	 */
	enum vm_watch_verdict (*watched)(struct vm *vm, char *why, size_t whylen,
	    struct vm_outcome *out);
	/*
	 * As watched, for what has come already; then asks the hypervisor for a word and does not
	 * wait for it: `owes` until `watched` sees one.  NULL, as judge then: there is nobody to
	 * ask.
	 */
	enum vm_watch_verdict (*ask_alive)(struct vm *vm, char *why, size_t whylen,
	    struct vm_outcome *out);
	/*
	 * conf.hang_ms passed and it still owes: VM_WATCH_ENDED when it hangs, with why[] and
	 * out->text as of watched; the host then calls stop.  VM_WATCH_ALIVE when it has spoken, or
	 * when nobody can know: it is waited for.
	 */
	enum vm_watch_verdict (*judge)(struct vm *vm, char *why, size_t whylen,
	    struct vm_outcome *out);
	/* The process ended by itself (death_fd): says how, if known; the host then calls stop. */
	void (*died)(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out);
	enum err (*list)(void *ctx, vm_each_cb each, void *arg, struct errmsg *m);
	/*
	 * On the loop, both: entries of the run directory that somebody has removed are made
	 * again; of a VM while no operation runs.
	 */
	enum err (*keep)(void *ctx, struct errmsg *m);
	enum err (*keep_vm)(struct vm *vm, struct errmsg *m);
	void (*free)(struct vm *vm);   /* closes and frees; the VM itself goes on */
};

extern const struct vm_driver vm_driver_qemu;
extern const struct vm_driver vm_driver_xen;   /* where JITSU_XEN is defined */

#endif
