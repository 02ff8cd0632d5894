/*
 * link_test: what the hello image says about itself on the link, and whom it answers: ARP,
 * ND, MLD, echo, bad packets
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vm/hello/rig.h"

static const uint8_t own_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static const uint8_t other_mac[6] = { 2, 0, 0, 0, 0, 0x99 };

/* ---- ARP */

static void
arp(const uint8_t to[6], const uint8_t mac[6], unsigned op, const char *sender, const char *target)
{
	uint8_t f[60] = { 0 };

	memcpy(f, to, 6);
	memcpy(f + 6, mac, 6);
	memcpy(f + 12, "\x08\x06\0\x01\x08\0\x06\x04\0", 9);
	f[21] = (uint8_t)op;
	memcpy(f + 22, mac, 6);
	memcpy(f + 28, sender, 4);
	memcpy(f + 38, target, 4);
	rig_input(f, sizeof(f)); /* padded, as short frames are */
}

static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

static void
test_arp_announcement(void **state)
{
	const struct rig_frame *f;

	(void)state;
	rig_boot("ip=10.77.0.10/24");
	f = rig_take();
	assert_int_equal(f->len, 42);
	assert_memory_equal(f->bytes,
	    "\xff\xff\xff\xff\xff\xff\x52\x54\0\x12\x34\x56\x08\x06\0\x01\x08\0\x06\x04\0\x01", 22);
	assert_memory_equal(f->bytes + 22,
	    "\x52\x54\0\x12\x34\x56\x0a\x4d\0\x0a\0\0\0\0\0\0\x0a\x4d\0\x0a", 20);
}

static void
test_arp_reply(void **state)
{
	const struct rig_frame *f;

	(void)state;
	rig_boot_usual(false);
	arp(broadcast, other_mac, 1, "\x0a\x4d\0\x01", "\x0a\x4d\0\x0a");
	f = rig_take();
	assert_non_null(f);
	assert_memory_equal(f->bytes, other_mac, 6);
	assert_memory_equal(f->bytes + 20,
	    "\0\x02\x52\x54\0\x12\x34\x56\x0a\x4d\0\x0a\x02\0\0\0\0\x99\x0a\x4d\0\x01", 22);
	/* A probe comes from nobody and is answered as well; so is a unicast request. */
	arp(broadcast, other_mac, 1, "\0\0\0\0", "\x0a\x4d\0\x0a");
	assert_non_null(rig_take());
	arp(own_mac, other_mac, 1, "\x0a\x4d\0\x01", "\x0a\x4d\0\x0a");
	assert_non_null(rig_take());
	/* Not ours, not a request, not to us. */
	arp(broadcast, other_mac, 1, "\x0a\x4d\0\x01", "\x0a\x4d\0\x0b");
	arp(broadcast, other_mac, 2, "\x0a\x4d\0\x01", "\x0a\x4d\0\x0a");
	arp(other_mac, other_mac, 1, "\x0a\x4d\0\x01", "\x0a\x4d\0\x0a");
	arp(broadcast, (const uint8_t *)"\x01\0\0\0\0\x01", 1, "\x0a\x4d\0\x01", "\x0a\x4d\0\x0a");
	rig_expect_silence();
}

static void
test_arp_conflict_is_defended_once(void **state)
{
	(void)state;
	rig_boot_usual(false);
	for (int i = 0; i < 3; i++)
		arp(broadcast, other_mac, 1, "\x0a\x4d\0\x0a", "\x0a\x4d\0\x0a");
	assert_memory_equal(rig_take()->bytes, broadcast, 6);
	rig_expect_silence();
	assert_string_equal(rig.report, "10.77.0.10 is also used by 02:00:00:00:00:99");
	rig_advance(10001);
	arp(broadcast, other_mac, 2, "\x0a\x4d\0\x0a", "\x0a\x4d\0\x01");
	assert_non_null(rig_take());
	/* Whoever stands in for us uses our MAC. */
	rig_advance(10001);
	arp(broadcast, own_mac, 1, "\x0a\x4d\0\x0a", "\x0a\x4d\0\x0a");
	rig_expect_silence();
}

