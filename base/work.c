/* work: lanes of threads, and an event that brings results to the loop. */
#include "base/work.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

STAILQ_HEAD(jobs, work_job);

struct lane {
	struct work *work;
	struct jobs queue;
	pthread_cond_t more;
	pthread_t *threads;
	unsigned nthreads, idle, most;
};

struct work {
	pthread_mutex_t lock;        /* everything below but the event */
	pthread_cond_t ended;        /* a job has run */
	struct lane *lanes;
	unsigned nlanes;
	struct jobs finished;
	bool stopping;
	struct event *ev;
	void (*thread_end)(void);
};

/* Called with the lock held. */
static void
finish(struct work *w, struct work_job *job)
{
	job->state = WORK_ENDED;
	STAILQ_INSERT_TAIL(&w->finished, job, link);
	pthread_cond_broadcast(&w->ended);
	event_active(w->ev, EV_READ, 0);
}

static void *
lane_thread(void *arg)
{
	struct lane *lane = arg;
	struct work *w = lane->work;

	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		struct work_job *job = STAILQ_FIRST(&lane->queue);

		if (job == NULL) {
			lane->idle++;
			pthread_cond_wait(&lane->more, &w->lock);
			lane->idle--;
			continue;
		}
		STAILQ_REMOVE_HEAD(&lane->queue, link);
		job->state = WORK_RUNS;
		pthread_mutex_unlock(&w->lock);
		atomic_store(&job->begun, true);
		job->run(job->arg);
		pthread_mutex_lock(&w->lock);
		finish(w, job);
	}
	pthread_mutex_unlock(&w->lock);
	if (w->thread_end != NULL)
		w->thread_end();
	return NULL;
}

/* 0, or an errno.  Called with the lock held. */
static int
lane_grow(struct lane *lane)
{
	int error = thread_start(&lane->threads[lane->nthreads], lane_thread, lane);

	if (error == 0)
		lane->nthreads++;
	return error;
}

/* One job at a time, since its `done` may free the work. */
static void
on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct work *w = arg;
	struct work_job *job;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&w->lock);
	job = STAILQ_FIRST(&w->finished);
	if (job != NULL) {
		STAILQ_REMOVE_HEAD(&w->finished, link);
		job->state = WORK_IDLE;
	}
	if (!STAILQ_EMPTY(&w->finished))
		event_active(w->ev, EV_READ, 0);
	pthread_mutex_unlock(&w->lock);
	if (job != NULL)
		job->done(job->arg);
}

struct work *
work_new(struct event_base *base, const unsigned most[], unsigned lanes, void (*thread_end)(void))
{
	struct work *w = mem_zero(1, sizeof(*w));

	/* With default attributes these cannot fail on Linux. */
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->ended, NULL);
	STAILQ_INIT(&w->finished);
	w->ev = mem_must(event_new(base, -1, 0, on_finished, w));
	w->thread_end = thread_end;
	w->nlanes = lanes;
	w->lanes = mem_zero(lanes, sizeof(*w->lanes));
	for (unsigned i = 0; i < lanes; i++) {
		w->lanes[i].work = w;
		STAILQ_INIT(&w->lanes[i].queue);
		(void)pthread_cond_init(&w->lanes[i].more, NULL);
		work_lane_set(w, i, most[i] > 0 ? most[i] : 1);
	}
	/* One thread for each lane now: from here on a job always finds one. */
	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < lanes; i++) {
		int error = lane_grow(&w->lanes[i]);

		if (error != 0)
			fatal("threads beside the loop: %s", strerror(error));
	}
	pthread_mutex_unlock(&w->lock);
	return w;
}

static void
drop_all(struct jobs *jobs)
{
	struct work_job *job;

	while ((job = STAILQ_FIRST(jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(jobs, link);
		job->state = WORK_IDLE;
		if (job->drop != NULL)
			job->drop(job->arg);
	}
}

void
work_free(struct work *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	for (unsigned i = 0; i < w->nlanes; i++)
		pthread_cond_broadcast(&w->lanes[i].more);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->nlanes; i++) {
		struct lane *lane = &w->lanes[i];

		for (unsigned t = 0; t < lane->nthreads; t++)
			pthread_join(lane->threads[t], NULL);
		drop_all(&lane->queue);
		free(lane->threads);
		pthread_cond_destroy(&lane->more);
	}
	drop_all(&w->finished);
	event_free(w->ev);
	pthread_cond_destroy(&w->ended);
	pthread_mutex_destroy(&w->lock);
	free(w->lanes);
	free(w);
}

void
work_lane_set(struct work *w, unsigned number, unsigned most)
{
	struct lane *lane = &w->lanes[number];

	pthread_mutex_lock(&w->lock);
	if (most > lane->most) {
		lane->threads = mem_resize(lane->threads, most, sizeof(*lane->threads));
		lane->most = most;
	}
	pthread_mutex_unlock(&w->lock);
}

void
work_submit(struct work *w, unsigned number, struct work_job *job)
{
	struct lane *lane = &w->lanes[number];
	struct work_job *queued;
	unsigned waiting = 0;
	int error = 0;

	pthread_mutex_lock(&w->lock);
	job->state = WORK_QUEUED;
	STAILQ_INSERT_TAIL(&lane->queue, job, link);
	STAILQ_FOREACH(queued, &lane->queue, link)
		if (++waiting > lane->idle)
			break;
	/* If no further thread can be made, those that are there take longer. */
	if (waiting > lane->idle && lane->nthreads < lane->most)
		error = lane_grow(lane);
	pthread_cond_signal(&lane->more);
	pthread_mutex_unlock(&w->lock);
	if (error != 0)
		log_warn("no further thread: %s", strerror(error));
}

void
work_cancel(struct work *w, unsigned number, struct work_job *job)
{
	pthread_mutex_lock(&w->lock);
	while (job->state == WORK_RUNS)
		pthread_cond_wait(&w->ended, &w->lock);
	if (job->state == WORK_QUEUED)
		STAILQ_REMOVE(&w->lanes[number].queue, job, work_job, link);
	if (job->state == WORK_ENDED)
		STAILQ_REMOVE(&w->finished, job, work_job, link);
	job->state = WORK_IDLE;
	pthread_mutex_unlock(&w->lock);
}

void
work_post(struct work *w, struct work_job *job)
{
	pthread_mutex_lock(&w->lock);
	finish(w, job);
	pthread_mutex_unlock(&w->lock);
}
