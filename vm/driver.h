/*
 * driver: what a kind of VM must offer to the pool in host.c.  Not included outside vm/.
 *
 * Every function runs on a driver thread and may block up to its deadline; one at a time per VM.  `struct vm` begins a driver's own
 * structure.  Drivers do not call back into the host, except through vm_report_* below, which are thread-safe.
 */
#ifndef VM_DRIVER_H
#define VM_DRIVER_H

#include "vm/vm.h"

struct vm_driver;

/* What host.c keeps of every VM; a driver embeds it first in its own structure. */
struct vm {
	struct vm_uuid uuid;
	const struct vm_driver *driver;
	char unit[LIMIT_NAME_TEXT];
	int watch_fd;              /* readable when driver->watched must be called; -1 = none.  Watched while no operation runs */
	int death_fd;              /* pidfd: readable when the process ended; -1 = none.  Always watched */
};

struct vm_outcome {            /* behind struct vm_result; owned by the host's job */
	struct errmsg msg;
	uint64_t exec_ns;
	char detail[32];
	char *text;                /* malloc'd: console text; the host frees it */
	size_t text_len;
	int64_t usec_cpu;
};

enum vm_watch_verdict { VM_WATCH_ALIVE, VM_WATCH_ENDED };

struct vm_driver {
	const char *name;
	unsigned caps;
	/* Once, at the first use: is there such a hypervisor here?  The message says what is missing. */
	enum err (*probe)(const struct vm_host_conf *conf, struct errmsg *m);
	enum err (*check)(const struct vm_host_conf *conf, const struct vm_spec *spec, struct errmsg *m);
	/* After an error nothing is left behind and *vm stays NULL. */
	enum err (*start)(const struct vm_host_conf *conf, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out);
	enum err (*restore)(const struct vm_host_conf *conf, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out);
	/* Ends it and cleans up everything but the structure itself. */
	enum err (*stop)(struct vm *vm, enum vm_stop_how how, unsigned deadline_ms, struct vm_outcome *out);
	enum err (*freeze)(struct vm *vm, struct vm_outcome *out);
	enum err (*thaw)(struct vm *vm, struct vm_outcome *out);
	enum err (*save)(struct vm *vm, struct vm_outcome *out);
	enum err (*console)(struct vm *vm, struct vm_outcome *out);
	/* watch_fd was readable: consume what came.  On VM_WATCH_ENDED, why[] and out->text (console) are filled in; the host then calls stop. */
	enum vm_watch_verdict (*watched)(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out);
	/* The process ended by itself (death_fd): says how, as far as known. */
	void (*died)(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out);
	/* Adoption: calls `each` for every VM with our mark; ownership of *vm passes to the callee. */
	enum err (*list)(const struct vm_host_conf *conf,
	    void (*each)(struct vm *vm, enum vm_found_state state, const char *why, void *arg), void *arg, struct errmsg *m);
	void (*free)(struct vm *vm);   /* closes and frees; the VM itself goes on */
};

extern const struct vm_driver vm_driver_qemu;

#endif
