/*
 * tap: a VM's port on a bridge.  A tap lives as long as somebody, the VM's process, holds its
 * descriptor: nothing is left when that ends.  Not included outside vm/.
 */
#ifndef VM_NET_TAP_H
#define VM_NET_TAP_H

#include <net/if.h>

#include "vm/net/park.h"
#include "vm/vm.h"

/* The name of a VM's NIC on the host: unique by the UUID. */
void tap_name(const struct vm_uuid *uuid, unsigned nic, char name[IFNAMSIZ]);

/* Opens the device of taps; *fd is the caller's. */
enum err tap_device(int *fd, struct errmsg *m);
/* Makes it the tap `name`, which is down and on no bridge. */
enum err tap_attach(int fd, const char *name, struct errmsg *m);
/*
 * Makes the tap `name`, a port of `bridge` (port_add): port_take is to follow.  *fd is the
 * caller's, to close when the VM has it: closing the last descriptor takes the kernel 15 ms.
 */
enum err tap_make(struct parks *parks, const char *name, const char *bridge, const uint8_t mac[6],
    int *fd, struct errmsg *m);

#endif
