/* ztype: the types of records, their names and fields. */
#ifndef DNS_ZONE_ZTYPE_H
#define DNS_ZONE_ZTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/zone/zfield.h"

#define ZTYPE_FIELDS 9
#define ZTYPE_TEXT 16          /* the longest name of a type, or TYPE65535, and its end */

struct ztype {
	uint16_t number;
	const char *name;
	const struct zfield *fields[ZTYPE_FIELDS]; /* ends with NULL, or full; none: only RFC 3597's
	                                              form is read and printed */
};

/* NULL for a type that has no name here. */
const struct ztype *ztype_find(uint16_t number);

/* The type that t[0..len) names, in any case, or as TYPE0 to TYPE65535. */
bool ztype_number(const char *t, size_t len, uint16_t *number);

/* A type's name, or TYPEnnn. */
const char *ztype_text(uint16_t number, char buf[ZTYPE_TEXT]);

#endif
