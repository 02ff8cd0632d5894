/* rtnl: requests and answers. */
#include "vm/net/rtnl.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum err
rtnl_open(struct mnl_socket **nl, struct errmsg *m)
{
	enum err e;

	*nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (*nl == NULL)
		return err_sys(m, "netlink");
	if (mnl_socket_bind(*nl, 0, MNL_SOCKET_AUTOPID) == 0)
		return ERR_OK;
	e = err_sys(m, "netlink");
	mnl_socket_close(*nl);
	*nl = NULL;
	return e;
}

void *
rtnl_begin(union rtnl_request *r, uint16_t type, unsigned flags, size_t size)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(r);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = type;
	return mnl_nlmsg_put_extra_header(nlh, size);
}

int
rtnl_ask(struct mnl_socket *nl, const union rtnl_request *r, mnl_cb_t cb, void *arg)
{
	char buf[RTNL_BYTES] __attribute__((aligned(8)));
	bool dump = (r->nlh.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	ssize_t n;
	int more;

	if (mnl_socket_sendto(nl, r, r->nlh.nlmsg_len) < 0)
		return errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return errno;
		more = mnl_cb_run(buf, (size_t)n, r->nlh.nlmsg_seq, mnl_socket_get_portid(nl), cb,
		    arg);
		if (more < 0)
			return errno;
	} while (dump && more > MNL_CB_STOP);
	return 0;
}

/* ---- links ---- */

/* 0 when there is no number. */
static uint32_t
attr_u32(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U32) >= 0 ? mnl_attr_get_u32(attr) : 0;
}

static void
info_parse(const struct nlattr *info, struct rtnl_link *l)
{
	const struct nlattr *attr, *data;

	mnl_attr_for_each_nested(attr, info) {
		int type = mnl_attr_get_type(attr);

		if (type == IFLA_INFO_KIND && mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
			l->is_bridge = strcmp(mnl_attr_get_str(attr), "bridge") == 0;
		/* The kind comes first. */
		if (type != IFLA_INFO_DATA || !l->is_bridge)
			continue;
		mnl_attr_for_each_nested(data, attr) {
			if (mnl_attr_get_type(data) == IFLA_BR_STP_STATE)
				l->stp = attr_u32(data);
			if (mnl_attr_get_type(data) == IFLA_BR_FORWARD_DELAY)
				l->delay_ticks = attr_u32(data);
		}
	}
}

void
rtnl_link_parse(const struct nlmsghdr *nlh, struct rtnl_link *l)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	*l = (struct rtnl_link){ .ifindex = (unsigned)ifi->ifi_index,
	    .up = (ifi->ifi_flags & IFF_UP) != 0,
	    .carrier = (ifi->ifi_flags & IFF_RUNNING) != 0 };
	mnl_attr_for_each(attr, nlh, sizeof(*ifi)) {
		int type = mnl_attr_get_type(attr), len = mnl_attr_get_payload_len(attr);

		if (type == IFLA_IFNAME && mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
			snprintf(l->name, sizeof(l->name), "%.*s", len, mnl_attr_get_str(attr));
		else if (type == IFLA_ADDRESS && len == sizeof(l->mac))
			memcpy(l->mac, mnl_attr_get_payload(attr), sizeof(l->mac));
		else if (type == IFLA_MASTER)
			l->master = attr_u32(attr);
		else if (type == IFLA_MTU)
			l->mtu = attr_u32(attr);
		else if (type == IFLA_LINKINFO)
			info_parse(attr, l);
	}
}

static int
on_link(const struct nlmsghdr *nlh, void *arg)
{
	rtnl_link_parse(nlh, arg);
	return MNL_CB_OK;
}

int
rtnl_link_get(struct mnl_socket *nl, const char *name, unsigned ifindex, struct rtnl_link *l)
{
	union rtnl_request r;
	struct ifinfomsg *ifi = rtnl_begin(&r, RTM_GETLINK, 0, sizeof(*ifi));

	memset(l, 0, sizeof(*l));
	if (name != NULL && (name[0] == '\0' || strlen(name) >= IFNAMSIZ))
		return ENODEV;
	if (name != NULL)
		mnl_attr_put_strz(&r.nlh, IFLA_IFNAME, name);
	else
		ifi->ifi_index = (int)ifindex;
	return rtnl_ask(nl, &r, on_link, l);
}

enum err
rtnl_bridge_get(struct mnl_socket *nl, const char *name, const char *what, struct rtnl_link *l,
    struct errmsg *m)
{
	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
		return err_set(m, ERR_RANGE, "%s name \"%s\": 1 to %d characters", what, name,
		    IFNAMSIZ - 1);
	errno = rtnl_link_get(nl, name, 0, l);
	if (errno == ENODEV)
		return err_set(m, ERR_MISSING, "bridge \"%s\" does not exist: make it (ip link add "
		    "%s type bridge) or correct `bridge` of the network", name, name);
	if (errno != 0)
		return err_sys(m, "%s \"%s\"", what, name);
	return l->is_bridge ? ERR_OK :
	    err_set(m, ERR_UNSUPPORTED, "interface \"%s\" is not a bridge", name);
}
