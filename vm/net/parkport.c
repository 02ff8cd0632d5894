/*
 * parkport: making the tap, and keeping it what it is to be.
 *
 * It learns nothing: a frame that the sentinel sends as a guest, from its MAC, moves no entry.  It
 * gets no unicast but what is for parked MACs.  It counts as a multicast router's port, since a
 * bridge that snoops keeps neighbour solicitations from ports that have not joined their groups.
 */
#include "vm/net/parkport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vm/net/port.h"

/* Frames of this host's clients come as they are: large, and without their checksums. */
#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

/* IFLA_BRPORT_MULTICAST_ROUTER (net/bridge/br_private.h): always. */
#define ROUTER_PERMANENT 2
/* IFLA_INET6_ADDR_GEN_MODE: the host has no address of its own there, and asks for no router. */
#define ADDR_GEN_NONE 1

/* ---- making ---- */

/* The kernel chooses the number behind the prefix. */
static enum err
tap_new(const struct parks *parks, struct vm_park_port *port, struct errmsg *m)
{
	struct ifreq ifr = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR) };

	port->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (port->fd < 0)
		return err_sys(m, "/dev/net/tun (modprobe tun, and root or CAP_NET_ADMIN)");
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s%%d", parks_prefix(parks));
	if (ioctl(port->fd, TUNSETIFF, &ifr) != 0)
		return err_sys(m, "tap %s", ifr.ifr_name);
	snprintf(port->name, IFNAMSIZ, "%s", ifr.ifr_name);
	port->ifindex = if_nametoindex(port->name);
	if (ioctl(port->fd, TUNSETOFFLOAD, OFFLOADS) != 0)
		return err_sys(m, "tap %s: offloads", port->name);
	return vm_port_filter(port->fd, m);
}

/* The highest there is: a bridge takes the least of its ports' for its own. */
static enum err
set_mac(const struct port *p, struct errmsg *m)
{
	struct ifreq ifr = { .ifr_flags = 0 };

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", p->name);
	if (ioctl(p->sock, SIOCGIFHWADDR, &ifr) != 0)
		return err_sys(m, "%s: its MAC address", p->name);
	ifr.ifr_hwaddr.sa_data[0] = (char)0xfe;
	return ioctl(p->sock, SIOCSIFHWADDR, &ifr) == 0 ? ERR_OK :
	    err_sys(m, "%s: its MAC address", p->name);
}

/*
 * Frames of a busy bridge, a fifth of a second of them, for a sentinel that waits for a processor
 * or is replaced.  With a shorter queue more of them are lost, and clients send again.
 */
static void
set_queue(const struct port *p)
{
	struct ifreq ifr = { .ifr_qlen = LIMIT_PORT_QUEUE };

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", p->name);
	(void)ioctl(p->sock, SIOCSIFTXQLEN, &ifr);
}

/* At worst the sentinel reads some frames of the host's own. */
static void
no_addresses(const struct port *p)
{
	union rtnl_request r;
	struct ifinfomsg *ifi = rtnl_begin(&r, RTM_SETLINK, NLM_F_ACK, sizeof(*ifi));
	struct nlattr *spec = mnl_attr_nest_start(&r.nlh, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(&r.nlh, AF_INET6);

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)p->ifindex;
	mnl_attr_put_u8(&r.nlh, IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_NONE);
	mnl_attr_nest_end(&r.nlh, inet6);
	mnl_attr_nest_end(&r.nlh, spec);
	(void)rtnl_ask(p->nl, &r, NULL, NULL);
}

static enum err
join(struct port *p, const char *bridge, struct errmsg *m)
{
	static const struct {
		uint16_t what;
		uint8_t value;
	} settings[] = {
		{ IFLA_BRPORT_LEARNING, 0 },
		{ IFLA_BRPORT_UNICAST_FLOOD, 0 },
		{ IFLA_BRPORT_ISOLATED, 0 },
	};
	struct rtnl_link on = { .ifindex = 0 };
	enum err e = port_enslave(p, bridge, &on, m);

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && e == ERR_OK; i++) {
		errno = port_set(p, settings[i].what, settings[i].value);
		if (errno != 0)
			e = err_sys(m, "%s: setting %u of a bridge's port", p->name,
			    (unsigned)settings[i].what);
	}
	/* A kernel without snooping knows no such port. */
	(void)port_set(p, IFLA_BRPORT_MULTICAST_ROUTER, ROUTER_PERMANENT);
	return e == ERR_OK ? port_up(p, &on, m) : e;
}

static enum err
make(const struct parks *parks, const char *bridge, struct vm_park_port *port, struct errmsg *m)
{
	struct port p;
	enum err e = tap_new(parks, port, m);
	bool opened = e == ERR_OK && (e = port_open(&p, port->name, m)) == ERR_OK;

	if (e == ERR_OK)
		e = set_mac(&p, m);
	if (e == ERR_OK) {
		no_addresses(&p);
		set_queue(&p);
		e = join(&p, bridge, m);
	}
	if (opened)
		port_close(&p);
	if (e != ERR_OK && port->fd >= 0)
		close(port->fd);
	if (e != ERR_OK)
		*port = (struct vm_park_port){ .fd = -1 };
	return e;
}

/* ---- keeping ---- */

static enum err
join_again(const struct vm_park_port *port, const char *bridge, struct errmsg *m)
{
	struct port p;
	enum err e = port_open(&p, port->name, m);

	if (e != ERR_OK)
		return e;
	e = join(&p, bridge, m);
	port_close(&p);
	return e;
}

/* False: somebody has deleted it, or given it a name by which nobody knows that it is ours. */
static bool
is_there(struct mnl_socket *nl, const struct vm_park_port *port, struct rtnl_link *l)
{
	return port->fd >= 0 && rtnl_link_get(nl, NULL, port->ifindex, l) == 0 &&
	    strcmp(l->name, port->name) == 0;
}

enum vm_park_state
parkport_keep(const struct parks *parks, const char *bridge, struct vm_park_port *port,
    struct errmsg *m)
{
	enum vm_park_state state = VM_PARK_LOST;
	struct rtnl_link self, br;
	struct mnl_socket *nl;

	if (rtnl_open(&nl, m) != ERR_OK)
		return VM_PARK_LOST;
	if (!is_there(nl, port, &self)) {
		if (port->fd >= 0)
			close(port->fd);
		*port = (struct vm_park_port){ .fd = -1 };
	}
	if (rtnl_bridge_get(nl, bridge, "bridge", &br, m) != ERR_OK)
		state = VM_PARK_LOST;
	else if (port->fd < 0)
		state = make(parks, bridge, port, m) == ERR_OK ? VM_PARK_MADE : VM_PARK_LOST;
	else if (self.master == br.ifindex && self.up && self.mtu == br.mtu)
		state = VM_PARK_THERE;
	else if (join_again(port, bridge, m) == ERR_OK)
		state = self.master == br.ifindex ? VM_PARK_THERE : VM_PARK_AGAIN;
	mnl_socket_close(nl);
	return state;
}
