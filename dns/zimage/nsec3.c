/* nsec3: hashed owner names. */
#include "dns/zimage/nsec3.h"

#include <ldns/sha1.h>
#include <string.h>

#include "dns/zimage/name.h"

static void
base32(const uint8_t hash[LDNS_SHA1_DIGEST_LENGTH], uint8_t label[NSEC3_LABEL])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

	label[0] = NSEC3_LABEL - 1;
	for (unsigned i = 0; i < NSEC3_LABEL - 1; i++) {
		unsigned bit = i * 5, at = bit / 8;
		unsigned low = at + 1 < LDNS_SHA1_DIGEST_LENGTH ? hash[at + 1] : 0;
		unsigned v = (unsigned)hash[at] << 8 | low;

		label[1 + i] = (uint8_t)digits[v >> (11 - bit % 8) & 31];
	}
}

void
nsec3_label(const struct nsec3_param *p, const uint8_t *name, size_t len,
    uint8_t label[NSEC3_LABEL])
{
	uint8_t data[DNS_WIRE_NAME + 255], hash[LDNS_SHA1_DIGEST_LENGTH];

	memcpy(data, name, len);
	for (unsigned i = 0; i <= p->iterations; i++) {
		if (p->salt_len > 0)
			memcpy(data + len, p->salt, p->salt_len);
		/* returns its argument */
		(void)ldns_sha1(data, (unsigned)(len + p->salt_len), hash);
		memcpy(data, hash, sizeof(hash));
		len = sizeof(hash);
	}
	base32(hash, label);
}
