/*
 * storm_test: whole conversations over a link that loses, repeats and swaps frames both
 * ways, and noise
 *
 * The client is a go-back-N TCP: it takes data in order only and repeats all that was not
 * acknowledged. Everything is drawn from a fixed seed, so a failure repeats itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vm/hello/rig.h"

#define REQUEST  "GET / HTTP/1.1\r\nHost: www.example.test\r\nAccept: */*\r\n\r\n"
#define LAST     "GET / HTTP/1.1\r\nHost: www\r\nConnection: close\r\n\r\n"
#define REQUESTS 40
#define IN_AIR   64

static uint32_t random_state;

static uint32_t
draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % below;
}

/* The client's end of one conversation. */
static struct client {
	char out[REQUESTS * 80], in[REQUESTS * 600];
	size_t out_len, in_len;
	uint32_t isn, una, rcv_nxt; /* una: first byte that the image has not acknowledged */
	bool connected, fin_seen, fin_sent, reset;
	uint16_t port, window;
	struct rig_segment air[IN_AIR]; /* on its way to the image */
	uint8_t air_data[IN_AIR][512];
	unsigned in_air;
	unsigned loss; /* percent */
} cl;

static void
launch(struct rig_segment s)
{
	unsigned copies = draw(100) < cl.loss ? 0 : draw(100) < 10 ? 2 : 1;

	while (copies-- && cl.in_air < IN_AIR) {
		if (s.len)
			memcpy(cl.air_data[cl.in_air], s.data, s.len);
		s.data = cl.air_data[cl.in_air];
		cl.air[cl.in_air++] = s;
	}
}

static struct rig_segment
blank(uint8_t flags)
{
	return (struct rig_segment){ .client_port = cl.port, .flags = flags, .seq = cl.una,
	    .ack = cl.rcv_nxt, .window = cl.window };
}

/* Sends all that is unacknowledged, in pieces of any size. */
static void
client_send(void)
{
	size_t at = cl.una - cl.isn - 1;
	struct rig_segment s;

	if (!cl.connected) {
		s = blank(RIG_SYN);
		s.seq = cl.isn;
		s.mss = 536;
		launch(s);
		return;
	}
	while (at < cl.out_len) {
		size_t n = 1 + draw(400);

		s = blank(RIG_ACK);
		s.seq = cl.isn + 1 + (uint32_t)at;
		s.data = (const uint8_t *)cl.out + at;
		s.len = n < cl.out_len - at ? n : cl.out_len - at;
		launch(s);
		at += s.len;
	}
	if (cl.fin_seen) {
		s = blank(RIG_ACK | RIG_FIN);
		s.seq = cl.isn + 1 + (uint32_t)cl.out_len;
		launch(s);
		cl.fin_sent = true;
	}
}

static void
client_receive(struct rig_segment s)
{
	if (s.flags & RIG_RST) {
		cl.reset = true;
		return;
	}
	if (s.flags & RIG_SYN) {
		cl.connected = true;
		cl.rcv_nxt = s.seq + 1;
		cl.una = cl.isn + 1;
		launch(blank(RIG_ACK));
		return;
	}
	if ((int32_t)(s.ack - cl.una) > 0)
		cl.una = s.ack;
	if (s.seq == cl.rcv_nxt && (s.len || (s.flags & RIG_FIN))) {
		assert_true(cl.in_len + s.len < sizeof(cl.in));
		memcpy(cl.in + cl.in_len, s.data, s.len);
		cl.in_len += s.len;
		cl.rcv_nxt += (uint32_t)s.len;
		if ((s.flags & RIG_FIN) && !cl.fin_seen) {
			cl.fin_seen = true;
			cl.rcv_nxt++;
		}
	}
	if (s.len || (s.flags & RIG_FIN))
		launch(blank(RIG_ACK));
}

/* One turn: some frames arrive on either side, in any order, and time passes. */
static void
turn(void)
{
	while (cl.in_air && draw(4)) {
		unsigned i = draw(3) ? 0 : draw(cl.in_air);
		struct rig_segment s = cl.air[i];

		s.data = cl.air_data[i];
		rig_segment(&s);
		cl.in_air--;
		cl.air[i] = cl.air[cl.in_air];
		memcpy(cl.air_data[i], cl.air_data[cl.in_air], sizeof(cl.air_data[i]));
	}
	while (rig.count && draw(8)) {
		struct rig_segment s = rig_expect_segment();

		if (draw(100) >= cl.loss)
			client_receive(s);
		if (draw(100) < 5)
			client_receive(s);
	}
	rig_advance(draw(60));
}

