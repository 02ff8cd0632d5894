/*
 * frame_wire: numbers, addresses and checksums in the bytes of frames, for frame.c and
 * frame_build.c.
 */
#ifndef VM_SENTINEL_FRAME_WIRE_H
#define VM_SENTINEL_FRAME_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/msg.h"

#define FRAME_ND_HOP_LIMIT 255   /* nobody beyond a router has sent it (RFC 4861) */

/* What is behind the Ethernet header of ARP: Ethernet, IPv4, the lengths of their addresses. */
#define FRAME_ARP_FIXED { 0, 1, 0x08, 0x00, 6, 4 }
#define FRAME_ARP_BYTES 28

static inline uint16_t
wire_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
wire_get32(const uint8_t *p)
{
	return (uint32_t)wire_get16(p) << 16 | wire_get16(p + 2);
}

static inline void
wire_set16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
wire_set32(uint8_t *p, uint32_t v)
{
	wire_set16(p, (uint16_t)(v >> 16));
	wire_set16(p + 2, (uint16_t)v);
}

static inline size_t
wire_addr_bytes(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

/* The one's complement sum of RFC 1071, not folded; an odd last byte is padded with zero. */
static inline uint32_t
wire_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len >= 2; p += 2, len -= 2)
		sum += wire_get16(p);
	if (len == 1)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

static inline uint16_t
wire_sum_fold(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The sum over the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1). */
static inline uint32_t
wire_sum_pseudo(const struct msg_addr *src, const struct msg_addr *dst, uint8_t proto, size_t len)
{
	size_t n = wire_addr_bytes(src->family);
	uint32_t sum = proto + (uint32_t)(len >> 16) + (uint32_t)(len & 0xffff);

	return wire_sum(wire_sum(sum, src->bytes, n), dst->bytes, n);
}

#endif
