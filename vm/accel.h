/*
 * accel: KVM or TCG.  KVM counts when a guest has run with it, as the VMs' user, not when a file is there.  Not included outside vm/.
 */
#ifndef VM_ACCEL_H
#define VM_ACCEL_H

#include <pthread.h>

#include "vm/vm.h"

struct accel {
	pthread_mutex_t lock;      /* one thread tries, the others wait for what it found */
	bool known;                /* a trial came to its end */
	uint64_t again_ns;         /* one that did not is repeated no earlier */
	bool usable;               /* a guest runs */
	bool whole;                /* and may use what the CPU offers: `auto` takes it */
	const char *cpu;           /* of -cpu when usable */
	bool has_group;
	gid_t group;               /* supplementary group for /dev/kvm */
	char why[400];             /* when not usable, or not whole */
	bool told;                 /* `auto` has said that it took TCG */
};

struct accel_choice {
	bool kvm;
	const char *cpu;           /* NULL = QEMU's default */
	bool has_group;
	gid_t group;
	char note[480];            /* something an operator should read, once; or empty */
};

void accel_init(struct accel *a);
void accel_clear(struct accel *a);

/*
 * May block for seconds at the first call (it boots a guest of a few bytes, at most four times).  What the trial finds holds from then on; one that
 * QEMU did not bring to its end, for want of memory or time for instance, is repeated by a start a minute later, and who may open /dev/kvm is looked at
 * each time.  ERR_UNSUPPORTED: `kvm` was asked for and does not work here.  Other errors: QEMU could not be started.
 */
enum err accel_choose(struct accel *a, const struct vm_host_conf *conf, const char *qemu, enum vm_accel want, struct accel_choice *choice, struct errmsg *m);

/* The quick part: may the VMs' user open /dev/kvm?  Nothing is started. */
enum err accel_permitted(const struct vm_host_conf *conf, struct errmsg *m);

#endif
