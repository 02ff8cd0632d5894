/* waking: a batch of nfnetlink messages (linux/netfilter/nf_tables.h). */
#include "vm/net/waking.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define BATCH_BYTES 8192
/* An element: its list's entry, its key, the key's value. */
#define ELEMENT_BYTES 24
#define HEAD_BYTES 512
_Static_assert(2 * WAKING_MOST * ELEMENT_BYTES + 4 * HEAD_BYTES <= BATCH_BYTES, "all fit");

static struct nlmsghdr *
begin(char *at, uint16_t type, uint16_t flags, uint8_t family, uint16_t res_id, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	struct nfgenmsg *nfg;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(h, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(res_id);
	return h;
}

/* A message that adds all, or deletes those that are not to be there; its size, or 0: none. */
static size_t
elements(char *at, const char *table, const struct waking *list, unsigned n, bool add, uint32_t seq)
{
	struct nlmsghdr *h = begin(at, NFNL_SUBSYS_NFTABLES << 8 | (add ? NFT_MSG_NEWSETELEM :
	    NFT_MSG_DELSETELEM), add ? NLM_F_CREATE : 0, NFPROTO_BRIDGE, 0, seq);
	struct nlattr *all, *one, *key;
	unsigned count = 0;

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, "waking");
	all = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (unsigned i = 0; i < n; i++) {
		/* What is to go is added first: then it is there. */
		if (!add && list[i].on)
			continue;
		one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
		key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
		mnl_attr_put(h, NFTA_DATA_VALUE, sizeof(list[i].mac), list[i].mac);
		mnl_attr_nest_end(h, key);
		mnl_attr_nest_end(h, one);
		count++;
	}
	mnl_attr_nest_end(h, all);
	if (count == 0)
		return 0;
	h->nlmsg_flags |= NLM_F_ACK;
	return MNL_ALIGN(h->nlmsg_len);
}

/* Reads until `last` is answered; the first error, or 0. */
static int
answers(struct mnl_socket *nl, uint32_t last)
{
	char buf[BATCH_BYTES] __attribute__((aligned(8)));
	int error = 0, left;

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		if (n < 0)
			return errno;
		left = (int)n;
		for (const struct nlmsghdr *h = (const void *)buf; mnl_nlmsg_ok(h, left);
		    h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *said = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			error = error == 0 ? -said->error : error;
			/* The batch itself was refused. */
			if (h->nlmsg_seq == last || (h->nlmsg_seq == 0 && error != 0))
				return error;
		}
	}
}

static int
batch_ask(struct mnl_socket *nl, const char *table, const struct waking *list, unsigned n)
{
	char batch[BATCH_BYTES] __attribute__((aligned(8)));
	size_t size, removal;

	size = MNL_ALIGN(begin(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES,
	    0)->nlmsg_len);
	size += elements(batch + size, table, list, n, true, 1);
	removal = elements(batch + size, table, list, n, false, 2);
	size += removal;
	size += MNL_ALIGN(begin(batch + size, NFNL_MSG_BATCH_END, 0, AF_UNSPEC,
	    NFNL_SUBSYS_NFTABLES, 3)->nlmsg_len);
	return mnl_socket_sendto(nl, batch, size) < 0 ? errno : answers(nl, removal > 0 ? 2 : 1);
}

static int
open_socket(struct mnl_socket **nl)
{
	if (*nl != NULL)
		return 0;
	*nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	return *nl != NULL && mnl_socket_bind(*nl, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : errno;
}

enum err
waking_set(struct mnl_socket **nl, const char *table, const struct waking *list, unsigned n,
    struct errmsg *m)
{
	int error = open_socket(nl);

	if (error == 0)
		error = batch_ask(*nl, table, list, n);
	if (error == 0)
		return ERR_OK;
	/* What may still be on its way is not for the next. */
	if (*nl != NULL)
		mnl_socket_close(*nl);
	*nl = NULL;
	errno = error;
	return err_sys(m, "nftables: set waking of table %s", table);
}
