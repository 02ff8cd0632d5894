/* park_flow_test: what wakes, what is given to the guest and when, and what is refused. */
#include "tests/unit/vm/sentinel/park_rig.h"

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

static void
port_syn(int family, uint16_t sport)
{
	struct frame_out out = rig_syn(family, sport);

	rig_port(&out);
}

static void
check_knock(size_t i, int family, uint8_t proto, uint16_t port, bool middle)
{
	struct msg_addr peer = guest_addr(family == 4 ? RIG_CLIENT_V4 : RIG_CLIENT_V6);

	assert_true(i < rig.ntold);
	assert_int_equal(rig.told[i].type, MSG_KNOCK);
	assert_int_equal(rig.told[i].unit, RIG_UNIT);
	assert_int_equal(rig.told[i].time_ns, rig.now_ns);
	assert_int_equal(rig.told[i].knock.proto, proto);
	assert_int_equal(rig.told[i].knock.port, port);
	assert_int_equal(rig.told[i].knock.middle, middle);
	assert_int_equal(addr_cmp(&rig.told[i].knock.peer, &peer), 0);
}

/* The last frame of the port is this RST. */
static void
check_rst(size_t nsent, uint16_t dport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	const struct frame *f = &rig.sent[nsent - 1];

	assert_int_equal(rig.nsent, nsent);
	assert_int_equal(f->kind, FRAME_TCP);
	assert_memory_equal(f->src_mac, rig_guest_mac, 6);
	assert_memory_equal(f->dst_mac, rig_client_mac, 6);
	assert_int_equal(f->tcp.dport, dport);
	assert_int_equal(f->tcp.flags, flags);
	assert_int_equal(f->tcp.seq, seq);
	assert_int_equal(f->tcp.ack, ack);
}

static void
link_to_guest(void)
{
	assert_true(park_link(rig.set, RIG_UNIT, rig.now_ns));
}

/* Any frame of the guest. */
static void
sign_of_life(void)
{
	struct frame_out out = rig_arp(1, rig_guest_mac, RIG_V4, RIG_CLIENT_V4);

	rig_link(&out, false);
}

static void
guest_accepts(int family, uint16_t sport)
{
	struct frame_out out = rig_syn_ack(family, sport);

	rig_link(&out, false);
}

static void
check_settled(void)
{
	assert_true(rig.ntold > 0);
	assert_int_equal(rig.told[rig.ntold - 1].type, MSG_SETTLED);
	assert_int_equal(rig.told[rig.ntold - 1].unit, RIG_UNIT);
}

/* A whole cold wake: one knock, a SYN that is given until it is accepted, then nothing of ours. */
static void
check_wake(int family)
{
	static const uint64_t pauses_ms[] = { 2, 4, 8, 16, 20, 20, 20 };
	uint64_t at_ns;

	rig_park(MSG_PARK_OWNED);
	port_syn(family, 1000);
	assert_int_equal(rig.ntold, 1);
	check_knock(0, family, 6, 80, false);
	port_syn(family, 1000);                     /* again, and another */
	port_syn(family, 1001);
	assert_int_equal(rig.ntold, 1);
	assert_int_equal(park_figures(rig.set).held, 2);
	assert_int_equal(park_next_ns(rig.set), 0);
	assert_int_equal(rig.nsent, 0);
	rig_wait(50 * NS_PER_MS);

	link_to_guest();
	assert_int_equal(rig.ngiven, 2);            /* they wait in its NIC */
	assert_int_equal(park_next_ns(rig.set), 0);
	rig_wait(50 * NS_PER_MS);
	assert_int_equal(rig.ngiven, 2);
	sign_of_life();
	at_ns = rig.now_ns;
	assert_int_equal(rig.ngiven, 4);
	for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
		rig_wait(pauses_ms[i] * NS_PER_MS);
		at_ns += pauses_ms[i] * NS_PER_MS;
		assert_int_equal(rig.ngiven, 4 + 2 * (i + 1));
		assert_int_equal(rig.given[rig.ngiven - 1].at_ns, at_ns);
	}
	guest_accepts(family, 1000);
	assert_int_equal(park_figures(rig.set).held, 1);
	rig_forget();
	rig_wait(20 * NS_PER_MS);
	assert_int_equal(rig.ngiven, 1);
	assert_int_equal(rig.given[0].f.tcp.sport, 1001);

	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	assert_int_equal(rig.ngiven, 2);
	rig_wait(2 * NS_PER_MS);
	assert_int_equal(rig.ngiven, 3);
	assert_int_equal(rig.ntold, 0);
	guest_accepts(family, 1001);
	assert_int_equal(rig.ntold, 1);
	check_settled();
	assert_int_equal(rig.nunlinked, 1);
	assert_int_equal(park_figures(rig.set).units, 0);
	assert_int_equal(park_next_ns(rig.set), 0);
	assert_int_equal(rig.nsent, 0);
}

