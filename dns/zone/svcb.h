/*
 * svcb: the parameters of SVCB and HTTPS records (RFC 9460): as text, in wire format, and whether
 * they are well-formed.
 */
#ifndef DNS_ZONE_SVCB_H
#define DNS_ZONE_SVCB_H

#include <stddef.h>
#include <stdint.h>

/*
 * What is wrong with this RDATA, a phrase; NULL when it is well-formed.  Clients throw the whole
 * RRset away if not.
 */
const char *svcb_fault(const uint8_t *rdata, size_t len);

#endif
