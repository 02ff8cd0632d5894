/* store_test: the store on real files: round trips, order, crashes, full disks, damaged and foreign files. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "src/addr.h"
#include "src/store.h"

struct bench {
	char dir[64], path[128];
	struct event_base *base;
	struct store *store;
};

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	snprintf(b->dir, sizeof(b->dir), "/tmp/store_test.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/jitsu.db", b->dir);
	b->base = event_base_new();
	assert_non_null(b->base);
	*state = b;
	return 0;
}

static int
teardown(void **state)
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

static void
open_store(struct bench *b, const struct store_conf *conf)
{
	struct errmsg m = { .text = "" };
	enum err e = store_open(b->base, b->path, conf, &b->store, &m);

	if (e != ERR_OK)
		print_error("store_open: %s\n", m.text);
	assert_int_equal(e, ERR_OK);
}

static void
close_store(struct bench *b)
{
	store_close(b->store);
	b->store = NULL;
}

/* What a completion said. */
struct outcome {
	struct event_base *base;
	bool called;
	enum err e;
	char why[1024];
};

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

static struct outcome
put_wait(struct bench *b, const struct store_unit *u)
{
	struct outcome o = { .base = b->base };

	store_unit_put(b->store, u, note_done, &o);
	assert_false(o.called);   /* never from inside the call */
	event_base_dispatch(b->base);
	assert_true(o.called);
	return o;
}

struct loaded {
	unsigned n;
	char names[64][64];
	struct store_unit last;
	char console[LIMIT_CONSOLE_TAIL + 1], error[256], uuid[64], state[32];
};

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

static void
load(struct bench *b, struct loaded *l)
{
	memset(l, 0, sizeof(*l));
	assert_int_equal(store_units_load(b->store, note_unit, l, NULL), ERR_OK);
}

/* Runs SQL on the closed database, as nobody but a test may. */
static void
sql(struct bench *b, const char *text)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static const struct store_unit www = {
	.owner = "www.example.test", .state = "booting", .uuid = "6ba7b810-9dad-41d1-80b4-00c04fd430c8", .driver = "qemu", .image = "hello",
	.awake_since_ns = 11, .last_activity_ns = 22, .deadline_ns = 33, .backoff_until_ns = 44, .boots = 5, .crashes = 6, .failures = 7,
	.last_boot_ms = 88, .last_error = "it broke", .console = "Hello\n",
};

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
	assert_int_equal(strlen(store_boot_id(b->store)), 36);
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
	event_base_dispatch(b->base);
	assert_int_equal(o.next, o.total);
	load(b, &l);
	/* Units 0..19 were last named by calls 280..299; a delete among these leaves none, a read what was before it. */
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
	event_base_dispatch(b->base);
}

static void
test_touch(void **state)
{
	struct bench *b = *state;
	struct store_stats before, st;
	struct loaded l;

	open_store(b, NULL);
	put_wait(b, &www);
	store_stats_get(b->store, &before);
	for (uint64_t i = 0; i < 1000; i++)
		store_unit_touch(b->store, www.owner, 1000 + i, 5000 + i);
	store_stats_get(b->store, &st);
	assert_int_equal(st.pending, 1);   /* one row, however often */
	run_for(b, 1300);
	store_stats_get(b->store, &st);
	assert_int_equal(st.commits, before.commits + 1);
	assert_int_equal(st.pending, 0);
	/* Nothing is dirty: the eventfd is all that is left on the loop. */
	assert_int_equal(event_base_get_num_events(b->base, EVENT_BASE_COUNT_ADDED), 1);
	load(b, &l);
	assert_int_equal(l.last.last_activity_ns, 1999);
	assert_int_equal(l.last.deadline_ns, 5999);
	assert_string_equal(l.state, "booting");

	/* A later put wins over a touch that waits; a touch of a row that was deleted makes none. */
	store_unit_touch(b->store, www.owner, 7, 7);
	put_wait(b, &www);
	store_unit_touch(b->store, "nobody.test", 7, 7);
	close_store(b);
	open_store(b, NULL);
	load(b, &l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.last.last_activity_ns, 22);
}

struct found {
	struct event_base *base;
	bool called;
	size_t n;
	int64_t first, last;
	char kinds[512];
	struct store_event newest;
	char text[256];
};

