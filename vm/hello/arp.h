/* arp.h: address resolution for IPv4 (RFC 826), with announcement and defence (RFC 5227) */
#ifndef HELLO_ARP_H
#define HELLO_ARP_H

#include "vm/hello/net.h"
#include "vm/hello/wire.h"

/* Broadcasts an ARP announcement of the IPv4 address; nothing without one. */
void arp_announce(struct net *net);

/* Takes the payload of an ARP frame. */
void arp_input(struct net *net, struct wire_in w);

#endif
