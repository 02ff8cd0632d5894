/* fixture: the socket, its verbs and its clients. */
#include "tests/unit/src/control/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

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

const struct control_verb bench_verbs[] = {
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

int
control_setup(void **state)
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
	    control_new(b->base, b->path, "no-such-group-here", bench_verbs, b, &b->control, &m),
	    ERR_OK);
	*state = b;
	return 0;
}

int
control_teardown(void **state)
{
	struct bench *b = *state;
	char cmd[128];

	control_free(b->control);
	for (unsigned i = 0; i < b->nlater; i++) {
		assert_null(b->later[i]->client);
		control_reply(b->later[i], json_null());
	}
	event_base_free(b->base);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", b->dir);
	assert_int_equal(system(cmd), 0);
	free(b);
	return 0;
}

int
bench_dial(const struct bench *b)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", b->path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		fail_msg("connect: %s", strerror(errno));
	return fd;
}

/* Lets the loop do what there is to do. */
void
bench_spin(struct bench *b)
{
	for (int i = 0; i < 10; i++)
		event_base_loop(b->base, EVLOOP_NONBLOCK);
}

void
bench_tell(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/*
 * Reads what has come, with the loop running beside it; "" when nothing, "EOF" appended when it was
 * closed.
 */
const char *
bench_hear(struct bench *b, int fd)
{
	static char text[1 << 20];
	size_t used = 0;
	ssize_t n;

	for (int quiet = 0; quiet < 3;) {
		bench_spin(b);
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

void
bench_expect(struct bench *b, int fd, const char *want)
{
	assert_string_equal(bench_hear(b, fd), want);
}

void
bench_expect_part(struct bench *b, int fd, const char *part)
{
	const char *got = bench_hear(b, fd);

	if (strstr(got, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, got);
}
