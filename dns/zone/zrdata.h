/*
 * zrdata: the types of records, and the RDATA of those that have a name: from the text of master
 * files into wire format and back.
 *
 * Data in the form of RFC 3597 (`\# LENGTH HEX`) is held to what its type needs as well (section 5
 * there).
 */
#ifndef DNS_ZONE_ZRDATA_H
#define DNS_ZONE_ZRDATA_H

#include "dns/zone/zfield.h"

/* ---- ztype.c ---- */

#define ZTYPE_FIELDS 9
#define ZTYPE_TEXT 16          /* the longest name of a type, or TYPE65535, and its end */

struct ztype {
	uint16_t number;
	const char *name;
	/* ends with NULL, or is full; without any, only RFC 3597's form is read and printed */
	const struct zfield *fields[ZTYPE_FIELDS];
};

/* NULL for a type that has no name here. */
const struct ztype *ztype_find(uint16_t number);

/* The type that t[0..len) names, in any case, or as TYPE0 to TYPE65535. */
bool ztype_number(const char *t, size_t len, uint16_t *number);

/* A type's name, or TYPEnnn. */
const char *ztype_text(uint16_t number, char buf[ZTYPE_TEXT]);

/* ---- zrdata.c ---- */

/* Reads what follows the type in an entry of zread's into out[ZRDATA_MAX]; false: `why` says. */
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
