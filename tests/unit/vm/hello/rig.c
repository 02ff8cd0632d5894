/* rig: the other end of the hello image's link */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vm/hello/rig.h"

struct rig rig;

static void
captured(void *arg, const uint8_t *frame, size_t len)
{
	struct rig_frame *f = &rig.frames[(rig.first + rig.count) % RIG_FRAMES];

	(void)arg;
	assert_true(rig.count < RIG_FRAMES);
	assert_true(len <= 1514);
	memcpy(f->bytes, frame, len);
	f->len = len;
	rig.count++;
}

static void
complained(void *arg, const char *line)
{
	(void)arg;
	snprintf(rig.report, sizeof(rig.report), "%s", line);
}

void
rig_boot(const char *cmdline)
{
	static const struct net_ops ops = { captured, complained };
	static const uint8_t seed[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	memset(&rig, 0xa5, sizeof(rig)); /* the guest does not clear its memory either */
	rig.first = rig.count = 0;
	rig.now_ms = 0;
	rig.report[0] = '\0';
	memcpy(rig.client_mac, "\x02\0\0\0\0\x01", 6);
	memcpy(rig.server_mac, "\x52\x54\0\x12\x34\x56", 6);
	config_parse(&rig.config, cmdline, complained, NULL);
	net_init(&rig.net, &rig.config, rig.server_mac, seed, &ops, NULL);
	net_announce(&rig.net);
	rig.deadline_ms = net_run_timers(&rig.net, 0);
	assert_true(rig.deadline_ms == NET_NEVER);
}

void
rig_boot_usual(bool v6)
{
	rig_boot("name=" RIG_NAME " ip=10.77.0.10/24 gw=10.77.0.1 ip=fd77::a:1/64 gw=fd77::1");
	rig.v6 = v6;
	assert_true(addr_parse(v6 ? "fd77::1" : "10.77.0.1", v6 ? 7 : 9, &rig.client));
	rig.server = rig.config.address[v6 ? CONFIG_V6 : CONFIG_V4];
	rig_drop_all();
	rig_advance(2000); /* past duplicate address detection */
}

void
rig_input(const uint8_t *frame, size_t len)
{
	uint8_t exact[1700];

	/* The exact length, at the end of a buffer: sanitizers see a read beyond it. */
	assert_true(len <= sizeof(exact));
	memcpy(exact + sizeof(exact) - len, frame, len);
	net_input(&rig.net, exact + sizeof(exact) - len, len, rig.now_ms);
	rig.deadline_ms = net_run_timers(&rig.net, rig.now_ms);
}

void
rig_advance(uint64_t ms)
{
	uint64_t end = rig.now_ms + ms;

	while (rig.deadline_ms <= end) {
		rig.now_ms = rig.deadline_ms > rig.now_ms ? rig.deadline_ms : rig.now_ms;
		rig.deadline_ms = net_run_timers(&rig.net, rig.now_ms);
		assert_true(rig.deadline_ms > rig.now_ms);
	}
	rig.now_ms = end;
}

const struct rig_frame *
rig_take(void)
{
	const struct rig_frame *f = &rig.frames[rig.first];

	if (rig.count == 0)
		return NULL;
	rig.first = (rig.first + 1) % RIG_FRAMES;
	rig.count--;
	return f;
}

void
rig_drop_all(void)
{
	rig.count = 0;
}

uint16_t
rig_checksum(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t
rig_pseudo(uint8_t proto, const uint8_t *payload, size_t len)
{
	size_t skip = rig.v6 ? 0 : 12;
	uint16_t head = (uint16_t)~rig_checksum(rig.client.b + skip, 16 - skip,
	    proto + (uint32_t)len);

	head = (uint16_t)~rig_checksum(rig.server.b + skip, 16 - skip, head);
	return rig_checksum(payload, len, head);
}

static void
put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static unsigned
get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void
put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

static uint32_t
get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

size_t
rig_ip_frame(uint8_t *frame, uint8_t proto, const uint8_t *payload, size_t len)
{
	uint8_t *ip = frame + 14;
	size_t head = rig.v6 ? 40 : 20;

	memcpy(frame, rig.server_mac, 6);
	memcpy(frame + 6, rig.client_mac, 6);
	memset(ip, 0, head);
	if (rig.v6) {
		put16(frame + 12, 0x86dd);
		ip[0] = 0x60;
		put16(ip + 4, (unsigned)len);
		ip[6] = proto;
		ip[7] = 255;
		memcpy(ip + 8, rig.client.b, 16);
		memcpy(ip + 24, rig.server.b, 16);
	} else {
		put16(frame + 12, 0x0800);
		ip[0] = 0x45;
		put16(ip + 2, (unsigned)(20 + len));
		ip[6] = 0x40; /* DF, as Linux sends */
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, rig.client.b + 12, 4);
		memcpy(ip + 16, rig.server.b + 12, 4);
		put16(ip + 10, rig_checksum(ip, 20, 0));
	}
	memcpy(ip + head, payload, len);
	return 14 + head + len;
}

void
rig_ip(uint8_t proto, const uint8_t *payload, size_t len)
{
	uint8_t frame[1600];

	rig_input(frame, rig_ip_frame(frame, proto, payload, len));
}

size_t
rig_segment_bytes(uint8_t *out, const struct rig_segment *s)
{
	size_t head = s->mss ? 24 : 20;

	memset(out, 0, head);
	put16(out, s->client_port);
	put16(out + 2, s->server_port ? s->server_port : 80);
	put32(out + 4, s->seq);
	put32(out + 8, s->ack);
	out[12] = (uint8_t)(head / 4 << 4);
	out[13] = s->flags;
	put16(out + 14, s->window);
	if (s->mss) {
		out[20] = 2;
		out[21] = 4;
		put16(out + 22, s->mss);
	}
	if (s->len)
		memcpy(out + head, s->data, s->len);
	put16(out + 16, rig_pseudo(6, out, head + s->len) ^ (s->bad_checksum ? 0x100 : 0));
	return head + s->len;
}

void
rig_segment(const struct rig_segment *s)
{
	uint8_t bytes[1600];

	rig_ip(6, bytes, rig_segment_bytes(bytes, s));
}

struct rig_segment
rig_expect_segment(void)
{
	const struct rig_frame *f = rig_take();
	size_t head = rig.v6 ? 40 : 20, len, tcp_head;
	struct rig_segment s = { 0 };
	const uint8_t *ip, *tcp;

	assert_non_null(f);
	ip = f->bytes + 14;
	tcp = ip + head;
	assert_memory_equal(f->bytes, rig.client_mac, 6);
	assert_memory_equal(f->bytes + 6, rig.server_mac, 6);
	assert_int_equal(get16(f->bytes + 12), rig.v6 ? 0x86dd : 0x0800);
	len = rig.v6 ? get16(ip + 4) : get16(ip + 2) - 20;
	assert_int_equal(f->len, 14 + head + len);
	assert_int_equal(rig.v6 ? ip[6] : ip[9], 6);
	if (!rig.v6)
		assert_int_equal(rig_checksum(ip, 20, 0), 0);
	assert_memory_equal(rig.v6 ? ip + 8 : ip + 12, rig.server.b + (rig.v6 ? 0 : 12),
	    rig.v6 ? 16 : 4);
	assert_memory_equal(rig.v6 ? ip + 24 : ip + 16, rig.client.b + (rig.v6 ? 0 : 12),
	    rig.v6 ? 16 : 4);
	assert_int_equal(rig_pseudo(6, tcp, len), 0);
	tcp_head = (size_t)(tcp[12] >> 4) * 4;
	s.server_port = (uint16_t)get16(tcp);
	s.client_port = (uint16_t)get16(tcp + 2);
	s.seq = get32(tcp + 4);
	s.ack = get32(tcp + 8);
	s.flags = tcp[13];
	s.window = (uint16_t)get16(tcp + 14);
	s.mss = tcp_head == 24 && tcp[20] == 2 ? (uint16_t)get16(tcp + 22) : 0;
	s.data = tcp + tcp_head;
	s.len = len - tcp_head;
	return s;
}

void
rig_expect_silence(void)
{
	assert_int_equal(rig.count, 0);
}

struct rig_segment
rig_connect(uint16_t client_port, uint32_t isn, uint16_t mss, uint16_t window)
{
	struct rig_segment c = { .client_port = client_port, .seq = isn, .flags = RIG_SYN,
	    .window = window, .mss = mss }, s;

	rig_segment(&c);
	s = rig_expect_segment();
	assert_int_equal(s.flags, RIG_SYN | RIG_ACK);
	assert_int_equal(s.ack, (uint32_t)(isn + 1));
	assert_int_equal(s.client_port, client_port);
	assert_int_equal(s.mss, rig.v6 ? 1220 : 1460);
	c = (struct rig_segment){ .client_port = client_port, .seq = s.ack, .ack = s.seq + 1,
	    .flags = RIG_ACK, .window = window };
	rig_segment(&c);
	rig_expect_silence();
	return c;
}

void
rig_say(struct rig_segment *c, const char *text)
{
	struct rig_segment s = *c;

	s.data = (const uint8_t *)text;
	s.len = strlen(text);
	s.flags |= RIG_PSH;
	rig_segment(&s);
	c->seq += (uint32_t)s.len;
}

bool
rig_listen(struct rig_segment *c, char *text, size_t cap)
{
	size_t used = 0;
	bool fin = false;

	while (rig.count) {
		struct rig_segment s = rig_expect_segment();

		assert_int_equal(s.flags & (RIG_RST | RIG_SYN), 0);
		assert_int_equal(s.ack, c->seq);
		if (s.len == 0 && !(s.flags & RIG_FIN))
			continue;
		assert_int_equal(s.seq, c->ack);
		assert_true(used + s.len < cap);
		memcpy(text + used, s.data, s.len);
		used += s.len;
		fin = s.flags & RIG_FIN;
		c->ack += (uint32_t)s.len + fin;
		rig_segment(c);
	}
	text[used] = '\0';
	return fin;
}
