/* net.c: Ethernet, and what starts the protocols above it */
#include "vm/hello/ip.h"

void
net_init(struct net *net, const struct config *config, const uint8_t mac[MAC_BYTES],
    const uint8_t seed[8], const struct net_ops *ops, void *arg)
{
	net->config = config;
	net->ops = ops;
	net->arg = arg;
	memcpy(net->mac, mac, MAC_BYTES);
	net->link_local = addr_link_local(mac);
	net->global6 = config->address[CONFIG_V6];
	net->address4 = config->address[CONFIG_V4];
	net->now_ms = net->arp_defend_ms = 0;
	net->ip4_id = (uint16_t)(seed[0] << 8 | seed[1]);
	tcp_init(&net->tcp, seed);
}

void
net_announce(struct net *net)
{
	arp_announce(net);
	nd_announce(net);
}

void
net_send(struct net *net, const uint8_t to[MAC_BYTES], enum net_ether_type type, size_t offset,
    size_t len)
{
	struct wire_out w;

	if (offset < NET_ETHER_BYTES || len > LIMIT_IP_BYTES || offset + len > sizeof(net->out))
		return;
	w = wire_out(&net->out[offset - NET_ETHER_BYTES], NET_ETHER_BYTES);
	wire_put(&w, to, MAC_BYTES);
	wire_put(&w, net->mac, MAC_BYTES);
	wire_put_u16(&w, type);
	net->ops->send(net->arg, w.start, NET_ETHER_BYTES + len);
}

void
net_input(struct net *net, const uint8_t *frame, size_t len, uint64_t now_ms)
{
	struct wire_in w = wire_in(frame, len);
	uint8_t to[MAC_BYTES], from[MAC_BYTES];
	bool unicast;
	uint16_t type;

	net->now_ms = now_ms;
	wire_copy(&w, to, sizeof(to));
	wire_copy(&w, from, sizeof(from));
	type = wire_u16(&w);
	unicast = memcmp(to, net->mac, MAC_BYTES) == 0;
	/* A bridge also floods what is for others; a group address as the sender is forged. */
	if (w.bad || (!unicast && !(to[0] & 1)) || (from[0] & 1))
		return;
	if (type == NET_ARP)
		arp_input(net, w);
	else if (type == NET_IP4 && unicast)
		ip4_input(net, from, w);
	else if (type == NET_IP6)
		ip6_input(net, from, w, unicast);
}

uint64_t
net_run_timers(struct net *net, uint64_t now_ms)
{
	net->now_ms = now_ms;
	return tcp_run_timers(net);
}
