/*
 * zcache: zimages of large zones on disk, one file for each zone, found again by what the zone was
 * made of.
 *
 *     STATE/images/<hash of the origin>:  head | texts: origin, file, units, inputs | pad | zimage
 *
 * An entry holds for a zone when a head that is made now, from a new reading of every file that the
 * entry names, is the same byte for byte: the zone's names, the size and keyed digest of each file
 * (includes as well), and the program that compiled the zone.  Times and inodes do not count: a
 * file that was written again with the same contents is the same zone.
 *
 * An entry is believed only if it belongs to us and nobody else may touch it, its checksums hold,
 * and the zimage passes the check of every zimage that a child makes.  Otherwise the zone is
 * compiled.  No function here is for an event loop: all read or write whole zimages.
 */
#ifndef SRC_LOAD_ZCACHE_H
#define SRC_LOAD_ZCACHE_H

#include <stdatomic.h>

#include "src/load/inputs.h"

struct dns_zimage;

struct zcache {
	const char *dir;               /* made when the first entry is written */
	uint8_t key[16];               /* of this host: no zone's author can aim at a digest */
	const atomic_bool *cancel;     /* NULL, or: end soon, with ERR_STATE */
};

/* A zone, as the configuration names it. */
struct zcache_zone {
	const char *origin, *file, *units;   /* units: NULL when mappings stand in the zone */
};

#define ZCACHE_NAME 33

/* The name of a zone's entry: 32 hexadecimal digits. */
void zcache_name(const struct zcache *c, const char *origin, char name[ZCACHE_NAME]);

/*
 * Finds the entry of a zone: *fd is a sealed memory file of its own and *view the checked zimage in
 * it, both the caller's; `in` gets the files that it was made of.  ERR_MISSING: there is no entry.
 * ERR_STATE: its contents are others, or we were cancelled.  Otherwise `m` says what is wrong.
 */
enum err zcache_find(const struct zcache *c, const struct zcache_zone *z, int *fd,
    struct dns_zimage **view, struct inputs *in, struct errmsg *m);

/*
 * Keeps a sealed zimage that was compiled from `in`, noted before the compiler read that.
 * ERR_STATE: the files have changed since, or we were cancelled.  Replaces the former entry as a
 * whole, or leaves it; *size is what the entry takes.
 */
enum err zcache_keep(const struct zcache *c, const struct zcache_zone *z, const struct inputs *in,
    int fd, uint64_t *size, struct errmsg *m);
/* Removes every file that is not one of the `n` entries in `names`; *size is what stays. */
void zcache_evict(
    const struct zcache *c, const char (*names)[ZCACHE_NAME], unsigned n, uint64_t *size);

#endif
