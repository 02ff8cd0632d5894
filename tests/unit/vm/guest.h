/* guest: builds the frames a guest would answer probes with; for tests. */
#ifndef TESTS_UNIT_VM_GUEST_H
#define TESTS_UNIT_VM_GUEST_H

#include <arpa/inet.h>
#include <string.h>

#include "vm/frame.h"

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
	uint16_t old = (uint16_t)(p[at] << 8 | p[at + 1]), check = (uint16_t)(p[sum_at] << 8 | p[sum_at + 1]);
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
guest_echo_reply(struct frame_out *out, const struct frame_ends *ends, const struct frame_echo *echo)
{
	size_t icmp = FRAME_ETHER_BYTES + (ends->src.family == 4 ? 20 : 40);

	if (!frame_build_echo_request(out, ends, echo))
		return false;
	guest_word_set(out->bytes, icmp, ends->src.family == 4 ? 0x0000 : 0x8100, icmp + 2);
	return true;
}

/* The neighbour advertisement for `target`: a solicitation's type plus one, and option 2 in place of 1. */
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

#endif