static void
converse(uint32_t seed, unsigned loss)
{
	const char *at;
	unsigned pages = 0, turns;

	random_state = seed;
	rig_boot_usual(seed % 2);
	memset(&cl, 0, sizeof(cl));
	cl.loss = loss;
	cl.port = 7777;
	cl.isn = 0u - draw(3000);
	cl.window = (uint16_t)(200 + draw(5000));
	for (int i = 0; i < REQUESTS - 1; i++)
		cl.out_len += (size_t)sprintf(cl.out + cl.out_len, REQUEST);
	cl.out_len += (size_t)sprintf(cl.out + cl.out_len, LAST);
	for (turns = 0; turns < 30000 && !(cl.fin_sent && cl.una - cl.isn == cl.out_len + 2) &&
	    !cl.reset; turns++) {
		if (turns % 12 == 0)
			client_send();
		turn();
	}
	if (turns == 30000 || cl.reset)
		fail_msg("seed %u, loss %u %%: %s after %u turns", seed, loss, cl.reset ? "reset" :
		    "stuck", turns);
	cl.in[cl.in_len] = '\0';
	for (at = cl.in; strncmp(at, "HTTP/1.1 200 OK\r\n", 17) == 0; pages++) {
		at = strstr(at, "\r\n\r\n");
		assert_non_null(at);
		at = strstr(at, " seconds ago");
		assert_non_null(at);
		at = strchr(at, '\n') + 1;
	}
	assert_int_equal(pages, REQUESTS);
	assert_int_equal(*at, '\0');
	assert_int_equal(rig.net.tcp.conns[0].state, TCP_TIME_WAIT);
}

static void
test_conversations(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 60; seed++)
		converse(seed, seed % 3 * 15);
}

/* The image keeps in order whatever comes; afterwards it still serves. */
static void
check_whole(void)
{
	for (const struct tcp_conn *c = rig.net.tcp.conns; c < rig.net.tcp.conns + LIMIT_TCP_CONNS;
	    c++) {
		if (c->state == TCP_FREE)
			continue;
		assert_in_range(c->state, TCP_FREE, TCP_TIME_WAIT);
		assert_true(c->rx_len <= LIMIT_TCP_RX_BYTES && c->tx_len <= LIMIT_TCP_TX_BYTES);
		assert_true(c->range_count <= LIMIT_TCP_RANGES);
		assert_true((int32_t)(c->snd_nxt - c->snd_una) >= 0 &&
		    (int32_t)(c->snd_max - c->snd_nxt) >= 0);
	}
}

/* Right frames with some bytes changed, checksums kept wrong or made right. */
static void
test_noise(void **state)
{
	struct rig_segment good = { .client_port = 9999, .flags = RIG_SYN, .window = 1000,
	    .mss = 1460 }, c;
	uint8_t bytes[200], frame[300];

	(void)state;
	random_state = 4711;
	for (int round = 0; round < 200000; round++) {
		size_t len, n = draw(4);

		if (round % 20000 == 0)
			rig_boot_usual(draw(2));
		good.client_port = (uint16_t)(9000 + draw(4));
		good.flags = (uint8_t)draw(32);
		good.seq = draw(5) ? rig.net.tcp.conns[draw(4)].rcv_nxt + draw(9) - 4
		    : draw(UINT32_MAX);
		good.ack = draw(5) ? rig.net.tcp.conns[draw(4)].snd_nxt + draw(9) - 4
		    : draw(UINT32_MAX);
		good.mss = draw(2) ? 1460 : 0;
		good.data = (const uint8_t *)REQUEST;
		good.len = draw(3) ? draw(sizeof(REQUEST)) : 0;
		good.window = (uint16_t)draw(2000);
		len = rig_ip_frame(frame, 6, bytes, rig_segment_bytes(bytes, &good));
		while (n--)
			frame[draw((uint32_t)len)] ^= (uint8_t)(1u << draw(8));
		rig_input(frame, draw(8) ? len : draw((uint32_t)len));
		if (draw(10) == 0)
			rig_advance(draw(5000));
		rig_drop_all();
		if (round % 100 == 0)
			check_whole();
	}
	c = rig_connect(12345, 1, 1460, 64240);
	rig_say(&c, REQUEST);
	assert_true(rig_expect_segment().len > 100);
}

static void
test_random_bytes(void **state)
{
	static const uint8_t types[][2] = { { 8, 0 }, { 8, 6 }, { 0x86, 0xdd }, { 0x88, 0xcc } };
	uint8_t frame[128];

	(void)state;
	random_state = 99;
	rig_boot_usual(true);
	for (int round = 0; round < 200000; round++) {
		size_t len = draw(sizeof(frame));

		for (size_t i = 0; i < sizeof(frame); i++)
			frame[i] = (uint8_t)draw(256);
		memcpy(frame, rig.server_mac, 6);
		memcpy(frame + 12, types[draw(4)], 2);
		rig_input(frame, len);
		rig_drop_all();
	}
	check_whole();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
