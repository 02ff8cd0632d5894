/* port: joining a bridge, the static forwarding entry, and no flooding. */
#include "vm/net/port.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/addr.h"
#include "vm/net/rtnl.h"

/* An interface, and its bridge, now or soon. */
struct port {
	const char *name;
	unsigned ifindex, bridge;
	const uint8_t *mac;
	struct mnl_socket *nl;
};

/* ---- forwarding entries ---- */

struct fdb_entry {
	uint16_t state;            /* NUD_* */
	unsigned ifindex;          /* behind which port; the bridge itself */
};

static int
on_fdb(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct fdb_entry *f = arg;

	f->state = nd->ndm_state;
	f->ifindex = (unsigned)nd->ndm_ifindex;
	return MNL_CB_OK;
}

/* What the bridge knows of the MAC; 0, ENOENT or another errno. */
static int
fdb_get(const struct port *p, struct fdb_entry *f)
{
	union rtnl_request r;
	struct ndmsg *nd = rtnl_begin(&r, RTM_GETNEIGH, 0, sizeof(*nd));

	nd->ndm_family = AF_BRIDGE;
	mnl_attr_put(&r.nlh, NDA_LLADDR, 6, p->mac);
	mnl_attr_put_u32(&r.nlh, NDA_MASTER, p->bridge);
	return rtnl_ask(p->nl, &r, on_fdb, f);
}

/* Adds a static entry, the MAC behind this port.  EEXIST: another is there, not to `replace`. */
static int
fdb_put(const struct port *p, bool replace)
{
	union rtnl_request r;
	struct ndmsg *nd = rtnl_begin(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK |
	    (replace ? NLM_F_REPLACE : NLM_F_EXCL), sizeof(*nd));

	nd->ndm_family = AF_BRIDGE;
	nd->ndm_state = NUD_NOARP;
	nd->ndm_flags = NTF_MASTER;
	nd->ndm_ifindex = (int)p->ifindex;
	mnl_attr_put(&r.nlh, NDA_LLADDR, 6, p->mac);
	return rtnl_ask(p->nl, &r, NULL, NULL);
}

static enum err
fdb_taken(const struct port *p, const struct fdb_entry *f, struct errmsg *m)
{
	char by[IFNAMSIZ] = "", bridge[IFNAMSIZ] = "";

	(void)if_indextoname(f->ifindex, by);          /* what has just gone has no name */
	(void)if_indextoname(p->bridge, bridge);
	return err_set(m, ERR_EXISTS, "the MAC address %s of %s is %s %s already (bridge %s); use "
	    "another mac=", ADDR_MAC_STR(p->mac), p->name,
	    (f->state & NUD_PERMANENT) != 0 ? "the host's own, on" :
	    "bound by somebody to the port", by, bridge);
}

/*
 * Where frames to the guest go is known before it has spoken.  Replaces a learned entry, which
 * anybody's frame makes, but none that was set, the host's own least of all: that cuts it off.
 */
static enum err
fdb_bind(const struct port *p, struct errmsg *m)
{
	struct fdb_entry f = { 0 };
	int error = fdb_put(p, false);

	if (error == EEXIST) {
		error = fdb_get(p, &f);
		if (error == 0 && ((f.state & NUD_PERMANENT) != 0 || ((f.state & NUD_NOARP) != 0 &&
		    f.ifindex != p->ifindex)))
			return fdb_taken(p, &f, m);
		if (error == 0 || error == ENOENT)
			error = fdb_put(p, true);
	}
	errno = error;
	return error == 0 ? ERR_OK : err_sys(m, "%s: forwarding entry for its MAC", p->name);
}

/* ---- the port's own settings ---- */

/* One setting of the port; 0 or an errno. */
static int
port_set(const struct port *p, uint16_t what, uint8_t value)
{
	union rtnl_request r;
	struct ifinfomsg *ifi = rtnl_begin(&r, RTM_SETLINK, NLM_F_ACK, sizeof(*ifi));
	struct nlattr *nest = mnl_attr_nest_start(&r.nlh, IFLA_PROTINFO);

	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = (int)p->ifindex;
	mnl_attr_put_u8(&r.nlh, what, value);
	mnl_attr_nest_end(&r.nlh, nest);
	return rtnl_ask(p->nl, &r, NULL, NULL);
}

/* Binds the MAC, and keeps away what is for others. */
static enum err
port_bind(const struct port *p, struct errmsg *m)
{
	enum err e = fdb_bind(p, m);

	if (e != ERR_OK)
		return e;
	errno = port_set(p, IFLA_BRPORT_UNICAST_FLOOD, 0);
	return errno == 0 ? ERR_OK : err_sys(m, "%s: what is for others must not be sent to it",
	    p->name);
}

