/* control_test: the control socket: protocol, order, permission, followers, descriptors, files. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "src/control/control.h"
#include "src/control/proto.h"
#include "base/suggest.h"

struct bench {
	char dir[64], path[100];
	struct event_base *base;
	struct control *control;
	struct control_request *later[200];   /* handed over, not answered */
	unsigned nlater, calls;
	char name[LIMIT_NAME_TEXT];
};

static void
verb_echo(struct control_request *req, json_t *args, void *arg)
{
	struct bench *b = arg;

	b->calls++;
	control_reply(req, json_incref(json_object_get(args, "say")));
}

static void
verb_later(struct control_request *req, json_t *args, void *arg)
{
	struct bench *b = arg;

	(void)args;
	assert_true(b->nlater < 200);
	b->later[b->nlater++] = req;
}

static void
verb_fail(struct control_request *req, json_t *args, void *arg)
{
	(void)args;
	(void)arg;
	control_fail(req, "no %s\nand a \033 line", "luck");
}

static void
verb_name(struct control_request *req, json_t *args, void *arg)
{
	struct bench *b = arg;

	if (control_arg_name(req, args, true, b->name))
		control_reply(req, json_string(b->name));
}

static void
verb_big(struct control_request *req, json_t *args, void *arg)
{
	json_t *a = json_array();

	(void)args;
	(void)arg;
	for (int i = 0; i < 20000; i++)
		json_array_append_new(a, json_string("a line of a long answer"));
	control_reply(req, a);
}

static void
verb_events(struct control_request *req, json_t *args, void *arg)
{
	struct bench *b = arg;
	const char *unit = json_string_value(json_object_get(args, "name"));

	assert_int_equal(control_follow(req, unit), ERR_OK);
	if (json_is_true(json_object_get(args, "later")))
		b->later[b->nlater++] = req;
	else
		control_reply(req, json_array());
}

static void
verb_null(struct control_request *req, json_t *args, void *arg)
{
	(void)args;
	(void)arg;
	control_reply(req, json_string("\xff\xfe"));
}

static const struct control_verb verbs[] = {
	{ "echo", false, verb_echo },
	{ "later", false, verb_later },
	{ "fail", false, verb_fail },
	{ "name", false, verb_name },
	{ "big", false, verb_big },
	{ "events", false, verb_events },
	{ "null", false, verb_null },
	{ "wake", true, verb_echo },
	{ NULL, false, NULL },
};

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct errmsg m;

	assert_non_null(b);
	snprintf(b->dir, sizeof(b->dir), "/tmp/control_test.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(chmod(b->dir, 0755), 0);
	snprintf(b->path, sizeof(b->path), "%s/control", b->dir);
	b->base = event_base_new();
	assert_non_null(b->base);
	assert_int_equal(
	    control_new(b->base, b->path, "no-such-group-here", verbs, b, &b->control, &m), ERR_OK);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	char cmd[128];

	control_free(b->control);
	for (unsigned i = 0; i < b->nlater; i++) {
		assert_true(control_request_gone(b->later[i]));
		control_reply(b->later[i], json_null());
	}
	event_base_free(b->base);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", b->dir);
	assert_int_equal(system(cmd), 0);
	free(b);
	return 0;
}

static int
dial(const struct bench *b)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", b->path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		fail_msg("connect: %s", strerror(errno));
	return fd;
}

/* Lets the loop do what there is to do. */
static void
spin(struct bench *b)
{
	for (int i = 0; i < 10; i++)
		event_base_loop(b->base, EVLOOP_NONBLOCK);
}

