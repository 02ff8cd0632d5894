/*
 * zrdata: RDATA of every type that has a name, from the text of master files into wire format and
 * back.
 *
 * Data in the form of RFC 3597 (`\# LENGTH HEX`) is held to what its type needs as well (section 5
 * there).
 */
#ifndef DNS_ZONE_ZRDATA_H
#define DNS_ZONE_ZRDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/zone/zfield.h"

/*
 * Reads what stands behind the type in an entry of zread's into out[ZRDATA_MAX]; false with a
 * phrase in `why`.
 */
bool zrdata_read(uint16_t type, const char *text, const uint8_t *origin, size_t origin_len,
    uint8_t *out, size_t *len, char *why, size_t size);

/* Is this what the type needs?  Names are uncompressed. */
bool zrdata_check(uint16_t type, const uint8_t *rdata, size_t len, char *why, size_t size);

/* Writes RDATA so that zrdata_read reads the same from it. */
void zrdata_print(struct ztext *x, uint16_t type, const uint8_t *rdata, size_t len);

/*
 * Are these the same but for the case of the names that DNSSEC's canonical form has in lower case
 * (RFC 4034 section 6.2)?  Both were checked.
 */
bool zrdata_equal(uint16_t type, const uint8_t *a, size_t alen, const uint8_t *b, size_t blen);

#endif
