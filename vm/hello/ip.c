/* ip.c: IPv4 and IPv6 packets in and out */
#include "vm/hello/ip.h"

#define IP4_BYTES      20
#define IP4_FRAGMENT   0x3fff /* more fragments, or an offset */
#define IP6_EXTENSIONS 4      /* headers that are skipped, at most */

static uint32_t
sum_bytes(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (; len > 1; len -= 2, bytes += 2)
		sum += (uint32_t)(bytes[0] << 8 | bytes[1]);
	return len ? sum + ((uint32_t)bytes[0] << 8) : sum;
}

static uint16_t
sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

uint16_t
ip_checksum(const uint8_t *bytes, size_t len)
{
	return sum_fold(sum_bytes(0, bytes, len));
}

uint16_t
ip_pseudo_checksum(const struct addr *src, const struct addr *dst, uint8_t proto,
    const uint8_t *bytes, size_t len)
{
	size_t skip = addr_is_v4(dst) ? ADDR_V4_OFFSET : 0;
	uint32_t sum = proto + (uint32_t)len;

	sum = sum_bytes(sum, src->b + skip, ADDR_BYTES - skip);
	sum = sum_bytes(sum, dst->b + skip, ADDR_BYTES - skip);
	return sum_fold(sum_bytes(sum, bytes, len));
}

void
ip4_input(struct net *net, const uint8_t from[MAC_BYTES], struct wire_in w)
{
	const uint8_t *header = w.at;
	uint8_t version_ihl = wire_u8(&w);
	size_t header_len = 4u * (version_ihl & 15), total, fragment;
	struct ip_packet packet;
	uint8_t src[4], dst[4];

	(void)wire_u8(&w);
	total = wire_u16(&w);
	(void)wire_u16(&w);
	fragment = wire_u16(&w);
	packet.hop_limit = wire_u8(&w);
	packet.proto = wire_u8(&w);
	(void)wire_u16(&w);
	wire_copy(&w, src, sizeof(src));
	wire_copy(&w, dst, sizeof(dst));
	if (w.bad || version_ihl >> 4 != 4 || header_len < IP4_BYTES || total < header_len ||
	    total - IP4_BYTES > w.left || ip_checksum(header, header_len) != 0 ||
	    (fragment & IP4_FRAGMENT))
		return;
	w.left = total - IP4_BYTES; /* Ethernet pads short frames */
	(void)wire_take(&w, header_len - IP4_BYTES);
	packet.src = addr_v4(src);
	packet.dst = addr_v4(dst);
	packet.multicast = false;
	packet.payload = w;
	memcpy(packet.mac, from, MAC_BYTES);
	if (!addr_equal(&packet.dst, &net->address4) || !addr_is_unicast(&packet.src))
		return;
	if (packet.proto == IP_ICMP)
		icmp4_input(net, &packet);
	else if (packet.proto == IP_TCP)
		tcp_input(net, &packet);
}

/* Steps over the extension headers that a host must know and that do not ask for anything here. */
static bool
skip_extensions(struct ip_packet *packet)
{
	struct wire_in *w = &packet->payload;

	for (int i = 0; i < IP6_EXTENSIONS; i++) {
		uint8_t next;

		if (packet->proto != IP_HOP_BY_HOP && packet->proto != IP_DEST_OPTIONS)
			return true;
		next = wire_u8(w);
		(void)wire_take(w, 8u * wire_u8(w) + 6);
		packet->proto = next;
		if (w->bad)
			return false;
	}
	return false;
}

struct addr *
ip6_own(struct net *net, const struct addr *a)
{
	struct addr *own = addr_equal(a, &net->link_local) ? &net->link_local : &net->global6;

	return addr_is_set(a) && addr_equal(a, own) ? own : NULL;
}

static bool
is_group_of(const struct addr *group, const struct addr *own)
{
	struct addr node = addr_solicited_node(own);

	return addr_is_set(own) && addr_equal(group, &node);
}

static bool
is_joined(const struct net *net, const struct addr *group)
{
	return addr_equal(group, &addr_all_nodes) || is_group_of(group, &net->link_local) ||
	    is_group_of(group, &net->global6);
}