static void
tell(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/*
 * Reads what has come, with the loop running beside it; "" when nothing, "EOF" appended when it was
 * closed.
 */
static const char *
hear(struct bench *b, int fd)
{
	static char text[1 << 20];
	size_t used = 0;
	ssize_t n;

	for (int quiet = 0; quiet < 3;) {
		spin(b);
		n = recv(fd, text + used, sizeof(text) - used - 8, MSG_DONTWAIT);
		if (n > 0) {
			used += (size_t)n;
			quiet = 0;
			continue;
		}
		if (n == 0 || errno == ECONNRESET) {
			memcpy(text + used, "EOF", 3);
			used += 3;
			break;
		}
		quiet++;
	}
	text[used] = '\0';
	return text;
}

static void
expect(struct bench *b, int fd, const char *want)
{
	assert_string_equal(hear(b, fd), want);
}

static void
expect_part(struct bench *b, int fd, const char *part)
{
	const char *got = hear(b, fd);

	if (strstr(got, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, got);
}

static void
test_requests(void **state)
{
	struct bench *b = *state;
	int fd = dial(b);

	tell(fd, "{\"v\":1,\"verb\":\"echo\",\"say\":[1,\"x\"]}\n");
	expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":[1,\"x\"]}\n");
	tell(fd, "{\"v\":1,\"verb\":\"fail\"}\r\n");
	expect(b, fd, "{\"v\":1,\"ok\":false,\"error\":\"no luck\\nand a ? line\"}\n");
	tell(fd, "{\"v\":1,\"verb\":\"echo\"}\n");   /* no data: said, not crashed */
	expect_part(b, fd, "could not be made");
	tell(fd, "{\"v\":1,\"verb\":\"null\"}\n");
	expect_part(b, fd, "could not be made");
	/* In pieces. */
	tell(fd, "{\"v\":1,\"verb\":\"ec");
	expect(b, fd, "");
	tell(fd, "ho\",\"say\":2}");
	expect(b, fd, "");
	tell(fd, "\n");
	expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":2}\n");
	close(fd);
}

static void
test_bad_requests(void **state)
{
	static const struct {
		const char *line, *part;
	} rows[] = {
		{ "hello\n", "no JSON" },
		{ "\n", "no JSON" },
		{ "[1]\n", "must be a JSON object" },
		{ "{\"verb\":\"echo\"}\n", "\\\"v\\\": 1 is missing" },
		{ "{\"v\":2,\"verb\":\"echo\"}\n", "protocol version 2; version 1 is spoken here" },
		{ "{\"v\":\"1\",\"verb\":\"echo\"}\n", "must be the number 1" },
		{ "{\"v\":1}\n", "no \\\"verb\\\"" },
		{ "{\"v\":1,\"verb\":7}\n", "no \\\"verb\\\"" },
		{ "{\"v\":1,\"verb\":\"ecco\"}\n",
		    "unknown verb \\\"ecco\\\"; did you mean echo? accepted: echo, later" },
		{ "{\"v\":1,\"verb\":\"xyzzy\"}\n", "unknown verb \\\"xyzzy\\\"; accepted: echo" },
		{ "{\"v\":1,\"v\":1,\"verb\":\"echo\"}\n", "no JSON" },
		{ "{\"v\":1,\"verb\":\"echo\"} x\n", "no JSON" },
		{ "{\"v\":1,\"verb\":\"name\"}\n", "has no \\\"name\\\"" },
		{ "{\"v\":1,\"verb\":\"name\",\"name\":[]}\n", "must be a string" },
		{ "{\"v\":1,\"verb\":\"name\",\"name\":\"a b\"}\n", "is no unit's name" },
		{ "{\"v\":1,\"verb\":\"name\",\"name\":\"\"}\n", "name is missing" },
	};
	struct bench *b = *state;
	int fd = dial(b);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tell(fd, rows[i].line);
		expect_part(b, fd, rows[i].part);
	}
	assert_int_equal(b->calls, 0);
	tell(fd, "{\"v\":1,\"verb\":\"name\",\"name\":\"WWW.Example.test.\"}\n");
	expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":\"www.example.test\"}\n");
	close(fd);
}

static void
test_too_long(void **state)
{
	struct bench *b = *state;
	char text[LIMIT_CONTROL_REQUEST + 200];
	int fd = dial(b);

	memset(text, ' ', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	tell(fd, text);
	expect_part(b, fd, "longer than 4096 bytes\"}\nEOF");
	close(fd);
	/* One byte less than too long, with its newline. */
	fd = dial(b);
	memset(text, ' ', sizeof(text));
	memcpy(text, "{\"v\":1,\"verb\":\"echo\",\"say\":3}", 29);
	text[LIMIT_CONTROL_REQUEST - 1] = '\n';
	text[LIMIT_CONTROL_REQUEST] = '\0';
	tell(fd, text);
	expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":3}\n");
	close(fd);
}

static void
test_pipelined(void **state)
{
	struct bench *b = *state;
	int fd = dial(b);

	tell(fd,
	    "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n{\"v\":1,\"verb\":\"later\"}\n{\"v\":1,"
	    "\"verb\":\"echo\",\"say\":3}\n");
	expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":1}\n");
	assert_int_equal(b->nlater, 1);
	assert_int_equal(b->calls, 1);   /* the third waits for the second */
	b->nlater = 0;
	control_reply(b->later[0], json_integer(2));
	expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":2}\n{\"v\":1,\"ok\":true,\"data\":3}\n");
	close(fd);
}

