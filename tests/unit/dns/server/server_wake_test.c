/* server_wake_test: one deadline per wake, for all its queries, workers and transports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/dns/server/fixture.h"

#define A 1
#define PATIENCE FIXTURE_PATIENCE_MS
#define HOLD FIXTURE_HOLD_MS

/* Enough sockets that each of three workers has some. */
#define SOCKETS 24

static struct fixture f;
static struct fixture_reply reply;
static int fds[SOCKETS];

static void
start(uint32_t udp_wakes)
{
	struct fixture_conf conf = fixture_defaults;

	conf.workers = 3;
	conf.udp_wakes = udp_wakes;
	fixture_start(&f, &conf);
	for (unsigned i = 0; i < SOCKETS; i++)
		fds[i] = fixture_udp(&f, i % 2 ? "127.0.0.1" : "::1");
}

static void
stop(void)
{
	for (unsigned i = 0; i < SOCKETS; i++)
		close(fds[i]);
	fixture_stop(&f);
}

static uint64_t
held(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < f.conf.workers; i++)
		n += f.board.counters[i].held;
	return n;
}

/* Waits until so many queries have been held since the start. */
static void
wait_held(uint64_t n)
{
	const struct timespec pause = { .tv_nsec = NS_PER_MS };
	uint64_t until_ms = clock_now_ms() + PATIENCE;

	while (held() < n && clock_now_ms() < until_ms)
		(void)nanosleep(&pause, NULL);   /* the board tells nobody */
	assert_int_equal(held(), n);
}

static void
expect_address(int fd, bool tcp, uint16_t id)
{
	if (tcp)
		assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	else
		assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, id);
	assert_int_equal(reply.rcode, 0);
	assert_false(reply.tc);
	assert_int_equal(reply.ancount, 1);
}

/* A query that begins a wake, which is held. */
static void
begin_wake(int fd, uint16_t id)
{
	uint64_t before = held();
	struct msg m;

	fixture_send(fd, id, "u1", A);
	wait_held(before + 1);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	assert_int_equal(m.unit, fixture_unit("u1"));
}

/*
 * The deadline is moved instead of waited for: with a `hold` of 1 ms it has passed for every query
 * that comes now, while the first one, which was told a minute, waits on.
 */
static void
after_the_deadline_nothing_is_held(void **state)
{
	uint32_t unit = fixture_unit("u1");
	const struct timespec past = { .tv_nsec = 5 * NS_PER_MS };
	int tcp;

	(void)state;
	start(0);
	begin_wake(fds[0], 1);
	assert_true(board_wake_first_ns(&f.board, unit) != 0);
	assert_true(board_wake_first_ns(&f.board, unit) <= clock_now_ns());
	(void)nanosleep(&past, NULL);
	fixture_board(&f, unit, BOARD_HOLD, 0, 1);
	for (uint16_t i = 1; i < SOCKETS; i++)
		fixture_send(fds[i], (uint16_t)(100 + i), "u1", A);
	for (uint16_t i = 1; i < SOCKETS; i++)
		expect_address(fds[i], false, (uint16_t)(100 + i));
	/* The first one's own socket: the same id, and a new one.  Then TCP, pipelined. */
	fixture_send(fds[0], 1, "u1", A);
	expect_address(fds[0], false, 1);
	fixture_send(fds[0], 2, "u1", A);
	expect_address(fds[0], false, 2);
	tcp = fixture_tcp(&f, "127.0.0.1");
	for (uint16_t i = 0; i < 5; i++)
		fixture_send_tcp(tcp, (uint16_t)(200 + i), "u1", A);
	for (uint16_t i = 0; i < 5; i++)
		expect_address(tcp, true, (uint16_t)(200 + i));
	close(tcp);
	assert_int_equal(held(), 1);
	fixture_woken(&f, unit, WAKE_READY, 0);
	expect_address(fds[0], false, 1);
	stop();
}

/* Each end of a wake, also a failed one, makes the next one's deadline its own. */
static void
the_next_wake_waits_anew(void **state)
{
	static const uint32_t ends[] = { WAKE_READY, WAKE_FAILED, WAKE_REFUSED, WAKE_GONE };
	uint32_t unit = fixture_unit("u1");
	uint64_t first = 0;

	(void)state;
	start(0);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		fixture_board(&f, unit, BOARD_HOLD, 0, HOLD);
		begin_wake(fds[i], (uint16_t)i);
		assert_true(board_wake_first_ns(&f.board, unit) > first);
		first = board_wake_first_ns(&f.board, unit);
		fixture_woken(&f, unit, ends[i], 0);
		assert_int_equal(board_wake_first_ns(&f.board, unit), 0);
		assert_true(fixture_recv(fds[i], PATIENCE, &reply));
		assert_int_equal(reply.id, i);
	}
	stop();
}

/* A query that joins a wake costs none of the wakes that unproven clients have, in no worker. */
static void
joining_is_free_in_every_worker(void **state)
{
	uint32_t unit = fixture_unit("u1");

	(void)state;
	start(1);
	begin_wake(fds[0], 0);
	for (uint16_t i = 1; i < SOCKETS; i++)
		fixture_send(fds[i], i, "u1", A);
	wait_held(SOCKETS);
	fixture_woken(&f, unit, WAKE_READY, 0);
	for (uint16_t i = 0; i < SOCKETS; i++)
		expect_address(fds[i], false, i);
	/* Another unit's wake would be the second one. */
	fixture_send(fds[0], 300, "u2", A);
	assert_true(fixture_recv(fds[0], PATIENCE, &reply));
	assert_true(reply.tc);
	stop();
}

