/* pool: the list, the thread, and what it does next. */
#include "vm/qemu/pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/thread.h"

TAILQ_HEAD(pool_list, pool_vm);

struct wish {
	enum qemu_wait wait;
	struct vm_spec spec;
	char *key;                 /* NULL: it could not be found out */
	bool used;                 /* its unit's VM is being started */
	bool keep;                 /* its unit waits for its turn: what is there stays */
	unsigned failures;
	uint64_t again_ns;         /* it is not tried before */
};

struct pool {
	struct qemu_ctx *ctx;
	pthread_t thread;
	bool has_thread;
	int wake_fd;               /* the thread is to look */
	pthread_mutex_t lock;      /* of all that follows */
	pthread_cond_t made;       /* what was in the making is made, or is not */
	bool ending;
	struct pool_list list;
	struct pool_list leaving;  /* killed, and perhaps not ended: their disks are open */
	/* what is wanted; what will be, once its keys are found out; what was said since */
	struct wishes {
		struct wish *list;
		unsigned n;
	} now, soon, fresh;
	bool has_fresh;
	const struct wish *making;
	int making_fd;             /* pidfd of that process; -1: it is not executed yet */
	bool hurry;                /* a wake waits for that */
	unsigned waking;           /* VMs that are being started */
	uint64_t quiet_ns;         /* nothing is made before */
};

static const enum qemu_wait waits[] = { [VM_AHEAD_UNIT] = QEMU_WAIT_CONT,
	[VM_AHEAD_RESTORE] = QEMU_WAIT_STATE, [VM_AHEAD_BOOT] = QEMU_WAIT_CONFIG };

static void
wishes_clear(struct wishes *ws)
{
	for (unsigned i = 0; i < ws->n; i++) {
		arena_clear(&ws->list[i].spec.memory);
		free(ws->list[i].key);
	}
	free(ws->list);
	*ws = (struct wishes){ .list = NULL };
}

