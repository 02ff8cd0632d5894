/* bridge: what a bridge of the host is and has. */
#include "vm/vm.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
	struct vm_bridge *br;
	bool is_bridge;
};

static int
on_info(const struct nlattr *attr, void *arg)
{
	struct link *l = arg;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND && mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
		l->is_bridge = strcmp(mnl_attr_get_str(attr), "bridge") == 0;
	return MNL_CB_OK;
}

static int
on_attr(const struct nlattr *attr, void *arg)
{
	struct link *l = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(l->br->mac))
			memcpy(l->br->mac, mnl_attr_get_payload(attr), sizeof(l->br->mac));
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, on_info, arg);
	default:
		break;
	}
	return MNL_CB_OK;
}

static int
on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link *l = arg;

	l->br->ifindex = (unsigned)ifi->ifi_index;
	l->br->up = (ifi->ifi_flags & IFF_UP) != 0;
	return mnl_attr_parse(nlh, sizeof(*ifi), on_attr, arg);
}

/* One request and its answers; 0, or an errno. */
static int
ask(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	char buf[32768] __attribute__((aligned(8)));     /* a link with all its statistics takes some 2 KiB */
	bool dump = (nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	ssize_t n;
	int more;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return errno;
		more = mnl_cb_run(buf, (size_t)n, nlh->nlmsg_seq, mnl_socket_get_portid(nl), cb, arg);
		if (more < 0)
			return errno;
	} while (dump && more > MNL_CB_STOP);
	return 0;
}

static enum err
link_get(struct mnl_socket *nl, const char *name, struct link *l, struct errmsg *m)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = 1;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	errno = ask(nl, nlh, on_link, l);
	if (errno == ENODEV)
		return err_set(m, ERR_MISSING, "bridge \"%s\" does not exist: make it (ip link add %s type bridge) or correct `bridge` of the network",
		    name, name);
	if (errno != 0)
		return err_sys(m, "interface \"%s\"", name);
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

	if ((type != IFA_LOCAL && (type != IFA_ADDRESS || l->known)) || mnl_attr_get_payload_len(attr) != (l->to->family == 4 ? 4 : 16))
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

/* The kernel is asked for this link's alone: a host has an interface per VM, and this is on the way of every wake. */
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
	errno = ask(nl, nlh, on_addr, br);
	return errno == 0 ? ERR_OK : err_sys(m, "addresses of interface \"%s\"", name);
}

enum err
vm_bridge_get(const char *name, struct vm_bridge *br, struct errmsg *m)
{
	struct link l = { .br = br };
	struct mnl_socket *nl;
	enum err e;

	memset(br, 0, sizeof(*br));
	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
		return err_set(m, ERR_RANGE, "interface name \"%s\": 1 to %d characters", name, IFNAMSIZ - 1);
	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (nl == NULL)
		return err_sys(m, "netlink");
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		e = err_sys(m, "netlink");
	else
		e = link_get(nl, name, &l, m);
	if (e == ERR_OK && !l.is_bridge)
		e = err_set(m, ERR_UNSUPPORTED, "interface \"%s\" is not a bridge", name);
	if (e == ERR_OK)
		e = addrs_get(nl, name, br, m);
	mnl_socket_close(nl);
	return e;
}

enum err
vm_bridge_check(const char *name, struct errmsg *m)
{
	struct vm_bridge br;
	char path[64];

	if (name[0] != '\0' && strlen(name) < IFNAMSIZ) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", name);
		if (access(path, F_OK) == 0)
			return ERR_OK;
	}
	return vm_bridge_get(name, &br, m);
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
