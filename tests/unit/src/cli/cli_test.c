/*
 * cli_test: the verbs of `jitsu` against a real control socket with invented answers, and against
 * none.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/cli/cli.h"
#include "src/control/control.h"

struct bench {
	char dir[64], path[100];
	pid_t daemon;
	char out[8192], err[2048];
};

static struct control *control;

static void
fake_list(struct control_request *req, json_t *args, void *arg)
{
	(void)args;
	(void)arg;
	control_reply(req, json_pack("[{ssss}]", "name", "a.test", "state", "dormant"));
}

static void
fake_show(struct control_request *req, json_t *args, void *arg)
{
	char name[LIMIT_NAME_TEXT];

	(void)arg;
	if (!control_arg_name(req, args, true, name))
		return;
	if (strcmp(name, "www.example.test") == 0)
		control_reply(req, json_pack("{ssss}", "name", name, "state", "awake"));
	else
		control_fail(req, "no unit %s; did you mean www.example.test?", name);
}

static void
fake_status(struct control_request *req, json_t *args, void *arg)
{
	(void)args;
	(void)arg;
	control_reply(req, json_string("of another version"));
}

static void
fake_events(struct control_request *req, json_t *args, void *arg)
{
	const json_t *limit = json_object_get(args, "limit");
	json_t *ev = json_pack("{sfsssssIs{si}}", "time", 1.5, "unit", "a.test", "kind", "wake",
	    "limit", (json_int_t)(limit != NULL ? json_integer_value(limit) : 0), "durations_us",
	    "spawn", 900);

	(void)arg;
	if (!json_is_true(json_object_get(args, "follow"))) {
		control_reply(req, json_pack("[o]", ev));
		return;
	}
	assert_int_equal(control_follow(req, NULL), ERR_OK);
	control_event_push(control, "a.test", ev);
	json_decref(ev);
	control_reply(req, json_array());
}

static struct event_base *base;

static void
on_awake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	control_reply(arg, json_pack("{ssss}", "name", "late.test", "state", "awake"));
}

/* late.test says how it goes and is awake after a while, longer than PATIENCE_S; others at once. */
#define PATIENCE_S 4

static void
fake_wake(struct control_request *req, json_t *args, void *arg)
{
	static const struct timeval late = { PATIENCE_S + 1, 0 };
	const char *name = json_string_value(json_object_get(args, "name"));

	if (name == NULL || strcmp(name, "late.test") != 0) {
		fake_show(req, args, arg);
		return;
	}
	if (json_is_true(json_object_get(args, "progress"))) {
		assert_true(control_progress(req,
		    json_pack("{ssssss}", "unit", name, "kind", "waits", "text",
			"waits for a slot, number 3 (vms)")));
		/* What came before has not left yet: this is not sent. */
		assert_false(control_progress(
		    req, json_pack("{ssssss}", "unit", name, "kind", "waits", "text", "too soon")));
	}
	assert_int_equal(event_base_once(base, -1, EV_TIMEOUT, on_awake, req, &late), 0);
}

static void
fake_hang(struct control_request *req, json_t *args, void *arg)
{
	(void)req;   /* never answered: the process is killed */
	(void)args;
	(void)arg;
}

static void
serve(const char *path, int ready)
{
	static const struct control_verb verbs[] = { { "list", false, fake_list },
		{ "show", false, fake_show }, { "status", false, fake_status },
		{ "events", false, fake_events }, { "wake", true, fake_wake },
		{ "console", false, fake_hang }, { NULL, false, NULL } };
	struct errmsg m;

	base = event_base_new();
	if (base == NULL ||
	    control_new(base, path, "no-such-group", verbs, NULL, &control, &m) != ERR_OK ||
	    write(ready, "x", 1) != 1)
		_exit(1);
	event_base_dispatch(base);
	_exit(0);
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	int ready[2];
	char c;

	assert_non_null(b);
	snprintf(b->dir, sizeof(b->dir), "/tmp/cli_test.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/control", b->dir);
	assert_int_equal(pipe(ready), 0);
	b->daemon = fork();
	assert_true(b->daemon >= 0);
	if (b->daemon == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		serve(b->path, ready[1]);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	char cmd[128];

	assert_int_equal(kill(b->daemon, SIGKILL), 0);
	assert_int_equal(waitpid(b->daemon, NULL, 0), b->daemon);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", b->dir);
	assert_int_equal(system(cmd), 0);
	free(b);
	return 0;
}

static void
slurp(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used + 1 < size && (n = read(fd, buf + used, size - 1 - used)) > 0)
		used += (size_t)n;
	buf[used] = '\0';
}

/*
 * Runs cli.verb in a child, with its output in b->out and b->err (small enough for the pipes).
 * Followers are killed when they have printed.
 */
