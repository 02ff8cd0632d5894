/*
 * xen_net.h: the first network interface of a domain on Xen: the front half, whose other half is in
 * a driver domain
 */
#ifndef HELLO_XEN_NET_H
#define HELLO_XEN_NET_H

#include "vm/hello/addr.h"
#include "vm/hello/machine.h"
#include "vm/hello/xenstore.h"

/*
 * Connects, or connects anew after a resume; `token` is for the watch on the backend. Returns NULL,
 * or why there is no network.
 */
const char *xen_net_start(struct xenstore *xs, unsigned token, uint8_t mac[MAC_BYTES]);

/* The backend's watch has fired. True when frames go through from now on. */
bool xen_net_changed(struct xenstore *xs);

extern const struct machine_card xen_net_card;

#endif
