/* links: the kernel's word that an interface came, went, changed or left its bridge (rtnetlink). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "vm/net/port.h"
#include "vm/net/rtnl.h"

#define GROUPS (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)

struct vm_links {
	struct mnl_socket *nl;
	struct event *ev;
	vm_link_cb cb;
	void *arg;
};

static int
on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct vm_links *l = arg;
	struct vm_link link = { .kind = VM_LINK_IS };
	struct rtnl_link said;

	if (nlh->nlmsg_type == RTM_NEWADDR || nlh->nlmsg_type == RTM_DELADDR)
		l->cb(&(struct vm_link){ .kind = VM_LINK_ADDR, .ifindex = ifa->ifa_index }, l->arg);
	if (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK)
		return MNL_CB_OK;
	rtnl_link_parse(nlh, &said);
	/* A bridge says of a port that left what is said of an interface that went. */
	if (nlh->nlmsg_type == RTM_DELLINK)
		link.kind = ifi->ifi_family == AF_BRIDGE ? VM_LINK_LEFT : VM_LINK_GONE;
	else if (ifi->ifi_family != AF_UNSPEC)
		return MNL_CB_OK;
	link.ifindex = said.ifindex;
	link.up = said.up;
	memcpy(link.name, said.name, sizeof(link.name));
	memcpy(link.mac, said.mac, sizeof(link.mac));
	l->cb(&link, l->arg);
	return MNL_CB_OK;
}

static void
on_readable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	char buf[RTNL_BYTES] __attribute__((aligned(8)));
	struct vm_links *l = arg;
	ssize_t n;

	for (;;) {
		n = mnl_socket_recvfrom(l->nl, buf, sizeof(buf));
		/* A damaged message is skipped; too many, or too long ones, are a loss. */
		if (n > 0)
			(void)mnl_cb_run(buf, (size_t)n, 0, 0, on_link, l);
		else if (n < 0 && (errno == ENOBUFS || errno == ENOSPC))
			l->cb(&(struct vm_link){ .kind = VM_LINK_LOST }, l->arg);
		else
			break;
	}
}

enum err
vm_links_new(struct event_base *base, vm_link_cb cb, void *arg, struct vm_links **out,
    struct errmsg *m)
{
	struct vm_links *l = mem_zero(1, sizeof(*l));

	*out = NULL;
	l->cb = cb;
	l->arg = arg;
	l->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (l->nl == NULL || mnl_socket_bind(l->nl, GROUPS, MNL_SOCKET_AUTOPID) != 0) {
		enum err e = err_sys(m, "netlink");

		vm_links_free(l);
		return e;
	}
	l->ev = mem_must(event_new(base, mnl_socket_get_fd(l->nl), EV_READ | EV_PERSIST,
	    on_readable, l));
	if (event_add(l->ev, NULL) != 0)
		fatal("netlink: no event");
	*out = l;
	return ERR_OK;
}

void
vm_links_free(struct vm_links *l)
{
	if (l == NULL)
		return;
	if (l->ev != NULL)
		event_free(l->ev);
	if (l->nl != NULL)
		mnl_socket_close(l->nl);
	free(l);
}

/* Its bridge is not there by that name: is it on one that is? */
static enum vm_port_state
port_stray(struct mnl_socket *nl, const struct rtnl_link *port, const char *bridge,
    struct errmsg *m)
{
	struct rtnl_link on;

	if (port->master == 0 || !port->up || rtnl_link_get(nl, NULL, port->master, &on) != 0 ||
	    !on.is_bridge || !on.up) {
		(void)err_set(m, ERR_MISSING, "bridge \"%s\" does not exist", bridge);
		return VM_PORT_LOST;
	}
	(void)err_set(m, ERR_MISSING, "bridge \"%s\" does not exist, and it is on \"%s\"", bridge,
	    on.name);
	return VM_PORT_ELSEWHERE;
}

enum vm_port_state
port_keep(struct parks *parks, const char *name, const char *bridge, const uint8_t mac[6],
    struct errmsg *m)
{
	enum vm_port_state state = VM_PORT_LOST;
	struct rtnl_link port, br = { .ifindex = 0 };
	struct mnl_socket *nl;
	int error;
	bool there;

	if (rtnl_open(&nl, m) != ERR_OK)
		return VM_PORT_LOST;
	error = rtnl_link_get(nl, name, 0, &port);
	there = error != ENODEV;
	if (error == 0)
		error = rtnl_link_get(nl, bridge, 0, &br);
	if (!there)
		state = VM_PORT_GONE;
	else if (error == ENODEV)
		state = port_stray(nl, &port, bridge, m);
	else if (error != 0)
		(void)err_set(m, ERR_IO, "%s: %s", name, strerror(error));
	else if (br.is_bridge &&
	    vm_bridge_up(bridge, &(struct vm_bridge){ .up = br.up }, m) != ERR_OK)
		state = VM_PORT_LOST;   /* it is put there when the bridge is up */
	else if (port.master == br.ifindex && port.up) {
		/* Where its MAC is was said when the port was made. */
		(void)port_settle(parks, name, mac, NULL);
		state = VM_PORT_THERE;
	} else if (port_add(parks, name, bridge, mac, m) == ERR_OK &&
	    port_settle(parks, name, mac, m) == ERR_OK)
		state = VM_PORT_BACK;
	mnl_socket_close(nl);
	return state;
}
