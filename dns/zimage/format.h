/*
 * format: the format of compiled zones.
 *
 * A zimage file is a head, zones one behind the other, and a directory.  A zone is position
 * independent by itself: whatever it refers to is a zref, counted in 4-byte words from its own
 * beginning, so that zones of several zimages are served side by side and one can be recompiled
 * alone.  Host byte order: a zimage never leaves the machine.
 *
 *     zone_head  origin  nodes ...  slots  negative SOA  units  strings  order  order keys
 *
 * A lookup hashes the labels between origin and name, from the right (so every ancestor's hash
 * falls out on the way), and touches one slot and one node.  A node has its RRsets inside, as they
 * go into a message whose question is that node: owner C00C, and names in RDATA compressed against
 * the owner's suffixes alone, as pointers to 12 + offset in the owner.  For any other place in a
 * message they are rewritten.
 *
 *     znode | labels relative to the origin | pad | [order index] | [unit index] | zrrset ...
 *     zrrset | RRs | RRSIGs covering them | pad
 *
 * NSEC3 records are nodes as well, reachable through `order` alone: their names do not exist (RFC
 * 5155 section 7.2.8).  zimage_check verifies everything that a reader relies on; after it no
 * reader checks an offset again.
 */
#ifndef DNS_ZIMAGE_FORMAT_H
#define DNS_ZIMAGE_FORMAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "dns/zimage/name.h"

#define ZIMAGE_MAGIC 0x697a757374696aull   /* "jitsuzi" */
#define ZIMAGE_VERSION 2
#define ZONE_MAGIC 0x6e6f7a6au             /* "jzon" */

typedef uint32_t zref;                     /* words from the zone's beginning; 0 = none */

struct zimage_head {
	uint64_t magic;
	uint32_t version;
	uint32_t nzones;
	uint64_t size;                         /* of the whole file */
	uint64_t dir;                          /* struct zimage_dir[nzones], byte offset */
};

struct zimage_dir {
	uint64_t offset, size;                 /* of a zone, in bytes; multiples of 8 */
};

enum zone_flag {
	ZONE_NSEC = 1,
	ZONE_NSEC3 = 2,
	ZONE_ABSENT = 4            /* configured, but not loaded: never in a zimage */
};

struct zone_head {
	uint32_t magic, version;
	uint64_t size;
	uint64_t seed;                         /* of the hash, random per compilation */
	uint32_t index;                        /* the loader's own numbering (MSG_ZONE) */
	uint32_t serial;
	uint32_t names;                        /* nodes in the hash table */
	uint32_t records;
	uint32_t nslots;                       /* more than names: probing ends at an empty slot */
	zref slots;
	zref apex;
	zref nodes, nodes_end;
	zref negative;                         /* zrrset: the SOA with the TTL of RFC 2308 */
	uint32_t nunits;
	zref units;
	zref strings, strings_end;             /* file names and mapping strings */
	uint32_t norder;
	/* zref[norder]: owners of NSEC, or of NSEC3, in canonical order */
	zref order;
	zref order_keys;                       /* uint64_t[norder]: zimage_order_key of each */
	uint16_t nsec3_iterations;
	uint8_t pad1, nsec3_salt_len;
	zref nsec3_salt;
	uint8_t flags;                         /* enum zone_flag */
	uint8_t origin_labels, origin_len;
	uint8_t pad[1];
	/* origin_len bytes of the origin follow */
};

_Static_assert(sizeof(struct zone_head) == 104, "no hidden padding");

struct zslot {
	uint32_t tag;
	zref node;                             /* 0 = empty */
};

enum znode_flag {
	ZNODE_APEX = 1,
	ZNODE_CUT = 2,             /* a delegation: NS below the apex */
	ZNODE_OCCLUDED = 4,        /* below a cut (glue) or below a DNAME */
	ZNODE_WILD_CHILD = 8,      /* "*" exists right below */
	ZNODE_DNAME = 16,
	ZNODE_CNAME = 32,
	ZNODE_UNIT = 64,           /* has a unit index */
	ZNODE_ORDER = 128,         /* has an index into `order`: its NSEC, or matching NSEC3 */
	ZNODE_NSEC3 = 256,         /* an NSEC3 owner, not in the hash table */
	ZNODE_STAR = 512           /* its NSEC covers the wildcard below it */
};

struct znode {
	uint16_t flags;            /* enum znode_flag */
	uint16_t nrrsets;          /* 0: an empty non-terminal */
	uint8_t name_len;          /* labels relative to the origin, without a root label */
	uint8_t labels;
	uint8_t rrsets;            /* words from the node's beginning to its first RRset */
	uint8_t pad;
	uint8_t name[];
};

#define ZRRSET_COUNT 0x1fff
#define ZRRSET_REWRITE 0x8000  /* names in it compress against each other, so take the slow way */

struct zrrset {
	uint16_t type;
	uint16_t count;            /* records | flags */
	uint16_t len;              /* bytes of them */
	uint16_t sig_len;          /* bytes of the RRSIGs behind them */
	uint8_t wire[];
};

_Static_assert(sizeof(struct znode) == 8 && sizeof(struct zrrset) == 8,
    "a name with one A record takes about 52 bytes");

#define ZRR_FIXED 12           /* C00C, type, class, TTL, RDLENGTH */

struct zunit {
	zref node;
	zref file, strings;        /* in the strings area: terminated; as in a TXT record */
	uint32_t line;
	uint32_t ttl;              /* of the mapping itself */
	uint16_t strings_len;
	uint16_t nstrings;
};

static inline const void *
zone_at(const struct zone_head *z, zref ref)
{
	return (const uint8_t *)z + (size_t)ref * 4;
}

