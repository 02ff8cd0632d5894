/* frame_test: parsing and building of frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "tests/unit/vm/guest.h"
#include "vm/sentinel/frame.h"

/* Made by another program from the RFCs. */
static const uint8_t syn_v4[] = {
	0x02, 0x00, 0x00, 0x00, 0x00, 0xaa, 0x02, 0x00, 0x00, 0x00, 0x00, 0x11, 0x08, 0x00,
	0x45, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0x26, 0x28, 0x0a, 0x4d,
	0x00, 0x01, 0x0a, 0x4d, 0x00, 0x0a, 0xef, 0x32, 0x00, 0x50, 0x01, 0x02, 0x03, 0x04,
	0x00, 0x00, 0x00, 0x00, 0x60, 0x02, 0xff, 0xff, 0x8f, 0xf9, 0x00, 0x00, 0x02, 0x04,
	0x05, 0xb4,
};
static const uint8_t solicit[] = {
	0x02, 0x00, 0x00, 0x00, 0x00, 0xaa, 0x02, 0x00, 0x00, 0x00, 0x00, 0x11, 0x86, 0xdd,
	0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0xfd, 0x77, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0xfd, 0x77, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x87, 0x00,
	0x7d, 0x16, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x77, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x01, 0x01, 0x02, 0x00, 0x00, 0x00,
	0x00, 0x11,
};

static struct frame_ends
ends_of(const char *src, const char *dst)
{
	struct frame_ends e = {
		.src_mac = { 2, 0, 0, 0, 0, 0x11 }, .dst_mac = { 2, 0, 0, 0, 0, 0xaa },
		.src = guest_addr(src), .dst = guest_addr(dst),
	};

	return e;
}

/* Parses from a heap block of exactly this size, so that the sanitizer sees a read beyond it. */
static bool
parse_exact(const uint8_t *p, size_t len, struct frame *f)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, p, len);
	ok = frame_parse(copy, len, f);
	free(copy);
	return ok;
}

static void
test_syn_bytes(void **state)
{
	struct frame_ends ends = ends_of("10.77.0.1", "10.77.0.10");
	struct frame_tcp tcp = { .sport = 61234, .dport = 80, .seq = 0x01020304,
	    .flags = FRAME_TCP_SYN };
	struct frame_out out;
	struct frame f;

	(void)state;
	assert_true(frame_build_tcp(&out, &ends, &tcp));
	assert_int_equal(out.len, sizeof(syn_v4));
	assert_memory_equal(out.bytes, syn_v4, sizeof(syn_v4));
	assert_true(parse_exact(syn_v4, sizeof(syn_v4), &f));
	assert_int_equal(f.kind, FRAME_TCP);
	assert_int_equal(f.tcp.sport, 61234);
	assert_int_equal(f.tcp.dport, 80);
	assert_int_equal(f.tcp.seq, 0x01020304);
	assert_int_equal(f.tcp.flags, FRAME_TCP_SYN);
	assert_int_equal(addr_cmp(&f.src, &ends.src), 0);
	assert_int_equal(addr_cmp(&f.dst, &ends.dst), 0);
	assert_memory_equal(f.src_mac, ends.src_mac, 6);
	assert_memory_equal(f.dst_mac, ends.dst_mac, 6);
}

static void
test_solicit_bytes(void **state)
{
	struct frame_ends ends = ends_of("fd77::1", "fd77::a");
	struct frame_out out;
	struct frame f;

	(void)state;
	assert_true(frame_build_solicit(&out, &ends, &ends.dst));
	assert_int_equal(out.len, sizeof(solicit));
	assert_memory_equal(out.bytes, solicit, sizeof(solicit));
	assert_true(parse_exact(solicit, sizeof(solicit), &f));
	assert_int_equal(f.kind, FRAME_SOLICIT);
	assert_int_equal(addr_cmp(&f.nd.target, &ends.dst), 0);
	assert_true(f.nd.has_mac);
	assert_memory_equal(f.nd.mac, ends.src_mac, 6);

	ends.src = guest_addr("::");
	assert_true(frame_build_solicit(&out, &ends, &ends.dst));
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_SOLICIT);
	assert_false(f.nd.has_mac);
}

