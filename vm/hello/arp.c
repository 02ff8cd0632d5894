/* arp.c: address resolution for IPv4, with announcement and defence */
#include "vm/hello/net.h"

#define ARP_REQUEST 1
#define ARP_REPLY   2

/* Ethernet, IPv4, the lengths of their addresses */
static const uint8_t fixed[] = { 0, 1, 0x08, 0x00, MAC_BYTES, 4 };
static const uint8_t broadcast[MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t unknown[MAC_BYTES];

static void
arp_send(struct net *net, uint16_t op, const uint8_t to[MAC_BYTES],
    const uint8_t target_mac[MAC_BYTES], const uint8_t target[4])
{
	struct wire_out w = wire_out(net->out + NET_ETHER_BYTES,
	    sizeof(net->out) - NET_ETHER_BYTES);

	wire_put(&w, fixed, sizeof(fixed));
	wire_put_u16(&w, op);
	wire_put(&w, net->mac, MAC_BYTES);
	wire_put(&w, net->address4.b + ADDR_V4_OFFSET, 4);
	wire_put(&w, target_mac, MAC_BYTES);
	wire_put(&w, target, 4);
	net_send(net, to, NET_ARP, NET_ETHER_BYTES, w.len);
}

void
arp_announce(struct net *net)
{
	if (addr_is_set(&net->address4))
		arp_send(net, ARP_REQUEST, broadcast, unknown, net->address4.b + ADDR_V4_OFFSET);
}

static void
arp_conflict(struct net *net, const uint8_t mac[MAC_BYTES])
{
	char line[80];
	struct text t = text_init(line, sizeof(line));

	if (net->now_ms < net->arp_defend_ms)
		return;
	net->arp_defend_ms = net->now_ms + LIMIT_ARP_DEFEND_MS;
	addr_text(&t, &net->address4);
	text_str(&t, " is also used by");
	for (int i = 0; i < MAC_BYTES; i++) {
		text_char(&t, i ? ':' : ' ');
		text_hex(&t, mac[i], 2);
	}
	net->ops->report(net->arg, line);
	arp_announce(net);
}

void
arp_input(struct net *net, struct wire_in w)
{
	const uint8_t *head = wire_take(&w, sizeof(fixed));
	uint16_t op = wire_u16(&w);
	uint8_t mac[MAC_BYTES], sender[4], target[4];
	const uint8_t *own = net->address4.b + ADDR_V4_OFFSET;

	wire_copy(&w, mac, sizeof(mac));
	wire_copy(&w, sender, sizeof(sender));
	(void)wire_take(&w, MAC_BYTES);
	wire_copy(&w, target, sizeof(target));
	if (w.bad || memcmp(head, fixed, sizeof(fixed)) != 0 || (mac[0] & 1) ||
	    !addr_is_set(&net->address4) || memcmp(mac, net->mac, MAC_BYTES) == 0)
		return;
	if (memcmp(sender, own, 4) == 0)
		arp_conflict(net, mac);
	else if (op == ARP_REQUEST && memcmp(target, own, 4) == 0)
		arp_send(net, ARP_REPLY, mac, mac, sender);
}
