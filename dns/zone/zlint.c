/* zlint: what can be served but will disappoint: lost targets, missing glue, data nobody sees. */
#include <string.h>

#include "base/suggest.h"
#include "dns/zone/ztree.h"

/*
 * The types that name another node, and where the name stands: a host's, with addresses (RFC 2181
 * section 10.3), or any that is there.
 */
static const struct target {
	uint16_t type;
	uint8_t at;
	bool host;
	const char *name;
} targets[] = { { DNS_T_NS, 0, true, "NS" }, { DNS_T_MX, 2, true, "MX" },
	{ DNS_T_SRV, 6, true, "SRV" }, { DNS_T_CNAME, 0, false, "CNAME" },
	{ DNS_T_DNAME, 0, false, "DNAME" }, { DNS_T_SVCB, 2, false, "SVCB" },
	{ DNS_T_HTTPS, 2, false, "HTTPS" } };

/* The nearest existing name above `rel`, which begins at *at; of the apex, the apex. */
static const struct tnode *
encloser(const struct ztree *t, const uint8_t *rel, size_t len, size_t *at)
{
	const struct tnode *n = NULL;

	for (*at = 0; *at < len && n == NULL;) {
		*at += 1u + rel[*at];
		n = ztree_find(t, rel + *at, len - *at);
	}
	return n != NULL ? n : t->apex;
}

/* What answers for a name of the zone: its node, its wildcard's, or NULL. */
static const struct tnode *
node_for(const struct ztree *t, const uint8_t *rel, size_t len)
{
	const struct tnode *n = ztree_find(t, rel, len);
	uint8_t wild[DNS_WIRE_NAME + 2] = { 1, '*' };
	size_t at;

	if (n != NULL)
		return n;
	(void)encloser(t, rel, len, &at);
	memcpy(wild + 2, rel + at, len - at);
	return ztree_find(t, wild, len - at + 2);
}

/* The topmost node with this flag at the name, or above: a delegation, or a DNAME. */
static const struct tnode *
flagged_over(const struct tnode *n, uint16_t flag)
{
	const struct tnode *found = NULL;

	for (; n != NULL; n = n->parent)
		if ((n->flags & flag) != 0)
			found = n;
	return found;
}

/* Four labels of digits, then nothing or the zone: an address where a name belongs. */
static bool
looks_like_address(const uint8_t *name, size_t len, const struct ztree *t)
{
	size_t at = 0;

	for (unsigned label = 0; label < 4; label++, at += 1u + name[at]) {
		if (name[at] == 0 || name[at] > 3)
			return false;
		for (unsigned i = 1; i <= name[at]; i++)
			if (name[at + i] < '0' || name[at + i] > '9')
				return false;
	}
	return name[at] == 0 || (len - at == t->origin_len &&
	    memcmp(name + at, t->origin, t->origin_len) == 0);
}

/* What disappoints in a name that a record of node `n` names, or NULL. */
static const char *
target_fault(const struct ztree *t, const struct tnode *n, const struct target *row,
    const uint8_t *name, size_t len)
{
	const struct tnode *cut, *target, *above, *here;
	size_t rel, at;

	if (row->host && looks_like_address(name, len, t))
		return "looks like an address; it needs a host's name";
	if (!dns_name_under(name, len, t->origin, t->origin_len))
		return NULL;
	rel = len - t->origin_len;
	here = ztree_find(t, name, rel);
	above = encloser(t, name, rel, &at);
	cut = flagged_over(here != NULL ? here : above, ZNODE_CUT);
	target = node_for(t, name, rel);
	if (cut != NULL && (cut != n || row->type != DNS_T_NS))
		return NULL;   /* the other zone has its records */
	if (row->host && target != NULL && tnode_find(target, DNS_T_CNAME, 0) != NULL)
		return "is an alias (CNAME); it needs a host with addresses";
	if (row->host && target != NULL && tnode_has_address(target))
		return NULL;
	if (row->host)
		return cut == NULL ? "has no A or AAAA record" : "is inside of the delegation and "
		    "has no A or AAAA record here; nobody can find that server";
	/* What stands below a DNAME's target may be all that is meant; a DNAME makes names up. */
	if ((target != NULL && (target->sets != NULL || row->type == DNS_T_DNAME)) ||
	    flagged_over(above, ZNODE_DNAME) != NULL)
		return NULL;
	return "has no records; is a final dot missing or too much?";
}

