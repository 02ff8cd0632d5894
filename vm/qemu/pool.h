/*
 * pool: processes that wait for their use (ahead.c), and a thread that keeps as many of them as are
 * wanted.
 *
 * The thread makes one at a time, none while a VM is being started nor shortly after, and again
 * with growing pauses what could not be made.  What is not wanted any more it ends.  Not included
 * outside vm/qemu.
 */
#ifndef VM_QEMU_POOL_H
#define VM_QEMU_POOL_H

#include <sys/queue.h>

#include "vm/qemu/args.h"
#include "vm/qemu/qemu.h"

/* A process that waits. */
struct pool_vm {
	TAILQ_ENTRY(pool_vm) link;
	enum qemu_wait wait;
	char *key;                 /* see ahead_key */
	struct qemu_vm *v;
	uint64_t made_ns;          /* 0: by a former daemon */
	/* of QEMU_WAIT_CONFIG, else -1: where it reads, and taps that have no name yet */
	int config_fd;
	int taps[LIMIT_NICS];
};

struct pool *pool_new(struct qemu_ctx *ctx);
/* Ends all that wait: from now on there is none. */
void pool_quit(struct pool *p);
/* After pool_quit, or where nothing was wanted.  NULL is allowed. */
void pool_free(struct pool *p);

/* What is wanted from now on, the most wanted first; takes the list over, with its strings. */
void pool_want(struct pool *p, struct vm_wish *list, unsigned n);
/* Any thread. */
void pool_see(struct pool *p, const char *unit, struct vm_ahead *see);

/*
 * A VM of that unit is being started, on this thread; it is started, or not.  Nothing is made for
 * the unit any more until it is wanted anew; what is in the making, if it has disks or
 * arguments of its own, and what is being ended is waited for: both would open the same.
 */
void pool_wake_begin(struct pool *p, const char *unit);
void pool_wake_end(struct pool *p);

/* Is there none of this kind? */
bool pool_is_empty(struct pool *p, enum qemu_wait wait);
/*
 * Takes a process, which is the caller's then; NULL: there is none.  For QEMU_WAIT_CONT: one of
 * this unit that is out of date is ended, since it holds the unit's disks.
 */
struct pool_vm *pool_take(struct pool *p, enum qemu_wait wait, const char *key, const char *unit);
/* A process that a former daemon left; its key may be NULL.  Ended unless it is wanted. */
void pool_add(struct pool *p, struct pool_vm *r);

/* ---- ahead.c ---- */

/*
 * A text that is the same for all VMs that such a process can become.  ERR_UNSUPPORTED: none can
 * become this one.
 */
enum err ahead_key(struct qemu_ctx *ctx, const struct vm_spec *spec, enum qemu_wait wait,
    char **key, struct errmsg *m);
enum err ahead_make(struct qemu_ctx *ctx, const struct vm_spec *spec, enum qemu_wait wait,
    struct pool_vm **out, struct errmsg *m);
/* What is in the making is executed and can be killed, or (NULL) cannot any more. */
void pool_makes(struct pool *p, const struct qemu_vm *v);
/* Gives a process that somebody waits for its share of the processor. */
void ahead_hurry(struct qemu_ctx *ctx, const struct vm_uuid *born);
/* Ends the process, and frees it. */
void ahead_end(struct pool_vm *r);

#endif