static void
test_wake_v4(void **state)
{
	(void)state;
	check_wake(4);
}

static void
test_wake_v6(void **state)
{
	(void)state;
	check_wake(6);
}

/* UDP and echo requests wake, and are given once, when the guest is ready. */
static void
check_datagrams(int family)
{
	struct frame_out udp = rig_udp(family, 5000, 53), ping = rig_ping(family, 1);

	rig_park(MSG_PARK_OWNED);
	rig_port(&udp);
	check_knock(0, family, 17, 53, false);
	rig_port(&ping);
	rig_port(&udp);                             /* another that looks the same */
	assert_int_equal(park_figures(rig.set).held, 3);
	link_to_guest();
	sign_of_life();
	rig_port(&udp);                             /* it comes by the port still: too early, too */
	rig_wait(NS_PER_S);
	assert_int_equal(rig.ngiven, 0);
	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	assert_int_equal(rig.ngiven, 4);
	assert_int_equal(rig.given[0].f.kind, FRAME_UDP);
	assert_int_equal(rig.given[1].f.kind, FRAME_ECHO_REQUEST);
	check_settled();
	assert_int_equal(rig.ntold, 2);

	rig_forget();
	rig_park(MSG_PARK_OWNED);
	rig_port(&ping);
	check_knock(0, family, family == 4 ? 1 : 58, 0, false);
	park_remove(rig.set, RIG_UNIT);
}

static void
test_datagrams(void **state)
{
	(void)state;
	check_datagrams(4);
	rig_forget();
	check_datagrams(6);
}

/* A service that answers says that the host is up: what was kept is given then. */
static void
test_datagrams_behind_syn(void **state)
{
	struct frame_out udp = rig_udp(4, 5000, 53);

	(void)state;
	rig_park(MSG_PARK_OWNED);
	port_syn(4, 1000);
	rig_port(&udp);
	link_to_guest();
	rig_forget();
	guest_accepts(4, 1000);
	assert_int_equal(rig.ngiven, 2);   /* the sign of life gave the SYN once more */
	assert_int_equal(rig.given[1].f.kind, FRAME_UDP);
	assert_int_equal(park_figures(rig.set).held, 0);
	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	check_settled();
}

