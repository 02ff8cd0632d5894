/*
 * admit: the warden's budgets, so that no client can take the host down: concurrent boots, running VMs, their memory, and wakes
 * per minute, per unit and in all.  Pure bookkeeping: no I/O, the clock is an argument.
 *
 * A wake that does not fit waits in a bounded queue, first come first served; a full queue is an answer (ADMIT_FULL), not a silence.
 * Waiters are woken by whoever gives something back (admit_next).
 */
#ifndef SRC_ADMIT_H
#define SRC_ADMIT_H

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
	ADMIT_NOW,                   /* a slot is taken: admit_boot_done and admit_release give it back */
	ADMIT_WAIT,                  /* queued: admit_next will name it */
	ADMIT_FULL,                  /* the queue is full */
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
	bool queued;
	bool held;                   /* counted as a running VM */
	bool booting;                /* counted as a boot */
	struct admit_bucket bucket;
};

struct admit {
	struct admit_limits limits;
	unsigned boots, vms, waiting;
	uint64_t memory_bytes;
	struct admit_bucket bucket;
	TAILQ_HEAD(admit_queue, admit_waiter) queue;
};

void admit_init(struct admit *a, const struct admit_limits *limits);
/* New limits apply to what comes; what is held stays held. */
void admit_limits_set(struct admit *a, const struct admit_limits *limits);
/* Asks for a boot of a VM of w->memory_bytes.  `free_rate` is for operators: no rate limit. */
enum admit_verdict admit_ask(struct admit *a, struct admit_waiter *w, uint64_t now_ms, bool free_rate);
/* A VM that runs already (adoption): always counted, whatever the limits say. */
void admit_take(struct admit *a, struct admit_waiter *w);
void admit_boot_done(struct admit *a, struct admit_waiter *w);   /* harmless when it does not boot */
void admit_release(struct admit *a, struct admit_waiter *w);     /* leaves the queue or gives the slot back; harmless otherwise */
/* The next waiter that fits now, with its slot taken; NULL = none. */
struct admit_waiter *admit_next(struct admit *a);
/* Its place in the queue, from 1 on; 0: it does not wait. */
unsigned admit_position(const struct admit *a, const struct admit_waiter *w);
/* It waits for its turn among the boots alone: there is room for the VM, and for all before it. */
bool admit_is_sure(const struct admit *a, const struct admit_waiter *w);

#endif
