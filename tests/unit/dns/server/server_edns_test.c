/* server_edns_test: cookies, keepalive, and the rate of wakes that unproven clients may ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/server/cookie.h"
#include "tests/unit/dns/server/fixture.h"

#define A 1
#define PATIENCE FIXTURE_PATIENCE_MS
#define COOKIE 10
#define KEEPALIVE 11
#define FORMERR 1

static struct fixture f;
static struct fixture_reply reply;

static void
start(unsigned workers, uint32_t udp_wakes)
{
	struct fixture_conf conf = fixture_defaults;

	conf.workers = workers;
	conf.udp_wakes = udp_wakes;
	fixture_start(&f, &conf);
}

/* A cookie of the server for this socket. */
static void
get_cookie(int fd, uint8_t cookie[DNS_COOKIE_LEN])
{
	const uint8_t *o;
	size_t len;

	fixture_send_option(fd, 1, "plain", A, COOKIE, "clientid", 8);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	o = fixture_option(&reply, COOKIE, &len);
	assert_non_null(o);
	assert_int_equal(len, DNS_COOKIE_LEN);
	assert_memory_equal(o, "clientid\1\0\0\0", 12);
	memcpy(cookie, o, len);
}

static void
cookies_are_given_and_recognised(void **state)
{
	uint8_t cookie[DNS_COOKIE_LEN], again[DNS_COOKIE_LEN];
	const char *hosts[] = { "127.0.0.1", "::1" };
	const uint8_t bare[] = { 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 0xd0, 0, 0, 0, 0,
		0, 12, 0, COOKIE, 0, 8, 'c', 'l', 'i', 'e', 'n', 't', 'i', 'd' };
	size_t len;

	(void)state;
	start(2, 0);
	for (unsigned i = 0; i < 2; i++) {
		int fd = fixture_udp(&f, hosts[i]);

		get_cookie(fd, cookie);
		fixture_send_option(fd, 2, "plain", A, COOKIE, cookie, sizeof(cookie));
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_memory_equal(fixture_option(&reply, COOKIE, &len), cookie, sizeof(cookie));
		/* a strange server cookie is as good as none */
		cookie[20] ^= 1;
		fixture_send_option(fd, 3, "plain", A, COOKIE, cookie, sizeof(cookie));
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.ancount, 1);
		assert_memory_not_equal(fixture_option(&reply, COOKIE, &len), cookie,
		    sizeof(cookie));
		/* no question: only the cookie is wanted */
		assert_int_equal(send(fd, bare, sizeof(bare), 0), sizeof(bare));
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.rcode, 0);
		assert_non_null(fixture_option(&reply, COOKIE, &len));
		for (size_t n = 1; n < 48; n++) {
			static const uint8_t bytes[48];
			bool good = n == 8 || (n >= 16 && n <= 40);

			fixture_send_option(fd, 4, "plain", A, COOKIE, bytes, n);
			assert_true(fixture_recv(fd, PATIENCE, &reply));
			assert_int_equal(reply.rcode, good ? 0 : FORMERR);
		}
		/* another secret: the cookie is renewed */
		get_cookie(fd, cookie);
		fixture_tune(&f, 0, 77);
		fixture_commit(&f, 2);
		assert_true(fixture_expect(&f, MSG_COMMITTED, PATIENCE, &(struct msg){ 0 }, NULL));
		get_cookie(fd, again);
		assert_memory_not_equal(cookie + 16, again + 16, 8);
		fixture_tune(&f, 0, 1);
		fixture_commit(&f, 3);
		assert_true(fixture_expect(&f, MSG_COMMITTED, PATIENCE, &(struct msg){ 0 }, NULL));
		close(fd);
	}
	fixture_stop(&f);
}

/* Until so many queries were held by the three workers. */
static void
wait_held(unsigned want)
{
	unsigned held = 0;

	for (unsigned ms = 0; ms < PATIENCE && held != want; ms++) {
		held = 0;
		for (unsigned i = 0; i < 3; i++)
			held += (unsigned)f.board.counters[i].held;
		(void)usleep(1000);
	}
	assert_int_equal(held, want);
}

/*
 * Six wakes a minute for all workers; then who proves no address is sent to TCP, and nobody else.
 */
