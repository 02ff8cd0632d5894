/* frame: bounds-checked parsing and building of Ethernet frames. */
#include "vm/sentinel/frame.h"

#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67

#define ND_HOP_LIMIT 255
#define FRAGMENT 0x3fff   /* more fragments, or an offset */

#define TCP_MSS_V4 1460
#define TCP_MSS_V6 1440

/* ---- reading ---- */

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

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static size_t
addr_bytes(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

static void
get_addr(struct msg_addr *a, uint8_t family, const uint8_t *p)
{
	*a = (struct msg_addr){ .family = family };
	memcpy(a->bytes, p, addr_bytes(family));
}

/* The one's complement sum of RFC 1071, not folded; an odd last byte is padded with zero. */
static uint32_t
sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len >= 2; p += 2, len -= 2)
		sum += get16(p);
	if (len == 1)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

static uint16_t
sum_fold(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The sum over the pseudo-header of TCP and ICMPv6 (RFC 9293 section 3.1, RFC 8200 section 8.1). */
static uint32_t
sum_pseudo(const struct msg_addr *src, const struct msg_addr *dst, uint8_t proto, size_t len)
{
	size_t n = addr_bytes(src->family);
	uint32_t sum = proto + (uint32_t)(len >> 16) + (uint32_t)(len & 0xffff);

	return sum_bytes(sum_bytes(sum, src->bytes, n), dst->bytes, n);
}

void
frame_addr_link_local(struct msg_addr *a, const uint8_t mac[6])
{
	*a = (struct msg_addr){ .family = 6, .prefixlen = 64, .bytes = { 0xfe, 0x80, [8] =
	    mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5] } };
}

/* Ethernet, IPv4, the lengths of their addresses */
static const uint8_t arp_fixed[] = { 0, 1, 0x08, 0x00, 6, 4 };

static void
parse_arp(struct cursor c, struct frame *f)
{
	const uint8_t *p = take(&c, 28);

	if (p == NULL || memcmp(p, arp_fixed, sizeof(arp_fixed)) != 0)
		return;
	f->arp.op = get16(p + 6);
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
	f->echo.id = get16(p + 4);
	f->echo.seq = get16(p + 6);
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

static void
parse_tcp(struct cursor c, struct frame *f)
{
	uint32_t pseudo = sum_pseudo(&f->src, &f->dst, IPPROTO_TCP, c.left);
	uint16_t whole = sum_fold(sum_bytes(pseudo, c.p, c.left));
	const uint8_t *p = take(&c, 20);
	size_t header_bytes;

	if (p == NULL)
		return;
	header_bytes = (size_t)(p[12] >> 4) * 4;
	if (header_bytes < 20 || take(&c, header_bytes - 20) == NULL)
		return;
	if (whole != 0xffff && get16(p + 16) != sum_fold(pseudo))
		return;
	f->tcp.sport = get16(p);
	f->tcp.dport = get16(p + 2);
	f->tcp.seq = get32(p + 4);
	f->tcp.ack = get32(p + 8);
	f->tcp.flags = p[13];
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
	f->unreachable.sport = get16(tcp);
	f->unreachable.dport = get16(tcp + 2);
	f->kind = FRAME_UNREACHABLE;
}

static void
parse_udp(struct cursor c, struct frame *f)
{
	const uint8_t *p = take(&c, 8);

	if (p != NULL && get16(p) == DHCP_CLIENT_PORT && get16(p + 2) == DHCP_SERVER_PORT)
		f->kind = FRAME_DHCP;
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
	uint32_t sum = v4 ? 0 : sum_pseudo(&f->src, &f->dst, IPPROTO_ICMPV6, c.left);
	enum frame_kind kind = FRAME_OTHER;

	if (c.left < 1 || sum_fold(sum_bytes(sum, c.p, c.left)) != 0xffff)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].family == f->src.family && kinds[i].type == c.p[0])
			kind = kinds[i].kind;
	if (kind == FRAME_UNREACHABLE)
		parse_unreachable(c, f);
	else if (kind == FRAME_ECHO_REQUEST || kind == FRAME_ECHO_REPLY)
		parse_echo(c, kind, f);
	else if (kind != FRAME_OTHER && hop_limit == ND_HOP_LIMIT)
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
	total = get16(p + 2);
	if (header_bytes < 20 || total < header_bytes || take(&c, header_bytes - 20) == NULL ||
	    total - header_bytes > c.left)
		return;
	c.left = total - header_bytes;   /* what follows is Ethernet padding */
	if (sum_fold(sum_bytes(0, p, header_bytes)) != 0xffff || (get16(p + 6) & FRAGMENT) != 0)
		return;
	get_addr(&f->src, 4, p + 12);
	get_addr(&f->dst, 4, p + 16);
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

	if (p == NULL || p[0] >> 4 != 6 || get16(p + 4) > c.left)
		return;
	c.left = get16(p + 4);
	get_addr(&f->src, 6, p + 8);
	get_addr(&f->dst, 6, p + 24);
	/* Nothing that is waited for has extension headers. */
	if (p[6] == IPPROTO_TCP)
		parse_tcp(c, f);
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
	type = get16(p + 12);
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

