/* nd.c: neighbour discovery, duplicate address detection and listener reports */
#include "vm/hello/ip.h"

#define ND_SOLICIT       135
#define ND_ADVERT        136
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2
#define ND_SOLICITED     (1u << 30)
#define ND_OVERRIDE      (1u << 29)
#define MLD_QUERY        130
#define MLD2_REPORT      143
#define MLD2_TO_EXCLUDE  4 /* the record that joins a group */
#define MLD2_IS_EXCLUDE  2 /* the record that answers a query */
#define HOP_BY_HOP_BYTES 8

static const struct addr all_mld2_routers = { .b = { 0xff, 2, [15] = 0x16 } };

static struct ip_route
route_to_group(const struct addr *src, const struct addr *group)
{
	struct ip_route route = { .src = *src, .dst = *group, .proto = IP_ICMP6,
	    .hop_limit = IP_HOP_LOCAL };

	addr_multicast_mac(group, route.mac);
	return route;
}

/* Duplicate address detection: from nobody, to whoever may hold the address. */
static void
solicit(struct net *net, const struct addr *target)
{
	struct addr group = addr_solicited_node(target);
	struct ip_route route = route_to_group(&addr_none, &group);
	struct wire_out w = icmp_payload(net, ND_SOLICIT);

	wire_put_u32(&w, 0);
	wire_put(&w, target->b, ADDR_BYTES);
	ip_send_summed(net, &route, &w, ICMP_CHECKSUM);
}

static void
advertise(struct net *net, const struct ip_route *route, const struct addr *target, uint32_t flags)
{
	struct wire_out w = icmp_payload(net, ND_ADVERT);

	wire_put_u32(&w, flags);
	wire_put(&w, target->b, ADDR_BYTES);
	wire_put_u8(&w, ND_OPTION_TARGET);
	wire_put_u8(&w, 1); /* in units of eight bytes */
	wire_put(&w, net->mac, MAC_BYTES);
	ip_send_summed(net, route, &w, ICMP_CHECKSUM);
}

/* One report for both addresses' groups: bridges that snoop would keep solicitations from us. */
static void
report_groups(struct net *net, uint8_t record)
{
	const struct addr *own[] = { &net->link_local, &net->global6 };
	static const uint8_t router_alert[] = { 5, 2, 0, 0, 1, 0 }; /* RFC 2711, and PadN */
	struct ip_route route = route_to_group(&net->link_local, &all_mld2_routers);
	struct wire_out w = ip_payload(net);
	uint16_t records = 0;

	wire_put_u8(&w, IP_ICMP6);
	wire_put_u8(&w, 0);
	wire_put(&w, router_alert, sizeof(router_alert));
	wire_put_u8(&w, MLD2_REPORT);
	wire_put_u8(&w, 0);
	wire_put_u32(&w, 0); /* checksum, reserved */
	wire_put_u16(&w, 0); /* number of records */
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		struct addr group = addr_solicited_node(own[i]);

		if (!addr_is_set(own[i]))
			continue;
		wire_put_u32(&w, (uint32_t)record << 24); /* no sources */
		wire_put(&w, group.b, ADDR_BYTES);
		records++;
	}
	wire_patch_u16(&w, HOP_BY_HOP_BYTES + 6, records);
	wire_patch_u16(&w, HOP_BY_HOP_BYTES + 2, ip_pseudo_checksum(&route.src, &route.dst,
	    IP_ICMP6, w.start + HOP_BY_HOP_BYTES, w.len - HOP_BY_HOP_BYTES));
	route.proto = IP_HOP_BY_HOP;
	route.hop_limit = 1;
	ip_send(net, &route, &w);
}

void
nd_announce(struct net *net)
{
	const struct addr *own[] = { &net->link_local, &net->global6 };

	report_groups(net, MLD2_TO_EXCLUDE);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		struct ip_route route = route_to_group(own[i], &addr_all_nodes);

		if (!addr_is_set(own[i]))
			continue;
		solicit(net, own[i]);
		advertise(net, &route, own[i], 0);
	}
}

/* Another claims the address: given up while its uniqueness is being asked for, later kept. */
static void
conflict(struct net *net, struct addr *own)
{
	char line[80];
	struct text t = text_init(line, sizeof(line));
	bool duplicate = net->now_ms < LIMIT_DAD_MS;

	addr_text(&t, own);
	text_str(&t, duplicate ? " is in use elsewhere and was given up" :
	    " is also claimed by another");
	net->ops->report(net->arg, line);
	if (duplicate)
		memset(own, 0, sizeof(*own));
}

/* The MAC of the last option of that type, if there is one; false when an option is not whole. */
static bool
find_mac_option(struct wire_in w, uint8_t option, uint8_t mac[MAC_BYTES], bool *found)
{
	*found = false;
	while (w.left && !w.bad) {
		uint8_t type = wire_u8(&w), units = wire_u8(&w);
		struct wire_in body = wire_in(w.at, w.left);

		if (units == 0)
			w.bad = true;
		(void)wire_take(&w, 8u * units - 2);
		if (w.bad || type != option)
			continue;
		wire_copy(&body, mac, MAC_BYTES);
		*found = true;
	}
	return !w.bad;
}

static void
solicited(struct net *net, const struct ip_packet *packet, struct addr *own, struct wire_in options)
{
	struct ip_route route = ip_reply_route(packet);
	uint8_t mac[MAC_BYTES];
	bool has_mac;

	if (!find_mac_option(options, ND_OPTION_SOURCE, mac, &has_mac))
		return;
	if (!addr_is_set(&packet->src)) {
		if (has_mac || !packet->multicast || memcmp(packet->mac, net->mac, MAC_BYTES) == 0)
			return;
		if (net->now_ms < LIMIT_DAD_MS) {
			conflict(net, own);
			return;
		}
		route = route_to_group(own, &addr_all_nodes);
		advertise(net, &route, own, ND_OVERRIDE);
		return;
	}
	route.src = *own;
	route.hop_limit = IP_HOP_LOCAL;
	advertise(net, &route, own, ND_SOLICITED | ND_OVERRIDE);
}

static void
advertised(struct net *net, const struct ip_packet *packet, struct addr *own,
    struct wire_in options)
{
	uint8_t mac[MAC_BYTES];
	bool has_mac;

	/* Whoever stands in for us while we sleep advertises our own MAC: that is no conflict. */
	if (find_mac_option(options, ND_OPTION_TARGET, mac, &has_mac) &&
	    memcmp(has_mac ? mac : packet->mac, net->mac, MAC_BYTES) != 0)
		conflict(net, own);
}

void
nd_input(struct net *net, const struct ip_packet *packet, uint8_t type, struct wire_in body)
{
	struct addr target, *own;

	if (type == MLD_QUERY) {
		if (packet->hop_limit == 1)
			report_groups(net, MLD2_IS_EXCLUDE);
		return;
	}
	if ((type != ND_SOLICIT && type != ND_ADVERT) || packet->hop_limit != IP_HOP_LOCAL)
		return;
	(void)wire_u32(&body);
	wire_copy(&body, target.b, ADDR_BYTES);
	own = ip6_own(net, &target);
	if (body.bad || !own)
		return;
	if (type == ND_SOLICIT)
		solicited(net, packet, own, body);
	else
		advertised(net, packet, own, body);
}
