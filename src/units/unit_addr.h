/* unit_addr: the addresses of a unit: IP, gateway, MAC. */
#ifndef SRC_UNITS_UNIT_ADDR_H
#define SRC_UNITS_UNIT_ADDR_H

#include "src/units/types.h"

/* The first address of `family` (4 or 6), or NULL. */
const struct msg_addr *unit_addr(const struct unit_conf *u, int family);
/* The gateway of the subnet of `a` in the unit's network, or NULL. */
const struct msg_addr *unit_addr_gateway(
    const struct config_network *net, const struct msg_addr *a);

/* Locally administered, unicast (02:..); the same for ever for this secret, name and NIC. */
void unit_addr_mac(
    const struct mapping_secret *secret, const char *name, unsigned nic, uint8_t mac[6]);
/* The MAC that a NIC of the unit has: the first one's may be set. */
void unit_addr_nic_mac(const struct mapping_secret *secret, const struct unit_conf *u, unsigned nic,
    uint8_t mac[6]);

#endif
