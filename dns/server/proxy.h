/*
 * proxy: the header of PROXY protocol version 2, with which a listed load balancer says who its
 * client is.
 *
 * Source: haproxy's "The PROXY protocol", section 2.2.  Over UDP it stands in front of each query,
 * over TCP once at the beginning.  A listed source must send it; from others it is not understood.
 */
#ifndef DNS_SERVER_PROXY_H
#define DNS_SERVER_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/msg.h"

enum proxy_parsed {
	PROXY_OK,
	PROXY_MORE,            /* it may be one; bytes are missing */
	PROXY_BAD
};

struct proxy_header {
	size_t len;            /* bytes of the header, what it carries beside addresses included */
	struct msg_addr client;   /* family 0: LOCAL, the proxy itself asks, or no IP address */
	bool stream;           /* the client asked over TCP */
};

enum proxy_parsed proxy_parse(const uint8_t *bytes, size_t len, struct proxy_header *h);

bool proxy_listed(const struct msg_proxies *list, const struct msg_addr *a);

#endif
