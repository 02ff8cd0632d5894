/* says: what a bridge, or this host for it, does to frames that an operator may not think of. */
#include <arpa/inet.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "vm/net/rtnl.h"
#include "vm/vm.h"

#define TEXT 600

struct says {
	const char *bridge;
	unsigned ifindex;
	vm_say_cb say;
	void *arg;
	struct mnl_socket *nl;
	/* of the bridge */
	uint8_t vlans, nf_call[3];
	uint16_t pvid;
	/* names of ports */
	char isolated[200], locked[200];
};

/* ---- VLANs and ports ---- */

/* What IFLA_INFO_DATA has, of a bridge. */
static void
data_parse(struct says *s, const struct nlattr *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data) {
		int type = mnl_attr_get_type(attr);
		const uint8_t *value = mnl_attr_get_payload(attr);

		if (mnl_attr_get_payload_len(attr) < 1)
			continue;
		if (type == IFLA_BR_VLAN_FILTERING)
			s->vlans = *value;
		else if (type == IFLA_BR_NF_CALL_IPTABLES)
			s->nf_call[0] = *value;
		else if (type == IFLA_BR_NF_CALL_IP6TABLES)
			s->nf_call[1] = *value;
		else if (type == IFLA_BR_NF_CALL_ARPTABLES)
			s->nf_call[2] = *value;
		else if (type == IFLA_BR_VLAN_DEFAULT_PVID &&
		    mnl_attr_validate(attr, MNL_TYPE_U16) >= 0)
			s->pvid = mnl_attr_get_u16(attr);
	}
}

static int
on_bridge(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr, *info;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(info, attr)
			if (mnl_attr_get_type(info) == IFLA_INFO_DATA)
				data_parse(arg, info);
	}
	return MNL_CB_OK;
}

static void
port_parse(struct says *s, const char *name, const struct nlattr *settings)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, settings) {
		int type = mnl_attr_get_type(attr);
		char *to = type == IFLA_BRPORT_ISOLATED ? s->isolated :
		    type == IFLA_BRPORT_LOCKED ? s->locked : NULL;

		if (to != NULL && mnl_attr_validate(attr, MNL_TYPE_U8) >= 0 &&
		    mnl_attr_get_u8(attr) != 0)
			text_join(to, sizeof(s->locked), ", ", "%s", name);
	}
}

static int
on_port(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr, *settings = NULL;
	struct says *s = arg;
	struct rtnl_link l;

	rtnl_link_parse(nlh, &l);
	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg))
		if (mnl_attr_get_type(attr) == IFLA_PROTINFO)
			settings = attr;
	if (l.master == s->ifindex && settings != NULL)
		port_parse(s, l.name, settings);
	return MNL_CB_OK;
}

static void
say_vlans(const struct says *s)
{
	char text[TEXT];

	if (s->vlans == 0)
		return;
	if (s->pvid == 0)
		snprintf(text, sizeof(text), "it filters VLANs and puts new ports, such as VMs', "
		    "into none, so that nobody reaches a VM (ip link set %s type bridge "
		    "vlan_default_pvid 1)", s->bridge);
	else
		snprintf(text, sizeof(text), "it filters VLANs: VMs are in VLAN %u, untagged; who "
		    "is in another reaches none, and wakes none", s->pvid);
	s->say(text, s->arg);
}

static void
say_ports(const struct says *s)
{
	char text[TEXT];

	if (s->isolated[0] != '\0') {
		snprintf(text, sizeof(text), "isolated ports (%s) reach no other isolated port: "
		    "a VM's is none, unless somebody makes it one", s->isolated);
		s->say(text, s->arg);
	}
	if (s->locked[0] != '\0') {
		snprintf(text, sizeof(text), "locked ports (%s): frames from MAC addresses that "
		    "the bridge was not told of are dropped, and wake no VM", s->locked);
		s->say(text, s->arg);
	}
}

/* ---- the host's own rules (br_netfilter) ---- */

static const struct {
	const char *what;          /* net.bridge.bridge-nf-call-WHAT, nf_call_WHAT */
	const char *frames;
	uint8_t families[2];
	const char *legacy;        /* tables of the old kind that somebody has used */
} calls[] = {
	{ "iptables", "IPv4", { NFPROTO_IPV4, NFPROTO_INET }, "/proc/net/ip_tables_names" },
	{ "ip6tables", "IPv6", { NFPROTO_IPV6, NFPROTO_INET }, "/proc/net/ip6_tables_names" },
	{ "arptables", "ARP", { NFPROTO_ARP, NFPROTO_ARP }, "/proc/net/arp_tables_names" },
};

