/*
 * waking: the set `waking` of the instance's nftables table (activity_table.h): MACs of guests
 * whose RST for a SYN is dropped.  Not included outside vm/.
 *
 * Beside libnftables, whose lock and cache cost milliseconds: a wake has not so many.
 */
#ifndef VM_NET_WAKING_H
#define VM_NET_WAKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct waking {
	uint8_t mac[6];
	bool on;                   /* to be in the set; else not, whether it is there or not */
};

/* All of them in one transaction; at most WAKING_MOST, no MAC twice.  Any thread. */
#define WAKING_MOST 64
enum err waking_set(const char *table, const struct waking *list, unsigned n, struct errmsg *m);

#endif
