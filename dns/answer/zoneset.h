/*
 * zoneset: immutable sets of zones, bound out of mapped zimages.
 *
 * The server swaps whole sets; a set and the zimages that it refers to stay as they are while
 * anybody uses them.
 */
#ifndef DNS_ANSWER_ZONESET_H
#define DNS_ANSWER_ZONESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/msg.h"
#include "dns/zimage/format.h"

struct dns_zone {
	const struct zone_head *head;
	uint32_t first_unit;       /* into the set's numbers */
};

struct dns_zoneset {
	struct dns_zone *zones;
	uint32_t nzones;
	uint32_t *slots;           /* 1 + index into zones; 0 = empty */
	uint32_t nslots;
	unsigned min_labels, max_labels;
	uint64_t bytes;            /* of all zones */
	uint64_t seed;
	uint32_t *numbers;
	uint32_t nnumbers;
	struct dns_zimage **maps;
	uint32_t nmaps;
	uint8_t *absent;           /* heads of zones with ZONE_ABSENT, which have only an origin */
};

/*
 * A new set from bindings: rows[i].zimage indexes `maps` (nmaps of them; the set has references of
 * its own).  numbers[] are unit numbers, copied.  ERR_PROTO when a row points outside its zimage.
 */
enum err dns_zoneset_new(struct dns_zimage *const *maps, uint32_t nmaps,
    const struct msg_binding *rows, uint32_t nrows, const uint32_t *numbers, uint32_t nnumbers,
    struct dns_zoneset **set, struct errmsg *m);
void dns_zoneset_free(struct dns_zoneset *set);

/*
 * Adds zones that are configured and could not be loaded, once, before the set is used: `names` is
 * text, each terminated, `len` bytes in all.  What is asked about them is SERVFAIL.  ERR_PROTO when
 * one is no name; the set must be freed then.
 */
enum err dns_zoneset_absent(struct dns_zoneset *set, const char *names, size_t len,
    struct errmsg *m);

/*
 * The zone with the longest origin that `name` is at or below, or NULL.  With `above` its first
 * label is skipped: the parent side of a zone cut, for DS.
 */
const struct dns_zone *dns_zoneset_find(const struct dns_zoneset *set, const uint8_t *name,
    size_t len, const struct dns_labels *labels, bool above);

#endif
