/* control_test: who may connect, how many, and the socket's file. */
#include "tests/unit/src/control/fixture.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define CANNOT_CONNECT 3

/*
 * Sends a request as another user, in a child: 0 when `part` is in the answer, CANNOT_CONNECT, or
 * another exit status.
 */
static int
as_user(struct bench *b, uid_t uid, const char *request, const char *part)
{
	int status = -1, ends[2];
	char go;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char buf[4096];
		ssize_t n;
		int fd;

		close(ends[1]);
		if (read(ends[0], &go, 1) != 0 || setgroups(0, NULL) != 0 ||
		    setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
			_exit(2);
		if (access(b->path, R_OK | W_OK) != 0)
			_exit(CANNOT_CONNECT);
		fd = bench_dial(b);
		bench_tell(fd, request);
		n = recv(fd, buf, sizeof(buf) - 1, 0);
		buf[n > 0 ? n : 0] = '\0';
		_exit(strstr(buf, part) != NULL ? 0 : 1);
	}
	close(ends[0]);
	close(ends[1]);
	while (waitpid(pid, &status, WNOHANG) == 0)
		event_base_loop(b->base, EVLOOP_NONBLOCK);
	return WEXITSTATUS(status);
}

static void
test_permission(void **state)
{
	struct bench *b = *state;
	uid_t admins[] = { 4711, 4712 };
	static const char wake[] = "{\"v\":1,\"verb\":\"wake\",\"say\":1}\n";
	static const char echo[] = "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n";
	int fd = bench_dial(b);

	bench_tell(fd, wake);
	bench_expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":1}\n");   /* our own user */
	close(fd);
	if (geteuid() != 0) {
		print_message("needs root to become others\n");
		skip();
	}
	assert_int_equal(chmod(b->path, 0666), 0);
	assert_int_equal(as_user(b, 4711, echo, "\"data\":1"), 0);
	assert_int_equal(as_user(b, 4711, wake, "wake is for root and the users"), 0);
	control_set_admins(b->control, admins, 2);
	assert_int_equal(chmod(b->path, 0666), 0);
	assert_int_equal(as_user(b, 4711, wake, "\"data\":1"), 0);
	assert_int_equal(as_user(b, 4713, wake, "(uid 4713)"), 0);
	control_set_admins(b->control, NULL, 0);
	assert_int_equal(chmod(b->path, 0666), 0);
	assert_int_equal(as_user(b, 4711, wake, "wake is for root"), 0);
}

/*
 * Users that the configuration lists reach the socket without being members of its group; nobody
 * else does.
 */
static void
test_admins_connect(void **state)
{
	struct bench *b = *state;
	uid_t admins[] = { 4711, 4712 };
	static const char wake[] = "{\"v\":1,\"verb\":\"wake\",\"say\":1}\n";
	struct stat sb;

	if (geteuid() != 0) {
		print_message("needs root to become others\n");
		skip();
	}
	assert_int_equal(as_user(b, 4711, wake, "data"), CANNOT_CONNECT);
	control_set_admins(b->control, admins, 2);
	assert_int_equal(stat(b->path, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0660);
	assert_int_equal(as_user(b, 4711, wake, "\"data\":1"), 0);
	assert_int_equal(as_user(b, 4712, wake, "\"data\":1"), 0);
	assert_int_equal(as_user(b, 4713, wake, "data"), CANNOT_CONNECT);
	control_set_admins(b->control, admins + 1, 1);
	assert_int_equal(as_user(b, 4711, wake, "data"), CANNOT_CONNECT);
	assert_int_equal(as_user(b, 4712, wake, "\"data\":1"), 0);
	control_set_admins(b->control, NULL, 0);
	assert_int_equal(as_user(b, 4712, wake, "data"), CANNOT_CONNECT);
}

static void
test_many_clients(void **state)
{
	struct bench *b = *state;
	int fds[LIMIT_CONTROL_CLIENTS], fd;

	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
		fds[i] = bench_dial(b);
		bench_spin(b);
	}
	assert_int_equal(b->control->nclients, LIMIT_CONTROL_CLIENTS);
	/* The one that has been idle longest makes room. */
	bench_tell(fds[0], "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	bench_expect_part(b, fds[0], "true");
	fd = bench_dial(b);
	bench_tell(fd, "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	bench_expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":1}\n");
	bench_expect(b, fds[1], "EOF");
	bench_expect(b, fds[0], "");
	close(fds[1]);
	fds[1] = fd;
	/* When all wait for answers, the next one is told. */
	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
		bench_tell(fds[i], "{\"v\":1,\"verb\":\"later\"}\n");
	for (int i = 0; i < 20; i++)
		bench_spin(b);
	assert_int_equal(b->nlater, LIMIT_CONTROL_CLIENTS);
	fd = bench_dial(b);
	bench_expect_part(b, fd, "too many clients");
	close(fd);
	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
		close(fds[i]);
	bench_spin(b);
}

/* A connection of that user's. */
static int
dial_as(struct bench *b, uid_t uid)
{
	int fd;

	/* The group, too: in an access list root's is one that may not. */
	assert_int_equal(setgroups(0, NULL), 0);
	assert_int_equal(setegid(uid), 0);
	assert_int_equal(seteuid(uid), 0);
	fd = bench_dial(b);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	bench_spin(b);
	return fd;
}

/* So many of them follow and never read; returns how many could. */
static unsigned
followers(struct bench *b, uid_t uid, unsigned n, int *fds)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		fds[i] = dial_as(b, uid);
		/* it may have been told to go */
		(void)send(fds[i], "{\"v\":1,\"verb\":\"events\"}\n", 24, MSG_NOSIGNAL);
		bench_spin(b);
		good += strstr(bench_hear(b, fds[i]), "\"ok\":true") != NULL;
	}
	return good;
}

