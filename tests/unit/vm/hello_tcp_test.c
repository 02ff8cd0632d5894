/* hello_tcp_test.c: the hello image's TCP against a client that loses, repeats, swaps and forges segments */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vm/hello_rig.h"

#define GET       "GET / HTTP/1.1\r\nHost: www\r\n\r\n"
#define GET_CLOSE "GET / HTTP/1.0\r\n\r\n"
#define PORT      40000
#define ISN       1000u
#define WINDOW    64240

static char page[8192];

/* Sends part of the text as one segment at its place, without moving the connection on. */
static void
say_part(const struct rig_segment *c, const char *text, size_t from, size_t to)
{
	struct rig_segment s = *c;

	s.seq += (uint32_t)from;
	s.data = (const uint8_t *)text + from;
	s.len = to - from;
	rig_segment(&s);
}

static void
expect_page(struct rig_segment *c, bool fin)
{
	assert_int_equal(rig_listen(c, page, sizeof(page)), fin);
	assert_non_null(strstr(page, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(page, "Hello from www"));
}

static void
expect_ack(const struct rig_segment *c)
{
	struct rig_segment s = rig_expect_segment();

	assert_int_equal(s.flags, RIG_ACK);
	assert_int_equal(s.len, 0);
	assert_int_equal(s.ack, c->seq);
	assert_int_equal(s.seq, c->ack);
}

static struct rig_segment
expect_reset(void)
{
	struct rig_segment s = rig_expect_segment();

	assert_true(s.flags & RIG_RST);
	return s;
}

static struct rig_segment
open_usual(bool v6)
{
	rig_boot_usual(v6);
	return rig_connect(PORT, ISN, 1460, WINDOW);
}

/* The client's FIN, at the end of what it said. */
static void
say_fin(struct rig_segment *c)
{
	struct rig_segment s = *c;

	s.flags |= RIG_FIN;
	rig_segment(&s);
	c->seq++;
}

static void
test_request_and_close(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct rig_segment c = open_usual(v6);

		rig_say(&c, GET_CLOSE);
		assert_int_equal(rig.count, 1); /* ACK, page and FIN in one */
		expect_page(&c, true);
		say_fin(&c);
		expect_ack(&c);
		assert_true(rig.deadline_ms >= rig.now_ms);
		rig_advance(100000);
		rig_expect_silence();
	}
}

static void
test_client_closes_first(void **state)
{
	struct rig_segment c = open_usual(false), s;

	(void)state;
	rig_say(&c, GET);
	expect_page(&c, false);
	say_fin(&c);
	s = rig_expect_segment();
	assert_int_equal(s.flags & (RIG_FIN | RIG_ACK), RIG_FIN | RIG_ACK);
	assert_int_equal(s.ack, c.seq);
	c.ack++;
	rig_segment(&c);
	rig_expect_silence();
	/* It is gone for good. */
	rig_segment(&c);
	(void)expect_reset();
}

/* Request and FIN in one segment, the half-closed client of a shell script. */
static void
test_half_close(void **state)
{
	struct rig_segment c = open_usual(false), s = c;

	(void)state;
	s.data = (const uint8_t *)GET;
	s.len = strlen(GET);
	s.flags |= RIG_FIN;
	rig_segment(&s);
	c.seq += (uint32_t)s.len + 1;
	expect_page(&c, true);
}

static void
test_simultaneous_close(void **state)
{
	struct rig_segment c = open_usual(false), s;

	(void)state;
	rig_say(&c, GET_CLOSE);
	s = rig_expect_segment();
	assert_true(s.flags & RIG_FIN);
	say_fin(&c); /* acknowledges nothing of the reply */
	s = rig_expect_segment();
	assert_int_equal(s.flags, RIG_ACK);
	assert_int_equal(s.ack, c.seq);
	c.ack = s.seq;
	rig_segment(&c);
	rig_advance(300000);
	rig_expect_silence();
}