static int
run_verb(struct bench *b, struct cli cli)
{
	int out[2], err[2], status;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	if (cli.socket == NULL)
		cli.socket = b->path;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		status = cli.verb->run(&cli);
		if (cli_flush() != CLI_OK)
			status = 99;
		_exit(status);
	}
	close(out[1]);
	close(err[1]);
	if (cli.follow) {
		size_t used = 0;
		ssize_t n = 0;

		do {
			used += (size_t)n;
			n = read(out[0], b->out + used, sizeof(b->out) - 1 - used);
		} while (n > 0 && b->out[used + (size_t)n - 1] != '\n');
		b->out[used + (size_t)(n > 0 ? n : 0)] = '\0';
		kill(pid, SIGTERM);
	} else {
		slurp(out[0], b->out, sizeof(b->out));
	}
	slurp(err[0], b->err, sizeof(b->err));
	close(out[0]);
	close(err[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
run(struct bench *b, const char *verb, struct cli cli)
{
	cli.verb = cli_verb_find(verb);
	assert_non_null(cli.verb);
	return run_verb(b, cli);
}

static void
has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void
test_answers(void **state)
{
	struct bench *b = *state;

	assert_int_equal(run(b, "list", (struct cli){ .json = false }), 0);
	has(b->out, "NAME    STATE");
	has(b->out, "a.test  dormant");
	assert_string_equal(b->err, "");
	assert_int_equal(run(b, "list", (struct cli){ .json = true }), 0);
	has(b->out, "\"name\": \"a.test\"");
	assert_int_equal(run(b, "show", (struct cli){ .arg = "WWW.Example.Test." }), 0);
	has(b->out, "name        www.example.test\n");
	assert_int_equal(run(b, "wake", (struct cli){ .arg = "www.example.test" }), 0);
	assert_string_equal(b->out, "www.example.test is awake\n");
}

/* What a wake waits for is said beside the answer, which is what it would be without. */
static void
test_progress(void **state)
{
	struct bench *b = *state;

	assert_int_equal(run(b, "wake", (struct cli){ .arg = "late.test", .json = true }), 0);
	assert_string_equal(b->out, "{\n  \"name\": \"late.test\",\n  \"state\": \"awake\"\n}\n");
	assert_string_equal(b->err, "jitsu: late.test waits for a slot, number 3 (vms)\n");
}

/* A daemon that lives is waited for as long as it takes, one that does not is not. */
static void
test_patience(void **state)
{
	struct bench *b = *state;
	struct cli_verb verb = *cli_verb_find("wake");
	struct cli cli = { .verb = &verb, .arg = "late.test" };

	assert_true(verb.wait.asks);
	verb.wait.s = PATIENCE_S;
	assert_int_equal(run_verb(b, cli), 0);
	assert_string_equal(b->out, "late.test is awake\n");
	assert_string_equal(b->err, "jitsu: late.test waits for a slot, number 3 (vms)\n");
	verb.wait.s = 1;
	assert_int_equal(kill(b->daemon, SIGSTOP), 0);
	assert_int_equal(run_verb(b, cli), 1);
	assert_string_equal(b->out, "");
	has(b->err, "does not answer: no reply to wake within 1 s");
	assert_int_equal(kill(b->daemon, SIGCONT), 0);
}

static void
test_events(void **state)
{
	struct bench *b = *state;

	assert_int_equal(run(b, "events", (struct cli){ .count = 7, .json = true }), 0);
	has(b->out, "\"limit\": 7");
	assert_int_equal(run(b, "events", (struct cli){ .arg = "a.test" }), 0);
	has(b->out, "0.9 ms");
	assert_int_equal(run(b, "events", (struct cli){ .follow = true, .json = true }), -1);
	assert_int_equal(strncmp(b->out, "{\"time\":1.5,", 12), 0);
	assert_non_null(strchr(b->out, '\n'));
}

static void
test_failures(void **state)
{
	struct bench *b = *state;
	char path[300];

	assert_int_equal(run(b, "show", (struct cli){ .arg = "ww.example.test" }), 1);
	assert_string_equal(b->out, "");
	assert_string_equal(
	    b->err, "jitsu: no unit ww.example.test; did you mean www.example.test?\n");
	assert_int_equal(run(b, "show", (struct cli){ .arg = "two words" }), 1);
	has(b->err, "is no unit's name");
	assert_int_equal(run(b, "status", (struct cli){ .json = false }), 1);
	has(b->err, "is not understood");
	/* the fake has no such verb */
	assert_int_equal(run(b, "sleep", (struct cli){ .arg = "x" }), 1);
	has(b->err, "unknown verb \"sleep\"");

	snprintf(path, sizeof(path), "%s/none", b->dir);
	assert_int_equal(run(b, "list", (struct cli){ .socket = path }), 1);
	has(b->err, "no jitsud listens on ");
	has(b->err, path);
	has(b->err, "jitsud -f");
	snprintf(path, sizeof(path), "%s/%0120d", b->dir, 0);
	assert_int_equal(run(b, "list", (struct cli){ .socket = path }), 1);
	has(b->err, "at most 107 characters");
}

static void
test_permission(void **state)
{
	struct bench *b = *state;

	if (geteuid() != 0) {
		print_message("needs root to lose it\n");
		skip();
	}
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(run(b, "list", (struct cli){ .json = false }), 1);
	assert_int_equal(seteuid(0), 0);
	has(b->err, "permission denied");
	has(b->err, "join the group jitsu-admin");
}

/* Where a daemon of another kind listens; its path in *sun. */
static int
listen_other(struct bench *b, struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(sun->sun_path, sizeof(sun->sun_path), "%s/other", b->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)sun, sizeof(*sun)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* It says one line and closes. */
static int
run_against(struct bench *b, const char *answer)
{
	struct sockaddr_un sun;
	int fd = listen_other(b, &sun), status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		char buf[512];
		int peer = accept(fd, NULL, NULL);

		_exit(read(peer, buf, sizeof(buf)) > 0 && write(peer, answer, strlen(answer)) >= 0 ?
			0 :
			1);
	}
	/* one request, where list makes two */
	status = run(b, "events", (struct cli){ .socket = sun.sun_path });
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	assert_int_equal(unlink(sun.sun_path), 0);
	return status;
}

static void
test_strangers(void **state)
{
	struct bench *b = *state;

	assert_int_equal(run_against(b, "{\"v\":2,\"ok\":true,\"data\":[]}\n"), 1);
	has(b->err,
	    "protocol version 2; version 1 is spoken here; use the jitsu that came with that "
	    "jitsud");
	assert_int_equal(run_against(b, "220 mail\n"), 1);
	has(b->err, "is no JSON");
	assert_int_equal(run_against(b, ""), 1);
	has(b->err, "closed the connection without an answer");
	/* the last newline is not missed */
	assert_int_equal(run_against(b, "{\"v\":1,\"ok\":true,\"data\":[]}"), 0);
}

/* A person may stop it (^Z) while it waits, and let it go on. */
static void
test_stopped(void **state)
{
	static const char answer[] = "{\"v\":1,\"ok\":true,\"data\":[]}\n";
	struct bench *b = *state;
	struct sockaddr_un sun;
	int fd = listen_other(b, &sun), peer, status;
	struct cli cli = { .socket = sun.sun_path, .verb = cli_verbs };
	char buf[512];
	pid_t pid;

	while (strcmp(cli.verb->name, "events") != 0)
		cli.verb++;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		_exit(cli.verb->run(&cli));
	}
	peer = accept(fd, NULL, NULL);
	assert_true(read(peer, buf, sizeof(buf)) > 0);
	/* Often, as the first time may be before it waits. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(kill(pid, SIGSTOP), 0);
		assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
		assert_true(WIFSTOPPED(status));
		assert_int_equal(kill(pid, SIGCONT), 0);
		assert_int_equal(waitpid(pid, &status, WCONTINUED), pid);
		assert_true(WIFCONTINUED(status));
		(void)poll(NULL, 0, 1);   /* so that it goes on to wait */
	}
	assert_int_equal(write(peer, answer, sizeof(answer) - 1), sizeof(answer) - 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(peer);
	close(fd);
	assert_int_equal(unlink(sun.sun_path), 0);
}

/* A full disk under the output is a failure. */
static void
test_output_full(void **state)
{
	struct bench *b = *state;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct cli cli = { .socket = b->path, .verb = cli_verbs };
		int fd = open("/dev/full", O_WRONLY), null = open("/dev/null", O_WRONLY);

		dup2(fd, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		_exit(cli.verb->run(&cli) == 0 && cli_flush() == CLI_FAILED ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The table itself: what help and the parser rely on. */
static void
test_table(void **state)
{
	static const char *const names[] = { "NAME", "FILE", "ZONE", "ADDRESS", "VERB" };

	(void)state;
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
		bool named = false;

		assert_non_null(v->run);
		assert_true(v->least <= v->most);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			named = named || strstr(v->args, names[i]) != NULL;
		assert_int_equal(v->most > 0, named);
		assert_true(strlen(v->brief) > 10 && strlen(v->brief) < 80);
		for (const char *o = v->options; *o != '\0'; o++) {
			char option[3] = { '-', *o, '\0' };

			if (*o != ':')
				has(v->help, option);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_progress, setup, teardown),
		cmocka_unit_test_setup_teardown(test_patience, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_permission, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output_full, setup, teardown),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
