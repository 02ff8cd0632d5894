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

/*
 * All of them in one transaction; at most WAKING_MOST, no MAC twice.  One thread at a time.  *nl is
 * NULL at first, and the caller's to close (mnl_socket_close) in the end: after a removal that
 * takes the kernel 15 ms.
 */
#define WAKING_MOST 64
struct mnl_socket;
enum err waking_set(struct mnl_socket **nl, const char *table, const struct waking *list,
    unsigned n, struct errmsg *m);

#endif
