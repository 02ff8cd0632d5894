/* bridge: what a bridge of the host is and has. */
#include "vm/vm.h"

#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
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

static enum err
link_get(const char *name, struct link *l, struct errmsg *m)
{
	char buf[32768] __attribute__((aligned(8)));     /* a link with all its statistics takes some 2 KiB */
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;
	struct mnl_socket *nl;
	ssize_t n;
	enum err e = ERR_OK;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = 1;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);

	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (nl == NULL)
		return err_sys(m, "netlink");
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ||
	    (n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) < 0)
		e = err_sys(m, "interface \"%s\"", name);
	else if (mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), on_link, l) < 0)
		e = errno == ENODEV ? err_set(m, ERR_MISSING, "bridge \"%s\" does not exist: make it (ip link add %s type bridge) or correct `bridge` of the network", name, name) :
		    err_sys(m, "interface \"%s\"", name);
	mnl_socket_close(nl);
	return e;
}

static uint8_t
mask_length(const uint8_t *mask, size_t len)
{
	uint8_t bits = 0;

	for (size_t i = 0; i < len; i++)
		bits = (uint8_t)(bits + __builtin_popcount(mask[i]));
	return bits;
}

static void
addr_add(struct vm_bridge *br, const struct ifaddrs *a)
{
	struct msg_addr *to = &br->addrs[br->naddrs];

	memset(to, 0, sizeof(*to));
	if (a->ifa_addr->sa_family == AF_INET) {
		to->family = 4;
		memcpy(to->bytes, &((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr, 4);
		to->prefixlen = mask_length((const void *)&((const struct sockaddr_in *)(const void *)a->ifa_netmask)->sin_addr, 4);
	} else {
		to->family = 6;
		memcpy(to->bytes, &((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr, 16);
		to->prefixlen = mask_length((const void *)&((const struct sockaddr_in6 *)(const void *)a->ifa_netmask)->sin6_addr, 16);
	}
	br->naddrs++;
}

enum err
vm_bridge_get(const char *name, struct vm_bridge *br, struct errmsg *m)
{
	struct link l = { .br = br };
	struct ifaddrs *list = NULL;
	enum err e;

	memset(br, 0, sizeof(*br));
	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
		return err_set(m, ERR_RANGE, "interface name \"%s\": 1 to %d characters", name, IFNAMSIZ - 1);
	e = link_get(name, &l, m);
	if (e != ERR_OK)
		return e;
	if (!l.is_bridge)
		return err_set(m, ERR_UNSUPPORTED, "interface \"%s\" is not a bridge", name);
	if (getifaddrs(&list) != 0)
		return err_sys(m, "getifaddrs");
	for (const struct ifaddrs *a = list; a != NULL && br->naddrs < LIMIT_NETWORK_RANGES; a = a->ifa_next)
		if (strcmp(a->ifa_name, name) == 0 && a->ifa_addr != NULL && a->ifa_netmask != NULL &&
		    (a->ifa_addr->sa_family == AF_INET || a->ifa_addr->sa_family == AF_INET6))
			addr_add(br, a);
	freeifaddrs(list);
	return ERR_OK;
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