static void
test_client_leaves(void **state)
{
	struct bench *b = *state;
	struct control_stats st;
	int fd = dial(b);

	tell(fd, "{\"v\":1,\"verb\":\"later\"}\n");
	spin(b);
	assert_int_equal(b->nlater, 1);
	assert_false(control_request_gone(b->later[0]));
	close(fd);
	spin(b);
	assert_true(control_request_gone(b->later[0]));
	b->nlater = 0;
	control_reply(b->later[0], json_true());
	control_stats_get(b->control, &st);
	assert_int_equal(st.clients, 0);

	/*
	 * Half closed, as `printf ... | nc -U` does: still answered, the last line without its
	 * newline too.
	 */
	fd = dial(b);
	tell(fd, "{\"v\":1,\"verb\":\"later\"}\n{\"v\":1,\"verb\":\"echo\",\"say\":4}");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	spin(b);
	assert_false(control_request_gone(b->later[0]));
	b->nlater = 0;
	control_fail(b->later[0], "x");
	expect(
	    b, fd, "{\"v\":1,\"ok\":false,\"error\":\"x\"}\n{\"v\":1,\"ok\":true,\"data\":4}\nEOF");
	close(fd);
	control_stats_get(b->control, &st);
	assert_int_equal(st.clients, 0);
}

static void
test_free_with_requests(void **state)
{
	struct bench *b = *state;
	int fd = dial(b);

	tell(fd, "{\"v\":1,\"verb\":\"later\"}\n");
	spin(b);
	assert_int_equal(b->nlater, 1);
	control_free(b->control);
	b->control = NULL;
	assert_int_equal(access(b->path, F_OK), -1);
	expect(b, fd, "EOF");
	close(fd);
}

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
		fd = dial(b);
		tell(fd, request);
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
	int fd = dial(b);

	tell(fd, wake);
	expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":1}\n");   /* our own user */
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
push(struct bench *b, const char *unit, int i)
{
	json_t *event = json_pack("{si}", "i", i);

	control_event_push(b->control, unit, event);
	json_decref(event);
}

static void
test_followers(void **state)
{
	struct bench *b = *state;
	struct control_stats st;
	int all = dial(b), one = dial(b), slow = dial(b);

	assert_false(control_has_followers(b->control));
	push(b, "a", 0);
	tell(all, "{\"v\":1,\"verb\":\"events\"}\n");
	tell(one, "{\"v\":1,\"verb\":\"events\",\"name\":\"a\"}\n");
	expect(b, all, "{\"v\":1,\"ok\":true,\"data\":[]}\n");
	expect(b, one, "{\"v\":1,\"ok\":true,\"data\":[]}\n");
	assert_true(control_has_followers(b->control));
	push(b, "a", 1);
	push(b, "b", 2);
	push(b, NULL, 3);
	tell(one, "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");   /* not read any more */
	expect(b, all,
	    "{\"v\":1,\"event\":{\"i\":1}}\n{\"v\":1,\"event\":{\"i\":2}}\n{\"v\":1,\"event\":{"
	    "\"i\":3}}\n");
	expect(b, one, "{\"v\":1,\"event\":{\"i\":1}}\n");

	/* What happens before the answer comes behind it. */
	tell(slow, "{\"v\":1,\"verb\":\"events\",\"later\":true}\n");
	spin(b);
	push(b, "a", 4);
	expect(b, slow, "");
	b->nlater = 0;
	control_reply(b->later[0], json_string("history"));
	expect(
	    b, slow, "{\"v\":1,\"ok\":true,\"data\":\"history\"}\n{\"v\":1,\"event\":{\"i\":4}}\n");

	close(one);
	spin(b);
	control_stats_get(b->control, &st);
	assert_int_equal(st.followers, 2);
	/* Who does not read goes; the others stay. */
	for (int i = 0; i < 40000; i++) {
		push(b, "b", i);
		if (i % 500 == 0)
			(void)hear(b, all);
	}
	spin(b);
	control_stats_get(b->control, &st);
	assert_int_equal(st.followers, 1);
	(void)hear(b, all);
	push(b, "b", 7);
	expect(b, all, "{\"v\":1,\"event\":{\"i\":7}}\n");
	close(all);
	close(slow);
}

