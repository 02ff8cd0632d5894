/*
 * tcp_trouble_test: the hello image's TCP when segments are lost, windows close, and its table is
 * full
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vm/hello/talk.h"

static void
test_lost_syn_ack(void **state)
{
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN,
	    .window = WINDOW, .mss = 1460 }, s;
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

/*
 * A client 300 ms away: the time-out grows with what was measured, and repeated segments are not
 * measured.
 */
static void
test_slow_path(void **state)
{
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN,
	    .window = WINDOW, .mss = 1460 }, s;

	(void)state;
	rig_boot_usual(false);
	rig_segment(&c);
	s = rig_expect_segment();
	rig_advance(300);
	c = (struct rig_segment){ .client_port = PORT, .seq = s.ack, .ack = s.seq + 1,
	    .flags = RIG_ACK, .window = WINDOW };
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

/*
 * A client that sends requests without reading replies: our window closes, and opens again when it
 * reads.
 */
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
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN,
	    .window = WINDOW }, s;

	(void)state;
	rig_boot_usual(false);
	rig_segment(&c);
	s = rig_expect_segment();
	c = (struct rig_segment){ .client_port = PORT, .seq = ISN + 1, .ack = s.seq + 2,
	    .flags = RIG_ACK, .window = WINDOW };
	rig_segment(&c);
	assert_int_equal(expect_reset().seq, c.ack);
	c.ack = s.seq + 1;
	rig_say(&c, GET);
	expect_page(&c, false);
}

/*
 * The same port again: a later SYN opens, an earlier one is challenged and the client's RST clears
 * the way.
 */
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
		again = (struct rig_segment){ .client_port = PORT, .seq = later ? c.seq +
		    1 : c.seq - 5000, .flags = RIG_SYN, .window = WINDOW };
		if (!later) {
			rig_segment(&again);
			expect_ack(&c);
			again = (struct rig_segment){ .client_port = PORT, .seq = c.seq,
			    .flags = RIG_RST };
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
	extra = (struct rig_segment){ .client_port = 5000, .seq = ISN, .flags = RIG_SYN,
	    .window = WINDOW, .mss = 1460 };
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
