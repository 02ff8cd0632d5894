/* zwrite: a checked tree as a zone of a zimage. */
#include <stdlib.h>
#include <string.h>

#include "dns/zone/ztree.h"

#define COMPARED_NAMES 8        /* of one RRset, for suffixes that they share */

_Static_assert(LIMIT_RRSET_WIRE / ZRR_FIXED <= ZRRSET_COUNT, "records can be counted");
_Static_assert(LIMIT_RRSET_WIRE <= UINT16_MAX, "lengths fit into struct zrrset");

/* One node on its way: its owner in full, and where each label begins. */
struct owner {
	uint8_t name[DNS_WIRE_NAME];
	size_t len;
	struct dns_labels labels;
};

static void
owner_set(struct owner *o, const struct ztree *t, const struct tnode *n)
{
	memcpy(o->name, n->name, n->name_len);
	memcpy(o->name + n->name_len, t->origin, t->origin_len);
	o->len = n->name_len + t->origin_len;
	dns_name_labels(o->name, &o->labels);
}

/* How many labels two names share at their ends. */
static unsigned
shared_labels(const uint8_t *a, const struct dns_labels *al, const uint8_t *b,
    const struct dns_labels *bl)
{
	unsigned k = 0;

	while (k < al->n && k < bl->n &&
	    dns_label_equal(a + al->off[al->n - k - 1], b + bl->off[bl->n - k - 1]))
		k++;
	return k;
}

/* Writes a name, its end a pointer where it shares *shared labels with the owner; the length. */
static size_t
put_name(uint8_t *dst, const uint8_t *name, const struct owner *o, unsigned *shared)
{
	struct dns_labels l;
	size_t len = 0;

	dns_name_labels(name, &l);
	*shared = shared_labels(name, &l, o->name, &o->labels);
	for (unsigned i = 0; i < l.n - *shared; i++)
		len += 1u + name[l.off[i]];
	memcpy(dst, name, len);
	if (*shared == 0) {
		dst[len] = 0;
		return len + 1;
	}
	dns_put16(dst + len,
	    (uint16_t)(0xc000 | (DNS_MESSAGE_HEADER + o->labels.off[o->labels.n - *shared])));
	return len + 2;
}

/* Names seen in one RRset. */
struct seen {
	const uint8_t *name[COMPARED_NAMES];
	unsigned shared[COMPARED_NAMES];
	unsigned n;
	bool related;          /* two of them share more than the owner gives */
};

static void
seen_add(struct seen *s, const uint8_t *name, unsigned shared)
{
	struct dns_labels a, b;

	dns_name_labels(name, &a);
	for (unsigned i = 0; i < s->n && !s->related; i++) {
		dns_name_labels(s->name[i], &b);
		s->related = shared_labels(name, &a, s->name[i], &b) >
		    (shared > s->shared[i] ? shared : s->shared[i]);
	}
	if (s->n < COMPARED_NAMES) {
		s->name[s->n] = name;
		s->shared[s->n++] = shared;
	}
}

static size_t
put_record(uint8_t *dst, const struct trrset *set, uint32_t ttl, const struct trec *rec,
    const struct owner *o, struct seen *seen)
{
	struct dns_layout layout = dns_rdata_layout(set->type);
	uint8_t *p = dst + ZRR_FIXED;
	const uint8_t *rdata = rec->rdata, *end = rdata + rec->rdlen;
	unsigned shared;

	dns_put16(dst, 0xc00c);
	dns_put16(dst + 2, set->type);
	dns_put16(dst + 4, DNS_CLASS_IN);
	dns_put32(dst + 6, ttl);
	if (layout.names > 0) {
		memcpy(p, rdata, layout.fixed);
		p += layout.fixed;
		rdata += layout.fixed;
		for (unsigned i = 0; i < layout.names; i++) {
			p += put_name(p, rdata, o, &shared);
			seen_add(seen, rdata, shared);
			rdata += dns_name_len(rdata, DNS_WIRE_NAME);
		}
	}
	memcpy(p, rdata, (size_t)(end - rdata));
	p += end - rdata;
	dns_put16(dst + 10, (uint16_t)(p - dst - ZRR_FIXED));
	return (size_t)(p - dst);
}

