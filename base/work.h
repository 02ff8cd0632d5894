/*
 * work: what may block runs on a thread, and comes back to the loop.
 *
 * Jobs begin in the order of submission within a lane, as many at once as the lane has threads:
 * one from the start, more when they are needed; lanes do not wait for each other.  When a job has
 * run, its `done` is called on the loop, whose base threads must be able to wake
 * (evthread_use_pthreads).  Lack of memory is fatal, as in mem.h, and so is that of a first thread.
 */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include <stdatomic.h>
#include <sys/queue.h>

#include <event2/event.h>

/* The caller's, who does not touch it between submission and `done` or `drop`. */
struct work_job {
	void (*run)(void *arg);        /* on a thread of the lane */
	void (*done)(void *arg);       /* on the loop; may submit again, or free the work */
	void (*drop)(void *arg);       /* instead of `done` when the work ends; may be NULL */
	void *arg;
	atomic_bool begun;             /* a thread has taken it */
	enum { WORK_IDLE, WORK_QUEUED, WORK_RUNS, WORK_ENDED } state;   /* work.c's own */
	STAILQ_ENTRY(work_job) link;
};

struct work;

/* most[i]: the threads of lane i, at least 1; each calls `thread_end`, unless NULL, at its end. */
struct work *work_new(struct event_base *base, const unsigned most[], unsigned lanes,
    void (*thread_end)(void));
/* Waits for jobs that run; drops those that did not, or were not `done`.  NULL is allowed. */
void work_free(struct work *w);
/* From now on the lane may have so many threads; those that there are stay. */
void work_lane_set(struct work *w, unsigned lane, unsigned most);
void work_submit(struct work *w, unsigned lane, struct work_job *job);
/* Takes a job back: waits if it runs; neither `done` nor `drop` is called.  For the loop. */
void work_cancel(struct work *w, unsigned lane, struct work_job *job);
/* Calls only `done`, on the loop and soon; from any thread. */
void work_post(struct work *w, struct work_job *job);

#endif