/* What the bridge gives the booting guest is kept, too; passive ones' and answered ones are not. */
static void
test_to_guest(void **state)
{
	struct frame_out syn = rig_syn(4, 1000), udp = rig_udp(4, 5000, 53), ping = rig_ping(6, 3),
	    out;
	struct frame_ends e = rig_ends(4), back = rig_back(&e), e6 = rig_ends(6),
	    back6 = rig_back(&e6);
	struct frame_echo echo = { .id = 99, .seq = 3, .len = 16 };
	struct msg m = rig_park_msg(RIG_UNIT, MSG_PARK_OWNED | MSG_PARK_BUSY);

	(void)state;
	m.park.npassive = 1;
	assert_true(addr_parse_prefix("10.77.0.99/32", &m.park.passive[0]));
	rig_put(&m);
	link_to_guest();
	sign_of_life();
	rig_link(&syn, true);
	assert_int_equal(rig.ngiven, 0);            /* the guest has it */
	rig_wait(2 * NS_PER_MS);
	assert_int_equal(rig.ngiven, 1);
	rig_link(&udp, true);
	rig_link(&ping, true);
	e.src = guest_addr("10.77.0.99");
	out = rig_tcp(&e, 7, 80, 1, 0, FRAME_TCP_SYN);
	rig_link(&out, true);
	e.src = guest_addr(RIG_CLIENT_V4);
	out = rig_tcp(&e, 8, 80, 1, 1, FRAME_TCP_ACK);
	rig_link(&out, true);
	e.dst = guest_addr("10.77.0.11");           /* not an address of ours */
	out = rig_tcp(&e, 9, 80, 1, 0, FRAME_TCP_SYN);
	rig_link(&out, true);
	assert_int_equal(park_figures(rig.set).held, 3);
	assert_true(guest_udp(&out, &back, 53, 5000));
	rig_link(&out, false);
	assert_int_equal(park_figures(rig.set).held, 2);
	assert_true(guest_echo_reply(&out, &back6, &echo));
	rig_link(&out, false);
	assert_int_equal(park_figures(rig.set).held, 1);
	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	rig_link(&udp, true);                       /* ready: it can answer for itself */
	assert_int_equal(park_figures(rig.set).held, 1);
	rig_link(&syn, true);
	syn = rig_syn(4, 1001);
	rig_link(&syn, true);                       /* the guard may stand between still */
	assert_int_equal(park_figures(rig.set).held, 2);
	guest_accepts(4, 1000);
	guest_accepts(4, 1001);
	check_settled();
	assert_int_equal(rig.ntold, 1);
}

/* The guest's RSTs end nothing; only an answer to this very SYN does. */
static void
test_not_accepted(void **state)
{
	struct frame_ends e = rig_ends(4), back = rig_back(&e);
	struct frame_out rst = rig_tcp(&back, 80, 1000, 0, 1001, FRAME_TCP_RST | FRAME_TCP_ACK),
	    other_ack = rig_tcp(&back, 80, 1000, 1, 1002, FRAME_TCP_SYN | FRAME_TCP_ACK),
	    other_port = rig_tcp(&back, 81, 1000, 1, 1001, FRAME_TCP_SYN | FRAME_TCP_ACK),
	    spoofed = rig_syn_ack(4, 1000), to_guest = rig_syn_ack(4, 1000);

	(void)state;
	rig_park(MSG_PARK_OWNED);
	port_syn(4, 1000);
	link_to_guest();
	rig_link(&rst, false);
	rig_link(&other_ack, false);
	rig_link(&other_port, false);
	memcpy(spoofed.bytes + 6, rig_other_mac, 6);
	rig_link(&spoofed, false);
	rig_link(&to_guest, true);
	assert_int_equal(park_figures(rig.set).held, 1);
	guest_accepts(4, 1000);
	assert_int_equal(park_figures(rig.set).held, 0);
}

/*
 * Ten seconds after readiness no service has come: what the guest has refused is refused, about the
 * rest it may say what it likes.
 */
static void
test_deadline(void **state)
{
	struct frame_ends e = rig_ends(4), back = rig_back(&e);
	struct frame_out rst = rig_tcp(&back, 80, 1000, 0, 1001, FRAME_TCP_RST | FRAME_TCP_ACK);

	(void)state;
	rig_park(MSG_PARK_OWNED);
	port_syn(4, 1000);
	port_syn(4, 1001);
	link_to_guest();
	rig_link(&rst, false);
	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	rig_forget();
	rig_wait(PARK_SETTLE_NS - 1);
	assert_int_equal(rig.ntold, 0);
	assert_int_equal(rig.nsent, 0);
	assert_in_range(rig.ngiven, 2 * (PARK_SETTLE_NS / PARK_GIVE_MOST_NS - 5),
	    2 * (PARK_SETTLE_NS / PARK_GIVE_MOST_NS + 5));
	rig_wait(1);
	assert_int_equal(rig.ntold, 1);
	check_settled();
	check_rst(1, 1000, FRAME_TCP_RST | FRAME_TCP_ACK, PARK_REFUSAL_SEQ, 1001);
	assert_int_equal(rig.nunlinked, 1);
	assert_int_equal(park_figures(rig.set).units, 0);
	assert_int_equal(park_next_ns(rig.set), 0);
}