static void
look_soon(struct pool *p)
{
	const uint64_t one = 1;

	/* A counter that is full wakes as well. */
	if (write(p->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_err("eventfd: %s", strerror(errno));
}

/* ---- what is wanted ---- */

static bool
same_key(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static uint64_t
backoff_ns(unsigned failures)
{
	uint64_t s = failures < 16 ? 1ull << (failures - 1) : LIMIT_AHEAD_PAUSE_S;

	return (s < LIMIT_AHEAD_PAUSE_S ? s : LIMIT_AHEAD_PAUSE_S) * NS_PER_S;
}

static void
wish_failed(struct pool *p, struct wish *w, const char *why)
{
	w->again_ns = clock_now_ns() + backoff_ns(++w->failures);
	if (w->failures == 1)
		vm_report_log(p->ctx->env->reporter, NULL,
		    "%s: no QEMU can be started ahead for it, which is tried again from time to "
		    "time: %s", w->spec.unit, why);
}

static bool
fits(const struct wish *w, enum qemu_wait wait, const char *key)
{
	return w->wait == wait && w->key != NULL && key != NULL && strcmp(w->key, key) == 0;
}

/* The pause is for all that want such a process: others would only make the same one. */
static void
kind_failed(struct pool *p, enum qemu_wait wait, const char *key, const char *why)
{
	const struct wish *first = NULL;

	for (unsigned i = 0; i < p->now.n; i++) {
		struct wish *w = &p->now.list[i];

		if (!fits(w, wait, key))
			continue;
		if (first == NULL) {
			first = w;
			/* Several may end at once. */
			if (clock_now_ns() >= w->again_ns)
				wish_failed(p, w, why);
		}
		w->failures = first->failures;
		w->again_ns = first->again_ns;
	}
}

static void
kind_works(struct pool *p, enum qemu_wait wait, const char *key)
{
	for (unsigned i = 0; i < p->now.n; i++)
		if (fits(&p->now.list[i], wait, key))
			p->now.list[i].failures = 0;
}

/* Keys are found out without the lock: files are looked at, and KVM may be on trial. */
static void
wish_look(struct pool *p, struct wish *w)
{
	struct errmsg m;
	enum err e = ahead_key(p->ctx, &w->spec, w->wait, &w->key, &m);

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->now.n; i++) {
		const struct wish *old = &p->now.list[i];

		if (old->wait != w->wait || !same_key(old->key, w->key) ||
		    (w->key == NULL && strcmp(old->spec.unit, w->spec.unit) != 0))
			continue;
		w->failures = old->failures;
		w->again_ns = old->again_ns;
	}
	if (e == ERR_UNSUPPORTED && w->wait == QEMU_WAIT_STATE)
		w->again_ns = UINT64_MAX;
	else if (e != ERR_OK && clock_now_ns() >= w->again_ns)
		wish_failed(p, w, m.text);
	pthread_mutex_unlock(&p->lock);
}

/* Called by the thread, which alone moves wishes on, with the lock, which it lets go of. */
static void
renew(struct pool *p)
{
	p->soon = p->fresh;
	p->fresh = (struct wishes){ .list = NULL };
	p->has_fresh = false;
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->soon.n; i++)
		wish_look(p, &p->soon.list[i]);
	pthread_mutex_lock(&p->lock);
	wishes_clear(&p->now);
	p->now = p->soon;
	p->soon = (struct wishes){ .list = NULL };
}

/*
 * Joins wishes and processes.  *lacks: the first wish without one that may be tried now; returns
 * when the next may be.  Processes that nobody wants go to `unwanted`.
 */
static uint64_t
join(struct pool *p, struct wish **lacks, struct pool_list *unwanted)
{
	uint64_t now = clock_now_ns(), next = UINT64_MAX;
	struct pool_list wanted = TAILQ_HEAD_INITIALIZER(wanted);

	*lacks = NULL;
	for (unsigned i = 0; i < p->now.n; i++) {
		struct wish *w = &p->now.list[i];
		struct pool_vm *r = TAILQ_FIRST(&p->list);
		bool makes = !w->used && !w->keep;

		while (r != NULL && !fits(w, r->wait, r->key))
			r = TAILQ_NEXT(r, link);
		if (r != NULL) {
			TAILQ_REMOVE(&p->list, r, link);
			TAILQ_INSERT_TAIL(&wanted, r, link);
		} else if (makes && w->again_ns > now) {
			next = w->again_ns < next ? w->again_ns : next;
		} else if (makes && *lacks == NULL) {
			*lacks = w;
		}
	}
	TAILQ_CONCAT(unwanted, &p->list, link);
	TAILQ_CONCAT(&p->list, &wanted, link);
	return next;
}

/* ---- the thread ---- */

static bool
has_died(const struct pool_vm *r, int patience_ms)
{
	struct pollfd pfd = { .fd = r->v->vm.death_fd, .events = POLLIN };

	return poll(&pfd, 1, patience_ms) == 1;
}

/* Those whose process has ended go to `ended`. */
static void
find_ended(struct pool *p, struct pool_list *ended)
{
	struct pool_vm *r, *next;

	for (r = TAILQ_FIRST(&p->list); r != NULL; r = next) {
		struct errmsg m = { "its process ended" };
		char said[256];

		next = TAILQ_NEXT(r, link);
		if (!has_died(r, 0))
			continue;
		output_last_line(r->v->output_fd, said, sizeof(said));
		if (said[0] != '\0')
			(void)err_set(&m, ERR_STATE, "its process ended: %s", said);
		if (clock_now_ns() >= r->made_ns + LIMIT_AHEAD_PAUSE_S * NS_PER_S)
			kind_works(p, r->wait, r->key);
		kind_failed(p, r->wait, r->key, m.text);
		TAILQ_REMOVE(&p->list, r, link);
		TAILQ_INSERT_TAIL(ended, r, link);
	}
}

static void
end_all(struct pool_list *list)
{
	struct pool_vm *r;

	/* All are killed, then each is waited for. */
	TAILQ_FOREACH(r, list, link) {
		ahead_hurry(r->v->ctx, &r->v->born);
		(void)spawn_kill(r->v->vm.death_fd, NULL);
	}
	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, link);
		ahead_end(r);
	}
}

