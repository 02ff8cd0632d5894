/*
 * ztree: one zone in memory while it is compiled: names, their RRsets, and the mappings.
 *
 * Everything lives in one arena and dies with the tree.  Names are kept relative to the origin,
 * lower case, without a root label.
 */
#ifndef DNS_ZONE_ZTREE_H
#define DNS_ZONE_ZTREE_H

#include "base/arena.h"
#include "base/err.h"
#include "dns/zimage/format.h"
#include "dns/zimage/rdata.h"
#include "dns/zone/zout.h"
#include "dns/zone/zparse.h"

/* The first label of a mapping's name, and its length with the length octet. */
#define ZTREE_MAPPING "_jitsu"
#define ZTREE_MAPPING_LEN sizeof(ZTREE_MAPPING)

struct trec {
	struct trec *next;
	uint16_t rdlen;
	uint16_t below;            /* lines below its RRset's first; 0: another file, or too far */
	uint8_t rdata[];           /* uncompressed */
};

struct trrset {
	struct trrset *next;
	struct trec *first, **tail;    /* in the file's order */
	const char *file;          /* where the first record stands */
	unsigned line;
	uint32_t ttl;              /* the lowest of its records' (RFC 2181 section 5.2) */
	uint32_t wire;             /* bytes, uncompressed */
	uint16_t type, covers;     /* covers: of RRSIG, one RRset per type that they sign */
	uint16_t n;
};

struct tnode {
	struct tnode *next;        /* in the order of their appearance */
	struct tnode *parent;      /* NULL for the apex and for NSEC3 owners */
	uint64_t hash;
	struct trrset *sets;
	struct tunit *unit;
	zref ref;                  /* once written */
	uint32_t order;            /* with ZNODE_ORDER */
	uint16_t flags;            /* enum znode_flag */
	uint8_t name_len, labels;
	uint8_t name[];
};

struct tunit {
	struct tunit *next;
	struct tnode *node;        /* resolved by zcheck_tree */
	uint32_t index;            /* in the file's order */
	const char *file;
	unsigned line;
	uint32_t ttl;
	uint16_t strings_len, nstrings;
	uint8_t name_len;          /* of the owner, relative */
	uint8_t *name, *strings;
};

struct tslot {
	uint64_t hash;
	struct tnode *node;
};

struct ztree {
	struct report *report;
	struct zbudget *budget;
	const char *file;          /* the zone's, for findings about the whole */
	uint8_t origin[DNS_WIRE_NAME];
	size_t origin_len;
	unsigned origin_labels;
	uint64_t seed;
	struct arena arena;
	struct tslot *slots;
	size_t nslots, nnodes;     /* a power of two; nodes in all */
	struct tnode *first, **tail, *apex;
	struct tnode *recent;      /* owner of the last record */
	struct tunit *units, **units_tail;
	uint32_t nunits, names, records;
	bool units_apart;          /* mappings come from a units file: the zone may hold none */
	bool is_signed;            /* has NSEC, NSEC3 or RRSIG records */
	uint32_t lone_sigs;        /* RRSIG records that sign nothing in the zone; by zcheck_tree */
	size_t nerrors;
};

/* The origin is in lower case and is copied. */
enum err ztree_init(struct ztree *t, const uint8_t *origin, size_t len, const char *file,
    bool units_apart, struct zbudget *budget, struct report *r, struct errmsg *m);
void ztree_clear(struct ztree *t);

/* For zparse: `arg` is the tree.  Findings go to its report. */
void ztree_add_record(void *arg, const struct zparse_rr *rr);
/* The same for a units file. */
void ztree_add_mapping(void *arg, const struct zparse_rr *rr);

/* Checks what only the whole shows, sets the nodes' flags.  ERR_PARSE: findings, also earlier. */
enum err zcheck_tree(struct ztree *t);

/* Warns of what can be served but will disappoint (zlint.c); zcheck_tree was successful. */
void zlint_tree(struct ztree *t);

/* NULL for none; `covers` as in struct trrset. */
struct trrset *tnode_find(const struct tnode *n, uint16_t type, uint16_t covers);

static inline bool
tnode_has_address(const struct tnode *n)
{
	return tnode_find(n, DNS_T_A, 0) != NULL || tnode_find(n, DNS_T_AAAA, 0) != NULL;
}

static inline bool
ztree_is_mapping(const uint8_t *name, size_t len)
{
	return len >= ZTREE_MAPPING_LEN && memcmp(name, "\6" ZTREE_MAPPING, ZTREE_MAPPING_LEN) == 0;
}

static inline bool
ztree_is_wildcard(const uint8_t *rel, size_t len)
{
	return len >= 2 && rel[0] == 1 && rel[1] == '*';
}

struct tnode *ztree_find(const struct ztree *t, const uint8_t *rel, size_t len);
/* Zeroed; NULL when the budget is spent. */
void *ztree_alloc(struct ztree *t, size_t size);

/* A finding. */
void ztree_found(struct ztree *t, const char *file, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A warning, if the report wants them. */
void ztree_warn(struct ztree *t, const char *file, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A relative name as text, with the origin; returns `text`. */
const char *ztree_name_text(const struct ztree *t, const uint8_t *rel, size_t len,
    char text[LIMIT_NAME_TEXT]);

/* Writes the tree as a zone of the zimage; zcheck_tree was successful. */
enum err zwrite_tree(struct ztree *t, struct zout *o, uint32_t index, struct errmsg *m);

/* The owners of NSEC or NSEC3 records in canonical order, in the arena. */
struct torder {
	struct tnode **nodes;
	uint32_t n;
	uint8_t flags;             /* enum zone_flag */
	const uint8_t *param;      /* RDATA of the NSEC3PARAM that holds; NULL without */
};

enum err zorder_tree(struct ztree *t, struct torder *o, struct errmsg *m);

#endif