static void
test_round_trips(void **state)
{
	static const char *const pairs[][2] = { { "10.77.0.1", "10.77.0.10" },
	    { "fd77::1", "fd77::a:1" } };
	struct frame_out out;
	struct frame f;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct frame_ends ends = ends_of(pairs[i][0], pairs[i][1]);
		struct frame_echo echo = { .id = 0x6a74, .seq = 65535, .data = "0123456789abcde",
		    .len = 16 };
		struct frame_tcp tcp = { .sport = 1, .dport = 65535, .seq = UINT32_MAX, .ack = 7,
			.flags = FRAME_TCP_RST | FRAME_TCP_ACK };

		assert_true(frame_build_tcp(&out, &ends, &tcp));
		assert_true(parse_exact(out.bytes, out.len, &f));
		assert_int_equal(f.kind, FRAME_TCP);
		assert_int_equal(f.tcp.seq, UINT32_MAX);
		assert_int_equal(f.tcp.ack, 7);
		assert_int_equal(f.tcp.flags, FRAME_TCP_RST | FRAME_TCP_ACK);
		assert_true(frame_build_echo_request(&out, &ends, &echo));
		assert_true(parse_exact(out.bytes, out.len, &f));
		assert_int_equal(f.kind, FRAME_ECHO_REQUEST);
		assert_true(guest_echo_reply(&out, &ends, &echo));
		assert_true(parse_exact(out.bytes, out.len, &f));
		assert_int_equal(f.kind, FRAME_ECHO_REPLY);
		assert_int_equal(f.echo.id, 0x6a74);
		assert_int_equal(f.echo.seq, 65535);
		assert_int_equal(f.echo.len, 16);
		assert_memory_equal(f.echo.data, "0123456789abcde", 16);
	}
}

static void
test_arp(void **state)
{
	struct frame_ends ends = ends_of("0.0.0.0", "0.0.0.0");
	struct frame_arp arp = { .op = 2, .sender_mac = { 2, 0, 0, 0, 0, 0x11 },
		.sender = guest_addr("10.0.0.1"), .target = guest_addr("10.0.0.2") };
	struct frame_out out;
	struct frame f;

	(void)state;
	assert_true(frame_build_arp(&out, &ends, &arp));
	assert_int_equal(out.len, 42);
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_ARP);
	assert_int_equal(f.arp.op, 2);
	assert_int_equal(addr_cmp(&f.arp.sender, &arp.sender), 0);
	assert_int_equal(addr_cmp(&f.arp.target, &arp.target), 0);
	assert_int_equal(f.src.family, 0);
	out.bytes[18] = 8;   /* hardware addresses of eight bytes */
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_OTHER);
	arp.target = guest_addr("fd77::1");
	assert_false(frame_build_arp(&out, &ends, &arp));
	assert_int_equal(out.len, 0);
}

static void
test_mixed_families(void **state)
{
	struct frame_ends ends = ends_of("10.0.0.1", "fd77::1");
	struct frame_tcp tcp = { .flags = FRAME_TCP_SYN };
	struct frame_echo echo = { .len = 4 };
	struct frame_out out;

	(void)state;
	assert_false(frame_build_tcp(&out, &ends, &tcp));
	assert_int_equal(out.len, 0);
	assert_false(frame_build_echo_request(&out, &ends, &echo));
	assert_false(frame_build_solicit(&out, &ends, &ends.dst));
	ends.src.family = ends.dst.family = 0;
	assert_false(frame_build_tcp(&out, &ends, &tcp));
}

static void
test_advert(void **state)
{
	struct frame_ends ends = ends_of("fd77::a", "fd77::1");
	struct frame_out out;
	struct frame f;

	(void)state;
	assert_true(guest_advert(&out, &ends, &ends.src));
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_ADVERT);
	assert_true(f.nd.has_mac);
	out.bytes[14 + 7] = 254;   /* it was forwarded */
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_OTHER);
	assert_int_equal(f.src.family, 0);
}

