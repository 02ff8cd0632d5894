/*
 * fuzz_oracle: what a set of small zones must answer, worked out the slow and plain way from lists
 * of ldns records.
 *
 * Names are text as ldns prints it, absolute and in lower case; "." is the root.  Records are
 * compared as lines of text, so neither the compiler nor the answer code nor their view of a name
 * is used here.
 */
#ifndef TESTS_FUZZ_ORACLE_H
#define TESTS_FUZZ_ORACLE_H

#include <ctype.h>
#include <ldns/dname.h>
#include <ldns/rr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "dns/zimage/rdata.h"

/* ldns/host2str.h and ldns/dnssec.h bring OpenSSL's names with them, which collide with ours. */
extern char *ldns_rr2str(const ldns_rr *rr);
extern char *ldns_rdf2str(const ldns_rdf *rdf);

#define ORACLE_ZONES 2
#define ORACLE_TTL 60             /* of records that have none of their own */
#define ORACLE_RECORDS 256
#define ORACLE_LINES 512
#define ORACLE_PROOFS (LIMIT_CNAME_STEPS + 1)
#define ORACLE_NAME LIMIT_NAME_TEXT

struct oracle_record {
	char owner[ORACLE_NAME];
	ldns_rr *rr;
	uint16_t type, covers;     /* covers: of RRSIG */
};

struct oracle_zone {
	char origin[ORACLE_NAME];
	struct oracle_record records[ORACLE_RECORDS];
	unsigned n;
	char unit[ORACLE_NAME];    /* the owner name of its one unit; "" without */
};

struct oracle {
	struct oracle_zone zones[ORACLE_ZONES];
	unsigned nzones;
};

/* Lines of records, in lower case. */
struct lines {
	char *at[ORACLE_LINES];
	unsigned n;
};

enum proof_kind { PROOF_NXDOMAIN, PROOF_NODATA, PROOF_WILD_NODATA, PROOF_WILD };

struct oracle_proof {
	enum proof_kind kind;
	const struct oracle_zone *zone;
	char name[ORACLE_NAME], encloser[ORACLE_NAME];
	uint16_t type;
};

struct expected {
	uint16_t rcode;
	bool aa, one_rrset;        /* one_rrset: any RRset of `answer` will do (ANY, RRSIG) */
	bool hinfo;                /* the made-up HINFO of RFC 8482 */
	bool unit;
	struct lines answer, authority, additional;
	struct oracle_proof proofs[ORACLE_PROOFS];
	unsigned nproofs;
};

/* ---- text ---- */

static inline char *
oracle_lower(char *s)
{
	for (char *p = s; p != NULL && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return s;
}

static inline void
oracle_name(const ldns_rdf *rdf, char name[ORACLE_NAME])
{
	char *s = oracle_lower(ldns_rdf2str(rdf));

	if (s == NULL || strlen(s) >= ORACLE_NAME)
		abort();
	memcpy(name, s, strlen(s) + 1);
	free(s);
}

static inline const char *
name_parent(const char *name)
{
	if (strcmp(name, ".") == 0)
		return NULL;
	for (; *name != '.'; name++)
		if (*name == '\\')
			name++;
	return name[1] == '\0' ? "." : name + 1;
}

static inline bool
name_under(const char *name, const char *above)
{
	while (name != NULL && strcmp(name, above) != 0)
		name = name_parent(name);
	return name != NULL;
}

static inline unsigned
name_labels(const char *name)
{
	unsigned n = 0;

	while ((name = name_parent(name)) != NULL)
		n++;
	return n;
}

static inline void
name_star(const char *encloser, char star[ORACLE_NAME])
{
	snprintf(star, ORACLE_NAME, "*.%.1000s", strcmp(encloser, ".") == 0 ? "" : encloser);
}

static inline void
lines_clear(struct lines *l)
{
	while (l->n > 0)
		free(l->at[--l->n]);
}

static inline void
lines_add(struct lines *l, char *line)
{
	if (l->n == ORACLE_LINES)
		abort();
	l->at[l->n++] = oracle_lower(line);
}

static inline bool
lines_have(const struct lines *l, const char *line)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->at[i], line) == 0)
			return true;
	return false;
}

