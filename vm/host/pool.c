/* pool: lanes of threads, and an eventfd that brings results to the loop. */
#include "vm/host/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

STAILQ_HEAD(jobs, pool_job);

struct lane {
	struct pool *pool;
	struct jobs queue;
	pthread_cond_t work;
	pthread_t *threads;
	unsigned nthreads, idle, most;
};

struct pool {
	pthread_mutex_t lock;        /* everything below but the event */
	struct lane lanes[POOL_LANES];
	struct jobs finished;
	bool stopping;
	int wake_fd;
	struct event *wake_ev;
	void (*thread_end)(void);
};

/* Called with the lock held. */
static void
finish(struct pool *pool, struct pool_job *job)
{
	uint64_t one = 1;
	bool first = STAILQ_EMPTY(&pool->finished);

	STAILQ_INSERT_TAIL(&pool->finished, job, link);
	/* The counter cannot overflow: it is written once per emptied list. */
	if (first && write(pool->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		log_err("eventfd: %s", strerror(errno));
}

static void *
lane_thread(void *arg)
{
	struct lane *lane = arg;
	struct pool *pool = lane->pool;

	pthread_mutex_lock(&pool->lock);
	while (!pool->stopping) {
		struct pool_job *job = STAILQ_FIRST(&lane->queue);

		if (job == NULL) {
			lane->idle++;
			pthread_cond_wait(&lane->work, &pool->lock);
			lane->idle--;
			continue;
		}
		STAILQ_REMOVE_HEAD(&lane->queue, link);
		pthread_mutex_unlock(&pool->lock);
		atomic_store(&job->begun, true);
		job->run(job);
		pthread_mutex_lock(&pool->lock);
		finish(pool, job);
	}
	pthread_mutex_unlock(&pool->lock);
	if (pool->thread_end != NULL)
		pool->thread_end();
	return NULL;
}

/* Called with the lock held. */
static int
lane_grow(struct lane *lane)
{
	int error = thread_start(&lane->threads[lane->nthreads], lane_thread, lane);

	if (error == 0)
		lane->nthreads++;
	return error;
}

static void
wake_cb(evutil_socket_t fd, short what, void *arg)
{
	struct pool *pool = arg;
	struct jobs jobs = STAILQ_HEAD_INITIALIZER(jobs);
	struct pool_job *job;
	uint64_t count;

	(void)what;
	pthread_mutex_lock(&pool->lock);
	/* Under the lock, so that a job that finishes now is either taken or wakes us again. */
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_err("eventfd: %s", strerror(errno));
	STAILQ_CONCAT(&jobs, &pool->finished);
	pthread_mutex_unlock(&pool->lock);
	while ((job = STAILQ_FIRST(&jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(&jobs, link);
		job->done(job);
	}
}

static void
lane_init(struct lane *lane, struct pool *pool, unsigned most)
{
	lane->pool = pool;
	lane->most = most > 0 ? most : 1;
	STAILQ_INIT(&lane->queue);
	pthread_cond_init(&lane->work, NULL);
	lane->threads = mem_zero(lane->most, sizeof(*lane->threads));
}

enum err
pool_new(struct event_base *base, const unsigned most[POOL_LANES], void (*thread_end)(void),
    struct pool **out, struct errmsg *m)
{
	struct pool *pool = mem_zero(1, sizeof(*pool));
	enum err e = ERR_OK;

	*out = NULL;
	pthread_mutex_init(&pool->lock, NULL);
	STAILQ_INIT(&pool->finished);
	pool->thread_end = thread_end;
	for (size_t i = 0; i < POOL_LANES; i++)
		lane_init(&pool->lanes[i], pool, most[i]);
	pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->wake_fd < 0)
		e = err_sys(m, "eventfd");
	pool->wake_ev =
	    mem_must(event_new(base, pool->wake_fd, EV_READ | EV_PERSIST, wake_cb, pool));
	if (e == ERR_OK && event_add(pool->wake_ev, NULL) != 0)
		fatal("driver threads: no event");
	/* One thread per lane now: from here on a job always finds one. */
	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < POOL_LANES && e == ERR_OK; i++) {
		errno = lane_grow(&pool->lanes[i]);
		if (errno != 0)
			e = err_sys(m, "driver threads");
	}
	pthread_mutex_unlock(&pool->lock);
	if (e != ERR_OK)
		pool_free(pool);
	else
		*out = pool;
	return e;
}

static void
drop_all(struct jobs *jobs)
{
	struct pool_job *job;

	while ((job = STAILQ_FIRST(jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(jobs, link);
		job->drop(job);
	}
}

void
pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	for (size_t i = 0; i < POOL_LANES; i++)
		pthread_cond_broadcast(&pool->lanes[i].work);
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < POOL_LANES; i++) {
		struct lane *lane = &pool->lanes[i];

		for (unsigned t = 0; t < lane->nthreads; t++)
			pthread_join(lane->threads[t], NULL);
		drop_all(&lane->queue);
		free(lane->threads);
		pthread_cond_destroy(&lane->work);
	}
	drop_all(&pool->finished);
	if (pool->wake_ev != NULL)
		event_free(pool->wake_ev);
	if (pool->wake_fd >= 0)
		close(pool->wake_fd);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void
pool_lane_set(struct pool *pool, unsigned number, unsigned most)
{
	struct lane *lane = &pool->lanes[number];

	pthread_mutex_lock(&pool->lock);
	if (most > lane->most) {
		lane->threads = mem_resize(lane->threads, most, sizeof(*lane->threads));
		lane->most = most;
	}
	pthread_mutex_unlock(&pool->lock);
}

void
pool_submit(struct pool *pool, unsigned number, struct pool_job *job)
{
	struct lane *lane = &pool->lanes[number];
	struct pool_job *queued;
	unsigned waiting = 0;
	int error = 0;

	pthread_mutex_lock(&pool->lock);
	STAILQ_INSERT_TAIL(&lane->queue, job, link);
	STAILQ_FOREACH(queued, &lane->queue, link)
		if (++waiting > lane->idle)
			break;
	/* If no further thread can be made, those that are there take longer. */
	if (waiting > lane->idle && lane->nthreads < lane->most)
		error = lane_grow(lane);
	pthread_cond_signal(&lane->work);
	pthread_mutex_unlock(&pool->lock);
	if (error != 0)
		log_warn("driver threads: cannot make another: %s", strerror(error));
}

void
pool_post(struct pool *pool, struct pool_job *job)
{
	pthread_mutex_lock(&pool->lock);
	finish(pool, job);
	pthread_mutex_unlock(&pool->lock);
}
