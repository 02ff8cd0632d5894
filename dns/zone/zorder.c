/* zorder: the canonical order of NSEC owners, and of NSEC3 hashes, for zones that come signed. */
#include <stdlib.h>
#include <string.h>

#include "dns/zone/ztree.h"

static int
compare_canonical(const void *a, const void *b)
{
	const struct tnode *x = *(struct tnode *const *)a, *y = *(struct tnode *const *)b;
	uint8_t off[DNS_WIRE_LABELS];
	unsigned n = 0;

	for (size_t i = 0; i < x->name_len; i += 1u + x->name[i])
		off[n++] = (uint8_t)i;
	return dns_name_compare(x->name, off, n, y->name, y->name_len);
}

static const struct trec *
nsec3_param(const struct ztree *t)
{
	const struct trrset *s = tnode_find(t->apex, DNS_T_NSEC3PARAM, 0);

	for (const struct trec *r = s != NULL ? s->first : NULL; r != NULL; r = r->next)
		if (r->rdata[0] == NSEC3_SHA1 && r->rdata[1] == 0)
			return r;
	return NULL;
}

/* Is the node in the chain: of NSEC, or of the NSEC3 that have these parameters? */
static bool
belongs(const struct tnode *n, const struct trec *param)
{
	const struct trrset *s = tnode_find(n, param != NULL ? DNS_T_NSEC3 : DNS_T_NSEC, 0);
	const struct trec *r = s != NULL ? s->first : NULL;

	if (param == NULL)
		return r != NULL && (n->flags & (ZNODE_NSEC3 | ZNODE_OCCLUDED)) == 0;
	while (r != NULL && (r->rdata[0] != param->rdata[0] ||
	    memcmp(r->rdata + 2, param->rdata + 2, 3u + param->rdata[4]) != 0))
		r = r->next;
	return r != NULL && (n->flags & ZNODE_NSEC3) != 0 && n->name_len == NSEC3_LABEL &&
	    n->labels == 1;
}

/* Every name learns which NSEC3 matches it. */
static void
match_nsec3(struct ztree *t, const struct torder *o)
{
	_Alignas(struct tnode) uint8_t wanted[sizeof(struct tnode) + NSEC3_LABEL] = { 0 };
	const struct nsec3_param param = { .iterations = dns_get16(o->param + 2),
		.salt_len = o->param[4], .salt = o->param + 5 };
	struct tnode **found, *key = (void *)wanted;
	uint8_t name[DNS_WIRE_NAME];

	key->name_len = NSEC3_LABEL;
	for (struct tnode *n = t->first; n != NULL; n = n->next) {
		if ((n->flags & (ZNODE_NSEC3 | ZNODE_OCCLUDED)) != 0)
			continue;
		memcpy(name, n->name, n->name_len);
		memcpy(name + n->name_len, t->origin, t->origin_len);
		nsec3_label(&param, name, n->name_len + t->origin_len, key->name);
		found = bsearch(&key, o->nodes, o->n, sizeof(struct tnode *), compare_canonical);
		if (found != NULL) {
			n->flags |= ZNODE_ORDER;
			n->order = (uint32_t)(found - o->nodes);
		}
	}
}

/* Does the asterisk below `n` sort before `next`, the name that follows n in the chain? */
static bool
star_between(const struct tnode *n, const struct tnode *next)
{
	size_t at = 0;

	if (next->labels <= n->labels ||
	    memcmp(next->name + next->name_len - n->name_len, n->name, n->name_len) != 0)
		return true;   /* nothing below n is in the chain */
	for (unsigned i = next->labels - n->labels; i > 1; i--)
		at += 1u + next->name[at];
	if (at + 1u + next->name[at] != next->name_len - (size_t)n->name_len)
		return true;   /* it ends alike, within a label */
	return next->name[at + 1] > '*' || (next->name[at + 1] == '*' && next->name[at] > 1);
}

enum err
zorder_tree(struct ztree *t, struct torder *o, struct errmsg *m)
{
	const struct trec *param = nsec3_param(t);

	memset(o, 0, sizeof(*o));
	if (!t->is_signed)
		return ERR_OK;
	for (const struct tnode *n = t->first; n != NULL; n = n->next)
		o->n += belongs(n, param);
	if (o->n == 0)
		return ERR_OK;
	o->nodes = ztree_alloc(t, o->n * sizeof(struct tnode *));
	if (o->nodes == NULL)
		return zbudget_err(t->budget, m);
	o->n = 0;
	for (struct tnode *n = t->first; n != NULL; n = n->next)
		if (belongs(n, param))
			o->nodes[o->n++] = n;
	qsort(o->nodes, o->n, sizeof(struct tnode *), compare_canonical);
	if (param == NULL) {
		o->flags = ZONE_NSEC;
		for (uint32_t i = 0; i < o->n; i++) {
			o->nodes[i]->flags |= ZNODE_ORDER;
			if (i + 1 == o->n || star_between(o->nodes[i], o->nodes[i + 1]))
				o->nodes[i]->flags |= ZNODE_STAR;
			o->nodes[i]->order = i;
		}
		return ERR_OK;
	}
	o->flags = ZONE_NSEC3;
	o->param = param->rdata;
	if (dns_get16(o->param + 2) <= NSEC3_ITERATIONS_MOST)
		match_nsec3(t, o);
	return ERR_OK;
}
