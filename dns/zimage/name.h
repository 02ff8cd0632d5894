/*
 * name: domain names in wire format.
 *
 * Unless said otherwise a name is absolute, uncompressed, at most DNS_WIRE_NAME bytes with its root
 * label, and lower case; its length counts the root label.
 */
#ifndef DNS_ZIMAGE_NAME_H
#define DNS_ZIMAGE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define DNS_WIRE_NAME 255     /* RFC 1035 section 2.3.4 */
#define DNS_WIRE_LABEL 63     /* bytes of a label */
#define DNS_WIRE_LABELS 127   /* the most labels that fit, without the root */
#define DNS_MESSAGE_HEADER 12 /* where the question's name begins in a message */

/* Where each label of a name begins, leftmost first, the root not among them. */
struct dns_labels {
	uint8_t off[DNS_WIRE_LABELS + 1];
	unsigned n;
};

static inline uint8_t
dns_lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Do two labels differ in the case of their letters at most? */
static inline bool
dns_label_equal(const uint8_t *a, const uint8_t *b)
{
	bool equal = a[0] == b[0];

	for (unsigned i = 1; equal && i <= a[0]; i++)
		equal = dns_lower(a[i]) == dns_lower(b[i]);
	return equal;
}

/*
 * Length of the uncompressed name at p, or 0 when it is malformed, compressed, or longer than
 * `avail` or than 255 bytes.  Any case.
 */
size_t dns_name_len(const uint8_t *p, size_t avail);

void dns_name_labels(const uint8_t *name, struct dns_labels *l);

void dns_name_lower(uint8_t *dst, const uint8_t *src, size_t len);

/*
 * Canonical order (RFC 4034 section 6.1) of two lower-case names without their common origin: `a`,
 * whose n labels begin at a_off, and b[0..b_len).  As memcmp.
 */
int dns_name_compare(const uint8_t *a, const uint8_t *a_off, unsigned n, const uint8_t *b,
    size_t b_len);

/* Is `name` equal to `origin` or below it? */
bool dns_name_under(const uint8_t *name, size_t len, const uint8_t *origin, size_t origin_len);

/* As text without the final dot ("." for the root), every octet that needs it escaped. */
void dns_name_text(const uint8_t *name, char text[LIMIT_NAME_TEXT]);

/* ---- nsec3.c: hashed owner names (RFC 5155 section 5) ---- */

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