static inline const uint8_t *
zone_origin(const struct zone_head *z)
{
	return (const uint8_t *)(z + 1);
}

static inline const struct zrrset *
znode_rrsets(const struct znode *n)
{
	return (const void *)((const uint8_t *)n + (size_t)n->rrsets * 4);
}

static inline size_t
zrrset_size(const struct zrrset *s)
{
	return (sizeof(*s) + s->len + s->sig_len + 3u) & ~(size_t)3;
}

static inline const struct zrrset *
zrrset_next(const struct zrrset *s)
{
	return (const void *)((const uint8_t *)s + zrrset_size(s));
}

static inline const struct zrrset *
znode_find(const struct znode *n, uint16_t type)
{
	const struct zrrset *s = znode_rrsets(n);

	for (unsigned i = 0; i < n->nrrsets; i++, s = zrrset_next(s))
		if (s->type == type)
			return s;
	return NULL;
}

static inline uint32_t
znode_unit(const struct znode *n)
{
	return ((const uint32_t *)(const void *)znode_rrsets(n))[-1];
}

/* With ZNODE_ORDER: where its NSEC or NSEC3 stands in the zone's order. */
static inline uint32_t
znode_order(const struct znode *n)
{
	const uint32_t *rrsets = (const void *)znode_rrsets(n);

	return rrsets[(n->flags & ZNODE_UNIT) != 0 ? -2 : -1];
}

/*
 * A number for the place of a name in canonical order: of the label right below the origin the
 * first bytes.  Names with different keys are in the order of their keys; those with equal ones
 * have to be compared.
 */
static inline uint64_t
zimage_order_key(const uint8_t *label)
{
	unsigned n = label[0] < 8 ? label[0] : 8;
	uint64_t key = 0;

	for (unsigned i = 1; i <= n; i++)
		key |= (uint64_t)label[i] << (64 - 8 * i);
	return key;
}

/* Owner name of a node: its labels and the zone's origin.  Returns the length. */
static inline size_t
znode_owner(const struct zone_head *z, const struct znode *n, uint8_t owner[DNS_WIRE_NAME])
{
	memcpy(owner, n->name, n->name_len);
	memcpy(owner + n->name_len, zone_origin(z), z->origin_len);
	return (size_t)n->name_len + z->origin_len;
}

/* Hash of a name from its parent's; the origin's is the zone's seed.  `label` has its length. */
static inline uint64_t
zhash_label(uint64_t h, const uint8_t *label)
{
	unsigned n = label[0] + 1u;
	uint64_t w = 0;
	uint32_t a, b;
	unsigned __int128 m;

	for (; n > 8; n -= 8, label += 8) {
		memcpy(&w, label, 8);
		m = (unsigned __int128)(h ^ w) * 0x9e3779b97f4a7c15ull;
		h = (uint64_t)m ^ (uint64_t)(m >> 64);
	}
	if (n >= 4) {
		memcpy(&a, label, 4);
		memcpy(&b, label + n - 4, 4);
		w = a | (uint64_t)b << 32;
	} else {
		w = label[0] | (uint64_t)label[n / 2] << 8 | (uint64_t)label[n - 1] << 16;
	}
	m = (unsigned __int128)(h ^ w ^ 0xa0761d6478bd642full) * 0xe7037ed1a0b428dbull;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint32_t
zhash_slot(uint64_t h, uint32_t nslots)
{
	return (uint32_t)(((h >> 32) * nslots) >> 32);
}

/*
 * A name as it stands in an RRset's RDATA: labels, then the root or a pointer 12 + offset into
 * `owner`.  Writes it in full, in its own case, and returns the length; *used is what it took in
 * the RDATA.  For checked zimages only.
 */
size_t zimage_name_expand(const uint8_t *stored, const uint8_t *owner, size_t owner_len,
    uint8_t name[DNS_WIRE_NAME], size_t *used);

/*
 * The same for data that nobody checked: 0 when it leaves stored[0..avail), does not point at a
 * label of `owner`, or is too long.
 */
size_t zimage_name_check(const uint8_t *stored, size_t avail, const uint8_t *owner,
    size_t owner_len, uint8_t name[DNS_WIRE_NAME], size_t *used);

/* A mapped zimage (dns.h): who shares it counts up `refs`, the last dns_zimage_close unmaps it. */
struct dns_zimage {
	atomic_uint refs;
	const void *map;
	size_t size;
};

/*
 * As dns_zimage_open, for who knows that the warden has checked the same sealed file, and looks at
 * its head alone: the check of a million names takes some 50 ms, in which nobody is answered.
 */
enum err dns_zimage_open_checked(int fd, struct dns_zimage **zimage, struct errmsg *m);

/* ERR_RANGE when there is no such zone. */
enum err dns_zimage_head(const struct dns_zimage *zimage, uint32_t zone,
    const struct zone_head **z, struct errmsg *m);

/* Everything that readers rely on.  The file may come from a confined child that was captured. */
enum err zimage_check(const void *map, size_t size, struct errmsg *m);

/* That alone of it which tells a zimage of ours, whole, from anything else. */
enum err zimage_check_head(const void *map, size_t size, struct errmsg *m);

static inline uint32_t
zimage_zones(const void *map)
{
	return ((const struct zimage_head *)map)->nzones;
}

static inline const struct zone_head *
zimage_zone(const void *map, uint32_t i)
{
	const struct zimage_head *h = map;
	const struct zimage_dir *d = (const void *)((const uint8_t *)map + h->dir);

	return (const void *)((const uint8_t *)map + d[i].offset);
}

#endif
