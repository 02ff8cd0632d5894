/*
 * pool: threads that may block, for a loop that may not.
 *
 * Jobs run in the order of submission within a lane, as many at once as the lane has threads; lanes
 * do not wait for each other.  When a job has run, its `done` is called on the loop.  Not included
 * outside vm/.
 */
#ifndef VM_HOST_POOL_H
#define VM_HOST_POOL_H

#include <stdatomic.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/err.h"

#define POOL_LANES 5

/*
 * Begins the caller's own structure, which stays the caller's; it may not be touched between
 * submission and `done`.
 */
struct pool_job {
	void (*run)(struct pool_job *job);     /* on a thread of the lane */
	void (*done)(struct pool_job *job);    /* on the loop */
	void (*drop)(struct pool_job *job);    /* instead of `done` when the pool ends before */
	atomic_bool begun;                     /* a thread has taken it */
	STAILQ_ENTRY(pool_job) link;
};

struct pool;

/*
 * most[i]: the threads lane i may have, at least 1; they are made when they are needed.  thread_end
 * may be NULL: called by each thread at its end.
 */
enum err pool_new(struct event_base *base, const unsigned most[POOL_LANES],
    void (*thread_end)(void), struct pool **pool, struct errmsg *m);

/*
 * Waits for the jobs that run.  Those that have not run, and those whose `done` has not been
 * called, are dropped.
 */
void pool_free(struct pool *pool);

/* From now on the lane may have so many threads; those that it has stay. */
void pool_lane_set(struct pool *pool, unsigned lane, unsigned most);

void pool_submit(struct pool *pool, unsigned lane, struct pool_job *job);

/* Only calls `done` on the loop, soon; from any thread. */
void pool_post(struct pool *pool, struct pool_job *job);

#endif