/* Called with the lock, which it lets go of: wakes find what is not ended in p->leaving. */
static void
let_go(struct pool *p, struct pool_list *list)
{
	struct pool_vm *r;

	TAILQ_CONCAT(&p->leaving, list, link);
	pthread_mutex_unlock(&p->lock);
	TAILQ_FOREACH(r, &p->leaving, link) {
		ahead_hurry(p->ctx, &r->v->born);
		(void)spawn_kill(r->v->vm.death_fd, NULL);
	}
	TAILQ_FOREACH(r, &p->leaving, link)
		(void)has_died(r, QEMU_END_MS);
	pthread_mutex_lock(&p->lock);
	TAILQ_CONCAT(list, &p->leaving, link);
	pthread_cond_broadcast(&p->made);
	pthread_mutex_unlock(&p->lock);
	end_all(list);
	pthread_mutex_lock(&p->lock);
}

/* Called with the lock, which it lets go of. */
static void
make(struct pool *p, struct wish *w)
{
	struct pool_vm *r = NULL;
	struct errmsg m;
	enum err e;

	vm_uuid_make(&w->spec.uuid);
	p->making = w;
	pthread_mutex_unlock(&p->lock);
	e = ahead_make(p->ctx, &w->spec, w->wait, &r, &m);
	pthread_mutex_lock(&p->lock);
	p->making = NULL;
	p->hurry = false;
	pthread_cond_broadcast(&p->made);
	if (e != ERR_OK) {
		if (w->key == NULL)
			wish_failed(p, w, m.text);
		else
			kind_failed(p, w->wait, w->key, m.text);
		return;
	}
	r->made_ns = clock_now_ns();
	/* A file may have changed since the key was found out. */
	if (!same_key(w->key, r->key)) {
		free(w->key);
		w->key = mem_text(r->key);
	}
	TAILQ_INSERT_TAIL(&p->list, r, link);
}

/* Sleeps until somebody wants something, a process has ended, or that time.  Without the lock. */
static void
rest(struct pool *p, uint64_t until_ns, struct pollfd *fds, nfds_t n)
{
	uint64_t now = clock_now_ns(), ms = 0, value;

	if (until_ns > now)
		ms = (until_ns - now) / NS_PER_MS + 1;
	(void)poll(fds, n, until_ns == UINT64_MAX ? -1 : ms > INT_MAX ? INT_MAX : (int)ms);
	(void)!read(p->wake_fd, &value, sizeof(value));     /* nothing is there after a time-out */
}

/* One round with the lock; sleeps without. */
static void
turn(struct pool *p)
{
	struct pool_list gone = TAILQ_HEAD_INITIALIZER(gone);
	struct pollfd *fds;
	struct wish *lacks;
	struct pool_vm *r;
	uint64_t next;
	nfds_t n = 0;

	if (p->has_fresh)
		renew(p);
	find_ended(p, &gone);
	next = join(p, &lacks, &gone);
	if (!TAILQ_EMPTY(&gone)) {
		let_go(p, &gone);
		return;
	}
	if (lacks != NULL && p->waking == 0 && clock_now_ns() >= p->quiet_ns) {
		make(p, lacks);
		return;
	}
	/* While VMs are being started, their end wakes us. */
	if (lacks != NULL && p->waking == 0)
		next = p->quiet_ns;
	TAILQ_FOREACH(r, &p->list, link)
		n++;
	fds = mem_zero(n + 1, sizeof(*fds));
	n = 0;
	fds[n++] = (struct pollfd){ .fd = p->wake_fd, .events = POLLIN };
	TAILQ_FOREACH(r, &p->list, link)
		fds[n++] = (struct pollfd){ .fd = r->v->vm.death_fd, .events = POLLIN };
	pthread_mutex_unlock(&p->lock);
	rest(p, next, fds, n);
	free(fds);
	pthread_mutex_lock(&p->lock);
}

