/*
 * name: domain names in wire format.
 *
 * Unless said otherwise a name is absolute, uncompressed, at most DNS_NAME_MAX bytes with its root
 * label, and lower case; its length counts the root label.
 */
#ifndef DNS_ZIMAGE_NAME_H
#define DNS_ZIMAGE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define DNS_WIRE_NAME 255     /* RFC 1035 section 2.3.4 */
#define DNS_WIRE_LABELS 127   /* the most labels that fit, without the root */

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

#endif
