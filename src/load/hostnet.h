/*
 * hostnet: what this host has in its networks itself: addresses and MACs that no unit may have, and
 * bridges that keep units waiting.
 */
#ifndef SRC_LOAD_HOSTNET_H
#define SRC_LOAD_HOSTNET_H

#include "base/err.h"
#include "base/msg.h"
#include "src/config/config.h"
#include "vm/vm.h"

struct hostnet {
	struct msg_addr *addrs;        /* of every interface, however many there are */
	unsigned naddrs;
	struct vm_host_mac *macs;
	unsigned nmacs;
};

/* ERR_IO: the kernel does not tell; nothing is owned then. */
enum err hostnet_read(struct hostnet *h, struct errmsg *m);
void hostnet_clear(struct hostnet *h);

/* Warns of bridges that keep a new port waiting. */
void hostnet_check(const struct config *conf, struct report *r);

#endif