static void *
run(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->ending)
		turn(p);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* ---- what others call ---- */

struct pool *
pool_new(struct qemu_ctx *ctx)
{
	struct pool *p = mem_zero(1, sizeof(*p));

	*p = (struct pool){ .ctx = ctx, .lock = PTHREAD_MUTEX_INITIALIZER,
	    .made = PTHREAD_COND_INITIALIZER, .making_fd = -1,
	    .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	TAILQ_INIT(&p->list);
	TAILQ_INIT(&p->leaving);
	if (p->wake_fd < 0)
		fatal("eventfd: %s", strerror(errno));
	return p;
}

void
pool_quit(struct pool *p)
{
	struct pool_list all = TAILQ_HEAD_INITIALIZER(all);

	pthread_mutex_lock(&p->lock);
	p->ending = true;
	if (p->making_fd >= 0)
		(void)spawn_kill(p->making_fd, NULL);
	pthread_mutex_unlock(&p->lock);
	look_soon(p);
	if (p->has_thread)
		(void)pthread_join(p->thread, NULL);
	pthread_mutex_lock(&p->lock);
	p->has_thread = false;
	TAILQ_CONCAT(&all, &p->list, link);
	pthread_mutex_unlock(&p->lock);
	end_all(&all);
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	wishes_clear(&p->now);
	wishes_clear(&p->fresh);
	close(p->wake_fd);
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_cond_destroy(&p->made);
	free(p);
}

void
pool_want(struct pool *p, struct vm_wish *list, unsigned n)
{
	struct wishes fresh = { .list = mem_zero(n > 0 ? n : 1, sizeof(*fresh.list)), .n = n };
	int error = 0;

	for (unsigned i = 0; i < n; i++)
		fresh.list[i] = (struct wish){ .wait = waits[list[i].what], .spec = list[i].spec,
		    .keep = list[i].keep };
	free(list);
	pthread_mutex_lock(&p->lock);
	wishes_clear(&p->fresh);
	p->fresh = fresh;
	p->has_fresh = true;
	if (!p->has_thread && !p->ending && (n > 0 || !TAILQ_EMPTY(&p->list))) {
		error = thread_start(&p->thread, run, p);
		p->has_thread = error == 0;
	}
	pthread_mutex_unlock(&p->lock);
	if (error != 0)
		log_err("no QEMU can be started ahead: no thread: %s", strerror(error));
	look_soon(p);
}

void
pool_see(struct pool *p, const char *unit, struct vm_ahead *see)
{
	static const unsigned what[QEMU_WAITS] = { [QEMU_WAIT_CONT] = VM_AHEAD_UNIT,
		[QEMU_WAIT_STATE] = VM_AHEAD_RESTORE, [QEMU_WAIT_CONFIG] = VM_AHEAD_BOOT };
	struct pool_vm *r;

	pthread_mutex_lock(&p->lock);
	TAILQ_FOREACH(r, &p->list, link) {
		if (unit != NULL &&
		    (r->wait != QEMU_WAIT_CONT || strcmp(r->v->vm.unit, unit) != 0))
			continue;
		see->n[what[r->wait]]++;
		see->bytes += spawn_memory(r->v->pid);
	}
	pthread_mutex_unlock(&p->lock);
}

static void
use_unit(struct wishes *ws, const char *unit)
{
	for (unsigned i = 0; i < ws->n; i++)
		if (ws->list[i].wait == QEMU_WAIT_CONT &&
		    strcmp(ws->list[i].spec.unit, unit) == 0)
			ws->list[i].used = true;
}

void
pool_makes(struct pool *p, const struct qemu_vm *v)
{
	pthread_mutex_lock(&p->lock);
	p->making_fd = v != NULL ? v->vm.death_fd : -1;
	if (v != NULL && (p->ending || p->hurry))
		ahead_hurry(p->ctx, &v->born);
	if (v != NULL && p->ending)
		(void)spawn_kill(p->making_fd, NULL);
	pthread_mutex_unlock(&p->lock);
}

/* Waits until no process of the unit is on its way out, with the lock. */
static void
await_leaving(struct pool *p, const char *unit)
{
	const struct pool_vm *r = TAILQ_FIRST(&p->leaving);

	while (r != NULL) {
		if (r->wait == QEMU_WAIT_CONT && strcmp(r->v->vm.unit, unit) == 0) {
			(void)pthread_cond_wait(&p->made, &p->lock);
			r = TAILQ_FIRST(&p->leaving);
		} else {
			r = TAILQ_NEXT(r, link);
		}
	}
}

static bool
is_making(const struct pool *p, const char *unit)
{
	const struct wish *w = p->making;

	return w != NULL && w->wait == QEMU_WAIT_CONT &&
	    (w->spec.ndisks > 0 || w->spec.nargs > 0) && strcmp(w->spec.unit, unit) == 0;
}

void
pool_wake_begin(struct pool *p, const char *unit)
{
	pthread_mutex_lock(&p->lock);
	p->waking++;
	use_unit(&p->now, unit);
	use_unit(&p->soon, unit);
	use_unit(&p->fresh, unit);
	while (is_making(p, unit)) {
		p->hurry = true;
		ahead_hurry(p->ctx, &p->making->spec.uuid);
		(void)pthread_cond_wait(&p->made, &p->lock);
	}
	await_leaving(p, unit);
	pthread_mutex_unlock(&p->lock);
}

void
pool_wake_end(struct pool *p)
{
	bool look;

	pthread_mutex_lock(&p->lock);
	p->waking--;
	p->quiet_ns = clock_now_ns() + LIMIT_AHEAD_QUIET_MS * NS_PER_MS;
	look = p->has_thread;
	pthread_mutex_unlock(&p->lock);
	if (look)
		look_soon(p);
}

bool
pool_is_empty(struct pool *p, enum qemu_wait wait)
{
	const struct pool_vm *r;

	pthread_mutex_lock(&p->lock);
	TAILQ_FOREACH(r, &p->list, link)
		if (r->wait == wait)
			break;
	if (r == NULL && wait == QEMU_WAIT_CONT)
		r = TAILQ_FIRST(&p->leaving);
	pthread_mutex_unlock(&p->lock);
	return r == NULL;
}

struct pool_vm *
pool_take(struct pool *p, enum qemu_wait wait, const char *key, const char *unit)
{
	struct pool_vm *r, *stale = NULL;

	pthread_mutex_lock(&p->lock);
	TAILQ_FOREACH(r, &p->list, link)
		if (r->wait == wait && r->key != NULL && strcmp(r->key, key) == 0 &&
		    !has_died(r, 0))
			break;
	if (r == NULL && wait == QEMU_WAIT_CONT)
		TAILQ_FOREACH(stale, &p->list, link)
			if (stale->wait == wait && strcmp(stale->v->vm.unit, unit) == 0)
				break;
	if (r != NULL) {
		TAILQ_REMOVE(&p->list, r, link);
		kind_works(p, wait, key);
	}
	if (stale != NULL)
		TAILQ_REMOVE(&p->list, stale, link);
	if (r == NULL && wait == QEMU_WAIT_CONT)
		await_leaving(p, unit);
	pthread_mutex_unlock(&p->lock);
	if (stale != NULL)
		ahead_end(stale);
	return r;
}

void
pool_add(struct pool *p, struct pool_vm *r)
{
	bool ending;

	pthread_mutex_lock(&p->lock);
	ending = p->ending;
	if (!ending)
		TAILQ_INSERT_TAIL(&p->list, r, link);
	pthread_mutex_unlock(&p->lock);
	if (ending)
		ahead_end(r);
}