static inline bool
lines_within(const struct lines *a, const struct lines *b)
{
	for (unsigned i = 0; i < a->n; i++)
		if (!lines_have(b, a->at[i]))
			return false;
	return true;
}

/* ---- the zones' data ---- */

static inline const struct oracle_record *
oracle_find(const struct oracle_zone *z, const char *owner, uint16_t type)
{
	for (unsigned i = 0; i < z->n; i++)
		if (z->records[i].type == type && strcmp(z->records[i].owner, owner) == 0)
			return &z->records[i];
	return NULL;
}

static inline bool
in_hash_space(const struct oracle_record *r)
{
	return r->type == DNS_T_NSEC3 || r->covers == DNS_T_NSEC3;
}

/* A name exists when it or one below it owns data (RFC 4592 section 2.2.2). */
static inline bool
oracle_exists(const struct oracle_zone *z, const char *name)
{
	for (unsigned i = 0; i < z->n; i++)
		if (!in_hash_space(&z->records[i]) && name_under(z->records[i].owner, name))
			return true;
	return false;
}

/*
 * The highest delegation or DNAME above the name (with `at`, a delegation at the name counts too);
 * NULL when there is none.
 */
static inline const char *
oracle_above(const struct oracle_zone *z, const char *name, bool at)
{
	const char *highest = NULL;

	for (const char *a = name; a != NULL; a = name_parent(a)) {
		bool apex = strcmp(a, z->origin) == 0;

		if ((!apex && (a != name || at) && oracle_find(z, a, DNS_T_NS) != NULL) ||
		    (a != name && oracle_find(z, a, DNS_T_DNAME) != NULL))
			highest = a;
		if (apex)
			break;
	}
	return highest;
}

static inline bool
oracle_cut(const struct oracle_zone *z, const char *name)
{
	return strcmp(name, z->origin) != 0 && oracle_find(z, name, DNS_T_NS) != NULL;
}

/* Adds a line of a master file; false when it cannot stand beside what is there. */
static inline bool
oracle_add(struct oracle_zone *z, const char *line)
{
	ldns_rdf *origin = ldns_dname_new_frm_str(z->origin), *prev = NULL;
	struct oracle_record r = { .covers = 0 };
	bool ok = z->n < ORACLE_RECORDS &&
	    ldns_rr_new_frm_str(&r.rr, line, ORACLE_TTL, origin, &prev) == LDNS_STATUS_OK;

	ldns_rdf_deep_free(prev);
	ldns_rdf_deep_free(origin);
	if (!ok)
		return false;
	oracle_name(ldns_rr_owner(r.rr), r.owner);
	r.type = (uint16_t)ldns_rr_get_type(r.rr);
	if (r.type == DNS_T_RRSIG)
		r.covers = dns_get16(ldns_rdf_data(ldns_rr_rdf(r.rr, 0)));
	ok = ldns_rdf_size(ldns_rr_owner(r.rr)) <= 255;
	for (size_t i = 0; i < ldns_rr_rd_count(r.rr); i++)
		if (ldns_rdf_get_type(ldns_rr_rdf(r.rr, i)) == LDNS_RDF_TYPE_DNAME)
			ok = ok && ldns_rdf_size(ldns_rr_rdf(r.rr, i)) <= 255;
	for (unsigned i = 0; i < z->n && ok && r.type != DNS_T_RRSIG && r.type != DNS_T_NSEC &&
	    r.type != DNS_T_NSEC3; i++) {
		const struct oracle_record *o = &z->records[i];

		if (strcmp(o->owner, r.owner) != 0)
			continue;
		if (r.type == DNS_T_CNAME || o->type == DNS_T_CNAME ||
		    (r.type == DNS_T_DNAME && o->type == DNS_T_DNAME) ||
		    ldns_rr_compare(r.rr, o->rr) == 0)
			ok = false;
	}
	if (ok)
		z->records[z->n++] = r;
	else
		ldns_rr_free(r.rr);
	return ok;
}