/* A RRset and its signatures. */
static bool
put_rrset(struct zout *o, const struct tnode *n, const struct trrset *set, uint32_t ttl,
    const struct owner *owner, zref *ref)
{
	const struct trrset *sigs = tnode_find(n, DNS_T_RRSIG, set->type);
	size_t most = sizeof(struct zrrset) + set->wire + (sigs != NULL ? sigs->wire : 0), at = 0;
	struct zrrset *out = zout_take(o, most, 4, ref);
	struct seen seen = { .n = 0 };
	zref next;

	if (out == NULL)
		return false;
	for (const struct trec *r = set->first; r != NULL; r = r->next)
		at += put_record(out->wire + at, set, ttl, r, owner, &seen);
	out->type = set->type;
	out->len = (uint16_t)at;
	out->count = (uint16_t)(set->n | (seen.related ? ZRRSET_REWRITE : 0));
	for (const struct trec *r = sigs != NULL ? sigs->first : NULL; r != NULL; r = r->next)
		at += put_record(out->wire + at, sigs, ttl, r, owner, &seen);
	out->sig_len = (uint16_t)(at - out->len);
	/* Compression made it shorter than was taken. */
	o->len = (size_t)(out->wire + at - o->map);
	return zout_take(o, 0, 4, &next) != NULL;
}

/* A copy of bytes; false when there is no room for them. */
static bool
put_bytes(struct zout *o, const void *bytes, size_t len, zref *ref)
{
	void *p = zout_take(o, len, 4, ref);

	if (p != NULL && len > 0)
		memcpy(p, bytes, len);
	return p != NULL;
}

static bool
put_node(struct ztree *t, struct zout *o, struct tnode *n)
{
	unsigned extra = ((n->flags & ZNODE_ORDER) != 0) + ((n->flags & ZNODE_UNIT) != 0);
	size_t head = ((sizeof(struct znode) + n->name_len + 3) & ~(size_t)3) + 4 * extra;
	struct znode *out = zout_take(o, head, 4, &n->ref);
	struct owner owner;
	uint32_t *word;
	zref ref;

	if (out == NULL)
		return false;
	owner_set(&owner, t, n);
	out->flags = n->flags;
	out->name_len = n->name_len;
	out->labels = n->labels;
	out->rrsets = (uint8_t)(head / 4);
	memcpy(out->name, n->name, n->name_len);
	word = (uint32_t *)(void *)out + head / 4;
	if ((n->flags & ZNODE_UNIT) != 0)
		*--word = n->unit->index;
	if ((n->flags & ZNODE_ORDER) != 0)
		*--word = n->order;
	for (const struct trrset *s = n->sets; s != NULL; s = s->next) {
		if (s->type == DNS_T_RRSIG)
			continue;
		if (!put_rrset(o, n, s, s->ttl, &owner, &ref))
			return false;
		((struct znode *)zout_at(o, n->ref))->nrrsets++;
	}
	return true;
}

static bool
put_nodes(struct ztree *t, struct zout *o, struct zone_head *h)
{
	if (zout_take(o, 0, 4, &h->nodes) == NULL)
		return false;
	for (struct tnode *n = t->first; n != NULL; n = n->next)
		if (!put_node(t, o, n))
			return false;
	return zout_take(o, 0, 4, &h->nodes_end) != NULL;
}

static bool
put_slots(struct ztree *t, struct zout *o, struct zone_head *h)
{
	struct zslot *slots;

	h->names = t->names;
	h->nslots = t->names + t->names / 2 + 2;
	slots = zout_take(o, (size_t)h->nslots * sizeof(*slots), 8, &h->slots);
	for (const struct tnode *n = t->first; slots != NULL && n != NULL; n = n->next) {
		uint32_t at = zhash_slot(n->hash, h->nslots);

		if ((n->flags & ZNODE_NSEC3) != 0)
			continue;
		while (slots[at].node != 0)
			at = at + 1 == h->nslots ? 0 : at + 1;
		slots[at] = (struct zslot){ .tag = (uint32_t)n->hash, .node = n->ref };
	}
	return slots != NULL;
}

