/* qmp_test: a client against scripted QEMUs, polite, slow and mad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "vm/qemu/qmp.h"

#define PATIENCE_NS (30 * NS_PER_S)
#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"

static enum err
feed(struct qmp *q, const char *text, struct errmsg *m)
{
	return qmp_feed(q, text, strlen(text), m);
}

static void
test_fragments(void **state)
{
	static const char all[] = GREETING "{\"return\": {}, \"id\": 1}\n{\"event\": \"STOP\", "
	    "\"timestamp\": {}}\n"
	    "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": "
	    "\"guest-reset\"}}\n{\"event\": \"OTHER\"}\n";
	struct errmsg m;
	struct qmp q;

	(void)state;
	for (size_t step = 1; step < sizeof(all); step++) {
		qmp_init(&q);
		q.state = QMP_GREETING;
		q.id = 1;
		for (size_t at = 0; at < sizeof(all) - 1; at += step) {
			size_t n = sizeof(all) - 1 - at < step ? sizeof(all) - 1 - at : step;

			assert_int_equal(qmp_feed(&q, all + at, n, &m), ERR_OK);
		}
		assert_int_equal(q.state, QMP_CAPS);
		assert_non_null(q.reply);
		assert_true(q.saw_stop && q.saw_shutdown && !q.saw_panic && !q.saw_resume);
		assert_string_equal(q.reason, "guest-reset");
		qmp_clear(&q);
	}
}

static void
test_nonsense(void **state)
{
	static const char *const bad[] = { "hello\n", "[]\n", "{}\n", "{\"QMP\": {}}\n",
	    "{\"return\": {}}\n", "{\"return\": {}, \"id\": 2}\n",
		"{\"return\": {}, \"id\": 0}\n", "{\"return\": {}, \"id\": \"1\"}\n",
		"{\"event\": 7}\n", "{\"error\": 1, \"id\": 1}\n",
		"{\"return\": {}, \"id\": 1}\n{\"return\": {}, \"id\": 1}\n", "\x80\xff\n",
		    "{\"event\": \"a\\u0000b\"}\n", "{\"event\"\n" };
	struct errmsg m;
	struct qmp q;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		qmp_init(&q);
		q.state = QMP_READY;
		q.id = 1;
		if (feed(&q, bad[i], &m) != ERR_PROTO)
			fail_msg("accepted: %s", bad[i]);
		assert_non_null(strstr(m.text, "nonsense"));
		qmp_clear(&q);
	}
	qmp_init(&q);
	q.state = QMP_GREETING;
	/* an event may come in front of the greeting, a reply not */
	assert_int_equal(feed(&q, "{\"event\": \"STOP\"}\n", &m), ERR_OK);
	assert_true(q.saw_stop);
	assert_int_equal(feed(&q, "{\"return\": {}, \"id\": 1}\n", &m), ERR_PROTO);
	qmp_clear(&q);
}

static void
test_huge(void **state)
{
	char *big = malloc(LIMIT_QMP_LINE + 2);
	struct errmsg m;
	struct qmp q;

	(void)state;
	assert_non_null(big);
	/* A line without an end. */
	qmp_init(&q);
	q.state = QMP_READY;
	memset(big, ' ', LIMIT_QMP_LINE + 2);
	assert_int_equal(qmp_feed(&q, big, LIMIT_QMP_LINE, &m), ERR_OK);
	assert_int_equal(qmp_feed(&q, big, 1, &m), ERR_PROTO);
	assert_non_null(strstr(m.text, "line of more than"));
	qmp_clear(&q);
	/* Deep nesting is refused before the stack ends. */
	qmp_init(&q);
	q.state = QMP_READY;
	memset(big, '[', LIMIT_QMP_LINE);
	big[LIMIT_QMP_LINE - 1] = '\n';
	assert_int_equal(qmp_feed(&q, big, LIMIT_QMP_LINE, &m), ERR_PROTO);
	qmp_clear(&q);
	/* Too many events. */
	qmp_init(&q);
	q.state = QMP_READY;
	enum err e = ERR_OK;
	int n;
	for (n = 0; n < LIMIT_QMP_EVENTS + 1 && e == ERR_OK; n++)
		e = feed(&q, "{\"event\": \"BLOCK_IO_ERROR\"}\n", &m);
	assert_int_equal(e, ERR_PROTO);
	assert_int_equal(n, LIMIT_QMP_EVENTS + 1);
	qmp_clear(&q);
	free(big);
}

/* ---- a scripted QEMU at the other end of a socket pair ---- */

struct script {
	int fd;
	const char *lines[8];      /* each is sent after a command came; the first at once */
	char got[8][256];
	bool hang_up;
	int received_fd;
};

