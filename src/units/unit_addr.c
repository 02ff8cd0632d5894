/* unit_addr: the addresses of a unit: IP, gateway, MAC. */
#include "src/units/unit_addr.h"

#include <stdio.h>
#include <string.h>

#include "base/siphash.h"

const struct msg_addr *
unit_addr(const struct unit_conf *u, int family)
{
	for (unsigned i = 0; i < u->naddrs; i++)
		if (u->addrs[i].family == family)
			return &u->addrs[i];
	return NULL;
}

const struct msg_addr *
unit_addr_gateway(const struct config_network *net, const struct msg_addr *a)
{
	for (unsigned i = 0; i < net->ngateways; i++)
		if (addr_in_prefix(a, &net->gateways[i]))
			return &net->gateways[i];
	return NULL;
}

void
unit_addr_nic_mac(const struct mapping_secret *secret, const struct unit_conf *u, unsigned nic,
    uint8_t mac[6])
{
	if (nic == 0)
		memcpy(mac, u->mac, sizeof(u->mac));
	else
		unit_addr_mac(secret, u->name, nic, mac);
}

void
unit_addr_mac(const struct mapping_secret *secret, const char *name, unsigned nic, uint8_t mac[6])
{
	char text[LIMIT_NAME_TEXT + 16];
	int len = snprintf(text, sizeof(text), "mac %u %s", nic, name);
	size_t n = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
	uint64_t hash = siphash24(secret->key, text, n);

	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)(hash >> (8 * i));
	/* Locally administered, unicast, and not a prefix that hypervisors use (52:54:00, fe:). */
	mac[0] = 0x02;
}
