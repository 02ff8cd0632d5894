/* proxy: PROXY protocol version 2. */
#include "dns/server/proxy.h"

#include <string.h>

#include "dns/zimage/rdata.h"

#define FIXED 16
#define VERSION 2
#define PORTS 4                /* two, behind two addresses */
#define ADDRS_UNIX 216

enum { COMMAND_LOCAL, COMMAND_PROXY };
enum { FAMILY_INET = 1, FAMILY_INET6, FAMILY_UNIX };
enum { TRANSPORT_STREAM = 1, TRANSPORT_DGRAM };

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* The client's address; false: the header contradicts itself. */
static bool
parse_client(const uint8_t *bytes, size_t body, struct proxy_header *h)
{
	unsigned family = bytes[13] >> 4, transport = bytes[13] & 15;
	size_t len;

	if (family > FAMILY_UNIX || transport > TRANSPORT_DGRAM)
		return false;
	h->stream = transport == TRANSPORT_STREAM;
	switch (family) {
	case FAMILY_INET:
	case FAMILY_INET6:
		len = family == FAMILY_INET ? 4 : 16;
		if (body < 2 * len + PORTS || transport == 0)
			return false;
		h->client = (struct msg_addr){ .family = len == 4 ? 4 : 6,
			.prefixlen = (uint8_t)(8 * len) };
		memcpy(h->client.bytes, bytes + FIXED, len);
		return true;
	case FAMILY_UNIX:
		return body >= ADDRS_UNIX;
	default:
		return transport == 0;
	}
}

enum proxy_parsed
proxy_parse(const uint8_t *bytes, size_t len, struct proxy_header *h)
{
	size_t body;

	memset(h, 0, sizeof(*h));
	if (memcmp(bytes, signature, len < sizeof(signature) ? len : sizeof(signature)) != 0)
		return PROXY_BAD;
	if (len > 12 && ((bytes[12] >> 4) != VERSION || (bytes[12] & 15) > COMMAND_PROXY))
		return PROXY_BAD;
	if (len < FIXED)
		return PROXY_MORE;
	body = dns_get16(bytes + 14);
	if (body > LIMIT_PROXY_BODY)
		return PROXY_BAD;
	if (len - FIXED < body)
		return PROXY_MORE;
	h->len = FIXED + body;
	if ((bytes[12] & 15) == COMMAND_LOCAL)
		return PROXY_OK;   /* what stands in the body is to be ignored */
	return parse_client(bytes, body, h) ? PROXY_OK : PROXY_BAD;
}

bool
proxy_listed(const struct msg_proxies *list, const struct msg_addr *a)
{
	size_t len = a->family == 4 ? 4 : 16;

	for (uint32_t i = 0; i < list->n; i++) {
		const struct addr_range *r = &list->range[i];

		if (r->first.family == a->family && memcmp(r->first.bytes, a->bytes, len) <= 0 &&
		    memcmp(a->bytes, r->last.bytes, len) <= 0)
			return true;
	}
	return false;
}
