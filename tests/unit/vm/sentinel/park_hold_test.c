/* park_hold_test: what is kept, within which bounds, and bad input, of which nothing is. */
#include "tests/unit/vm/sentinel/park_rig.h"

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* A frame with a header of the test's own in front. */
static void
port_with(const struct virtio_net_hdr *h, const uint8_t *frame, size_t len)
{
	uint8_t *copy = malloc(PARK_HEADER + len);

	assert_non_null(copy);
	memcpy(copy, h, PARK_HEADER);
	memcpy(copy + PARK_HEADER, frame, len);
	park_port_frame(rig.set, RIG_NET, copy, PARK_HEADER + len, rig.now_ns);
	free(copy);
}

/* ---- bounds ---- */

/* The oldest of a unit go, by number ... */
static void
test_ring(void **state)
{
	(void)state;
	rig_park(MSG_PARK_OWNED | MSG_PARK_BUSY);
	for (uint16_t i = 0; i < 3 * LIMIT_HELD_FRAMES; i++) {
		struct frame_out out = rig_syn(4, (uint16_t)(1000 + i));

		rig_port(&out);
		assert_in_range(park_figures(rig.set).held, 1, LIMIT_HELD_FRAMES);
	}
	assert_true(park_link(rig.set, RIG_UNIT, rig.now_ns));
	assert_int_equal(rig.ngiven, LIMIT_HELD_FRAMES);
	for (uint16_t i = 0; i < LIMIT_HELD_FRAMES; i++)
		assert_int_equal(rig.given[i].f.tcp.sport, 1000 + 2 * LIMIT_HELD_FRAMES + i);
}

/* The datagram of `len` bytes on the wire, checksum 0. */
static size_t
long_udp(uint8_t *p, const char *to, size_t len, uint16_t sport)
{
	struct frame_ends e = rig_ends(4);
	struct frame_out out;

	e.dst = guest_addr(to);
	assert_true(guest_udp(&out, &e, sport, 53));
	memset(p, 'x', len);
	memcpy(p, out.bytes, FRAME_ETHER_BYTES + 28);
	guest_word_set(p + FRAME_ETHER_BYTES, 2, (uint16_t)(len - FRAME_ETHER_BYTES), 10);
	wire_set16(p + FRAME_ETHER_BYTES + 24, (uint16_t)(len - FRAME_ETHER_BYTES - 20));
	wire_set16(p + FRAME_ETHER_BYTES + 26, 0);
	return len;
}

/* ... and of all, the oldest of the unit that has most. */
static void
test_all(void **state)
{
	uint8_t p[1514];
	size_t most = 0;

	(void)state;
	for (uint32_t i = 2; i <= 501; i++) {
		struct msg m = rig_park_msg(i, MSG_PARK_OWNED | MSG_PARK_BUSY);

		m.park.addr[0].bytes[2] = (uint8_t)(i >> 8);
		m.park.addr[0].bytes[3] = (uint8_t)i;
		m.park.addr[1].family = 0;
		rig_put(&m);
	}
	for (uint32_t i = 2; i <= 501; i++) {
		char to[32];

		snprintf(to, sizeof(to), "10.77.%u.%u", i >> 8, i & 255);
		/* the first has but one, and keeps it */
		for (unsigned n = 0; n < (i == 2 ? 1 : LIMIT_HELD_FRAMES); n++) {
			size_t len = long_udp(p, to, sizeof(p), (uint16_t)(5000 + n));

			rig_bytes(p, len, -1, false);
			if (park_figures(rig.set).held_bytes > most)
				most = park_figures(rig.set).held_bytes;
		}
	}
	assert_in_range(most, LIMIT_HELD_BYTES - 2000, LIMIT_HELD_BYTES);
	assert_true(park_link(rig.set, 2, rig.now_ns));
	park_awake(rig.set, 2, rig.now_ns);
	assert_int_equal(rig.ngiven, 1);
	for (uint32_t i = 3; i <= 501; i++)
		park_remove(rig.set, i);
	assert_int_equal(park_figures(rig.set).held, 0);
	assert_int_equal(park_figures(rig.set).held_bytes, 0);
}

/* ---- headers ---- */

