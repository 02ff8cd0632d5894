/* links: the kernel's word that an interface came, went, or left its bridge (rtnetlink(7)). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vm/port.h"
#include "vm/rtnl.h"

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
	struct vm_links *l = arg;
	struct vm_link link = { .kind = VM_LINK_IS };
	struct rtnl_link said;

	if (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK)
		return MNL_CB_OK;
	rtnl_link_parse(nlh, &said);
	/* A bridge says of a port that left what is said of an interface that went. */
	if (nlh->nlmsg_type == RTM_DELLINK)
		link.kind = ifi->ifi_family == AF_BRIDGE ? VM_LINK_LEFT : VM_LINK_GONE;
	else if (ifi->ifi_family != AF_UNSPEC)
		return MNL_CB_OK;
	link.ifindex = said.ifindex;
	memcpy(link.name, said.name, sizeof(link.name));
	l->cb(&link, l->arg);
	return MNL_CB_OK;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	char buf[RTNL_BYTES] __attribute__((aligned(8)));
	struct vm_links *l = arg;
	ssize_t n;

	(void)fd;
	(void)what;
	while ((n = mnl_socket_recvfrom(l->nl, buf, sizeof(buf))) > 0 || errno == ENOBUFS) {
		if (n > 0)
			(void)mnl_cb_run(buf, (size_t)n, 0, 0, on_link, l);   /* what is damaged is passed over */
		else
			l->cb(&(struct vm_link){ .kind = VM_LINK_LOST }, l->arg);
		errno = 0;
	}
}

enum err
vm_links_new(struct event_base *base, vm_link_cb cb, void *arg, struct vm_links **out,
    struct errmsg *m)
{
	struct vm_links *l = calloc(1, sizeof(*l));
	enum err e;

	*out = NULL;
	if (l == NULL)
		return err_set(m, ERR_NOMEM, "%s", err_str(ERR_NOMEM));
	l->cb = cb;
	l->arg = arg;
	l->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (l->nl == NULL || mnl_socket_bind(l->nl, RTMGRP_LINK, MNL_SOCKET_AUTOPID) != 0) {
		e = err_sys(m, "netlink");
		goto fail;
	}
	l->ev = event_new(base, mnl_socket_get_fd(l->nl), EV_READ | EV_PERSIST, on_readable, l);
	if (l->ev == NULL || event_add(l->ev, NULL) != 0) {
		e = err_set(m, ERR_NOMEM, "netlink: no event");
		goto fail;
	}
	*out = l;
	return ERR_OK;
fail:
	vm_links_free(l);
	return e;
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

enum vm_port_state
vm_port_keep(const char *name, const char *bridge, const uint8_t mac[6], struct errmsg *m)
{
	enum vm_port_state state = VM_PORT_LOST;
	struct rtnl_link port, br;
	struct mnl_socket *nl;
	int error;

	if (rtnl_open(&nl, m) != ERR_OK)
		return VM_PORT_LOST;
	error = rtnl_link_get(nl, name, 0, &port);
	if (error == ENODEV)
		state = VM_PORT_GONE;
	else if (error == 0 && rtnl_link_get(nl, bridge, 0, &br) == 0 && port.master == br.ifindex)
		state = VM_PORT_THERE;
	else if (port_join(name, bridge, mac, m) == ERR_OK)
		state = VM_PORT_BACK;
	mnl_socket_close(nl);
	return state;
}
