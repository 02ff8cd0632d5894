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
	size_t most;               /* bytes that the zone may have; SIZE_MAX: any */
	struct zbudget *budget;    /* that says so, with any other `most` */
};

enum err zout_open(struct zout *o, struct errmsg *m);
void zout_close(struct zout *o);   /* with everything in it */

enum err zout_zone_begin(struct zout *o, struct errmsg *m);
enum err zout_zone_end(struct zout *o, struct errmsg *m);
void zout_zone_drop(struct zout *o);

/*
 * `size` bytes, zeroed, at a multiple of `align` (4 or 8); *at is the reference within the zone, *p
 * is valid until the next call.
 */
enum err zout_take(struct zout *o, size_t size, size_t align, zref *at, void **p, struct errmsg *m);
void *zout_at(const struct zout *o, zref at);

/* Writes head and directory and seals; *fd is the caller's, the zout is closed. */
enum err zout_finish(struct zout *o, int *fd, struct errmsg *m);

#endif
