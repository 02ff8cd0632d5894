/* tcp_test: the DNS process over TCP: pipelining, order, slow and many clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/dns/server/fixture.h"

#define A 1
#define TXT 16
#define PATIENCE FIXTURE_PATIENCE_MS

static struct fixture f;
static struct fixture_reply reply;

static void
answers_over_both_families(void **state)
{
	const char *hosts[] = { "127.0.0.1", "::1" };

	(void)state;
	fixture_start(&f, &fixture_defaults);
	for (unsigned i = 0; i < 2; i++) {
		int fd = fixture_tcp(&f, hosts[i]);

		fixture_send_tcp(fd, 1, "plain", A);
		assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
		assert_int_equal(reply.ancount, 1);
		fixture_send_tcp(fd, 2, "big", TXT);   /* truncated over UDP */
		assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
		assert_int_equal(reply.ancount, 20);
		assert_false(reply.tc);
		close(fd);
	}
	fixture_stop(&f);
}

static void
others_overtake_a_held_query(void **state)
{
	uint32_t unit = fixture_unit("u1");
	struct msg m;
	int fd;

	(void)state;
	fixture_start(&f, &fixture_defaults);
	fd = fixture_tcp(&f, "127.0.0.1");
	fixture_send_tcp(fd, 1, "u1", A);
	fixture_send_tcp(fd, 2, "plain", A);
	fixture_send_tcp(fd, 3, "u1", A);
	fixture_send_tcp(fd, 4, "plain", A);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, 2);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, 4);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	assert_int_equal(m.wake.client.family, 4);
	assert_int_equal(m.wake.client.bytes[0], 127);
	/* The client sends no more; what it has asked is answered before the connection ends. */
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_false(fixture_recv_tcp(fd, 50, &reply));
	fixture_woken(&f, unit, WAKE_READY, 0);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, 1);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, 3);
	assert_int_equal(recv(fd, reply.wire, 1, 0), 0);
	close(fd);
	fixture_stop(&f);
}

static void
a_client_that_left_is_forgotten(void **state)
{
	struct msg m;
	int fd;

	(void)state;
	fixture_start(&f, &fixture_defaults);
	fd = fixture_tcp(&f, "::1");
	fixture_send_tcp(fd, 1, "u1", A);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	close(fd);
	fd = fixture_tcp(&f, "::1");   /* perhaps in the same slot */
	fixture_send_tcp(fd, 2, "plain", A);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	fixture_woken(&f, fixture_unit("u1"), WAKE_READY, 0);
	assert_false(fixture_recv_tcp(fd, 50, &reply));
	close(fd);
	fixture_stop(&f);
}

static void
bytes_may_come_one_by_one(void **state)
{
	uint8_t frame[1024];
	size_t len = 0;
	int fd;

	(void)state;
	fixture_start(&f, &fixture_defaults);
	fd = fixture_tcp(&f, "127.0.0.1");
	for (uint16_t id = 1; id <= 3; id++) {
		size_t n = fixture_query(frame + len + 2, id, "plain", A);

		frame[len] = (uint8_t)(n >> 8);
		frame[len + 1] = (uint8_t)n;
		len += n + 2;
	}
	for (size_t i = 0; i < len; i++)
		assert_int_equal(send(fd, frame + i, 1, MSG_NOSIGNAL), 1);
	for (uint16_t id = 1; id <= 3; id++) {
		assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
		assert_int_equal(reply.id, id);
	}
	close(fd);
	fixture_stop(&f);
}

static uint64_t
held(void)
{
	return *(_Atomic uint64_t *)&f.board.counters[0].held;
}

/* Waits until the process has held so many queries. */
static void
wait_held(uint64_t n)
{
	const struct timespec pause = { .tv_nsec = NS_PER_MS };
	uint64_t until_ms = clock_now_ms() + PATIENCE;

	while (held() < n && clock_now_ms() < until_ms)
		(void)nanosleep(&pause, NULL);   /* the board tells nobody */
	assert_int_equal(held(), n);
}

/*
 * More of one connection's queries wait than it may have: the rest stays in the socket until some
 * are answered.
 */
static void
held_queries_of_a_connection_are_bounded(void **state)
{
	const unsigned all = 3 * LIMIT_TCP_HELD;
	unsigned seen = 0;
	int fd;

	(void)state;
	fixture_start(&f, &fixture_defaults);
	fd = fixture_tcp(&f, "127.0.0.1");
	for (uint16_t i = 0; i < all; i++)
		fixture_send_tcp(fd, i, "u2", A);
	wait_held(LIMIT_TCP_HELD);
	assert_false(fixture_recv_tcp(fd, 100, &reply));
	assert_int_equal(held(), LIMIT_TCP_HELD);
	while (seen < all) {
		fixture_woken(&f, fixture_unit("u2"), WAKE_READY, 0);
		while (seen < all && fixture_recv_tcp(fd, 20, &reply)) {
			assert_int_equal(reply.id, seen);
			seen++;
		}
	}
	assert_int_equal(held(), all);
	close(fd);
	fixture_stop(&f);
}

/*
 * Sends as much as goes without waiting for long; *rest bytes of the last frame could not be sent.
 */
