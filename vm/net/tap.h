/*
 * tap: a VM's port on a bridge.  A tap lives as long as somebody holds its descriptor: the VM's
 * process does, so nothing is left when that ends.  Bridges are never changed otherwise.  Not
 * included outside vm/.
 */
#ifndef VM_NET_TAP_H
#define VM_NET_TAP_H

#include <net/if.h>

#include "vm/vm.h"

/* The name of a VM's NIC on the host: unique by the UUID. */
void tap_name(const struct vm_uuid *uuid, unsigned nic, char name[IFNAMSIZ]);

/*
 * Makes the tap `name`, a port of `bridge` (port.h).  *fd is the caller's, for the VM: close it
 * when the VM has it, there closing is cheap; closing the last one takes the kernel 15 ms.
 */
enum err tap_make(const char *name, const char *bridge, const uint8_t mac[6], int *fd,
    struct errmsg *m);

#endif
