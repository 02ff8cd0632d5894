/* zlint: what can be served but will disappoint: targets without addresses, missing glue, data that nobody can see. */
#include <string.h>

#include "dns/dns.h"
#include "dns/rdata.h"
#include "dns/ztree.h"

/* The types whose targets are hosts (RFC 2181 section 10.3), and where the name stands in their data. */
static const struct {
	uint16_t type;
	uint8_t at;
	const char *name;
} hosts[] = { { DNS_T_NS, 0, "NS" }, { DNS_T_MX, 2, "MX" }, { DNS_T_SRV, 6, "SRV" } };

/* The nearest existing name above `rel`, and where its part begins in *at.  Of the apex itself: the apex. */
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

/* What answers for a name of the zone: its node, or that of the wildcard that stands for it; NULL when nothing does. */
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

/* The delegation that a name is at or below; NULL in the zone itself. */
static const struct tnode *
cut_over(const struct ztree *t, const uint8_t *rel, size_t len)
{
	const struct tnode *n = ztree_find(t, rel, len), *cut = NULL;
	size_t at;

	if (n == NULL)
		n = encloser(t, rel, len, &at);
	for (; n != NULL; n = n->parent)
		if ((n->flags & ZNODE_CUT) != 0)
			cut = n;
	return cut;
}

static bool
has_address(const struct tnode *n)
{
	return tnode_find(n, DNS_T_A, 0) != NULL || tnode_find(n, DNS_T_AAAA, 0) != NULL;
}

/* Four labels of digits, and then nothing or the zone: an address that somebody wrote where a name belongs. */
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
	return name[at] == 0 || (len - at == t->origin_len && memcmp(name + at, t->origin, t->origin_len) == 0);
}

/* A host that the data of a record names. */
static void
lint_host(struct ztree *t, const struct tnode *n, const struct trrset *s, const struct trec *rec, unsigned row)
{
	const char *type = hosts[row].name;
	const uint8_t *rdata = rec->rdata + hosts[row].at;
	unsigned line = s->line + rec->below;
	char owner[LIMIT_NAME_TEXT], text[LIMIT_NAME_TEXT];
	uint8_t name[DNS_WIRE_NAME];
	size_t len = rec->rdlen > hosts[row].at ? dns_name_len(rdata, rec->rdlen - hosts[row].at) : 0, rel;
	const struct tnode *cut, *target;

	if (len <= 1)
		return;   /* "." says that there is none (RFC 7505, RFC 2782) */
	dns_name_lower(name, rdata, len);
	ztree_name_text(t, n->name, n->name_len, owner);
	dns_name_text(name, text);
	if (looks_like_address(name, len, t)) {
		ztree_warn(t, s->file, line, "%s: its %s record names %s, which looks like an address; it needs a host's name", owner, type, text);
		return;
	}
	if (!dns_name_under(name, len, t->origin, t->origin_len))
		return;
	rel = len - t->origin_len;
	cut = cut_over(t, name, rel);
	target = node_for(t, name, rel);
	if (cut != NULL && (cut != n || s->type != DNS_T_NS))
		return;   /* the other zone has its addresses */
	if (target != NULL && tnode_find(target, DNS_T_CNAME, 0) != NULL)
		ztree_warn(t, s->file, line, "%s: its %s record names %s, which is an alias (CNAME); it needs a host with addresses", owner, type, text);
	else if (target == NULL || !has_address(target))
		ztree_warn(t, s->file, line, cut != NULL ? "%s: its %s record names %s, which is inside of the delegation and has no A or AAAA record here; "
		    "nobody can find that server" : "%s: its %s record names %s, which has no A or AAAA record", owner, type, text);
}

static void
lint_hosts(struct ztree *t, const struct tnode *n)
{
	for (unsigned i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		const struct trrset *s = tnode_find(n, hosts[i].type, 0);

		for (const struct trec *rec = s != NULL ? s->first : NULL; rec != NULL; rec = rec->next)
			lint_host(t, n, s, rec, i);
	}
}

/* Records that are there in vain: below a DNAME, a delegation at a wildcard, a mapping that is none. */
static void
lint_place(struct ztree *t, const struct tnode *n)
{
	const struct trrset *s = n->sets;
	char text[LIMIT_NAME_TEXT];
	const struct tnode *up;

	ztree_name_text(t, n->name, n->name_len, text);
	for (up = n->parent; up != NULL && (up->flags & ZNODE_DNAME) == 0; up = up->parent)
		;
	if (up != NULL)
		ztree_warn(t, s->file, s->line, "%s is below a DNAME and never served (RFC 6672 section 2.4)", text);
	if ((n->flags & ZNODE_CUT) != 0 && n->name_len >= 2 && n->name[0] == 1 && n->name[1] == '*')
		ztree_warn(t, s->file, s->line, "%s is a delegation at a wildcard, which RFC 4592 section 4.2 leaves undefined", text);
	if (n->name_len >= 7 && n->name[0] == 6 && memcmp(n->name + 1, "_jitsu", 6) == 0 && s->type != DNS_T_RRSIG && s->type != DNS_T_NSEC)
		ztree_warn(t, s->file, s->line, "%s: a mapping is a TXT record; this one is served and maps nothing", text);
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
ztree_lint(struct ztree *t)
{
	lint_nsec3(t);
	for (const struct tnode *n = t->first; n != NULL; n = n->next) {
		if ((n->flags & ZNODE_NSEC3) != 0 || n->sets == NULL)
			continue;
		lint_place(t, n);
		if ((n->flags & ZNODE_OCCLUDED) == 0)
			lint_hosts(t, n);
	}
}
