/*
 * admit: the warden's budgets, so that no client can take the host down: concurrent boots, running
 * VMs, their memory, and wakes per minute, per unit and in all.  Pure bookkeeping: no I/O, the
 * clock is an argument.
 *
 * A wake that does not fit waits in a bounded queue; a full queue is an answer (ADMIT_FULL), not a
 * silence.  Waiters are woken by whoever gives something back (admit_next).
 *
 * The queue is fair between those who ask: it goes in rounds, and each asker has one waiter in
 * each, in the order in which they came.  So who asks for one unit waits for one or two units of
 * each other asker, however many those want.  Askers are numbers that the caller makes of clients;
 * ADMIT_ASKERS of them are told apart.
 *
 * A waiter is *sure* when there is room for its VM and for those of all before it, so that only its
 * turn among the boots is missing.  The sure ones are the front of the queue, and where it ends is
 * kept, not looked for: every change moves it by as many waiters as change.
 */
#ifndef SRC_LIFE_ADMIT_H
#define SRC_LIFE_ADMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct admit_limits {
	unsigned boots;              /* at once */
	unsigned vms;                /* running, frozen ones included */
	uint64_t memory_bytes;       /* of all running VMs */
	unsigned queue;              /* waiting wakes */
	unsigned wakes_per_min;      /* of one unit; 0 = no limit */
	unsigned wakes_per_min_all;  /* 0 = no limit */
};

enum admit_verdict {
	ADMIT_NOW,                   /* a slot is taken, until admit_boot_done and admit_release */
	ADMIT_WAIT,                  /* queued: admit_next will name it */
	ADMIT_FULL,                  /* the queue is full; no rate is used up */
	ADMIT_TOO_OFTEN,             /* the unit's or the global rate is used up */
	ADMIT_NEVER                  /* it asks for more memory than all VMs together may have */
};

/* A token bucket; `wakes_per_min` tokens fit, and so many come back per minute. */
struct admit_bucket {
	uint64_t at_ms;
	uint32_t milli;              /* thousandths of a token; meaningful once at_ms != 0 */
};

/* Embedded in whatever waits. */
struct admit_waiter {
	TAILQ_ENTRY(admit_waiter) link;
	uint64_t memory_bytes;
	unsigned place;              /* see admit_number */
	uint32_t asker;              /* set by the caller while it is not queued */
	uint32_t round;              /* while queued */
	bool queued;
	bool sure;                   /* while queued */
	bool held;                   /* counted as a running VM */
	bool booting;                /* counted as a boot */
	struct admit_bucket bucket;
};

/* What a waiter waits for. */
enum admit_want { ADMIT_WANT_BOOT, ADMIT_WANT_VM, ADMIT_WANT_MEMORY };

/* A queued waiter became sure, or is not sure any more.  It may look, and change nothing here. */
typedef void (*admit_sure_cb)(struct admit_waiter *w, void *arg);

#define ADMIT_ASKERS 256

struct admit {
	struct admit_limits limits;
	unsigned boots, vms, waiting;
	uint64_t memory_bytes;
	struct admit_bucket bucket;
	TAILQ_HEAD(admit_queue, admit_waiter) queue;
	struct admit_waiter *last_sure;   /* in the queue; NULL: none is */
	unsigned nsure;
	uint64_t sure_bytes;              /* memory of the sure ones */
	bool numbered;                    /* every place is right */
	uint32_t round;                   /* the newest of those that left the queue */
	uint32_t rounds[ADMIT_ASKERS];    /* of each asker's last waiter; 0: it has none */
	uint32_t asked[ADMIT_ASKERS];     /* how many of its waiters are in the queue */
	admit_sure_cb on_sure;
	void *arg;
};

/* `on_sure` (may be NULL) is also called for a waiter that becomes sure as it is queued. */
void admit_init(
    struct admit *a, const struct admit_limits *limits, admit_sure_cb on_sure, void *arg);
/* New limits apply to what comes; what is held stays held. */
void admit_limits_set(struct admit *a, const struct admit_limits *limits);
/* Asks for a boot of a VM of w->memory_bytes.  `free_rate` is for operators: no rate limit. */
enum admit_verdict admit_ask(
    struct admit *a, struct admit_waiter *w, uint64_t now_ms, bool free_rate);
/*
 * The queue is full for `w`: takes the last waiter out, and returns it, if its asker has had more
 * rounds than that of `w` would have.  NULL: they are all as entitled.
 */
struct admit_waiter *admit_yield(struct admit *a, const struct admit_waiter *w);
/* Its VM will have so much memory; its place in the queue stays.  What runs stays as it is. */
void admit_resize(struct admit *a, struct admit_waiter *w, uint64_t memory_bytes);
/* A VM that runs already (adoption): always counted, whatever the limits say. */
void admit_take(struct admit *a, struct admit_waiter *w);
/* Gives back the boot's slot, if it has any. */
void admit_boot_done(struct admit *a, struct admit_waiter *w);
/* Leaves the queue or gives the slots back, if it has any. */
void admit_release(struct admit *a, struct admit_waiter *w);
/* The next waiter that fits now, with its slot taken; NULL = none. */
struct admit_waiter *admit_next(struct admit *a);
/* Its place, from 1 on; 0: it is not queued.  Costs a walk, or after admit_number nothing. */
unsigned admit_position(const struct admit *a, const struct admit_waiter *w);
void admit_number(struct admit *a);
/* What a queued waiter waits for: boots if it is sure, else what the first lacks that is not. */
enum admit_want admit_wants(const struct admit *a, const struct admit_waiter *w);
/* What must be given back before the first waiter is sure that is not; false: all are. */
bool admit_lacks(const struct admit *a, unsigned *vms, uint64_t *bytes);
/* It is not queued: would it be sure if it gave back what it has, and asked now? */
bool admit_would_be_sure(const struct admit *a, const struct admit_waiter *w);

#endif