/* Awake without a link, or unknown: settled at once, and nothing stays. */
static void
test_awake_without_link(void **state)
{
	(void)state;
	rig_park(MSG_PARK_OWNED);
	port_syn(4, 1000);
	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	check_settled();
	assert_int_equal(rig.ntold, 2);
	assert_int_equal(park_figures(rig.set).held, 0);
	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	assert_int_equal(rig.ntold, 3);
	check_settled();
	assert_false(park_link(rig.set, RIG_UNIT, rig.now_ns));
	park_drop(rig.set, RIG_UNIT, rig.now_ns);
	park_remove(rig.set, RIG_UNIT);
	assert_int_equal(rig.nunlinked, 0);
}

/* A wake that was refused: RSTs at once, and for a second no further knock. */
static void
test_drop(void **state)
{
	struct frame_out udp = rig_udp(4, 5000, 53);

	(void)state;
	rig_park(MSG_PARK_OWNED);
	port_syn(4, 1000);
	rig_port(&udp);
	rig_forget();
	park_drop(rig.set, RIG_UNIT, rig.now_ns);
	check_rst(1, 1000, FRAME_TCP_RST | FRAME_TCP_ACK, PARK_REFUSAL_SEQ, 1001);
	assert_int_equal(park_figures(rig.set).held, 0);
	port_syn(4, 1001);
	rig_port(&udp);
	check_rst(2, 1001, FRAME_TCP_RST | FRAME_TCP_ACK, PARK_REFUSAL_SEQ, 1001);
	assert_int_equal(rig.ntold, 0);
	rig_park(MSG_PARK_OWNED);                   /* as after each wake that was refused */
	port_syn(4, 1002);
	check_rst(3, 1002, FRAME_TCP_RST | FRAME_TCP_ACK, PARK_REFUSAL_SEQ, 1001);
	assert_int_equal(rig.ntold, 0);
	rig_wait(PARK_REFUSED_NS);
	port_syn(4, 1003);
	assert_int_equal(rig.ntold, 1);
	check_knock(0, 4, 6, 80, false);
	/* One that had a VM, which is to sleep again, was not refused. */
	link_to_guest();
	rig_forget();
	park_drop(rig.set, RIG_UNIT, rig.now_ns);
	check_rst(1, 1003, FRAME_TCP_RST | FRAME_TCP_ACK, PARK_REFUSAL_SEQ, 1001);
	assert_int_equal(rig.nunlinked, 1);
	rig_park(MSG_PARK_OWNED);
	port_syn(4, 1004);
	assert_int_equal(rig.ntold, 1);
}

