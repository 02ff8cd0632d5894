/* park_claim_test: whose the addresses of sleeping units are, and who is answered. */
#include "tests/unit/vm/sentinel/park_rig.h"

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

static void
port_arp(uint16_t op, const uint8_t mac[6], const char *sender, const char *target)
{
	struct frame_out out = rig_arp(op, mac, sender, target);

	rig_port(&out);
}

static void
port_solicit(const uint8_t mac[6], const char *sender, const char *target)
{
	struct frame_out out = rig_solicit(mac, sender, target);

	rig_port(&out);
}

static void
port_advert(const uint8_t mac[6], const char *target)
{
	struct frame_out out = rig_advert(mac, target);

	rig_port(&out);
}

/* Is the last frame that was sent an answer for the guest's address, to the client? */
static void
check_arp_answer(const char *to)
{
	const struct frame *f = &rig.sent[rig.nsent - 1];
	struct msg_addr own = guest_addr(RIG_V4), peer = guest_addr(to);

	assert_true(rig.nsent > 0);
	assert_int_equal(f->kind, FRAME_ARP);
	assert_int_equal(f->arp.op, 2);
	assert_memory_equal(f->src_mac, rig_guest_mac, 6);
	assert_memory_equal(f->dst_mac, rig_client_mac, 6);
	assert_memory_equal(f->arp.sender_mac, rig_guest_mac, 6);
	assert_memory_equal(f->arp.target_mac, rig_client_mac, 6);
	assert_int_equal(addr_cmp(&f->arp.sender, &own), 0);
	assert_int_equal(addr_cmp(&f->arp.target, &peer), 0);
}

/* Owned at once, no frame, no timer; ARP and solicitations are answered with the guest's MAC. */
static void
test_owned(void **state)
{
	const struct frame *f;
	struct msg_addr v6 = guest_addr(RIG_V6), all = guest_addr("ff02::1");

	(void)state;
	rig_park(MSG_PARK_OWNED);
	assert_int_equal(park_next_ns(rig.set), 0);
	assert_int_equal(rig.nsent, 0);

	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	assert_int_equal(rig.nsent, 1);
	check_arp_answer(RIG_CLIENT_V4);
	port_arp(1, rig_client_mac, "0.0.0.0", RIG_V4);   /* it looks whether the address is free */
	assert_int_equal(rig.nsent, 2);
	check_arp_answer("0.0.0.0");

	port_solicit(rig_client_mac, RIG_CLIENT_V6, RIG_V6);
	assert_int_equal(rig.nsent, 3);
	f = &rig.sent[2];
	assert_int_equal(f->kind, FRAME_ADVERT);
	assert_memory_equal(f->src_mac, rig_guest_mac, 6);
	assert_memory_equal(f->dst_mac, rig_client_mac, 6);
	assert_true(f->nd.has_mac);
	assert_memory_equal(f->nd.mac, rig_guest_mac, 6);
	assert_int_equal(addr_cmp(&f->nd.target, &v6), 0);
	port_solicit(rig_client_mac, "::", RIG_V6);
	assert_int_equal(rig.nsent, 4);
	assert_int_equal(addr_cmp(&rig.sent[3].dst, &all), 0);

	assert_int_equal(rig.ntold, 0);
	assert_int_equal(park_next_ns(rig.set), 0);
}

/* Nobody is answered for other addresses, other networks, or the guest itself. */
static void
test_not_answered(void **state)
{
	struct frame_out out = rig_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	uint8_t bytes[PARK_HEADER + FRAME_BUILT_MAX] = { 0 };

	(void)state;
	rig_park(MSG_PARK_OWNED);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, "10.77.0.11");
	port_arp(2, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	port_arp(1, rig_guest_mac, "0.0.0.0", RIG_V4);
	port_arp(1, rig_guest_mac, RIG_V4, RIG_CLIENT_V4);
	port_solicit(rig_client_mac, RIG_CLIENT_V6, "fd77::b");
	port_solicit(rig_guest_mac, "::", RIG_V6);
	port_advert(rig_guest_mac, RIG_V6);
	memcpy(bytes + PARK_HEADER, out.bytes, out.len);
	park_port_frame(rig.set, RIG_NET + 1, bytes, PARK_HEADER + out.len, rig.now_ns);
	out = rig_arp(1, (const uint8_t *)"\x03\0\0\0\0\x11", RIG_CLIENT_V4, RIG_V4);
	memcpy(out.bytes + 6, rig_client_mac, 6);   /* a multicast MAC, but for the frame's */
	rig_port(&out);
	assert_int_equal(rig.nsent, 0);
	assert_int_equal(rig.ntold, 0);
}

