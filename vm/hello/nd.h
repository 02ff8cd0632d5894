/*
 * nd.h: neighbour discovery (RFC 4861), duplicate address detection (RFC 4862) and listener reports
 * (RFC 3810)
 *
 * Addresses are optimistic (RFC 4429): they are used while their uniqueness is still being asked
 * for, as a server that boots in milliseconds cannot wait a second for silence. Another's claim
 * within LIMIT_DAD_MS takes the address away again.
 */
#ifndef HELLO_ND_H
#define HELLO_ND_H

#include "vm/hello/ip.h"

/* Reports our groups, asks whether the addresses are taken, and announces them. */
void nd_announce(struct net *net);

/*
 * Takes an ICMPv6 message that is not an echo, checksum verified; `body` begins after the checksum.
 */
void nd_input(struct net *net, const struct ip_packet *packet, uint8_t type, struct wire_in body);

#endif
