/*
 * work_test: order within a lane, lanes beside each other, results on the loop, and the end with
 * work under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/thread.h>

#include "base/work.h"

#define JOBS 200
#define LANES 5

struct job {
	struct work_job work;
	struct test *t;
	int number;
};

struct test {
	struct event_base *base;
	struct work *work;
	struct job jobs[JOBS];
	int ran[JOBS], done[JOBS];
	atomic_int nran, ndone, dropped, inside, most_inside, ends;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool open;
	pthread_t loop;
};

static struct test *current;

static void
run(void *arg)
{
	struct job *j = arg;
	int inside = atomic_fetch_add(&j->t->inside, 1) + 1;

	if (inside > atomic_load(&j->t->most_inside))
		atomic_store(&j->t->most_inside, inside);
	j->t->ran[atomic_fetch_add(&j->t->nran, 1)] = j->number;
	atomic_fetch_sub(&j->t->inside, 1);
}

/* Waits until the test opens the gate. */
static void
run_gate(void *arg)
{
	struct job *j = arg;

	atomic_fetch_add(&j->t->inside, 1);
	pthread_mutex_lock(&j->t->lock);
	while (!j->t->open)
		pthread_cond_wait(&j->t->cond, &j->t->lock);
	pthread_mutex_unlock(&j->t->lock);
	atomic_fetch_add(&j->t->nran, 1);
}

static void
done(void *arg)
{
	struct job *j = arg;

	assert_true(pthread_equal(pthread_self(), j->t->loop));
	j->t->done[atomic_fetch_add(&j->t->ndone, 1)] = j->number;
}

static void
drop(void *arg)
{
	struct job *j = arg;

	atomic_fetch_add(&j->t->dropped, 1);
}

static void
thread_end(void)
{
	atomic_fetch_add(&current->ends, 1);
}

static void
begin(struct test *t, unsigned threads)
{
	unsigned most[LANES];

	for (unsigned i = 0; i < LANES; i++)
		most[i] = threads;
	memset(t, 0, sizeof(*t));
	current = t;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->cond, NULL);
	t->loop = pthread_self();
	t->base = event_base_new();
	assert_non_null(t->base);
	t->work = work_new(t->base, most, LANES, thread_end);
	for (int i = 0; i < JOBS; i++)
		t->jobs[i] = (struct job){
			.work = { .run = run, .done = done, .drop = drop, .arg = &t->jobs[i] },
			.t = t, .number = i };
}

static void
finish(struct test *t)
{
	work_free(t->work);
	event_base_free(t->base);
}

static void
gate(struct test *t)
{
	pthread_mutex_lock(&t->lock);
	t->open = true;
	pthread_cond_broadcast(&t->cond);
	pthread_mutex_unlock(&t->lock);
}

static void
test_order(void **state)
{
	static struct test t;

	(void)state;
	begin(&t, 1);
	for (int i = 0; i < JOBS; i++)
		work_submit(t.work, 0, &t.jobs[i].work);
	while (t.ndone < JOBS)
		event_base_loop(t.base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(t.ran[i], i);
		assert_int_equal(t.done[i], i);
	}
	assert_int_equal(t.most_inside, 1);
	finish(&t);
	assert_int_equal(t.ends, LANES);
}