void
ip6_input(struct net *net, const uint8_t from[MAC_BYTES], struct wire_in w, bool unicast)
{
	uint8_t version = wire_u8(&w) >> 4;
	struct ip_packet packet;
	size_t len;

	(void)wire_take(&w, 3);
	len = wire_u16(&w);
	packet.proto = wire_u8(&w);
	packet.hop_limit = wire_u8(&w);
	wire_copy(&w, packet.src.b, ADDR_BYTES);
	wire_copy(&w, packet.dst.b, ADDR_BYTES);
	if (w.bad || version != 6 || len > w.left)
		return;
	w.left = len;
	packet.payload = w;
	memcpy(packet.mac, from, MAC_BYTES);
	packet.multicast = packet.dst.b[0] == 0xff;
	if (addr_is_v4(&packet.src) || (addr_is_set(&packet.src) && !addr_is_unicast(&packet.src)))
		return;
	if (packet.multicast ? !is_joined(net, &packet.dst) : !unicast ||
	    !ip6_own(net, &packet.dst))
		return;
	if (!skip_extensions(&packet))
		return;
	if (packet.proto == IP_ICMP6)
		icmp6_input(net, &packet);
	else if (packet.proto == IP_TCP && !packet.multicast && addr_is_set(&packet.src))
		tcp_input(net, &packet);
}

struct wire_out
ip_payload(struct net *net)
{
	return wire_out(net->out + NET_HEADROOM, LIMIT_IP_BYTES - IP4_BYTES);
}

static void
send4(struct net *net, const struct ip_route *route, size_t len)
{
	size_t offset = NET_HEADROOM - IP4_BYTES;
	struct wire_out w = wire_out(net->out + offset, IP4_BYTES);

	wire_put_u8(&w, 0x45);
	wire_put_u8(&w, 0);
	wire_put_u16(&w, (uint16_t)(IP4_BYTES + len));
	wire_put_u16(&w, net->ip4_id++);
	wire_put_u16(&w, 0);
	wire_put_u8(&w, route->hop_limit);
	wire_put_u8(&w, route->proto);
	wire_put_u16(&w, 0);
	wire_put(&w, route->src.b + ADDR_V4_OFFSET, 4);
	wire_put(&w, route->dst.b + ADDR_V4_OFFSET, 4);
	wire_patch_u16(&w, 10, ip_checksum(w.start, w.len));
	net_send(net, route->mac, NET_IP4, offset, IP4_BYTES + len);
}

static void
send6(struct net *net, const struct ip_route *route, size_t len)
{
	struct wire_out w = wire_out(net->out + NET_ETHER_BYTES, NET_IP6_BYTES);

	wire_put_u32(&w, 6u << 28);
	wire_put_u16(&w, (uint16_t)len);
	wire_put_u8(&w, route->proto);
	wire_put_u8(&w, route->hop_limit);
	wire_put(&w, route->src.b, ADDR_BYTES);
	wire_put(&w, route->dst.b, ADDR_BYTES);
	net_send(net, route->mac, NET_IP6, NET_ETHER_BYTES, NET_IP6_BYTES + len);
}

void
ip_send(struct net *net, const struct ip_route *route, const struct wire_out *payload)
{
	if (payload->bad)
		return;
	if (addr_is_v4(&route->dst))
		send4(net, route, payload->len);
	else
		send6(net, route, payload->len);
}

void
ip_send_summed(struct net *net, const struct ip_route *route, struct wire_out *payload,
    size_t offset)
{
	wire_patch_u16(payload, offset, route->proto == IP_ICMP
	    ? ip_checksum(payload->start, payload->len)
	    : ip_pseudo_checksum(&route->src, &route->dst, route->proto, payload->start,
	    payload->len));
	ip_send(net, route, payload);
}

struct ip_route
ip_reply_route(const struct ip_packet *packet)
{
	struct ip_route route = { .src = packet->dst, .dst = packet->src, .proto = packet->proto,
	    .hop_limit = IP_HOP_LIMIT };

	memcpy(route.mac, packet->mac, MAC_BYTES);
	return route;
}
