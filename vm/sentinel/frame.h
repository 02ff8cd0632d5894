/*
 * frame: Ethernet frames as the sentinel sends and receives them: ARP, neighbour discovery, echo,
 * TCP and UDP, over IPv4 and IPv6.
 *
 * Parsing believes nothing: whatever is malformed, cut short, fragmented or tagged is FRAME_OTHER,
 * of which only the link addresses mean anything.  No function allocates, and none reads or writes
 * outside the lengths given.  Numbers are in host order, addresses in network order.
 */
#ifndef VM_SENTINEL_FRAME_H
#define VM_SENTINEL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/msg.h"

#define FRAME_ETHER_BYTES 14
#define FRAME_BUILT_MAX 128   /* the longest built here: IPv6 echo, 14 + 40 + 8 + FRAME_ECHO_DATA */
#define FRAME_ECHO_DATA 16    /* data bytes that an echo request of ours carries */

#define FRAME_TCP_FIN 0x01u
#define FRAME_TCP_SYN 0x02u
#define FRAME_TCP_RST 0x04u
#define FRAME_TCP_ACK 0x10u

/* Where the checksum is in a TCP header and in a UDP header. */
#define FRAME_TCP_SUM 16
#define FRAME_UDP_SUM 6

/* Flags of a neighbour advertisement (RFC 4861 section 4.4). */
#define FRAME_ND_SOLICITED 0x40u
#define FRAME_ND_OVERRIDE 0x20u

enum frame_kind {
	FRAME_OTHER = 0,
	FRAME_ARP,
	FRAME_SOLICIT,      /* neighbour solicitation */
	FRAME_ADVERT,       /* neighbour advertisement */
	FRAME_ECHO_REQUEST,
	FRAME_ECHO_REPLY,
	FRAME_TCP,
	FRAME_UNREACHABLE,  /* ICMP, destination unreachable, for a TCP segment */
	FRAME_UDP,
	FRAME_DHCP          /* UDP of a DHCP client that asks, over IPv4; .udp */
};

struct frame_arp {
	uint16_t op;             /* 1 request, 2 reply (RFC 826) */
	uint8_t sender_mac[6];
	uint8_t target_mac[6];
	struct msg_addr sender;  /* 0.0.0.0 in an RFC 5227 probe */
	struct msg_addr target;
};

struct frame_nd {
	struct msg_addr target;
	bool has_mac;
	uint8_t mac[6];          /* source's of a solicitation, target's of an advertisement */
};

struct frame_echo {
	uint16_t id, seq;
	uint8_t data[FRAME_ECHO_DATA];
	size_t len;              /* of data; a longer one is cut */
};

struct frame_tcp {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;           /* FRAME_TCP_* */
	uint32_t payload;        /* its bytes; nothing to frame_build_tcp */
};

struct frame_udp {
	uint16_t sport, dport;
};

struct frame_unreachable {   /* of the segment that did not arrive */
	struct msg_addr dst;
	uint16_t sport, dport;
};

struct frame {
	uint8_t dst_mac[6], src_mac[6];
	enum frame_kind kind;
	/* of the IP header; family 0 where there is none (ARP, FRAME_OTHER) */
	struct msg_addr src, dst;
	uint16_t upper_at;       /* where the header behind IP's begins */
	union {
		struct frame_arp arp;
		struct frame_nd nd;
		struct frame_echo echo;
		struct frame_tcp tcp;
		struct frame_udp udp;
		struct frame_unreachable unreachable;
	};
};

/*
 * False without an Ethernet header with a unicast source, or with a VLAN tag.  Checksums of IPv4
 * headers, ICMP and ICMPv6 are verified; TCP's and UDP's may also be the pseudo-header's alone, as
 * a virtual NIC with checksum offload has it.  ND must have hop limit 255 (RFC 4861 section 7.1).
 */
bool frame_parse(const uint8_t *p, size_t len, struct frame *f);

struct frame_out {
	uint8_t bytes[FRAME_BUILT_MAX];
	size_t len;
};

/* Both ends of a frame to build; src and dst are of one family (not looked at for ARP). */
struct frame_ends {
	uint8_t src_mac[6], dst_mac[6];
	struct msg_addr src, dst;
};

/*
 * Builders.  False (and out->len 0) when the addresses are not of the family that the frame needs.
 * A SYN carries an MSS of 1460 (IPv4) or 1440 (IPv6), as a host's would.  A solicitation carries a
 * source link-layer address option unless its source is ::, an advertisement a target link-layer
 * address option, each with the frame's source MAC.
 */
bool frame_build_arp(struct frame_out *out, const struct frame_ends *ends,
    const struct frame_arp *arp);
bool frame_build_solicit(struct frame_out *out, const struct frame_ends *ends,
    const struct msg_addr *target);
bool frame_build_advert(struct frame_out *out, const struct frame_ends *ends,
    const struct msg_addr *target, uint8_t flags);
bool frame_build_echo_request(struct frame_out *out, const struct frame_ends *ends,
    const struct frame_echo *echo);
bool frame_build_tcp(struct frame_out *out, const struct frame_ends *ends,
    const struct frame_tcp *tcp);

/*
 * Sends a question for the address in dst to who may have it: to broadcast, or dst becomes the
 * solicited-node multicast address (RFC 4291 section 2.7.1, RFC 2464).
 */
void frame_ends_to_asked(struct frame_ends *ends);
/* To broadcast, or dst becomes the multicast address of all nodes. */
void frame_ends_to_all(struct frame_ends *ends);

/* fe80::/64 with the modified EUI-64 of `mac` (RFC 4291 appendix A). */
void frame_addr_link_local(struct msg_addr *a, const uint8_t mac[6]);

#endif
