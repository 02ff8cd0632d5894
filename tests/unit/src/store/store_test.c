/*
 * store_test: what is stored is there again: round trips, order, events, addresses, and how long it
 * takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/addr.h"
#include "tests/unit/src/store/fixture.h"

#define PATIENCE_MS 30000

static void
test_round_trip(void **state)
{
	struct bench *b = *state;
	struct loaded l;
	struct stat sb;

	open_store(b, NULL);
	assert_int_equal(put_wait(b, &www).e, ERR_OK);
	close_store(b);
	assert_int_equal(stat(b->path, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	open_store(b, NULL);
	load(b, &l);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.names[0], www.owner);
	assert_string_equal(l.uuid, www.uuid);
	assert_string_equal(l.state, "booting");
	assert_true(l.last.this_boot);
	assert_int_equal(l.last.awake_since_ns, 11);
	assert_int_equal(l.last.last_activity_ns, 22);
	assert_int_equal(l.last.deadline_ns, 33);
	assert_int_equal(l.last.backoff_until_ns, 44);
	assert_int_equal(l.last.boots, 5);
	assert_int_equal(l.last.crashes, 6);
	assert_int_equal(l.last.failures, 7);
	assert_int_equal(l.last.last_boot_ms, 88);
	assert_string_equal(l.error, "it broke");
	assert_string_equal(l.console, "Hello\n");
}

static void
test_other_boot(void **state)
{
	struct bench *b = *state;
	struct loaded l;

	open_store(b, NULL);
	put_wait(b, &www);
	close_store(b);
	sql(b, "UPDATE unit SET boot_id = '00000000-0000-0000-0000-000000000000'");
	open_store(b, NULL);
	load(b, &l);
	assert_false(l.last.this_boot);
	assert_int_equal(l.last.last_activity_ns, 0);
	assert_int_equal(l.last.deadline_ns, 0);
	assert_int_equal(l.last.boots, 5);
}

static void
test_console_keeps_its_end(void **state)
{
	struct bench *b = *state;
	struct store_unit u = www;
	struct loaded l;
	char text[LIMIT_CONSOLE_TAIL + 100];

	memset(text, 'x', sizeof(text));
	snprintf(text + sizeof(text) - 8, 8, "the end");
	text[sizeof(text) - 1] = '\0';
	u.console = text;
	open_store(b, NULL);
	put_wait(b, &u);
	load(b, &l);
	assert_int_equal(strlen(l.console), LIMIT_CONSOLE_TAIL);
	assert_string_equal(l.console + LIMIT_CONSOLE_TAIL - 7, "the end");
}

/* Completions come in the order of the calls, puts, deletes and reads mixed. */
struct ordered {
	struct event_base *base;
	int next, total;
};
struct ticket {
	struct ordered *o;
	int number;
};

static void
in_order(enum err e, const char *why, void *arg)
{
	struct ticket *t = arg;

	(void)why;
	assert_int_equal(e, ERR_OK);
	assert_int_equal(t->number, t->o->next);
	if (++t->o->next == t->o->total)
		event_base_loopbreak(t->o->base);
}

static void
read_in_order(enum err e, const char *why, const struct store_event *evs, size_t n, void *arg)
{
	(void)evs;
	(void)n;
	in_order(e, why, arg);
}

