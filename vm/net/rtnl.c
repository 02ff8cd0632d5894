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

int
rtnl_ask(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	char buf[RTNL_BYTES] __attribute__((aligned(8)));
	bool dump = (nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	ssize_t n;
	int more;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return errno;
		more = mnl_cb_run(buf, (size_t)n, nlh->nlmsg_seq, mnl_socket_get_portid(nl), cb,
		    arg);
		if (more < 0)
			return errno;
	} while (dump && more > MNL_CB_STOP);
	return 0;
}

/* ---- links ---- */

static int
on_bridge_data(const struct nlattr *attr, void *arg)
{
	struct rtnl_link *l = arg;

	if (mnl_attr_get_type(attr) == IFLA_BR_STP_STATE &&
	    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		l->stp = mnl_attr_get_u32(attr);
	if (mnl_attr_get_type(attr) == IFLA_BR_FORWARD_DELAY &&
	    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		l->delay_ticks = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int
on_info(const struct nlattr *attr, void *arg)
{
	struct rtnl_link *l = arg;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
	    mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
		l->is_bridge = strcmp(mnl_attr_get_str(attr), "bridge") == 0;
	/* The kind comes first. */
	if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && l->is_bridge)
		return mnl_attr_parse_nested(attr, on_bridge_data, arg);
	return MNL_CB_OK;
}

static int
on_link_attr(const struct nlattr *attr, void *arg)
{
	struct rtnl_link *l = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
			snprintf(l->name, sizeof(l->name), "%.*s", mnl_attr_get_payload_len(attr),
			    mnl_attr_get_str(attr));
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(l->mac))
			memcpy(l->mac, mnl_attr_get_payload(attr), sizeof(l->mac));
		break;
	case IFLA_MASTER:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			l->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_MTU:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			l->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, on_info, arg);
	default:
		break;
	}
	return MNL_CB_OK;
}

void
rtnl_link_parse(const struct nlmsghdr *nlh, struct rtnl_link *l)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	memset(l, 0, sizeof(*l));
	l->ifindex = (unsigned)ifi->ifi_index;
	l->up = (ifi->ifi_flags & IFF_UP) != 0;
	(void)mnl_attr_parse(nlh, sizeof(*ifi), on_link_attr, l);     /* no callback fails */
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
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	memset(l, 0, sizeof(*l));
	if (name != NULL && (name[0] == '\0' || strlen(name) >= IFNAMSIZ))
		return ENODEV;
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = 1;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	if (name != NULL)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	else
		ifi->ifi_index = (int)ifindex;
	return rtnl_ask(nl, nlh, on_link, l);
}