/* It went to sleep while packets came: they ask for the next wake. */
static void
test_park_again(void **state)
{
	(void)state;
	rig_park(MSG_PARK_OWNED | MSG_PARK_BUSY);
	port_syn(4, 1000);
	assert_int_equal(rig.ntold, 0);
	rig_park(MSG_PARK_OWNED | MSG_PARK_BUSY);
	assert_int_equal(rig.ntold, 0);
	rig_park(MSG_PARK_OWNED);
	assert_int_equal(rig.ntold, 1);
	check_knock(0, 4, 6, 80, false);
	link_to_guest();
	rig_forget();
	rig_park(MSG_PARK_OWNED | MSG_PARK_BUSY);   /* a reload, while it wakes */
	assert_int_equal(rig.nunlinked, 0);
	sign_of_life();
	assert_int_equal(rig.ngiven, 1);
	rig_park(MSG_PARK_OWNED);                   /* it ended, and sleeps */
	assert_int_equal(rig.nunlinked, 1);
	assert_int_equal(rig.ntold, 1);
	assert_int_equal(park_next_ns(rig.set), 0);
	/* Awake, and asleep before it has answered. */
	link_to_guest();
	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	assert_int_equal(park_figures(rig.set).held, 1);
	rig_forget();
	rig_park(MSG_PARK_OWNED);
	assert_int_equal(park_figures(rig.set).held, 0);
	assert_int_equal(rig.ntold, 0);
	assert_int_equal(rig.nunlinked, 1);
	assert_int_equal(park_next_ns(rig.set), 0);
}

/* ---- former lives ---- */

static void
test_middle(void **state)
{
	struct frame_ends e = rig_ends(4);
	struct frame_out ack = rig_tcp(&e, 1000, 80, 500, 700, FRAME_TCP_ACK),
	    fin = rig_tcp(&e, 1001, 80, 500, 701, FRAME_TCP_ACK | FRAME_TCP_FIN),
	    rst = rig_tcp(&e, 1002, 80, 500, 0, FRAME_TCP_RST),
	    none = rig_tcp(&e, 1003, 80, 500, 0, 0),
	    both = rig_tcp(&e, 1004, 80, 500, 0, FRAME_TCP_SYN | FRAME_TCP_FIN);

	(void)state;
	rig_park(MSG_PARK_OWNED);
	rig_port(&ack);
	check_rst(1, 1000, FRAME_TCP_RST, 700, 0);
	rig_port(&fin);
	check_rst(2, 1001, FRAME_TCP_RST, 701, 0);
	rig_port(&rst);
	rig_port(&none);
	rig_port(&both);
	assert_int_equal(rig.nsent, 2);
	assert_int_equal(rig.ntold, 0);
	for (int i = 0; i < 2 * LIMIT_PARK_REFUSALS; i++)
		if (rig.nsent < RIG_NOTES)
			rig_port(&ack);
	assert_int_equal(rig.nsent, LIMIT_PARK_REFUSALS);
	rig_wait(NS_PER_S);
	rig_port(&ack);
	assert_int_equal(rig.nsent, LIMIT_PARK_REFUSALS + 1);
}

/* Its memory is there: the flow goes on, from the very segment. */
static void
test_middle_of_memory(void **state)
{
	struct frame_ends e = rig_ends(6);
	struct frame_out ack = rig_tcp(&e, 1000, 22, 500, 700, FRAME_TCP_ACK);
	struct frame_out udp = rig_udp(6, 5000, 53);

	(void)state;
	rig_park(MSG_PARK_OWNED | MSG_PARK_MEMORY);
	rig_port(&ack);
	assert_int_equal(rig.ntold, 1);
	check_knock(0, 6, 6, 22, true);
	rig_port(&ack);                             /* sent again */
	ack = rig_tcp(&e, 1000, 22, 550, 700, FRAME_TCP_ACK);
	rig_port(&ack);                             /* the next */
	port_syn(6, 1001);
	rig_port(&udp);
	assert_int_equal(park_figures(rig.set).held, 4);
	link_to_guest();
	assert_int_equal(rig.ngiven, 4);            /* before it runs: it reads them at once */
	assert_int_equal(park_figures(rig.set).held, 1);
	ack = rig_tcp(&e, 1000, 22, 600, 700, FRAME_TCP_ACK);
	rig_port(&ack);
	assert_int_equal(rig.ngiven, 5);
	assert_int_equal(park_figures(rig.set).held, 1);
	guest_accepts(6, 1001);
	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	check_settled();
	assert_int_equal(rig.nsent, 0);
}