static void
test_order(void **state)
{
	struct bench *b = *state;
	struct ordered o = { b->base, 0, 300 };
	struct ticket tickets[300];
	struct store_unit u = www;
	char name[32];
	struct loaded l;

	open_store(b, NULL);
	for (int i = 0; i < o.total; i++) {
		tickets[i] = (struct ticket){ &o, i };
		snprintf(name, sizeof(name), "u%d", i % 20);
		u.owner = name;
		u.boots = (uint64_t)i;
		if (i % 7 == 3)
			store_unit_delete(b->store, name, in_order, &tickets[i]);
		else if (i % 7 == 5)
			store_events_read(b->store, NULL, 5, read_in_order, &tickets[i]);
		else
			store_unit_put(b->store, &u, in_order, &tickets[i]);
	}
	event_base_loop(b->base, EVLOOP_NO_EXIT_ON_EMPTY);
	assert_int_equal(o.next, o.total);
	load(b, &l);
	/*
	 * Units 0..19 were last named by calls 280..299; a delete among these leaves none, a read
	 * what was before it.
	 */
	for (int i = 280; i < 300; i++) {
		bool there = false;

		snprintf(name, sizeof(name), "u%d", i % 20);
		for (unsigned k = 0; k < l.n; k++)
			there |= strcmp(l.names[k], name) == 0;
		if (i % 7 == 3)
			assert_false(there);
		else if (i % 7 != 5)
			assert_true(there);
	}
}

/* Whatever the thread has not begun, works at, or has done and nobody was told of. */
static void
test_close(void **state)
{
	struct bench *b = *state;
	struct ordered o = { b->base, 0, 0 };
	struct ticket tickets[60];
	struct store_unit u = www;
	struct loaded l;

	for (long ms = 0; ms < 10; ms++) {
		open_store(b, NULL);
		for (int i = 0; i < 6; i++) {
			tickets[o.total] = (struct ticket){ &o, o.total };
			u.boots = (uint64_t)o.total;
			if (i % 3 == 1)
				store_events_read(
				    b->store, NULL, 5, read_in_order, &tickets[o.total++]);
			else
				store_unit_put(b->store, &u, in_order, &tickets[o.total++]);
		}
		assert_int_equal(nanosleep(&(struct timespec){ .tv_nsec = ms * 500000 }, NULL), 0);
		close_store(b);
		assert_int_equal(o.next, o.total);
	}
	open_store(b, NULL);
	load(b, &l);
	assert_int_equal(l.last.boots, o.total - 1);
}