static void
test_closed_ports(void **state)
{
	struct rig_segment c = { .client_port = PORT, .server_port = 81, .seq = ISN, .flags = RIG_SYN, .window = WINDOW }, s;

	(void)state;
	rig_boot_usual(false);
	rig_segment(&c);
	s = expect_reset();
	assert_int_equal(s.flags, RIG_RST | RIG_ACK);
	assert_int_equal(s.ack, ISN + 1);
	assert_int_equal(s.server_port, 81);
	/* A stray ACK to the open port. */
	c = (struct rig_segment){ .client_port = PORT, .seq = ISN, .ack = 77, .flags = RIG_ACK, .window = WINDOW };
	rig_segment(&c);
	s = expect_reset();
	assert_int_equal(s.flags, RIG_RST);
	assert_int_equal(s.seq, 77);
	c.flags = RIG_RST;
	rig_segment(&c);
	c.flags = RIG_FIN;
	rig_segment(&c);
	c.flags = 0;
	rig_segment(&c);
	rig_expect_silence();
}

static void
test_delay(void **state)
{
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN, .window = WINDOW };

	(void)state;
	rig_boot_usual(false);
	rig.config.delay_ms = 5000;
	rig_segment(&c);
	(void)expect_reset();
	rig_advance(2999);
	rig_segment(&c);
	(void)expect_reset();
	rig_advance(1);
	(void)rig_connect(PORT, ISN, 1460, WINDOW);
}

static void
test_bad_checksum_and_headers(void **state)
{
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN, .window = WINDOW, .bad_checksum = true };
	uint8_t bytes[64];
	size_t len;

	(void)state;
	rig_boot_usual(false);
	rig_segment(&c);
	rig_expect_silence();
	c.bad_checksum = false;
	for (unsigned offset = 0; offset < 16; offset++) {
		uint16_t check;

		len = rig_segment_bytes(bytes, &c);
		bytes[12] = (uint8_t)(offset << 4);
		bytes[16] = bytes[17] = 0;
		check = rig_pseudo(6, bytes, len);
		bytes[16] = (uint8_t)(check >> 8);
		bytes[17] = (uint8_t)check;
		if (offset != 5)
			rig_ip(6, bytes, len);
	}
	rig_expect_silence();
}

static void
test_odd_options(void **state)
{
	/* kinds and lengths that end early, are zero or reach too far; then an MSS behind NOPs that counts */
	static const uint8_t options[][4] = { { 2, 4, 1, 0 }, { 2, 0, 0, 0 }, { 2, 1, 0, 0 }, { 2, 9, 1, 1 }, { 0, 2, 4, 1 }, { 1, 1, 1, 2 },
		{ 253, 4, 0, 0 }, { 2, 3, 1, 1 }, { 1, 2, 2, 1 } };

	(void)state;
	rig_boot_usual(false);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct rig_segment c = { .client_port = (uint16_t)(PORT + i), .seq = ISN, .flags = RIG_SYN, .window = WINDOW, .mss = 1 };
		uint8_t bytes[64];
		size_t len = rig_segment_bytes(bytes, &c);
		uint16_t check;

		memcpy(bytes + 20, options[i], 4);
		bytes[16] = bytes[17] = 0;
		check = rig_pseudo(6, bytes, len);
		bytes[16] = (uint8_t)(check >> 8);
		bytes[17] = (uint8_t)check;
		rig_ip(6, bytes, len);
		assert_int_equal(rig_expect_segment().flags, RIG_SYN | RIG_ACK);
	}
}