/* A guest that goes on with its memory has refused: it is not asked again and again. */
static void
test_refused_by_memory(void **state)
{
	struct frame_ends there = rig_ends(4), e = rig_back(&there);
	struct frame_out syn_ack = rig_syn_ack(4, 1000);
	struct frame_out rst;
	struct frame f;

	(void)state;
	assert_true(frame_parse(syn_ack.bytes, syn_ack.len, &f));
	rst = rig_tcp(&e, 80, 1000, 0, f.tcp.ack, FRAME_TCP_RST | FRAME_TCP_ACK);
	rig_park(MSG_PARK_OWNED | MSG_PARK_MEMORY);
	port_syn(4, 1000);
	link_to_guest();
	assert_int_equal(park_figures(rig.set).held, 1);
	rig_link(&rst, false);
	assert_int_equal(park_figures(rig.set).held, 0);
	assert_int_equal(park_next_ns(rig.set), 0);
	park_awake(rig.set, RIG_UNIT, rig.now_ns);
	check_settled();
}

/* ---- wake-on and passive-from ---- */

static void
test_wake_on(void **state)
{
	struct msg m = rig_park_msg(RIG_UNIT, MSG_PARK_OWNED);
	struct frame_out dns = rig_udp(4, 5000, 53), ntp = rig_udp(4, 5000, 123),
	    ping = rig_ping(6, 1);

	(void)state;
	m.park.non = 3;
	m.park.on[0] = (struct msg_wake_on){ .proto = 6, .port = 443 };
	m.park.on[1] = (struct msg_wake_on){ .proto = 17, .port = 53 };
	m.park.on[2] = (struct msg_wake_on){ .proto = 1 };
	rig_put(&m);
	port_syn(4, 1000);
	check_rst(1, 1000, FRAME_TCP_RST | FRAME_TCP_ACK, PARK_REFUSAL_SEQ, 1001);
	rig_port(&ntp);
	assert_int_equal(rig.ntold, 0);
	rig_port(&dns);
	assert_int_equal(rig.ntold, 1);
	check_knock(0, 4, 17, 53, false);
	/* It wakes anyway: the others may wait for it, too. */
	port_syn(4, 1000);
	assert_int_equal(rig.nsent, 1);
	assert_int_equal(park_figures(rig.set).held, 2);
	park_remove(rig.set, RIG_UNIT);
	rig_put(&m);
	rig_port(&ping);
	check_knock(1, 6, 58, 0, false);
	park_remove(rig.set, RIG_UNIT);
	m.park.non = 1;
	m.park.on[0].port = 0;
	rig_put(&m);
	rig_port(&ping);
	rig_port(&dns);
	assert_int_equal(rig.ntold, 2);
	port_syn(4, 1000);
	check_knock(2, 4, 6, 80, false);
}

static struct msg
passive(uint8_t accepts)
{
	struct msg m = rig_park_msg(RIG_UNIT, MSG_PARK_OWNED);

	m.park.passive_accepts = accepts;
	m.park.npassive = 2;
	assert_true(addr_parse_prefix("10.77.0.0/28", &m.park.passive[0]));
	assert_true(addr_parse_prefix("fd77::/64", &m.park.passive[1]));
	return m;
}

static void
test_passive_closed(void **state)
{
	struct msg m = passive(0);
	struct frame_out udp = rig_udp(4, 5000, 53), ping = rig_ping(6, 1), out;
	struct frame_ends e = rig_ends(4);

	(void)state;
	rig_put(&m);
	port_syn(4, 1000);
	check_rst(1, 1000, FRAME_TCP_RST | FRAME_TCP_ACK, PARK_REFUSAL_SEQ, 1001);
	rig_port(&udp);
	rig_port(&ping);
	assert_int_equal(rig.nsent, 1);
	assert_int_equal(rig.ntold, 0);
	e.src = guest_addr("10.77.0.16");           /* the first that is not passive */
	out = rig_tcp(&e, 1, 80, 1, 0, FRAME_TCP_SYN);
	rig_port(&out);
	assert_int_equal(rig.ntold, 1);
	port_syn(4, 1000);                          /* not kept while it wakes, either */
	assert_int_equal(rig.nsent, 2);
	assert_int_equal(park_figures(rig.set).held, 1);
}

