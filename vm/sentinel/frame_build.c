/* frame_build: frames that the sentinel sends. */
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "vm/sentinel/frame.h"
#include "vm/sentinel/frame_wire.h"

#define TCP_MSS_V4 1460
#define TCP_MSS_V6 1440

void
frame_addr_link_local(struct msg_addr *a, const uint8_t mac[6])
{
	*a = (struct msg_addr){ .family = 6, .prefixlen = 64, .bytes = { 0xfe, 0x80, [8] =
	    mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5] } };
}

void
frame_ends_to_asked(struct frame_ends *ends)
{
	static const uint8_t solicited[13] = { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff };

	if (ends->dst.family == 4) {
		memset(ends->dst_mac, 0xff, 6);
		return;
	}
	memcpy(ends->dst.bytes, solicited, sizeof(solicited));
	memset(ends->dst_mac, 0x33, 2);
	memcpy(ends->dst_mac + 2, ends->dst.bytes + 12, 4);
}

void
frame_ends_to_all(struct frame_ends *ends)
{
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };

	memset(ends->dst_mac, 0xff, 6);
	if (ends->dst.family == 4)
		return;
	memcpy(ends->dst.bytes, all_nodes, sizeof(all_nodes));
	memcpy(ends->dst_mac, "\x33\x33\0\0\0\x01", 6);
}

/* Writes the checksum of `len` bytes at p, which begins with `sum`, to p + at. */
static void
set_sum(uint8_t *p, size_t len, size_t at, uint32_t sum)
{
	wire_set16(p + at, (uint16_t)~wire_sum_fold(wire_sum(sum, p, len)));
}

/* The Ethernet header; returns `payload` zero bytes behind, or NULL when they do not fit. */
static uint8_t *
begin(struct frame_out *out, const struct frame_ends *ends, uint16_t type, size_t payload)
{
	out->len = 0;
	if (payload > sizeof(out->bytes) - FRAME_ETHER_BYTES)
		return NULL;
	out->len = FRAME_ETHER_BYTES + payload;
	memset(out->bytes, 0, out->len);
	memcpy(out->bytes, ends->dst_mac, 6);
	memcpy(out->bytes + 6, ends->src_mac, 6);
	wire_set16(out->bytes + 12, type);
	return out->bytes + FRAME_ETHER_BYTES;
}

/* As begin, with an IP header before the payload; NULL also when the families differ. */
static uint8_t *
begin_ip(struct frame_out *out, const struct frame_ends *ends, uint8_t proto, uint8_t ttl,
    size_t payload)
{
	bool v4 = ends->src.family == 4;
	size_t header = v4 ? 20 : 40, n = wire_addr_bytes(ends->src.family);
	uint8_t *p;

	out->len = 0;
	if (ends->src.family != ends->dst.family || (!v4 && ends->src.family != 6))
		return NULL;
	p = begin(out, ends, v4 ? ETH_P_IP : ETH_P_IPV6, header + payload);
	if (p == NULL)
		return NULL;
	p[0] = v4 ? 0x45 : 0x60;
	wire_set16(p + (v4 ? 2 : 4), (uint16_t)(v4 ? header + payload : payload));
	p[v4 ? 9 : 6] = proto;
	p[v4 ? 8 : 7] = ttl;
	memcpy(p + header - 2 * n, ends->src.bytes, n);
	memcpy(p + header - n, ends->dst.bytes, n);
	if (v4) {
		/* don't fragment; so the identification may be 0 (RFC 6864) */
		wire_set16(p + 6, 0x4000);
		set_sum(p, header, 10, 0);
	}
	return p + header;
}

bool
frame_build_arp(struct frame_out *out, const struct frame_ends *ends, const struct frame_arp *arp)
{
	static const uint8_t fixed[] = FRAME_ARP_FIXED;
	uint8_t *p;

	out->len = 0;
	if (arp->sender.family != 4 || arp->target.family != 4)
		return false;
	p = begin(out, ends, ETH_P_ARP, FRAME_ARP_BYTES);
	if (p == NULL)
		return false;
	memcpy(p, fixed, sizeof(fixed));
	wire_set16(p + 6, arp->op);
	memcpy(p + 8, arp->sender_mac, 6);
	memcpy(p + 14, arp->sender.bytes, 4);
	memcpy(p + 18, arp->target_mac, 6);
	memcpy(p + 24, arp->target.bytes, 4);
	return true;
}