static void
expect_not_ready(int fd, bool tcp, uint16_t id)
{
	if (tcp)
		assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	else
		assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, id);
	assert_int_equal(reply.rcode, 2);
	assert_int_equal(reply.ede, 14);
	assert_int_equal(reply.ancount, 0);
}

/*
 * While no limit may ever let it boot, its address is not given away: not to those whose hold runs
 * out, nor to those who come later.  Once the boot is sure, it is.
 */
static void
an_unsure_wake_gives_no_address(void **state)
{
	uint32_t unit = fixture_unit("u1");
	uint64_t not_ready = 0;
	int tcp;

	(void)state;
	start(0);
	tcp = fixture_tcp(&f, "127.0.0.1");
	fixture_board(&f, unit, BOARD_UNSURE, 0, 100);
	for (uint16_t i = 0; i < SOCKETS; i++)
		fixture_send(fds[i], i, "u1", A);
	fixture_send_tcp(tcp, 100, "u1", A);
	for (uint16_t i = 0; i < SOCKETS; i++)
		expect_not_ready(fds[i], false, i);
	expect_not_ready(tcp, true, 100);
	fixture_send(fds[0], 200, "u1", A);
	expect_not_ready(fds[0], false, 200);
	for (unsigned i = 0; i < f.conf.workers; i++)
		not_ready += f.board.counters[i].not_ready;
	assert_int_equal(not_ready, SOCKETS + 2);
	fixture_board(&f, unit, BOARD_HOLD, 0, 100);
	fixture_send(fds[0], 201, "u1", A);
	expect_address(fds[0], false, 201);
	close(tcp);
	stop();
}

/*
 * What counts is what the board says when a query can be held no longer, here since another takes
 * its place.
 */
static void
what_is_sure_at_the_end_counts(void **state)
{
	struct fixture_conf conf = fixture_defaults;
	uint32_t unit = fixture_unit("u1");
	int fd;

	(void)state;
	conf.workers = 1;
	conf.held_per_unit = 1;
	fixture_start(&f, &conf);
	fd = fixture_udp(&f, "127.0.0.1");
	fixture_board(&f, unit, BOARD_HOLD, 0, HOLD);
	begin_wake(fd, 1);
	fixture_board(&f, unit, BOARD_UNSURE, 0, HOLD);
	fixture_send(fd, 2, "u1", A);
	expect_not_ready(fd, false, 1);
	fixture_board(&f, unit, BOARD_HOLD, 0, HOLD);
	fixture_send(fd, 3, "u1", A);
	expect_address(fd, false, 2);
	fixture_board(&f, unit, BOARD_UNSURE, 0, HOLD);
	fixture_woken(&f, unit, WAKE_READY, 0);
	expect_address(fd, false, 3);
	close(fd);
	fixture_stop(&f);
}

/* A query of a client that the unit is not to notice; fds[1] is on the list, fds[0] is not. */
static void
expect_unnoticed(uint32_t unit, uint16_t id)
{
	uint64_t queries = f.board.use[unit].queries;
	unsigned skipped;
	struct msg m;

	fixture_send(fds[1], id, "u1", A);
	expect_address(fds[1], false, id);
	assert_int_equal(f.board.use[unit].queries, queries + 1);
	assert_int_equal(f.board.use[unit].last_query_ns, 0);
	assert_false(fixture_expect(&f, MSG_WAKE, 50, &m, &skipped));
}

static void
passive_clients_wake_nothing(void **state)
{
	static const uint16_t answers[] = { BOARD_HOLD, BOARD_NOW, BOARD_WAKE_TOO, BOARD_CHECK,
		BOARD_UNSURE };
	uint32_t unit = fixture_unit("u1");
	struct msg m;

	(void)state;
	start(0);
	fixture_passive(&f, 7, "127.0.0.0", 8);
	fixture_commit(&f, 2);
	assert_true(fixture_expect(&f, MSG_COMMITTED, PATIENCE, &m, NULL));
	f.board.state[unit].passive = 7;
	for (uint16_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		fixture_board(&f, unit, answers[i], 0, HOLD);
		expect_unnoticed(unit, i);
	}
	fixture_board(&f, unit, BOARD_FAIL, MSG_EDE_NOT_READY, HOLD);
	fixture_send(fds[1], 100, "u1", A);
	expect_not_ready(fds[1], false, 100);
	/* Others wake it, as does everybody a unit whose list has not come. */
	fixture_board(&f, unit, BOARD_HOLD, 0, HOLD);
	begin_wake(fds[0], 101);
	fixture_woken(&f, unit, WAKE_READY, 0);
	expect_address(fds[0], false, 101);
	f.board.state[unit].passive = 8;
	begin_wake(fds[1], 102);
	fixture_woken(&f, unit, WAKE_READY, 0);
	expect_address(fds[1], false, 102);
	stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_the_deadline_nothing_is_held),
		cmocka_unit_test(the_next_wake_waits_anew),
		cmocka_unit_test(joining_is_free_in_every_worker),
		cmocka_unit_test(an_unsure_wake_gives_no_address),
		cmocka_unit_test(what_is_sure_at_the_end_counts),
		cmocka_unit_test(passive_clients_wake_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
