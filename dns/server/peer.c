/* peer: a client's address in the form of messages. */
#include "dns/server/peer.h"

#include <stdbool.h>
#include <string.h>

void
dns_peer_addr(const struct dns_peer *p, struct msg_addr *a)
{
	const struct in6_addr *in6 = &p->addr.in6.sin6_addr;
	bool is4 = p->addr.sa.sa_family == AF_INET;

	memset(a, 0, sizeof(*a));
	if (is4 || IN6_IS_ADDR_V4MAPPED(in6)) {
		a->family = 4;
		a->prefixlen = 32;
		memcpy(a->bytes, is4 ? (const void *)&p->addr.in.sin_addr : in6->s6_addr + 12, 4);
	} else if (p->addr.sa.sa_family == AF_INET6) {
		a->family = 6;
		a->prefixlen = 128;
		memcpy(a->bytes, in6, 16);
	}
}

void
dns_peer_client(const struct dns_peer *p, struct msg_addr *a)
{
	if (p->proxied)
		*a = p->client;
	else
		dns_peer_addr(p, a);
}
