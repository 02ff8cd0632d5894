/* zhint: what people are told beside a finding about a record. */
#ifndef DNS_ZONE_ZHINT_H
#define DNS_ZONE_ZHINT_H

#include <stddef.h>
#include <stdint.h>

/* What this type needs, such as "MX needs a preference and a name, such as 10 mail". */
void zhint(uint16_t type, char *buf, size_t size);

#endif