static void
served(struct bench *b, uid_t uid)
{
	int fd = dial_as(b, uid);

	bench_tell(fd, "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	bench_expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":1}\n");
	close(fd);
	bench_spin(b);
}

/* Nobody takes the places of those above, or of all others. */
static void
test_places(void **state)
{
	static int fds[6 * LIMIT_CONTROL_CLIENTS];
	const uid_t admins[] = { 4711, 4712, 4713 };
	struct bench *b = *state;
	unsigned n = 0;
	int fd;

	if (geteuid() != 0)
		skip();
	control_set_admins(b->control, admins, 3);
	assert_int_equal(chmod(b->path, 0666), 0);   /* readers, without a group of theirs */
	/* A reader has its bound, and the next one is told; others find places. */
	assert_int_equal(followers(b, 5001, LIMIT_CONTROL_CLIENTS, fds), LIMIT_CONTROL_USER);
	fd = dial_as(b, 5001);
	bench_expect_part(b, fd, "you have too many connections here");
	close(fd);
	served(b, 5002);
	served(b, 4711);
	served(b, 0);
	/* Many readers leave what is kept. */
	for (uid_t uid = 5002; uid < 5005; uid++)
		n += followers(
		    b, uid, LIMIT_CONTROL_USER, fds + (uid - 5001) * LIMIT_CONTROL_CLIENTS);
	assert_int_equal(n, LIMIT_CONTROL_CLIENTS - LIMIT_CONTROL_KEPT_ADMINS - LIMIT_CONTROL_USER);
	fd = dial_as(b, 5009);
	bench_expect_part(b, fd, "too many clients are waiting");
	close(fd);
	served(b, 4711);
	served(b, 0);
	/* Admins, too. */
	n = 0;
	for (unsigned i = 0; i < 2; i++)
		n += followers(
		    b, admins[i], LIMIT_CONTROL_USER, fds + (4 + i) * LIMIT_CONTROL_CLIENTS);
	assert_int_equal(n, LIMIT_CONTROL_KEPT_ADMINS - LIMIT_CONTROL_KEPT_ROOT);
	fd = dial_as(b, 4713);
	bench_expect_part(b, fd, "too many clients are waiting");
	close(fd);
	served(b, 0);
	/* Places come back. */
	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] > 0)
			close(fds[i]);
	bench_spin(b);
	assert_int_equal(b->control->nclients, 0);
	served(b, 5001);
}

/*
 * A client that only holds a connection gives its place to the next one of its user, and to one of
 * a higher rank.
 */