/* Three probes, 100 ms apart, then the address is ours, and announced. */
static void
test_claim(void **state)
{
	struct msg_addr none = guest_addr("0.0.0.0"), any = guest_addr("::"),
	    v4 = guest_addr(RIG_V4), v6 = guest_addr(RIG_V6), all = guest_addr("ff02::1");

	(void)state;
	rig_park(0);
	rig_wait(0);
	assert_int_equal(rig.nsent, 2);
	assert_int_equal(rig.sent[0].kind, FRAME_ARP);
	assert_int_equal(rig.sent[0].arp.op, 1);
	assert_int_equal(addr_cmp(&rig.sent[0].arp.sender, &none), 0);
	assert_int_equal(addr_cmp(&rig.sent[0].arp.target, &v4), 0);
	assert_memory_equal(rig.sent[0].arp.sender_mac, rig_guest_mac, 6);
	assert_int_equal(rig.sent[1].kind, FRAME_SOLICIT);
	assert_int_equal(addr_cmp(&rig.sent[1].src, &any), 0);
	assert_int_equal(addr_cmp(&rig.sent[1].nd.target, &v6), 0);
	assert_false(rig.sent[1].nd.has_mac);

	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);   /* not yet */
	assert_int_equal(rig.nsent, 2);
	rig_wait(PARK_CLAIM_NS);
	assert_int_equal(rig.nsent, 4);
	rig_wait(2 * PARK_CLAIM_NS - 1);
	assert_int_equal(rig.nsent, 6);
	rig_wait(1);
	assert_int_equal(rig.nsent, 8);
	assert_int_equal(rig.sent[6].arp.op, 1);
	assert_int_equal(addr_cmp(&rig.sent[6].arp.sender, &v4), 0);
	assert_int_equal(addr_cmp(&rig.sent[6].arp.target, &v4), 0);
	assert_int_equal(rig.sent[7].kind, FRAME_ADVERT);
	assert_int_equal(addr_cmp(&rig.sent[7].dst, &all), 0);
	assert_int_equal(park_next_ns(rig.set), 0);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	check_arp_answer(RIG_CLIENT_V4);
	assert_int_equal(rig.ntold, 0);
}

/* The same words again begin nothing anew; others do. */
static void
test_put_again(void **state)
{
	struct msg m = rig_park_msg(RIG_UNIT, 0);

	(void)state;
	rig_put(&m);
	rig_wait(NS_PER_S);
	assert_int_equal(rig.nsent, 8);
	rig_put(&m);
	rig_wait(NS_PER_S);
	assert_int_equal(rig.nsent, 8);
	m.park.addr[0] = guest_addr("10.77.0.12");
	m.park.addr[1].family = 0;
	rig_put(&m);
	rig_wait(NS_PER_S);
	assert_int_equal(rig.nsent, 12);
	rig_forget();
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	port_solicit(rig_client_mac, RIG_CLIENT_V6, RIG_V6);
	assert_int_equal(rig.nsent, 0);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, "10.77.0.12");
	assert_int_equal(rig.nsent, 1);
	m.park.mac[5]++;
	rig_put(&m);
	rig_wait(NS_PER_S);
	assert_int_equal(rig.nsent, 5);
	park_remove(rig.set, RIG_UNIT);
	rig_forget();
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, "10.77.0.12");
	assert_int_equal(rig.nsent, 0);
	assert_int_equal(park_figures(rig.set).units, 0);
}

/* Two numbers, one address: the one that was told of last has it, until it goes. */
static void
test_same_address(void **state)
{
	struct msg m = rig_park_msg(RIG_UNIT + 1, MSG_PARK_OWNED);

	(void)state;
	rig_park(MSG_PARK_OWNED);
	rig_put(&m);
	park_remove(rig.set, RIG_UNIT);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	assert_int_equal(rig.nsent, 1);
	park_remove(rig.set, RIG_UNIT + 1);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	assert_int_equal(rig.nsent, 1);
}

static void
check_conflict(size_t i, const char *addr, bool over)
{
	struct msg_addr a = guest_addr(addr);

	assert_true(i < rig.ntold);
	assert_int_equal(rig.told[i].type, MSG_CONFLICT);
	assert_int_equal(rig.told[i].unit, RIG_UNIT);
	assert_int_equal(addr_cmp(&rig.told[i].conflict.addr, &a), 0);
	assert_int_equal(rig.told[i].conflict.over, over);
	if (!over)
		assert_memory_equal(rig.told[i].conflict.mac, rig_other_mac, 6);
}