static uint32_t
send_without_reading(int fd, uint8_t *frame, size_t len, size_t *rest)
{
	const struct timespec pause = { .tv_nsec = 100 * NS_PER_MS };
	uint32_t sent = 0;

	for (;; sent++) {
		ssize_t n;

		frame[2] = (uint8_t)(sent >> 8);
		frame[3] = (uint8_t)sent;
		n = send(fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) {
			(void)nanosleep(&pause, NULL);   /* it may be reading still */
			n = send(fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		}
		if (n < (ssize_t)len) {
			*rest = len - (size_t)(n > 0 ? n : 0);
			return sent;
		}
		assert_true(sent < 1000000);
	}
}

/*
 * A client that sends and does not read is stopped; when it reads, nothing is missing.  Others are
 * served meanwhile.
 */
static void
a_slow_reader_stops_itself_only(void **state)
{
	uint8_t frame[512];
	size_t len = fixture_query(frame + 2, 0, "big", TXT) + 2, rest;
	uint32_t sent;
	int fd, other;

	(void)state;
	fixture_start(&f, &fixture_defaults);
	fd = fixture_tcp(&f, "127.0.0.1");
	frame[0] = 0;
	frame[1] = (uint8_t)(len - 2);
	sent = send_without_reading(fd, frame, len, &rest);
	assert_true(sent > 100);
	other = fixture_tcp(&f, "127.0.0.1");
	fixture_send_tcp(other, 9, "plain", A);
	assert_true(fixture_recv_tcp(other, PATIENCE, &reply));
	for (uint32_t got = 0; got <= sent; got++) {
		if (got == sent)
			assert_int_equal(send(fd, frame + len - rest, rest, MSG_NOSIGNAL), rest);
		assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
		assert_int_equal(reply.id, got & 0xffff);
		assert_int_equal(reply.ancount, 20);
	}
	close(fd);
	close(other);
	fixture_stop(&f);
}

static bool
is_closed(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void
the_longest_idle_makes_room(void **state)
{
	struct fixture_conf conf = fixture_defaults;
	int fds[30];

	(void)state;
	conf.tcp_clients = 10;
	fixture_start(&f, &conf);
	for (uint16_t i = 0; i < 30; i++) {
		fds[i] = fixture_tcp(&f, "127.0.0.1");
		fixture_send_tcp(fds[i], i, "plain", A);
		assert_true(fixture_recv_tcp(fds[i], PATIENCE, &reply));
		if (i >= 5) {
			/* one that stays active is never the one */
			fixture_send_tcp(fds[4], i, "plain", A);
			assert_true(fixture_recv_tcp(fds[4], PATIENCE, &reply));
		}
	}
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(is_closed(fds[i]), i != 4 && i < 21);
		close(fds[i]);
	}
	assert_int_equal(f.board.counters[0].tcp_connections, 30);
	fixture_stop(&f);
}

static void
idle_connections_are_closed(void **state)
{
	const struct timespec pause = { .tv_nsec = 20 * NS_PER_MS };
	struct fixture_conf conf = fixture_defaults;
	uint64_t start_ms;
	int fd, waits;

	(void)state;
	conf.tcp_idle_ms = 200;
	fixture_start(&f, &conf);
	fixture_board(&f, fixture_unit("u1"), BOARD_HOLD, 0, 1000);
	start_ms = clock_now_ms();
	fd = fixture_tcp(&f, "127.0.0.1");
	waits = fixture_tcp(&f, "127.0.0.1");
	fixture_send_tcp(waits, 1, "u1", A);   /* for longer than that: not idle */
	/* a trickle of bytes is no activity */
	while (send(fd, "\1", 1, MSG_NOSIGNAL) == 1 && !is_closed(fd) &&
	    clock_now_ms() < start_ms + PATIENCE)
		(void)nanosleep(&pause, NULL);
	assert_true(is_closed(fd));
	assert_true(clock_now_ms() - start_ms >= 195);
	assert_true(fixture_recv_tcp(waits, PATIENCE, &reply));
	assert_int_equal(reply.ancount, 1);
	close(fd);
	close(waits);
	fixture_stop(&f);
}

static void
it_survives_without_descriptors(void **state)
{
	struct fixture_conf conf = fixture_defaults;
	int fds[60], udp;

	(void)state;
	conf.nofile = 40;
	fixture_start(&f, &conf);
	for (unsigned i = 0; i < 60; i++)
		fds[i] = fixture_tcp(&f, "127.0.0.1");
	udp = fixture_udp(&f, "127.0.0.1");
	fixture_send(udp, 1, "plain", A);
	assert_true(fixture_recv(udp, PATIENCE, &reply));
	for (unsigned i = 0; i < 59; i++)
		close(fds[i]);
	fixture_send_tcp(fds[59], 2, "plain", A);
	assert_true(fixture_recv_tcp(fds[59], PATIENCE, &reply));
	close(fds[59]);
	close(udp);
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_over_both_families),
		cmocka_unit_test(others_overtake_a_held_query),
		cmocka_unit_test(a_client_that_left_is_forgotten),
		cmocka_unit_test(bytes_may_come_one_by_one),
		cmocka_unit_test(held_queries_of_a_connection_are_bounded),
		cmocka_unit_test(a_slow_reader_stops_itself_only),
		cmocka_unit_test(the_longest_idle_makes_room),
		cmocka_unit_test(idle_connections_are_closed),
		cmocka_unit_test(it_survives_without_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