/* Without the option 536 bytes on IPv4; an absurdly small offer is raised. */
static void
test_mss(void **state)
{
	static const struct {
		bool v6;
		uint16_t offer, most;
	} cases[] = { { false, 0, 536 }, { false, 1460, 1460 }, { false, 9000, 1460 }, { false, 100, 100 }, { false, 1, 64 }, { true, 0, 1220 },
		{ true, 1440, 1220 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig_segment c, s;
		size_t longest = 0, total = 0;

		rig_boot_usual(cases[i].v6);
		c = rig_connect(PORT, ISN, cases[i].offer, WINDOW);
		for (int n = 0; n < 6; n++)
			rig_say(&c, GET);
		while (rig.count) {
			s = rig_expect_segment();
			longest = s.len > longest ? s.len : longest;
			total += s.len;
		}
		assert_true(total > 1460);
		assert_true(longest <= cases[i].most);
		if (cases[i].most < 300)
			assert_int_equal(longest, cases[i].most);
	}
}

/* Every way to cut a request in two, both pieces in the wrong order. */
static void
test_reordered(void **state)
{
	size_t len = strlen(GET);

	(void)state;
	for (size_t cut = 1; cut < len; cut++) {
		struct rig_segment c = open_usual(cut % 2);

		say_part(&c, GET, cut, len);
		expect_ack(&c); /* a duplicate ACK for what is missing */
		say_part(&c, GET, 0, cut);
		c.seq += (uint32_t)len;
		expect_page(&c, false);
		rig_expect_silence();
	}
}

/* One byte a segment, backwards: more islands than are kept, so the client has to send some again. */
static void
test_backwards(void **state)
{
	size_t len = strlen(GET);
	struct rig_segment c = open_usual(false);

	(void)state;
	for (unsigned round = 0; rig.net.tcp.conns[0].tx_len == 0; round++) {
		assert_true(round < len);
		for (size_t i = len; i-- > 0;)
			say_part(&c, GET, i, i + 1);
		rig_drop_all();
	}
	c.seq += (uint32_t)len;
	rig_advance(200); /* the page again */
	expect_page(&c, false);
}

static void
test_islands(void **state)
{
	struct rig_segment c = open_usual(false);
	size_t len = strlen(GET);

	(void)state;
	/* Apart, touching, overlapping, swallowing; then the beginning. */
	say_part(&c, GET, 4, 6);
	say_part(&c, GET, 10, 12);
	say_part(&c, GET, 14, 16);
	say_part(&c, GET, 18, 20);
	say_part(&c, GET, 22, 24); /* one too many: dropped */
	say_part(&c, GET, 6, 10);
	say_part(&c, GET, 11, 15);
	say_part(&c, GET, 2, len);
	rig_drop_all();
	say_part(&c, GET, 0, 3);
	c.seq += (uint32_t)len;
	expect_page(&c, false);
}

static void
test_duplicates_and_overlap(void **state)
{
	struct rig_segment c = open_usual(false), again;
	size_t len = strlen(GET);

	(void)state;
	say_part(&c, GET, 0, 10);
	rig_drop_all();
	say_part(&c, GET, 5, len);
	again = c;
	c.seq += (uint32_t)len;
	expect_page(&c, false);
	/* The whole request once more is only acknowledged. */
	again.ack = c.ack;
	say_part(&again, GET, 0, len);
	expect_ack(&c);
	rig_expect_silence();
}

static void
test_fin_before_data(void **state)
{
	struct rig_segment c = open_usual(false), fin = c;

	(void)state;
	fin.seq += (uint32_t)strlen(GET);
	fin.flags |= RIG_FIN;
	rig_segment(&fin);
	expect_ack(&c);
	say_part(&c, GET, 0, strlen(GET));
	c.seq += (uint32_t)strlen(GET) + 1;
	expect_page(&c, true);
}

static void
test_beyond_the_window(void **state)
{
	static char many[5000];
	struct rig_segment c = open_usual(false), s = c;

	(void)state;
	memset(many, '\n', sizeof(many)); /* empty lines before a request */
	/* The last 100 bytes of the window are taken, what lies behind is not. */
	s.seq += 4096 - 100;
	s.data = (const uint8_t *)many;
	s.len = 1400;
	rig_segment(&s);
	expect_ack(&c);
	s.seq = c.seq + 4096;
	rig_segment(&s);
	expect_ack(&c);
	for (unsigned i = 0; i < 4096 - 100; i += 999) {
		s.seq = c.seq + i;
		s.len = i + 999 < 4096 - 100 ? 999 : 4096 - 100 - i;
		rig_segment(&s);
	}
	c.seq += 4096;
	while (rig.count > 1)
		rig_take();
	expect_ack(&c);
}

/* The client's numbers and ours both pass 2^32 in the middle of a request and its reply. */
static void
test_sequence_wrap(void **state)
{
	(void)state;
	for (uint32_t back = 1; back < strlen(GET); back += 3) {
		struct rig_segment c, s;

		rig_boot_usual(false);
		c = (struct rig_segment){ .client_port = PORT, .seq = 0u - back, .flags = RIG_SYN, .window = WINDOW, .mss = 1460 };
		rig_segment(&c);
		s = rig_expect_segment();
		/* Initial sequence numbers follow a clock of 250 per millisecond: wait until they are about to wrap. */
		c.seq += 1000;
		rig.now_ms += (0u - s.seq - 60) / 250;
		c.client_port = PORT;
		rig.net.tcp.conns[0].state = TCP_FREE;
		c = rig_connect(PORT, 0u - back, 1460, WINDOW);
		assert_true(c.ack > 0xfffffe00);
		say_part(&c, GET, 10, strlen(GET));
		rig_drop_all();
		say_part(&c, GET, 0, 12);
		c.seq += (uint32_t)strlen(GET);
		assert_true(c.seq < 100);
		expect_page(&c, false);
		assert_true(c.ack < 1000);
		rig_advance(60000);
		rig_expect_silence();
	}
}

static void
test_lost_syn_ack(void **state)
{
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN, .window = WINDOW, .mss = 1460 }, s;
	uint32_t isn;
	unsigned again = 0;

	(void)state;
	rig_boot_usual(false);
	rig_segment(&c);
	isn = rig_expect_segment().seq;
	/* The client repeats its SYN at once; the answer is the same. */
	rig_segment(&c);
	s = rig_expect_segment();
	assert_int_equal(s.flags, RIG_SYN | RIG_ACK);
	assert_int_equal(s.seq, isn);
	/* After one second, then 2, 4, 8, 16: then it is given up. */
	rig_advance(999);
	rig_expect_silence();
	for (uint64_t wait = 1; wait < 200000; wait += 500, rig_advance(500))
		while (rig.count) {
			assert_int_equal(rig_expect_segment().seq, isn);
			again++;
		}
	assert_int_equal(again, 5);
	assert_int_equal(rig.net.tcp.conns[0].state, TCP_FREE);
}

