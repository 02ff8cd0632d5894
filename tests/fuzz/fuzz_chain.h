/*
 * fuzz_chain: signs an oracle's zone (NSEC or NSEC3 chain, and signatures that say nothing), and
 * checks what a reply proves.
 */
#ifndef TESTS_FUZZ_CHAIN_H
#define TESTS_FUZZ_CHAIN_H

#include "fuzz_oracle.h"

extern ldns_rdf *ldns_nsec3_hash_name(const ldns_rdf *name, uint8_t algorithm, uint16_t iterations,
    uint8_t salt_length, const uint8_t *salt);
extern bool ldns_nsec_bitmap_covers_type(const ldns_rdf *bitmap, ldns_rr_type type);

#define CHAIN_NAMES 256
#define CHAIN_SALT "\xab"
#define CHAIN_SALT_TEXT "AB"
#define CHAIN_ITERATIONS 1u
#define CHAIN_LINE (4 * ORACLE_NAME)

enum chain { CHAIN_NONE, CHAIN_NSEC, CHAIN_NSEC3, CHAIN_OPTOUT };

/* A name and what it is sorted by: itself, or its hash. */
struct chain_name {
	char name[ORACLE_NAME], key[ORACLE_NAME];
};

struct chain_names {
	struct chain_name at[CHAIN_NAMES];
	unsigned n;
};

/* The canonical order of RFC 4034 section 6.1. */
static inline int
name_order(const char *a, const char *b)
{
	ldns_rdf *x = ldns_dname_new_frm_str(a), *y = ldns_dname_new_frm_str(b);
	int order = ldns_dname_compare(x, y);

	ldns_rdf_deep_free(x);
	ldns_rdf_deep_free(y);
	return order;
}

static inline void
chain_hash(const char *name, char hash[ORACLE_NAME])
{
	ldns_rdf *rdf = ldns_dname_new_frm_str(name);
	ldns_rdf *hashed = ldns_nsec3_hash_name(rdf, 1, CHAIN_ITERATIONS, sizeof(CHAIN_SALT) - 1,
	    (const uint8_t *)CHAIN_SALT);

	oracle_name(hashed, hash);
	hash[strcspn(hash, ".")] = '\0';
	ldns_rdf_deep_free(hashed);
	ldns_rdf_deep_free(rdf);
}

static inline int
chain_compare_names(const void *a, const void *b)
{
	return name_order(((const struct chain_name *)a)->key, ((const struct chain_name *)b)->key);
}

static inline int
chain_compare_hashes(const void *a, const void *b)
{
	return strcmp(((const struct chain_name *)a)->key, ((const struct chain_name *)b)->key);
}

static inline void
chain_add(struct chain_names *c, const char *name)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->at[i].name, name) == 0)
			return;
	if (c->n == CHAIN_NAMES)
		abort();
	snprintf(c->at[c->n++].name, ORACLE_NAME, "%s", name);
}

/* The names that the chain has: NSEC those with data, NSEC3 those between as well. */
static inline void
chain_collect(const struct oracle_zone *z, enum chain chain, struct chain_names *c)
{
	c->n = 0;
	for (unsigned i = 0; i < z->n; i++) {
		const struct oracle_record *r = &z->records[i];

		if (in_hash_space(r) || oracle_above(z, r->owner, false) != NULL)
			continue;
		if (chain == CHAIN_OPTOUT && oracle_cut(z, r->owner) &&
		    oracle_find(z, r->owner, DNS_T_DS) == NULL)
			continue;
		for (const char *a = r->owner; a != NULL;
		    a = strcmp(a, z->origin) == 0 ? NULL : name_parent(a)) {
			chain_add(c, a);
			if (chain == CHAIN_NSEC)
				break;
		}
	}
	for (unsigned i = 0; i < c->n; i++) {
		if (chain == CHAIN_NSEC)
			snprintf(c->at[i].key, ORACLE_NAME, "%s", c->at[i].name);
		else
			chain_hash(c->at[i].name, c->at[i].key);
	}
	qsort(c->at, c->n, sizeof(c->at[0]),
	    chain == CHAIN_NSEC ? chain_compare_names : chain_compare_hashes);
}

static inline bool
chain_signs(const struct oracle_zone *z, const char *name, uint16_t type)
{
	return type != DNS_T_RRSIG &&
	    (!oracle_cut(z, name) || type == DNS_T_DS || type == DNS_T_NSEC);
}

