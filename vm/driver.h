/*
 * driver: what a kind of VM must offer to vm/host.  Not included outside vm/.
 *
 * What is not said to run on the loop runs on a driver thread, one function at a time per VM, and
 * may block up to its deadline.  What a driver needs per thread (libxl contexts) is thread-local
 * and given back in thread_end.  Drivers call the host through vm_report_log and vm_report_link.
 */
#ifndef VM_DRIVER_H
#define VM_DRIVER_H

#include <errno.h>

#include "vm/vm.h"

struct parks;
struct vm_driver;
struct vm_reporter;

/* What vm/host keeps of every VM, first in a driver's own structure; read between operations. */
struct vm {
	struct vm_uuid uuid;
	const struct vm_driver *driver;
	char unit[LIMIT_NAME_TEXT];
	struct vm_ids ids;         /* fixed before the host sees the VM */
	/* readable when driver->watched is due; -1 = none; watched between operations */
	int watch_fd;
	int death_fd;              /* pidfd: the process ended; -1 = none.  Always watched */
	bool answered;             /* its control socket has spoken to us */
	bool hung;                 /* no answer lately: it keeps no other VM waiting */
	bool owes;                 /* no word since it was asked whether it lives */
	/* its first NIC, with this MAC, may have no carrier yet; once it runs, see late.c */
	bool late;
	uint8_t late_mac[6];
};

struct vm_outcome {            /* behind struct vm_result; owned by the host's job */
	struct errmsg msg;
	uint64_t exec_ns;
	char detail[32];
	char *text;                /* malloc'd: console text; the host frees it */
	size_t text_len;
	int64_t usec_cpu;
	bool saved, kept;          /* as in struct vm_result */
};

enum vm_watch_verdict { VM_WATCH_ALIVE, VM_WATCH_READY /* spec.ready_key; once */, VM_WATCH_ENDED };

/* What open gets; all of them outlive the driver. */
struct vm_env {
	const struct vm_host_conf *conf;
	struct vm_reporter *reporter;
	struct parks *parks;       /* where the MACs of its NICs may be (vm/net/park.h) */
};

/* A state that could not be opened: is that a shortage here, not the state's own fault? */
static inline bool
vm_saved_may_open_later(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* From any thread; uuid may be NULL.  Becomes a VM_EVENT_LOG on the loop. */
void vm_report_log(struct vm_reporter *r, const struct vm_uuid *uuid, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/*
 * From any thread, when spec.link is set: the first NIC, `ifname`, is on its bridge and up, and its
 * MAC is not behind it yet.  Becomes a VM_EVENT_LINK, or a VM_EVENT_LOG where it cannot.
 */
void vm_report_link(struct vm_reporter *r, const struct vm_uuid *uuid, const char *ifname,
    const uint8_t mac[6]);

/* Adoption: ownership of vm passes to the callee; it is NULL for VM_FOUND_SAVED. */
typedef void (*vm_each_cb)(const struct vm_uuid *uuid, struct vm *vm, enum vm_found_state state,
    const char *why, void *arg);

struct vm_driver {
	const char *name;
	unsigned caps;
	/* Both on the loop.  Is there such a hypervisor?  The message says what is missing. */
	enum err (*open)(const struct vm_env *env, void **ctx, struct errmsg *m);
	void (*close)(void *ctx);
	/* On the loop, while operations may go on: ends its own work beside them.  May be NULL. */
	void (*quit)(void *ctx);
	void (*thread_end)(void);  /* may be NULL; by each driver thread at its end */
	/* On the loop: begins to find out what starts need to know of this host.  May be NULL. */
	void (*prepare)(void *ctx, enum vm_accel accel);
	/* On the loop: as vm_ahead_want; adds to what vm_ahead_see tells.  May be NULL. */
	void (*want)(void *ctx, struct vm_wish *list, unsigned n);
	void (*see)(void *ctx, const char *unit, struct vm_ahead *see);
	/* After an error nothing is left and *vm is NULL; out->text: the hypervisor's words. */
	enum err (*start)(void *ctx, const struct vm_spec *spec, struct vm **vm,
	    struct vm_outcome *out);
	/*
	 * As start, from the saved state of spec->uuid, which is removed when used or useless.  It
	 * stays (out->saved) for want of what a cold boot needs as well: a file, a bridge, memory.
	 */
	enum err (*restore)(void *ctx, const struct vm_spec *spec, struct vm **vm,
	    struct vm_outcome *out);
	/* Removes a saved state. */
	enum err (*discard)(void *ctx, const struct vm_uuid *uuid, struct errmsg *m);
	/* Asks for a shutdown; watch_fd or death_fd tell the end.  ERR_UNSUPPORTED: it cannot. */
	enum err (*ask)(struct vm *vm, struct vm_outcome *out);
	/* Reads the console before a stop, into out->text, and gives up soon.  May be NULL. */
	void (*words)(struct vm *vm, struct vm_outcome *out);
	/* Ends it and cleans up all but the structure; keeps an out->text that is there. */
	enum err (*stop)(struct vm *vm, struct vm_outcome *out);
	/* Pauses the guest, or lets it run again. */
	enum err (*freeze)(struct vm *vm, bool freeze, struct vm_outcome *out);
	/* Writes the state to a file, then stops and cleans up.  After an error it runs on. */
	enum err (*save)(struct vm *vm, struct vm_outcome *out);
	enum err (*console)(struct vm *vm, struct vm_outcome *out);
	/* Reads watch_fd.  VM_WATCH_ENDED: with why[] and out->text; the host then calls stop. */
	enum vm_watch_verdict (*watched)(struct vm *vm, char *why, size_t whylen,
	    struct vm_outcome *out);
	/*
	 * As watched, then asks the hypervisor for a word without waiting: `owes` until `watched`
	 * sees a word.  NULL, as judge then: there is nobody to ask.
	 */
	enum vm_watch_verdict (*ask_alive)(struct vm *vm, char *why, size_t whylen,
	    struct vm_outcome *out);
	/* As watched, of a VM that owes for hang_ms: ENDED: it hangs; ALIVE also if unknown. */
	enum vm_watch_verdict (*judge)(struct vm *vm, char *why, size_t whylen,
	    struct vm_outcome *out);
	/* The process ended by itself (death_fd): says how, if known; the host then calls stop. */
	void (*died)(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out);
	enum err (*list)(void *ctx, vm_each_cb each, void *arg, struct errmsg *m);
	/* On the loop, a VM's between operations: make again removed parts of the run directory. */
	enum err (*keep)(void *ctx, struct errmsg *m);
	enum err (*keep_vm)(struct vm *vm, struct errmsg *m);
	void (*free)(struct vm *vm);   /* on any thread: closes and frees; the VM itself goes on */
};

extern const struct vm_driver vm_driver_qemu;
extern const struct vm_driver vm_driver_xen;   /* where JITSU_XEN is defined */

#endif
