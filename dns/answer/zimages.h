/* zimages: the zone images that the warden has sent, by their ids, and the sets of zones made from them. */
#ifndef DNS_ANSWER_ZIMAGES_H
#define DNS_ANSWER_ZIMAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/answer/zoneset.h"

struct images_row {
	uint32_t id;
	struct dns_mapped *map;   /* a set of zones holds references of its own */
	bool used;                /* by the set that is being made */
	bool served;              /* by the newest accepted set */
};

struct images {
	struct images_row *rows;
	uint32_t n;
};

/* MSG_IMAGE: maps the image, which the warden has checked; the descriptor stays the caller's. */
enum err images_add(struct images *im, uint32_t id, int fd, struct errmsg *m);

/*
 * MSG_COMMIT: makes a set from the bindings in `fd` (a sealed memory file, the caller's).  Unit numbers must be below `capacity`.  images_settle
 * must follow, whatever the outcome.
 */
enum err images_set_make(struct images *im, const struct msg *commit, int fd, uint32_t capacity, struct dns_zoneset **set,
    struct errmsg *m);

/* The set was accepted: images that it does not use are forgotten.  Or it was not: only those that are served stay. */
void images_settle(struct images *im, bool accepted);

void images_clear(struct images *im);

#endif