/* Another host answers the probe: nobody is answered, none is fought, and nothing wakes. */
static void
test_conflict_probe(void **state)
{
	struct frame_out syn = rig_syn(4, 1000);

	(void)state;
	rig_park(0);
	rig_wait(50 * NS_PER_MS);
	port_arp(2, rig_other_mac, RIG_V4, "0.0.0.0");
	assert_int_equal(rig.ntold, 1);
	check_conflict(0, RIG_V4, false);
	port_advert(rig_other_mac, RIG_V6);
	assert_int_equal(rig.ntold, 2);
	check_conflict(1, RIG_V6, false);
	rig_forget();
	rig_wait(PARK_CONFLICT_NS - NS_PER_MS);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	port_solicit(rig_client_mac, RIG_CLIENT_V6, RIG_V6);
	rig_port(&syn);
	assert_int_equal(rig.nsent, 0);
	assert_int_equal(rig.ntold, 0);
	assert_int_equal(park_figures(rig.set).held, 0);
}

/* The pause doubles up to five minutes; the end is told once. */
static void
test_conflict_pauses(void **state)
{
	uint64_t pause_ns = PARK_CONFLICT_NS;
	struct msg m = rig_park_msg(RIG_UNIT, MSG_PARK_OWNED);

	(void)state;
	m.park.addr[1].family = 0;
	rig_put(&m);
	port_arp(1, rig_other_mac, RIG_V4, RIG_CLIENT_V4);
	check_conflict(0, RIG_V4, false);
	for (int round = 0; round < 12; round++) {
		rig_forget();
		port_arp(2, rig_other_mac, RIG_V4, RIG_CLIENT_V4);   /* nothing new */
		rig_wait(pause_ns - 1);
		assert_int_equal(rig.nsent, 0);
		rig_wait(1);
		assert_int_equal(rig.nsent, 1);
		port_arp(2, rig_other_mac, RIG_V4, "0.0.0.0");
		assert_int_equal(rig.ntold, 0);
		pause_ns *= 2;
		if (pause_ns > PARK_CONFLICT_MOST_NS)
			pause_ns = PARK_CONFLICT_MOST_NS;
	}
	rig_forget();
	rig_wait(pause_ns + 2 * PARK_CLAIM_NS);
	assert_int_equal(rig.ntold, 0);
	rig_wait(PARK_CLAIM_NS);
	assert_int_equal(rig.ntold, 1);
	check_conflict(0, RIG_V4, true);
	assert_int_equal(rig.nsent, 4);
	assert_int_equal(park_next_ns(rig.set), 0);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	check_arp_answer(RIG_CLIENT_V4);
	/* One that comes back soon waits as long as before. */
	rig_forget();
	port_arp(1, rig_other_mac, RIG_V4, RIG_V4);
	assert_int_equal(rig.ntold, 1);
	rig_wait(PARK_CONFLICT_MOST_NS - 1);
	assert_int_equal(rig.nsent, 0);
	/* The guest was awake, and had it: ours again. */
	rig_put(&m);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	check_arp_answer(RIG_CLIENT_V4);
}

/* Others' duplicate address detection, against ours: theirs is a claim until ours is done. */
static void
test_both_probe(void **state)
{
	(void)state;
	rig_park(0);
	rig_wait(0);
	port_arp(1, rig_other_mac, "0.0.0.0", RIG_V4);
	port_solicit(rig_other_mac, "::", RIG_V6);
	assert_int_equal(rig.ntold, 2);
	check_conflict(0, RIG_V4, false);
	check_conflict(1, RIG_V6, false);
}

/* What only an IP header says claims nothing: whoever is beyond a router may write it. */
static void
test_no_claim_by_ip(void **state)
{
	struct frame_ends e = rig_ends(4);
	struct frame_out out;

	(void)state;
	rig_park(MSG_PARK_OWNED);
	e.src = guest_addr(RIG_V4);
	out = rig_tcp(&e, 1, 80, 0, 0, FRAME_TCP_SYN);
	rig_port(&out);
	assert_int_equal(rig.ntold, 0);
	assert_int_equal(rig.nsent, 0);
	assert_int_equal(park_figures(rig.set).held, 0);
}

/* A guest that begins to run hears nothing that it would take for another with its address. */
static void
test_linked(void **state)
{
	(void)state;
	rig_park(0);
	assert_true(park_link(rig.set, RIG_UNIT, rig.now_ns));
	rig_wait(NS_PER_S);
	assert_int_equal(rig.nsent, 0);
	rig_park(MSG_PARK_OWNED);
	assert_true(park_link(rig.set, RIG_UNIT, rig.now_ns));
	port_solicit(rig_client_mac, "::", RIG_V6);
	assert_int_equal(rig.nsent, 0);
	port_solicit(rig_client_mac, RIG_CLIENT_V6, RIG_V6);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, RIG_V4);
	assert_int_equal(rig.nsent, 2);
	port_advert(rig_other_mac, RIG_V6);
	assert_int_equal(rig.ntold, 0);
}