static void
test_idle_places(void **state)
{
	struct bench *b = *state;
	int fds[LIMIT_CONTROL_CLIENTS], more;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(b->path, 0666), 0);
	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
		fds[i] = dial_as(b, (uid_t)(i < 40 ? 5001 + i % 4 : 0));
	bench_expect(b, fds[0], "");
	more = dial_as(b, 5001);
	bench_expect(b, fds[0], "EOF");
	served(b, 5009);
	bench_expect(b, fds[1], "EOF");
	close(more);
	bench_expect(b, fds[63], "");
	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
		close(fds[i]);
}

static void
test_descriptors_run_out(void **state)
{
	struct bench *b = *state;
	struct rlimit before, rl;
	int first = bench_dial(b), second, top;
	unsigned turns = 0;
	uint64_t end;

	bench_tell(first, "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	bench_expect_part(b, first, "true");
	second = bench_dial(b);
	top = dup(0);
	close(top);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	rl = before;
	rl.rlim_cur = (rlim_t)top;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
	bench_tell(second, "{\"v\":1,\"verb\":\"echo\",\"say\":2}\n");
	/* Accepting pauses instead of spinning, and those inside are served. */
	for (end = clock_now_ms() + 300; clock_now_ms() < end; turns++) {
		struct timeval tv = { 0, 50000 };

		event_base_loopexit(b->base, &tv);
		event_base_loop(b->base, EVLOOP_ONCE);
	}
	assert_true(turns < 50);
	bench_expect(b, second, "");
	bench_tell(first, "{\"v\":1,\"verb\":\"echo\",\"say\":3}\n");
	bench_expect_part(b, first, "3");
	/* One that leaves lets the next one in, at once. */
	close(first);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	bench_expect_part(b, second, "2");
	close(second);
}

static void
test_socket_file(void **state)
{
	struct bench *b = *state;
	struct control *other = NULL;
	struct errmsg m;
	struct stat sb;
	char want[160], path[300];
	FILE *f;

	assert_int_equal(stat(b->path, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);   /* the group does not exist */
	/* Somebody listens. */
	assert_int_equal(
	    control_new(b->base, b->path, "x", bench_verbs, b, &other, &m), ERR_EXISTS);
	snprintf(want, sizeof(want), "another jitsud listens on %s", b->path);
	assert_string_equal(m.text, want);
	bench_spin(b);
	/* A stale one is replaced: left by a process that was killed. */
	control_free(b->control);
	b->control = NULL;
	if (fork() == 0) {
		struct event_base *base = event_base_new();

		_exit(control_new(base, b->path, "x", bench_verbs, NULL, &other, &m) == ERR_OK ? 0 :
												 1);
	}
	assert_true(wait(NULL) > 0);
	assert_int_equal(access(b->path, F_OK), 0);
	assert_int_equal(control_new(b->base, b->path, getegid() == 0 ? "daemon" : "x", bench_verbs,
			     b, &b->control, &m),
	    ERR_OK);
	if (geteuid() == 0) {
		assert_int_equal(stat(b->path, &sb), 0);
		assert_int_equal(sb.st_mode & 07777, 0660);
		assert_int_equal(sb.st_gid, getgrnam("daemon")->gr_gid);
	}
	/* One that took our place is left alone when we go. */
	assert_int_equal(unlink(b->path), 0);
	assert_int_equal(control_new(b->base, b->path, "x", bench_verbs, b, &other, &m), ERR_OK);
	control_free(b->control);
	b->control = other;
	assert_int_equal(access(b->path, F_OK), 0);

	/* No socket, no directory, too long. */
	snprintf(path, sizeof(path), "%s/file", b->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(control_new(b->base, path, "x", bench_verbs, b, &other, &m), ERR_EXISTS);
	assert_non_null(strstr(m.text, "in the way"));
	assert_int_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/none/control", b->dir);
	assert_int_equal(control_new(b->base, path, "x", bench_verbs, b, &other, &m), ERR_IO);
	snprintf(path, sizeof(path), "%s/%0150d", b->dir, 1);
	assert_int_equal(control_new(b->base, path, "x", bench_verbs, b, &other, &m), ERR_RANGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_permission, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(
		    test_admins_connect, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_many_clients, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_places, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_idle_places, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(
		    test_descriptors_run_out, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_socket_file, control_setup, control_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
