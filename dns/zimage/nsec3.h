/* nsec3: hashed owner names (RFC 5155 section 5). */
#ifndef DNS_ZIMAGE_NSEC3_H
#define DNS_ZIMAGE_NSEC3_H

#include <stddef.h>
#include <stdint.h>

#define NSEC3_SHA1 1             /* the only algorithm there is */
#define NSEC3_LABEL 33           /* length octet and base32hex of 20 bytes */

/* With more, resolvers take a zone for unsigned (RFC 9276); each answer costs as many hashes. */
#define NSEC3_ITERATIONS_MOST 500

struct nsec3_param {
	const uint8_t *salt;
	uint16_t iterations;
	uint8_t salt_len;
};

/* The first label, lower case, of the NSEC3 record that matches `name` (absolute, lower case). */
void nsec3_label(const struct nsec3_param *p, const uint8_t *name, size_t len,
    uint8_t label[NSEC3_LABEL]);

#endif
