/* proxy_test: PROXY protocol headers, and the DNS process behind a proxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns/server/proxy.h"
#include "tests/unit/dns/server/fixture.h"

#define A 1
#define COOKIE 10
#define PATIENCE FIXTURE_PATIENCE_MS
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4(transport, extra) \
	SIGNATURE "\x21" transport "\0" extra "\xc6\x33\x64\x07\xcb\0\x71\1\x12\x34\0\x35"
#define V4_CLIENT "\xc6\x33\x64\x07"

static struct fixture f;
static struct fixture_reply reply;

static enum proxy_parsed
parse(const char *bytes, size_t len, struct proxy_header *h)
{
	/* exactly so much memory, for the sanitizers */
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum proxy_parsed p;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	p = proxy_parse(copy, len, h);
	free(copy);
	return p;
}

#define PARSE(s, h) parse(s, sizeof(s) - 1, h)

static void
headers(void **state)
{
	static const char v6[] =
	    SIGNATURE "\x21\x22\0\x24" "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2";
	struct proxy_header h;

	(void)state;
	assert_int_equal(PARSE(V4("\x11", "\x0c"), &h), PROXY_OK);
	assert_int_equal(h.len, 28);
	assert_int_equal(h.client.family, 4);
	assert_memory_equal(h.client.bytes, V4_CLIENT, 4);
	assert_true(h.stream);
	assert_int_equal(PARSE(V4("\x12", "\x0f") "\4\0\0", &h), PROXY_OK);   /* with a TLV */
	assert_int_equal(h.len, 31);
	assert_false(h.stream);
	assert_int_equal(PARSE(v6, &h), PROXY_OK);
	assert_int_equal(h.len, 52);
	assert_int_equal(h.client.family, 6);
	assert_int_equal(h.client.bytes[15], 5);
	/* the proxy's own health check; another family */
	assert_int_equal(PARSE(SIGNATURE "\x20\0\0\0", &h), PROXY_OK);
	assert_int_equal(h.client.family, 0);
	assert_int_equal(PARSE(SIGNATURE "\x20\x11\0\0", &h), PROXY_OK);
	assert_int_equal(PARSE(SIGNATURE "\x21\0\0\0", &h), PROXY_OK);
	/* every beginning may go on, every other byte spoils it */
	for (size_t len = 0; len < sizeof(v6) - 1; len++) {
		char copy[sizeof(v6)];

		assert_int_equal(parse(v6, len, &h), PROXY_MORE);
		memcpy(copy, v6, sizeof(v6));
		if (len >= 14)
			continue;
		copy[len] ^= 0x41;
		assert_int_equal(parse(copy, sizeof(v6) - 1, &h), PROXY_BAD);
		assert_int_equal(parse(copy, len + 1, &h), len == 13 ? PROXY_MORE : PROXY_BAD);
	}
	/* too short for its family */
	assert_int_equal(PARSE(V4("\x11", "\x0b"), &h), PROXY_BAD);
	/* an address without a transport */
	assert_int_equal(PARSE(V4("\x10", "\x0c"), &h), PROXY_BAD);
	assert_int_equal(PARSE(V4("\x01", "\x0c"), &h), PROXY_BAD);
	assert_int_equal(PARSE(V4("\x13", "\x0c"), &h), PROXY_BAD);
	assert_int_equal(PARSE(V4("\x41", "\x0c"), &h), PROXY_BAD);
	/* an unknown command */
	assert_int_equal(PARSE(SIGNATURE "\x22\x11\0\0", &h), PROXY_BAD);
	/* longer than anybody sends */
	assert_int_equal(PARSE(SIGNATURE "\x21\x11\xff\xff", &h), PROXY_BAD);
}

static void
start(uint32_t udp_wakes)
{
	struct fixture_conf conf = fixture_defaults;

	conf.proxied = true;
	conf.udp_wakes = udp_wakes;
	fixture_start(&f, &conf);
}

static void
send_with(int fd, const char *header, size_t header_len, uint16_t id, const char *name, bool tcp)
{
	uint8_t buf[512];
	size_t n;

	memcpy(buf, header, header_len);
	n = fixture_query(buf + header_len + (tcp ? 2 : 0), id, name, A);
	if (tcp) {
		buf[header_len] = 0;
		buf[header_len + 1] = (uint8_t)n;
		n += 2;
	}
	assert_int_equal(send(fd, buf, header_len + n, MSG_NOSIGNAL), header_len + n);
}

