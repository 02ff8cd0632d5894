/* tap: creation by ioctl, enslaving, and the static forwarding entry by netlink. */
#include "vm/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void
tap_name(const struct vm_uuid *uuid, unsigned nic, char name[IFNAMSIZ])
{
	const uint8_t *b = uuid->bytes;

	snprintf(name, IFNAMSIZ, "jt%02x%02x%02x%02x.%u", b[0], b[1], b[2], b[3], nic % 100);
}

static enum err
tap_open(const char *name, int *fd, struct errmsg *m)
{
	struct ifreq ifr;
	enum err e;

	*fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(m, "/dev/net/tun (taps need it: modprobe tun, and root or CAP_NET_ADMIN)");
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
	if (ioctl(*fd, TUNSETIFF, &ifr) == 0)
		return ERR_OK;
	e = errno == EBUSY ? err_set(m, ERR_EXISTS, "tap %s exists already", name) : err_sys(m, "tap %s", name);
	close(*fd);
	*fd = -1;
	return e;
}

/* A static entry in the bridge's forwarding table: this MAC is behind this port. */
static enum err
fdb_add(const char *name, unsigned ifindex, const uint8_t mac[6], struct errmsg *m)
{
	char buf[2048] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct mnl_socket *nl;
	struct ndmsg *nd;
	ssize_t n;
	enum err e = ERR_OK;

	nlh->nlmsg_type = RTM_NEWNEIGH;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));
	nd->ndm_family = AF_BRIDGE;
	nd->ndm_state = NUD_NOARP;
	nd->ndm_flags = NTF_MASTER;
	nd->ndm_ifindex = (int)ifindex;
	mnl_attr_put(nlh, NDA_LLADDR, 6, mac);

	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (nl == NULL)
		return err_sys(m, "netlink");
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		e = err_sys(m, "%s: forwarding entry", name);
	else if ((n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) < 0 ||
	    mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		e = err_sys(m, "%s: forwarding entry for its MAC", name);
	mnl_socket_close(nl);
	return e;
}

static enum err
enslave_error(const char *bridge, const char *name, struct errmsg *m)
{
	switch (errno) {
	case ENODEV:
		return err_set(m, ERR_MISSING, "bridge \"%s\" does not exist: make it (ip link add %s type bridge) or correct `bridge` of the network",
		    bridge, bridge);
	case EOPNOTSUPP:
		return err_set(m, ERR_UNSUPPORTED, "interface \"%s\" is not a bridge", bridge);
	case EXFULL:
		return err_set(m, ERR_LIMIT, "bridge \"%s\" is full: a Linux bridge has 1,023 ports", bridge);
	default:
		return err_sys(m, "bridge \"%s\": cannot add port %s", bridge, name);
	}
}

static enum err
tap_attach(int sock, const char *name, const char *bridge, const uint8_t mac[6], struct errmsg *m)
{
	unsigned ifindex = if_nametoindex(name);
	struct ifreq ifr;

	if (ifindex == 0)
		return err_sys(m, "tap %s", name);
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", bridge);
	ifr.ifr_ifindex = (int)ifindex;
	if (ioctl(sock, SIOCBRADDIF, &ifr) != 0)
		return enslave_error(bridge, name, m);
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	ifr.ifr_flags = IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr) != 0)
		return err_sys(m, "tap %s: up", name);
	return fdb_add(name, ifindex, mac, m);
}

enum err
tap_make(const char *name, const char *bridge, const uint8_t mac[6], int *fd, struct errmsg *m)
{
	int sock = -1;
	enum err e;

	*fd = -1;
	if (bridge[0] == '\0' || strlen(bridge) >= IFNAMSIZ)
		return err_set(m, ERR_RANGE, "bridge name \"%s\": 1 to %d characters", bridge, IFNAMSIZ - 1);
	e = tap_open(name, fd, m);
	if (e != ERR_OK)
		return e;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		e = err_sys(m, "socket");
	else
		e = tap_attach(sock, name, bridge, mac, m);
	if (sock >= 0)
		close(sock);
	if (e != ERR_OK) {
		close(*fd);
		*fd = -1;
	}
	return e;
}
