/*
 * store: the store as the warden's loop sees it: commands out, completions in, one thread between.
 *
 *     loop:    call → (touches, events: wait here, at most a second) → queue ─┐
 *     thread:                    carry + queue → one transaction → reads → done ─┐
 *     loop:                                          eventfd → completions ──────┘
 *
 * `carry` holds what a failed transaction could not write and nobody waits for; it goes before the
 * next commands, so that the order of the calls stays the order of the writes.
 */
#include "src/store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/thread.h"
#include "src/store/db.h"

#define FLUSH_MS 1000
#define EVENTS_BATCH 256          /* events that wait for the timer; with more, it is high time */

struct store {
	/* the loop's */
	struct event_base *base;
	struct event *timer, *wakeup;
	struct store_addresses *addresses;
	struct table touches;         /* by owner */
	struct store_cmds events;
	size_t nevents;
	uint64_t dropped;
	/* shared, under `lock` */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct store_cmds queue, done;
	size_t nqueued;               /* posted and not ended: in queue, in work or in carry */
	bool closing;
	struct store_stats stats;
	int efd;
	/* the thread's; before it has something to do, under `db_lock` */
	pthread_mutex_t db_lock;
	struct store_db *db;
	struct store_cmds carry;
	size_t ncarry;
	bool failing;
	/* fixed */
	pthread_t thread;
	bool running;
};

void
store_cmd_free(struct store_cmd *c)
{
	free(c->why);
	free(c->found);
	free(c->found_text);
	free(c);
}

static void
cmds_free(struct store_cmds *list)
{
	struct store_cmd *c;

	while ((c = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		store_cmd_free(c);
	}
}

/* ---- the thread ---- */

static void
cmd_ended(struct store_cmd *c, enum err e, const struct errmsg *m)
{
	c->err = e;
	if (e == ERR_OK)
		return;
	c->why = mem_copy(m, sizeof(*m));
}

/* Does somebody wait for its result?  The others are tried again. */
static bool
cmd_awaited(const struct store_cmd *c)
{
	return c->done != NULL || c->kind == STORE_CMD_READ;
}

/* What is old goes first when there is no room. */
static void
carry_bound(struct store *s)
{
	struct store_cmd *c;
	size_t n = 0;

	while (s->ncarry > LIMIT_STORE_PENDING && (c = STAILQ_FIRST(&s->carry)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->carry, link);
		s->ncarry--;
		n++;
		store_cmd_free(c);
	}
	if (n == 0)
		return;
	pthread_mutex_lock(&s->lock);
	s->stats.events_dropped += n;
	s->nqueued -= n;
	pthread_mutex_unlock(&s->lock);
}

/* Distributes a group that was written, or could not be. */
static void
group_end(struct store *s, struct store_cmds *group, enum err e, const struct errmsg *m)
{
	struct store_cmds finished = STAILQ_HEAD_INITIALIZER(finished);
	struct store_cmd *c;
	struct errmsg rm;
	size_t ended = 0;
	bool nobody;
	enum err re;

	while ((c = STAILQ_FIRST(group)) != NULL) {
		STAILQ_REMOVE_HEAD(group, link);
		ended++;
		if (c->kind == STORE_CMD_READ) {
			re = store_db_read(s->db, c, &rm);
			cmd_ended(c, re, &rm);
			STAILQ_INSERT_TAIL(&finished, c, link);
		} else if (cmd_awaited(c)) {
			cmd_ended(c, e, m);
			STAILQ_INSERT_TAIL(&finished, c, link);
		} else if (e == ERR_OK) {
			store_cmd_free(c);
		} else {
			STAILQ_INSERT_TAIL(&s->carry, c, link);
			s->ncarry++;
			ended--;
		}
	}
	nobody = STAILQ_EMPTY(&finished);
	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&s->done, &finished);
	s->nqueued -= ended;
	pthread_mutex_unlock(&s->lock);
	if (nobody)
		return;
	while (eventfd_write(s->efd, 1) != 0 && errno == EINTR)
		continue;
}

static void
note_outcome(struct store *s, enum err e, const struct errmsg *m, uint64_t took_us)
{
	if (e != ERR_OK && !s->failing)
		log_warn("state is not saved, retrying with every change: %s", m->text);
	else if (e == ERR_OK && s->failing)
		log_info("state is saved again");
	s->failing = e != ERR_OK;
	pthread_mutex_lock(&s->lock);
	s->stats.last_commit_us = took_us;
	if (took_us > s->stats.worst_commit_us)
		s->stats.worst_commit_us = took_us;
	if (e == ERR_OK)
		s->stats.commits++;
	else
		s->stats.failed_commits++;
	snprintf(s->stats.failing, sizeof(s->stats.failing), "%s", e == ERR_OK ? "" : m->text);
	pthread_mutex_unlock(&s->lock);
}