static void
test_back_off(void **state)
{
	struct rig_segment c = open_usual(false), s;
	uint64_t last, wait = 0;
	unsigned again = 0;
	uint32_t seq;

	(void)state;
	rig_say(&c, GET);
	seq = rig_expect_segment().seq;
	last = rig.now_ms;
	while (rig.now_ms - last < 200000) {
		rig_advance(1);
		if (!rig.count)
			continue;
		s = rig_expect_segment();
		if (s.flags & RIG_RST)
			break;
		assert_int_equal(s.seq, seq);
		assert_true(s.len > 100);
		if (wait)
			assert_true(rig.now_ms - last == (wait * 2 < 60000 ? wait * 2 : 60000));
		else
			assert_int_equal(rig.now_ms - last, 200);
		wait = rig.now_ms - last;
		last = rig.now_ms;
		again++;
	}
	assert_int_equal(again, 10);
	assert_int_equal(rig.net.tcp.conns[0].state, TCP_FREE);
	rig_advance(1000000);
	rig_expect_silence();
}

/* A client 300 ms away: the time-out grows with what was measured, and repeated segments are not measured. */
static void
test_slow_path(void **state)
{
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN, .window = WINDOW, .mss = 1460 }, s;

	(void)state;
	rig_boot_usual(false);
	rig_segment(&c);
	s = rig_expect_segment();
	rig_advance(300);
	c = (struct rig_segment){ .client_port = PORT, .seq = s.ack, .ack = s.seq + 1, .flags = RIG_ACK, .window = WINDOW };
	rig_say(&c, GET);
	(void)rig_expect_segment();
	rig_advance(899);
	rig_expect_silence();
	rig_advance(1);
	expect_page(&c, false);
}

