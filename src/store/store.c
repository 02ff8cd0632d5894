/*
 * store: the store as the warden's loop sees it: commands out, completions in, one thread between.
 *
 *     loop:    call → (touches, events: wait here, at most a second) → queue ─┐
 *     thread:                   group: carry + queue → one transaction → reads ─┐
 *     loop:                                               completions, or carry ─┘
 *
 * `carry` holds what a failed transaction could not write and nobody waits for; it goes before the
 * next commands, so that the order of the calls stays the order of the writes.
 */
#include "src/store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/work.h"
#include "src/store/db.h"

#define FLUSH_MS 1000
#define EVENTS_BATCH 256          /* events that wait for the timer; with more, it is high time */

struct store {
	struct event *timer;
	struct addresses *addresses;
	struct table touches;         /* by owner */
	struct store_cmds events, queue, carry, done;
	size_t nevents, ncarry;
	size_t nqueued;               /* posted and not ended: in queue, group or carry */
	struct store_stats stats;
	struct work *work;            /* one thread; NULL: it has ended, or never began */
	struct work_job run, written;
	bool running;                 /* until the thread has done with `run` */
	atomic_bool waiting;          /* something is in the queue meanwhile */
	/* The thread's, until `written` */
	struct store_cmds group;
	bool wrote;
	enum err err;
	struct errmsg why;
	uint64_t took_us;
	/* The thread's; at the start the loop reads it, too */
	pthread_mutex_t db_lock;
	struct store_db *db;
};

static void
cmd_free(struct store_cmd *c)
{
	free(c->why);
	arena_clear(&c->arena);
	free(c);
}

static void
cmds_free(struct store_cmds *list)
{
	struct store_cmd *c;

	while ((c = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		cmd_free(c);
	}
}

/* ---- the thread ---- */

static void
cmd_ended(struct store_cmd *c, enum err e, const struct errmsg *m)
{
	c->err = e;
	if (e != ERR_OK)
		c->why = mem_copy(m, sizeof(*m));
}

static void
group_write(struct store *s)
{
	uint64_t start_ns = clock_now_ns();
	struct store_cmd *c;
	struct errmsg m;

	s->err = ERR_OK;
	s->wrote = false;
	STAILQ_FOREACH(c, &s->group, link)
		s->wrote |= c->kind != STORE_CMD_READ;
	if (s->wrote)
		s->err = store_db_write(s->db, &s->group, &s->why);
	s->took_us = (clock_now_ns() - start_ns) / 1000;
	STAILQ_FOREACH(c, &s->group, link)
		if (c->kind == STORE_CMD_READ)
			cmd_ended(c, store_db_read(s->db, c, &m), &m);
}

static void
on_thread(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->db_lock);
	group_write(s);
	work_post(s->work, &s->written);   /* nobody waits for a checkpoint */
	store_db_tidy(s->db, atomic_load(&s->waiting));
	pthread_mutex_unlock(&s->db_lock);
}

/* ---- the loop ---- */

/* The next group, up to the first read, which must see what was before and no more; or none. */
static bool
group_take(struct store *s)
{
	struct store_cmd *c;

	if (!STAILQ_EMPTY(&s->group))
		return true;
	STAILQ_CONCAT(&s->group, &s->carry);
	s->ncarry = 0;
	do {
		c = STAILQ_FIRST(&s->queue);
		if (c == NULL)
			break;
		STAILQ_REMOVE_HEAD(&s->queue, link);
		STAILQ_INSERT_TAIL(&s->group, c, link);
	} while (c->kind != STORE_CMD_READ);
	return !STAILQ_EMPTY(&s->group);
}

static void
group_submit(struct store *s)
{
	if (s->work == NULL || s->running || STAILQ_EMPTY(&s->queue))
		return;
	(void)group_take(s);   /* something is queued */
	atomic_store(&s->waiting, !STAILQ_EMPTY(&s->queue));
	s->running = true;
	work_submit(s->work, 0, &s->run);
}

static void
on_thread_free(void *arg)
{
	struct store *s = arg;

	s->running = false;
	group_submit(s);
}

static void
note_outcome(struct store *s)
{
	struct store_stats *st = &s->stats;

	if (s->err != ERR_OK && st->failing[0] == '\0')
		log_warn("state is not saved, retrying with every change: %s", s->why.text);
	else if (s->err == ERR_OK && st->failing[0] != '\0')
		log_info("state is saved again");
	st->last_commit_us = s->took_us;
	if (s->took_us > st->worst_commit_us)
		st->worst_commit_us = s->took_us;
	if (s->err == ERR_OK)
		st->commits++;
	else
		st->failed_commits++;
	snprintf(st->failing, sizeof(st->failing), "%.*s", STORE_FAILING - 1,
	    s->err == ERR_OK ? "" : s->why.text);
}