/* Looks for a chain that sees bridged frames. */
struct chain {
	const uint8_t *families;
	char name[200];            /* "" = none */
};

static bool
is_base(const struct nlattr *hook)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, hook)
		if (mnl_attr_get_type(attr) == NFTA_HOOK_HOOKNUM &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0) {
			uint32_t number = ntohl(mnl_attr_get_u32(attr));

			return number == NF_INET_PRE_ROUTING || number == NF_INET_FORWARD ||
			    number == NF_INET_POST_ROUTING;
		}
	return false;
}

static int
on_chain(const struct nlmsghdr *nlh, void *arg)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const char *table = "", *name = "", *type = "";
	const struct nlattr *attr;
	struct chain *c = arg;
	bool base = false;

	mnl_attr_for_each(attr, nlh, sizeof(*nfg)) {
		int what = mnl_attr_get_type(attr);

		if (what == NFTA_CHAIN_HOOK)
			base = is_base(attr);
		else if (mnl_attr_validate(attr, MNL_TYPE_STRING) < 0)
			continue;
		else if (what == NFTA_CHAIN_TABLE)
			table = mnl_attr_get_str(attr);
		else if (what == NFTA_CHAIN_NAME)
			name = mnl_attr_get_str(attr);
		else if (what == NFTA_CHAIN_TYPE)
			type = mnl_attr_get_str(attr);
	}
	if (base && strcmp(type, "filter") == 0 && c->name[0] == '\0' &&
	    (nfg->nfgen_family == c->families[0] || nfg->nfgen_family == c->families[1]))
		snprintf(c->name, sizeof(c->name), "chain %.80s of nftables' table %.80s", name,
		    table);
	return MNL_CB_OK;
}

/* The first line of a small file; "" when there is none. */
static void
line_read(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");

	line[0] = '\0';
	if (f == NULL)
		return;
	if (fgets(line, (int)size, f) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(f);
}

/* Which rules, by an example, frames of calls[i] pass; "" = none. */
static void
rules_find(unsigned i, struct chain *c)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	union rtnl_request r;
	char table[64];

	*c = (struct chain){ .families = calls[i].families };
	/* UNSPEC, which are zeros: of every family. */
	(void)rtnl_begin(&r, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP,
	    sizeof(struct nfgenmsg));
	/* A kernel that does not tell has no nftables. */
	if (nl != NULL && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0)
		(void)rtnl_ask(nl, &r, on_chain, c);
	if (nl != NULL)
		mnl_socket_close(nl);
	line_read(calls[i].legacy, table, sizeof(table));
	if (c->name[0] == '\0' && table[0] != '\0')
		snprintf(c->name, sizeof(c->name), "those of %s' table %s", calls[i].what, table);
}

static void
say_rules(const struct says *s)
{
	char path[80], value[16], text[TEXT];
	struct chain c;

	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/bridge/bridge-nf-call-%s",
		    calls[i].what);
		line_read(path, value, sizeof(value));
		/* Without br_netfilter neither does anything. */
		if (value[0] == '\0' || (strcmp(value, "0") == 0 && s->nf_call[i] == 0))
			continue;
		rules_find(i, &c);
		if (c.name[0] == '\0')
			continue;
		snprintf(text, sizeof(text), "its %s frames pass this host's rules, such as %s: "
		    "what they drop reaches no VM, and wakes none (sysctl "
		    "net.bridge.bridge-nf-call-%s=0%s)", calls[i].frames, c.name,
		    calls[i].what, s->nf_call[i] != 0 ? ", and nf_call of the bridge" : "");
		s->say(text, s->arg);
	}
}

void
vm_bridge_says(const char *name, vm_say_cb say, void *arg)
{
	struct says s = { .bridge = name, .say = say, .arg = arg };
	struct ifinfomsg *ifi;
	union rtnl_request r;
	struct rtnl_link l;

	if (rtnl_open(&s.nl, NULL) != ERR_OK)
		return;
	if (rtnl_bridge_get(s.nl, name, "bridge", &l, NULL) == ERR_OK) {
		s.ifindex = l.ifindex;
		ifi = rtnl_begin(&r, RTM_GETLINK, 0, sizeof(*ifi));
		ifi->ifi_index = (int)l.ifindex;
		(void)rtnl_ask(s.nl, &r, on_bridge, &s);
		ifi = rtnl_begin(&r, RTM_GETLINK, NLM_F_DUMP, sizeof(*ifi));
		ifi->ifi_family = AF_BRIDGE;
		(void)rtnl_ask(s.nl, &r, on_port, &s);
		say_vlans(&s);
		say_ports(&s);
		say_rules(&s);
	}
	mnl_socket_close(s.nl);
}
