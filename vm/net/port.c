/* port: joining a bridge, the static forwarding entry, and no flooding. */
#include "vm/net/port.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vm/net/fdb.h"

/* ---- any port ---- */

enum err
port_open(struct port *p, const char *name, struct errmsg *m)
{
	enum err e;

	*p = (struct port){ .name = name, .ifindex = if_nametoindex(name), .sock = -1 };
	if (p->ifindex == 0)
		return err_sys(m, "%s", name);
	e = rtnl_open(&p->nl, m);
	if (e != ERR_OK)
		return e;
	p->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->sock >= 0)
		return ERR_OK;
	e = err_sys(m, "socket");
	mnl_socket_close(p->nl);
	return e;
}

void
port_close(const struct port *p)
{
	close(p->sock);
	mnl_socket_close(p->nl);
}

int
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

static void
request(struct ifreq *ifr, const char *name)
{
	memset(ifr, 0, sizeof(*ifr));
	snprintf(ifr->ifr_name, IFNAMSIZ, "%s", name);
}

static enum err
bridge_add(const struct port *p, const struct rtnl_link *bridge, struct errmsg *m)
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
		(void)ioctl(p->sock, SIOCSIFMTU, &ifr);
	}
	if (self.master == bridge->ifindex)
		return ERR_OK;
	if (self.master != 0 && rtnl_link_get(p->nl, NULL, self.master, &other) == 0) {
		request(&ifr, other.name);
		ifr.ifr_ifindex = (int)p->ifindex;
		(void)ioctl(p->sock, SIOCBRDELIF, &ifr);  /* adding says what is in the way */
	}
	request(&ifr, bridge->name);
	ifr.ifr_ifindex = (int)p->ifindex;
	if (ioctl(p->sock, SIOCBRADDIF, &ifr) == 0)
		return ERR_OK;
	if (errno == EXFULL)
		return err_set(m, ERR_LIMIT, "bridge \"%s\" is full: a Linux bridge has 1,023 "
		    "ports", bridge->name);
	return err_sys(m, "bridge \"%s\": cannot add port %s", bridge->name, p->name);
}

enum err
port_enslave(struct port *p, const char *bridge, struct rtnl_link *on, struct errmsg *m)
{
	enum err e = rtnl_bridge_get(p->nl, bridge, "bridge", on, m);

	p->bridge = on->ifindex;
	return e == ERR_OK ? bridge_add(p, on, m) : e;
}

/*
 * A spanning tree protocol in user space decides on a new port in its own time; ours, ends of the
 * network, may forward at once.  (The kernel's own lets nobody decide: see stp_wait_ms.)
 */
enum err
port_up(const struct port *p, const struct rtnl_link *on, struct errmsg *m)
{
	struct ifreq ifr;

	request(&ifr, p->name);
	if (ioctl(p->sock, SIOCGIFFLAGS, &ifr) != 0)
		return err_sys(m, "%s", p->name);
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(p->sock, SIOCSIFFLAGS, &ifr) != 0)
		return err_sys(m, "%s: up", p->name);
	if (on->stp == RTNL_STP_USER)
		/* else it waits until the protocol says so */
		(void)port_set(p, IFLA_BRPORT_STATE, BR_STATE_FORWARDING);
	return ERR_OK;
}

/* ---- a VM's ---- */

/*
 * May this port have the MAC that the entry is about?  What was learned, which anybody's frame
 * makes, may be replaced, and what we parked; nothing else that was set, the host's own least of
 * all: that cuts it off.
 */
static bool
may_have(const struct port *p, const struct parks *parks, const struct fdb_entry *f)
{
	if ((f->state & NUD_PERMANENT) != 0)
		return false;
	return (f->state & NUD_NOARP) == 0 || f->ifindex == p->ifindex ||
	    parks_has(parks, f->ifindex);
}

/* ERR_EXISTS: it may not. */
static enum err
mac_check(const struct port *p, const struct parks *parks, const uint8_t mac[6], struct errmsg *m)
{
	struct fdb_entry f = { 0 };

	errno = fdb_get(p->nl, p->bridge, mac, &f);
	if (errno == ENOENT)
		return ERR_OK;
	if (errno != 0)
		return err_sys(m, "%s: forwarding entry for its MAC", p->name);
	return may_have(p, parks, &f) ? ERR_OK : fdb_taken(p->bridge, mac, p->name, &f, m);
}

/* Where frames to the guest go is known before it has spoken.  `parks` is held. */
static enum err
mac_bind(const struct port *p, const struct parks *parks, const uint8_t mac[6], struct errmsg *m)
{
	enum err e = ERR_OK;

	errno = fdb_ask(p->nl, FDB_ADD, p->ifindex, mac);
	if (errno == EEXIST) {
		e = mac_check(p, parks, mac, m);
		errno = e == ERR_OK ? fdb_ask(p->nl, FDB_REPLACE, p->ifindex, mac) : 0;
	}
	return errno == 0 ? e : err_sys(m, "%s: forwarding entry for its MAC", p->name);
}

static enum err
mac_take(const struct port *p, struct parks *parks, const uint8_t mac[6], struct errmsg *m)
{
	enum err e;

	parks_hold(parks, mac);
	e = mac_bind(p, parks, mac, m);
	parks_release(parks);
	return e;
}

