/* frame: bounds-checked parsing of Ethernet frames. */
#include "vm/sentinel/frame.h"

#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "vm/sentinel/frame_wire.h"

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67

#define FRAGMENT 0x3fff   /* more fragments, or an offset */

struct cursor {
	const uint8_t *p;
	size_t left;
};

/* The next n bytes, or NULL when there are fewer. */
static const uint8_t *
take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (n > c->left)
		return NULL;
	c->p += n;
	c->left -= n;
	return p;
}

static void
get_addr(struct msg_addr *a, uint8_t family, const uint8_t *p)
{
	*a = (struct msg_addr){ .family = family };
	memcpy(a->bytes, p, wire_addr_bytes(family));
}

static void
parse_arp(struct cursor c, struct frame *f)
{
	static const uint8_t arp_fixed[] = FRAME_ARP_FIXED;
	const uint8_t *p = take(&c, FRAME_ARP_BYTES);

	if (p == NULL || memcmp(p, arp_fixed, sizeof(arp_fixed)) != 0)
		return;
	f->arp.op = wire_get16(p + 6);
	memcpy(f->arp.sender_mac, p + 8, 6);
	get_addr(&f->arp.sender, 4, p + 14);
	memcpy(f->arp.target_mac, p + 18, 6);
	get_addr(&f->arp.target, 4, p + 24);
	f->kind = FRAME_ARP;
}

static void
parse_echo(struct cursor c, enum frame_kind kind, struct frame *f)
{
	const uint8_t *p = take(&c, 8);

	if (p == NULL || p[1] != 0)
		return;
	f->echo.id = wire_get16(p + 4);
	f->echo.seq = wire_get16(p + 6);
	f->echo.len = c.left < FRAME_ECHO_DATA ? c.left : FRAME_ECHO_DATA;
	memcpy(f->echo.data, c.p, f->echo.len);
	f->kind = kind;
}

static void
parse_nd(struct cursor c, enum frame_kind kind, struct frame *f)
{
	uint8_t wanted = kind == FRAME_SOLICIT ? ND_OPT_SOURCE_LINKADDR : ND_OPT_TARGET_LINKADDR;
	const uint8_t *p = take(&c, 24);

	if (p == NULL || p[1] != 0 || p[8] == 0xff)
		return;
	get_addr(&f->nd.target, 6, p + 8);
	f->nd.has_mac = false;
	while (c.left > 0) {
		const uint8_t *head = take(&c, 8), *rest;

		if (head == NULL || head[1] == 0)
			return;
		rest = take(&c, (size_t)head[1] * 8 - 8);
		if (rest == NULL)
			return;
		if (head[0] == wanted && head[1] == 1) {
			memcpy(f->nd.mac, head + 2, 6);
			f->nd.has_mac = true;
		}
	}
	f->kind = kind;
}

/*
 * Is the checksum at p + at right, of all that is left behind the pseudo-header?  A virtual NIC
 * leaves the pseudo-header's sum there, and the rest to whom the frame comes to: looked at first,
 * since such a frame may be long.
 */
static bool
sum_right(const struct cursor *c, uint8_t proto, size_t at, const struct frame *f)
{
	uint32_t pseudo = wire_sum_pseudo(&f->src, &f->dst, proto, c->left);

	return wire_get16(c->p + at) == wire_sum_fold(pseudo) ||
	    wire_sum_fold(wire_sum(pseudo, c->p, c->left)) == 0xffff;
}

static void
parse_tcp(struct cursor c, struct frame *f)
{
	struct cursor whole = c;
	const uint8_t *p = take(&c, 20);
	size_t header_bytes;

	if (p == NULL)
		return;
	header_bytes = (size_t)(p[12] >> 4) * 4;
	if (header_bytes < 20 || take(&c, header_bytes - 20) == NULL ||
	    !sum_right(&whole, IPPROTO_TCP, FRAME_TCP_SUM, f))
		return;
	f->tcp.sport = wire_get16(p);
	f->tcp.dport = wire_get16(p + 2);
	f->tcp.seq = wire_get32(p + 4);
	f->tcp.ack = wire_get32(p + 8);
	f->tcp.flags = p[13];
	f->tcp.payload = (uint32_t)c.left;
	f->kind = FRAME_TCP;
}

/* Behind eight bytes the begin of what did not arrive (RFC 792, RFC 4443): ours has no options. */
static void
parse_unreachable(struct cursor c, struct frame *f)
{
	bool v4 = f->src.family == 4;
	const uint8_t *ip = take(&c, 8) != NULL ? take(&c, v4 ? 20 : 40) : NULL;
	const uint8_t *tcp = ip != NULL ? take(&c, 4) : NULL;

	if (tcp == NULL || (v4 ? ip[0] != 0x45 : ip[0] >> 4 != 6) || ip[v4 ? 9 : 6] != IPPROTO_TCP)
		return;
	get_addr(&f->unreachable.dst, f->src.family, ip + (v4 ? 16 : 24));
	f->unreachable.sport = wire_get16(tcp);
	f->unreachable.dport = wire_get16(tcp + 2);
	f->kind = FRAME_UNREACHABLE;
}

