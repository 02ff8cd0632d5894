/*
 * net.h: the network stack's state and its edges: frames and time in, frames and complaints out
 *
 * The stack does no I/O, allocates nothing and takes its clock as an argument; the guest and the
 * tests on the host drive it alike. It only ever answers: each reply goes to the MAC that the
 * request came from. That is right on the link and, through the router that forwarded the request,
 * off the link, so the image keeps no neighbour cache and never needs to resolve its gateway.
 */
#ifndef HELLO_NET_H
#define HELLO_NET_H

#include <stddef.h>
#include <stdint.h>

#include "vm/hello/config.h"
#include "vm/hello/limits.h"
#include "vm/hello/tcp.h"
#include "vm/hello/wire.h"

#define NET_ETHER_BYTES 14
#define NET_IP6_BYTES   40
#define NET_HEADROOM    (NET_ETHER_BYTES + NET_IP6_BYTES)
#define NET_NEVER       UINT64_MAX /* no deadline */

enum net_ether_type { NET_IP4 = 0x0800, NET_ARP = 0x0806, NET_IP6 = 0x86dd };

/* What the stack calls; `arg` is handed through. A frame may be dropped, and ends with the call. */
struct net_ops {
	void (*send)(void *arg, const uint8_t *frame, size_t len);
	void (*report)(void *arg, const char *line);
};

struct net {
	const struct config *config;
	const struct net_ops *ops;
	void *arg;
	uint8_t mac[MAC_BYTES];
	struct addr link_local; /* all zero when duplicate address detection failed */
	struct addr global6;    /* likewise, or not configured */
	struct addr address4;   /* all zero when not configured */
	uint64_t now_ms;        /* since boot, as of the call in progress */
	uint64_t arp_defend_ms; /* not before then is a conflict answered again */
	uint16_t ip4_id;
	struct tcp tcp;
	uint8_t out[NET_HEADROOM + LIMIT_IP_BYTES];
};

/* Makes the stack ready, in memory that may hold anything; `seed` is secret and random. */
void net_init(struct net *net, const struct config *config, const uint8_t mac[MAC_BYTES],
    const uint8_t seed[8], const struct net_ops *ops, void *arg);
/* Tells the link who has come: ARP announcement, duplicate address detection, groups. */
void net_announce(struct net *net);
/* Takes one received Ethernet frame. */
void net_input(struct net *net, const uint8_t *frame, size_t len, uint64_t now_ms);
/* Does what is due; returns when to call again, in milliseconds since boot, or NET_NEVER. */
uint64_t net_run_timers(struct net *net, uint64_t now_ms);
/* For the protocols: sends len bytes at net->out + offset, an Ethernet header put in front. */
void net_send(struct net *net, const uint8_t to[MAC_BYTES], enum net_ether_type type, size_t offset,
    size_t len);

/*
 * arp.c: address resolution (RFC 826) with announcement and defence (RFC 5227). Broadcasts an
 * announcement of the IPv4 address, if there is one; takes the payload of an ARP frame.
 */
void arp_announce(struct net *net);
void arp_input(struct net *net, struct wire_in w);

#endif
