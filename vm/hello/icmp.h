/* icmp.h: echo for IPv4 and IPv6 (RFC 792, RFC 4443) */
#ifndef HELLO_ICMP_H
#define HELLO_ICMP_H

#include "vm/hello/ip.h"

void icmp4_input(struct net *net, const struct ip_packet *packet);

/* Also hands neighbour discovery and multicast listener queries on. */
void icmp6_input(struct net *net, const struct ip_packet *packet);

#endif
