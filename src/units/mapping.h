/*
 * mapping: from the TXT records of zimages to units: which image, network, addresses, MAC and
 * policy.
 *
 * Zone data is data: only keys that options.h marks may be set here.  One mapping_set holds the
 * units of all zones that a configuration serves; addresses, MACs and writable disks are checked
 * across all of them.  It points into the configuration, which must outlive it; it copies what it
 * needs from zimages.
 *
 * A zone is taken as a whole or not at all: the caller adds each zone's image.  For a zone that was
 * refused it may keep the image that was served before, which is never refused as a whole, whatever
 * the configuration has become: a unit that does not fit any more is refused alone.  Then
 * mapping_set_finish resolves what names other units (`unit`, `needs`), which may refuse further
 * zones; those too may be kept, and finished again.
 */
#ifndef SRC_UNITS_MAPPING_H
#define SRC_UNITS_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "src/units/types.h"

/* `host` are the host's own addresses, refused to units; copied. */
struct mapping_set *mapping_set_new(const struct config *conf, const struct mapping_secret *secret,
    const struct msg_addr *host, unsigned nhost);
/* The host's own MACs, refused to units; copied. */
void mapping_set_host_macs(struct mapping_set *set, const struct vm_host_mac *macs, unsigned n);
void mapping_set_free(struct mapping_set *set);   /* NULL is allowed; all unit_confs die */

/*
 * Adds zone `image_zone` of `img`, which may be closed then, as the contents of `zone`.  ERR_PARSE:
 * refused, with findings in `r`, and the set is as before.  ERR_EXISTS: it was added already.
 */
enum err mapping_set_add(struct mapping_set *set, const struct config_zone *zone,
    const struct dns_zimage *img, uint32_t image_zone, struct report *r);

/*
 * Keeps the contents of a zone that was refused; where an image section is gone, that of `before`,
 * the running set (or NULL), goes on.  `r` has units that are refused alone.  ERR_PARSE: not kept.
 */
enum err mapping_set_keep(struct mapping_set *set, const struct mapping_set *before,
    const struct config_zone *zone, const struct dns_zimage *img, uint32_t image_zone,
    struct report *r);

/*
 * Resolves aliases and needs.  ERR_PARSE: some zones were refused and left the set
 * (mapping_zone_added says which), or units of zones that were kept; the others are whole.
 */
enum err mapping_set_finish(struct mapping_set *set, struct report *r);
bool mapping_zone_added(const struct mapping_set *set, const struct config_zone *zone);

/* A zone's units, aliases too: entry i is dns_zimage_unit's i.  After mapping_set_finish. */
uint32_t mapping_zone_units(const struct mapping_set *set, const struct config_zone *zone);
const struct unit_conf *mapping_zone_unit(
    const struct mapping_set *set, const struct config_zone *zone, uint32_t i);
/* By owner (lower case, no final dot), aliases included; NULL when there is none.  O(1). */
const struct unit_conf *mapping_unit_find(const struct mapping_set *set, const char *owner);
/* Was it refused alone, in a zone that was kept? */
bool mapping_unit_refused(const struct mapping_set *set, const char *owner);
/* Units that are not aliases, and bytes that the set occupies (for `jitsu status`). */
uint32_t mapping_set_units(const struct mapping_set *set);
size_t mapping_set_bytes(const struct mapping_set *set);
/* May a unit say standby = yes? */
bool mapping_set_stands_by(const struct mapping_set *set);

/* Reads `state_dir`/secret, or makes it (0600, 16 random bytes) when it is missing. */
enum err mapping_secret_load(
    const char *state_dir, struct mapping_secret *secret, struct errmsg *m);
/* The same, with a copy in the run directory: MACs stay when `state_dir` is lost while VMs run. */
enum err mapping_secret_keep(
    const char *state_dir, const char *run_dir, struct mapping_secret *secret, struct errmsg *m);

#endif