/* IPv4 may do without a checksum (RFC 768); IPv6 may not (RFC 8200 section 8.1). */
static void
parse_udp(struct cursor c, struct frame *f)
{
	struct cursor whole = c;
	const uint8_t *p = take(&c, 8);
	uint16_t len = p != NULL ? wire_get16(p + 4) : 0;

	if (len < 8 || len > whole.left)
		return;
	whole.left = len;
	if (!(wire_get16(p + FRAME_UDP_SUM) == 0 && f->src.family == 4) &&
	    !sum_right(&whole, IPPROTO_UDP, FRAME_UDP_SUM, f))
		return;
	f->udp.sport = wire_get16(p);
	f->udp.dport = wire_get16(p + 2);
	f->kind = f->udp.sport == DHCP_CLIENT_PORT && f->udp.dport == DHCP_SERVER_PORT ? FRAME_DHCP
	    : FRAME_UDP;
}

static void
parse_icmp(struct cursor c, uint8_t hop_limit, struct frame *f)
{
	static const struct {
		uint8_t family, type;
		enum frame_kind kind;
	} kinds[] = {
		{ 4, ICMP_ECHO, FRAME_ECHO_REQUEST }, { 6, ICMP6_ECHO_REQUEST, FRAME_ECHO_REQUEST },
		{ 4, ICMP_ECHOREPLY, FRAME_ECHO_REPLY }, { 6, ICMP6_ECHO_REPLY, FRAME_ECHO_REPLY },
		{ 4, ICMP_UNREACH, FRAME_UNREACHABLE }, { 6, ICMP6_DST_UNREACH, FRAME_UNREACHABLE },
		{ 6, ND_NEIGHBOR_SOLICIT, FRAME_SOLICIT }, { 6, ND_NEIGHBOR_ADVERT, FRAME_ADVERT },
	};
	bool v4 = f->src.family == 4;
	uint32_t sum = v4 ? 0 : wire_sum_pseudo(&f->src, &f->dst, IPPROTO_ICMPV6, c.left);
	enum frame_kind kind = FRAME_OTHER;

	if (c.left < 1 || wire_sum_fold(wire_sum(sum, c.p, c.left)) != 0xffff)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].family == f->src.family && kinds[i].type == c.p[0])
			kind = kinds[i].kind;
	if (kind == FRAME_UNREACHABLE)
		parse_unreachable(c, f);
	else if (kind == FRAME_ECHO_REQUEST || kind == FRAME_ECHO_REPLY)
		parse_echo(c, kind, f);
	else if (kind != FRAME_OTHER && hop_limit == FRAME_ND_HOP_LIMIT)
		parse_nd(c, kind, f);
}

static void
parse_v4(struct cursor c, struct frame *f)
{
	const uint8_t *p = take(&c, 20);
	size_t header_bytes, total;

	if (p == NULL || p[0] >> 4 != 4)
		return;
	header_bytes = (size_t)(p[0] & 0xf) * 4;
	total = wire_get16(p + 2);
	if (header_bytes < 20 || total < header_bytes || take(&c, header_bytes - 20) == NULL ||
	    total - header_bytes > c.left)
		return;
	c.left = total - header_bytes;   /* what follows is Ethernet padding */
	if (wire_sum_fold(wire_sum(0, p, header_bytes)) != 0xffff ||
	    (wire_get16(p + 6) & FRAGMENT) != 0)
		return;
	get_addr(&f->src, 4, p + 12);
	get_addr(&f->dst, 4, p + 16);
	f->upper_at = (uint16_t)(FRAME_ETHER_BYTES + header_bytes);
	if (p[9] == IPPROTO_TCP)
		parse_tcp(c, f);
	else if (p[9] == IPPROTO_UDP)
		parse_udp(c, f);
	else if (p[9] == IPPROTO_ICMP)
		parse_icmp(c, p[8], f);
}

static void
parse_v6(struct cursor c, struct frame *f)
{
	const uint8_t *p = take(&c, 40);

	if (p == NULL || p[0] >> 4 != 6 || wire_get16(p + 4) > c.left)
		return;
	c.left = wire_get16(p + 4);
	get_addr(&f->src, 6, p + 8);
	get_addr(&f->dst, 6, p + 24);
	f->upper_at = FRAME_ETHER_BYTES + 40;
	/* Nothing that is waited for has extension headers. */
	if (p[6] == IPPROTO_TCP)
		parse_tcp(c, f);
	else if (p[6] == IPPROTO_UDP)
		parse_udp(c, f);
	else if (p[6] == IPPROTO_ICMPV6)
		parse_icmp(c, p[7], f);
}

bool
frame_parse(const uint8_t *bytes, size_t len, struct frame *f)
{
	struct cursor c = { bytes, len };
	const uint8_t *p = take(&c, FRAME_ETHER_BYTES);
	uint16_t type;

	memset(f, 0, sizeof(*f));
	if (p == NULL || (p[6] & 1) != 0)
		return false;
	type = wire_get16(p + 12);
	if (type == ETH_P_8021Q || type == ETH_P_8021AD)
		return false;
	memcpy(f->dst_mac, p, 6);
	memcpy(f->src_mac, p + 6, 6);
	if (type == ETH_P_ARP)
		parse_arp(c, f);
	else if (type == ETH_P_IP)
		parse_v4(c, f);
	else if (type == ETH_P_IPV6)
		parse_v6(c, f);
	if (f->kind == FRAME_OTHER)
		f->src = f->dst = (struct msg_addr){ 0 };
	return true;
}
