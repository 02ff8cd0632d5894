/*
 * passive: clients that neither wake a unit nor count as its use.
 *
 * Units name their list by number.  A list that is there is never changed and never goes, so that
 * workers read without a lock; one that has not come yet has nobody in it.
 */
#ifndef DNS_SERVER_PASSIVE_H
#define DNS_SERVER_PASSIVE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/msg.h"
#include "dns/server/peer.h"

/* All zero at first; by number - 1. */
struct passive {
	_Atomic(struct passive_list *) lists[LIMIT_PASSIVE_LISTS];
};

/* MSG_PASSIVE.  ERR_PROTO: its number or its length is out of bounds, or it came before. */
enum err passive_add(struct passive *p, const struct msg *msg, struct errmsg *m);
/* Is the client on that list?  Only for units that name one: `list` is not 0. */
bool passive_has(const struct passive *p, unsigned list, const struct dns_peer *peer);

#endif
