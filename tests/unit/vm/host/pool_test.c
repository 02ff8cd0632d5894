/*
 * pool_test: order within a lane, lanes beside each other, results on the loop, and the end with
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

#include <cmocka.h>

#include "vm/host/pool.h"

#define JOBS 200

struct job {
	struct pool_job pj;
	struct test *t;
	int number;
};

struct test {
	struct event_base *base;
	struct pool *pool;
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
run(struct pool_job *pj)
{
	struct job *j = (struct job *)pj;
	int inside = atomic_fetch_add(&j->t->inside, 1) + 1;

	if (inside > atomic_load(&j->t->most_inside))
		atomic_store(&j->t->most_inside, inside);
	j->t->ran[atomic_fetch_add(&j->t->nran, 1)] = j->number;
	atomic_fetch_sub(&j->t->inside, 1);
}

/* Waits until the test opens the gate. */
static void
run_gate(struct pool_job *pj)
{
	struct job *j = (struct job *)pj;

	atomic_fetch_add(&j->t->inside, 1);
	pthread_mutex_lock(&j->t->lock);
	while (!j->t->open)
		pthread_cond_wait(&j->t->cond, &j->t->lock);
	pthread_mutex_unlock(&j->t->lock);
	atomic_fetch_add(&j->t->nran, 1);
}

static void
done(struct pool_job *pj)
{
	struct job *j = (struct job *)pj;

	assert_true(pthread_equal(pthread_self(), j->t->loop));
	j->t->done[atomic_fetch_add(&j->t->ndone, 1)] = j->number;
}

static void
drop(struct pool_job *pj)
{
	atomic_fetch_add(&((struct job *)pj)->t->dropped, 1);
}

static void
thread_end(void)
{
	atomic_fetch_add(&current->ends, 1);
}

static void
begin(struct test *t, unsigned threads)
{
	unsigned most[POOL_LANES];
	struct errmsg m;

	for (unsigned i = 0; i < POOL_LANES; i++)
		most[i] = threads;
	memset(t, 0, sizeof(*t));
	current = t;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->cond, NULL);
	t->loop = pthread_self();
	t->base = event_base_new();
	assert_non_null(t->base);
	assert_int_equal(pool_new(t->base, most, thread_end, &t->pool, &m), ERR_OK);
	for (int i = 0; i < JOBS; i++)
		t->jobs[i] = (struct job){ { .run = run, .done = done, .drop = drop }, t, i };
}

static void
finish(struct test *t)
{
	pool_free(t->pool);
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
		pool_submit(t.pool, 0, &t.jobs[i].pj);
	while (t.ndone < JOBS)
		event_base_loop(t.base, EVLOOP_ONCE);
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(t.ran[i], i);
		assert_int_equal(t.done[i], i);
	}
	assert_int_equal(t.most_inside, 1);
	finish(&t);
	assert_int_equal(t.ends, POOL_LANES);
}

static void
test_lanes(void **state)
{
	static struct test t;

	(void)state;
	begin(&t, 4);
	/* A lane that is full of hanging jobs keeps the others going. */
	for (int i = 0; i < 6; i++) {
		t.jobs[i].pj.run = run_gate;
		pool_submit(t.pool, 0, &t.jobs[i].pj);
	}
	pool_submit(t.pool, 1, &t.jobs[10].pj);
	pool_post(t.pool, &t.jobs[11].pj);
	while (t.ndone < 2)
		event_base_loop(t.base, EVLOOP_ONCE);
	assert_int_equal(t.nran, 1);
	while (t.inside < 4)
		;
	assert_int_equal(t.inside, 4);
	gate(&t);
	while (t.ndone < 8)
		event_base_loop(t.base, EVLOOP_ONCE);
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
	t.jobs[0].pj.run = run_gate;
	for (int i = 0; i < 5; i++)
		pool_submit(t.pool, 0, &t.jobs[i].pj);
	assert_int_equal(pthread_create(&opener, NULL, open_later, &t), 0);
	/* Waits for the one that runs; nobody hears of any of them through `done`. */
	while (atomic_load(&t.inside) == 0)
		;
	finish(&t);
	assert_int_equal(pthread_join(opener, NULL), 0);
	assert_int_equal(t.dropped, 5);
	assert_int_equal(t.ndone, 0);
	pool_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_order),
	    cmocka_unit_test(test_lanes), cmocka_unit_test(test_end) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
