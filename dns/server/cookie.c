/* cookie: server cookies are made and checked. */
#include "dns/server/cookie.h"

#include <string.h>

#include "base/siphash.h"
#include "dns/zimage/rdata.h"

#define VERSION 1
#define HASH_AT 8                /* within the server cookie: behind version, reserved and time */
/* RFC 9018 section 4.3. */
#define OLDEST_S 3600
#define RENEW_S 1800
#define FUTURE_S 300

/* The hash at the end of a cookie: of what stands before it, and the client's address. */
static void
hash(const uint8_t secret[MSG_COOKIE_SECRET], const uint8_t head[DNS_COOKIE_CLIENT + HASH_AT],
    const struct msg_addr *client, uint8_t out[8])
{
	uint8_t data[DNS_COOKIE_CLIENT + HASH_AT + 16];
	size_t addr_len = client->family == 4 ? 4 : 16;
	uint64_t h;

	memcpy(data, head, DNS_COOKIE_CLIENT + HASH_AT);
	memcpy(data + DNS_COOKIE_CLIENT + HASH_AT, client->bytes, addr_len);
	h = siphash24(secret, data, DNS_COOKIE_CLIENT + HASH_AT + addr_len);
	for (unsigned i = 0; i < 8; i++)   /* SipHash's own order of bytes: the lowest first */
		out[i] = (uint8_t)(h >> (8 * i));
}

/* Whatever differs, it takes the same time. */
static bool
equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

/* *own: made with the secret that makes cookies now. */
static bool
valid(const struct msg_cookies *s, const uint8_t *cookie, const struct msg_addr *client,
    int32_t age_s, bool *own)
{
	uint8_t want[8];

	if (cookie[DNS_COOKIE_CLIENT] != VERSION || age_s > OLDEST_S || age_s < -FUTURE_S)
		return false;
	for (uint32_t i = 0; i < s->n; i++) {
		hash(s->secret[i], cookie, client, want);
		if (equal(want, cookie + DNS_COOKIE_CLIENT + HASH_AT, sizeof(want))) {
			*own = i == 0;
			return true;
		}
	}
	return false;
}

bool
dns_cookie_check(const struct msg_cookies *s, const uint8_t *cookie, size_t len,
    const struct msg_addr *client, uint32_t now_s, uint8_t reply[DNS_COOKIE_LEN])
{
	bool whole = len == DNS_COOKIE_LEN, own = false, ok;
	int32_t age_s = whole ? (int32_t)(now_s - dns_get32(cookie + DNS_COOKIE_CLIENT + 4)) : 0;

	ok = whole && valid(s, cookie, client, age_s, &own);
	if (ok && own && age_s <= RENEW_S) {
		memcpy(reply, cookie, DNS_COOKIE_LEN);
		return true;
	}
	memcpy(reply, cookie, DNS_COOKIE_CLIENT);
	memset(reply + DNS_COOKIE_CLIENT, 0, HASH_AT);
	reply[DNS_COOKIE_CLIENT] = VERSION;
	dns_put32(reply + DNS_COOKIE_CLIENT + 4, now_s);
	hash(s->secret[0], reply, client, reply + DNS_COOKIE_CLIENT + HASH_AT);
	return ok;
}
