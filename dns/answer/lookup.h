/*
 * lookup: the zone for a name, and what RFC 1034 section 4.3.2 step 3 finds in it.
 */
#ifndef DNS_ANSWER_LOOKUP_H
#define DNS_ANSWER_LOOKUP_H

#include "dns/answer/answer.h"
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
	struct dns_mapped **maps;
	uint32_t nmaps;
	uint8_t *absent;           /* heads of zones with ZONE_ABSENT, which have nothing but an origin */
};

enum dns_found {
	DNS_FOUND_NODE,        /* the name itself, authoritative; a cut too when its DS is asked for */
	DNS_FOUND_WILDCARD,    /* `node` is the wildcard (source of synthesis) */
	DNS_FOUND_CUT,         /* at or below the delegation `node` */
	DNS_FOUND_DNAME,       /* below the DNAME at `node` */
	DNS_FOUND_NOTHING      /* `node` is the closest encloser */
};

struct dns_lookup {
	enum dns_found found;
	const struct znode *node;
};

/*
 * The zone with the longest origin that `name` is at or below, or NULL.  With `above` its first label is skipped: the parent
 * side of a zone cut, for DS.
 */
const struct dns_zone *dns_zoneset_find(const struct dns_zoneset *set, const uint8_t *name, size_t len,
    const struct dns_labels *labels, bool above);

/* A name that will be looked up, on its way into the processor's cache. */
struct dns_probe {
	const struct zone_head *z;     /* NULL: nothing to fetch */
	const struct zslot *slot;
	uint32_t tag;
};

/*
 * The two steps of fetching what a lookup will touch, a step for all queries of a batch at a time, so that their waits for memory overlap.  First the slot
 * of the question's name in a message that nobody has checked; then the node it refers to.
 */
void dns_probe_slot(const struct dns_zoneset *set, const uint8_t *wire, size_t len, struct dns_probe *p);
void dns_probe_node(const struct dns_probe *p);

/* `name` must be in the zone. */
void dns_zone_lookup(const struct zone_head *z, const uint8_t *name, size_t len, const struct dns_labels *labels, uint16_t qtype,
    struct dns_lookup *out);

/* The node of exactly this name, occluded or not (for glue); NULL when there is none or the name is outside of the zone. */
const struct znode *dns_zone_node(const struct zone_head *z, const uint8_t *name, size_t len);

#endif