static void
test_fast_resend(void **state)
{
	struct rig_segment c, lost, s;

	(void)state;
	rig_boot_usual(false);
	c = rig_connect(PORT, ISN, 100, WINDOW);
	rig_say(&c, GET);
	lost = rig_expect_segment();
	rig_drop_all();
	rig_segment(&c);
	rig_segment(&c);
	rig_expect_silence();
	rig_segment(&c);
	s = rig_expect_segment();
	assert_int_equal(s.seq, lost.seq);
	assert_int_equal(s.len, 100);
	rig_expect_silence();
	rig_segment(&c);
	rig_expect_silence();
}

static void
test_zero_window(void **state)
{
	struct rig_segment c, s;
	uint32_t seq;

	(void)state;
	rig_boot_usual(false);
	c = rig_connect(PORT, ISN, 1460, 0);
	rig_say(&c, GET);
	expect_ack(&c);
	/* One byte, again and again, for as long as the client answers. */
	seq = c.ack;
	for (int i = 0; i < 40; i++) {
		rig_advance(60000);
		while (rig.count) {
			s = rig_expect_segment();
			assert_int_equal(s.seq, seq);
			assert_int_equal(s.len, 1);
		}
		rig_segment(&c);
	}
	rig_drop_all();
	c.window = 100;
	rig_segment(&c);
	s = rig_expect_segment();
	assert_int_equal(s.seq, seq);
	assert_int_equal(s.len, 100);
	rig_expect_silence();
	c.ack += 100;
	c.window = WINDOW;
	rig_segment(&c);
	assert_false(rig_listen(&c, page, sizeof(page)));
	assert_non_null(strstr(page, "seconds ago"));
}

/* A client that sends requests without reading replies: our window closes, and opens again when it reads. */
static void
test_our_window_closes(void **state)
{
	struct rig_segment c, s;
	uint16_t least = UINT16_MAX;
	unsigned pages = 0;
	uint32_t end;

	(void)state;
	rig_boot_usual(false);
	c = rig_connect(PORT, ISN, 1460, WINDOW);
	for (int i = 0; i < 300; i++)
		say_part(&c, GET, 0, strlen(GET)), c.seq += (uint32_t)strlen(GET);
	end = c.seq;
	c.seq = ISN + 1;
	while (rig.count) {
		s = rig_expect_segment();
		least = s.window < least ? s.window : least;
		c.seq = s.ack;
	}
	assert_true(least < strlen(GET));
	assert_true(c.seq != end);
	/* Now it reads, and repeats what was not acknowledged. */
	for (int i = 0; i < 1000 && pages < 300; i++) {
		rig_advance(250);
		while (rig.count) {
			s = rig_expect_segment();
			for (size_t at = 0; s.seq == c.ack && at + 5 <= s.len; at++)
				pages += memcmp(s.data + at, "</h1>", 5) == 0;
			if (s.seq == c.ack)
				c.ack += (uint32_t)s.len;
			c.seq = s.ack;
		}
		for (uint32_t at = c.seq; at != end && at - c.seq < 3000;) {
			size_t in = (at - ISN - 1) % strlen(GET);

			s = c;
			s.seq = at;
			s.data = (const uint8_t *)GET + in;
			s.len = strlen(GET) - in;
			rig_segment(&s);
			at += (uint32_t)s.len;
		}
		rig_segment(&c);
	}
	assert_int_equal(c.seq, end);
	assert_true(pages >= 299); /* one tag may have been cut by a segment's end */
}