static inline void
oracle_clear(struct oracle *o)
{
	for (unsigned k = 0; k < o->nzones; k++)
		while (o->zones[k].n > 0)
			ldns_rr_free(o->zones[k].records[--o->zones[k].n].rr);
}

/* ---- answers ---- */

static inline uint32_t
rrset_ttl(const struct oracle_zone *z, const char *owner, uint16_t type)
{
	uint32_t ttl = UINT32_MAX;

	for (unsigned i = 0; i < z->n; i++)
		if (z->records[i].type == type && strcmp(z->records[i].owner, owner) == 0 &&
		    ldns_rr_ttl(z->records[i].rr) < ttl)
			ttl = ldns_rr_ttl(z->records[i].rr);
	return ttl;
}

/* A RRset, with `sigs` its signatures too, as if it stood at `name`. */
static inline void
put_rrset(struct lines *l, const struct oracle_zone *z, const char *owner, uint16_t type,
    const char *name, bool sigs, uint32_t most_ttl)
{
	uint32_t ttl = rrset_ttl(z, owner, type);

	for (unsigned i = 0; i < z->n; i++) {
		const struct oracle_record *r = &z->records[i];
		ldns_rr *rr;

		if (strcmp(r->owner, owner) != 0 ||
		    !(r->type == type || (sigs && r->type == DNS_T_RRSIG && r->covers == type)))
			continue;
		rr = ldns_rr_clone(r->rr);
		ldns_rdf_deep_free(ldns_rr_owner(rr));
		ldns_rr_set_owner(rr, ldns_dname_new_frm_str(name));
		ldns_rr_set_ttl(rr, ttl < most_ttl ? ttl : most_ttl);
		lines_add(l, ldns_rr2str(rr));
		ldns_rr_free(rr);
	}
}

static inline const struct oracle_zone *
oracle_zone_of(const struct oracle *o, const char *name, bool above)
{
	const struct oracle_zone *best = NULL;

	for (unsigned i = 0; i < o->nzones; i++) {
		const struct oracle_zone *z = &o->zones[i];

		if (name_under(name, z->origin) && !(above && strcmp(name, z->origin) == 0) &&
		    (best == NULL || name_labels(z->origin) > name_labels(best->origin)))
			best = z;
	}
	return best == NULL && above ? oracle_zone_of(o, name, false) : best;
}

/* Where the search is. */
struct walk {
	const struct oracle *o;
	const struct oracle_zone *z;
	struct expected *e;
	char name[ORACLE_NAME];
	char been[LIMIT_CNAME_STEPS + 1][ORACLE_NAME];
	unsigned steps;
	uint16_t qtype;
	bool dnssec;
};

static inline void
need_proof(struct walk *w, enum proof_kind kind, const char *name, const char *encloser,
    uint16_t type)
{
	struct oracle_proof *p = &w->e->proofs[w->e->nproofs];

	if (w->e->nproofs++ == ORACLE_PROOFS)
		abort();
	p->kind = kind;
	p->zone = w->z;
	p->type = type;
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->encloser, sizeof(p->encloser), "%s", encloser);
}

static inline void
walk_negative(struct walk *w, enum proof_kind kind, const char *encloser)
{
	const struct oracle_record *soa = oracle_find(w->z, w->z->origin, DNS_T_SOA);
	const uint8_t *minimum = ldns_rdf_data(ldns_rr_rdf(soa->rr, 6));

	if (kind == PROOF_NXDOMAIN)
		w->e->rcode = DNS_R_NXDOMAIN;
	put_rrset(&w->e->authority, w->z, w->z->origin, DNS_T_SOA, w->z->origin, w->dnssec,
	    dns_get32(minimum));
	need_proof(w, kind, w->name, encloser, w->qtype);
}