static void
too_many_wakes_send_udp_to_tcp(void **state)
{
	uint8_t cookie[DNS_COOKIE_LEN];
	unsigned deferred = 0;
	char name[8] = "u0";
	struct msg m;
	int fds[9], tcp;

	(void)state;
	start(3, 6);
	for (unsigned i = 0; i < 9; i++) {
		fds[i] = fixture_udp(&f, i % 2 ? "127.0.0.1" : "::1");
		name[1] = (char)('0' + i);
		fixture_send(fds[i], (uint16_t)i, name, A);
		if (i >= 6) {
			assert_true(fixture_recv(fds[i], PATIENCE, &reply));
			assert_true(reply.tc);
			assert_int_equal(reply.rcode, 0);
			assert_int_equal(reply.ancount, 0);
		} else {
			assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
			assert_int_equal(m.unit, fixture_unit(name));
		}
	}
	assert_false(fixture_expect(&f, MSG_WAKE, 20, &m, NULL));
	/* answer=now wakes as well */
	fixture_board(&f, fixture_unit("u8"), BOARD_WAKE_TOO, 0, FIXTURE_HOLD_MS);
	fixture_send(fds[8], 8, "u8", A);
	assert_true(fixture_recv(fds[8], PATIENCE, &reply));
	assert_true(reply.tc);
	/* joins a wake; no wake */
	fixture_send(fds[0], 20, "u0", A);
	wait_held(7);   /* its worker may hear first that the wake ended */
	fixture_woken(&f, fixture_unit("u0"), WAKE_READY, 0);
	assert_true(fixture_recv(fds[0], PATIENCE, &reply));
	assert_false(reply.tc);
	assert_int_equal(reply.ancount, 1);
	/* TCP, and UDP with a cookie */
	tcp = fixture_tcp(&f, "127.0.0.1");
	fixture_send_tcp(tcp, 6, "u6", A);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	assert_int_equal(m.unit, fixture_unit("u6"));
	get_cookie(fds[7], cookie);
	fixture_send_option(fds[7], 7, "u7", A, COOKIE, cookie, sizeof(cookie));
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	assert_int_equal(m.unit, fixture_unit("u7"));
	for (unsigned i = 0; i < 3; i++)
		deferred += (unsigned)f.board.counters[i].wakes_deferred;
	assert_int_equal(deferred, 4);
	close(tcp);
	for (unsigned i = 0; i < 9; i++)
		close(fds[i]);
	fixture_stop(&f);
}

/* The reply of a held query has its cookie too. */
static void
a_held_reply_has_its_cookie(void **state)
{
	int fd;
	struct msg m;
	size_t len;

	(void)state;
	start(1, 0);
	fd = fixture_udp(&f, "127.0.0.1");
	fixture_send_option(fd, 7, "u7", A, COOKIE, "clientid", 8);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	fixture_woken(&f, fixture_unit("u7"), WAKE_FAILED, 0);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.ede, 0);
	assert_non_null(fixture_option(&reply, COOKIE, &len));
	assert_int_equal(len, DNS_COOKIE_LEN);
	close(fd);
	fixture_stop(&f);
}

static void
keepalive_is_for_tcp(void **state)
{
	uint8_t frame[128] = { 0 };
	const uint8_t *o;
	size_t n, len;
	int fd;

	(void)state;
	start(1, 0);
	fd = fixture_udp(&f, "127.0.0.1");
	fixture_send_option(fd, 1, "plain", A, KEEPALIVE, "", 0);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.ancount, 1);
	assert_null(fixture_option(&reply, KEEPALIVE, &len));
	/* ignored as a whole */
	fixture_send_option(fd, 2, "plain", A, KEEPALIVE, "xx", 2);
	assert_true(fixture_recv(fd, PATIENCE, &reply));
	assert_int_equal(reply.ancount, 1);
	close(fd);
	fd = fixture_tcp(&f, "127.0.0.1");
	for (unsigned data = 0; data <= 2; data += 2) {
		n = fixture_query(frame + 2, 3, "plain", A);
		frame[2 + n - 1] = (uint8_t)(4 + data);   /* RDLENGTH of the OPT */
		memcpy(frame + 2 + n, (const uint8_t[]){ 0, KEEPALIVE, 0, (uint8_t)data, 1, 1 },
		    4 + data);
		n += 4 + data;
		frame[1] = (uint8_t)n;
		assert_int_equal(send(fd, frame, n + 2, 0), n + 2);
		assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
		assert_int_equal(reply.rcode, data == 0 ? 0 : FORMERR);
		if (data > 0)
			continue;
		o = fixture_option(&reply, KEEPALIVE, &len);
		assert_non_null(o);
		assert_int_equal(len, 2);
		assert_int_equal(o[0] << 8 | o[1], fixture_defaults.tcp_idle_ms / 100);
	}
	fixture_send_tcp(fd, 9, "plain", A);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_null(fixture_option(&reply, KEEPALIVE, &len));
	close(fd);
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cookies_are_given_and_recognised),
		cmocka_unit_test(too_many_wakes_send_udp_to_tcp),
		cmocka_unit_test(a_held_reply_has_its_cookie),
		cmocka_unit_test(keepalive_is_for_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