/* A client that does not read gets no second answer made. */
static void
test_slow_reader(void **state)
{
	struct bench *b = *state;
	int fd = dial(b);
	size_t total = 0;
	const char *got;

	tell(fd, "{\"v\":1,\"verb\":\"big\"}\n{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	for (int i = 0; i < 100; i++)
		spin(b);
	assert_int_equal(b->calls, 0);
	do {
		got = hear(b, fd);
		total += strlen(got);
	} while (b->calls == 0 && got[0] != '\0');
	assert_true(total > 500000);
	assert_int_equal(b->calls, 1);
	close(fd);
}

static void
test_many_clients(void **state)
{
	struct bench *b = *state;
	int fds[LIMIT_CONTROL_CLIENTS], fd;
	struct control_stats st;

	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
		fds[i] = dial(b);
		spin(b);
	}
	control_stats_get(b->control, &st);
	assert_int_equal(st.clients, LIMIT_CONTROL_CLIENTS);
	/* The one that has been idle longest makes room. */
	tell(fds[0], "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	expect_part(b, fds[0], "true");
	fd = dial(b);
	tell(fd, "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":1}\n");
	expect(b, fds[1], "EOF");
	expect(b, fds[0], "");
	close(fds[1]);
	fds[1] = fd;
	/* When all wait for answers, the next one is told. */
	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
		tell(fds[i], "{\"v\":1,\"verb\":\"later\"}\n");
	for (int i = 0; i < 20; i++)
		spin(b);
	assert_int_equal(b->nlater, LIMIT_CONTROL_CLIENTS);
	fd = dial(b);
	expect_part(b, fd, "too many clients");
	close(fd);
	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
		close(fds[i]);
	spin(b);
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
	fd = dial(b);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	spin(b);
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
		spin(b);
		good += strstr(hear(b, fds[i]), "\"ok\":true") != NULL;
	}
	return good;
}

static void
served(struct bench *b, uid_t uid)
{
	int fd = dial_as(b, uid);

	tell(fd, "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":1}\n");
	close(fd);
	spin(b);
}

/* Nobody takes the places of those above, or of all others. */
static void
test_places(void **state)
{
	static int fds[6 * LIMIT_CONTROL_CLIENTS];
	const uid_t admins[] = { 4711, 4712, 4713 };
	struct bench *b = *state;
	struct control_stats st;
	unsigned n = 0;
	int fd;

	if (geteuid() != 0)
		skip();
	control_set_admins(b->control, admins, 3);
	assert_int_equal(chmod(b->path, 0666), 0);   /* readers, without a group of theirs */
	/* A reader has its bound, and the next one is told; others find places. */
	assert_int_equal(followers(b, 5001, LIMIT_CONTROL_CLIENTS, fds), LIMIT_CONTROL_USER);
	fd = dial_as(b, 5001);
	expect_part(b, fd, "you have too many connections here");
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
	expect_part(b, fd, "too many clients are waiting");
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
	expect_part(b, fd, "too many clients are waiting");
	close(fd);
	served(b, 0);
	/* Places come back. */
	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] > 0)
			close(fds[i]);
	spin(b);
	control_stats_get(b->control, &st);
	assert_int_equal(st.clients, 0);
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
	expect(b, fds[0], "");
	more = dial_as(b, 5001);
	expect(b, fds[0], "EOF");
	served(b, 5009);
	expect(b, fds[1], "EOF");
	close(more);
	expect(b, fds[63], "");
	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
		close(fds[i]);
}

