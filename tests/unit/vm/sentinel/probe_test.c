/* probe_test: schedule, signs of life and answers, with a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "tests/unit/vm/guest.h"
#include "vm/sentinel/probe.h"
#include "vm/vm.h"

#define MAX_SENT 4096
#define T0 (1000 * NS_PER_S)   /* when every test begins */

static const uint8_t bridge_mac[6] = { 2, 0, 0, 0, 0, 0x11 };
static const uint8_t guest_mac[6] = { 2, 0, 0, 0, 0, 0xaa };

/* What the machine did. */
struct rig {
	struct probe_set *set;
	uint64_t now_ns;
	struct {
		uint64_t at_ns;
		uint32_t network;
		struct frame f;
	} sent[MAX_SENT];
	size_t nsent;
	struct {
		enum msg_type what;
		uint32_t unit;
		uint64_t seen_ns;
		size_t sent_before;
	} told[8];
	size_t ntold;
	struct {
		enum msg_sign what;
		uint32_t unit;
		struct msg_addr addr;
		uint8_t mac[6];
	} signs[8];
	size_t nsigns;
	/* frames to all, by which the guest's address is asked for; not in `sent` */
	size_t nasked;
	struct frame asked;        /* the last of them */
	uint32_t seed;
};

static struct rig rig;

static void
rig_send(void *arg, uint32_t network, const uint8_t *frame, size_t len)
{
	struct rig *r = arg;

	assert_true(r->nsent < MAX_SENT);
	assert_true(frame_parse(frame, len, &r->sent[r->nsent].f));
	assert_memory_equal(r->sent[r->nsent].f.src_mac, bridge_mac, 6);
	if ((r->sent[r->nsent].f.dst_mac[0] & 1) != 0) {
		r->asked = r->sent[r->nsent].f;
		r->nasked++;
		return;
	}
	assert_memory_equal(r->sent[r->nsent].f.dst_mac, guest_mac, 6);
	r->sent[r->nsent].at_ns = r->now_ns;
	r->sent[r->nsent].network = network;
	r->nsent++;
}

static void
rig_report(void *arg, uint32_t unit, enum msg_type what, uint64_t seen_ns)
{
	struct rig *r = arg;

	assert_true(r->ntold < 8);
	r->told[r->ntold].what = what;
	r->told[r->ntold].unit = unit;
	r->told[r->ntold].seen_ns = seen_ns;
	r->told[r->ntold].sent_before = r->nsent;
	r->ntold++;
}

static void
rig_sign(void *arg, uint32_t unit, enum msg_sign what, const struct msg_addr *addr,
    const uint8_t *mac, uint64_t seen_ns)
{
	struct rig *r = arg;

	assert_true(r->nsigns < 8);
	assert_int_equal(seen_ns, r->now_ns);
	r->signs[r->nsigns].what = what;
	r->signs[r->nsigns].unit = unit;
	if (addr != NULL)
		r->signs[r->nsigns].addr = *addr;
	if (mac != NULL)
		memcpy(r->signs[r->nsigns].mac, mac, 6);
	r->nsigns++;
}

static uint32_t
rig_random(void *arg)
{
	struct rig *r = arg;

	r->seed = r->seed * 1664525 + 1013904223;
	return r->seed;
}

static int
setup(void **state)
{
	static const struct probe_ops ops = { .send = rig_send, .report = rig_report,
	    .sign = rig_sign, .random = rig_random };

	(void)state;
	memset(&rig, 0, sizeof(rig));
	rig.now_ns = T0;
	rig.set = probe_set_new(&ops, &rig);
	if (rig.set == NULL)
		return -1;
	return probe_network_set(rig.set, 3, bridge_mac, NULL) == ERR_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	probe_set_free(rig.set);
	return 0;
}

static struct msg
probe_msg(uint32_t unit, enum msg_probe_kind kind, const char *guest, const char *source)
{
	struct msg m = { .type = MSG_PROBE, .unit = unit };

	m.probe.network = 3;
	m.probe.kind = kind;
	m.probe.port = kind == PROBE_TCP ? 80 : 0;
	memcpy(m.probe.mac, guest_mac, 6);
	m.probe.guest = guest_addr(guest);
	if (source != NULL)
		m.probe.source = guest_addr(source);
	return m;
}