static void *
play(void *arg)
{
	struct script *s = arg;

	s->received_fd = -1;
	for (int i = 0; s->lines[i] != NULL; i++) {
		char control[64];
		struct iovec iov = { .iov_base = i > 0 ? s->got[i - 1] : NULL,
		    .iov_len = sizeof(s->got[0]) - 1 };
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		    .msg_controllen = sizeof(control) };

		if (i > 0) {
			if (recvmsg(s->fd, &mh, 0) <= 0)
				break;
			if (CMSG_FIRSTHDR(&mh) != NULL)
				memcpy(&s->received_fd, CMSG_DATA(CMSG_FIRSTHDR(&mh)), sizeof(int));
			/* The end of the line may come by itself. */
			while (strchr(s->got[i - 1], '\n') == NULL) {
				size_t n = strlen(s->got[i - 1]);

				if (recv(s->fd, s->got[i - 1] + n, sizeof(s->got[0]) - 1 - n,
				    0) <= 0)
					return NULL;
			}
		}
		if (send(s->fd, s->lines[i], strlen(s->lines[i]), MSG_NOSIGNAL) < 0)
			break;
	}
	if (s->hang_up)
		shutdown(s->fd, SHUT_RDWR);
	return NULL;
}

static void
converse(struct script *s, struct qmp *q, pthread_t *thread)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	qmp_init(q);
	q->fd = pair[0];
	q->state = QMP_GREETING;
	s->fd = pair[1];
	assert_int_equal(pthread_create(thread, NULL, play, s), 0);
}

static void
end(struct script *s, struct qmp *q, pthread_t thread)
{
	qmp_clear(q);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(s->fd);
	if (s->received_fd >= 0)
		close(s->received_fd);
}

static void
test_command(void **state)
{
	struct script s = { .lines = { GREETING, "{\"return\": {}, \"id\": 1}\n",
		"{\"event\": \"RESUME\"}\n{\"return\": {\"status\": \"running\"}, \"id\": 2}\n",
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such fd\"}, \"id\": 3}\n"
		    } };
	json_t *ret = NULL;
	pthread_t thread;
	struct errmsg m;
	struct qmp q;
	uint64_t deadline = clock_now_ns() + PATIENCE_NS;

	(void)state;
	converse(&s, &q, &thread);
	assert_int_equal(qmp_command(&q, "query-status", NULL, -1, deadline, &ret, &m), ERR_OK);
	assert_string_equal(json_string_value(json_object_get(ret, "status")), "running");
	json_decref(ret);
	assert_true(q.saw_resume);
	assert_int_equal(q.state, QMP_READY);
	assert_int_equal(qmp_command(&q, "getfd", json_pack("{s:s}", "fdname", "x"), STDERR_FILENO,
	    deadline, NULL, &m), ERR_STATE);
	assert_non_null(strstr(m.text, "refuses getfd: no such fd"));
	end(&s, &q, thread);
	assert_non_null(strstr(s.got[0], "\"execute\":\"qmp_capabilities\""));
	assert_non_null(strstr(s.got[2], "\"fdname\":\"x\""));
	assert_true(s.received_fd >= 0);
}

static void
test_silence(void **state)
{
	struct script mute = { .lines = { "" } }, gone = { .lines = { GREETING }, .hang_up = true },
	    mad = { .lines = { GREETING, "what?\n" } },
		late = { .lines = { GREETING, "{\"return\": {}, \"id\": 1}\n",
		    "{\"return\": 0, \"id\": 2}\n", "{\"event\": \"X\"}\n",
		    "{\"return\": 1, \"id\": 3}\n{\"return\": 2, \"id\": 4}\n" } };
	json_t *ret = NULL;
	pthread_t thread;
	struct errmsg m;
	struct qmp q;
	uint64_t t0;

	(void)state;
	converse(&mute, &q, &thread);
	t0 = clock_now_ns();
	assert_int_equal(qmp_command(&q, "stop", NULL, -1, t0 + 100 * NS_PER_MS, NULL, &m),
	    ERR_TIMEOUT);
	assert_true(clock_now_ns() - t0 >= 100 * NS_PER_MS);
	end(&mute, &q, thread);

	converse(&gone, &q, &thread);
	assert_int_equal(qmp_command(&q, "stop", NULL, -1, clock_now_ns() + PATIENCE_NS, NULL, &m),
	    ERR_MISSING);
	end(&gone, &q, thread);

	converse(&mad, &q, &thread);
	assert_int_equal(qmp_command(&q, "stop", NULL, -1, clock_now_ns() + PATIENCE_NS, NULL, &m),
	    ERR_PROTO);
	end(&mad, &q, thread);

	/* The reply to a command that was given up is not taken for the next one's. */
	converse(&late, &q, &thread);
	assert_int_equal(qmp_command(&q, "zero", NULL, -1, clock_now_ns() + PATIENCE_NS, NULL, &m),
	    ERR_OK);
	assert_int_equal(qmp_command(&q, "one", NULL, -1, clock_now_ns() + 100 * NS_PER_MS, NULL,
	    &m), ERR_TIMEOUT);
	assert_int_equal(qmp_command(&q, "two", NULL, -1, clock_now_ns() + PATIENCE_NS, &ret, &m),
	    ERR_OK);
	assert_int_equal(json_integer_value(ret), 2);
	json_decref(ret);
	end(&late, &q, thread);

	qmp_init(&q);
	assert_int_equal(qmp_command(&q, "stop", json_object(), -1, 0, NULL, &m), ERR_STATE);
	assert_int_equal(qmp_pump(&q, &m), ERR_STATE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fragments),
	    cmocka_unit_test(test_nonsense), cmocka_unit_test(test_huge),
		cmocka_unit_test(test_command), cmocka_unit_test(test_silence) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
