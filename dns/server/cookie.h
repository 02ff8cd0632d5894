/*
 * cookie: DNS cookies (RFC 7873) with the server cookies of RFC 9018, which all servers of one
 * address make alike when they share secrets.
 *
 * A server cookie is version 1, three reserved octets, the time and SipHash-2-4 of these, the
 * client's cookie and its address.  No I/O; the clock is an argument: seconds since 1970, modulo
 * 2^32 as RFC 1982 counts.
 */
#ifndef DNS_SERVER_COOKIE_H
#define DNS_SERVER_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/msg.h"
#include "dns/answer/query.h"   /* the cookies' lengths */

/*
 * Looks at the `len` bytes (8, or 16 to 40) of a client's COOKIE option and fills in the option of
 * the reply.  True when the server cookie in it is one of ours, made for this client and not more
 * than an hour ago: the client's address is not spoofed.
 */
bool dns_cookie_check(const struct msg_cookies *s, const uint8_t *cookie, size_t len,
    const struct msg_addr *client, uint32_t now_s, uint8_t reply[DNS_COOKIE_LEN]);

#endif
