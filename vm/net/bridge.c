/* bridge: what a bridge of the host is and has. */
#include "vm/vm.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "vm/net/rtnl.h"

/* Times of a bridge are in ticks of USER_HZ. */
#define TICK_MS 10

static enum err
link_get(struct mnl_socket *nl, const char *name, struct vm_bridge *br, struct errmsg *m)
{
	struct rtnl_link l;
	enum err e = rtnl_bridge_get(nl, name, "interface", &l, m);

	if (e != ERR_OK)
		return e;
	br->ifindex = l.ifindex;
	br->up = l.up;
	memcpy(br->mac, l.mac, sizeof(br->mac));
	/* Listening, then learning. */
	if (l.stp == RTNL_STP_KERNEL)
		br->stp_wait_ms = 2 * TICK_MS * l.delay_ticks;
	return ERR_OK;
}

static int
on_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct vm_bridge *br = arg;
	struct msg_addr *to = &br->addrs[br->naddrs];
	const struct nlattr *attr;
	bool local = false;

	if (ifa->ifa_index != br->ifindex || br->naddrs >= LIMIT_NETWORK_RANGES ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	*to = (struct msg_addr){ .family = ifa->ifa_family == AF_INET ? 4 : 6,
	    .prefixlen = ifa->ifa_prefixlen };
	br->naddrs++;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa)) {
		int type = mnl_attr_get_type(attr), len = mnl_attr_get_payload_len(attr);

		/* IFA_ADDRESS is the peer's, where there is one. */
		if ((type != IFA_LOCAL && (type != IFA_ADDRESS || local)) ||
		    len != (to->family == 4 ? 4 : 16))
			continue;
		memcpy(to->bytes, mnl_attr_get_payload(attr), (size_t)len);
		local = type == IFA_LOCAL;
	}
	return MNL_CB_OK;
}

/* Asks the kernel for this link's alone: a host has one per VM, and each wake comes here. */
static enum err
addrs_get(struct mnl_socket *nl, const char *name, struct vm_bridge *br, struct errmsg *m)
{
	union rtnl_request r;
	struct ifaddrmsg *ifa = rtnl_begin(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));
	int one = 1;

	/* A kernel before 4.20 sends all of them. */
	if (mnl_socket_setsockopt(nl, NETLINK_GET_STRICT_CHK, &one, sizeof(one)) == 0)
		ifa->ifa_index = br->ifindex;
	errno = rtnl_ask(nl, &r, on_addr, br);
	return errno == 0 ? ERR_OK : err_sys(m, "addresses of interface \"%s\"", name);
}

enum err
vm_bridge_get(const char *name, struct vm_bridge *br, struct errmsg *m)
{
	struct mnl_socket *nl;
	enum err e = rtnl_open(&nl, m);

	memset(br, 0, sizeof(*br));
	if (e != ERR_OK)
		return e;
	e = link_get(nl, name, br, m);
	if (e == ERR_OK)
		e = addrs_get(nl, name, br, m);
	mnl_socket_close(nl);
	return e;
}

enum err
vm_bridge_up(const char *name, const struct vm_bridge *br, struct errmsg *m)
{
	return br->up ? ERR_OK :
	    err_set(m, ERR_STATE, "bridge \"%s\" is down (ip link set %s up)", name, name);
}

enum err
vm_bridge_check(const char *name, struct errmsg *m)
{
	struct vm_bridge br;
	enum err e = vm_bridge_get(name, &br, m);

	return e == ERR_OK ? vm_bridge_up(name, &br, m) : e;
}

/* Was its MAC set by somebody (NET_ADDR_SET)?  When that cannot be known, no. */
static bool
mac_is_set(const char *name)
{
	char path[64];
	int type = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/addr_assign_type", name);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fscanf(f, "%d", &type) != 1)
		type = 0;
	fclose(f);
	return type == 3;
}

enum err
vm_bridge_pin(const char *name, const struct vm_bridge *br, struct errmsg *m)
{
	enum err e = ERR_OK;
	struct ifreq ifr;
	int sock;

	if (mac_is_set(name))
		return ERR_OK;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return err_sys(m, "bridge \"%s\": socket", name);
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, br->mac, sizeof(br->mac));
	if (ioctl(sock, SIOCSIFHWADDR, &ifr) != 0)
		e = err_sys(m, "bridge \"%s\": its MAC address cannot be fixed", name);
	close(sock);
	return e;
}

/* ---- the host's own MACs ---- */

struct macs {
	struct vm_host_mac *list;
	unsigned n;
	size_t room;
};

static void
mac_add(struct macs *to, const uint8_t mac[6], unsigned ifindex)
{
	static const uint8_t none[6];

	if (memcmp(mac, none, sizeof(none)) == 0 || (mac[0] & 1) != 0)
		return;
	to->list = mem_room(to->list, to->n, &to->room, sizeof(*to->list));
	memcpy(to->list[to->n].mac, mac, sizeof(to->list[to->n].mac));
	to->list[to->n++].ifindex = ifindex;
}

static int
on_host_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct rtnl_link l;

	rtnl_link_parse(nlh, &l);
	if (ifi->ifi_type == ARPHRD_ETHER)
		mac_add(arg, l.mac, l.ifindex);
	return MNL_CB_OK;
}

/* Local entries of bridges: their own MAC, their ports', and what an operator has added. */
static int
on_host_fdb(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	const uint8_t *mac = NULL;
	bool of_bridge = false;

	mnl_attr_for_each(attr, nlh, sizeof(*nd)) {
		if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
			mac = mnl_attr_get_payload(attr);
		of_bridge = of_bridge || mnl_attr_get_type(attr) == NDA_MASTER;
	}
	if ((nd->ndm_state & NUD_PERMANENT) != 0 && mac != NULL && of_bridge)
		mac_add(arg, mac, (unsigned)nd->ndm_ifindex);
	return MNL_CB_OK;
}

static int
macs_dump(struct mnl_socket *nl, uint16_t type, unsigned char family, mnl_cb_t cb, struct macs *to)
{
	union rtnl_request r;
	/* For forwarding entries, too: the kernel has always taken this header. */
	struct ifinfomsg *ifi = rtnl_begin(&r, type, NLM_F_DUMP, sizeof(*ifi));

	ifi->ifi_family = family;
	return rtnl_ask(nl, &r, cb, to);
}

enum err
vm_host_macs(struct vm_host_mac **list, unsigned *n, struct errmsg *m)
{
	struct macs all = { .list = NULL };
	struct mnl_socket *nl;
	enum err e = rtnl_open(&nl, m);

	*list = NULL;
	*n = 0;
	if (e != ERR_OK)
		return e;
	errno = macs_dump(nl, RTM_GETLINK, AF_UNSPEC, on_host_link, &all);
	if (errno == 0)
		errno = macs_dump(nl, RTM_GETNEIGH, AF_BRIDGE, on_host_fdb, &all);
	if (errno == 0) {
		*list = all.list;
		*n = all.n;
	} else {
		e = err_sys(m, "the MAC addresses of this host's interfaces");
		free(all.list);
	}
	mnl_socket_close(nl);
	return e;
}