/* RFC 2308 section 3: the smaller of the SOA's TTL and its last field. */
static bool
put_negative(struct ztree *t, struct zout *o, struct zone_head *h)
{
	const struct trrset *soa = tnode_find(t->apex, DNS_T_SOA, 0);
	const uint8_t *fixed = soa->first->rdata + soa->first->rdlen - 20;
	uint32_t minimum = dns_get32(fixed + 16);
	struct owner owner;

	h->serial = dns_get32(fixed);
	owner_set(&owner, t, t->apex);
	return put_rrset(o, t->apex, soa, minimum < soa->ttl ? minimum : soa->ttl, &owner,
	    &h->negative);
}

static bool
put_units(struct ztree *t, struct zout *o, struct zone_head *h)
{
	const char *last_file = NULL;
	zref file = 0, ref;
	struct zunit *unit;

	h->nunits = t->nunits;
	if (zout_take(o, (size_t)t->nunits * sizeof(*unit), 4, &h->units) == NULL ||
	    zout_take(o, 0, 4, &h->strings) == NULL)
		return false;
	for (const struct tunit *u = t->units; u != NULL; u = u->next) {
		if (u->file != last_file && !put_bytes(o, u->file, strlen(u->file) + 1, &file))
			return false;
		last_file = u->file;
		if (!put_bytes(o, u->strings, u->strings_len, &ref))
			return false;
		unit = (struct zunit *)zout_at(o, h->units) + u->index;
		*unit = (struct zunit){ .node = u->node->ref, .file = file, .strings = ref,
			.line = u->line, .ttl = u->ttl, .strings_len = u->strings_len,
			.nstrings = u->nstrings };
	}
	return zout_take(o, 0, 4, &h->strings_end) != NULL;
}

/* Of the apex it is 0, like that of the first names. */
static uint64_t
order_key(const struct tnode *n)
{
	size_t last = 0;

	for (size_t i = 0; i < n->name_len; i += 1u + n->name[i])
		last = i;
	return n->name_len > 0 ? zimage_order_key(n->name + last) : 0;
}

static bool
put_order(struct zout *o, struct zone_head *h, const struct torder *order)
{
	uint64_t *keys;
	const uint8_t *salt = (const uint8_t *)"";
	zref *refs;

	h->norder = order->n;
	h->flags = order->flags;
	if ((refs = zout_take(o, (size_t)order->n * sizeof(*refs), 4, &h->order)) == NULL)
		return false;
	for (uint32_t i = 0; i < order->n; i++)
		refs[i] = order->nodes[i]->ref;
	if ((keys = zout_take(o, (size_t)order->n * sizeof(*keys), 8, &h->order_keys)) == NULL)
		return false;
	for (uint32_t i = 0; i < order->n; i++)
		keys[i] = order_key(order->nodes[i]);
	if (order->param != NULL) {
		h->nsec3_iterations = dns_get16(order->param + 2);
		h->nsec3_salt_len = order->param[4];
		salt = order->param + 5;
	}
	return put_bytes(o, salt, h->nsec3_salt_len, &h->nsec3_salt);
}

enum err
zwrite_tree(struct ztree *t, struct zout *o, uint32_t index, struct errmsg *m)
{
	struct zone_head h = {
		.magic = ZONE_MAGIC, .version = ZIMAGE_VERSION, .seed = t->seed, .index = index,
		.records = t->records, .origin_len = (uint8_t)t->origin_len,
		.origin_labels = (uint8_t)t->origin_labels,
	};
	struct torder order;
	uint8_t *head;
	enum err e;
	zref ref;

	if ((e = zorder_tree(t, &order, m)) != ERR_OK)
		return e;
	if (!zout_zone_begin(o, t->budget, m))
		return o->e;
	if ((head = zout_take(o, sizeof(h) + t->origin_len, 8, &ref)) != NULL) {
		memcpy(head + sizeof(h), t->origin, t->origin_len);
		if (put_nodes(t, o, &h) && put_slots(t, o, &h) && put_negative(t, o, &h) &&
		    put_units(t, o, &h) && put_order(o, &h, &order)) {
			h.apex = t->apex->ref;
			memcpy(zout_at(o, ref), &h, sizeof(h));
			if (zout_zone_end(o))
				return ERR_OK;
		}
	}
	o->len = o->zone;   /* without this zone */
	return o->e;
}
