/*
 * zquick: the commonest lines of large zones, addresses, without the general parser.
 */
#ifndef DNS_ZONE_ZQUICK_H
#define DNS_ZONE_ZQUICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/zimage/name.h"

struct zquick {
	uint8_t owner[DNS_WIRE_NAME];   /* whole, lower-case */
	size_t owner_len;
	uint32_t ttl;
	uint16_t type;                  /* A or AAAA */
	uint8_t rdata[16];
	size_t rdlen;
};

/*
 * Reads `OWNER [TTL] [IN] A|AAAA ADDRESS`, as zread_next gives it.  OWNER is letters, digits, `-`
 * and `_`, and relative names stand below origin[0..origin_len), which is lower-case; TTL is
 * seconds, else it is `ttl`.  False for everything else, right or wrong: that is for the general
 * parser.
 */
bool zquick_read(const char *entry, const uint8_t *origin, size_t origin_len, uint32_t ttl,
    struct zquick *q);

#endif