static void
stop_loop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static void
run_for(struct bench *b, unsigned ms)
{
	struct timeval tv = { (time_t)ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	assert_int_equal(event_base_once(b->base, -1, EV_TIMEOUT, stop_loop, b->base, &tv), 0);
	event_base_loop(b->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

static void
test_touch(void **state)
{
	struct bench *b = *state;
	struct store_stats before, st;
	uint64_t begin_ns, until_ms;
	struct loaded l;

	open_store(b, NULL);
	put_wait(b, &www);
	store_stats_get(b->store, &before);
	begin_ns = clock_now_ns();
	for (uint64_t i = 0; i < 1000; i++)
		store_unit_touch(b->store, www.owner, 1000 + i, 5000 + i);
	store_stats_get(b->store, &st);
	assert_int_equal(st.pending, 1);   /* one row, however often */
	until_ms = clock_now_ms() + PATIENCE_MS;
	do {
		run_for(b, 10);   /* nobody is told */
		store_stats_get(b->store, &st);
	} while (st.pending > 0 && clock_now_ms() < until_ms);
	/* libevent's clock is coarse */
	assert_true(clock_now_ns() - begin_ns >= NS_PER_S - 20 * NS_PER_MS);
	assert_int_equal(st.commits, before.commits + 1);
	assert_int_equal(st.pending, 0);
	run_for(b, 10);   /* the loop may have been stopped before the last it was woken for */
	/* Nothing is dirty: nothing is left on the loop. */
	assert_int_equal(event_base_get_num_events(b->base, EVENT_BASE_COUNT_ADDED), 0);
	load(b, &l);
	assert_int_equal(l.last.last_activity_ns, 1999);
	assert_int_equal(l.last.deadline_ns, 5999);
	assert_string_equal(l.state, "booting");

	/*
	 * A later put wins over a touch that waits; a touch of a row that was deleted makes none.
	 */
	store_unit_touch(b->store, www.owner, 7, 7);
	put_wait(b, &www);
	store_unit_touch(b->store, "nobody.test", 7, 7);
	close_store(b);
	open_store(b, NULL);
	load(b, &l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.last.last_activity_ns, 22);
}

static void
test_events(void **state)
{
	struct bench *b = *state;
	struct store_event ev = STORE_EVENT("www.example.test", "ready", NULL);
	struct store_stats before, after;
	struct found f;

	open_store(b, NULL);
	assert_int_equal(events(b, NULL, 10).n, 0);
	store_stats_get(b->store, &before);
	store_event_add(b->store, &STORE_EVENT("www.example.test", "wake", "a query"));
	store_event_add(b->store, &STORE_EVENT(NULL, "start", "the daemon"));
	ev.step_us[STORE_STEP_SPAWN] = 900;
	ev.step_us[STORE_STEP_READY] = 0;
	store_event_add(b->store, &ev);
	put_wait(b, &www);
	store_stats_get(b->store, &after);
	/* a state change and its events are one commit */
	assert_int_equal(after.commits, before.commits + 1);

	f = events(b, NULL, 0);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.kinds, "wake start ready ");
	assert_int_equal(f.newest.step_us[STORE_STEP_SPAWN], 900);
	assert_int_equal(f.newest.step_us[STORE_STEP_ALIVE], STORE_STEP_NONE);
	assert_int_equal(f.newest.step_us[STORE_STEP_READY], 0);
	assert_string_equal(f.text, "");
	assert_true(f.newest.time_us > 1700000000000000ull);
	assert_true(f.newest.mono_ns > 0);
	assert_string_equal(events(b, "www.example.test", 0).kinds, "wake ready ");
	assert_string_equal(events(b, "", 0).kinds, "start ");
	assert_string_equal(events(b, NULL, 2).kinds, "start ready ");
	assert_int_equal(events(b, "nobody", 0).n, 0);
	/* A read sees what was added before it, written or not. */
	store_event_add(b->store, &STORE_EVENT("x", "late", ""));
	assert_string_equal(events(b, "x", 0).kinds, "late ");
	/* ... and nothing that came later, even when all of it is one turn of the thread. */
	{
		struct found g = { .base = b->base };

		for (int i = 0; i < 50; i++) {
			store_events_read(b->store, "y", 0, note_events, &g);
			store_event_add(b->store, &STORE_EVENT("y", "later", ""));
			store_unit_put(b->store, &www, NULL, NULL);
			while (!g.called)
				event_base_loop(b->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
			assert_int_equal(g.n, i);
			g.called = false;
		}
	}
}

static void
test_retention(void **state)
{
	struct bench *b = *state;
	static const struct store_conf conf = { .events_keep = 500 };
	char text[32];
	struct found f;

	open_store(b, &conf);
	for (int i = 1; i <= 6000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		store_event_add(b->store, &STORE_EVENT("u", "k", text));
	}
	f = events(b, NULL, 10000);
	for (uint64_t until_ms = clock_now_ms() + PATIENCE_MS;
	     f.n > 1500 && clock_now_ms() < until_ms;) {
		run_for(b, 10);   /* pruning waits until nothing else is to be done */
		f = events(b, NULL, 10000);
	}
	assert_in_range(f.n, 500, 1500);
	assert_string_equal(f.text, "6000");
	close_store(b);
	open_store(b, &conf);
	f = events(b, NULL, 1);
	assert_int_equal(f.last, 6000);
}

/* ---- addresses ---- */

/*
 * A configuration in words: the names that are units, "alias=unit" for an alias, "?name" for one
 * that cannot be seen.
 */
struct world {
	const char *const *words;
	char held[256];
};

static const char *
world_unit_of(const char *name, void *arg)
{
	const struct world *w = arg;
	size_t len = strlen(name);

	for (const char *const *p = w->words; *p != NULL; p++) {
		if (strcmp(*p, name) == 0)
			return *p;
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
			return *p + len + 1;
	}
	return NULL;
}

static bool
world_hidden(const char *name, void *arg)
{
	const struct world *w = arg;

	for (const char *const *p = w->words; *p != NULL; p++)
		if ((*p)[0] == '?' && strcmp(*p + 1, name) == 0)
			return true;
	return false;
}

static void
world_held(const struct store_address *claim, const char *why, void *arg)
{
	struct world *w = arg;
	char text[ADDR_TEXT];
	size_t used = strlen(w->held);

	addr_text(&claim->addr, text);
	assert_non_null(strstr(why, "`jitsu release "));
	snprintf(w->held + used, sizeof(w->held) - used, "%s%s>%s", used > 0 ? " " : "", text,
	    claim->owner);
}

/*
 * Claims ("10.0.0.1 a.test", ...) of that world at that time; what is held, as "ADDRESS>CLAIMANT
 * ...".
 */
static void
claim(struct bench *b, uint64_t now_s, const char *const *words, const char *const *claims,
    const char *expected)
{
	struct world w = { .words = words };
	struct store_names names = { world_unit_of, world_hidden, world_held, &w };
	struct store_address list[16];
	char texts[16][ADDR_TEXT];
	size_t n = 0;

	for (; claims[n] != NULL; n++) {
		const char *space = strchr(claims[n], ' ');

		snprintf(texts[n], sizeof(texts[n]), "%.*s", (int)(space - claims[n]), claims[n]);
		assert_true(addr_parse(texts[n], &list[n].addr));
		list[n].owner = space + 1;
	}
	addresses_set(store_addresses(b->store), list, n, now_s, &names);
	assert_string_equal(w.held, expected);
}
#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NONE ((const char *const[]){ NULL })

static void
used(struct bench *b, const char *address, const char *owner)
{
	struct msg_addr a;

	assert_true(addr_parse(address, &a));
	addresses_used(store_addresses(b->store), &a, 1, owner);
}

static void
again(struct bench *b)
{
	static const struct store_conf conf = { .address_hold_s = 1000 };

	close_store(b);
	open_store(b, &conf);
}

static enum err
may(struct bench *b, const char *address, const char *owner, uint64_t now_s, struct errmsg *m)
{
	struct msg_addr a;

	assert_true(addr_parse(address, &a));
	return addresses_check(store_addresses(b->store), &a, owner, now_s, m);
}

static void
test_addresses(void **state)
{
	struct bench *b = *state;
	struct msg_addr a;
	struct errmsg m;

	again(b);
	claim(b, 5000, WORDS("a", "b"), WORDS("10.0.0.1 a", "fd77::a:1 b"), "");
	used(b, "10.0.0.1", "a");
	used(b, "fd77::a:1", "b");
	/* a goes; the hold runs from its removal, across a restart, and not for itself. */
	claim(b, 6000, WORDS("b"), WORDS("fd77::a:1 b"), "");
	again(b);
	assert_int_equal(may(b, "10.0.0.1", "new", 6999, &m), ERR_EXISTS);
	assert_non_null(strstr(m.text, "10.0.0.1 was that of a "));
	assert_non_null(strstr(m.text, "1970-01-01 01:56 UTC"));
	assert_non_null(strstr(m.text, "`jitsu release 10.0.0.1`"));
	assert_int_equal(may(b, "10.0.0.1", "a", 6999, &m), ERR_OK);
	assert_int_equal(may(b, "10.0.0.1", "new", 7000, &m), ERR_OK);
	claim(b, 6500, WORDS("b", "new"), WORDS("fd77::a:1 b", "10.0.0.1 new"), "10.0.0.1>new");
	claim(b, 7000, WORDS("b", "new"), WORDS("fd77::a:1 b", "10.0.0.1 new"), "");
	used(b, "10.0.0.1", "new");
	assert_int_equal(may(b, "10.0.0.1", "a", 7000, &m), ERR_EXISTS);
	/* Told otherwise. */
	claim(b, 7100, WORDS("b"), WORDS("fd77::a:1 b"), "");
	assert_true(addr_parse("10.0.0.1", &a));
	assert_int_equal(addresses_forget(store_addresses(b->store), &a), ERR_OK);
	assert_int_equal(addresses_forget(store_addresses(b->store), &a), ERR_MISSING);
	again(b);
	claim(b, 7101, WORDS("b", "c"), WORDS("fd77::a:1 b", "10.0.0.1 c"), "");
	/* What has expired is forgotten, and what was never handed out at once. */
	claim(b, 8000, NONE, NONE, "");
	claim(b, 9000, NONE, NONE, "");
	close_store(b);
	sql(b,
	    "CREATE TABLE t AS SELECT count(*) AS n FROM address; INSERT INTO meta SELECT 'n', n "
	    "FROM t;CREATE TEMP TABLE need (x CHECK (x = 0)); INSERT INTO need SELECT n FROM t");
	/* Nothing is held where that is not wanted. */
	open_store(b, &(struct store_conf){ .address_hold_s = 0 });
	claim(b, 9000, WORDS("a"), WORDS("10.0.0.1 a"), "");
	used(b, "10.0.0.1", "a");
	claim(b, 9001, WORDS("b"), WORDS("10.0.0.1 b"), "");
}

static void
test_addresses_move(void **state)
{
	struct bench *b = *state;

	again(b);
	claim(b, 1000, WORDS("a", "b", "c"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 c", "fd77::3 c"), "");
	/* Never handed out: they may change places, and go to anybody. */
	claim(b, 1010, WORDS("a", "b", "c"),
	    WORDS("10.0.0.2 a", "10.0.0.1 b", "10.0.0.3 c", "fd77::3 c"), "");
	claim(b, 1020, WORDS("a", "b", "c"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 c", "fd77::3 c"), "");
	/* Handed out: a swap is held, on the side that was. */
	used(b, "10.0.0.1", "a");
	again(b);
	claim(b, 1030, WORDS("a", "b", "c"),
	    WORDS("10.0.0.2 a", "10.0.0.1 b", "10.0.0.3 c", "fd77::3 c"), "10.0.0.1>b");
	claim(b, 1040, WORDS("a", "b", "c"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 c", "fd77::3 c"), "");
	/* Renamed in one load, also while nobody looked; and back. */
	used(b, "10.0.0.3", "c");
	used(b, "fd77::3", "c");
	again(b);
	claim(b, 1050, WORDS("a", "b", "d"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 d", "fd77::3 d"), "");
	claim(b, 1060, WORDS("a", "b", "c"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 c", "fd77::3 c"), "");
	/* It remembers who was handed out. */
	claim(b, 1070, WORDS("a", "b"), WORDS("10.0.0.1 a", "10.0.0.2 b"), "");
	claim(b, 1080, WORDS("a", "b", "d"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 d", "fd77::3 d"), "10.0.0.3>d fd77::3>d");
	claim(b, 1090, WORDS("a", "b", "c"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 c", "fd77::3 c"), "");
	/* No renaming: only one of the addresses, or somebody who was there before. */
	claim(b, 1100, WORDS("a", "b", "d"), WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 d"),
	    "10.0.0.3>d");
	claim(b, 1110, WORDS("a", "b", "c"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 c", "fd77::3 c"), "");
	claim(b, 1120, WORDS("a", "b"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 b", "fd77::3 b"), "10.0.0.3>b fd77::3>b");
	claim(b, 1130, WORDS("a", "b", "c"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 c", "fd77::3 c"), "");
	/* The name is an alias now of who has the address: whoever asks for it means that one. */
	claim(b, 1140, WORDS("a", "b", "c=b"),
	    WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 b", "fd77::3 b"), "");
	claim(b, 1150, WORDS("a", "b", "c"), WORDS("10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 c"),
	    "10.0.0.3>c");
}

static void
test_addresses_hidden(void **state)
{
	struct bench *b = *state;
	struct errmsg m;

	again(b);
	claim(b, 1000, WORDS("a", "b"), WORDS("10.0.0.1 a", "10.0.0.2 b"), "");
	used(b, "10.0.0.1", "a");
	/* Its zone cannot be read: it has its address as before, and nobody else has it. */
	claim(b, 1010, WORDS("?a", "b"), WORDS("10.0.0.2 b"), "");
	claim(b, 9000, WORDS("?a", "b", "c"), WORDS("10.0.0.2 b", "10.0.0.1 c"), "10.0.0.1>c");
	assert_int_equal(may(b, "10.0.0.1", "c", 9000, &m), ERR_EXISTS);
	assert_non_null(strstr(m.text, "whose zone cannot be read"));
	claim(b, 9010, WORDS("a", "b"), WORDS("10.0.0.1 a", "10.0.0.2 b"), "");
}

static void
test_addresses_clock(void **state)
{
	struct bench *b = *state;
	uint64_t now = (uint64_t)time(NULL), ahead = now + 5ull * 365 * 24 * 3600;
	struct errmsg m;

	/* The clock was years ahead when a went. */
	again(b);
	claim(b, ahead, WORDS("a"), WORDS("10.0.0.1 a"), "");
	used(b, "10.0.0.1", "a");
	claim(b, ahead, NONE, NONE, "");
	again(b);
	assert_int_equal(may(b, "10.0.0.1", "b", now, &m), ERR_EXISTS);
	/* It is held from the first look at the right time, and no later look begins anew. */
	claim(b, now, WORDS("b"), WORDS("10.0.0.1 b"), "10.0.0.1>b");
	again(b);
	claim(b, now + 1001, WORDS("b"), WORDS("10.0.0.1 b"), "");
	/* The same while it runs: set back. */
	used(b, "10.0.0.1", "b");
	claim(b, ahead, NONE, NONE, "");
	claim(b, now, WORDS("c"), WORDS("10.0.0.1 c"), "10.0.0.1>c");
	claim(b, now + 1000, WORDS("c"), WORDS("10.0.0.1 c"), "");
	/* A clock that begins with 1970. */
	used(b, "10.0.0.1", "c");
	claim(b, 0, NONE, NONE, "");
	claim(b, 0, WORDS("d"), WORDS("10.0.0.1 d"), "10.0.0.1>d");
}

static int
cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * The wake's critical path.  On a shared machine any put may be late, so the fastest tenth is
 * bounded.
 */
static void
test_latency(void **state)
{
	struct bench *b = *state;
	enum { ROUNDS = 400 };
	uint64_t took[ROUNDS];
	struct store_stats st;

	open_store(b, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = clock_now_ns();

		store_event_add(b->store, &STORE_EVENT(www.owner, "wake", "a query"));
		assert_int_equal(put_wait(b, &www).e, ERR_OK);
		took[i] = clock_now_ns() - start;
	}
	qsort(took, ROUNDS, sizeof(took[0]), cmp_u64);
	store_stats_get(b->store, &st);
	print_message("put to completion: p10 %llu us, median %llu us, p90 %llu us, worst commit "
	    "%llu us\n",
	    (unsigned long long)took[ROUNDS / 10] / 1000,
	    (unsigned long long)took[ROUNDS / 2] / 1000,
	    (unsigned long long)took[ROUNDS * 9 / 10] / 1000,
	    (unsigned long long)st.worst_commit_us);
	assert_true(took[ROUNDS / 10] < 20 * NS_PER_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_other_boot, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(
		    test_console_keeps_its_end, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_order, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_close, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_touch, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_events, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_retention, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_addresses, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_addresses_move, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_addresses_hidden, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_addresses_clock, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_latency, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