static void
test_lanes(void **state)
{
	static struct test t;

	(void)state;
	begin(&t, 4);
	/* A lane that is full of hanging jobs keeps the others going. */
	for (int i = 0; i < 6; i++) {
		t.jobs[i].work.run = run_gate;
		work_submit(t.work, 0, &t.jobs[i].work);
	}
	work_submit(t.work, 1, &t.jobs[10].work);
	work_post(t.work, &t.jobs[11].work);
	while (t.ndone < 2)
		event_base_loop(t.base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
	assert_int_equal(t.nran, 1);
	while (t.inside < 4)
		;
	assert_int_equal(t.inside, 4);
	gate(&t);
	while (t.ndone < 8)
		event_base_loop(t.base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
	finish(&t);
	assert_int_equal(t.dropped, 0);
}

static void *
open_later(void *arg)
{
	struct test *t = arg;

	while (atomic_load(&t->inside) == 0)
		;
	gate(t);
	return NULL;
}

static void
test_end(void **state)
{
	static struct test t;
	pthread_t opener;

	(void)state;
	begin(&t, 1);
	t.jobs[0].work.run = run_gate;
	for (int i = 0; i < 5; i++)
		work_submit(t.work, 0, &t.jobs[i].work);
	assert_int_equal(pthread_create(&opener, NULL, open_later, &t), 0);
	/* Waits for the one that runs; nobody hears of any of them through `done`. */
	while (atomic_load(&t.inside) == 0)
		;
	finish(&t);
	assert_int_equal(pthread_join(opener, NULL), 0);
	assert_int_equal(t.dropped, 5);
	assert_int_equal(t.ndone, 0);
	work_free(NULL);
}

/* Opens the gate some time after a job has come to it. */
static void *
open_late(void *arg)
{
	struct test *t = arg;

	while (atomic_load(&t->inside) == 0)
		(void)usleep(1000);
	(void)usleep(20000);
	gate(t);
	return NULL;
}

/* A job that is taken back has run or never will, and nobody is told. */
static void
test_cancel(void **state)
{
	static struct test t;
	pthread_t opener;

	(void)state;
	begin(&t, 1);
	t.jobs[0].work.run = run_gate;
	assert_int_equal(pthread_create(&opener, NULL, open_late, &t), 0);
	work_submit(t.work, 0, &t.jobs[0].work);
	work_submit(t.work, 0, &t.jobs[1].work);
	work_submit(t.work, 0, &t.jobs[2].work);
	while (atomic_load(&t.inside) == 0)
		(void)usleep(1000);
	work_cancel(t.work, 0, &t.jobs[1].work);
	work_cancel(t.work, 0, &t.jobs[0].work);
	assert_true(atomic_load(&t.nran) >= 1);   /* the first has run */
	work_cancel(t.work, 0, &t.jobs[0].work);
	assert_int_equal(pthread_join(opener, NULL), 0);
	while (atomic_load(&t.ndone) < 1)
		event_base_loop(t.base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
	assert_int_equal(t.done[0], 2);
	finish(&t);
	assert_int_equal(atomic_load(&t.nran), 2);
	assert_int_equal(atomic_load(&t.ndone), 1);
	assert_int_equal(atomic_load(&t.dropped), 0);
}

/* What runs alone: submits again, and frees everything at last. */
struct chain {
	struct event_base *base;
	struct work *work;
	struct work_job job;
	int left;
};

static void
chain_run(void *arg)
{
	(void)arg;
}

static void
chain_done(void *arg)
{
	struct chain *c = arg;

	if (c->left-- > 0) {
		work_submit(c->work, 0, &c->job);
		return;
	}
	work_free(c->work);
	assert_int_equal(event_base_loopbreak(c->base), 0);
}

static void
test_done_may_submit_and_free(void **state)
{
	struct chain c = { .job = { .run = chain_run, .done = chain_done, .arg = &c }, .left = 3 };

	(void)state;
	c.base = event_base_new();
	assert_non_null(c.base);
	c.work = work_new(c.base, (const unsigned[]){ 1 }, 1, NULL);
	work_submit(c.work, 0, &c.job);
	assert_int_equal(event_base_loop(c.base, EVLOOP_NO_EXIT_ON_EMPTY), 0);
	assert_int_equal(c.left, -1);
	event_base_free(c.base);
}

/* A lane without a thread would block the loop: then there is no work at all. */
static void __attribute__((unused))
test_without_threads(void **state)
{
	static const struct rlimit none = { .rlim_cur = 1024 * 1024, .rlim_max = 1024 * 1024 };
	static struct test t;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		(void)close(2);
		if (setrlimit(RLIMIT_AS, &none) == 0)
			begin(&t, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef JITSU_SAN   /* whose own memory needs address space */
		/* First, since libc keeps the stacks of threads that have ended. */
		cmocka_unit_test(test_without_threads),
#endif
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_done_may_submit_and_free),
	};

	if (evthread_use_pthreads() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
