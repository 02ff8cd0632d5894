/*
 * port: a VM's tap or Xen vif as a port of a bridge.  Not included outside vm/.
 *
 * A port of ours has a static forwarding entry for its guest's MAC, and gets nothing that is for
 * others, such as frames for a guest that sleeps.  Further MACs of a guest are learned as ever.
 */
#ifndef VM_NET_PORT_H
#define VM_NET_PORT_H

#include <net/if.h>

#include "vm/net/park.h"
#include "vm/net/rtnl.h"
#include "vm/vm.h"

/*
 * Makes the interface `name` such a port of `bridge`, and up; harmless when it is one.  It takes
 * the bridge's MTU first, or the bridge would go down to its.  ERR_EXISTS: the MAC is the host's
 * own, or was put behind another port, which is not where `parks` has it parked; ERR_MISSING,
 * ERR_UNSUPPORTED, ERR_LIMIT: the bridge is not there, is none, is full.  `parks` may be NULL.
 */
enum err port_join(struct parks *parks, const char *name, const char *bridge, const uint8_t mac[6],
    struct errmsg *m);
/* Its two halves: all but the forwarding entry, and that: from here on its frames come to it. */
enum err port_add(struct parks *parks, const char *name, const char *bridge, const uint8_t mac[6],
    struct errmsg *m);
enum err port_take(struct parks *parks, const char *name, const uint8_t mac[6], struct errmsg *m);
/* ERR_STATE: not yet, since it has no carrier. */
enum err port_take_late(struct parks *parks, const char *name, const uint8_t mac[6],
    struct errmsg *m);
/*
 * As port_join, for an interface that has joined a bridge; ERR_MISSING: it is on none.  `late`: the
 * MAC may be its, and is not yet.
 */
enum err port_guard(struct parks *parks, const char *name, const uint8_t mac[6], bool late,
    struct errmsg *m);
/* As port_take, unless the MAC is parked, or there already. */
enum err port_settle(struct parks *parks, const char *name, const uint8_t mac[6],
    struct errmsg *m);
/* See vm_port_keep. */
enum vm_port_state port_keep(struct parks *parks, const char *name, const char *bridge,
    const uint8_t mac[6], struct errmsg *m);

/* ---- for any port of ours ---- */

/* An interface, and its bridge, now or soon. */
struct port {
	const char *name;
	unsigned ifindex, bridge;
	struct mnl_socket *nl;
	int sock;
};

enum err port_open(struct port *p, const char *name, struct errmsg *m);
void port_close(const struct port *p);
/* From another bridge to this one, if need be, with its MTU; *on says what it is. */
enum err port_enslave(struct port *p, const char *bridge, struct rtnl_link *on, struct errmsg *m);
/* One setting of the port (IFLA_BRPORT_*); 0 or an errno. */
int port_set(const struct port *p, uint16_t what, uint8_t value);
/* Up; on a bridge whose spanning tree is run in user space it forwards at once. */
enum err port_up(const struct port *p, const struct rtnl_link *on, struct errmsg *m);

#endif