static void
lint_target(struct ztree *t, const struct tnode *n, const struct trrset *s, const struct trec *rec,
    const struct target *row)
{
	const uint8_t *rdata = rec->rdata + row->at;
	size_t len = rec->rdlen > row->at ? dns_name_len(rdata, rec->rdlen - row->at) : 0;
	char owner[LIMIT_NAME_TEXT], text[LIMIT_NAME_TEXT];
	uint8_t name[DNS_WIRE_NAME];
	const char *fault;

	/* "." says that there is none (RFC 7505, RFC 2782), or of SVCB the owner (RFC 9460, 2.5) */
	if (len <= 1)
		return;
	dns_name_lower(name, rdata, len);
	if ((fault = target_fault(t, n, row, name, len)) == NULL)
		return;
	dns_name_text(name, text);
	ztree_warn(t, s->file, s->line + rec->below, "%s: its %s record names %s, which %s",
	    ztree_name_text(t, n->name, n->name_len, owner), row->name, text, fault);
}

static void
lint_targets(struct ztree *t, const struct tnode *n)
{
	for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		const struct trrset *s = tnode_find(n, targets[i].type, 0);

		for (const struct trec *rec = s ? s->first : NULL; rec != NULL; rec = rec->next)
			lint_target(t, n, s, rec, &targets[i]);
	}
}

/* ---- mappings that are none ---- */

#define MAPPING_EDITS 2        /* letters that are left out, put in, changed or exchanged */

/* A TXT record that says key=value at a name that looks like a mapping's. */
static void
lint_misspelt(struct ztree *t, const struct tnode *n)
{
	const struct trrset *s = tnode_find(n, DNS_T_TXT, 0);
	const struct trec *rec = s != NULL ? s->first : NULL;
	char text[LIMIT_NAME_TEXT];
	unsigned edits;

	if (rec == NULL || n->name_len == 0 || memchr(rec->rdata + 1, '=', rec->rdata[0]) == NULL)
		return;
	edits = suggest_edits((const char *)n->name + 1, n->name[0], ZTREE_MAPPING,
	    ZTREE_MAPPING_LEN - 1, MAPPING_EDITS + 1);
	if (edits == 0 || edits > MAPPING_EDITS)
		return;
	ztree_warn(t, s->file, s->line,
	    "%s: this TXT record is served and maps nothing; a mapping's name begins with "
	    ZTREE_MAPPING, ztree_name_text(t, n->name, n->name_len, text));
}

/* ---- places ---- */

/* Records in vain: below a DNAME, a delegation at a wildcard, a mapping that is none. */
static void
lint_place(struct ztree *t, const struct tnode *n)
{
	bool cut_at_wildcard = (n->flags & ZNODE_CUT) != 0 &&
	    ztree_is_wildcard(n->name, n->name_len);
	bool mapping = ztree_is_mapping(n->name, n->name_len) &&
	    n->sets->type != DNS_T_RRSIG && n->sets->type != DNS_T_NSEC;
	const struct tnode *up = flagged_over(n->parent, ZNODE_DNAME);
	const struct trrset *s = n->sets;
	char text[LIMIT_NAME_TEXT];

	if (up == NULL && !cut_at_wildcard && !mapping)
		return;
	ztree_name_text(t, n->name, n->name_len, text);
	if (up != NULL)
		ztree_warn(t, s->file, s->line,
		    "%s is below a DNAME and never served (RFC 6672 section 2.4)", text);
	if (cut_at_wildcard)
		ztree_warn(t, s->file, s->line,
		    "%s is a delegation at a wildcard, which RFC 4592 section 4.2 leaves undefined",
		    text);
	if (mapping)
		ztree_warn(t, s->file, s->line,
		    "%s: a mapping is a TXT record; this one is served and maps nothing", text);
}

/* Without NSEC3PARAM nobody knows which chain of NSEC3 records is whole (RFC 5155 section 4). */
static void
lint_nsec3(struct ztree *t)
{
	const struct tnode *n = t->first;

	if (tnode_find(t->apex, DNS_T_NSEC3PARAM, 0) != NULL)
		return;
	while (n != NULL && tnode_find(n, DNS_T_NSEC3, 0) == NULL)
		n = n->next;
	if (n != NULL)
		ztree_warn(t, n->sets->file, n->sets->line,
		    "the zone's NSEC3 records are not served, since it has no NSEC3PARAM record");
}

void
zlint_tree(struct ztree *t)
{
	lint_nsec3(t);
	for (const struct tnode *n = t->first; n != NULL; n = n->next) {
		if ((n->flags & ZNODE_NSEC3) != 0 || n->sets == NULL)
			continue;
		lint_place(t, n);
		if ((n->flags & ZNODE_OCCLUDED) != 0)
			continue;
		lint_targets(t, n);
		lint_misspelt(t, n);
	}
}