/* The type bitmap in text: of a delegation NS and DS alone. */
static inline void
chain_types(const struct oracle_zone *z, const char *name, enum chain chain, char text[ORACLE_NAME])
{
	size_t n = 0;
	bool any_signed = chain == CHAIN_NSEC;

	text[0] = '\0';
	for (unsigned i = 0; i < z->n; i++) {
		const struct oracle_record *r = &z->records[i];
		bool here = strcmp(r->owner, name) == 0 && !in_hash_space(r);

		if (!here || (!chain_signs(z, name, r->type) && r->type != DNS_T_NS))
			continue;
		any_signed = any_signed || chain_signs(z, name, r->type);
		n += (size_t)snprintf(text + n, ORACLE_NAME - n, " TYPE%u", r->type);
	}
	if (any_signed)
		snprintf(text + n, ORACLE_NAME - n, " RRSIG%s", chain == CHAIN_NSEC ? " NSEC" : "");
}

/*
 * Adds the chain and the signatures to the zone; every line goes through `add`, which puts it into
 * the zone.
 */
static inline void
chain_sign(struct oracle_zone *z, enum chain chain,
    void (*add)(void *arg, struct oracle_zone *z, const char *line), void *arg)
{
	static struct chain_names c;
	char line[CHAIN_LINE], types[ORACLE_NAME];
	unsigned before;

	if (chain >= CHAIN_NSEC3) {
		snprintf(line, sizeof(line), "%s NSEC3PARAM 1 0 %u %s", z->origin, CHAIN_ITERATIONS,
		    CHAIN_SALT_TEXT);
		add(arg, z, line);
	}
	chain_collect(z, chain, &c);
	for (unsigned i = 0; i < c.n; i++) {
		const struct chain_name *next = &c.at[(i + 1) % c.n];

		chain_types(z, c.at[i].name, chain, types);
		if (chain == CHAIN_NSEC)
			snprintf(line, sizeof(line), "%s NSEC %s%s", c.at[i].name, next->key,
			    types);
		else
			snprintf(line, sizeof(line), "%s.%s NSEC3 1 %u %u %s %s%s", c.at[i].key,
			    strcmp(z->origin, ".") == 0 ? "" : z->origin, chain == CHAIN_OPTOUT,
			    CHAIN_ITERATIONS, CHAIN_SALT_TEXT, next->key, types);
		add(arg, z, line);
	}
	before = z->n;
	for (unsigned i = 0; i < before; i++) {
		const struct oracle_record *r = &z->records[i];

		if (oracle_find(z, r->owner, r->type) != r || !chain_signs(z, r->owner, r->type) ||
		    (!in_hash_space(r) && oracle_above(z, r->owner, false) != NULL))
			continue;
		snprintf(line, sizeof(line),
		    "%s RRSIG TYPE%u 13 2 60 20300101000000 20200101000000 1 %s AAAA",
		    r->owner, r->type, z->origin);
		add(arg, z, line);
	}
}

/* ---- proofs ---- */

/* The chain's records in a reply. */
struct denials {
	const ldns_rr_list *rrs;
	const struct oracle_zone *zone;
	bool hashed, optout;
};

static inline bool
denial_is_of(const struct denials *d, const ldns_rr *rr, char owner[ORACLE_NAME])
{
	char *dot;

	if (ldns_rr_get_type(rr) != (d->hashed ? LDNS_RR_TYPE_NSEC3 : LDNS_RR_TYPE_NSEC))
		return false;
	oracle_name(ldns_rr_owner(rr), owner);
	if (!name_under(owner, d->zone->origin))
		return false;
	dot = strchr(owner, '.');
	if (d->hashed && dot != NULL)
		*dot = '\0';
	return true;
}

static inline void
denial_key(const struct denials *d, const char *name, char key[ORACLE_NAME])
{
	if (d->hashed)
		chain_hash(name, key);
	else
		snprintf(key, ORACLE_NAME, "%s", name);
}

/* The record whose owner is the name, or NULL. */
static inline const ldns_rr *
denial_match(const struct denials *d, const char *name)
{
	char key[ORACLE_NAME], owner[ORACLE_NAME];

	denial_key(d, name, key);
	for (size_t i = 0; i < ldns_rr_list_rr_count(d->rrs); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(d->rrs, i);

		if (denial_is_of(d, rr, owner) && strcmp(owner, key) == 0)
			return rr;
	}
	return NULL;
}

static inline bool
between(const struct denials *d, const char *low, const char *key, const char *high)
{
	int lk = d->hashed ? strcmp(low, key) : name_order(low, key),
	    kh = d->hashed ? strcmp(key, high) : name_order(key, high);
	int lh = d->hashed ? strcmp(low, high) : name_order(low, high);

	/* the last record leads back to the first */
	return lh < 0 ? lk < 0 && kh < 0 : lk < 0 || kh < 0;
}