static void
test_arp_without_address(void **state)
{
	(void)state;
	rig_boot("ip=fd77::5/64");
	rig_drop_all();
	arp(broadcast, other_mac, 1, "\x0a\x4d\0\x01", "\0\0\0\0");
	rig_expect_silence();
}

/* ---- IPv6 neighbours */

static const char link_local[] = "\xfe\x80\0\0\0\0\0\0\x50\x54\0\xff\xfe\x12\x34\x56";
static const char global[] = "\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\x0a\0\x01";
static const char neighbour[] = "\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";
static const char nobody[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
static const char node_group[] = "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\x0a\0\x01";
static const char all_nodes[] = "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";

/*
 * An ICMPv6 message between any addresses; `next` other than 58 puts an empty extension header in
 * front.
 */
static void
icmp6(const uint8_t mac[6], const char *src, const char *dst, unsigned hops, unsigned next,
    const char *body, size_t len)
{
	uint8_t f[256] = { 0 };
	size_t skip = next == 58 ? 0 : 8;
	uint32_t sum = 58 + (uint32_t)len;
	uint16_t check;

	if ((uint8_t)dst[0] == 0xff) {
		f[0] = f[1] = 0x33;
		memcpy(f + 2, dst + 12, 4);
	} else {
		memcpy(f, own_mac, 6);
	}
	memcpy(f + 6, mac, 6);
	f[12] = 0x86;
	f[13] = 0xdd;
	f[14] = 0x60;
	f[19] = (uint8_t)(len + skip);
	f[20] = (uint8_t)next;
	f[21] = (uint8_t)hops;
	memcpy(f + 22, src, 16);
	memcpy(f + 38, dst, 16);
	if (skip)
		memcpy(f + 54, "\x3a\0\x05\x02\0\0\x01\0", 8);
	memcpy(f + 54 + skip, body, len);
	sum = (uint16_t)~rig_checksum(f + 22, 32, sum);
	check = rig_checksum(f + 54 + skip, len, sum);
	f[54 + skip + 2] = (uint8_t)(check >> 8);
	f[54 + skip + 3] = (uint8_t)check;
	rig_input(f, 54 + skip + len);
}

static void
solicit(const uint8_t mac[6], const char *src, const char *dst, const char *target, bool option)
{
	char body[32] = { (char)135 };

	memcpy(body + 8, target, 16);
	body[24] = 1;
	body[25] = 1;
	memcpy(body + 26, mac, 6);
	icmp6(mac, src, dst, 255, 58, body, option ? 32 : 24);
}

static void
advertise(const uint8_t mac[6], const char *target)
{
	char body[32] = { (char)136, 0, 0, 0, 0x20 };

	memcpy(body + 8, target, 16);
	body[24] = 2;
	body[25] = 1;
	memcpy(body + 26, mac, 6);
	icmp6(mac, target, all_nodes, 255, 58, body, 32);
}

/* Takes the next frame, which must be a right ICMPv6 message without extension headers. */
static const uint8_t *
expect_icmp6(unsigned type, const char *src, const char *dst)
{
	const struct rig_frame *f = rig_take();
	size_t len;
	uint32_t sum;

	assert_non_null(f);
	assert_int_equal(f->bytes[14] >> 4, 6);
	assert_int_equal(f->bytes[20], 58);
	len = f->bytes[19];
	assert_int_equal(f->len, 54 + len);
	sum = (uint16_t)~rig_checksum(f->bytes + 22, 32, 58 + (uint32_t)len);
	assert_int_equal(rig_checksum(f->bytes + 54, len, sum), 0);
	assert_memory_equal(f->bytes + 22, src, 16);
	assert_memory_equal(f->bytes + 38, dst, 16);
	assert_int_equal(f->bytes[54], type);
	return f->bytes;
}

static const uint8_t *
expect_report(unsigned record)
{
	const uint8_t *f = rig_take()->bytes;

	assert_memory_equal(f, "\x33\x33\0\0\0\x16", 6);
	assert_int_equal(f[20], 0);
	assert_int_equal(f[21], 1);
	assert_memory_equal(f + 54, "\x3a\0\x05\x02\0\0\x01\0\x8f\0", 10);
	assert_int_equal(rig_checksum(f + 62, f[19] - 8u, (uint16_t)~rig_checksum(f + 22, 32,
	    58u + f[19] - 8u)), 0);
	assert_int_equal(f[70], record);
	return f;
}

static void
test_ip6_announcement(void **state)
{
	const uint8_t *f;

	(void)state;
	rig_boot("ip=fd77::a:1/64");
	f = expect_report(4);
	assert_int_equal(f[69], 2);
	assert_memory_equal(f + 74, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\x12\x34\x56", 16);
	assert_memory_equal(f + 94, node_group, 16);
	f = expect_icmp6(135, nobody, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\x12\x34\x56");
	assert_memory_equal(f, "\x33\x33\xff\x12\x34\x56", 6);
	assert_int_equal(f[21], 255);
	assert_memory_equal(f + 62, link_local, 16);
	f = expect_icmp6(136, link_local, all_nodes);
	assert_int_equal(f[58], 0); /* optimistic: neither solicited nor override */
	f = expect_icmp6(135, nobody, node_group);
	assert_int_equal(f[19], 24); /* no source option in the detection of duplicates */
	f = expect_icmp6(136, global, all_nodes);
	assert_memory_equal(f + 78, "\x02\x01\x52\x54\0\x12\x34\x56", 8);
	rig_expect_silence();
}

static void
test_neighbour_solicitation(void **state)
{
	const uint8_t *f;

	(void)state;
	rig_boot_usual(true);
	solicit(other_mac, neighbour, node_group, global, true);
	f = expect_icmp6(136, global, neighbour);
	assert_memory_equal(f, other_mac, 6);
	assert_int_equal(f[21], 255);
	assert_int_equal(f[58], 0x60);
	assert_memory_equal(f + 62, global, 16);
	/* Unicast, as reachability is confirmed; link-local target. */
	solicit(other_mac, neighbour, link_local, link_local, true);
	(void)expect_icmp6(136, link_local, neighbour);
	/* Another's detection of a duplicate is told to all. */
	solicit(other_mac, nobody, node_group, global, false);
	f = expect_icmp6(136, global, all_nodes);
	assert_int_equal(f[58], 0x20);
	assert_memory_equal(f, "\x33\x33\0\0\0\x01", 6);
	rig_expect_silence();
}

static void
test_bad_solicitations(void **state)
{
	char body[40] = { (char)135 };

	(void)state;
	rig_boot_usual(true);
	solicit(other_mac, neighbour, node_group, neighbour, true); /* for another */
	/* RFC 4861 section 7.1.1 forbids the option */
	solicit(other_mac, nobody, node_group, global, true);
	/* and the unicast destination */
	solicit(other_mac, nobody, global, global, false);
	solicit(other_mac, all_nodes, node_group, global, true);
	memcpy(body + 8, global, 16);
	icmp6(other_mac, neighbour, global, 254, 58, body, 24); /* came through a router */
	icmp6(other_mac, neighbour, global, 255, 58, body, 23); /* cut off */
	icmp6(other_mac, neighbour, global, 255, 58, body, 26); /* an option of length zero */
	body[24] = 1;
	body[25] = 2;
	icmp6(other_mac, neighbour, global, 255, 58, body, 32); /* an option beyond the end */
	body[1] = 1;
	icmp6(other_mac, neighbour, global, 255, 58, body, 24); /* a code */
	rig_expect_silence();
}

static void
test_duplicate_address(void **state)
{
	(void)state;
	rig_boot("ip=fd77::a:1/64");
	rig_drop_all();
	/* Whoever stood in for us answers with our own MAC. */
	advertise(own_mac, global);
	solicit(own_mac, nobody, node_group, global, false);
	assert_string_equal(rig.report, "");
	solicit(other_mac, neighbour, node_group, global, true);
	(void)expect_icmp6(136, global, neighbour);
	/* Another holder. */
	advertise(other_mac, global);
	assert_string_equal(rig.report, "fd77::a:1 is in use elsewhere and was given up");
	solicit(other_mac, neighbour, node_group, global, true);
	rig_expect_silence();
	/* Two that ask at the same time give up both. */
	solicit(other_mac, nobody, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\x12\x34\x56", link_local,
	    false);
	assert_string_equal(rig.report, "fe80::5054:ff:fe12:3456 is in use elsewhere and was given "
	    "up");
	/* Later it is only reported. */
	rig_boot_usual(true);
	advertise(other_mac, global);
	assert_string_equal(rig.report, "fd77::a:1 is also claimed by another");
	solicit(other_mac, neighbour, node_group, global, true);
	(void)expect_icmp6(136, global, neighbour);
}

static void
test_listener_query(void **state)
{
	char query[24] = { (char)130, 0, 0, 0, 0x27, 0x10 };

	(void)state;
	rig_boot_usual(true);
	icmp6(other_mac, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", all_nodes, 1, 0, query, 24);
	(void)expect_report(2);
	icmp6(other_mac, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", all_nodes, 64, 0, query, 24);
	rig_expect_silence();
}

/* ---- echo and the headers below it */

static size_t
echo_bytes(uint8_t *out, size_t len)
{
	uint16_t check;

	memset(out, 0x5a, len);
	memcpy(out, rig.v6 ? "\x80\0\0\0\x12\x34\0\x07" : "\x08\0\0\0\x12\x34\0\x07", 8);
	check = rig.v6 ? rig_pseudo(58, out, len) : rig_checksum(out, len, 0);
	out[2] = (uint8_t)(check >> 8);
	out[3] = (uint8_t)check;
	return len;
}

static void
test_echo(void **state)
{
	static const size_t lengths[] = { 8, 9, 64, 1460 };
	uint8_t echo[1480], cut[8];

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		rig_boot_usual(v6);
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			const struct rig_frame *f;
			size_t at = v6 ? 54 : 34;

			rig_ip(v6 ? 58 : 1, echo, echo_bytes(echo, lengths[i]));
			f = rig_take();
			assert_non_null(f);
			assert_int_equal(f->len, at + lengths[i]);
			assert_int_equal(f->bytes[at], v6 ? 129 : 0);
			assert_memory_equal(f->bytes + at + 4, echo + 4, lengths[i] - 4);
			assert_int_equal(v6 ? rig_pseudo(58, f->bytes + at,
			    lengths[i]) : rig_checksum(f->bytes + at, lengths[i], 0), 0);
			rig_expect_silence();
		}
		/* Without a whole identifier and sequence number it is no echo request. */
		memset(cut, 0, sizeof(cut));
		cut[0] = v6 ? 128 : 8;
		for (size_t n = 0; n < 8; n++) {
			uint16_t check = v6 ? rig_pseudo(58, cut, n) : rig_checksum(cut, n, 0);

			cut[2] = (uint8_t)(check >> 8);
			cut[3] = (uint8_t)check;
			rig_ip(v6 ? 58 : 1, cut, n);
			cut[2] = cut[3] = 0;
		}
		rig_expect_silence();
	}
	rig_boot_usual(false);
	rig_ip(1, echo, echo_bytes(echo, 1480));
	assert_int_equal(rig_take()->len, 1514);
}

static void
test_echo_to_all_nodes(void **state)
{
	(void)state;
	rig_boot_usual(true);
	icmp6(other_mac, neighbour, all_nodes, 64, 58, "\x80\0\0\0\x01\x02\x03\x04", 8);
	(void)expect_icmp6(129, link_local, neighbour);
	icmp6(other_mac, nobody, all_nodes, 64, 58, "\x80\0\0\0\x01\x02\x03\x04", 8);
	rig_expect_silence();
}

/* An IPv4 echo request with one byte changed; a header field's checksum is set right again. */
static void
damaged4(size_t at, uint8_t value, bool fix)
{
	uint8_t echo[64], f[128];
	size_t len = rig_ip_frame(f, 1, echo, echo_bytes(echo, sizeof(echo)));

	f[at] = value;
	if (fix) {
		uint16_t check;

		f[24] = f[25] = 0;
		check = rig_checksum(f + 14, 20, 0);
		f[24] = (uint8_t)(check >> 8);
		f[25] = (uint8_t)check;
	}
	rig_input(f, len);
}

static void
test_bad_ip4(void **state)
{
	(void)state;
	rig_boot_usual(false);
	damaged4(22, 63, false); /* header checksum */
	damaged4(60, 1, false);	 /* ICMP checksum */
	damaged4(14, 0x65, true);
	damaged4(14, 0x44, true);
	damaged4(14, 0x4f, true); /* options beyond what they are */
	damaged4(16, 1, true);	  /* longer than the frame */
	damaged4(17, 19, true);	  /* shorter than its header */
	damaged4(20, 0x20, true); /* fragments, first and later */
	damaged4(21, 1, true);
	damaged4(26, 0, true);	 /* from nobody, a group, this host */
	damaged4(26, 224, true);
	damaged4(26, 127, true);
	damaged4(33, 11, true); /* to another */
	damaged4(0, 0x33, false); /* a group of frames */
	damaged4(5, 0x57, false); /* another's frame that was flooded */
	damaged4(12, 0x09, false);
	rig_expect_silence();
	damaged4(20, 0, true);
	assert_non_null(rig_take());
}

static void
test_ip4_options_and_padding(void **state)
{
	uint8_t echo[8], f[128], longer[60];
	size_t len;
	uint16_t check;

	(void)state;
	rig_boot_usual(false);
	len = rig_ip_frame(f, 1, echo, echo_bytes(echo, sizeof(echo)));
	memset(f + len, 0xee, 60 - len);
	rig_input(f, 60);
	assert_int_equal(rig_take()->len, 42); /* padding is not data */
	memcpy(longer, f, 34);
	memset(longer + 34, 1, 4); /* four NOPs */
	memcpy(longer + 38, echo, 8);
	longer[14] = 0x46;
	longer[17] = 32;
	longer[24] = longer[25] = 0;
	check = rig_checksum(longer + 14, 24, 0);
	longer[24] = (uint8_t)(check >> 8);
	longer[25] = (uint8_t)check;
	rig_input(longer, 46);
	assert_int_equal(rig_take()->len, 42);
}

static void
damaged6(size_t at, uint8_t value)
{
	uint8_t echo[64], f[128];
	size_t len = rig_ip_frame(f, 58, echo, echo_bytes(echo, sizeof(echo)));

	f[at] = value;
	rig_input(f, len);
}

static void
test_bad_ip6(void **state)
{
	(void)state;
	rig_boot_usual(true);
	damaged6(14, 0x50);
	damaged6(18, 1);   /* longer than the frame */
	damaged6(19, 63);  /* shorter: the checksum no longer fits */
	damaged6(20, 44);  /* a fragment */
	damaged6(20, 0);   /* extension headers that are none */
	damaged6(20, 60);
	damaged6(22, 0xff);
	damaged6(53, 2); /* to another */
	damaged6(60, 1);
	damaged6(5, 0x57);
	rig_expect_silence();
	/* An extension header is stepped over; an endless chain of them is not. */
	icmp6(other_mac, neighbour, global, 64, 60, "\x80\0\0\0\x01\x02\x03\x04", 8);
	(void)expect_icmp6(129, global, neighbour);
}

static void
test_every_truncation(void **state)
{
	uint8_t echo[64], f[128];
	struct rig_segment syn = { .client_port = 4000, .flags = RIG_SYN, .mss = 1460 };
	size_t len;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		rig_boot_usual(v6);
		len = rig_ip_frame(f, v6 ? 58 : 1, echo, echo_bytes(echo, sizeof(echo)));
		for (size_t n = 0; n < len; n++)
			rig_input(f, n);
		len = rig_ip_frame(f, 6, echo, rig_segment_bytes(echo, &syn));
		for (size_t n = 0; n < len; n++)
			rig_input(f, n);
		rig_expect_silence();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp_announcement),
		cmocka_unit_test(test_arp_reply),
		cmocka_unit_test(test_arp_conflict_is_defended_once),
		cmocka_unit_test(test_arp_without_address),
		cmocka_unit_test(test_ip6_announcement),
		cmocka_unit_test(test_neighbour_solicitation),
		cmocka_unit_test(test_bad_solicitations),
		cmocka_unit_test(test_duplicate_address),
		cmocka_unit_test(test_listener_query),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_echo_to_all_nodes),
		cmocka_unit_test(test_bad_ip4),
		cmocka_unit_test(test_ip4_options_and_padding),
		cmocka_unit_test(test_bad_ip6),
		cmocka_unit_test(test_every_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