/* ---- building ---- */

static void
set16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
set32(uint8_t *p, uint32_t v)
{
	set16(p, (uint16_t)(v >> 16));
	set16(p + 2, (uint16_t)v);
}

/* Writes the checksum of `len` bytes at p, which begins with `sum`, to p + at. */
static void
set_sum(uint8_t *p, size_t len, size_t at, uint32_t sum)
{
	set16(p + at, (uint16_t)~sum_fold(sum_bytes(sum, p, len)));
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
	set16(out->bytes + 12, type);
	return out->bytes + FRAME_ETHER_BYTES;
}

/* As begin, with an IP header before the payload; NULL also when the families differ. */
static uint8_t *
begin_ip(struct frame_out *out, const struct frame_ends *ends, uint8_t proto, uint8_t ttl,
    size_t payload)
{
	bool v4 = ends->src.family == 4;
	size_t header = v4 ? 20 : 40, n = addr_bytes(ends->src.family);
	uint8_t *p;

	out->len = 0;
	if (ends->src.family != ends->dst.family || (!v4 && ends->src.family != 6))
		return NULL;
	p = begin(out, ends, v4 ? ETH_P_IP : ETH_P_IPV6, header + payload);
	if (p == NULL)
		return NULL;
	p[0] = v4 ? 0x45 : 0x60;
	set16(p + (v4 ? 2 : 4), (uint16_t)(v4 ? header + payload : payload));
	p[v4 ? 9 : 6] = proto;
	p[v4 ? 8 : 7] = ttl;
	memcpy(p + header - 2 * n, ends->src.bytes, n);
	memcpy(p + header - n, ends->dst.bytes, n);
	if (v4) {
		/* don't fragment; so the identification may be 0 (RFC 6864) */
		set16(p + 6, 0x4000);
		set_sum(p, header, 10, 0);
	}
	return p + header;
}

bool
frame_build_arp(struct frame_out *out, const struct frame_ends *ends, const struct frame_arp *arp)
{
	uint8_t *p;

	out->len = 0;
	if (arp->sender.family != 4 || arp->target.family != 4)
		return false;
	p = begin(out, ends, ETH_P_ARP, 28);
	if (p == NULL)
		return false;
	memcpy(p, arp_fixed, sizeof(arp_fixed));
	set16(p + 6, arp->op);
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
	p = begin_ip(out, ends, IPPROTO_ICMPV6, ND_HOP_LIMIT, len);
	if (p == NULL)
		return false;
	p[0] = ND_NEIGHBOR_SOLICIT;
	memcpy(p + 8, target->bytes, 16);
	if (has_source) {
		p[24] = ND_OPT_SOURCE_LINKADDR;
		p[25] = 1;
		memcpy(p + 26, ends->src_mac, 6);
	}
	set_sum(p, len, 2, sum_pseudo(&ends->src, &ends->dst, IPPROTO_ICMPV6, len));
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
	set16(p + 4, echo->id);
	set16(p + 6, echo->seq);
	memcpy(p + 8, echo->data, data);
	set_sum(p, len, 2, v4 ? 0 : sum_pseudo(&ends->src, &ends->dst, IPPROTO_ICMPV6, len));
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
	set16(p, tcp->sport);
	set16(p + 2, tcp->dport);
	set32(p + 4, tcp->seq);
	set32(p + 8, tcp->ack);
	p[12] = (uint8_t)(len / 4 << 4);
	p[13] = tcp->flags;
	set16(p + 14, (tcp->flags & FRAME_TCP_RST) != 0 ? 0 : 65535);
	if (syn) {
		p[20] = 2;
		p[21] = 4;
		set16(p + 22, ends->src.family == 4 ? TCP_MSS_V4 : TCP_MSS_V6);
	}
	set_sum(p, len, 16, sum_pseudo(&ends->src, &ends->dst, IPPROTO_TCP, len));
	return true;
}