/* A record that says that nothing is at the name; with `next`, where it leads to. */
static inline bool
denial_covers(const struct denials *d, const char *name, char next_out[ORACLE_NAME])
{
	char key[ORACLE_NAME], owner[ORACLE_NAME], next[ORACLE_NAME];

	denial_key(d, name, key);
	for (size_t i = 0; i < ldns_rr_list_rr_count(d->rrs); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(d->rrs, i);

		if (!denial_is_of(d, rr, owner))
			continue;
		oracle_name(ldns_rr_rdf(rr, d->hashed ? 4 : 0), next);
		if (between(d, owner, key, next) && strcmp(owner, key) != 0) {
			if (next_out != NULL)
				snprintf(next_out, ORACLE_NAME, "%s", next);
			return true;
		}
	}
	return false;
}

static inline bool
denial_lacks(const struct denials *d, const ldns_rr *rr, uint16_t type)
{
	const ldns_rdf *bitmap = ldns_rr_rdf(rr, d->hashed ? 5 : 1);

	return bitmap == NULL ||
	    (!ldns_nsec_bitmap_covers_type(bitmap, type) &&
	    !ldns_nsec_bitmap_covers_type(bitmap, LDNS_RR_TYPE_CNAME));
}

/* The ancestor of `name` one label below `above`. */
static inline const char *
next_closer(const char *name, const char *above)
{
	while (strcmp(name_parent(name), above) != 0)
		name = name_parent(name);
	return name;
}

/* NSEC3: an ancestor that is proven to exist, and that the next closer name does not. */
static inline const char *
provable_encloser(const struct denials *d, const char *name, const char *encloser)
{
	for (; encloser != NULL; encloser = d->optout ? name_parent(encloser) : NULL) {
		if (denial_match(d, encloser) != NULL)
			return denial_covers(d, next_closer(name, encloser), NULL) ?
			    encloser : NULL;
		if (strcmp(encloser, d->zone->origin) == 0)
			break;
	}
	return NULL;
}

static inline bool
nsec_proves(const struct denials *d, const struct oracle_proof *p, const char *star)
{
	const ldns_rr *rr;
	char next[ORACLE_NAME];

	switch (p->kind) {
	case PROOF_NXDOMAIN:
		return denial_covers(d, p->name, NULL) && denial_covers(d, star, NULL);
	case PROOF_NODATA:
		rr = denial_match(d, p->name);
		if (rr != NULL)
			return denial_lacks(d, rr, p->type);
		/* an empty non-terminal */
		return denial_covers(d, p->name, next) && name_under(next, p->name);
	case PROOF_WILD_NODATA:
		rr = denial_match(d, star);
		if (rr != NULL)
			return denial_covers(d, p->name, NULL) && denial_lacks(d, rr, p->type);
		return denial_covers(d, p->name, NULL) && denial_covers(d, star, next) &&
		    name_under(next, star);
	case PROOF_WILD:
		break;
	}
	return denial_covers(d, p->name, NULL);
}

static inline bool
nsec3_proves(const struct denials *d, const struct oracle_proof *p, const char *star)
{
	char higher[ORACLE_NAME];
	const ldns_rr *rr;
	const char *encloser;

	switch (p->kind) {
	case PROOF_NXDOMAIN:
		encloser = provable_encloser(d, p->name, p->encloser);
		if (encloser == NULL)
			return false;
		if (strcmp(encloser, p->encloser) != 0) {
			/*
			 * Opt-out: the true one leads to an insecure delegation alone.  A wildcard
			 * at the provable one does not stand for the name.
			 */
			name_star(encloser, higher);
			return oracle_exists(d->zone, higher) || denial_covers(d, higher, NULL);
		}
		return denial_covers(d, star, NULL);
	case PROOF_NODATA:
		rr = denial_match(d, p->name);
		if (rr != NULL)
			return denial_lacks(d, rr, p->type);
		return d->optout && strcmp(p->name, d->zone->origin) != 0 &&
		    provable_encloser(d, p->name, name_parent(p->name)) != NULL;
	case PROOF_WILD_NODATA:
		rr = denial_match(d, star);
		if (provable_encloser(d, p->name, p->encloser) == NULL)
			return false;
		return rr != NULL ? denial_lacks(d, rr, p->type) : d->optout;
	case PROOF_WILD:
		break;
	}
	return denial_covers(d, next_closer(p->name, p->encloser), NULL);
}

/* Does the authority section prove it? */
static inline bool
proof_holds(const struct oracle_proof *p, enum chain chain, const ldns_rr_list *authority)
{
	const struct denials d = { .rrs = authority, .zone = p->zone,
	    .hashed = chain >= CHAIN_NSEC3, .optout = chain == CHAIN_OPTOUT };
	char star[ORACLE_NAME];

	name_star(p->encloser, star);
	return d.hashed ? nsec3_proves(&d, p, star) : nsec_proves(&d, p, star);
}

#endif
