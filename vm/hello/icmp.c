/* icmp.c: echo for IPv4 and IPv6 */
#include "vm/hello/ip.h"

#define ICMP4_ECHO       8
#define ICMP4_ECHO_REPLY 0
#define ICMP6_ECHO       128
#define ICMP6_ECHO_REPLY 129
#define ECHO_REST_LEAST  4 /* identifier and sequence number */

struct wire_out
icmp_payload(struct net *net, uint8_t type)
{
	struct wire_out w = ip_payload(net);

	wire_put_u32(&w, (uint32_t)type << 24); /* code and checksum: 0 */
	return w;
}

/* The rest of the message, identifier and data, comes back as it is. */
static void
echo(struct net *net, const struct ip_route *route, uint8_t type, struct wire_in rest)
{
	struct wire_out w = icmp_payload(net, type);

	wire_put(&w, rest.at, rest.left);
	ip_send_summed(net, route, &w, ICMP_CHECKSUM);
}

void
icmp4_input(struct net *net, const struct ip_packet *packet)
{
	struct wire_in w = packet->payload;
	struct ip_route route = ip_reply_route(packet);
	uint8_t type = wire_u8(&w);

	(void)wire_take(&w, 3);
	if (!w.bad && type == ICMP4_ECHO && w.left >= ECHO_REST_LEAST &&
	    ip_checksum(packet->payload.at, packet->payload.left) == 0)
		echo(net, &route, ICMP4_ECHO_REPLY, w);
}

void
icmp6_input(struct net *net, const struct ip_packet *packet)
{
	struct wire_in w = packet->payload;
	struct ip_route route = ip_reply_route(packet);
	uint8_t type, code;

	if (ip_pseudo_checksum(&packet->src, &packet->dst, IP_ICMP6, w.at, w.left) != 0)
		return;
	type = wire_u8(&w);
	code = wire_u8(&w);
	(void)wire_u16(&w);
	if (w.bad || code != 0)
		return;
	if (packet->multicast)
		route.src = net->link_local;
	if (type != ICMP6_ECHO)
		nd_input(net, packet, type, w);
	else if (w.left >= ECHO_REST_LEAST && addr_is_set(&route.src) && addr_is_set(&route.dst))
		echo(net, &route, ICMP6_ECHO_REPLY, w);
}