bool
frame_build_solicit(struct frame_out *out, const struct frame_ends *ends,
    const struct msg_addr *target)
{
	static const uint8_t unspecified[16];
	bool has_source = memcmp(ends->src.bytes, unspecified, 16) != 0;
	size_t len = has_source ? 32 : 24;
	uint8_t *p;

	out->len = 0;
	if (ends->src.family != 6 || target->family != 6)
		return false;
	p = begin_ip(out, ends, IPPROTO_ICMPV6, FRAME_ND_HOP_LIMIT, len);
	if (p == NULL)
		return false;
	p[0] = ND_NEIGHBOR_SOLICIT;
	memcpy(p + 8, target->bytes, 16);
	if (has_source) {
		p[24] = ND_OPT_SOURCE_LINKADDR;
		p[25] = 1;
		memcpy(p + 26, ends->src_mac, 6);
	}
	set_sum(p, len, 2, wire_sum_pseudo(&ends->src, &ends->dst, IPPROTO_ICMPV6, len));
	return true;
}

bool
frame_build_advert(struct frame_out *out, const struct frame_ends *ends,
    const struct msg_addr *target, uint8_t flags)
{
	size_t len = 32;
	uint8_t *p;

	out->len = 0;
	if (ends->src.family != 6 || target->family != 6)
		return false;
	p = begin_ip(out, ends, IPPROTO_ICMPV6, FRAME_ND_HOP_LIMIT, len);
	if (p == NULL)
		return false;
	p[0] = ND_NEIGHBOR_ADVERT;
	p[4] = flags;
	memcpy(p + 8, target->bytes, 16);
	p[24] = ND_OPT_TARGET_LINKADDR;
	p[25] = 1;
	memcpy(p + 26, ends->src_mac, 6);
	set_sum(p, len, 2, wire_sum_pseudo(&ends->src, &ends->dst, IPPROTO_ICMPV6, len));
	return true;
}

bool
frame_build_echo_request(struct frame_out *out, const struct frame_ends *ends,
    const struct frame_echo *echo)
{
	bool v4 = ends->src.family == 4;
	size_t data = echo->len < FRAME_ECHO_DATA ? echo->len : FRAME_ECHO_DATA;
	size_t len = 8 + data;
	uint8_t *p = begin_ip(out, ends, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 64, len);

	if (p == NULL)
		return false;
	p[0] = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	wire_set16(p + 4, echo->id);
	wire_set16(p + 6, echo->seq);
	memcpy(p + 8, echo->data, data);
	set_sum(p, len, 2, v4 ? 0 : wire_sum_pseudo(&ends->src, &ends->dst, IPPROTO_ICMPV6, len));
	return true;
}

bool
frame_build_tcp(struct frame_out *out, const struct frame_ends *ends, const struct frame_tcp *tcp)
{
	bool syn = (tcp->flags & FRAME_TCP_SYN) != 0;
	size_t len = syn ? 24 : 20;
	uint8_t *p = begin_ip(out, ends, IPPROTO_TCP, 64, len);

	if (p == NULL)
		return false;
	wire_set16(p, tcp->sport);
	wire_set16(p + 2, tcp->dport);
	wire_set32(p + 4, tcp->seq);
	wire_set32(p + 8, tcp->ack);
	p[12] = (uint8_t)(len / 4 << 4);
	p[13] = tcp->flags;
	wire_set16(p + 14, (tcp->flags & FRAME_TCP_RST) != 0 ? 0 : 65535);
	if (syn) {
		p[20] = 2;
		p[21] = 4;
		wire_set16(p + 22, ends->src.family == 4 ? TCP_MSS_V4 : TCP_MSS_V6);
	}
	set_sum(p, len, FRAME_TCP_SUM, wire_sum_pseudo(&ends->src, &ends->dst, IPPROTO_TCP, len));
	return true;
}
