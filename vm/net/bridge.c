/* bridge: what a bridge of the host is and has. */
#include "vm/vm.h"

#include <errno.h>
#include <linux/if_link.h>
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

	errno = rtnl_link_get(nl, name, 0, &l);
	if (errno == ENODEV)
		return err_set(m, ERR_MISSING, "bridge \"%s\" does not exist: make it (ip link add "
		    "%s type bridge) or correct `bridge` of the network", name, name);
	if (errno != 0)
		return err_sys(m, "interface \"%s\"", name);
	if (!l.is_bridge)
		return err_set(m, ERR_UNSUPPORTED, "interface \"%s\" is not a bridge", name);
	br->ifindex = l.ifindex;
	br->up = l.up;
	memcpy(br->mac, l.mac, sizeof(br->mac));
	/* Listening, then learning. */
	if (l.stp == RTNL_STP_KERNEL)
		br->stp_wait_ms = 2 * TICK_MS * l.delay_ticks;
	return ERR_OK;
}

struct local {
	struct msg_addr *to;
	bool known;       /* IFA_LOCAL was there; with a peer, IFA_ADDRESS is the peer's */
};

static int
on_local(const struct nlattr *attr, void *arg)
{
	struct local *l = arg;
	int type = mnl_attr_get_type(attr);

	if ((type != IFA_LOCAL && (type != IFA_ADDRESS || l->known)) ||
	    mnl_attr_get_payload_len(attr) != (l->to->family == 4 ? 4 : 16))
		return MNL_CB_OK;
	memcpy(l->to->bytes, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	l->known = type == IFA_LOCAL;
	return MNL_CB_OK;
}

static int
on_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct vm_bridge *br = arg;
	struct msg_addr *to = &br->addrs[br->naddrs];
	struct local l = { .to = to };

	if (ifa->ifa_index != br->ifindex || br->naddrs >= LIMIT_NETWORK_RANGES)
		return MNL_CB_OK;
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return MNL_CB_OK;
	memset(to, 0, sizeof(*to));
	to->family = ifa->ifa_family == AF_INET ? 4 : 6;
	to->prefixlen = ifa->ifa_prefixlen;
	br->naddrs++;
	return mnl_attr_parse(nlh, sizeof(*ifa), on_local, &l);
}

/*
 * The kernel is asked for this link's alone: a host has an interface per VM, and this is on the way
 * of every wake.
 */
static enum err
addrs_get(struct mnl_socket *nl, const char *name, struct vm_bridge *br, struct errmsg *m)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;
	int one = 1;

	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 2;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_UNSPEC;
	/* A kernel before 4.20 sends all of them. */
	if (mnl_socket_setsockopt(nl, NETLINK_GET_STRICT_CHK, &one, sizeof(one)) == 0)
		ifa->ifa_index = br->ifindex;
	errno = rtnl_ask(nl, nlh, on_addr, br);
	return errno == 0 ? ERR_OK : err_sys(m, "addresses of interface \"%s\"", name);
}

enum err
vm_bridge_get(const char *name, struct vm_bridge *br, struct errmsg *m)
{
	struct mnl_socket *nl;
	enum err e;

	memset(br, 0, sizeof(*br));
	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
		return err_set(m, ERR_RANGE, "interface name \"%s\": 1 to %d characters", name,
		    IFNAMSIZ - 1);
	e = rtnl_open(&nl, m);
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
on_lladdr(const struct nlattr *attr, void *arg)
{
	const uint8_t **mac = arg;

	if (mnl_attr_get_type(attr) == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == 6)
		*mac = mnl_attr_get_payload(attr);
	return MNL_CB_OK;
}

static int
on_host_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const uint8_t *mac = NULL;

	if (ifi->ifi_type == ARPHRD_ETHER && mnl_attr_parse(nlh, sizeof(*ifi), on_lladdr,
	    &mac) >= 0 && mac != NULL)
		mac_add(arg, mac, (unsigned)ifi->ifi_index);
	return MNL_CB_OK;
}

struct host_entry {
	const uint8_t *mac;
	bool of_bridge;
};

static int
on_entry(const struct nlattr *attr, void *arg)
{
	struct host_entry *h = arg;

	if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
		h->mac = mnl_attr_get_payload(attr);
	if (mnl_attr_get_type(attr) == NDA_MASTER)
		h->of_bridge = true;
	return MNL_CB_OK;
}

/* Local entries of bridges: their own MAC, their ports', and what an operator has added. */
static int
on_host_fdb(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct host_entry h = { .mac = NULL };

	if ((nd->ndm_state & NUD_PERMANENT) != 0 && mnl_attr_parse(nlh, sizeof(*nd), on_entry,
	    &h) >= 0 && h.mac != NULL && h.of_bridge)
		mac_add(arg, h.mac, (unsigned)nd->ndm_ifindex);
	return MNL_CB_OK;
}

static int
macs_dump(struct mnl_socket *nl, uint16_t type, unsigned char family, mnl_cb_t cb, struct macs *to)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;     /* for entries, too: the kernel has always taken it */

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = type;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = family;
	return rtnl_ask(nl, nlh, cb, to);
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
	if (errno != 0)
		e = err_sys(m, "the MAC addresses of this host's interfaces");
	mnl_socket_close(nl);
	if (e != ERR_OK) {
		free(all.list);
		return e;
	}
	*list = all.list;
	*n = all.n;
	return ERR_OK;
}
