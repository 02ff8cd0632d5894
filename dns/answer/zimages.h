/* zimages: what the warden has sent, by their ids, and the sets of zones made from them. */
#ifndef DNS_ANSWER_ZIMAGES_H
#define DNS_ANSWER_ZIMAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/answer/zoneset.h"

struct zimages_row {
	uint32_t id;
	struct dns_zimage *map;   /* a set of zones holds references of its own */
	bool used;                /* by the set that is being made */
	bool served;              /* by the newest accepted set */
};

struct zimages {
	struct zimages_row *rows;
	uint32_t n;
};

/* MSG_ZIMAGE: maps the zimage, which the warden has checked; the descriptor stays the caller's. */
enum err zimages_add(struct zimages *im, uint32_t id, int fd, struct errmsg *m);

/*
 * MSG_COMMIT: makes a set from the bindings in `fd` (a sealed memory file, the caller's).  Unit
 * numbers must be below `capacity`.  zimages_settle must follow, whatever the outcome.
 */
enum err zimages_set_make(struct zimages *im, const struct msg *commit, int fd, uint32_t capacity,
    struct dns_zoneset **set, struct errmsg *m);

/* Forgets the zimages that the new set does not use, or if it was not accepted, the old one. */
void zimages_settle(struct zimages *im, bool accepted);

void zimages_clear(struct zimages *im);

#endif
