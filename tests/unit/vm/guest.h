/* guest: builds the frames a guest would answer probes with; for tests. */
#ifndef TESTS_UNIT_VM_GUEST_H
#define TESTS_UNIT_VM_GUEST_H

#include <arpa/inet.h>
#include <string.h>

#include "vm/sentinel/frame.h"
#include "vm/sentinel/frame_wire.h"

static inline struct msg_addr
guest_addr(const char *text)
{
	struct msg_addr a = { 0 };

	a.family = strchr(text, ':') != NULL ? 6 : 4;
	if (inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.bytes) != 1)
		a.family = 0;
	return a;
}

/* Sets the 16-bit word at `at` and mends the checksum at `sum_at` (RFC 1624, equation 3). */
static inline void
guest_word_set(uint8_t *p, size_t at, uint16_t word, size_t sum_at)
{
	uint16_t old = (uint16_t)(p[at] << 8 | p[at + 1]),
	    check = (uint16_t)(p[sum_at] << 8 | p[sum_at + 1]);
	uint32_t sum = (uint32_t)(uint16_t)~check + (uint16_t)~old + word;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	p[at] = (uint8_t)(word >> 8);
	p[at + 1] = (uint8_t)word;
	p[sum_at] = (uint8_t)(~sum >> 8);
	p[sum_at + 1] = (uint8_t)~sum;
}

/* An echo reply; `ends` as the guest sees them. */
static inline bool
guest_echo_reply(struct frame_out *out, const struct frame_ends *ends,
    const struct frame_echo *echo)
{
	size_t icmp = FRAME_ETHER_BYTES + (ends->src.family == 4 ? 20 : 40);

	if (!frame_build_echo_request(out, ends, echo))
		return false;
	guest_word_set(out->bytes, icmp, ends->src.family == 4 ? 0x0000 : 0x8100, icmp + 2);
	return true;
}

/*
 * The neighbour advertisement for `target`: a solicitation's type plus one, and option 2 in place
 * of 1.
 */
static inline bool
guest_advert(struct frame_out *out, const struct frame_ends *ends, const struct msg_addr *target)
{
	size_t icmp = FRAME_ETHER_BYTES + 40;

	if (!frame_build_solicit(out, ends, target))
		return false;
	guest_word_set(out->bytes, icmp, 0x8800, icmp + 2);
	guest_word_set(out->bytes, icmp + 24, 0x0201, icmp + 2);
	return true;
}

/*
 * ICMP, port unreachable, about a segment that our side sent; `ends` as the guest sees them.  The
 * sums are summed anew.
 */
static inline bool
guest_unreachable(struct frame_out *out, const struct frame_ends *ends,
    const struct frame_tcp *lost)
{
	bool v4 = ends->src.family == 4;
	size_t ip = FRAME_ETHER_BYTES, head = v4 ? 20 : 40, icmp = ip + head, inner = icmp + 8,
	    ports = inner + head;
	struct frame_ends sent = { .src = ends->dst, .dst = ends->src };
	struct frame_echo echo = { .len = 0 };
	struct frame_out syn;
	uint32_t sum = 0;

	if (!frame_build_tcp(&syn, &sent, lost) || !frame_build_echo_request(out, ends, &echo))
		return false;
	memcpy(out->bytes + inner, syn.bytes + ip, head + 8);
	out->len = ports + 8;
	memset(out->bytes + icmp, 0, 8);
	out->bytes[icmp] = v4 ? 3 : 1;
	out->bytes[icmp + 1] = v4 ? 3 : 4;
	guest_word_set(out->bytes, ip + (v4 ? 2 : 4), (uint16_t)(out->len - ip - (v4 ? 0 : 40)),
	    v4 ? ip + 10 : icmp + 6);
	out->bytes[icmp + 6] = out->bytes[icmp + 7] = 0;
	for (size_t i = v4 ? icmp : ip + 8; i < out->len; i += 2)
		sum += (uint32_t)(out->bytes[i] << 8 | out->bytes[i + 1]);
	if (!v4)
		sum += 58 + (uint32_t)(out->len - icmp);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	out->bytes[icmp + 2] = (uint8_t)(~sum >> 8);
	out->bytes[icmp + 3] = (uint8_t)~sum;
	return true;
}

/* What a DHCP client sends first, without its contents; the sender's MAC is the frame's. */
static inline bool
guest_dhcp(struct frame_out *out, const struct frame_ends *ends)
{
	/* the length, and no checksum, are where TCP has its sequence number */
	struct frame_tcp ports = { .sport = 68, .dport = 67, .seq = 20 << 16 };

	if (!frame_build_tcp(out, ends, &ports))
		return false;
	guest_word_set(out->bytes, FRAME_ETHER_BYTES + 8, 64 << 8 | 17, FRAME_ETHER_BYTES + 10);
	return true;
}

/* A UDP datagram with a checksum and twelve bytes of payload. */
static inline bool
guest_udp(struct frame_out *out, const struct frame_ends *ends, uint16_t sport, uint16_t dport)
{
	bool v4 = ends->src.family == 4;
	uint8_t *ip = out->bytes + FRAME_ETHER_BYTES, *udp = ip + (v4 ? 20 : 40);
	struct frame_tcp ports = { .sport = sport, .dport = dport, .seq = 20 << 16 };

	if (!frame_build_tcp(out, ends, &ports))
		return false;
	if (v4)
		guest_word_set(ip, 8, 64 << 8 | 17, 10);
	else
		ip[6] = 17;
	memset(udp + 8, 'u', 12);
	wire_set16(udp + 6, (uint16_t)~wire_sum_fold(wire_sum(wire_sum_pseudo(&ends->src,
	    &ends->dst, 17, 20), udp, 20)));
	return true;
}

#endif
