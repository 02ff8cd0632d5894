/*
 * tcp_test: the hello image's TCP against a client that opens and closes in every way, and swaps,
 * repeats and forges segments
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vm/hello/talk.h"

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
	struct rig_segment c = { .client_port = PORT, .server_port = 81, .seq = ISN,
	    .flags = RIG_SYN, .window = WINDOW }, s;

	(void)state;
	rig_boot_usual(false);
	rig_segment(&c);
	s = expect_reset();
	assert_int_equal(s.flags, RIG_RST | RIG_ACK);
	assert_int_equal(s.ack, ISN + 1);
	assert_int_equal(s.server_port, 81);
	/* A stray ACK to the open port. */
	c = (struct rig_segment){ .client_port = PORT, .seq = ISN, .ack = 77, .flags = RIG_ACK,
	    .window = WINDOW };
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
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN,
	    .window = WINDOW };

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
	struct rig_segment c = { .client_port = PORT, .seq = ISN, .flags = RIG_SYN,
	    .window = WINDOW, .bad_checksum = true };
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
	/*
	 * kinds and lengths that end early, are zero or reach too far; then an MSS behind NOPs that
	 * counts
	 */
	static const uint8_t options[][4] = { { 2, 4, 1, 0 }, { 2, 0, 0, 0 }, { 2, 1, 0, 0 },
	    { 2, 9, 1, 1 }, { 0, 2, 4, 1 }, { 1, 1, 1, 2 },
		{ 253, 4, 0, 0 }, { 2, 3, 1, 1 }, { 1, 2, 2, 1 } };

	(void)state;
	rig_boot_usual(false);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct rig_segment c = { .client_port = (uint16_t)(PORT + i), .seq = ISN,
		    .flags = RIG_SYN, .window = WINDOW, .mss = 1 };
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
	} cases[] = { { false, 0, 536 }, { false, 1460, 1460 }, { false, 9000, 1460 },
	    { false, 100, 100 }, { false, 1, 64 }, { true, 0, 1220 },
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

/*
 * One byte a segment, backwards: more islands than are kept, so the client has to send some again.
 */
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
		c = (struct rig_segment){ .client_port = PORT, .seq = 0u - back, .flags = RIG_SYN,
		    .window = WINDOW, .mss = 1460 };
		rig_segment(&c);
		s = rig_expect_segment();
		/*
		 * Initial sequence numbers follow a clock of 250 per millisecond: wait until they
		 * are about to wrap.
		 */
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
