/* nsec3: hashed owner names. */
#include <ldns/sha1.h>
#include <ldns/util.h>
#include <string.h>

#include "dns/zimage/name.h"

void
nsec3_label(const struct nsec3_param *p, const uint8_t *name, size_t len,
    uint8_t label[NSEC3_LABEL])
{
	uint8_t data[DNS_WIRE_NAME + 255], hash[LDNS_SHA1_DIGEST_LENGTH];
	char text[NSEC3_LABEL];

	memcpy(data, name, len);
	for (unsigned i = 0; i <= p->iterations; i++) {
		if (p->salt_len > 0)
			memcpy(data + len, p->salt, p->salt_len);
		/* returns its argument */
		(void)ldns_sha1(data, (unsigned)(len + p->salt_len), hash);
		memcpy(data, hash, sizeof(hash));
		len = sizeof(hash);
	}
	label[0] = NSEC3_LABEL - 1;
	/* 20 bytes make 32 digits */
	(void)ldns_b32_ntop_extended_hex(hash, sizeof(hash), text, sizeof(text));
	memcpy(label + 1, text, NSEC3_LABEL - 1);
}
