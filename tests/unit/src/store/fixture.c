/* fixture: a store on a real file, and what it says, for the tests of the store. */
#include "tests/unit/src/store/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/thread.h>
#include <sqlite3.h>

int
store_setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	snprintf(b->dir, sizeof(b->dir), "/tmp/store_test.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/jitsu.db", b->dir);
	assert_int_equal(evthread_use_pthreads(), 0);
	b->base = event_base_new();
	assert_non_null(b->base);
	*state = b;
	return 0;
}

int
store_teardown(void **state)
{
	struct bench *b = *state;
	char cmd[128];

	store_close(b->store);
	event_base_free(b->base);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", b->dir);
	assert_int_equal(system(cmd), 0);
	free(b);
	return 0;
}

void
open_store(struct bench *b, const struct store_conf *conf)
{
	struct errmsg m = { .text = "" };
	enum err e = store_open(b->base, b->path, conf, &b->store, &m);

	if (e != ERR_OK)
		print_error("store_open: %s\n", m.text);
	assert_int_equal(e, ERR_OK);
}

void
close_store(struct bench *b)
{
	store_close(b->store);
	b->store = NULL;
}

static void
note_done(enum err e, const char *why, void *arg)
{
	struct outcome *o = arg;

	o->called = true;
	o->e = e;
	snprintf(o->why, sizeof(o->why), "%s", why);
	if (o->base != NULL)
		event_base_loopbreak(o->base);
}

struct outcome
put_wait(struct bench *b, const struct store_unit *u)
{
	struct outcome o = { .base = b->base };

	store_unit_put(b->store, u, note_done, &o);
	assert_false(o.called);   /* never from inside the call */
	event_base_loop(b->base, EVLOOP_NO_EXIT_ON_EMPTY);
	assert_true(o.called);
	return o;
}

static void
note_unit(const struct store_unit *u, void *arg)
{
	struct loaded *l = arg;

	if (l->n < 64)
		snprintf(l->names[l->n], sizeof(l->names[0]), "%s", u->owner);
	l->n++;
	l->last = *u;
	snprintf(l->console, sizeof(l->console), "%s", u->console);
	snprintf(l->error, sizeof(l->error), "%s", u->last_error);
	snprintf(l->uuid, sizeof(l->uuid), "%s", u->uuid);
	snprintf(l->state, sizeof(l->state), "%s", u->state);
}

void
load(struct bench *b, struct loaded *l)
{
	memset(l, 0, sizeof(*l));
	assert_int_equal(store_units_load(b->store, note_unit, l, NULL), ERR_OK);
}

/* Runs SQL on the closed database, as nobody but a test may. */
void
sql(struct bench *b, const char *text)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

const struct store_unit www = {
	.owner = "www.example.test",
	.state = "booting",
	.uuid = "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
	.driver = "qemu",
	.image = "hello",
	.awake_since_ns = 11,
	.last_activity_ns = 22,
	.deadline_ns = 33,
	.backoff_until_ns = 44,
	.boots = 5,
	.crashes = 6,
	.failures = 7,
	.last_boot_ms = 88,
	.last_error = "it broke",
	.console = "Hello\n",
};

void
note_events(enum err e, const char *why, const struct store_event *evs, size_t n, void *arg)
{
	struct found *f = arg;
	size_t used = 0;

	(void)why;
	assert_int_equal(e, ERR_OK);
	f->called = true;
	f->n = n;
	f->kinds[0] = '\0';
	for (size_t i = 0; i < n && used < sizeof(f->kinds) - 32; i++)
		used += (size_t)snprintf(
		    f->kinds + used, sizeof(f->kinds) - used, "%s ", evs[i].kind);
	if (n > 0) {
		f->first = evs[0].id;
		f->last = evs[n - 1].id;
		f->newest = evs[n - 1];
		snprintf(f->text, sizeof(f->text), "%s", evs[n - 1].text);
	}
	event_base_loopbreak(f->base);
}

struct found
events(struct bench *b, const char *unit, uint32_t limit)
{
	struct found f = { .base = b->base };

	store_events_read(b->store, unit, limit, note_events, &f);
	assert_false(f.called);
	event_base_loop(b->base, EVLOOP_NO_EXIT_ON_EMPTY);
	assert_true(f.called);
	return f;
}