static bool
group_writes(const struct store_cmds *group)
{
	const struct store_cmd *c;

	STAILQ_FOREACH(c, group, link)
		if (c->kind != STORE_CMD_READ)
			return true;
	return false;
}

static void
group_run(struct store *s, struct store_cmds *group)
{
	struct errmsg m = { .text = "" };
	uint64_t start = clock_now_ns();
	enum err e = ERR_OK;
	bool busy;

	/* The database is ours alone, except while the loop reads it at the start. */
	pthread_mutex_lock(&s->db_lock);
	if (group_writes(group)) {
		e = store_db_write(s->db, group, &m);
		note_outcome(s, e, &m, (clock_now_ns() - start) / 1000);
	}
	group_end(s, group, e, &m);
	carry_bound(s);
	pthread_mutex_lock(&s->lock);
	busy = !STAILQ_EMPTY(&s->queue);
	pthread_mutex_unlock(&s->lock);
	store_db_tidy(s->db, busy);
	pthread_mutex_unlock(&s->db_lock);
}

/*
 * The next group: all that is queued, but nothing behind a read, which must see what was added
 * before it and no more.
 */
static void
group_take(struct store *s, struct store_cmds *group)
{
	struct store_cmd *c;

	do {
		c = STAILQ_FIRST(&s->queue);
		if (c == NULL)
			return;
		STAILQ_REMOVE_HEAD(&s->queue, link);
		STAILQ_INSERT_TAIL(group, c, link);
	} while (c->kind != STORE_CMD_READ);
}

static void *
thread_main(void *arg)
{
	struct store *s = arg;
	struct store_cmds group = STAILQ_HEAD_INITIALIZER(group);
	bool last;

	do {
		pthread_mutex_lock(&s->lock);
		while (STAILQ_EMPTY(&s->queue) && !s->closing)
			pthread_cond_wait(&s->work, &s->lock);
		last = s->closing;
		STAILQ_CONCAT(&group, &s->carry);
		group_take(s, &group);
		s->ncarry = 0;
		pthread_mutex_unlock(&s->lock);
		if (!STAILQ_EMPTY(&group))
			group_run(s, &group);
		pthread_mutex_lock(&s->lock);
		last = last && STAILQ_EMPTY(&s->queue);   /* more came, or waits behind a read */
		pthread_mutex_unlock(&s->lock);
	} while (!last);
	return NULL;
}

/* ---- the loop ---- */

static void
post_all(struct store *s, struct store_cmds *list, size_t n)
{
	if (STAILQ_EMPTY(list))
		return;
	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&s->queue, list);
	s->nqueued += n;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}

static void
deliver(struct store *s)
{
	struct store_cmds done = STAILQ_HEAD_INITIALIZER(done);
	struct store_cmd *c;

	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&done, &s->done);
	pthread_mutex_unlock(&s->lock);
	while ((c = STAILQ_FIRST(&done)) != NULL) {
		const char *why = c->why != NULL ? c->why->text : "";

		STAILQ_REMOVE_HEAD(&done, link);
		if (c->read_done != NULL)
			c->read_done(c->err, why, c->found, c->nfound, c->arg);
		else if (c->done != NULL)
			c->done(c->err, why, c->arg);
		store_cmd_free(c);
	}
}

static void
wakeup_cb(evutil_socket_t fd, short what, void *arg)
{
	eventfd_t n;

	(void)what;
	/* Nothing to read is possible when store_close delivered already. */
	if (eventfd_read(fd, &n) != 0 && errno != EAGAIN)
		log_warn("store: eventfd: %s", strerror(errno));
	deliver(arg);
}