/* Unless it is where it may be: with us, or parked, or soon to be. */
static enum err
mac_settle(const struct port *p, struct parks *parks, const uint8_t mac[6], struct errmsg *m)
{
	bool waits = parks_wait(parks, mac);
	struct fdb_entry f = { 0 };
	enum err e = ERR_OK;

	if (!waits && (fdb_get(p->nl, p->bridge, mac, &f) != 0 || (f.state & NUD_NOARP) == 0 ||
	    (f.ifindex != p->ifindex && !parks_has(parks, f.ifindex))))
		e = mac_bind(p, parks, mac, m);
	parks_release(parks);
	return e;
}

/* Keeps away what is for others. */
static enum err
flood_off(const struct port *p, struct errmsg *m)
{
	errno = port_set(p, IFLA_BRPORT_UNICAST_FLOOD, 0);
	return errno == 0 ? ERR_OK : err_sys(m, "%s: what is for others must not be sent to it",
	    p->name);
}

/* The MAC is looked at before the port is up: a guest with one of the host's sends no frame. */
static enum err
add(struct port *p, const struct parks *parks, const char *bridge, const uint8_t mac[6],
    struct errmsg *m)
{
	struct rtnl_link on = { .ifindex = 0 };
	enum err e = port_enslave(p, bridge, &on, m);

	if (e == ERR_OK)
		e = mac_check(p, parks, mac, m);
	if (e == ERR_OK)
		e = flood_off(p, m);
	return e == ERR_OK ? port_up(p, &on, m) : e;
}

enum err
port_add(struct parks *parks, const char *name, const char *bridge, const uint8_t mac[6],
    struct errmsg *m)
{
	struct port p;
	enum err e = port_open(&p, name, m);

	if (e != ERR_OK)
		return e;
	e = add(&p, parks, bridge, mac, m);
	port_close(&p);
	return e;
}

/* On which bridge it is. */
static enum err
find_bridge(struct port *p, struct errmsg *m)
{
	struct rtnl_link self, bridge;

	if (rtnl_link_get(p->nl, NULL, p->ifindex, &self) != 0 || self.master == 0 ||
	    rtnl_link_get(p->nl, NULL, self.master, &bridge) != 0 || !bridge.is_bridge)
		return err_set(m, ERR_MISSING, "%s is no port of a bridge", p->name);
	p->bridge = self.master;
	return ERR_OK;
}

/* Opens it, does `what` about its MAC, closes it. */
static enum err
with_bridge(struct parks *parks, const char *name, const uint8_t mac[6],
    enum err (*what)(const struct port *p, struct parks *parks, const uint8_t mac[6],
    struct errmsg *m), struct errmsg *m)
{
	struct port p;
	enum err e = port_open(&p, name, m);

	if (e != ERR_OK)
		return e;
	e = find_bridge(&p, m);
	if (e == ERR_OK)
		e = what(&p, parks, mac, m);
	port_close(&p);
	return e;
}

enum err
port_take(struct parks *parks, const char *name, const uint8_t mac[6], struct errmsg *m)
{
	return with_bridge(parks, name, mac, mac_take, m);
}

enum err
port_settle(struct parks *parks, const char *name, const uint8_t mac[6], struct errmsg *m)
{
	return with_bridge(parks, name, mac, mac_settle, m);
}

enum err
port_join(struct parks *parks, const char *name, const char *bridge, const uint8_t mac[6],
    struct errmsg *m)
{
	struct port p;
	enum err e = port_open(&p, name, m);

	if (e != ERR_OK)
		return e;
	e = add(&p, parks, bridge, mac, m);
	if (e == ERR_OK)
		e = mac_take(&p, parks, mac, m);
	port_close(&p);
	return e;
}

static enum err
mac_take_late(const struct port *p, struct parks *parks, const uint8_t mac[6], struct errmsg *m)
{
	struct rtnl_link self;

	errno = rtnl_link_get(p->nl, NULL, p->ifindex, &self);
	if (errno != 0)
		return err_sys(m, "%s", p->name);
	return self.carrier ? mac_take(p, parks, mac, m) :
	    err_set(m, ERR_STATE, "%s has no carrier", p->name);
}

enum err
port_take_late(struct parks *parks, const char *name, const uint8_t mac[6], struct errmsg *m)
{
	return with_bridge(parks, name, mac, mac_take_late, m);
}

static enum err
mac_guard_late(const struct port *p, struct parks *parks, const uint8_t mac[6], struct errmsg *m)
{
	enum err e = mac_check(p, parks, mac, m);

	return e == ERR_OK ? flood_off(p, m) : e;
}

static enum err
mac_guard(const struct port *p, struct parks *parks, const uint8_t mac[6], struct errmsg *m)
{
	enum err e = mac_take(p, parks, mac, m);

	return e == ERR_OK ? flood_off(p, m) : e;
}

enum err
port_guard(struct parks *parks, const char *name, const uint8_t mac[6], bool late,
    struct errmsg *m)
{
	return with_bridge(parks, name, mac, late ? mac_guard_late : mac_guard, m);
}
