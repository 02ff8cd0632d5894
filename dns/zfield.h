/*
 * zfield: the fields of a record that ldns read, held against what the file says.
 *
 * ldns cuts numbers that do not fit (MX 65546 becomes 10), takes types that it does not know for type 0, a name that begins with the label "@" for the
 * origin, and what it likes for a LOC record.  What is served must be what was written, so these are errors.
 */
#ifndef DNS_ZFIELD_H
#define DNS_ZFIELD_H

#include <ldns/rr.h>
#include <stdbool.h>

/* `type` is the text from the type on, as zread made it, of which ldns made `rr`.  False: `why` says what is wrong. */
bool zfield_check(char *type, const ldns_rr *rr, char *why, size_t size);

#endif
