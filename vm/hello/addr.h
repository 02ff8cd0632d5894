/*
 * addr.h: Internet addresses of both families in one shape
 *
 * An IPv4 address is kept as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that tables need one
 * kind of key. Such an address never comes from an IPv6 packet: ip.c drops it. All zeroes means
 * "none".
 */
#ifndef HELLO_ADDR_H
#define HELLO_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/hello/text.h"

#define ADDR_BYTES     16
#define ADDR_V4_OFFSET 12
#define MAC_BYTES      6

struct addr {
	uint8_t b[ADDR_BYTES];
};

extern const struct addr addr_none, addr_all_nodes; /* the latter is ff02::1 */

struct addr addr_v4(const uint8_t bytes[4]);
bool addr_is_v4(const struct addr *a);
bool addr_is_set(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
/* What a packet may come from: not none, 0.0.0.0, multicast, limited broadcast or loopback. */
bool addr_is_unicast(const struct addr *a);
/* fe80::/64 with the EUI-64 of the MAC (RFC 4291 appendix A). */
struct addr addr_link_local(const uint8_t mac[MAC_BYTES]);
/* ff02::1:ffXX:XXXX of an IPv6 address (RFC 4291 section 2.7.1). */
struct addr addr_solicited_node(const struct addr *a);
/* 33:33 and the last four bytes (RFC 2464 section 7). */
void addr_multicast_mac(const struct addr *group, uint8_t mac[MAC_BYTES]);
/* Reads six two-digit hexadecimal numbers with colons between them. */
bool addr_mac_parse(const char *s, uint8_t mac[MAC_BYTES]);
/* Reads an address of either family that fills all n characters. */
bool addr_parse(const char *s, size_t n, struct addr *out);
/* Dotted quad, or IPv6 as RFC 5952 wants it. */
void addr_text(struct text *t, const struct addr *a);

#endif
