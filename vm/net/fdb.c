/* fdb: requests about forwarding entries (rtnetlink, AF_BRIDGE). */
#include "vm/net/fdb.h"

#include "base/addr.h"

static const struct {
	uint16_t type;
	unsigned flags;
} requests[] = {
	[FDB_ADD] = { RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL },
	[FDB_REPLACE] = { RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE },
	[FDB_REMOVE] = { RTM_DELNEIGH, 0 },
};

void
fdb_request(union rtnl_request *r, enum fdb_what what, unsigned port, const uint8_t mac[6])
{
	struct ndmsg *nd = rtnl_begin(r, requests[what].type, requests[what].flags, sizeof(*nd));

	nd->ndm_family = AF_BRIDGE;
	nd->ndm_state = NUD_NOARP;
	nd->ndm_flags = NTF_MASTER | NTF_STICKY;
	nd->ndm_ifindex = (int)port;
	mnl_attr_put(&r->nlh, NDA_LLADDR, 6, mac);
}

int
fdb_ask(struct mnl_socket *nl, enum fdb_what what, unsigned port, const uint8_t mac[6])
{
	union rtnl_request r;

	fdb_request(&r, what, port, mac);
	r.nlh.nlmsg_flags |= NLM_F_ACK;
	return rtnl_ask(nl, &r, NULL, NULL);
}

static int
on_entry(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct fdb_entry *f = arg;

	f->state = nd->ndm_state;
	f->ifindex = (unsigned)nd->ndm_ifindex;
	return MNL_CB_OK;
}

int
fdb_get(struct mnl_socket *nl, unsigned bridge, const uint8_t mac[6], struct fdb_entry *f)
{
	union rtnl_request r;
	struct ndmsg *nd = rtnl_begin(&r, RTM_GETNEIGH, 0, sizeof(*nd));

	nd->ndm_family = AF_BRIDGE;
	mnl_attr_put(&r.nlh, NDA_LLADDR, 6, mac);
	mnl_attr_put_u32(&r.nlh, NDA_MASTER, bridge);
	return rtnl_ask(nl, &r, on_entry, f);
}

enum err
fdb_taken(unsigned bridge, const uint8_t mac[6], const char *whose, const struct fdb_entry *f,
    struct errmsg *m)
{
	char by[IFNAMSIZ] = "", on[IFNAMSIZ] = "";

	(void)if_indextoname(f->ifindex, by);          /* what has just gone has no name */
	(void)if_indextoname(bridge, on);
	return err_set(m, ERR_EXISTS, "the MAC address %s of %s is %s %s already (bridge %s); use "
	    "another mac=", ADDR_MAC_STR(mac), whose,
	    (f->state & NUD_PERMANENT) != 0 ? "the host's own, on" :
	    "bound by somebody to the port", by, on);
}
