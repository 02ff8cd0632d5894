/* park_rig: a park_set with a clock of its own, what it does noted, and frames of clients. */
#ifndef TESTS_UNIT_VM_SENTINEL_PARK_RIG_H
#define TESTS_UNIT_VM_SENTINEL_PARK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/limits.h"
#include "tests/unit/vm/guest.h"
#include "vm/sentinel/park.h"

#define RIG_T0 (1000 * NS_PER_S)
#define RIG_NOTES 4096
#define RIG_UNIT 7
#define RIG_NET 2
#define RIG_V4 "10.77.0.10"
#define RIG_V6 "fd77::a"
#define RIG_CLIENT_V4 "10.77.0.1"
#define RIG_CLIENT_V6 "fd77::1"

static const uint8_t rig_guest_mac[6] = { 2, 0, 0, 0, 0, 0xaa };
static const uint8_t rig_client_mac[6] = { 2, 0, 0, 0, 0, 0x11 };
static const uint8_t rig_other_mac[6] = { 2, 0, 0, 0, 0, 0xee };

struct rig {
	struct park_set *set;
	uint64_t now_ns;
	struct frame sent[RIG_NOTES];      /* by the port */
	size_t nsent;
	struct {
		uint64_t at_ns;
		uint32_t unit;
		struct frame f;
	} given[RIG_NOTES];
	size_t ngiven;
	struct msg told[RIG_NOTES];
	size_t ntold, nunlinked;
	uint32_t seed;
};

static struct rig rig;

static void
rig_on_port(void *arg, uint32_t network, const uint8_t *frame, size_t len)
{
	struct rig *r = arg;

	assert_int_equal(network, RIG_NET);
	assert_true(r->nsent < RIG_NOTES);
	assert_true(frame_parse(frame, len, &r->sent[r->nsent]));
	assert_int_not_equal(r->sent[r->nsent].kind, FRAME_OTHER);
	r->nsent++;
}

static void
rig_on_give(void *arg, uint32_t unit, const uint8_t *frame, size_t len)
{
	struct rig *r = arg;

	assert_true(r->ngiven < RIG_NOTES && len >= PARK_HEADER);
	assert_true(frame_parse(frame + PARK_HEADER, len - PARK_HEADER, &r->given[r->ngiven].f));
	r->given[r->ngiven].unit = unit;
	r->given[r->ngiven].at_ns = r->now_ns;
	r->ngiven++;
}

static void
rig_on_unlink(void *arg, uint32_t unit)
{
	struct rig *r = arg;

	(void)unit;
	r->nunlinked++;
}

static void
rig_on_tell(void *arg, const struct msg *m)
{
	struct rig *r = arg;

	assert_true(r->ntold < RIG_NOTES);
	r->told[r->ntold++] = *m;
}

static uint32_t
rig_on_random(void *arg)
{
	struct rig *r = arg;

	r->seed = r->seed * 1664525 + 1013904223;
	return r->seed;
}

static int
rig_setup(void **state)
{
	static const struct park_ops ops = { .port = rig_on_port, .give = rig_on_give,
	    .unlink = rig_on_unlink, .tell = rig_on_tell, .random = rig_on_random };

	(void)state;
	memset(&rig, 0, sizeof(rig));
	rig.now_ns = RIG_T0;
	rig.set = park_set_new(&ops, &rig);
	return 0;
}

static int
rig_teardown(void **state)
{
	(void)state;
	park_set_free(rig.set);
	return 0;
}

static inline void
rig_forget(void)
{
	rig.nsent = rig.ngiven = rig.ntold = rig.nunlinked = 0;
}

/* Lets the time pass, with a tick whenever one is wanted. */
static inline void
rig_wait(uint64_t ns)
{
	uint64_t end = rig.now_ns + ns, next;

	while ((next = park_next_ns(rig.set)) != 0 && next <= end) {
		if (next > rig.now_ns)
			rig.now_ns = next;
		park_tick(rig.set, rig.now_ns);
		assert_true(park_next_ns(rig.set) == 0 || park_next_ns(rig.set) > rig.now_ns);
	}
	rig.now_ns = end;
}

/* ---- units ---- */

static inline struct msg
rig_park_msg(uint32_t unit, uint32_t flags)
{
	struct msg m = { .type = MSG_PARK, .unit = unit,
	    .park = { .network = RIG_NET, .flags = flags } };

	memcpy(m.park.mac, rig_guest_mac, 6);
	m.park.addr[0] = guest_addr(RIG_V4);
	m.park.addr[1] = guest_addr(RIG_V6);
	return m;
}