static void
test_reset(void **state)
{
	struct rig_segment c = open_usual(false), rst = c, s;

	(void)state;
	rst.flags = RIG_RST;
	rst.seq = c.seq + 4096; /* outside the window: nothing */
	rig_segment(&rst);
	rig_expect_silence();
	rst.seq = c.seq + 1; /* inside: a challenge, and only one */
	rig_segment(&rst);
	rig_segment(&rst);
	expect_ack(&c);
	rig_expect_silence();
	rig_say(&c, GET);
	expect_page(&c, false);
	rst.seq = c.seq;
	rig_segment(&rst);
	rig_expect_silence();
	rig_segment(&c);
	s = expect_reset();
	assert_int_equal(s.seq, c.ack);
}

static void
test_syn_and_ack_in_connection(void **state)
{
	struct rig_segment c = open_usual(false), s = c;

	(void)state;
	s.flags = RIG_SYN;
	rig_segment(&s);
	expect_ack(&c);
	rig_advance(1000);
	s = c;
	s.ack += 1; /* of what was never sent */
	s.data = (const uint8_t *)GET;
	s.len = strlen(GET);
	rig_segment(&s);
	expect_ack(&c);
	rig_advance(1000);
	s.ack = c.ack - 100000; /* of long ago */
	rig_segment(&s);
	expect_ack(&c);
	rig_say(&c, GET);
	expect_page(&c, false);
}

static void
test_bad_handshake_ack(void **state)
{
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN, .window = WINDOW }, s;

	(void)state;
	rig_boot_usual(false);
	rig_segment(&c);
	s = rig_expect_segment();
	c = (struct rig_segment){ .client_port = PORT, .seq = ISN + 1, .ack = s.seq + 2, .flags = RIG_ACK, .window = WINDOW };
	rig_segment(&c);
	assert_int_equal(expect_reset().seq, c.ack);
	c.ack = s.seq + 1;
	rig_say(&c, GET);
	expect_page(&c, false);
}

/* The same port again: a later SYN opens, an earlier one is challenged and the client's RST clears the way. */
static void
test_time_wait(void **state)
{
	struct rig_segment c, again;

	(void)state;
	for (int later = 0; later < 2; later++) {
		c = open_usual(false);
		rig_say(&c, GET_CLOSE);
		expect_page(&c, true);
		say_fin(&c);
		expect_ack(&c);
		again = c;
		again.seq--; /* its FIN once more */
		again.flags |= RIG_FIN;
		rig_segment(&again);
		expect_ack(&c);
		again = (struct rig_segment){ .client_port = PORT, .seq = later ? c.seq + 1 : c.seq - 5000, .flags = RIG_SYN, .window = WINDOW };
		if (!later) {
			rig_segment(&again);
			expect_ack(&c);
			again = (struct rig_segment){ .client_port = PORT, .seq = c.seq, .flags = RIG_RST };
			rig_segment(&again);
		}
		(void)rig_connect(PORT, later ? c.seq + 1 : c.seq - 5000, 1460, WINDOW);
	}
	/* And time alone clears it. */
	c = open_usual(false);
	rig_say(&c, GET_CLOSE);
	expect_page(&c, true);
	say_fin(&c);
	expect_ack(&c);
	rig_advance(60000);
	(void)rig_connect(PORT, c.seq - 5000, 1460, WINDOW);
}

static void
test_table_full_of_closed(void **state)
{
	(void)state;
	rig_boot_usual(false);
	for (unsigned i = 0; i < 1000; i++) {
		struct rig_segment c = rig_connect((uint16_t)(1024 + i), ISN, 1460, WINDOW);

		rig_say(&c, GET_CLOSE);
		expect_page(&c, true);
		say_fin(&c);
		expect_ack(&c);
		rig_advance(1);
	}
}