static inline void
walk_refer(struct walk *w, const char *cut)
{
	w->e->aa = w->steps > 0;
	put_rrset(&w->e->authority, w->z, cut, DNS_T_NS, cut, false, UINT32_MAX);
	if (w->dnssec && oracle_find(w->z, cut, DNS_T_DS) != NULL)
		put_rrset(&w->e->authority, w->z, cut, DNS_T_DS, cut, true, UINT32_MAX);
	else if (w->dnssec)
		need_proof(w, PROOF_NODATA, cut, cut, DNS_T_DS);
	for (unsigned i = 0; i < w->z->n; i++) {
		const struct oracle_record *r = &w->z->records[i];
		char target[ORACLE_NAME];

		if (r->type != DNS_T_NS || strcmp(r->owner, cut) != 0)
			continue;
		oracle_name(ldns_rr_rdf(r->rr, 0), target);
		put_rrset(&w->e->additional, w->z, target, DNS_T_A, target, false, UINT32_MAX);
		put_rrset(&w->e->additional, w->z, target, DNS_T_AAAA, target, false, UINT32_MAX);
	}
}

/*
 * Goes on at another name, unless it has been there or the chain is long enough; false: the answer
 * is complete.
 */
static inline bool
walk_go(struct walk *w, const char *name)
{
	char to[ORACLE_NAME];

	snprintf(to, sizeof(to), "%s", name);
	if (w->steps + 1 >= LIMIT_CNAME_STEPS)
		return false;
	snprintf(w->been[w->steps++], ORACLE_NAME, "%s", w->name);
	for (unsigned i = 0; i < w->steps; i++)
		if (strcmp(w->been[i], to) == 0)
			return false;
	snprintf(w->name, sizeof(w->name), "%s", to);
	return true;
}

/* A RRset of the answer, unless it is there: a chain may pass one DNAME several times. */
static inline void
put_new(struct walk *w, const char *owner, uint16_t type, const char *name)
{
	struct lines l = { .n = 0 };

	put_rrset(&l, w->z, owner, type, name, w->dnssec, UINT32_MAX);
	for (unsigned i = 0; i < l.n; i++)
		if (!lines_have(&w->e->answer, l.at[i]))
			lines_add(&w->e->answer, strdup(l.at[i]));
	lines_clear(&l);
}

static inline bool
walk_dname(struct walk *w, const char *at)
{
	const struct oracle_record *r = oracle_find(w->z, at, DNS_T_DNAME);
	char target[ORACLE_NAME], name[2 * ORACLE_NAME], line[5 * ORACLE_NAME];
	size_t prefix = strlen(w->name) - (strcmp(at, ".") == 0 ? 0 : strlen(at));
	ldns_rdf *rdf;
	bool fits;

	put_new(w, at, DNS_T_DNAME, at);
	oracle_name(ldns_rr_rdf(r->rr, 0), target);
	snprintf(name, sizeof(name), "%.*s%s", (int)prefix, w->name,
	    strcmp(target, ".") == 0 ? "" : target);
	rdf = ldns_dname_new_frm_str(name);
	fits = rdf != NULL && ldns_rdf_size(rdf) <= 255;
	ldns_rdf_deep_free(rdf);
	if (!fits) {
		w->e->rcode = DNS_R_YXDOMAIN;
		return false;
	}
	snprintf(line, sizeof(line), "%s\t%u\tIN\tCNAME\t%s\n", w->name, ldns_rr_ttl(r->rr), name);
	lines_add(&w->e->answer, strdup(line));
	return w->qtype != DNS_T_CNAME && walk_go(w, name);
}

static inline bool
has_any(const struct oracle_zone *z, const char *node)
{
	for (unsigned i = 0; i < z->n; i++)
		if (z->records[i].type != DNS_T_RRSIG && z->records[i].type != DNS_T_NSEC3 &&
		    strcmp(z->records[i].owner, node) == 0)
			return true;
	return false;
}

/* ANY and RRSIG: one RRset out of those of the node. */
static inline void
walk_some(struct walk *w, const char *node)
{
	struct expected *e = w->e;
	bool secure = w->dnssec &&
	    (oracle_find(w->z, w->z->origin, DNS_T_NSEC) != NULL ||
	    oracle_find(w->z, w->z->origin, DNS_T_NSEC3PARAM) != NULL);

	if (w->qtype == DNS_T_ANY && strcmp(node, w->z->unit) == 0 && !secure) {
		e->hinfo = true;
		return;
	}
	e->one_rrset = true;
	for (unsigned i = 0; i < w->z->n; i++) {
		const struct oracle_record *r = &w->z->records[i];

		if (strcmp(r->owner, node) == 0 && !in_hash_space(r) &&
		    (r->type == DNS_T_RRSIG || w->qtype == DNS_T_ANY)) {
			ldns_rr *rr = ldns_rr_clone(r->rr);

			ldns_rdf_deep_free(ldns_rr_owner(rr));
			ldns_rr_set_owner(rr, ldns_dname_new_frm_str(w->name));
			ldns_rr_set_ttl(rr,
			    rrset_ttl(w->z, node, r->type == DNS_T_RRSIG ? r->covers : r->type));
			lines_add(&e->answer, ldns_rr2str(rr));
			ldns_rr_free(rr);
		}
	}
}