/* An option of length 0 would never end; one that is longer than the packet reads beyond it. */
static void
test_option_lengths(void **state)
{
	struct frame_ends ends = ends_of("fd77::a", "fd77::1");
	struct frame_out out;
	struct frame f;

	(void)state;
	assert_true(guest_advert(&out, &ends, &ends.src));
	guest_word_set(out.bytes, 14 + 40 + 24, 0x0200, 14 + 40 + 2);
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_OTHER);
	guest_word_set(out.bytes, 14 + 40 + 24, 0x0202, 14 + 40 + 2);
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_OTHER);
	guest_word_set(out.bytes, 14 + 40 + 24, 0x0201, 14 + 40 + 2);
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_ADVERT);
}

/* Cut anywhere, nothing is believed and nothing beyond the end is read. */
static void
test_cut(void **state)
{
	static const struct {
		const uint8_t *p;
		size_t len;
	} frames[] = { { syn_v4, sizeof(syn_v4) }, { solicit, sizeof(solicit) } };
	struct frame f;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t len = 0; len < frames[i].len; len++) {
			assert_int_equal(parse_exact(frames[i].p, len, &f),
			    len >= FRAME_ETHER_BYTES);
			assert_int_equal(f.kind, FRAME_OTHER);
		}
	}
}

static void
check_unreachable(const char *guest, const char *source)
{
	struct frame_ends ends = ends_of(guest, source);
	struct frame_tcp lost = { .sport = 61001, .dport = 80, .flags = FRAME_TCP_SYN };
	struct frame_out out;
	struct frame f;

	assert_true(guest_unreachable(&out, &ends, &lost));
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_UNREACHABLE);
	assert_int_equal(addr_cmp(&f.unreachable.dst, &ends.src), 0);
	assert_int_equal(addr_cmp(&f.src, &ends.src), 0);
	assert_int_equal(f.unreachable.sport, 61001);
	assert_int_equal(f.unreachable.dport, 80);
	for (size_t len = FRAME_ETHER_BYTES; len < out.len; len++) {
		assert_true(parse_exact(out.bytes, len, &f));
		assert_int_equal(f.kind, FRAME_OTHER);
	}
}

/* What did not arrive is quoted within; only a segment of ours counts. */
static void
test_unreachable(void **state)
{
	struct frame_ends ends = ends_of("10.77.0.10", "10.77.0.1");
	struct frame_tcp lost = { .sport = 61001, .dport = 80, .flags = FRAME_TCP_SYN };
	const size_t icmp = FRAME_ETHER_BYTES + 20;
	struct frame_out out;
	struct frame f;

	(void)state;
	check_unreachable("10.77.0.10", "10.77.0.1");
	check_unreachable("fd77::a:1", "fd77::1");
	assert_true(guest_unreachable(&out, &ends, &lost));
	guest_word_set(out.bytes, icmp + 8, 0x4600, icmp + 2);    /* with options */
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_OTHER);
	guest_word_set(out.bytes, icmp + 8, 0x4500, icmp + 2);
	guest_word_set(out.bytes, icmp + 16, 0x4011, icmp + 2);   /* UDP */
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_OTHER);
	/* The packet ends within its ports; what is missing is zeros, so that the sum is right. */
	lost.dport = 0;
	assert_true(guest_unreachable(&out, &ends, &lost));
	guest_word_set(out.bytes, FRAME_ETHER_BYTES + 2, 20 + 8 + 22, FRAME_ETHER_BYTES + 10);
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_OTHER);
}

static void
test_dhcp(void **state)
{
	struct frame_ends ends = ends_of("0.0.0.0", "255.255.255.255");
	struct frame_out out;
	struct frame f;

	(void)state;
	assert_true(guest_dhcp(&out, &ends));
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_DHCP);
	out.bytes[FRAME_ETHER_BYTES + 20 + 3]++;   /* to another port */
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_UDP);
}