static void
test_oldest_idle_gives_way(void **state)
{
	struct rig_segment conns[LIMIT_TCP_CONNS], extra;

	(void)state;
	rig_boot_usual(false);
	for (unsigned i = 0; i < LIMIT_TCP_CONNS; i++) {
		conns[i] = rig_connect((uint16_t)(1024 + i), ISN, 1460, WINDOW);
		rig_advance(1);
	}
	/* All but one have been used since. */
	for (unsigned i = 0; i < LIMIT_TCP_CONNS; i++) {
		if (i == 7)
			continue;
		rig_say(&conns[i], GET);
		expect_page(&conns[i], false);
	}
	extra = (struct rig_segment){ .client_port = 5000, .seq = ISN, .flags = RIG_SYN, .window = WINDOW, .mss = 1460 };
	rig_segment(&extra);
	assert_int_equal(expect_reset().client_port, 1024 + 7);
	assert_int_equal(rig_expect_segment().flags, RIG_SYN | RIG_ACK);
	rig_expect_silence();
}

/* SYNs from everywhere replace each other, not the clients that are connected. */
static void
test_syn_flood(void **state)
{
	struct rig_segment c[40], syn = { .flags = RIG_SYN, .seq = ISN, .window = WINDOW };

	(void)state;
	rig_boot_usual(true);
	for (unsigned i = 0; i < 40; i++)
		c[i] = rig_connect((uint16_t)(1024 + i), ISN, 1460, WINDOW);
	for (unsigned i = 0; i < 5000; i++) {
		syn.client_port = (uint16_t)(2000 + i);
		rig_segment(&syn);
		assert_int_equal(rig_expect_segment().flags, RIG_SYN | RIG_ACK);
	}
	for (unsigned i = 0; i < 40; i++) {
		rig_say(&c[i], GET);
		expect_page(&c[i], false);
	}
	rig_drop_all();
	rig_advance(40000);
	assert_true(rig.count < 6 * LIMIT_TCP_HALF_OPEN);
	rig_drop_all();
	rig_advance(1000000);
	rig_expect_silence();
}

static void
test_sequence_numbers_differ(void **state)
{
	struct rig_segment syn = { .client_port = 1, .flags = RIG_SYN, .window = WINDOW };
	uint32_t first, second;

	(void)state;
	rig_boot_usual(false);
	rig_segment(&syn);
	first = rig_expect_segment().seq;
	syn.client_port = 2;
	rig_segment(&syn);
	second = rig_expect_segment().seq;
	assert_true(first - second > 100000 && second - first > 100000);
	/* For one peer they grow with time. */
	rig.net.tcp.conns[0].state = TCP_FREE;
	rig_advance(100);
	rig_drop_all();
	syn.client_port = 1;
	rig_segment(&syn);
	assert_int_equal(rig_expect_segment().seq - first, 25000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_close),
		cmocka_unit_test(test_client_closes_first),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_simultaneous_close),
		cmocka_unit_test(test_closed_ports),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_bad_checksum_and_headers),
		cmocka_unit_test(test_odd_options),
		cmocka_unit_test(test_mss),
		cmocka_unit_test(test_reordered),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_islands),
		cmocka_unit_test(test_duplicates_and_overlap),
		cmocka_unit_test(test_fin_before_data),
		cmocka_unit_test(test_beyond_the_window),
		cmocka_unit_test(test_sequence_wrap),
		cmocka_unit_test(test_lost_syn_ack),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_slow_path),
		cmocka_unit_test(test_fast_resend),
		cmocka_unit_test(test_zero_window),
		cmocka_unit_test(test_our_window_closes),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_syn_and_ack_in_connection),
		cmocka_unit_test(test_bad_handshake_ack),
		cmocka_unit_test(test_time_wait),
		cmocka_unit_test(test_table_full_of_closed),
		cmocka_unit_test(test_oldest_idle_gives_way),
		cmocka_unit_test(test_syn_flood),
		cmocka_unit_test(test_sequence_numbers_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
