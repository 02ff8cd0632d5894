/* icmp.c: echo for IPv4 and IPv6 */
#include "vm/hello/icmp.h"

#include "vm/hello/nd.h"

#define ICMP4_ECHO       8
#define ICMP4_ECHO_REPLY 0
#define ICMP6_ECHO       128
#define ICMP6_ECHO_REPLY 129
#define ICMP_CHECKSUM    2 /* its offset */
#define ECHO_REST_LEAST  4 /* identifier and sequence number */

/* The rest of the message, identifier and data, comes back as it is. */
static struct wire_out
echo_begin(struct net *net, uint8_t type, struct wire_in rest)
{
	struct wire_out w = ip_payload(net);

	wire_put_u8(&w, type);
	wire_put_u8(&w, 0);
	wire_put_u16(&w, 0);
	wire_put(&w, rest.at, rest.left);
	return w;
}

void
icmp4_input(struct net *net, const struct ip_packet *packet)
{
	struct wire_in w = packet->payload;
	struct ip_route route = ip_reply_route(packet);
	struct wire_out out;
	uint8_t type;

	if (ip_checksum(w.at, w.left) != 0)
		return;
	type = wire_u8(&w);
	(void)wire_take(&w, 3);
	if (w.bad || type != ICMP4_ECHO || w.left < ECHO_REST_LEAST)
		return;
	out = echo_begin(net, ICMP4_ECHO_REPLY, w);
	wire_patch_u16(&out, ICMP_CHECKSUM, ip_checksum(out.start, out.len));
	ip_send(net, &route, &out);
}

static void
echo6(struct net *net, const struct ip_packet *packet, struct wire_in rest)
{
	struct ip_route route = ip_reply_route(packet);
	struct wire_out out;

	if (packet->multicast)
		route.src = net->link_local;
	if (!addr_is_set(&route.src) || !addr_is_set(&route.dst))
		return;
	out = echo_begin(net, ICMP6_ECHO_REPLY, rest);
	wire_patch_u16(&out, ICMP_CHECKSUM, ip_pseudo_checksum(&route.src, &route.dst, IP_ICMP6,
	    out.start, out.len));
	ip_send(net, &route, &out);
}

void
icmp6_input(struct net *net, const struct ip_packet *packet)
{
	struct wire_in w = packet->payload;
	uint8_t type, code;

	if (ip_pseudo_checksum(&packet->src, &packet->dst, IP_ICMP6, w.at, w.left) != 0)
		return;
	type = wire_u8(&w);
	code = wire_u8(&w);
	(void)wire_u16(&w);
	if (w.bad || code != 0)
		return;
	if (type != ICMP6_ECHO)
		nd_input(net, packet, type, w);
	else if (w.left >= ECHO_REST_LEAST)
		echo6(net, packet, w);
}