static void
test_descriptors_run_out(void **state)
{
	struct bench *b = *state;
	struct rlimit before, rl;
	int first = dial(b), second, top;
	unsigned turns = 0;
	uint64_t end;

	tell(first, "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n");
	expect_part(b, first, "true");
	second = dial(b);
	top = dup(0);
	close(top);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	rl = before;
	rl.rlim_cur = (rlim_t)top;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
	tell(second, "{\"v\":1,\"verb\":\"echo\",\"say\":2}\n");
	/* Accepting pauses instead of spinning, and those inside are served. */
	for (end = clock_now_ms() + 300; clock_now_ms() < end; turns++) {
		struct timeval tv = { 0, 50000 };

		event_base_loopexit(b->base, &tv);
		event_base_loop(b->base, EVLOOP_ONCE);
	}
	assert_true(turns < 50);
	expect(b, second, "");
	tell(first, "{\"v\":1,\"verb\":\"echo\",\"say\":3}\n");
	expect_part(b, first, "3");
	/* One that leaves lets the next one in, at once. */
	close(first);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect_part(b, second, "2");
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
	assert_int_equal(control_new(b->base, b->path, "x", verbs, b, &other, &m), ERR_EXISTS);
	snprintf(want, sizeof(want), "another jitsud listens on %s", b->path);
	assert_string_equal(m.text, want);
	spin(b);
	/* A stale one is replaced: left by a process that was killed. */
	control_free(b->control);
	b->control = NULL;
	if (fork() == 0) {
		struct event_base *base = event_base_new();

		_exit(control_new(base, b->path, "x", verbs, NULL, &other, &m) == ERR_OK ? 0 : 1);
	}
	assert_true(wait(NULL) > 0);
	assert_int_equal(access(b->path, F_OK), 0);
	assert_int_equal(control_new(b->base, b->path, getegid() == 0 ? "daemon" : "x", verbs, b,
			     &b->control, &m),
	    ERR_OK);
	if (geteuid() == 0) {
		assert_int_equal(stat(b->path, &sb), 0);
		assert_int_equal(sb.st_mode & 07777, 0660);
		assert_int_equal(sb.st_gid, getgrnam("daemon")->gr_gid);
	}
	/* One that took our place is left alone when we go. */
	assert_int_equal(unlink(b->path), 0);
	assert_int_equal(control_new(b->base, b->path, "x", verbs, b, &other, &m), ERR_OK);
	control_free(b->control);
	b->control = other;
	assert_int_equal(access(b->path, F_OK), 0);

	/* No socket, no directory, too long. */
	snprintf(path, sizeof(path), "%s/file", b->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(control_new(b->base, path, "x", verbs, b, &other, &m), ERR_EXISTS);
	assert_non_null(strstr(m.text, "in the way"));
	assert_int_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/none/control", b->dir);
	assert_int_equal(control_new(b->base, path, "x", verbs, b, &other, &m), ERR_IO);
	snprintf(path, sizeof(path), "%s/%0150d", b->dir, 1);
	assert_int_equal(control_new(b->base, path, "x", verbs, b, &other, &m), ERR_RANGE);
}

static void
test_responses(void **state)
{
	static const struct {
		const char *line;
		enum err want;
		bool is_event;
	} rows[] = {
		{ "{\"v\":1,\"ok\":true,\"data\":1}", ERR_OK, false },
		{ "{\"v\":1,\"ok\":true}", ERR_OK, false },
		{ "{\"v\":1,\"event\":{}}", ERR_OK, true },
		{ "{\"v\":1,\"ok\":false,\"error\":\"x\"}", ERR_STATE, false },
		{ "{\"v\":1,\"ok\":false,\"error\":\"x\",\"see\":1}", ERR_STATE, false },
		{ "{\"v\":1,\"ok\":false}", ERR_PROTO, false },
		{ "{\"v\":1}", ERR_PROTO, false },
		{ "{\"v\":9,\"ok\":true,\"data\":1}", ERR_UNSUPPORTED, false },
		{ "{\"ok\":true,\"data\":1}", ERR_UNSUPPORTED, false },
		{ "[]", ERR_PROTO, false },
		{ "220 mail.example ESMTP", ERR_PROTO, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *data;
		char *failure;
		bool is_event;
		struct errmsg m;

		assert_int_equal(control_response_parse(rows[i].line, strlen(rows[i].line), &data,
				     &is_event, &failure, &m),
		    rows[i].want);
		assert_int_equal(is_event, rows[i].is_event);
		assert_int_equal(data != NULL, rows[i].want == ERR_OK);
		assert_int_equal(failure != NULL, rows[i].want == ERR_STATE);
		json_decref(data);
		free(failure);
	}
}

static const char *
nearest(const char *wanted, const char *const *names)
{
	static struct suggest s;

	suggest_init(&s, wanted);
	for (; *names != NULL; names++)
		suggest_offer(&s, *names);
	return suggest_text(&s);
}

static void
test_suggest(void **state)
{
	static const char *const names[] = { "www.example.test", "blog.example.test",
		"mail.example.test", NULL };

	(void)state;
	assert_string_equal(nearest("ww.example.test", names), "; did you mean www.example.test?");
	assert_string_equal(
	    nearest("blgo.example.test", names), "; did you mean blog.example.test?");
	assert_string_equal(nearest("mail", names), "; did you mean mail.example.test?");
	assert_string_equal(
	    nearest("mail.exmaple.org", names), "; did you mean mail.example.test?");
	assert_string_equal(nearest("entirely.different.name", names), "");
	assert_string_equal(nearest("", names), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pipelined, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_with_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_permission, setup, teardown),
		cmocka_unit_test_setup_teardown(test_admins_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_followers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors_run_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket_file, setup, teardown),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_suggest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
