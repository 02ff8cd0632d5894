/* svcb: are the parameters of an SVCB or HTTPS record well-formed (RFC 9460)?  Clients throw the whole RRset away if not. */
#ifndef DNS_SVCB_H
#define DNS_SVCB_H

#include <stddef.h>
#include <stdint.h>

/* What is wrong with this RDATA, a phrase; NULL when it is well-formed. */
const char *svcb_fault(const uint8_t *rdata, size_t len);

#endif