static inline void
rig_put(const struct msg *m)
{
	struct errmsg why;

	if (park_put(rig.set, m, rig.now_ns, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

static inline void
rig_park(uint32_t flags)
{
	struct msg m = rig_park_msg(RIG_UNIT, flags);

	rig_put(&m);
}

/* ---- frames ---- */

static inline struct frame_ends
rig_ends(int family)
{
	struct frame_ends e = { .src = guest_addr(family == 4 ? RIG_CLIENT_V4 : RIG_CLIENT_V6),
	    .dst = guest_addr(family == 4 ? RIG_V4 : RIG_V6) };

	memcpy(e.src_mac, rig_client_mac, 6);
	memcpy(e.dst_mac, rig_guest_mac, 6);
	return e;
}

/* The other direction. */
static inline struct frame_ends
rig_back(const struct frame_ends *e)
{
	struct frame_ends back = { .src = e->dst, .dst = e->src };

	memcpy(back.src_mac, e->dst_mac, 6);
	memcpy(back.dst_mac, e->src_mac, 6);
	return back;
}

/* A frame with a header of zeros in front, from a heap block that ends where it does. */
static inline void
rig_bytes(const uint8_t *frame, size_t len, int link, bool to_guest)
{
	uint8_t *copy = malloc(PARK_HEADER + len);

	assert_non_null(copy);
	memset(copy, 0, PARK_HEADER);
	memcpy(copy + PARK_HEADER, frame, len);
	if (link >= 0)
		park_link_frame(rig.set, (uint32_t)link, to_guest, copy, PARK_HEADER + len,
		    rig.now_ns);
	else
		park_port_frame(rig.set, RIG_NET, copy, PARK_HEADER + len, rig.now_ns);
	free(copy);
}

static inline void
rig_port(const struct frame_out *out)
{
	rig_bytes(out->bytes, out->len, -1, false);
}

static inline void
rig_link(const struct frame_out *out, bool to_guest)
{
	rig_bytes(out->bytes, out->len, RIG_UNIT, to_guest);
}

static inline struct frame_out
rig_tcp(const struct frame_ends *ends, uint16_t sport, uint16_t dport, uint32_t seq, uint32_t ack,
    uint8_t flags)
{
	struct frame_tcp tcp = { .sport = sport, .dport = dport, .seq = seq, .ack = ack,
	    .flags = flags };
	struct frame_out out;

	assert_true(frame_build_tcp(&out, ends, &tcp));
	return out;
}

static inline struct frame_out
rig_syn(int family, uint16_t sport)
{
	struct frame_ends e = rig_ends(family);

	return rig_tcp(&e, sport, 80, 1000, 0, FRAME_TCP_SYN);
}

/* The guest's SYN-ACK to rig_syn. */
static inline struct frame_out
rig_syn_ack(int family, uint16_t sport)
{
	struct frame_ends e = rig_ends(family), back = rig_back(&e);

	return rig_tcp(&back, 80, sport, 5000, 1001, FRAME_TCP_SYN | FRAME_TCP_ACK);
}

static inline struct frame_out
rig_udp(int family, uint16_t sport, uint16_t dport)
{
	struct frame_ends e = rig_ends(family);
	struct frame_out out;

	assert_true(guest_udp(&out, &e, sport, dport));
	return out;
}

static inline struct frame_out
rig_ping(int family, uint16_t seq)
{
	struct frame_ends e = rig_ends(family);
	struct frame_echo echo = { .id = 99, .seq = seq, .len = 16 };
	struct frame_out out;

	assert_true(frame_build_echo_request(&out, &e, &echo));
	return out;
}

static inline struct frame_out
rig_arp(uint16_t op, const uint8_t mac[6], const char *sender, const char *target)
{
	struct frame_ends e = { .dst_mac = { 255, 255, 255, 255, 255, 255 } };
	struct frame_arp arp = { .op = op, .sender = guest_addr(sender),
	    .target = guest_addr(target) };
	struct frame_out out;

	memcpy(e.src_mac, mac, 6);
	memcpy(arp.sender_mac, mac, 6);
	assert_true(frame_build_arp(&out, &e, &arp));
	return out;
}

/* A solicitation to the group of who may have the address; from :: it is a probe. */
static inline struct frame_out
rig_solicit(const uint8_t mac[6], const char *sender, const char *target)
{
	struct frame_ends e = { .src = guest_addr(sender), .dst = guest_addr(target) };
	struct msg_addr asked = e.dst;
	struct frame_out out;

	memcpy(e.src_mac, mac, 6);
	frame_ends_to_asked(&e);
	assert_true(frame_build_solicit(&out, &e, &asked));
	return out;
}

static inline struct frame_out
rig_advert(const uint8_t mac[6], const char *target)
{
	struct frame_ends e = { .src = guest_addr(target), .dst = guest_addr(target) };
	struct msg_addr a = e.src;
	struct frame_out out;

	memcpy(e.src_mac, mac, 6);
	frame_ends_to_all(&e);
	assert_true(frame_build_advert(&out, &e, &a, FRAME_ND_OVERRIDE));
	return out;
}

#endif
