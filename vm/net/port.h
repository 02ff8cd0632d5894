/*
 * port: a VM's tap or Xen vif as a port of a bridge.  Not included outside vm/.
 *
 * A port of ours has a static forwarding entry for its guest's MAC, and gets nothing that is for
 * others, such as frames for a guest that sleeps.  Further MACs of a guest are learned as ever.
 */
#ifndef VM_NET_PORT_H
#define VM_NET_PORT_H

#include <net/if.h>

#include "vm/vm.h"

/*
 * Makes the interface `name` such a port of `bridge`, and up; harmless when it is one.  It takes
 * the bridge's MTU first, or the bridge would go down to its.  ERR_EXISTS: the MAC is the host's
 * own, or was put behind another port; ERR_MISSING, ERR_UNSUPPORTED, ERR_LIMIT: the bridge is not
 * there, is none, is full.
 */
enum err port_join(const char *name, const char *bridge, const uint8_t mac[6], struct errmsg *m);
/* As port_join, for an interface that has joined a bridge; ERR_MISSING: it is on none. */
enum err port_guard(const char *name, const uint8_t mac[6], struct errmsg *m);

#endif