static void
udp_behind_a_proxy(void **state)
{
	const char *hosts[] = { "127.0.0.1", "::1" };
	struct msg m;

	(void)state;
	start(0);
	for (unsigned i = 0; i < 2; i++) {
		int fd = fixture_udp(&f, hosts[i]);

		send_with(fd, V4("\x12", "\x0c"), 28, 7, "plain", false);
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.id, 7);
		assert_int_equal(reply.ancount, 1);
		send_with(fd, V4("\x12", "\x0c"), 28, 8, i == 0 ? "u1" : "u2", false);
		assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
		assert_int_equal(m.wake.client.family, 4);
		assert_memory_equal(m.wake.client.bytes, V4_CLIENT, 4);
		fixture_woken(&f, m.unit, WAKE_READY, 0);
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.id, 8);
		/* without a header, or with half of one: silence */
		fixture_send(fd, 9, "plain", A);
		assert_int_equal(send(fd, V4("\x12", "\x0c"), 27, 0), 27);
		assert_false(fixture_recv(fd, 50, &reply));
		/* the proxy for itself */
		send_with(fd, SIGNATURE "\x20\0\0\0", 16, 10, "plain", false);
		assert_true(fixture_recv(fd, PATIENCE, &reply));
		assert_int_equal(reply.id, 10);
		close(fd);
	}
	assert_int_equal(f.board.counters[0].dropped, 4);
	fixture_stop(&f);
}

static void
tcp_behind_a_proxy(void **state)
{
	static const char header[] = V4("\x11", "\x0c");
	struct msg m;
	char c;
	int fd;

	(void)state;
	start(1);
	/* byte by byte, then two queries, of which one is held */
	fd = fixture_tcp(&f, "127.0.0.1");
	for (unsigned i = 0; i < 28; i++)
		assert_int_equal(send(fd, header + i, 1, 0), 1);
	fixture_send_tcp(fd, 1, "u1", A);
	fixture_send_tcp(fd, 2, "plain", A);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, 2);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	assert_memory_equal(m.wake.client.bytes, V4_CLIENT, 4);
	fixture_woken(&f, m.unit, WAKE_READY, 0);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, 1);
	close(fd);
	/* header and query at once; the client asked over UDP, so that its address is not proven */
	fd = fixture_tcp(&f, "::1");
	send_with(fd, V4("\x12", "\x0c"), 28, 3, "u2", true);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	fixture_send_tcp(fd, 4, "u3", A);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, 4);
	assert_true(reply.tc);
	close(fd);
	/* no header */
	fd = fixture_tcp(&f, "127.0.0.1");
	fixture_send_tcp(fd, 5, "plain", A);
	assert_true(recv(fd, &c, 1, 0) <= 0);
	close(fd);
	fixture_stop(&f);
}

/* A wake has one deadline, whichever client of the proxy asks, and over what. */
static void
one_deadline_behind_a_proxy(void **state)
{
	const struct timespec past = { .tv_nsec = 5 * NS_PER_MS };
	int first, fd;
	struct msg m;

	(void)state;
	start(0);
	first = fixture_udp(&f, "127.0.0.1");
	send_with(first, V4("\x12", "\x0c"), 28, 1, "u1", false);
	assert_true(fixture_expect(&f, MSG_WAKE, PATIENCE, &m, NULL));
	(void)nanosleep(&past, NULL);
	fixture_board(&f, m.unit, BOARD_HOLD, 0, 1);
	send_with(first, SIGNATURE "\x20\0\0\0", 16, 2, "u1", false);
	assert_true(fixture_recv(first, PATIENCE, &reply));
	assert_int_equal(reply.id, 2);
	fd = fixture_tcp(&f, "::1");
	send_with(fd, V4("\x11", "\x0c"), 28, 3, "u1", true);
	assert_true(fixture_recv_tcp(fd, PATIENCE, &reply));
	assert_int_equal(reply.id, 3);
	assert_int_equal(reply.ancount, 1);
	close(fd);
	assert_int_equal(f.board.counters[0].held, 1);
	fixture_woken(&f, m.unit, WAKE_READY, 0);
	assert_true(fixture_recv(first, PATIENCE, &reply));
	assert_int_equal(reply.id, 1);
	close(first);
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(udp_behind_a_proxy),
		cmocka_unit_test(tcp_behind_a_proxy),
		cmocka_unit_test(one_deadline_behind_a_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