/* A monitor's connection: accepted, closed, and nothing is kept of it. */
static void
check_accepts(int family)
{
	struct frame_ends e = rig_ends(family);
	struct frame_out out;
	uint32_t isn;

	port_syn(family, 1000);
	assert_int_equal(rig.nsent, 1);
	isn = rig.sent[0].tcp.seq;
	check_rst(1, 1000, FRAME_TCP_SYN | FRAME_TCP_ACK, isn, 1001);
	port_syn(family, 1000);
	check_rst(2, 1000, FRAME_TCP_SYN | FRAME_TCP_ACK, isn, 1001);
	out = rig_tcp(&e, 1000, 80, 1001, isn + 1, FRAME_TCP_ACK);
	rig_port(&out);
	check_rst(3, 1000, FRAME_TCP_FIN | FRAME_TCP_ACK, isn + 1, 1001);
	out = rig_tcp(&e, 1000, 80, 1001, isn + 2, FRAME_TCP_ACK);
	rig_port(&out);
	assert_int_equal(rig.nsent, 3);
	out = rig_tcp(&e, 1000, 80, 1001, isn + 2, FRAME_TCP_FIN | FRAME_TCP_ACK);
	rig_port(&out);
	check_rst(4, 1000, FRAME_TCP_ACK, isn + 2, 1002);
	/* an acknowledgement of what was never sent */
	out = rig_tcp(&e, 1000, 80, 1001, isn + 77, FRAME_TCP_ACK);
	rig_port(&out);
	check_rst(5, 1000, FRAME_TCP_RST, isn + 77, 0);
	out = rig_tcp(&e, 1000, 80, 1001, 0, FRAME_TCP_RST);
	rig_port(&out);
	assert_int_equal(rig.nsent, 5);
	assert_int_equal(rig.ntold, 0);
	assert_int_equal(park_next_ns(rig.set), 0);
	assert_int_equal(park_figures(rig.set).held, 0);
}

static void
test_passive_accepts(void **state)
{
	struct msg m = passive(1);

	(void)state;
	rig_put(&m);
	check_accepts(4);
	rig_forget();
	check_accepts(6);
}

/* Knocks at many units are no more in a window than the warden can read. */
static void
test_many_knocks(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 1000; i++) {
		struct msg m = rig_park_msg(i, MSG_PARK_OWNED);

		m.park.addr[0].bytes[2] = (uint8_t)(i >> 8);
		m.park.addr[0].bytes[3] = (uint8_t)i;
		m.park.addr[1].family = 0;
		rig_put(&m);
	}
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 1; i <= 1000; i++) {
			struct frame_ends e = rig_ends(4);
			struct frame_out out;

			e.src = guest_addr("192.0.2.7");
			e.dst.bytes[2] = (uint8_t)(i >> 8);
			e.dst.bytes[3] = (uint8_t)i;
			out = rig_tcp(&e, 1, 80, 1, 0, FRAME_TCP_SYN);
			rig_port(&out);
		}
		assert_int_equal(rig.ntold, (size_t)LIMIT_KNOCKS_WINDOW * (size_t)(round + 1));
		assert_int_equal(park_figures(rig.set).held, rig.ntold);
		rig_wait(LIMIT_KNOCKS_WINDOW_MS * NS_PER_MS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_wake_v4), T(test_wake_v6), T(test_datagrams), T(test_datagrams_behind_syn),
		T(test_to_guest), T(test_not_accepted), T(test_deadline),
		T(test_awake_without_link), T(test_drop), T(test_park_again), T(test_middle),
		T(test_middle_of_memory), T(test_refused_by_memory), T(test_wake_on),
		T(test_passive_closed), T(test_passive_accepts), T(test_many_knocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
