/*
 * zcache: compiled images of large zones on disk, one file for each zone, found again by what the zone was made of.
 *
 *     STATE/images/<hash of the origin>:  head | texts: origin, file, units, inputs | pad to a page | the image
 *
 * An entry holds for a zone when a head that is made now, from a new reading of every file that the entry names, is the same byte for byte: the
 * zone's names, the size and keyed digest of each file (includes as well), and the program that compiled it.  Times and inodes do not count: a
 * file that was written again with the same contents is the same zone.
 *
 * An entry is believed only if it belongs to us and nobody else may touch it, its checksums hold, and the image passes the check that every image from a
 * child must pass.  Whatever else it is, the zone is compiled.  No function here is for an event loop: all of them read or write whole images.
 */
#ifndef SRC_LOAD_ZCACHE_H
#define SRC_LOAD_ZCACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "src/load/inputs.h"

struct dns_zimage;

struct imagecache {
	const char *dir;               /* made when the first entry is written */
	uint8_t key[16];               /* of this host: nobody who writes zones can aim at a digest */
	const atomic_bool *cancel;     /* NULL, or: end soon, with ERR_STATE */
};

/* A zone, as the configuration names it. */
struct imagecache_zone {
	const char *origin, *file, *units;   /* units: NULL when mappings stand in the zone */
};

#define IMAGECACHE_NAME 33

/* The name of a zone's entry: 32 hexadecimal digits. */
void imagecache_name(const struct imagecache *c, const char *origin, char name[IMAGECACHE_NAME]);

/*
 * Finds the entry of a zone: *fd is a sealed memory file of its own and *view the checked image in it, both the caller's; `in` gets the files that it was
 * made of.  ERR_MISSING: there is none.  ERR_STATE: it is of other contents, or we were cancelled.  Any other error: `m` says what is wrong with it.
 */
enum err imagecache_find(const struct imagecache *c, const struct imagecache_zone *z, int *fd, struct dns_zimage **view, struct inputs *in,
    struct errmsg *m);

/*
 * Keeps a sealed image that was compiled from `in`, noted before the compiler read it.  ERR_STATE: the files have changed since, or we were cancelled.
 * Replaces the former entry as a whole, or leaves it; *size is what the entry takes.
 */
enum err imagecache_keep(const struct imagecache *c, const struct imagecache_zone *z, const struct inputs *in, int fd, uint64_t *size,
    struct errmsg *m);

/* Removes every file that is not one of the `n` entries in `names`; *size is what stays, in bytes. */
void imagecache_evict(const struct imagecache *c, const char (*names)[IMAGECACHE_NAME], unsigned n, uint64_t *size);

#endif
