/* peer: who asked, and over what, in a form that outlives the packet. */
#ifndef DNS_SERVER_PEER_H
#define DNS_SERVER_PEER_H

#include <netinet/in.h>
#include <stdint.h>

#include "base/msg.h"

struct dns_peer {
	uint8_t tcp;           /* 1: over connection `conn`; 0: over the UDP socket `socket` */
	uint8_t socket;        /* index among the worker's UDP sockets */
	uint8_t proxied;       /* `client` is what a listed proxy said; it gets replies at `addr` */
	uint8_t unproven;      /* the client's address is: UDP, also where a proxy made TCP of it */
	struct msg_addr client;
	uint8_t local_family;  /* of `local`, if that is known (wildcard sockets), else 0 */
	uint32_t conn;         /* slot of the connection */
	uint32_t conn_gen;     /* a slot is used again; this tells the connections apart */
	uint32_t local_ifindex;
	socklen_t addr_len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr;                /* the client's, or its proxy's */
	union {
		struct in_addr in;
		struct in6_addr in6;
	} local;               /* the address that was asked; the reply leaves from it */
};

/* The client's address as messages carry it; an IPv4-mapped one as IPv4. */
void dns_peer_client(const struct dns_peer *p, struct msg_addr *a);
/* The same for who sent it: the client or its proxy. */
void dns_peer_addr(const struct dns_peer *p, struct msg_addr *a);

#endif