/* ---- joining ---- */

static void
request(struct ifreq *ifr, const char *name)
{
	memset(ifr, 0, sizeof(*ifr));
	snprintf(ifr->ifr_name, IFNAMSIZ, "%s", name);
}

/* From another bridge to this one, if need be. */
static enum err
bridge_add(int sock, const struct port *p, const struct rtnl_link *bridge, struct errmsg *m)
{
	struct rtnl_link self, other;
	struct ifreq ifr;

	errno = rtnl_link_get(p->nl, NULL, p->ifindex, &self);
	if (errno != 0)
		return err_sys(m, "%s", p->name);
	if (self.mtu != bridge->mtu) {
		request(&ifr, p->name);
		ifr.ifr_mtu = (int)bridge->mtu;
		/* then the bridge goes down to what the interface can */
		(void)ioctl(sock, SIOCSIFMTU, &ifr);
	}
	if (self.master == bridge->ifindex)
		return ERR_OK;
	if (self.master != 0 && rtnl_link_get(p->nl, NULL, self.master, &other) == 0) {
		request(&ifr, other.name);
		ifr.ifr_ifindex = (int)p->ifindex;
		(void)ioctl(sock, SIOCBRDELIF, &ifr);    /* adding says what is in the way */
	}
	request(&ifr, bridge->name);
	ifr.ifr_ifindex = (int)p->ifindex;
	if (ioctl(sock, SIOCBRADDIF, &ifr) == 0)
		return ERR_OK;
	if (errno == EXFULL)
		return err_set(m, ERR_LIMIT, "bridge \"%s\" is full: a Linux bridge has 1,023 "
		    "ports", bridge->name);
	return err_sys(m, "bridge \"%s\": cannot add port %s", bridge->name, p->name);
}

static enum err
port_up(int sock, const struct port *p, struct errmsg *m)
{
	struct ifreq ifr;

	request(&ifr, p->name);
	if (ioctl(sock, SIOCGIFFLAGS, &ifr) != 0)
		return err_sys(m, "%s", p->name);
	ifr.ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, &ifr) == 0 ? ERR_OK : err_sys(m, "%s: up", p->name);
}

/*
 * Binds before the port is up, so that a guest with one of the host's MACs never sends a frame.
 *
 * A spanning tree protocol in user space decides on a new port in its own time; a VM's port, an end
 * of the network, may forward at once.  (The kernel's own lets nobody decide: see stp_wait_ms.)
 */
static enum err
join(int sock, struct port *p, const char *name, struct errmsg *m)
{
	struct rtnl_link bridge = { .ifindex = 0 };
	enum err e = rtnl_bridge_get(p->nl, name, "bridge", &bridge, m);

	p->bridge = bridge.ifindex;
	if (e == ERR_OK)
		e = bridge_add(sock, p, &bridge, m);
	if (e == ERR_OK)
		e = port_bind(p, m);
	if (e == ERR_OK)
		e = port_up(sock, p, m);
	if (e == ERR_OK && bridge.stp == RTNL_STP_USER)
		/* else it waits until the protocol says so */
		(void)port_set(p, IFLA_BRPORT_STATE, BR_STATE_FORWARDING);
	return e;
}

static enum err
port_init(struct port *p, const char *name, const uint8_t mac[6], struct errmsg *m)
{
	*p = (struct port){ .name = name, .mac = mac, .ifindex = if_nametoindex(name) };
	if (p->ifindex == 0)
		return err_sys(m, "%s", name);
	return rtnl_open(&p->nl, m);
}

enum err
port_join(const char *name, const char *bridge, const uint8_t mac[6], struct errmsg *m)
{
	struct port p;
	int sock;
	enum err e = port_init(&p, name, mac, m);

	if (e != ERR_OK)
		return e;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0) {
		e = err_sys(m, "socket");
	} else {
		e = join(sock, &p, bridge, m);
		close(sock);
	}
	mnl_socket_close(p.nl);
	return e;
}

enum err
port_guard(const char *name, const uint8_t mac[6], struct errmsg *m)
{
	struct rtnl_link self, bridge;
	struct port p;
	enum err e = port_init(&p, name, mac, m);

	if (e != ERR_OK)
		return e;
	if (rtnl_link_get(p.nl, name, 0, &self) != 0 || self.master == 0 ||
	    rtnl_link_get(p.nl, NULL, self.master, &bridge) != 0 || !bridge.is_bridge)
		e = err_set(m, ERR_MISSING, "%s is no port of a bridge", name);
	p.bridge = self.master;
	if (e == ERR_OK)
		e = port_bind(&p, m);
	mnl_socket_close(p.nl);
	return e;
}
