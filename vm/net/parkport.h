/*
 * parkport: the port of a bridge at which parked MACs are: a tap of ours, that lives as long as
 * somebody holds its descriptor.  Not included outside vm/.
 */
#ifndef VM_NET_PARKPORT_H
#define VM_NET_PARKPORT_H

#include "vm/net/park.h"

/* See vm_park_port. */
enum vm_park_state parkport_keep(const struct parks *parks, const char *bridge,
    struct vm_park_port *port, struct errmsg *m);

#endif