static void
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
		used += (size_t)snprintf(f->kinds + used, sizeof(f->kinds) - used, "%s ", evs[i].kind);
	if (n > 0) {
		f->first = evs[0].id;
		f->last = evs[n - 1].id;
		f->newest = evs[n - 1];
		snprintf(f->text, sizeof(f->text), "%s", evs[n - 1].text);
	}
	event_base_loopbreak(f->base);
}

static struct found
events(struct bench *b, const char *unit, uint32_t limit)
{
	struct found f = { .base = b->base };

	store_events_read(b->store, unit, limit, note_events, &f);
	assert_false(f.called);
	event_base_dispatch(b->base);
	assert_true(f.called);
	return f;
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
	assert_int_equal(after.commits, before.commits + 1);   /* a state change and its events are one commit */

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
				event_base_loop(b->base, EVLOOP_ONCE);
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
	for (int i = 0; i < 100 && f.n > 1500; i++) {
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

/* The child tells of every completion; whatever it told of must be there after SIGKILL. */
static void
kill_child(struct bench *b, int out)
{
	struct store_unit u = www;
	struct outcome o;
	char name[32];

	b->base = event_base_new();
	if (b->base == NULL || store_open(b->base, b->path, NULL, &b->store, NULL) != ERR_OK)
		_exit(1);
	for (uint32_t i = 0;; i++) {
		snprintf(name, sizeof(name), "u%u", i % 50);
		u.owner = name;
		u.boots = i;
		store_event_add(b->store, &STORE_EVENT(name, "wake", "killed soon"));
		o = put_wait(b, &u);
		if (o.e != ERR_OK || write(out, &i, sizeof(i)) != sizeof(i))
			_exit(2);
	}
}

static void
test_kill(void **state)
{
	struct bench *b = *state;

	for (int round = 0; round < 5; round++) {
		uint32_t told = 0, seen = 0;
		struct loaded l;
		int fds[2], status;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			kill_child(b, fds[1]);
		}
		close(fds[1]);
		while (seen < 150u + 37u * (uint32_t)round && read(fds[0], &told, sizeof(told)) == sizeof(told))
			seen++;
		assert_int_equal(kill(pid, SIGKILL), 0);
		while (read(fds[0], &told, sizeof(told)) == sizeof(told))
			continue;
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		open_store(b, NULL);
		load(b, &l);
		assert_int_equal(l.n, 50);
		/* The newest row told of, or the one that was being told of. */
		assert_true(events(b, NULL, 10000).n >= told + 1);
		close_store(b);
		assert_int_equal(unlink(b->path), 0);
	}
}

static void
expect_refusal(struct bench *b, enum err want, const char *part)
{
	struct errmsg m = { .text = "" };
	struct store *s = NULL;
	enum err e = store_open(b->base, b->path, NULL, &s, &m);

	assert_int_equal(e, want);
	assert_null(s);
	if (strstr(m.text, b->path) == NULL || strstr(m.text, part) == NULL)
		fail_msg("message \"%s\" names not both %s and \"%s\"", m.text, b->path, part);
}

static void
test_second_daemon(void **state)
{
	struct bench *b = *state;
	int status;
	pid_t pid;

	open_store(b, NULL);
	expect_refusal(b, ERR_EXISTS, "another jitsud");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct errmsg m;
		struct store *s;
		struct event_base *base = event_base_new();

		_exit(store_open(base, b->path, NULL, &s, &m) == ERR_EXISTS && strstr(m.text, "another jitsud") != NULL ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(put_wait(b, &www).e, ERR_OK);
}

static void
test_damaged(void **state)
{
	static const char junk[] = "this is no database, it is a letter to my mother, who never liked them much";
	struct bench *b = *state;
	char buf[sizeof(junk)];
	struct stat sb;
	int fd;

	fd = open(b->path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	expect_refusal(b, ERR_PARSE, "move it away");
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), sizeof(junk));
	assert_memory_equal(buf, junk, sizeof(junk));   /* and was not touched */
	close(fd);
	assert_int_equal(unlink(b->path), 0);

	/* A whole database with a hole in the middle. */
	open_store(b, NULL);
	for (int i = 0; i < 3000; i++)
		store_event_add(b->store, &STORE_EVENT("u", "k", "some text to fill the pages with"));
	close_store(b);
	assert_int_equal(stat(b->path, &sb), 0);
	fd = open(b->path, O_RDWR);
	for (off_t at = 8192; at + 100 < sb.st_size; at += 4096)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	close(fd);
	expect_refusal(b, ERR_PARSE, "move it away");
	assert_int_equal(access(b->path, F_OK), 0);
}

static void
test_unusable_paths(void **state)
{
	struct bench *b = *state;
	char keep[sizeof(b->path)];

	memcpy(keep, b->path, sizeof(keep));
	snprintf(b->path, sizeof(b->path), "%s/none/jitsu.db", b->dir);
	expect_refusal(b, ERR_IO, "No such file");
	snprintf(b->path, sizeof(b->path), "%s", b->dir);
	expect_refusal(b, ERR_IO, "directory");
	memcpy(b->path, keep, sizeof(keep));
	assert_int_equal(symlink("/etc/passwd", b->path), 0);
	expect_refusal(b, ERR_IO, "symbolic link");
}

static void
test_migrations(void **state)
{
	struct bench *b = *state;
	struct store_address a = { .owner = "www.example.test" };
	struct loaded l;

	open_store(b, NULL);
	put_wait(b, &www);
	close_store(b);
	/* Version 1 had no addresses. */
	sql(b, "DROP TABLE address; ALTER TABLE unit DROP COLUMN identity; PRAGMA user_version = 1");
	open_store(b, NULL);
	load(b, &l);
	assert_int_equal(l.n, 1);
	assert_true(addr_parse("10.77.0.10", &a.addr));
	assert_int_equal(store_addresses_set(b->store, &a, 1, 100), ERR_OK);
	close_store(b);
	sql(b, "PRAGMA user_version = 99");
	expect_refusal(b, ERR_UNSUPPORTED, "newer jitsud");
	sql(b, "PRAGMA user_version = -5");
	expect_refusal(b, ERR_PARSE, "no state database");
}

/* In a child with little room: 0 = as it should be, else the line that failed. */
#define NEED(x)                     \
	do {                            \
		if (!(x))                   \
			_exit(__LINE__ % 250 + 1); \
	} while (0)

static struct outcome
child_put(struct bench *b, const char *name, const char *console)
{
	struct store_unit u = www;

	u.owner = name;
	u.console = console;
	return put_wait(b, &u);
}

static void
full_child(struct bench *b)
{
	char ballast[160], block[4096], console[4001];
	struct store_stats st;
	struct outcome o;
	struct found f;
	int fd;

	NEED(unshare(CLONE_NEWNS) == 0);
	NEED(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	NEED(mount("tmpfs", b->dir, "tmpfs", 0, "size=1m") == 0);
	b->base = event_base_new();
	NEED(store_open(b->base, b->path, NULL, &b->store, NULL) == ERR_OK);
	NEED(child_put(b, "before.test", "").e == ERR_OK);
	snprintf(ballast, sizeof(ballast), "%s/ballast", b->dir);
	memset(block, 'b', sizeof(block));
	fd = open(ballast, O_CREAT | O_WRONLY, 0600);
	NEED(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		continue;
	NEED(errno == ENOSPC);
	memset(console, 'c', sizeof(console) - 1);
	console[sizeof(console) - 1] = '\0';
	store_event_add(b->store, &STORE_EVENT("full.test", "wake", "while the disk is full"));
	o = child_put(b, "full.test", console);
	NEED(o.e == ERR_IO);
	NEED(strstr(o.why, b->path) != NULL && strstr(o.why, "full") != NULL);
	store_stats_get(b->store, &st);
	NEED(st.failed_commits == 1 && st.pending == 1);   /* the event waits for better times */
	NEED(ftruncate(fd, 0) == 0);
	o = child_put(b, "after.test", console);
	NEED(o.e == ERR_OK);
	f = events(b, "full.test", 0);
	NEED(f.n == 1);
	close_store(b);
	NEED(store_open(b->base, b->path, NULL, &b->store, NULL) == ERR_OK);
	{
		struct loaded l;

		load(b, &l);
		NEED(l.n == 2 && strcmp(l.names[0], "after.test") == 0);   /* the failed put was its caller's to repeat */
	}
	close_store(b);
	event_base_free(b->base);
	_exit(0);
}

static void
fsize_child(struct bench *b)
{
	struct rlimit rl = { 60000, RLIM_INFINITY };
	char console[4001], name[32];
	struct outcome o = { .e = ERR_OK };

	b->base = event_base_new();
	NEED(store_open(b->base, b->path, NULL, &b->store, NULL) == ERR_OK);
	signal(SIGXFSZ, SIG_IGN);
	NEED(setrlimit(RLIMIT_FSIZE, &rl) == 0);
	memset(console, 'c', sizeof(console) - 1);
	console[sizeof(console) - 1] = '\0';
	for (int i = 0; i < 100 && o.e == ERR_OK; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		o = child_put(b, name, console);
	}
	NEED(o.e == ERR_IO && strstr(o.why, b->path) != NULL);
	rl.rlim_cur = RLIM_INFINITY;
	NEED(setrlimit(RLIMIT_FSIZE, &rl) == 0);
	NEED(child_put(b, "again", console).e == ERR_OK);
	close_store(b);
	event_base_free(b->base);
	_exit(0);
}

static void
run_child(struct bench *b, void (*fn)(struct bench *))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		fn(b);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the child ended with status 0x%x (line %d modulo 250)", (unsigned)status, WEXITSTATUS(status) - 1);
}

static void
test_full_disk(void **state)
{
	if (geteuid() != 0) {
		print_message("needs root for a file system of its own\n");
		skip();
	}
	run_child(*state, full_child);
}

static void
test_file_size_limit(void **state)
{
	run_child(*state, fsize_child);
}

static void
test_addresses(void **state)
{
	struct bench *b = *state;
	static const struct store_conf conf = { .address_hold_s = 1000 };
	struct store_address list[2] = { { .owner = "a.test" }, { .owner = "b.test" } };
	struct msg_addr *a = &list[0].addr, *c = &list[1].addr;
	struct errmsg m;

	assert_true(addr_parse("10.77.0.10", a));
	assert_true(addr_parse("fd77::a:1", c));
	open_store(b, &conf);
	assert_int_equal(store_address_check(b->store, a, "a.test", 5000, &m), ERR_OK);
	assert_int_equal(store_addresses_set(b->store, list, 2, 5000), ERR_OK);
	assert_int_equal(store_address_check(b->store, a, "a.test", 5000, &m), ERR_OK);
	assert_int_equal(store_address_check(b->store, a, "new.test", 5000, &m), ERR_EXISTS);
	assert_non_null(strstr(m.text, "10.77.0.10"));
	assert_non_null(strstr(m.text, "a.test"));
	assert_non_null(strstr(m.text, "1970-01-01 01:40 UTC"));

	/* a goes; the hold runs from its removal, across a restart */
	assert_int_equal(store_addresses_set(b->store, &list[1], 1, 6000), ERR_OK);
	close_store(b);
	open_store(b, &conf);
	assert_int_equal(store_address_check(b->store, a, "new.test", 6999, &m), ERR_EXISTS);
	assert_int_equal(store_address_check(b->store, a, "a.test", 6999, &m), ERR_OK);
	assert_int_equal(store_address_check(b->store, a, "new.test", 7000, &m), ERR_OK);
	assert_int_equal(store_address_check(b->store, c, "new.test", 999999, &m), ERR_EXISTS);   /* still in use */
	assert_int_equal(store_address_check(b->store, a, "new.test", 10, &m), ERR_EXISTS);       /* the clock was set back */

	/* told otherwise */
	store_address_forget(b->store, a);
	assert_int_equal(store_address_check(b->store, a, "new.test", 6500, &m), ERR_OK);
	close_store(b);
	open_store(b, &conf);
	assert_int_equal(store_address_check(b->store, a, "new.test", 6500, &m), ERR_OK);

	/* what has expired is forgotten */
	assert_int_equal(store_addresses_set(b->store, NULL, 0, 8000), ERR_OK);
	assert_int_equal(store_addresses_set(b->store, list, 1, 9000), ERR_OK);
	close_store(b);
	sql(b, "CREATE TABLE t AS SELECT count(*) AS n FROM address; INSERT INTO meta SELECT 'n', n FROM t;"
	    "CREATE TEMP TABLE need (x CHECK (x = 1)); INSERT INTO need SELECT n FROM t");
	open_store(b, &(struct store_conf){ .address_hold_s = 0 });
	assert_int_equal(store_address_check(b->store, a, "new.test", 9001, &m), ERR_OK);
}

static int
cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The wake's critical path: printed, and bounded loosely, since machines are shared. */
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
	print_message("put to completion: median %llu us, p90 %llu us, worst commit %llu us\n", (unsigned long long)took[ROUNDS / 2] / 1000,
	    (unsigned long long)took[ROUNDS * 9 / 10] / 1000, (unsigned long long)st.worst_commit_us);
	assert_true(took[ROUNDS / 2] < 20 * NS_PER_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_console_keeps_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_touch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_daemon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unusable_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_migrations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_size_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_latency, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
