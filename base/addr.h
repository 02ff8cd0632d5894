/*
 * addr: IP addresses, prefixes and ranges as configuration and zones write them (base/msg.h has
 * their types).
 *
 * Nothing here resolves names.  Functions that parse return false for what they do not accept and
 * say nothing: the caller knows file and line.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/msg.h"

#define ADDR_TEXT 50             /* an IPv6 address, `/128` and the end */
#define ADDR_MAC_TEXT 18

/* `10.0.0.1` or `fd00::1`; prefixlen becomes 0.  No zone index, no brackets, no spaces. */
bool addr_parse(const char *text, struct msg_addr *a);
/* `10.0.0.0/24`: host bits must be zero.  prefixlen is set. */
bool addr_parse_prefix(const char *text, struct msg_addr *p);
/* `A-B` with A not above B, a prefix, or one address. */
bool addr_parse_range(const char *text, struct addr_range *r);
/* `ADDRESS`, `ADDRESS@PORT`, `[ADDRESS]:PORT` or `IPV4:PORT`; without a port *port stays. */
bool addr_parse_listen(const char *text, struct msg_addr *a, uint16_t *port);
/* `02:00:5e:10:00:0a`, six octets in hexadecimal. */
bool addr_parse_mac(const char *text, uint8_t mac[6]);
/* Without the prefix length; RFC 5952 for IPv6. */
void addr_text(const struct msg_addr *a, char text[ADDR_TEXT]);
/* Returns text; ADDR_MAC_STR: text in memory of the block in which it stands. */
const char *addr_mac_text(const uint8_t mac[6], char text[ADDR_MAC_TEXT]);
#define ADDR_MAC_STR(mac) addr_mac_text((mac), (char[ADDR_MAC_TEXT]){ "" })
/* Order by family, then numerically; prefixlen does not count. */
int addr_cmp(const struct msg_addr *a, const struct msg_addr *b);
bool addr_in_prefix(const struct msg_addr *a, const struct msg_addr *prefix);
bool addr_in_range(const struct msg_addr *a, const struct addr_range *r);
bool addr_ranges_overlap(const struct addr_range *a, const struct addr_range *b);
/* The whole prefix, network and broadcast address included. */
void addr_prefix_range(const struct msg_addr *prefix, struct addr_range *r);
/* 0.0.0.0 or :: */
bool addr_is_any(const struct msg_addr *a);

#endif
