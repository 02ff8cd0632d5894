/*
 * fuzz_hello: the hello image's stack against any frames and any times.
 *
 * The input is a list of steps.  Each begins with an octet that chooses: a raw frame to the image,
 * an IP packet whose headers and checksums are made right, a TCP segment whose numbers are near
 * those that the image expects, or time that passes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vm/hello/ip.h"
#include "vm/hello/net.h"
#include "vm/hello/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t own_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 },
    peer_mac[6] = { 2, 0, 0, 0, 0, 1 };
static struct net net;
static struct config config;
static uint64_t now_ms;

static void
send_cb(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	(void)frame;
	if (len < 42 || len > 1514)
		abort();
}

static void
report_cb(void *arg, const char *line)
{
	(void)arg;
	if (strlen(line) > 200)
		abort();
}

static void
check(void)
{
	for (const struct tcp_conn *c = net.tcp.conns; c < net.tcp.conns + LIMIT_TCP_CONNS; c++) {
		if (c->state == TCP_FREE)
			continue;
		if (c->rx_len > LIMIT_TCP_RX_BYTES || c->tx_len > LIMIT_TCP_TX_BYTES ||
		    c->range_count > LIMIT_TCP_RANGES)
			abort();
		if ((int32_t)(c->snd_nxt - c->snd_una) < 0 ||
		    (int32_t)(c->snd_max - c->snd_nxt) < 0)
			abort();
	}
}

static void
input(const uint8_t *frame, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	if (exact == NULL)
		abort();
	memcpy(exact, frame, len);
	net_input(&net, exact, len, now_ms);
	free(exact);
	if (net_run_timers(&net, now_ms) <= now_ms)
		abort();
	check();
}

/*
 * An IP packet from the peer with that payload; the checksum at the offset in it is made right, if
 * there is one.
 */
static void
packet(bool v6, uint8_t proto, uint8_t *payload, size_t len, size_t checksum_at)
{
	const struct addr *dst = &config.address[v6 ? CONFIG_V6 : CONFIG_V4];
	struct addr src = v6 ? addr_link_local(peer_mac) :
	    addr_v4((const uint8_t[]){ 10, 77, 0, 1 });
	uint8_t frame[1600];
	struct wire_out w = wire_out(frame, sizeof(frame));

	if (checksum_at + 2 <= len) {
		uint16_t sum;

		payload[checksum_at] = payload[checksum_at + 1] = 0;
		sum = proto == IP_ICMP ? ip_checksum(payload, len) :
		    ip_pseudo_checksum(&src, dst, proto, payload, len);
		payload[checksum_at] = (uint8_t)(sum >> 8);
		payload[checksum_at + 1] = (uint8_t)sum;
	}
	wire_put(&w, own_mac, 6);
	wire_put(&w, peer_mac, 6);
	wire_put_u16(&w, v6 ? NET_IP6 : NET_IP4);
	if (v6) {
		wire_put_u32(&w, 6u << 28);
		wire_put_u16(&w, (uint16_t)len);
		wire_put_u8(&w, proto);
		wire_put_u8(&w, 255);
		wire_put(&w, src.b, 16);
		wire_put(&w, dst->b, 16);
	} else {
		wire_put_u16(&w, 0x4500);
		wire_put_u16(&w, (uint16_t)(20 + len));
		wire_put_u32(&w, 0);
		wire_put_u8(&w, 64);
		wire_put_u8(&w, proto);
		wire_put_u16(&w, 0);
		wire_put(&w, src.b + 12, 4);
		wire_put(&w, dst->b + 12, 4);
		wire_patch_u16(&w, 24, ip_checksum(frame + 14, 20));
	}
	wire_put(&w, payload, len);
	input(frame, w.len);
}

/* Numbers near those of one of the first connections; the rest is data. */
static void
segment(bool v6, struct wire_in *w, const uint8_t *data, size_t len)
{
	const struct tcp_conn *c = &net.tcp.conns[wire_u8(w) % 4];
	uint8_t near_seq = wire_u8(w), near_ack = wire_u8(w), bytes[600];
	struct wire_out out = wire_out(bytes, sizeof(bytes));

	wire_put_u16(&out, (uint16_t)(1000 + (c - net.tcp.conns)));
	wire_put_u16(&out, 80);
	wire_put_u32(&out, c->rcv_nxt + (uint32_t)(int8_t)near_seq);
	wire_put_u32(&out, c->snd_max + (uint32_t)(int8_t)near_ack);
	wire_put_u8(&out, 0x50);
	wire_put_u8(&out, wire_u8(w));
	wire_put_u16(&out, wire_u16(w));
	wire_put_u32(&out, 0);
	wire_put(&out, data, len);
	packet(v6, IP_TCP, bytes, out.len, 16);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct net_ops ops = { send_cb, report_cb };
	static const uint8_t seed[8] = { 1 };
	struct wire_in w = wire_in(data, size);
	size_t line_len = wire_u8(&w);
	char line[256] = "ip=10.77.0.10/24 ip=fd77::a:1/64 ";
	const uint8_t *rest = wire_take(&w, line_len < 200 ? line_len : 0);

	if (rest != NULL && line_len < 200)
		memcpy(line + strlen(line), rest, line_len);
	config_parse(&config, line, (void (*)(void *, const char *))report_cb, NULL);
	now_ms = 0;
	for (size_t i = 0; i < LIMIT_TCP_CONNS; i++)
		/* an input means the same each time */
		memset(&net.tcp.conns[i], 0, offsetof(struct tcp_conn, rx));
	net_init(&net, &config, own_mac, seed, &ops, NULL);
	net_announce(&net);
	while (w.left && !w.bad) {
		uint8_t step = wire_u8(&w), bytes[512];
		size_t len = wire_u16(&w) % sizeof(bytes);
		const uint8_t *body;
		bool v6 = step & 4;

		if (len > w.left)
			len = w.left;
		body = wire_take(&w, len);
		if (body == NULL)
			break;
		memcpy(bytes, body, len);
		switch (step & 3) {
		case 0:
			input(bytes, len);
			break;
		case 1:
			packet(v6, v6 ? IP_ICMP6 : step & 8 ? IP_TCP : IP_ICMP, bytes, len,
			    step & 8 && !v6 ? 16 : 2);
			break;
		case 2:
			segment(v6, &w, bytes, len);
			break;
		default:
			now_ms += (uint64_t)len * (step >> 3);
			if (net_run_timers(&net, now_ms) <= now_ms)
				abort();
			check();
			break;
		}
	}
	return 0;
}