/* The name, or the wildcard for it, exists. */
static inline bool
walk_node(struct walk *w, const char *node, const char *encloser)
{
	bool wild = strcmp(node, w->name) != 0,
	    some = w->qtype == DNS_T_ANY || w->qtype == DNS_T_RRSIG;
	const struct oracle_record *cname = oracle_find(w->z, node, DNS_T_CNAME);
	char target[ORACLE_NAME];

	if (some ? (w->qtype == DNS_T_ANY ?
	    !has_any(w->z, node) : oracle_find(w->z, node, DNS_T_RRSIG) == NULL) :
	    (cname == NULL && oracle_find(w->z, node, w->qtype) == NULL)) {
		walk_negative(w, wild ? PROOF_WILD_NODATA : PROOF_NODATA, encloser);
		return false;
	}
	if (wild)
		need_proof(w, PROOF_WILD, w->name, encloser, 0);
	if (some) {
		walk_some(w, node);
		return false;
	}
	if (oracle_find(w->z, node, w->qtype) != NULL) {
		put_new(w, node, w->qtype, w->name);
		w->e->unit = strcmp(node, w->z->unit) == 0 &&
		    (w->qtype == DNS_T_A || w->qtype == DNS_T_AAAA || w->qtype == DNS_T_HTTPS ||
		    w->qtype == DNS_T_SVCB);
		return false;
	}
	put_rrset(&w->e->answer, w->z, node, DNS_T_CNAME, w->name, w->dnssec, UINT32_MAX);
	oracle_name(ldns_rr_rdf(cname->rr, 0), target);
	return walk_go(w, target);
}

/* Step 3 of RFC 1034 section 4.3.2 for the current name; true: go on. */
static inline bool
walk_step(struct walk *w)
{
	char star[ORACLE_NAME], above[ORACLE_NAME];
	const char *at;

	w->z = oracle_zone_of(w->o, w->name, w->qtype == DNS_T_DS);
	if (w->z == NULL) {
		if (w->steps == 0) {
			w->e->rcode = DNS_R_REFUSED;
			w->e->aa = false;
		}
		return false;
	}
	at = oracle_above(w->z, w->name, w->qtype != DNS_T_DS);
	if (at != NULL) {
		snprintf(above, sizeof(above), "%s", at);
		if (!oracle_cut(w->z, above))
			return walk_dname(w, above);
		walk_refer(w, above);
		return false;
	}
	if (oracle_exists(w->z, w->name))
		return walk_node(w, w->name, w->name);
	for (at = name_parent(w->name); !oracle_exists(w->z, at); at = name_parent(at))
		;
	snprintf(above, sizeof(above), "%s", at);
	name_star(above, star);
	if (oracle_exists(w->z, star))
		return walk_node(w, star, above);
	walk_negative(w, PROOF_NXDOMAIN, above);
	return false;
}

static inline void
oracle_ask(const struct oracle *o, const char *name, uint16_t qtype, bool dnssec,
    struct expected *e)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (w == NULL)
		abort();
	memset(e, 0, sizeof(*e));
	e->aa = true;
	w->o = o;
	w->e = e;
	w->qtype = qtype;
	w->dnssec = dnssec;
	snprintf(w->name, sizeof(w->name), "%s", name);
	while (walk_step(w))
		;
	free(w);
}

static inline void
expected_clear(struct expected *e)
{
	lines_clear(&e->answer);
	lines_clear(&e->authority);
	lines_clear(&e->additional);
}

#endif