/* Everything that waited for the timer goes to the queue. */
static void
flush(struct store *s)
{
	struct store_cmds list = STAILQ_HEAD_INITIALIZER(list);
	size_t n = s->nevents + s->touches.count, at = 0;
	struct store_cmd *c;

	while ((c = table_next(&s->touches, &at)) != NULL)
		STAILQ_INSERT_TAIL(&list, c, link);
	table_clear(&s->touches);
	STAILQ_CONCAT(&list, &s->events);
	s->nevents = 0;
	(void)evtimer_del(s->timer);   /* fails only for an event that was never made */
	post_all(s, &list, n);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

static void
arm(struct store *s)
{
	static const struct timeval soon = { FLUSH_MS / 1000, (FLUSH_MS % 1000) * 1000 };

	if (!evtimer_pending(s->timer, NULL) && evtimer_add(s->timer, &soon) != 0)
		flush(s);
}

static void
touch_drop(struct store *s, const char *owner)
{
	struct store_cmd *c = table_remove(&s->touches, owner, strlen(owner));

	if (c != NULL)
		store_cmd_free(c);
}

/* A command with copies of `n` strings, which *strings[i] are set to; NULL becomes "". */
static struct store_cmd *
cmd_new(enum store_cmd_kind kind, const char ***strings, size_t n)
{
	struct store_cmd *c;
	size_t size = sizeof(*c);
	char *at;

	for (size_t i = 0; i < n; i++)
		size += (*strings[i] != NULL ? strlen(*strings[i]) : 0) + 1;
	c = mem_zero(1, size);
	c->kind = kind;
	at = (char *)(c + 1);
	for (size_t i = 0; i < n; i++) {
		char *copy = at;

		at = stpcpy(at, *strings[i] != NULL ? *strings[i] : "") + 1;
		*strings[i] = copy;
	}
	return c;
}

/* A command about one unit; NULL: about all. */
static struct store_cmd *
cmd_about(enum store_cmd_kind kind, const char *owner)
{
	const char *copy = owner;
	const char **strings[] = { &copy };
	struct store_cmd *c = cmd_new(kind, strings, owner != NULL);

	c->unit.owner = copy;
	return c;
}

static void
post_one(struct store *s, struct store_cmd *c, store_done_cb done, void *arg)
{
	size_t n = s->nevents + 1;

	c->done = done;
	c->arg = arg;
	/*
	 * Events that were added before go with it, in one commit; touches of other rows can wait
	 * for their second.
	 */
	STAILQ_INSERT_TAIL(&s->events, c, link);
	s->nevents = 0;
	post_all(s, &s->events, n);
	if (s->touches.count == 0)
		(void)evtimer_del(s->timer);   /* fails only for an event that was never made */
}

void
store_unit_put(struct store *s, const struct store_unit *u, store_done_cb done, void *arg)
{
	struct store_unit copy = *u;
	const char **strings[] = { &copy.owner, &copy.state, &copy.uuid, &copy.driver, &copy.image,
		&copy.last_error, &copy.console, &copy.identity };
	struct store_cmd *c = cmd_new(STORE_CMD_PUT, strings, sizeof(strings) / sizeof(strings[0]));

	touch_drop(s, u->owner);
	c->unit = copy;
	post_one(s, c, done, arg);
}

void
store_unit_touch(
    struct store *s, const char *owner, uint64_t last_activity_ns, uint64_t deadline_ns)
{
	struct store_cmd *c = table_find(&s->touches, owner, strlen(owner));

	if (c == NULL) {
		c = cmd_about(STORE_CMD_TOUCH, owner);
		table_set(&s->touches, c->unit.owner, strlen(owner), c);
	}
	c->unit.last_activity_ns = last_activity_ns;
	c->unit.deadline_ns = deadline_ns;
	if (s->touches.count >= LIMIT_STORE_PENDING)
		flush(s);
	else
		arm(s);
}

void
store_unit_delete(struct store *s, const char *owner, store_done_cb done, void *arg)
{
	touch_drop(s, owner);
	post_one(s, cmd_about(STORE_CMD_DELETE, owner), done, arg);
}

static uint64_t
wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void
store_event_add(struct store *s, const struct store_event *ev)
{
	struct store_event copy = *ev;
	const char **strings[] = { &copy.unit, &copy.kind, &copy.text };
	struct store_cmd *c;
	size_t queued;

	pthread_mutex_lock(&s->lock);
	queued = s->nqueued;
	if (queued > LIMIT_STORE_PENDING)
		s->stats.events_dropped++;
	pthread_mutex_unlock(&s->lock);
	if (queued > LIMIT_STORE_PENDING)
		return;
	c = cmd_new(STORE_CMD_EVENT, strings, 3);
	c->event = copy;
	if (c->event.time_us == 0)
		c->event.time_us = wall_us();
	if (c->event.mono_ns == 0)
		c->event.mono_ns = clock_now_ns();
	STAILQ_INSERT_TAIL(&s->events, c, link);
	if (++s->nevents >= EVENTS_BATCH)
		flush(s);
	else
		arm(s);
}

void
store_events_read(struct store *s, const char *unit, uint32_t limit, store_events_cb cb, void *arg)
{
	struct store_cmd *c = cmd_about(STORE_CMD_READ, unit);

	c->limit = limit == 0 ? 100 : limit < LIMIT_EVENTS_READ ? limit : LIMIT_EVENTS_READ;
	c->read_done = cb;
	post_one(s, c, NULL, arg);
}

enum err
store_units_load(struct store *s, store_unit_cb each, void *arg, struct errmsg *m)
{
	enum err e;

	pthread_mutex_lock(&s->db_lock);
	e = store_db_units(s->db, each, arg, m);
	pthread_mutex_unlock(&s->db_lock);
	return e;
}

/* ---- addresses ---- */

enum err
store_address_check(const struct store *s, const struct msg_addr *addr, const char *owner,
    uint64_t now_s, struct errmsg *m)
{
	return store_addresses_check(s->addresses, addr, owner, now_s, m);
}

static void
post_changes(struct store *s, struct store_cmds *changes)
{
	struct store_cmd *c;
	size_t n = 0;

	STAILQ_FOREACH(c, changes, link)
		n++;
	post_all(s, changes, n);
}

void
store_addresses_set(struct store *s, const struct store_address *list, size_t n, uint64_t now_s,
    const struct store_names *names)
{
	struct store_cmds changes = STAILQ_HEAD_INITIALIZER(changes);

	store_addresses_update(s->addresses, list, n, now_s, names, &changes);
	post_changes(s, &changes);
}

void
store_address_used(struct store *s, const struct msg_addr *addrs, unsigned n, const char *owner)
{
	struct store_cmds changes = STAILQ_HEAD_INITIALIZER(changes);

	for (unsigned i = 0; i < n; i++)
		store_addresses_used(s->addresses, &addrs[i], owner, &changes);
	post_changes(s, &changes);
}

enum err
store_address_forget(struct store *s, const struct msg_addr *addr)
{
	struct store_cmds changes = STAILQ_HEAD_INITIALIZER(changes);
	enum err e = store_addresses_forget(s->addresses, addr, &changes);

	post_changes(s, &changes);
	return e;
}

void
store_addresses_each(const struct store *s, uint64_t now_s, store_address_cb each, void *arg)
{
	store_addresses_list(s->addresses, now_s, each, arg);
}

/* ---- opening and closing ---- */

void
store_stats_get(struct store *s, struct store_stats *st)
{
	pthread_mutex_lock(&s->lock);
	*st = s->stats;
	st->pending = s->nqueued;
	pthread_mutex_unlock(&s->lock);
	st->pending += s->nevents + s->touches.count;
}

static enum err
start_thread(struct store *s, struct errmsg *m)
{
	errno = thread_start(&s->thread, thread_main, s);
	if (errno != 0)
		return err_sys(m, "store: thread");
	s->running = true;
	return ERR_OK;
}

static struct store *
store_alloc(struct event_base *base)
{
	struct store *s = mem_zero(1, sizeof(*s));

	s->base = base;
	s->efd = -1;
	STAILQ_INIT(&s->events);
	STAILQ_INIT(&s->queue);
	STAILQ_INIT(&s->done);
	STAILQ_INIT(&s->carry);
	/* Mutexes and conditions with default attributes cannot fail on Linux. */
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_mutex_init(&s->db_lock, NULL);
	(void)pthread_cond_init(&s->work, NULL);
	return s;
}

enum err
store_open(struct event_base *base, const char *path, const struct store_conf *conf,
    struct store **store, struct errmsg *m)
{
	static const struct store_conf usual = { STORE_EVENTS_KEEP, STORE_ADDRESS_HOLD_S };
	struct store *s = store_alloc(base);
	enum err e;

	*store = NULL;
	if (conf == NULL)
		conf = &usual;
	e = store_db_open(
	    path, conf->events_keep != 0 ? conf->events_keep : STORE_EVENTS_KEEP, &s->db, m);
	if (e != ERR_OK)
		goto out;
	s->addresses = store_addresses_new(conf->address_hold_s);
	s->timer = mem_must(evtimer_new(base, timer_cb, s));
	s->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->efd < 0) {
		e = err_sys(m, "eventfd");
		goto out;
	}
	s->wakeup = mem_must(event_new(base, s->efd, EV_READ | EV_PERSIST, wakeup_cb, s));
	if (event_add(s->wakeup, NULL) != 0)
		fatal("store: out of memory for an event");
	e = store_db_addresses(s->db, s->addresses, m);
	store_addresses_sort(s->addresses, (uint64_t)time(NULL));
	if (e == ERR_OK)
		e = start_thread(s, m);
	if (e == ERR_OK)
		*store = s;
out:
	if (e != ERR_OK)
		store_close(s);
	return e;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->running) {
		flush(s);
		pthread_mutex_lock(&s->lock);
		s->closing = true;
		pthread_cond_signal(&s->work);
		pthread_mutex_unlock(&s->lock);
		(void)pthread_join(s->thread, NULL);   /* the thread is ours and joinable */
		deliver(s);
	}
	if (s->ncarry > 0)
		log_warn("%zu changes of the state could not be written", s->ncarry);
	cmds_free(&s->carry);
	cmds_free(&s->queue);
	if (s->timer != NULL)
		event_free(s->timer);
	if (s->wakeup != NULL)
		event_free(s->wakeup);
	if (s->efd >= 0)
		close(s->efd);
	store_addresses_free(s->addresses);
	store_db_close(s->db);
	(void)pthread_mutex_destroy(&s->lock);   /* nobody else is left */
	(void)pthread_mutex_destroy(&s->db_lock);
	(void)pthread_cond_destroy(&s->work);
	free(s);
}