/* A TCP segment of `payload` bytes, its checksum left to whoever gets it. */
static size_t
partial_tcp(uint8_t *p, size_t payload, uint8_t flags)
{
	struct frame_ends e = rig_ends(4);
	struct frame_out out = rig_tcp(&e, 1000, 80, 1, 1, flags);
	size_t head = FRAME_ETHER_BYTES + 20 + 20, ip = FRAME_ETHER_BYTES;

	memcpy(p, out.bytes, head);
	memset(p + head, 'x', payload);
	p[ip + 20 + 12] = 0x50;
	guest_word_set(p + ip, 2, (uint16_t)(40 + payload), 10);
	wire_set16(p + ip + 20 + 16, wire_sum_fold(wire_sum_pseudo(&e.src, &e.dst, 6,
	    20 + payload)));
	return head + payload;
}

/* Offloaded frames of a local client are right as they are, and keep what their header says. */
static void
test_offloaded(void **state)
{
	static uint8_t p[70000];
	struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34,
	    .csum_offset = 16 };

	(void)state;
	rig_park(MSG_PARK_OWNED | MSG_PARK_MEMORY);
	port_with(&h, p, partial_tcp(p, 0, FRAME_TCP_SYN));
	assert_int_equal(park_figures(rig.set).held, 1);
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	h.gso_size = 1448;
	h.hdr_len = 54;
	port_with(&h, p, partial_tcp(p, 20000, FRAME_TCP_ACK));
	assert_int_equal(park_figures(rig.set).held, 2);
	/* ... but not more than a unit may have */
	port_with(&h, p, partial_tcp(p, 65400, FRAME_TCP_ACK));
	assert_int_equal(park_figures(rig.set).held, 2);
	port_with(&h, p, partial_tcp(p, 60000, FRAME_TCP_ACK));
	assert_in_range(park_figures(rig.set).held_bytes, 60000, LIMIT_HELD_UNIT_BYTES);
}

/* A DHCP client of this host renews its lease, of a guest that gives them. */
static void
test_lease(void **state)
{
	const struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34,
	    .csum_offset = 6 };
	uint8_t p[300];
	size_t len = long_udp(p, RIG_V4, sizeof(p), 68);

	(void)state;
	wire_set16(p + 36, 67);
	rig_park(MSG_PARK_OWNED);
	port_with(&h, p, len);
	assert_int_equal(park_figures(rig.set).held, 1);
}

/* Headers that do not belong to their frames wake, but the kernel is never given them. */
static void
test_headers(void **state)
{
	static const struct virtio_net_hdr bad[] = {
		{ .flags = 1, .csum_start = 33, .csum_offset = 16 },
		{ .flags = 1, .csum_start = 34, .csum_offset = 6 },
		{ .flags = 1, .csum_start = 65535, .csum_offset = 65535 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1448 },
		{ .flags = 1, .csum_start = 34, .csum_offset = 16,
		    .gso_type = VIRTIO_NET_HDR_GSO_TCPV6, .gso_size = 1448 },
		{ .flags = 1, .csum_start = 34, .csum_offset = 16,
		    .gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1448 },
		{ .flags = 1, .csum_start = 34, .csum_offset = 16,
		    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0 },
		{ .flags = 1, .csum_start = 34, .csum_offset = 16,
		    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 9000 },
		{ .flags = 1, .csum_start = 34, .csum_offset = 16,
		    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1448, .hdr_len = 60000 },
		{ .gso_type = 0x7f },
	};
	const struct virtio_net_hdr good = { .flags = 2, .csum_start = 7, .hdr_len = 3 };
	uint8_t p[2000];

	(void)state;
	rig_park(MSG_PARK_OWNED);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		port_with(&bad[i], p, partial_tcp(p, 0, FRAME_TCP_SYN));
		if (park_figures(rig.set).held != 0)
			fail_msg("header %zu is taken", i);
	}
	assert_int_equal(rig.ntold, 1);
	port_with(&good, p, partial_tcp(p, 0, FRAME_TCP_SYN));
	assert_int_equal(park_figures(rig.set).held, 1);
	for (size_t len = 0; len < PARK_HEADER; len++)
		park_port_frame(rig.set, RIG_NET, p, len, rig.now_ns);
}

/* ---- frames ---- */

static void
not_kept(const char *what, const uint8_t *p, size_t len)
{
	rig_bytes(p, len, -1, false);
	rig_bytes(p, len, RIG_UNIT, true);
	rig_bytes(p, len, RIG_UNIT, false);
	if (park_figures(rig.set).held != 0 || rig.ntold != 0 || rig.nsent != 0 || rig.ngiven != 0)
		fail_msg("%s: does something", what);
}