static void
check_udp(const char *src, const char *dst)
{
	struct frame_ends ends = ends_of(src, dst);
	bool v4 = ends.src.family == 4;
	size_t udp = FRAME_ETHER_BYTES + (v4 ? 20 : 40);
	struct frame_out out, copy;
	struct frame f;

	assert_true(guest_udp(&out, &ends, 5000, 53));
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_UDP);
	assert_int_equal(f.udp.sport, 5000);
	assert_int_equal(f.udp.dport, 53);
	assert_int_equal(f.upper_at, udp);
	for (size_t bit = udp * 8; bit < out.len * 8; bit++) {
		copy = out;
		copy.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(parse_exact(copy.bytes, copy.len, &f));
		assert_int_equal(f.kind, FRAME_OTHER);
	}
	copy = out;
	wire_set16(copy.bytes + udp + 6, 0);   /* none: only IPv4 may */
	assert_true(parse_exact(copy.bytes, copy.len, &f));
	assert_int_equal(f.kind, v4 ? FRAME_UDP : FRAME_OTHER);
	/* the pseudo-header's alone: a NIC is to do the rest */
	wire_set16(copy.bytes + udp + 6, wire_sum_fold(wire_sum_pseudo(&ends.src, &ends.dst, 17,
	    20)));
	assert_true(parse_exact(copy.bytes, copy.len, &f));
	assert_int_equal(f.kind, FRAME_UDP);
	wire_set16(copy.bytes + udp + 6, 0);
	for (uint16_t len = 0; len < 30 && v4; len++) {
		wire_set16(copy.bytes + udp + 4, len);
		assert_true(parse_exact(copy.bytes, copy.len, &f));
		assert_int_equal(f.kind, len >= 8 && len <= 20 ? FRAME_UDP : FRAME_OTHER);
	}
}

static void
test_udp(void **state)
{
	(void)state;
	check_udp("10.77.0.1", "10.77.0.10");
	check_udp("fd77::1", "fd77::a");
}

/* Our advertisement is what a guest's would be. */
static void
test_advert_built(void **state)
{
	struct frame_ends ends = ends_of("fd77::a", "fd77::1");
	struct frame_out out, guests;
	struct frame f;

	(void)state;
	assert_true(frame_build_advert(&out, &ends, &ends.src, 0));
	assert_true(guest_advert(&guests, &ends, &ends.src));
	assert_int_equal(out.len, guests.len);
	assert_memory_equal(out.bytes, guests.bytes, out.len);
	assert_true(frame_build_advert(&out, &ends, &ends.src,
	    FRAME_ND_SOLICITED | FRAME_ND_OVERRIDE));
	assert_int_equal(out.bytes[FRAME_ETHER_BYTES + 40 + 4], 0x60);
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_ADVERT);
	ends.src = guest_addr("10.77.0.10");
	assert_false(frame_build_advert(&out, &ends, &ends.dst, 0));
}

/* A segment's payload, behind its options, without Ethernet's padding. */
static void
test_payload(void **state)
{
	struct frame_ends ends = ends_of("10.77.0.1", "10.77.0.10");
	struct frame_tcp tcp = { .sport = 1, .dport = 2, .flags = FRAME_TCP_SYN };
	struct frame_out out;
	struct frame f;

	(void)state;
	assert_true(frame_build_tcp(&out, &ends, &tcp));
	out.len += 2;   /* padding */
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.tcp.payload, 0);
	/* four bytes of options that are payload now */
	guest_word_set(out.bytes + FRAME_ETHER_BYTES + 20, 12, 0x5002, 16);
	assert_true(parse_exact(out.bytes, out.len, &f));
	assert_int_equal(f.kind, FRAME_TCP);
	assert_int_equal(f.tcp.payload, 4);
}