static struct msg
numbered(uint32_t i, uint32_t flags)
{
	struct msg m = rig_park_msg(i, flags);

	m.park.mac[3] = (uint8_t)(i >> 8);
	m.park.mac[4] = (uint8_t)i;
	m.park.addr[0].bytes[2] = (uint8_t)(i >> 8);
	m.park.addr[0].bytes[3] = (uint8_t)i;
	m.park.addr[1].bytes[14] = (uint8_t)(i >> 8);
	m.park.addr[1].bytes[15] = (uint8_t)i;
	return m;
}

/* Ten thousand: no timer when a former sentinel had them; else one after the other. */
static void
test_many(void **state)
{
	static size_t steps;

	(void)state;
	for (uint32_t i = 1; i <= 10000; i++) {
		struct msg m = numbered(i, MSG_PARK_OWNED);

		rig_put(&m);
	}
	assert_int_equal(park_next_ns(rig.set), 0);
	assert_int_equal(park_figures(rig.set).timed, 0);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, "10.77.39.16");   /* the 10,000th */
	port_solicit(rig_client_mac, RIG_CLIENT_V6, "fd77::1:1");
	assert_int_equal(rig.nsent, 1);
	for (uint32_t i = 1; i <= 10000; i++)
		park_remove(rig.set, i);

	for (uint32_t i = 1; i <= 10000; i++) {
		struct msg m = numbered(i, 0);

		rig_put(&m);
	}
	/* The last's turn is in ten seconds; who asks for it has it begin now. */
	rig_forget();
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, "10.77.39.16");
	rig_wait(PARK_CLAIM_PROBES * PARK_CLAIM_NS);
	rig_forget();
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, "10.77.39.16");
	assert_int_equal(rig.nsent, 1);
	for (uint64_t end = rig.now_ns + 11 * NS_PER_S; rig.now_ns < end; steps++) {
		size_t before = rig.nsent;

		rig_wait(10 * NS_PER_MS);
		assert_in_range(rig.nsent - before, 0, 90);
		rig_forget();
	}
	assert_int_equal(park_next_ns(rig.set), 0);
	port_arp(1, rig_client_mac, RIG_CLIENT_V4, "10.77.20.1");
	assert_int_equal(rig.nsent, 1);
}

/* Whoever claims all addresses at once does not fill the channel. */
static void
test_many_conflicts(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 2000; i++) {
		struct msg m = numbered(i, MSG_PARK_OWNED);

		rig_put(&m);
	}
	for (uint32_t i = 1; i <= 2000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.77.%u.%u", i >> 8, i & 255);
		port_arp(1, rig_other_mac, text, text);
	}
	assert_int_equal(rig.ntold, LIMIT_KNOCKS_WINDOW);
}

static void
test_refused(void **state)
{
	struct msg good = rig_park_msg(1, 0), m;
	struct errmsg why;

	(void)state;
	m = good;
	m.park.network = LIMIT_NETWORKS;
	assert_int_equal(park_put(rig.set, &m, rig.now_ns, &why), ERR_RANGE);
	assert_non_null(strstr(why.text, "network 64"));
	m = good;
	m.park.mac[0] = 1;
	assert_int_equal(park_put(rig.set, &m, rig.now_ns, &why), ERR_RANGE);
	m = good;
	m.park.non = LIMIT_WAKE_ON + 1;
	assert_int_equal(park_put(rig.set, &m, rig.now_ns, &why), ERR_RANGE);
	m = good;
	m.park.npassive = LIMIT_PASSIVE + 1;
	assert_int_equal(park_put(rig.set, &m, rig.now_ns, &why), ERR_RANGE);
	m = good;
	m.park.addr[1].family = 5;
	assert_int_equal(park_put(rig.set, &m, rig.now_ns, &why), ERR_RANGE);
	assert_non_null(strstr(why.text, "family 5"));
	assert_int_equal(park_figures(rig.set).units, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_owned), T(test_not_answered), T(test_claim), T(test_put_again),
		T(test_same_address), T(test_conflict_probe), T(test_conflict_pauses),
		T(test_both_probe), T(test_no_claim_by_ip), T(test_linked), T(test_many),
		T(test_many_conflicts), T(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
