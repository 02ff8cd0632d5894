/* accel: KVM, proven by a guest that ran as the VMs' user, or TCG.  Not included outside vm/. */
#ifndef VM_QEMU_ACCEL_H
#define VM_QEMU_ACCEL_H

#include <pthread.h>

#include "vm/vm.h"

/* What a trial found. */
struct accel_finding {
	bool known;                /* it came to its end */
	bool usable;               /* a guest runs */
	bool whole;                /* and may use what the CPU offers: `auto` takes it */
	const char *cpu;           /* of -cpu when usable */
	char why[400];             /* when not usable, or not whole */
};

struct accel {
	const char *device;        /* /dev/kvm */
	pthread_mutex_t lock;      /* of all that follows */
	pthread_cond_t ended;      /* a trial has */
	pthread_t thread;          /* of the trial */
	bool has_thread;           /* which has not been joined */
	bool trying;               /* and has not ended */
	bool ending;               /* accel_clear was called: no trial goes on */
	int trial_fd;              /* pidfd of its VM; -1 */
	bool found;                /* `finding` is a trial's */
	struct accel_finding finding;
	enum err err;              /* why the last one did not begin; ERR_OK: it did */
	struct errmsg msg;
	uint64_t again_ns;         /* one that did not come to its end is repeated no earlier */
	bool told;                 /* `auto` has said that it took TCG */
	const struct vm_host_conf *conf;   /* of the trial, as what follows */
	const char *qemu;
	bool has_group;            /* the VMs' user needs this one, to open the device */
	gid_t group;
};

struct accel_choice {
	bool kvm;
	const char *cpu;           /* NULL = QEMU's default */
	bool has_group;
	gid_t group;
	char note[480];            /* something an operator should read, once; or empty */
};

void accel_init(struct accel *a);
/* Ends a trial. */
void accel_clear(struct accel *a);

/*
 * Begins a trial on a thread of its own (at most four boots of a guest of a few bytes; up to
 * seconds), unless one goes on or the last came to its end: what that found holds from then on.
 * `conf` and `qemu` outlive `a`.
 */
void accel_prepare(struct accel *a, const struct vm_host_conf *conf, const char *qemu);

/*
 * Takes what the last trial found; waits for the first, which begins here at the latest.  A choice
 * a minute later repeats, in the background, a trial that did not come to its end, for want of
 * memory or time for instance.  Each choice looks at who may open /dev/kvm.  ERR_UNSUPPORTED: `kvm`
 * was asked for and does not work here.  Other errors: QEMU could not be started.
 */
enum err accel_choose(struct accel *a, const struct vm_host_conf *conf, const char *qemu,
    enum vm_accel want, struct accel_choice *choice, struct errmsg *m);

#endif
