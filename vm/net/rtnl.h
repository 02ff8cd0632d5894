/* rtnl: one question to the kernel by netlink (rtnetlink(7)).  Not included outside vm/. */
#ifndef VM_NET_RTNL_H
#define VM_NET_RTNL_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A message takes at most so much: a link with all its statistics some 2 KiB. */
#define RTNL_BYTES 32768

/* A socket for the calls below; the caller closes it (mnl_socket_close). */
enum err rtnl_open(struct mnl_socket **nl, struct errmsg *m);

union rtnl_request {
	struct nlmsghdr nlh;
	char room[256];
};
/* Begins a request; returns its own header of that size, zeroed, behind which attributes go. */
void *rtnl_begin(union rtnl_request *r, uint16_t type, unsigned flags, size_t size);
/* Sends it; `cb` (NULL: only an acknowledgement comes) gets each answer.  0 or an errno. */
int rtnl_ask(struct mnl_socket *nl, const union rtnl_request *r, mnl_cb_t cb, void *arg);

/* What is known of an interface.  (/sys may be another network namespace's.) */
struct rtnl_link {
	/* master: the bridge, or whatever it belongs to; 0 = nothing */
	unsigned ifindex, master;
	char name[IFNAMSIZ];
	uint8_t mac[6];
	bool up, carrier;
	uint32_t mtu;
	bool is_bridge;
	uint32_t stp;                  /* of a bridge: RTNL_STP_* */
	uint32_t delay_ticks;          /* its forward delay, in ticks of USER_HZ */
};

/* IFLA_BR_STP_STATE (net/bridge/br_private.h): who runs the spanning tree protocol. */
#define RTNL_STP_KERNEL 1
#define RTNL_STP_USER 2

/* Reads an RTM_NEWLINK or RTM_DELLINK. */
void rtnl_link_parse(const struct nlmsghdr *nlh, struct rtnl_link *l);
/* By name, or by number when it is NULL; 0 or an errno (ENODEV: there is none). */
int rtnl_link_get(struct mnl_socket *nl, const char *name, unsigned ifindex, struct rtnl_link *l);
/* The bridge `name`; messages call it a `what`.  ERR_MISSING, ERR_UNSUPPORTED: it is no bridge. */
enum err rtnl_bridge_get(struct mnl_socket *nl, const char *name, const char *what,
    struct rtnl_link *l, struct errmsg *m);

#endif