/* Every single flipped bit of the packet is found by a checksum or a check. */
static void
test_flipped_bits(void **state)
{
	uint8_t copy[sizeof(syn_v4)];
	struct frame f;

	(void)state;
	for (size_t bit = FRAME_ETHER_BYTES * 8; bit < sizeof(syn_v4) * 8; bit++) {
		memcpy(copy, syn_v4, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_true(parse_exact(copy, sizeof(copy), &f));
		assert_int_equal(f.kind, FRAME_OTHER);
	}
}

static void
test_padding(void **state)
{
	uint8_t padded[sizeof(syn_v4) + 6];
	struct frame f;

	(void)state;
	memset(padded, 0xee, sizeof(padded));
	memcpy(padded, syn_v4, sizeof(syn_v4));
	assert_true(parse_exact(padded, sizeof(padded), &f));
	assert_int_equal(f.kind, FRAME_TCP);
}

/* A NIC with checksum offload hands over the sum of the pseudo-header alone. */
static void
test_partial_checksum(void **state)
{
	uint8_t copy[sizeof(syn_v4)];
	uint32_t sum = 0x0a4d + 0x0001 + 0x0a4d + 0x000a + 6 + 24;
	struct frame f;

	(void)state;
	memcpy(copy, syn_v4, sizeof(copy));
	copy[14 + 20 + 16] = (uint8_t)(sum >> 8);
	copy[14 + 20 + 17] = (uint8_t)sum;
	assert_true(parse_exact(copy, sizeof(copy), &f));
	assert_int_equal(f.kind, FRAME_TCP);
	copy[14 + 20 + 17]++;
	assert_true(parse_exact(copy, sizeof(copy), &f));
	assert_int_equal(f.kind, FRAME_OTHER);
}

static void
test_link(void **state)
{
	uint8_t copy[sizeof(syn_v4)];
	struct frame f;

	(void)state;
	memcpy(copy, syn_v4, sizeof(copy));
	copy[6] |= 1;   /* nobody sends from a multicast address */
	assert_false(parse_exact(copy, sizeof(copy), &f));
	memcpy(copy, syn_v4, sizeof(copy));
	copy[12] = 0x81;
	copy[13] = 0x00;
	assert_false(parse_exact(copy, sizeof(copy), &f));
	copy[12] = 0x88;
	copy[13] = 0xa8;
	assert_false(parse_exact(copy, sizeof(copy), &f));
	copy[13] = 0xcc;   /* LLDP: somebody lives there */
	assert_true(parse_exact(copy, sizeof(copy), &f));
	assert_int_equal(f.kind, FRAME_OTHER);
}

static void
test_fragment(void **state)
{
	uint8_t copy[sizeof(syn_v4)];
	struct frame f;

	(void)state;
	memcpy(copy, syn_v4, sizeof(copy));
	/* more fragments instead of don't fragment; the sum of the header falls by 0x2000 */
	copy[20] = 0x20;
	copy[24] = (uint8_t)(syn_v4[24] + 0x20);
	assert_true(parse_exact(copy, sizeof(copy), &f));
	assert_int_equal(f.kind, FRAME_OTHER);
	copy[20] = 0x40;
	copy[24] = syn_v4[24];
	assert_true(parse_exact(copy, sizeof(copy), &f));
	assert_int_equal(f.kind, FRAME_TCP);
}

static void
test_link_local(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
	struct msg_addr want = guest_addr("fe80::5054:ff:fe12:3456"), got;

	(void)state;
	frame_addr_link_local(&got, mac);
	assert_int_equal(addr_cmp(&got, &want), 0);
	want.bytes[15]++;
	assert_int_not_equal(addr_cmp(&got, &want), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syn_bytes),
		cmocka_unit_test(test_solicit_bytes),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_mixed_families),
		cmocka_unit_test(test_advert),
		cmocka_unit_test(test_option_lengths),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_dhcp), cmocka_unit_test(test_udp),
		cmocka_unit_test(test_advert_built), cmocka_unit_test(test_payload),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_partial_checksum),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_fragment),
		cmocka_unit_test(test_link_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
