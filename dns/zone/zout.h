/* zout: a zimage while it is written: a memory file that grows, with one zone behind the other. */
#ifndef DNS_ZONE_ZOUT_H
#define DNS_ZONE_ZOUT_H

#include "base/err.h"
#include "dns/zimage/format.h"

struct zbudget;

struct zout {
	int fd;                    /* -1 when closed */
	uint8_t *map;
	size_t cap, len;           /* bytes mapped, bytes written */
	struct zimage_dir *zones;
	uint32_t nzones;
	size_t zone;               /* where the zone that is being written begins */
	struct zbudget *budget;    /* of the zone that is being written */
	enum err e;                /* why something could not be written; *m says more */
	struct errmsg *m;
};

enum err zout_open(struct zout *o, struct errmsg *m);
void zout_close(struct zout *o);   /* with everything in it */

/* Begin and end a zone; false with o->e, and the message in *m, which outlives the zone. */
bool zout_zone_begin(struct zout *o, struct zbudget *budget, struct errmsg *m);
bool zout_zone_end(struct zout *o);

/*
 * `size` bytes, zeroed, at a multiple of `align` (4 or 8), valid until the next call; *ref is the
 * reference within the zone.  NULL with o->e where they cannot be had or the budget has no more.
 */
void *zout_take(struct zout *o, size_t size, size_t align, zref *ref);
void *zout_at(const struct zout *o, zref at);

/* Writes head and directory and seals; *fd is the caller's, the zout is closed. */
enum err zout_finish(struct zout *o, int *fd, struct errmsg *m);

#endif
