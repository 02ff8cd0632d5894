/* client_test: requests of clients, in order, and clients that leave. */
#include "tests/unit/src/control/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_requests(void **state)
{
	struct bench *b = *state;
	int fd = bench_dial(b);

	bench_tell(fd, "{\"v\":1,\"verb\":\"echo\",\"say\":[1,\"x\"]}\n");
	bench_expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":[1,\"x\"]}\n");
	bench_tell(fd, "{\"v\":1,\"verb\":\"fail\"}\r\n");
	bench_expect(b, fd, "{\"v\":1,\"ok\":false,\"error\":\"no luck\\nand a ? line\"}\n");
	bench_tell(fd, "{\"v\":1,\"verb\":\"echo\"}\n");   /* no data: said, not crashed */
	bench_expect_part(b, fd, "could not be made");
	bench_tell(fd, "{\"v\":1,\"verb\":\"null\"}\n");
	bench_expect_part(b, fd, "could not be made");
	/* In pieces. */
	bench_tell(fd, "{\"v\":1,\"verb\":\"ec");
	bench_expect(b, fd, "");
	bench_tell(fd, "ho\",\"say\":2}");
	bench_expect(b, fd, "");
	bench_tell(fd, "\n");
	bench_expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":2}\n");
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
	int fd = bench_dial(b);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_tell(fd, rows[i].line);
		bench_expect_part(b, fd, rows[i].part);
	}
	assert_int_equal(b->calls, 0);
	bench_tell(fd, "{\"v\":1,\"verb\":\"name\",\"name\":\"WWW.Example.test.\"}\n");
	bench_expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":\"www.example.test\"}\n");
	close(fd);
}

static void
test_too_long(void **state)
{
	struct bench *b = *state;
	char text[LIMIT_CONTROL_REQUEST + 200];
	int fd = bench_dial(b);

	memset(text, ' ', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	bench_tell(fd, text);
	bench_expect_part(b, fd, "longer than 4096 bytes\"}\nEOF");
	close(fd);
	/* One byte less than too long, with its newline. */
	fd = bench_dial(b);
	memset(text, ' ', sizeof(text));
	memcpy(text, "{\"v\":1,\"verb\":\"echo\",\"say\":3}", 29);
	text[LIMIT_CONTROL_REQUEST - 1] = '\n';
	text[LIMIT_CONTROL_REQUEST] = '\0';
	bench_tell(fd, text);
	bench_expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":3}\n");
	close(fd);
}

static void
test_pipelined(void **state)
{
	struct bench *b = *state;
	int fd = bench_dial(b);

	bench_tell(fd,
	    "{\"v\":1,\"verb\":\"echo\",\"say\":1}\n{\"v\":1,\"verb\":\"later\"}\n{\"v\":1,"
	    "\"verb\":\"echo\",\"say\":3}\n");
	bench_expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":1}\n");
	assert_int_equal(b->nlater, 1);
	assert_int_equal(b->calls, 1);   /* the third waits for the second */
	b->nlater = 0;
	control_reply(b->later[0], json_integer(2));
	bench_expect(b, fd, "{\"v\":1,\"ok\":true,\"data\":2}\n{\"v\":1,\"ok\":true,\"data\":3}\n");
	close(fd);
}

static void
test_client_leaves(void **state)
{
	struct bench *b = *state;
	int fd = bench_dial(b);

	bench_tell(fd, "{\"v\":1,\"verb\":\"later\"}\n");
	bench_spin(b);
	assert_int_equal(b->nlater, 1);
	assert_non_null(b->later[0]->client);
	close(fd);
	bench_spin(b);
	assert_null(b->later[0]->client);
	b->nlater = 0;
	control_reply(b->later[0], json_true());
	assert_int_equal(b->control->nclients, 0);

	/*
	 * Half closed, as `printf ... | nc -U` does: still answered, the last line without its
	 * newline too.
	 */
	fd = bench_dial(b);
	bench_tell(fd, "{\"v\":1,\"verb\":\"later\"}\n{\"v\":1,\"verb\":\"echo\",\"say\":4}");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	bench_spin(b);
	assert_non_null(b->later[0]->client);
	b->nlater = 0;
	control_fail(b->later[0], "x");
	bench_expect(
	    b, fd, "{\"v\":1,\"ok\":false,\"error\":\"x\"}\n{\"v\":1,\"ok\":true,\"data\":4}\nEOF");
	close(fd);
	assert_int_equal(b->control->nclients, 0);
}

static void
test_free_with_requests(void **state)
{
	struct bench *b = *state;
	int fd = bench_dial(b);

	bench_tell(fd, "{\"v\":1,\"verb\":\"later\"}\n");
	bench_spin(b);
	assert_int_equal(b->nlater, 1);
	control_free(b->control);
	b->control = NULL;
	assert_int_equal(access(b->path, F_OK), -1);
	bench_expect(b, fd, "EOF");
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_bad_requests, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_too_long, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_pipelined, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(
		    test_client_leaves, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(
		    test_free_with_requests, control_setup, control_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
