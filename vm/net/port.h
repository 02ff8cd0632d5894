/*
 * port: a VM's end of the host's network, a tap or a Xen vif, as a port of a bridge.  Not included
 * outside vm/.
 *
 * A port of ours has a static forwarding entry for its guest's MAC, and nothing is sent to it that
 * is for others: frames for a guest that sleeps, whose port is gone, must not go to all the others.
 * What a guest sends from further MACs is learned as ever.
 */
#ifndef VM_NET_PORT_H
#define VM_NET_PORT_H

#include <net/if.h>

#include "vm/vm.h"

/*
 * Makes the interface `name` an up port of `bridge`, as above; harmless when it is one.  It takes
 * the bridge's MTU first, or the bridge would go down to its.  ERR_EXISTS: the MAC is one of the
 * host's own, or is behind another port by somebody's will; ERR_MISSING, ERR_UNSUPPORTED,
 * ERR_LIMIT: the bridge is not there, is none, is full.
 */
enum err port_join(const char *name, const char *bridge, const uint8_t mac[6], struct errmsg *m);
/*
 * The same for an interface that somebody else has joined to its bridge.  ERR_MISSING: it is on
 * none.
 */
enum err port_guard(const char *name, const uint8_t mac[6], struct errmsg *m);

#endif