static void
start(enum msg_probe_kind kind, const char *guest, const char *source)
{
	struct msg m = probe_msg(7, kind, guest, source);
	struct errmsg why = { "" };

	if (probe_start(rig.set, &m, rig.now_ns, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

/* Lets the time pass up to T0 + ms, with every tick exactly when it was asked for. */
static void
run_to_ms(uint64_t ms)
{
	uint64_t end_ns = T0 + ms * NS_PER_MS, next;

	while ((next = probe_next_ns(rig.set)) != 0 && next <= end_ns) {
		assert_true(next > rig.now_ns);
		rig.now_ns = next;
		probe_tick(rig.set, rig.now_ns);
	}
	rig.now_ns = end_ns;
}

static void
deliver(const struct frame_out *out)
{
	assert_true(out->len > 0);
	probe_frame(rig.set, 3, out->bytes, out->len, rig.now_ns);
}

/* The guest's answer to frame `i` that was sent. */
static void
tcp_answer(size_t i, uint8_t flags, struct frame_ends *ends, struct frame_tcp *tcp)
{
	const struct frame *syn = &rig.sent[i].f;

	assert_int_equal(syn->kind, FRAME_TCP);
	memcpy(ends->src_mac, guest_mac, 6);
	memcpy(ends->dst_mac, bridge_mac, 6);
	ends->src = syn->dst;
	ends->dst = syn->src;
	memset(tcp, 0, sizeof(*tcp));
	tcp->sport = syn->tcp.dport;
	tcp->dport = syn->tcp.sport;
	tcp->seq = (flags & FRAME_TCP_RST) != 0 ? 0 : 0xcafe;
	tcp->ack = syn->tcp.seq + 1;
	tcp->flags = flags;
}

static void
deliver_tcp(size_t i, uint8_t flags)
{
	struct frame_ends ends;
	struct frame_tcp tcp;
	struct frame_out out;

	tcp_answer(i, flags, &ends, &tcp);
	assert_true(frame_build_tcp(&out, &ends, &tcp));
	deliver(&out);
}

#define SYNACK (FRAME_TCP_SYN | FRAME_TCP_ACK)
#define REFUSAL (FRAME_TCP_RST | FRAME_TCP_ACK)

/* A frame of the guest that answers nothing. */
static void
deliver_sign(void)
{
	struct frame_ends ends = { .src = guest_addr("0.0.0.0") };
	struct frame_arp arp = { .op = 1, .sender = guest_addr("0.0.0.0"),
	    .target = guest_addr("10.9.9.9") };
	struct frame_out out;

	memset(ends.dst_mac, 0xff, 6);
	memcpy(ends.src_mac, guest_mac, 6);
	memcpy(arp.sender_mac, guest_mac, 6);
	assert_true(frame_build_arp(&out, &ends, &arp));
	deliver(&out);
}

/* Frames must have gone out exactly at T0 + these milliseconds, from frame number `first` on. */
static void
assert_sent_at(size_t first, const unsigned *ms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(first + i < rig.nsent);
		assert_int_equal((rig.sent[first + i].at_ns - T0) / NS_PER_MS, ms[i]);
		assert_int_equal((rig.sent[first + i].at_ns - T0) % NS_PER_MS, 0);
	}
}

static void
test_schedule(void **state)
{
	static const unsigned later[] = { 100, 102, 106, 114, 130, 150, 170, 190 };

	(void)state;
	assert_int_equal(probe_next_ns(rig.set), 0);
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	assert_int_equal(rig.nsent, 1);
	run_to_ms(99);
	assert_int_equal(rig.nsent, 100);
	for (unsigned ms = 0; ms < 100; ms++)
		assert_sent_at(ms, &ms, 1);
	run_to_ms(190);
	assert_sent_at(100, later, 8);
	assert_int_equal(rig.nsent, 108);
	assert_int_equal(rig.sent[0].network, 3);
}

/*
 * After five silent seconds it asks every 100 ms; a sign of life brings it back to 1 ms for 100 ms.
 */
static void
test_silence_and_life(void **state)
{
	static const unsigned slower[] = { 4990, 5010, 5050, 5130, 5230, 5330 };
	static const unsigned alive[] = { 5340, 5341, 5342 };
	size_t n;

	(void)state;
	start(PROBE_PING, "10.77.0.10", "10.77.0.1");
	run_to_ms(4989);
	n = rig.nsent;
	run_to_ms(5340);
	assert_sent_at(n, slower, 6);
	assert_int_equal(rig.nsent, n + 6);
	deliver_sign();
	assert_int_equal(rig.ntold, 1);
	assert_int_equal(rig.told[0].what, MSG_ALIVE);
	assert_int_equal(rig.told[0].unit, 7);
	assert_int_equal(rig.told[0].seen_ns, T0 + 5340 * NS_PER_MS);
	run_to_ms(5342);
	assert_sent_at(n + 6, alive, 3);
	run_to_ms(5439);
	assert_int_equal(rig.nsent, n + 6 + 100);
	deliver_sign();   /* told once, and the schedule goes on */
	assert_int_equal(rig.ntold, 1);
	assert_int_equal(rig.nsent, n + 6 + 100);
	n = rig.nsent;
	run_to_ms(20000); /* alive: never slower than 20 ms */
	assert_in_range(rig.nsent - n, (20000 - 5440) / 20, (20000 - 5440) / 20 + 5);
}

/* A tick that comes late sends one frame, not all that were missed. */
static void
test_late_tick(void **state)
{
	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	rig.now_ns += 40 * NS_PER_MS + 300000;
	probe_tick(rig.set, rig.now_ns);
	assert_int_equal(rig.nsent, 2);
	assert_int_equal(probe_next_ns(rig.set), T0 + 41 * NS_PER_MS + 300000);
	rig.now_ns += 100000;
	probe_tick(rig.set, rig.now_ns);
	assert_int_equal(rig.nsent, 2);
}

static void
check_tcp_ready(const char *guest, const char *source)
{
	start(PROBE_TCP, guest, source);
	run_to_ms(5);
	assert_int_equal(rig.nsent, 6);
	for (size_t i = 0; i < 6; i++) {   /* one connection attempt */
		assert_int_equal(rig.sent[i].f.kind, FRAME_TCP);
		assert_int_equal(rig.sent[i].f.tcp.flags, FRAME_TCP_SYN);
		assert_int_equal(rig.sent[i].f.tcp.dport, 80);
		assert_in_range(rig.sent[i].f.tcp.sport, VM_PROBE_PORT_FIRST, VM_PROBE_PORT_LAST);
		assert_int_equal(rig.sent[i].f.tcp.sport, rig.sent[0].f.tcp.sport);
		assert_int_equal(rig.sent[i].f.tcp.seq, rig.sent[0].f.tcp.seq);
	}
	deliver_tcp(3, SYNACK);
	assert_int_equal(rig.ntold, 2);
	assert_int_equal(rig.told[0].what, MSG_ALIVE);
	assert_int_equal(rig.told[1].what, MSG_READY);
	assert_int_equal(rig.told[1].seen_ns, rig.now_ns);
	assert_int_equal(rig.told[1].sent_before, 6);   /* first the news, then the RST */
	assert_int_equal(rig.nsent, 7);
	assert_int_equal(rig.sent[6].f.tcp.flags, FRAME_TCP_RST);
	assert_int_equal(rig.sent[6].f.tcp.sport, rig.sent[0].f.tcp.sport);
	assert_int_equal(rig.sent[6].f.tcp.seq, rig.sent[0].f.tcp.seq + 1);
	assert_int_equal(probe_next_ns(rig.set), 0);
	/*
	 * The guest's own retransmission, or its answer to another SYN: closed again, told no more.
	 */
	deliver_tcp(0, SYNACK);
	assert_int_equal(rig.ntold, 2);
	assert_int_equal(rig.nsent, 8);
	probe_stop(rig.set, 7);
	deliver_tcp(0, SYNACK);
	assert_int_equal(rig.nsent, 8);
}

static void
test_tcp_v4(void **state)
{
	(void)state;
	check_tcp_ready("10.77.0.10", "10.77.0.1");
}

static void
test_tcp_v6(void **state)
{
	(void)state;
	check_tcp_ready("fd77::a:1", "fd77::1");
}

/*
 * A closed port is life, not readiness; the next round is a new connection, and old answers still
 * count.
 */
static void
test_refused_then_open(void **state)
{
	size_t n;

	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	run_to_ms(10);
	deliver_tcp(0, REFUSAL);
	assert_int_equal(rig.ntold, 1);
	assert_int_equal(rig.told[0].what, MSG_ALIVE);
	assert_int_equal(rig.nsent, 11);   /* no ping-pong: the next one waits for its time */
	for (size_t i = 1; i < 11; i++)
		/* all the retransmissions that were queued for the guest */
		deliver_tcp(i, REFUSAL);
	assert_int_equal(rig.nsent, 11);
	run_to_ms(12);
	assert_int_equal(rig.nsent, 13);
	assert_int_not_equal(rig.sent[11].f.tcp.sport, rig.sent[0].f.tcp.sport);
	assert_int_not_equal(rig.sent[11].f.tcp.seq, rig.sent[0].f.tcp.seq);
	assert_int_equal(rig.sent[11].f.tcp.sport, rig.sent[12].f.tcp.sport);
	n = rig.nsent;
	deliver_tcp(12, REFUSAL);
	run_to_ms(13);
	assert_int_equal(rig.nsent, n + 1);
	/* In flight when the port opened: of the attempt before. */
	deliver_tcp(12, SYNACK);
	assert_int_equal(rig.ntold, 2);
	assert_int_equal(rig.told[1].what, MSG_READY);
	assert_int_equal(rig.sent[n + 1].f.tcp.flags, FRAME_TCP_RST);
	assert_int_equal(rig.sent[n + 1].f.tcp.sport, rig.sent[12].f.tcp.sport);
}

/*
 * The first refusal means that the guest's network is up: the schedule is dense again; a second one
 * does not.
 */
static void
test_refusal_restarts_once(void **state)
{
	size_t n;

	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	deliver_sign();
	run_to_ms(500);
	n = rig.nsent;
	deliver_tcp(n - 1, REFUSAL);
	run_to_ms(550);
	assert_int_equal(rig.nsent, n + 50);
	run_to_ms(1000);
	n = rig.nsent;
	deliver_tcp(n - 1, REFUSAL);
	run_to_ms(1050);
	assert_in_range(rig.nsent - n, 2, 3);
}

/* Each field that does not fit keeps the answer from counting. */
static void
test_spoofed_tcp(void **state)
{
	struct frame_ends ends;
	struct frame_tcp tcp;
	struct frame_out out;

	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	deliver_sign();
	for (unsigned what = 0; what < 9; what++) {
		tcp_answer(0, SYNACK, &ends, &tcp);
		switch (what) {
		case 0: ends.src_mac[5]++; break;
		case 1: ends.src.bytes[3]++; break;
		case 2: ends.dst.bytes[3]++; break;
		case 3: tcp.ack++; break;
		case 4: tcp.ack--; break;
		case 5: tcp.sport = 81; break;
		case 6: tcp.dport ^= 1; break;
		case 7: tcp.flags = FRAME_TCP_ACK; break;
		case 8: tcp.flags = FRAME_TCP_SYN; break;
		}
		assert_true(frame_build_tcp(&out, &ends, &tcp));
		deliver(&out);
		assert_int_equal(rig.ntold, 1);
	}
	tcp_answer(0, SYNACK, &ends, &tcp);
	assert_true(frame_build_tcp(&out, &ends, &tcp));
	probe_frame(rig.set, 2, out.bytes, out.len, rig.now_ns);   /* from another network */
	assert_int_equal(rig.ntold, 1);
	/* A refusal with a wrong number does not change the attempt. */
	tcp.ack += 5;
	assert_true(frame_build_tcp(&out, &ends, &tcp));
	deliver(&out);
	run_to_ms(1);
	assert_int_equal(rig.sent[rig.nsent - 1].f.tcp.sport, rig.sent[0].f.tcp.sport);
	deliver_tcp(0, SYNACK);
	assert_int_equal(rig.ntold, 2);
}

static void
test_foreign_mac_is_no_life(void **state)
{
	struct frame_ends ends;
	struct frame_tcp tcp;
	struct frame_out out;

	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	tcp_answer(0, SYNACK, &ends, &tcp);
	ends.src_mac[0] ^= 4;
	assert_true(frame_build_tcp(&out, &ends, &tcp));
	deliver(&out);
	assert_int_equal(rig.ntold, 0);
}

static void
check_ping(const char *guest, const char *source)
{
	struct frame_ends ends = { .src = guest_addr(guest), .dst = guest_addr(source) };
	struct frame_echo echo;
	struct frame_out out;

	memcpy(ends.src_mac, guest_mac, 6);
	memcpy(ends.dst_mac, bridge_mac, 6);
	start(PROBE_PING, guest, source);
	run_to_ms(1);
	assert_int_equal(rig.sent[0].f.kind, FRAME_ECHO_REQUEST);
	assert_int_equal(rig.sent[0].f.echo.id, VM_PROBE_ECHO_ID);
	assert_int_equal(rig.sent[1].f.echo.seq, rig.sent[0].f.echo.seq + 1);
	echo = rig.sent[0].f.echo;
	echo.data[3] ^= 1;   /* guessed */
	assert_true(guest_echo_reply(&out, &ends, &echo));
	deliver(&out);
	assert_int_equal(rig.ntold, 1);
	echo = rig.sent[0].f.echo;
	ends.src.bytes[3]++;
	assert_true(guest_echo_reply(&out, &ends, &echo));
	deliver(&out);
	ends.src.bytes[3]--;
	echo.len = 4;
	assert_true(guest_echo_reply(&out, &ends, &echo));
	deliver(&out);
	assert_int_equal(rig.ntold, 1);
	echo.len = FRAME_ECHO_DATA;
	assert_true(guest_echo_reply(&out, &ends, &echo));
	deliver(&out);
	assert_int_equal(rig.ntold, 2);
	assert_int_equal(rig.told[1].what, MSG_READY);
	assert_int_equal(probe_next_ns(rig.set), 0);
	deliver(&out);
	assert_int_equal(rig.ntold, 2);
}

static void
test_ping_v4(void **state)
{
	(void)state;
	check_ping("10.77.0.10", "10.77.0.1");
}

static void
test_ping_v6(void **state)
{
	(void)state;
	check_ping("fd77::a:1", "fd77::1");
}

static void
test_arp(void **state)
{
	struct frame_ends ends = { .src = guest_addr("0.0.0.0") };
	struct frame_arp arp = { .op = 2, .sender = guest_addr("10.77.0.11"),
	    .target = guest_addr("0.0.0.0") };
	struct msg_addr zero = guest_addr("0.0.0.0"), guest = guest_addr("10.77.0.10");
	struct frame_out out;

	(void)state;
	start(PROBE_ARP, "10.77.0.10", NULL);
	assert_int_equal(rig.sent[0].f.kind, FRAME_ARP);
	assert_int_equal(rig.sent[0].f.arp.op, 1);
	assert_memory_equal(rig.sent[0].f.arp.sender_mac, bridge_mac, 6);
	assert_int_equal(addr_cmp(&rig.sent[0].f.arp.sender, &zero), 0);
	assert_int_equal(addr_cmp(&rig.sent[0].f.arp.target, &guest), 0);
	memcpy(ends.src_mac, guest_mac, 6);
	memcpy(arp.sender_mac, guest_mac, 6);
	assert_true(frame_build_arp(&out, &ends, &arp));   /* of another address */
	deliver(&out);
	arp.sender = guest;
	arp.sender_mac[1] ^= 1;
	assert_true(frame_build_arp(&out, &ends, &arp));   /* for somebody else */
	deliver(&out);
	assert_int_equal(rig.ntold, 1);
	arp.sender_mac[1] ^= 1;
	assert_true(frame_build_arp(&out, &ends, &arp));
	deliver(&out);
	assert_int_equal(rig.ntold, 2);
	assert_int_equal(rig.told[1].what, MSG_READY);
}

static void
test_arp_with_source(void **state)
{
	struct msg_addr source = guest_addr("10.77.0.1");

	(void)state;
	start(PROBE_ARP, "10.77.0.10", "10.77.0.1");
	assert_int_equal(addr_cmp(&rig.sent[0].f.arp.sender, &source), 0);
}

static void
test_solicit(void **state)
{
	struct frame_ends ends = { .src = guest_addr("fd77::a:2"), .dst = guest_addr("fd77::1") };
	struct msg_addr guest = guest_addr("fd77::a:1"), local = guest_addr("fe80::ff:fe00:11");
	struct frame_out out;

	(void)state;
	start(PROBE_ARP, "fd77::a:1", NULL);
	assert_int_equal(rig.sent[0].f.kind, FRAME_SOLICIT);
	assert_int_equal(addr_cmp(&rig.sent[0].f.nd.target, &guest), 0);
	/* Not from ::, which a guest that checks its address would take for a duplicate. */
	assert_int_equal(addr_cmp(&rig.sent[0].f.src, &local), 0);
	memcpy(ends.src_mac, guest_mac, 6);
	memcpy(ends.dst_mac, bridge_mac, 6);
	assert_true(guest_advert(&out, &ends, &ends.src));   /* another target */
	deliver(&out);
	assert_int_equal(rig.ntold, 1);
	assert_true(guest_advert(&out, &ends, &guest));
	deliver(&out);
	assert_int_equal(rig.ntold, 2);
	assert_int_equal(rig.told[1].what, MSG_READY);
}

static void
test_stop(void **state)
{
	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	run_to_ms(3);
	probe_stop(rig.set, 8);   /* has none */
	probe_stop(rig.set, 7);
	assert_int_equal(probe_next_ns(rig.set), 0);
	deliver_tcp(0, SYNACK);
	probe_tick(rig.set, rig.now_ns + NS_PER_S);
	assert_int_equal(rig.nsent, 4);
	assert_int_equal(rig.ntold, 0);
}

/* A unit that is probed anew: the old numbers are worth nothing, and it must show life again. */
static void
test_restart(void **state)
{
	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	deliver_tcp(0, SYNACK);
	assert_int_equal(rig.ntold, 2);
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	assert_int_equal(rig.nsent, 3);
	deliver_tcp(0, SYNACK);
	assert_int_equal(rig.ntold, 3);
	assert_int_equal(rig.told[2].what, MSG_ALIVE);
	deliver_tcp(2, SYNACK);
	assert_int_equal(rig.ntold, 4);
	assert_int_equal(rig.told[3].what, MSG_READY);
}

/* ---- signs ---- */

static void
assert_sign(size_t i, enum msg_sign what)
{
	assert_int_equal(rig.nsigns, i + 1);
	assert_int_equal(rig.signs[i].what, what);
	assert_int_equal(rig.signs[i].unit, 7);
}

/*
 * ARP or neighbour discovery of that sender: with the MAC of the frame, who says so with another.
 */
static void
deliver_claim(const uint8_t from[6], const uint8_t says[6], const char *addr)
{
	struct frame_ends ends = { .src = guest_addr(addr), .dst = guest_addr(addr) };
	struct frame_arp arp = { .op = 1, .sender = ends.src, .target = guest_addr("10.77.0.1") };
	struct frame_out out;

	memset(ends.dst_mac, 0xff, 6);
	memcpy(ends.src_mac, from, 6);
	memcpy(arp.sender_mac, says, 6);
	if (ends.src.family == 4)
		assert_true(frame_build_arp(&out, &ends, &arp));
	else
		assert_true(guest_advert(&out, &ends, &ends.src));
	deliver(&out);
}

static void
test_signs_of_tcp(void **state)
{
	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	deliver_sign();   /* it looks whether an address is free, perhaps */
	assert_int_equal(rig.nsigns, 0);
	deliver_claim(guest_mac, guest_mac, "10.77.0.10");
	assert_sign(0, SIGN_NEIGHBOUR);
	deliver_tcp(rig.nsent - 1, REFUSAL);
	assert_sign(1, SIGN_REFUSED);
	run_to_ms(20);
	deliver_claim(guest_mac, guest_mac, "10.77.0.10");
	deliver_tcp(rig.nsent - 1, REFUSAL);
	assert_int_equal(rig.nsigns, 2);   /* each is told once */
	run_to_ms(30);
	deliver_tcp(rig.nsent - 1, SYNACK);
	assert_int_equal(rig.told[rig.ntold - 1].what, MSG_READY);
	deliver_claim(guest_mac, guest_mac, "10.77.0.11");
	assert_int_equal(rig.nsigns, 2);   /* nobody asks any more */
	/* A new probe tells anew. */
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	deliver_claim(guest_mac, guest_mac, "10.77.0.10");
	assert_sign(2, SIGN_NEIGHBOUR);
}

static void
check_unreachable(const char *guest, const char *source)
{
	struct frame_tcp lost = { .dport = 80, .flags = FRAME_TCP_SYN };
	struct frame_ends ends = { .src = guest_addr(guest), .dst = guest_addr(source) };
	struct frame_out out;

	start(PROBE_TCP, guest, source);
	memcpy(ends.src_mac, guest_mac, 6);
	lost.sport = (uint16_t)(rig.sent[rig.nsent - 1].f.tcp.sport ^ 1);
	assert_true(guest_unreachable(&out, &ends, &lost));
	deliver(&out);
	lost.sport ^= 1;
	lost.dport++;
	assert_true(guest_unreachable(&out, &ends, &lost));
	deliver(&out);
	assert_int_equal(rig.nsigns, 0);
	lost.dport--;
	assert_true(guest_unreachable(&out, &ends, &lost));
	deliver(&out);
	assert_sign(0, SIGN_UNREACHABLE);
}

static void
test_unreachable_v4(void **state)
{
	(void)state;
	check_unreachable("10.77.0.10", "10.77.0.1");
}

static void
test_unreachable_v6(void **state)
{
	(void)state;
	check_unreachable("fd77::a:1", "fd77::1");
}

static void
test_other_address(void **state)
{
	struct msg_addr other = guest_addr("10.77.0.99"), other6 = guest_addr("fd77::a:9");
	struct frame_ends ends = { .src = guest_addr("0.0.0.0"),
	    .dst = guest_addr("255.255.255.255") };
	struct frame_out out;

	(void)state;
	start(PROBE_PING, "10.77.0.10", "10.77.0.1");
	deliver_claim(guest_mac, guest_mac, "fd77::a:9");   /* it has one of each family */
	assert_int_equal(rig.nsigns, 0);
	deliver_claim(guest_mac, guest_mac, "10.77.0.99");
	assert_sign(0, SIGN_OTHER_ADDRESS);
	assert_int_equal(addr_cmp(&rig.signs[0].addr, &other), 0);
	memcpy(ends.src_mac, guest_mac, 6);
	assert_true(guest_dhcp(&out, &ends));
	deliver(&out);
	assert_sign(1, SIGN_DHCP);
	start(PROBE_ARP, "fd77::a:1", NULL);
	deliver_claim(guest_mac, guest_mac, "fe80::1");     /* every interface has one */
	assert_int_equal(rig.nsigns, 2);
	deliver_claim(guest_mac, guest_mac, "fd77::a:9");
	assert_sign(2, SIGN_OTHER_ADDRESS);
	assert_int_equal(addr_cmp(&rig.signs[2].addr, &other6), 0);
}

static void
test_other_mac(void **state)
{
	static const uint8_t other_mac[6] = { 2, 0, 0, 0, 0, 0xbb };

	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	deliver_claim(other_mac, other_mac, "10.77.0.11");
	deliver_claim(other_mac, guest_mac, "10.77.0.10");   /* for it */
	assert_int_equal(rig.nsigns, 0);
	deliver_claim(other_mac, other_mac, "10.77.0.10");
	assert_sign(0, SIGN_OTHER_MAC);
	assert_memory_equal(rig.signs[0].mac, other_mac, 6);
	assert_int_equal(rig.ntold, 0);   /* no sign of life */
	start(PROBE_ARP, "10.77.0.10", NULL);
	deliver_claim(guest_mac, other_mac, "10.77.0.10");
	assert_sign(1, SIGN_OTHER_MAC);
	start(PROBE_PING, "fd77::a:1", "fd77::1");
	deliver_claim(other_mac, other_mac, "fd77::a:1");
	assert_sign(2, SIGN_OTHER_MAC);
	assert_memory_equal(rig.signs[2].mac, other_mac, 6);
}

/* Who is not ready after half a second is asked for by its address, with growing pauses. */
static void
test_ask_all(void **state)
{
	struct msg_addr guest = guest_addr("10.77.0.10"), guest6 = guest_addr("fd77::a:1"),
	    all = guest_addr("ff02::1:ff0a:1");
	static const uint8_t all_mac[6] = { 0x33, 0x33, 0xff, 0x0a, 0, 1 };

	(void)state;
	start(PROBE_TCP, "10.77.0.10", "10.77.0.1");
	run_to_ms(499);
	assert_int_equal(rig.nasked, 0);
	run_to_ms(530);
	assert_int_equal(rig.nasked, 1);
	assert_int_equal(rig.asked.kind, FRAME_ARP);
	assert_int_equal(addr_cmp(&rig.asked.arp.target, &guest), 0);
	run_to_ms(30000);
	assert_in_range(rig.nasked, 6, 8);
	start(PROBE_TCP, "fd77::a:1", "fd77::1");
	run_to_ms(30530);
	assert_int_equal(rig.asked.kind, FRAME_SOLICIT);
	assert_int_equal(addr_cmp(&rig.asked.nd.target, &guest6), 0);
	assert_int_equal(addr_cmp(&rig.asked.dst, &all), 0);
	assert_memory_equal(rig.asked.dst_mac, all_mac, 6);
}

static void
test_refused_messages(void **state)
{
	struct errmsg why;
	struct msg m;

	(void)state;
	for (unsigned what = 0; what < 8; what++) {
		m = probe_msg(7, PROBE_TCP, "10.77.0.10", "10.77.0.1");
		switch (what) {
		case 0: m.probe.network = LIMIT_NETWORKS; break;
		case 1: m.probe.network = 4; break;
		case 2: m.probe.kind = 0; break;
		case 3: m.probe.kind = PROBE_ARP + 1; break;
		case 4: m.probe.guest.family = 5; break;
		case 5: m.probe.source.family = 6; break;
		case 6: m.probe.port = 0; break;
		case 7: m.probe.mac[0] |= 1; break;
		}
		assert_int_equal(probe_start(rig.set, &m, rig.now_ns, &why),
		    what == 1 ? ERR_MISSING : ERR_RANGE);
		assert_non_null(strstr(why.text, "unit 7"));
	}
	m = probe_msg(7, PROBE_TCP, "10.77.0.10", NULL);
	assert_int_equal(probe_start(rig.set, &m, rig.now_ns, &why), ERR_RANGE);
	assert_int_equal(probe_network_set(rig.set, LIMIT_NETWORKS, bridge_mac, &why), ERR_RANGE);
	assert_int_equal(rig.nsent, 0);
	assert_int_equal(probe_next_ns(rig.set), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_schedule), T(test_silence_and_life), T(test_late_tick),
		T(test_tcp_v4), T(test_tcp_v6), T(test_refused_then_open),
		T(test_refusal_restarts_once),
		T(test_spoofed_tcp), T(test_foreign_mac_is_no_life),
		T(test_ping_v4), T(test_ping_v6), T(test_arp), T(test_arp_with_source),
		T(test_solicit),
		T(test_stop), T(test_restart), T(test_refused_messages),
		T(test_signs_of_tcp), T(test_unreachable_v4), T(test_unreachable_v6),
		T(test_other_address),
		T(test_other_mac), T(test_ask_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
