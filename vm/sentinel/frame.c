/* frame: bounds-checked parsing and building of Ethernet frames. */
#include "vm/sentinel/frame.h"

#include <string.h>

#define ETHERTYPE_V4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_V6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ICMP6 58

#define ICMP_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_REQUEST 8
#define ICMP6_UNREACHABLE 1
#define ICMP6_REQUEST 128
#define ICMP6_REPLY 129
#define ICMP6_SOLICIT 135
#define ICMP6_ADVERT 136

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67

#define ND_OPT_SOURCE_MAC 1
#define ND_OPT_TARGET_MAC 2
#define ND_HOP_LIMIT 255

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

static void
get_addr(struct msg_addr *a, uint8_t family, const uint8_t *p)
{
	memset(a, 0, sizeof(*a));
	a->family = family;
	memcpy(a->bytes, p, family == 4 ? 4 : 16);
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
	size_t n = src->family == 4 ? 4 : 16;
	uint32_t sum = sum_bytes(0, src->bytes, n);

	sum = sum_bytes(sum, dst->bytes, n);
	return sum + proto + (uint32_t)(len >> 16) + (uint32_t)(len & 0xffff);
}

bool
frame_addr_equal(const struct msg_addr *a, const struct msg_addr *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == 4)
		return memcmp(a->bytes, b->bytes, 4) == 0;
	return a->family == 6 && memcmp(a->bytes, b->bytes, 16) == 0;
}

void
frame_addr_link_local(struct msg_addr *a, const uint8_t mac[6])
{
	memset(a, 0, sizeof(*a));
	a->family = 6;
	a->prefixlen = 64;
	a->bytes[0] = 0xfe;
	a->bytes[1] = 0x80;
	memcpy(a->bytes + 8, mac, 3);
	a->bytes[8] ^= 0x02;
	a->bytes[11] = 0xff;
	a->bytes[12] = 0xfe;
	memcpy(a->bytes + 13, mac + 3, 3);
}

