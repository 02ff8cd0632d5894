/*
 * faults_test: the store when something is wrong: SIGKILL, full disks, damaged, foreign and old
 * files, a second daemon.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "tests/unit/src/store/fixture.h"

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
		while (seen < 150u + 37u * (uint32_t)round &&
		    read(fds[0], &told, sizeof(told)) == sizeof(told))
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

		_exit(store_open(base, b->path, NULL, &s, &m) == ERR_EXISTS &&
			    strstr(m.text, "another jitsud") != NULL ?
			0 :
			1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(put_wait(b, &www).e, ERR_OK);
}

static void
test_damaged(void **state)
{
	static const char junk[] = "this is no database, it is a letter to my mother, who never "
	    "liked them much";
	struct bench *b = *state;
	char buf[sizeof(junk)];
	struct stat sb;
	int fd;

	fd = open(b->path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	expect_refusal(b, ERR_PARSE, "damaged");
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), sizeof(junk));
	assert_memory_equal(buf, junk, sizeof(junk));   /* and was not touched */
	close(fd);
	assert_int_equal(unlink(b->path), 0);

	/* A whole database with a hole in the middle. */
	open_store(b, NULL);
	for (int i = 0; i < 3000; i++)
		store_event_add(
		    b->store, &STORE_EVENT("u", "k", "some text to fill the pages with"));
	close_store(b);
	assert_int_equal(stat(b->path, &sb), 0);
	fd = open(b->path, O_RDWR);
	for (off_t at = 8192; at + 100 < sb.st_size; at += 4096)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	close(fd);
	expect_refusal(b, ERR_PARSE, "damaged");
	assert_int_equal(access(b->path, F_OK), 0);
}

/* Opens it as the daemon does: the note says `part`, and the store works. */
static void
expect_anyhow(struct bench *b, const char *part)
{
	char note[STORE_NOTE];
	struct errmsg m = { .text = "" };

	if (store_open_anyhow(b->base, b->path, NULL, &b->store, note, &m) != ERR_OK)
		fail_msg("%s", m.text);
	if ((part[0] == '\0') != (note[0] == '\0') || strstr(note, part) == NULL)
		fail_msg("note \"%s\" has not \"%s\"", note, part);
	assert_int_equal(put_wait(b, &www).e, ERR_OK);
	close_store(b);
}

/* How many files in the directory have this text in their names. */
static unsigned
files(struct bench *b, const char *part)
{
	DIR *d = opendir(b->dir);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += strstr(e->d_name, part) != NULL;
	closedir(d);
	return n;
}

static void
test_set_aside(void **state)
{
	static const char *const harm[] = { "DROP TABLE unit",
		"ALTER TABLE events RENAME COLUMN kind TO sort", "PRAGMA user_version = 99",
		"PRAGMA user_version = -5", "DROP TABLE meta; PRAGMA user_version = 2" };
	struct bench *b = *state;
	char wal[sizeof(b->path) + 4];
	struct loaded l;
	int fd;

	for (unsigned i = 0; i < sizeof(harm) / sizeof(harm[0]); i++) {
		expect_anyhow(b, "");
		sql(b, harm[i]);
		expect_anyhow(b, ".damaged-");
		/* Each with its log, if it had one. */
		assert_int_equal(files(b, ".damaged-") - files(b, "-wal"), i + 1);
		expect_anyhow(b, "");   /* the new one is whole */
	}
	/* Cut short, and no database; with a log beside it, which is not the new one's. */
	assert_int_equal(truncate(b->path, 5000), 0);
	expect_anyhow(b, ".damaged-");
	fd = open(b->path, O_RDWR | O_TRUNC);
	assert_int_equal(write(fd, "nonsense, and more of the same nonsense", 39), 39);
	close(fd);
	snprintf(wal, sizeof(wal), "%s-wal", b->path);
	fd = open(wal, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "of another", 10), 10);
	close(fd);
	expect_anyhow(b, ".damaged-");
	assert_int_equal(access(wal, F_OK), -1);
	open_store(b, NULL);
	load(b, &l);
	assert_int_equal(l.n, 1);
	close_store(b);
	/* An empty file is a new database, and no harm. */
	assert_int_equal(truncate(b->path, 0), 0);
	expect_anyhow(b, "");
}

/* Nothing can be written there: what happens is remembered as long as the daemon lives. */
static void
test_in_memory(void **state)
{
	struct bench *b = *state;
	char keep[sizeof(b->path)], note[STORE_NOTE];
	struct errmsg m;
	struct loaded l;

	memcpy(keep, b->path, sizeof(keep));
	snprintf(b->path, sizeof(b->path), "%s/none/jitsu.db", b->dir);
	expect_anyhow(b, "NOT SAVED");
	assert_int_equal(store_open_anyhow(b->base, b->path, NULL, &b->store, note, &m), ERR_OK);
	put_wait(b, &www);
	load(b, &l);
	assert_int_equal(l.n, 1);
	close_store(b);
	memcpy(b->path, keep, sizeof(keep));
	/* Somebody else's is never taken away. */
	open_store(b, NULL);
	{
		struct store *s = NULL;

		assert_int_equal(
		    store_open_anyhow(b->base, b->path, NULL, &s, note, &m), ERR_EXISTS);
		assert_null(s);
	}
	assert_int_equal(files(b, ".damaged-"), 0);
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
	const struct store_names names = { .arg = NULL };   /* nobody had it, so nobody asks */
	struct loaded l;

	open_store(b, NULL);
	put_wait(b, &www);
	close_store(b);
	/* Version 1 had no addresses. */
	sql(b,
	    "DROP TABLE address; ALTER TABLE unit DROP COLUMN identity; PRAGMA user_version = 1");
	open_store(b, NULL);
	load(b, &l);
	assert_int_equal(l.n, 1);
	assert_true(addr_parse("10.77.0.10", &a.addr));
	addresses_set(store_addresses(b->store), &a, 1, 100, &names);
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
		/* the failed put was its caller's to repeat */
		NEED(l.n == 2 && strcmp(l.names[0], "after.test") == 0);
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
		fail_msg("the child ended with status 0x%x (line %d modulo 250)", (unsigned)status,
		    WEXITSTATUS(status) - 1);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kill, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_second_daemon, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_damaged, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_set_aside, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_in_memory, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_unusable_paths, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_migrations, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(test_file_size_limit, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
