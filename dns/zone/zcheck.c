/* zcheck: what only the whole zone shows: apex, aliases, occlusion, and where mappings point. */
#include "dns/dns.h"
#include "dns/zone/ztree.h"
#include "dns/zone/zrdata.h"

#define TYPE_KEY 25
#define TYPE_NXT 30

static void
check_apex(struct ztree *t)
{
	const struct trrset *soa = tnode_find(t->apex, DNS_T_SOA, 0);
	char origin[LIMIT_NAME_TEXT];

	dns_name_text(t->origin, origin);
	if (soa == NULL)
		ztree_found(t, t->file, 0, "no SOA record at %s", origin);
	else if (soa->n > 1)
		ztree_found(t, soa->file, soa->line, "%u SOA records, a zone has one", soa->n);
	if (tnode_find(t->apex, DNS_T_NS, 0) == NULL)
		ztree_found(t, t->file, 0, "no NS record at %s", origin);
}

/* May this type stand beside a CNAME?  RFC 4034, and RFC 2535 before it. */
static bool
beside_cname(uint16_t type)
{
	return type == DNS_T_CNAME || type == DNS_T_RRSIG || type == DNS_T_NSEC ||
	    type == TYPE_KEY || type == TYPE_NXT;
}

/* Aliases, of which a name has one; and beside a CNAME stands hardly anything. */
static void
check_alias(struct ztree *t, const struct tnode *n, const struct trrset *alias)
{
	bool cname = alias->type == DNS_T_CNAME;
	const struct trrset *s = cname ? n->sets : NULL;
	char text[LIMIT_NAME_TEXT];

	ztree_name_text(t, n->name, n->name_len, text);
	if (alias->n > 1)
		ztree_found(t, alias->file, alias->line, "%s has %u %s records, it may have one",
		    text, alias->n, cname ? "CNAME" : "DNAME");
	while (s != NULL && beside_cname(s->type))
		s = s->next;
	if (s != NULL)
		ztree_found(t, alias->file, alias->line, "%s has a CNAME and other data (%s:%u)",
		    text, s->file, s->line);
}

/* They are never served: an RRSIG is part of the answer with what it signs. */
static void
found_lone_sigs(struct ztree *t, const struct tnode *n, const struct trrset *sigs)
{
	char owner[LIMIT_NAME_TEXT], type[ZTYPE_TEXT];

	t->lone_sigs += sigs->n;
	ztree_warn(t, sigs->file, sigs->line,
	    "%s: the RRSIG for type %s is not served, since there are no records of that type",
	    ztree_name_text(t, n->name, n->name_len, owner), ztype_text(sigs->covers, type));
}

/* With DO both go into one message.  A set that is too large by itself was found before. */
static void
check_signed(struct ztree *t, const struct tnode *n, const struct trrset *sigs)
{
	const struct trrset *set = tnode_find(n, sigs->covers, 0);
	char text[LIMIT_NAME_TEXT];

	if (set == NULL)
		found_lone_sigs(t, n, sigs);
	if (set == NULL || set->wire > LIMIT_RRSET_WIRE || sigs->wire > LIMIT_RRSET_WIRE ||
	    set->wire + sigs->wire <= LIMIT_RRSET_WIRE)
		return;
	ztree_found(t, set->file, set->line,
	    "%s: records of one type (%u bytes) and their signatures (%u) do not fit into an "
	    "answer (%d bytes)", ztree_name_text(t, n->name, n->name_len, text), set->wire,
	    sigs->wire, LIMIT_RRSET_WIRE);
}

static void
check_node(struct ztree *t, struct tnode *n)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct trrset *s = tnode_find(n, i == 0 ? DNS_T_CNAME : DNS_T_DNAME, 0);

		if (s == NULL)
			continue;
		n->flags |= i == 0 ? ZNODE_CNAME : ZNODE_DNAME;
		check_alias(t, n, s);
	}
	if (n != t->apex && tnode_find(n, DNS_T_NS, 0) != NULL)
		n->flags |= ZNODE_CUT;
	if (n->parent != NULL && ztree_is_wildcard(n->name, n->name_len))
		n->parent->flags |= ZNODE_WILD_CHILD;
}

static void
check_unit(struct ztree *t, struct tunit *u)
{
	char text[LIMIT_NAME_TEXT];
	struct tnode *n = ztree_find(t, u->name, u->name_len);

	ztree_name_text(t, u->name, u->name_len, text);
	if (ztree_is_wildcard(u->name, u->name_len))
		ztree_found(t, u->file, u->line,
		    "_jitsu: %s is a wildcard; only a name of its own can be a unit", text);
	else if (n != NULL && (n->flags & (ZNODE_CUT | ZNODE_OCCLUDED)) != 0)
		ztree_found(t, u->file, u->line,
		    "_jitsu: %s is delegated to others, or below a DNAME", text);
	else if (n == NULL || !tnode_has_address(n))
		ztree_found(t, u->file, u->line, "_jitsu: %s has no A or AAAA record", text);
	else if (n->unit != NULL)
		ztree_found(t, u->file, u->line,
		    "_jitsu: %s has a mapping already (%s:%u); put all strings into one TXT record",
		    text, n->unit->file, n->unit->line);
	else {
		n->unit = u;
		n->flags |= ZNODE_UNIT;
		u->node = n;
	}
}

enum err
zcheck_tree(struct ztree *t)
{
	check_apex(t);
	for (struct tnode *n = t->first; n != NULL; n = n->next) {
		for (const struct trrset *s = n->sets; s != NULL && t->is_signed; s = s->next)
			if (s->type == DNS_T_RRSIG)
				check_signed(t, n, s);
		if ((n->flags & ZNODE_NSEC3) == 0)
			check_node(t, n);
	}
	/* Below a delegation or a DNAME data is glue, or invisible. */
	for (struct tnode *n = t->first; n != NULL; n = n->next)
		for (const struct tnode *up = n->parent; up != NULL; up = up->parent)
			if ((up->flags & (ZNODE_CUT | ZNODE_DNAME)) != 0)
				n->flags |= ZNODE_OCCLUDED;
	if (t->is_signed && !t->units_apart && t->units != NULL)
		ztree_found(t, t->units->file, t->units->line,
		    "_jitsu: this zone is signed, and its signatures would name the mappings; put "
		    "them into a file of their own (units = \"FILE\" in the zone's section)");
	for (struct tunit *u = t->units; u != NULL; u = u->next)
		check_unit(t, u);
	return t->nerrors > 0 ? ERR_PARSE : ERR_OK;
}