/* Distributes a group that was written, or could not be: what nobody waits for is tried again. */
static void
group_end(void *arg)
{
	struct store *s = arg;
	struct store_cmd *c;

	if (s->wrote)
		note_outcome(s);
	while ((c = STAILQ_FIRST(&s->group)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->group, link);
		s->nqueued--;
		if (c->kind == STORE_CMD_READ) {
			STAILQ_INSERT_TAIL(&s->done, c, link);
		} else if (c->done != NULL) {
			cmd_ended(c, s->err, &s->why);
			STAILQ_INSERT_TAIL(&s->done, c, link);
		} else if (s->err == ERR_OK) {
			cmd_free(c);
		} else {
			STAILQ_INSERT_TAIL(&s->carry, c, link);
			s->ncarry++;
			s->nqueued++;
		}
	}
	/* What is old goes first when there is no room. */
	while (s->ncarry > LIMIT_STORE_PENDING && (c = STAILQ_FIRST(&s->carry)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->carry, link);
		s->ncarry--;
		s->nqueued--;
		s->stats.events_dropped++;
		cmd_free(c);
	}
}

static void
deliver(struct store *s)
{
	struct store_cmds done = STAILQ_HEAD_INITIALIZER(done);
	struct store_cmd *c;

	STAILQ_CONCAT(&done, &s->done);
	while ((c = STAILQ_FIRST(&done)) != NULL) {
		const char *why = c->why != NULL ? c->why->text : "";

		STAILQ_REMOVE_HEAD(&done, link);
		if (c->read_done != NULL)
			c->read_done(c->err, why, c->found, c->nfound, c->arg);
		else
			c->done(c->err, why, c->arg);
		cmd_free(c);
	}
}

static void
on_written(void *arg)
{
	group_end(arg);
	deliver(arg);
}

static void
post_all(struct store *s, struct store_cmds *list, size_t n)
{
	if (STAILQ_EMPTY(list))
		return;
	STAILQ_CONCAT(&s->queue, list);
	s->nqueued += n;
	atomic_store(&s->waiting, true);
	group_submit(s);
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
		cmd_free(c);
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
	/* Events added before go with it, in one commit; touches of other rows can wait. */
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

	if (s->nqueued > LIMIT_STORE_PENDING) {
		s->stats.events_dropped++;
		return;
	}
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

struct addresses *
store_addresses(struct store *s)
{
	return s->addresses;
}

static void
post_changes(struct store_cmds *changes, void *arg)
{
	struct store_cmd *c;
	size_t n = 0;

	STAILQ_FOREACH(c, changes, link)
		n++;
	post_all(arg, changes, n);
}

/* ---- opening and closing ---- */

void
store_stats_get(const struct store *s, struct store_stats *st)
{
	*st = s->stats;
	st->pending = s->nqueued + s->nevents + s->touches.count;
}

enum err
store_open(struct event_base *base, const char *path, const struct store_conf *conf,
    struct store **store, struct errmsg *m)
{
	static const struct store_conf usual = { STORE_EVENTS_KEEP, STORE_ADDRESS_HOLD_S };
	struct store *s = mem_zero(1, sizeof(*s));
	enum err e;

	*store = NULL;
	if (conf == NULL)
		conf = &usual;
	STAILQ_INIT(&s->events);
	STAILQ_INIT(&s->queue);
	STAILQ_INIT(&s->carry);
	STAILQ_INIT(&s->done);
	STAILQ_INIT(&s->group);
	s->run = (struct work_job){ .run = on_thread, .done = on_thread_free, .arg = s };
	s->written = (struct work_job){ .done = on_written, .drop = group_end, .arg = s };
	(void)pthread_mutex_init(&s->db_lock, NULL);   /* cannot fail on Linux */
	s->addresses = addresses_new(conf->address_hold_s, post_changes, s);
	s->timer = mem_must(evtimer_new(base, timer_cb, s));
	e = store_db_open(
	    path, conf->events_keep != 0 ? conf->events_keep : STORE_EVENTS_KEEP, &s->db, m);
	if (e == ERR_OK)
		e = store_db_addresses(s->db, s->addresses, m);
	if (e != ERR_OK) {
		store_close(s);
		return e;
	}
	addresses_sort(s->addresses, (uint64_t)time(NULL));
	s->work = work_new(base, (const unsigned[]){ 1 }, 1, NULL);
	*store = s;
	return ERR_OK;
}

/* Without the thread: writes what is left, and tells who waits. */
static void
finish(struct store *s)
{
	flush(s);
	work_free(s->work);
	s->work = NULL;
	do {
		if (!group_take(s))
			continue;
		group_write(s);
		group_end(s);
		store_db_tidy(s->db, !STAILQ_EMPTY(&s->queue));
	} while (!STAILQ_EMPTY(&s->queue));
	deliver(s);
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->work != NULL)
		finish(s);
	if (s->ncarry > 0)
		log_warn("%zu changes of the state could not be written", s->ncarry);
	cmds_free(&s->carry);
	cmds_free(&s->queue);
	event_free(s->timer);
	addresses_free(s->addresses);
	store_db_close(s->db);
	(void)pthread_mutex_destroy(&s->db_lock);   /* nobody else is left */
	free(s);
}
