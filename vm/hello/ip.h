/*
 * ip.h: IPv4 and IPv6 packets in and out, and what lies beside TCP: echo, neighbour discovery
 *
 * Fragments are dropped: nothing that is served here needs them. IPv4 goes out with DF clear and
 * IPv6 data within 1,280 bytes, so no path MTU discovery is needed either.
 */
#ifndef HELLO_IP_H
#define HELLO_IP_H

#include "vm/hello/net.h"
#include "vm/hello/wire.h"

enum ip_proto { IP_HOP_BY_HOP = 0, IP_ICMP = 1, IP_TCP = 6, IP_ICMP6 = 58, IP_DEST_OPTIONS = 60 };

#define IP_HOP_LIMIT 64
/* a packet that no router forwarded still has it (RFC 4861 section 6.1.1) */
#define IP_HOP_LOCAL 255

/* A packet as protocols above see it. Its source is unicast, or for neighbour discovery none. */
struct ip_packet {
	uint8_t mac[MAC_BYTES]; /* of the frame's sender */
	struct addr src, dst;
	uint8_t proto;
	uint8_t hop_limit;
	bool multicast; /* dst is a group */
	struct wire_in payload;
};

/* Where a packet goes. */
struct ip_route {
	uint8_t mac[MAC_BYTES];
	struct addr src, dst;
	uint8_t proto;
	uint8_t hop_limit;
};

/* Take an IP packet out of a frame from that MAC, unicast or not. */
void ip4_input(struct net *net, const uint8_t from[MAC_BYTES], struct wire_in w);
void ip6_input(struct net *net, const uint8_t from[MAC_BYTES], struct wire_in w, bool unicast);
/* Which of our IPv6 addresses this is; NULL: none. */
struct addr *ip6_own(struct net *net, const struct addr *a);
/* Begins the payload of the one packet that the stack has in hand; room for 1,480 bytes. */
struct wire_out ip_payload(struct net *net);
/* Puts the headers in front of the payload and sends it; drops what is bad or too long. */
void ip_send(struct net *net, const struct ip_route *route, const struct wire_out *payload);
/* As ip_send(), with the payload's checksum, until then 0, at that offset of the payload. */
void ip_send_summed(struct net *net, const struct ip_route *route, struct wire_out *payload,
    size_t offset);
/* The way back to where the packet came from. */
struct ip_route ip_reply_route(const struct ip_packet *packet);
/* The Internet checksum (RFC 1071) of the bytes; 0 when they hold their own right one. */
uint16_t ip_checksum(const uint8_t *bytes, size_t len);
/* The same with the pseudo header in front (RFC 9293 section 3.1, RFC 8200 section 8.1). */
uint16_t ip_pseudo_checksum(const struct addr *src, const struct addr *dst, uint8_t proto,
    const uint8_t *bytes, size_t len);

/* icmp.c: echo (RFC 792, RFC 4443); hands neighbour discovery and listener queries on. */
void icmp4_input(struct net *net, const struct ip_packet *packet);
void icmp6_input(struct net *net, const struct ip_packet *packet);
/* Begins a message of that type, as ip_payload(); its checksum is at ICMP_CHECKSUM. */
#define ICMP_CHECKSUM 2
struct wire_out icmp_payload(struct net *net, uint8_t type);

/*
 * nd.c: neighbour discovery (RFC 4861), duplicate address detection (RFC 4862) and listener reports
 * (RFC 3810). Addresses are optimistic (RFC 4429): used while their uniqueness is asked for, as a
 * wake cannot wait a second for silence. Another's claim within LIMIT_DAD_MS takes one away.
 */

/* Reports our groups, asks whether the addresses are taken, and announces them. */
void nd_announce(struct net *net);
/* Takes an ICMPv6 message that is no echo, checksum verified; `body` is behind the checksum. */
void nd_input(struct net *net, const struct ip_packet *packet, uint8_t type, struct wire_in body);

#endif