static void
parse_arp(struct cursor c, struct frame *f)
{
	/* Ethernet, IPv4, their lengths */
	static const uint8_t fixed[] = { 0, 1, 0x08, 0x00, 6, 4 };
	const uint8_t *p = take(&c, 28);

	if (p == NULL || memcmp(p, fixed, sizeof(fixed)) != 0)
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
	uint8_t wanted = kind == FRAME_SOLICIT ? ND_OPT_SOURCE_MAC : ND_OPT_TARGET_MAC;
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
	uint32_t pseudo = sum_pseudo(&f->src, &f->dst, PROTO_TCP, c.left);
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

/*
 * Behind eight bytes the packet that did not arrive, or its begin (RFC 792, RFC 4443 section 3.1):
 * one of ours has no options.
 */
static void
parse_unreachable(struct cursor c, uint8_t family, struct frame *f)
{
	const uint8_t *ip, *tcp;

	ip = take(&c, 8) != NULL ? take(&c, family == 4 ? 20 : 40) : NULL;
	tcp = ip != NULL ? take(&c, 4) : NULL;
	if (tcp == NULL || (family == 4 ? ip[0] != 0x45 || ip[9] != PROTO_TCP : ip[0] >> 4 != 6 ||
	    ip[6] != PROTO_TCP))
		return;
	get_addr(&f->unreachable.dst, family, ip + (family == 4 ? 16 : 24));
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
parse_v4(struct cursor c, struct frame *f)
{
	const uint8_t *p = take(&c, 20);
	size_t header_bytes, total;

	if (p == NULL || p[0] >> 4 != 4)
		return;
	header_bytes = (size_t)(p[0] & 0xf) * 4;
	total = get16(p + 2);
	if (header_bytes < 20 || total < header_bytes || take(&c, header_bytes - 20) == NULL)
		return;
	if (total - header_bytes > c.left)
		return;
	c.left = total - header_bytes;   /* what follows is Ethernet padding */
	if (sum_fold(sum_bytes(0, p, header_bytes)) != 0xffff)
		return;
	if ((get16(p + 6) & 0x3fff) != 0)   /* a fragment */
		return;
	get_addr(&f->src, 4, p + 12);
	get_addr(&f->dst, 4, p + 16);
	if (p[9] == PROTO_TCP)
		parse_tcp(c, f);
	if (p[9] == PROTO_UDP)
		parse_udp(c, f);
	if (p[9] != PROTO_ICMP || c.left < 1 || sum_fold(sum_bytes(0, c.p, c.left)) != 0xffff)
		return;
	if (c.p[0] == ICMP_REPLY)
		parse_echo(c, FRAME_ECHO_REPLY, f);
	else if (c.p[0] == ICMP_REQUEST)
		parse_echo(c, FRAME_ECHO_REQUEST, f);
	else if (c.p[0] == ICMP_UNREACHABLE)
		parse_unreachable(c, 4, f);
}

static void
parse_icmp6(struct cursor c, uint8_t hop_limit, struct frame *f)
{
	uint32_t sum = sum_pseudo(&f->src, &f->dst, PROTO_ICMP6, c.left);

	if (c.left < 1 || sum_fold(sum_bytes(sum, c.p, c.left)) != 0xffff)
		return;
	switch (c.p[0]) {
	case ICMP6_UNREACHABLE:
		parse_unreachable(c, 6, f);
		break;
	case ICMP6_REQUEST:
		parse_echo(c, FRAME_ECHO_REQUEST, f);
		break;
	case ICMP6_REPLY:
		parse_echo(c, FRAME_ECHO_REPLY, f);
		break;
	case ICMP6_SOLICIT:
		if (hop_limit == ND_HOP_LIMIT)
			parse_nd(c, FRAME_SOLICIT, f);
		break;
	case ICMP6_ADVERT:
		if (hop_limit == ND_HOP_LIMIT)
			parse_nd(c, FRAME_ADVERT, f);
		break;
	default:
		break;
	}
}

static void
parse_v6(struct cursor c, struct frame *f)
{
	const uint8_t *p = take(&c, 40);
	size_t payload;

	if (p == NULL || p[0] >> 4 != 6)
		return;
	payload = get16(p + 4);
	if (payload > c.left)
		return;
	c.left = payload;
	get_addr(&f->src, 6, p + 8);
	get_addr(&f->dst, 6, p + 24);
	/* Nothing that is waited for has extension headers. */
	if (p[6] == PROTO_TCP)
		parse_tcp(c, f);
	else if (p[6] == PROTO_ICMP6)
		parse_icmp6(c, p[7], f);
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
	if (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ)
		return false;
	memcpy(f->dst_mac, p, 6);
	memcpy(f->src_mac, p + 6, 6);
	if (type == ETHERTYPE_ARP)
		parse_arp(c, f);
	else if (type == ETHERTYPE_V4)
		parse_v4(c, f);
	else if (type == ETHERTYPE_V6)
		parse_v6(c, f);
	if (f->kind == FRAME_OTHER) {
		memset(&f->src, 0, sizeof(f->src));
		memset(&f->dst, 0, sizeof(f->dst));
	}
	return true;
}

/* ---- building ---- */

/* Reserves n zero bytes, or NULL when they do not fit. */
static uint8_t *
put(struct frame_out *out, size_t n)
{
	uint8_t *p = out->bytes + out->len;

	if (n > sizeof(out->bytes) - out->len)
		return NULL;
	memset(p, 0, n);
	out->len += n;
	return p;
}

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

static uint8_t *
begin(struct frame_out *out, const struct frame_ends *ends, uint16_t type, size_t payload)
{
	uint8_t *p;

	out->len = 0;
	p = put(out, FRAME_ETHER_BYTES);
	if (p == NULL)
		return NULL;
	memcpy(p, ends->dst_mac, 6);
	memcpy(p + 6, ends->src_mac, 6);
	set16(p + 12, type);
	p = put(out, payload);
	if (p == NULL)
		out->len = 0;
	return p;
}

/*
 * Ethernet and IP headers with room for `payload` bytes behind, to which it returns a pointer; NULL
 * when the families differ.
 */
static uint8_t *
begin_ip(struct frame_out *out, const struct frame_ends *ends, uint8_t proto, uint8_t ttl,
    size_t payload)
{
	uint8_t *p;

	out->len = 0;
	if (ends->src.family != ends->dst.family)
		return NULL;
	if (ends->src.family == 4) {
		p = begin(out, ends, ETHERTYPE_V4, 20 + payload);
		if (p == NULL)
			return NULL;
		p[0] = 0x45;
		set16(p + 2, (uint16_t)(20 + payload));
		/* don't fragment; so the identification may be 0 (RFC 6864) */
		set16(p + 6, 0x4000);
		p[8] = ttl;
		p[9] = proto;
		memcpy(p + 12, ends->src.bytes, 4);
		memcpy(p + 16, ends->dst.bytes, 4);
		set16(p + 10, (uint16_t)~sum_fold(sum_bytes(0, p, 20)));
		return p + 20;
	}
	if (ends->src.family != 6)
		return NULL;
	p = begin(out, ends, ETHERTYPE_V6, 40 + payload);
	if (p == NULL)
		return NULL;
	p[0] = 0x60;
	set16(p + 4, (uint16_t)payload);
	p[6] = proto;
	p[7] = ttl;
	memcpy(p + 8, ends->src.bytes, 16);
	memcpy(p + 24, ends->dst.bytes, 16);
	return p + 40;
}

bool
frame_build_arp(struct frame_out *out, const struct frame_ends *ends, const struct frame_arp *arp)
{
	uint8_t *p;

	out->len = 0;
	if (arp->sender.family != 4 || arp->target.family != 4)
		return false;
	p = begin(out, ends, ETHERTYPE_ARP, 28);
	if (p == NULL)
		return false;
	set16(p, 1);
	set16(p + 2, ETHERTYPE_V4);
	p[4] = 6;
	p[5] = 4;
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
	p = begin_ip(out, ends, PROTO_ICMP6, ND_HOP_LIMIT, len);
	if (p == NULL)
		return false;
	p[0] = ICMP6_SOLICIT;
	memcpy(p + 8, target->bytes, 16);
	if (has_source) {
		p[24] = ND_OPT_SOURCE_MAC;
		p[25] = 1;
		memcpy(p + 26, ends->src_mac, 6);
	}
	set16(p + 2,
	    (uint16_t)~sum_fold(sum_bytes(sum_pseudo(&ends->src, &ends->dst, PROTO_ICMP6, len), p,
	    len)));
	return true;
}

bool
frame_build_echo_request(struct frame_out *out, const struct frame_ends *ends,
    const struct frame_echo *echo)
{
	bool v4 = ends->src.family == 4;
	size_t data = echo->len < FRAME_ECHO_DATA ? echo->len : FRAME_ECHO_DATA;
	size_t len = 8 + data;
	uint8_t *p = begin_ip(out, ends, v4 ? PROTO_ICMP : PROTO_ICMP6, 64, len);

	if (p == NULL)
		return false;
	p[0] = v4 ? ICMP_REQUEST : ICMP6_REQUEST;
	set16(p + 4, echo->id);
	set16(p + 6, echo->seq);
	memcpy(p + 8, echo->data, data);
	set16(p + 2,
	    (uint16_t)~sum_fold(sum_bytes(v4 ? 0 : sum_pseudo(&ends->src, &ends->dst, PROTO_ICMP6,
	    len), p, len)));
	return true;
}

bool
frame_build_tcp(struct frame_out *out, const struct frame_ends *ends, const struct frame_tcp *tcp)
{
	bool syn = (tcp->flags & FRAME_TCP_SYN) != 0;
	size_t len = syn ? 24 : 20;
	uint8_t *p = begin_ip(out, ends, PROTO_TCP, 64, len);

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
	set16(p + 16,
	    (uint16_t)~sum_fold(sum_bytes(sum_pseudo(&ends->src, &ends->dst, PROTO_TCP, len), p,
	    len)));
	return true;
}