/* Malformed, cut, in pieces, tagged, too long, wrongly summed: as if they had never come. */
static void
check_bad(int family)
{
	struct frame_out good = rig_syn(family, 1000), f;
	size_t ip = FRAME_ETHER_BYTES, tcp = ip + (family == 4 ? 20 : 40);
	uint8_t tagged[FRAME_BUILT_MAX + 4];

	for (size_t len = 0; len < good.len; len++)
		not_kept("a frame that is cut", good.bytes, len);
	for (size_t bit = ip * 8; bit < good.len * 8; bit++) {
		f = good;
		f.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		/* traffic class, flow label and hop limit have no checksum */
		if (family == 6 && (bit / 8 < ip + 4 || bit / 8 == ip + 7))
			continue;
		not_kept("a flipped bit", f.bytes, f.len);
	}
	if (family == 4) {
		f = good;
		guest_word_set(f.bytes + ip, 6, 0x2000, 10);
		not_kept("a first fragment", f.bytes, f.len);
		guest_word_set(f.bytes + ip, 6, 1, 10);
		not_kept("a last fragment", f.bytes, f.len);
	} else {
		f = good;
		f.bytes[ip + 6] = 44;
		not_kept("a fragment header", f.bytes, f.len);
		f.bytes[ip + 6] = 0;
		not_kept("hop-by-hop options", f.bytes, f.len);
	}
	memcpy(tagged, good.bytes, 12);
	memcpy(tagged + 12, "\x81\0\0\x07", 4);
	memcpy(tagged + 16, good.bytes + 12, good.len - 12);
	not_kept("a VLAN tag", tagged, good.len + 4);
	f = good;
	f.bytes[tcp + 12] = 0x40;
	not_kept("a TCP header that is too short", f.bytes, f.len);
}

static void
test_bad_frames(void **state)
{
	(void)state;
	rig_park(MSG_PARK_OWNED);
	assert_true(park_link(rig.set, RIG_UNIT, rig.now_ns));
	check_bad(4);
	check_bad(6);
}

/* The same, of a unit that sleeps. */
static void
test_bad_frames_asleep(void **state)
{
	(void)state;
	rig_park(MSG_PARK_OWNED | MSG_PARK_MEMORY);
	check_bad(4);
	check_bad(6);
}

/* Longer than a frame may be, and not said to be cut by a device: it wakes, and is not kept. */
static void
test_jumbo(void **state)
{
	uint8_t p[9015];

	(void)state;
	rig_park(MSG_PARK_OWNED);
	rig_bytes(p, long_udp(p, RIG_V4, sizeof(p), 1), -1, false);
	assert_int_equal(park_figures(rig.set).held, 0);
	assert_int_equal(rig.ntold, 1);
	rig_bytes(p, long_udp(p, RIG_V4, sizeof(p), 1), -1, false);
	assert_int_equal(rig.ntold, 1);
	rig_bytes(p, long_udp(p, RIG_V4, 9014, 1), -1, false);
	assert_int_equal(park_figures(rig.set).held, 1);
}

/* From the guest's own MAC, to another MAC, to all, from addresses that nobody has. */
static void
test_wrong_ends(void **state)
{
	static const char *const nobody[] = { "0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1",
	    "255.255.255.255", RIG_V4, "::", "::1", "ff02::1", RIG_V6 };
	struct frame_out f;

	(void)state;
	rig_park(MSG_PARK_OWNED);
	f = rig_syn(4, 1000);
	memcpy(f.bytes + 6, rig_guest_mac, 6);
	not_kept("the guest's own MAC", f.bytes, f.len);
	f = rig_syn(4, 1000);
	f.bytes[6] |= 1;
	not_kept("a multicast source", f.bytes, f.len);
	f = rig_syn(4, 1000);
	memcpy(f.bytes, rig_other_mac, 6);
	not_kept("another's MAC", f.bytes, f.len);
	memset(f.bytes, 0xff, 6);
	not_kept("broadcast", f.bytes, f.len);
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		struct frame_ends e = rig_ends(strchr(nobody[i], ':') != NULL ? 6 : 4);

		e.src = guest_addr(nobody[i]);
		f = rig_tcp(&e, 1000, 80, 1, 0, FRAME_TCP_SYN);
		not_kept(nobody[i], f.bytes, f.len);
		f = rig_tcp(&e, 1000, 80, 1, 1, FRAME_TCP_ACK);
		not_kept(nobody[i], f.bytes, f.len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ring), T(test_all), T(test_offloaded), T(test_lease), T(test_headers),
		T(test_bad_frames), T(test_bad_frames_asleep), T(test_jumbo), T(test_wrong_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
