/* zloc: the text of a LOC record, of which ldns takes what it can read: 91 degrees, 75 minutes, a record without an altitude. */
#ifndef DNS_ZLOC_H
#define DNS_ZLOC_H

#include <stdbool.h>
#include <stddef.h>

/* `t` is RDATA that ldns took, with single blanks.  False: `why` names the field that RFC 1876 section 3 does not have so, and what it should be. */
bool zloc_check(char *t, char *why, size_t size);

#endif
