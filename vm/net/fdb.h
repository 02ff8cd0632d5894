/*
 * fdb: forwarding entries of bridges: behind which port a MAC is.  Not included outside vm/.
 *
 * Static entries of ours do not age, and are sticky: no frame moves them (Linux 5.0), neither a
 * late one of a guest that was parked meanwhile, nor another guest's with that MAC.  What returns
 * an int returns 0 or an errno.
 */
#ifndef VM_NET_FDB_H
#define VM_NET_FDB_H

#include <linux/neighbour.h>

#include "vm/net/rtnl.h"

struct fdb_entry {
	uint16_t state;            /* NUD_*: PERMANENT: the host's own; NOARP: static */
	unsigned ifindex;          /* behind which port; the bridge itself */
};

enum fdb_what {
	FDB_ADD,                   /* a static entry; EEXIST: there is one of any kind */
	FDB_REPLACE,               /* a static entry, whatever is there */
	FDB_REMOVE                 /* ENOENT: there is none, or it is behind another port */
};
/* The request about `mac` and a port. */
void fdb_request(union rtnl_request *r, enum fdb_what what, unsigned port, const uint8_t mac[6]);
int fdb_ask(struct mnl_socket *nl, enum fdb_what what, unsigned port, const uint8_t mac[6]);
/* What a bridge knows of the MAC; ENOENT: nothing. */
int fdb_get(struct mnl_socket *nl, unsigned bridge, const uint8_t mac[6], struct fdb_entry *f);
/* ERR_EXISTS, who has the MAC of `whose`: the host, or whoever bound it to another port. */
enum err fdb_taken(unsigned bridge, const uint8_t mac[6], const char *whose,
    const struct fdb_entry *f, struct errmsg *m);

#endif
