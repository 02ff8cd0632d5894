/* lookup: the node for a name in its zone. */
#include "dns/answer/lookup.h"

#include "dns/answer/query.h"
#include "dns/zimage/rdata.h"

#define NODE_TAIL 40           /* of a name with one address */

/* The node whose labels relative to the origin are rel[0..rel_len). */
static const struct znode *
node_find(const struct zone_head *z, uint64_t hash, const uint8_t *rel, size_t rel_len)
{
	const struct zslot *slots = zone_at(z, z->slots);
	uint32_t slot = zhash_slot(hash, z->nslots);

	for (; slots[slot].node != 0; slot = slot + 1 == z->nslots ? 0 : slot + 1) {
		const struct znode *n;

		if (slots[slot].tag != (uint32_t)hash)
			continue;
		n = zone_at(z, slots[slot].node);
		if (n->name_len == rel_len && memcmp(n->name, rel, rel_len) == 0)
			return n;
	}
	return NULL;
}

/* A name within a zone: its labels below the origin and the hash of each suffix of them. */
struct path {
	const struct zone_head *z;
	const uint8_t *name;
	const struct dns_labels *labels;
	size_t rel_len;                        /* bytes before the origin */
	unsigned n;                            /* labels before the origin */
	uint64_t hash[DNS_WIRE_LABELS + 1];    /* hash[k]: of the last k of them */
};

/* The ancestor with k labels below the origin. */
static const struct znode *
path_node(const struct path *p, unsigned k)
{
	size_t off = k > 0 ? p->labels->off[p->n - k] : p->rel_len;

	return node_find(p->z, p->hash[k], p->name + off, p->rel_len - off);
}

static void
path_init(struct path *p, const struct zone_head *z, const uint8_t *name, size_t len,
    const struct dns_labels *labels)
{
	p->z = z;
	p->name = name;
	p->labels = labels;
	p->rel_len = len - z->origin_len;
	p->n = labels->n - z->origin_labels;
	p->hash[0] = z->seed;
	for (unsigned k = 1; k <= p->n; k++)
		p->hash[k] = zhash_label(p->hash[k - 1], name + labels->off[p->n - k]);
}

/*
 * The closest encloser of a name that does not exist.  Empty non-terminals are nodes, so existence
 * is monotonous along the path and the search may halve it: a query of 127 labels costs seven
 * probes.
 */
static const struct znode *
path_encloser(const struct path *p, unsigned *depth)
{
	const struct znode *best = zone_at(p->z, p->z->apex);
	unsigned low = 0, high = p->n;         /* low exists, high does not */

	while (high - low > 1) {
		/* The parent is the likeliest encloser: look there first. */
		unsigned k = high == p->n ? high - 1 : low + (high - low) / 2;
		const struct znode *n = path_node(p, k);

		if (n != NULL) {
			best = n;
			low = k;
		} else {
			high = k;
		}
	}
	*depth = low;
	return best;
}

/* The topmost cut or DNAME above an occluded node at `depth`. */
static const struct znode *
path_occluder(const struct path *p, unsigned depth)
{
	for (unsigned k = 0; k <= depth; k++) {
		const struct znode *n = path_node(p, k);

		if (n != NULL && (n->flags & (ZNODE_CUT | ZNODE_DNAME)) != 0)
			return n;
	}
	return zone_at(p->z, p->z->apex);
}

void
dns_zone_lookup(const struct zone_head *z, const uint8_t *name, size_t len,
    const struct dns_labels *labels, uint16_t qtype, struct dns_lookup *out)
{
	static const uint8_t star[2] = { 1, '*' };
	const struct znode *n;
	struct path p;
	unsigned depth;
	bool occluded;

	path_init(&p, z, name, len, labels);
	depth = p.n;
	n = path_node(&p, depth);
	if (n != NULL && (n->flags & ZNODE_OCCLUDED) == 0) {
		out->found = (n->flags & ZNODE_CUT) == 0 || qtype == DNS_T_DS
		    ? DNS_FOUND_NODE : DNS_FOUND_CUT;
		out->node = n;
		return;
	}
	if (n == NULL)
		n = path_encloser(&p, &depth);
	occluded = (n->flags & ZNODE_OCCLUDED) != 0;
	if (occluded)
		n = path_occluder(&p, depth);
	out->node = n;
	if (occluded || (n->flags & (ZNODE_CUT | ZNODE_DNAME)) != 0) {
		out->found = (n->flags & ZNODE_CUT) != 0 ? DNS_FOUND_CUT : DNS_FOUND_DNAME;
		return;
	}
	out->found = DNS_FOUND_NOTHING;
	if ((n->flags & ZNODE_WILD_CHILD) != 0) {
		uint8_t rel[DNS_WIRE_NAME + 2];

		memcpy(rel, star, sizeof(star));
		memcpy(rel + sizeof(star), n->name, n->name_len);
		n = node_find(z, zhash_label(p.hash[depth], star), rel, n->name_len + sizeof(star));
		if (n != NULL) {
			out->found = DNS_FOUND_WILDCARD;
			out->node = n;
		}
	}
}

void
dns_probe_slot(const struct dns_zoneset *set, const uint8_t *wire, size_t len, struct dns_probe *p)
{
	uint8_t name[DNS_WIRE_NAME];
	struct dns_labels labels;
	const struct dns_zone *zone;
	struct path path;
	size_t name_len = len > DNS_MESSAGE_HEADER
	    ? dns_name_len(wire + DNS_MESSAGE_HEADER, len - DNS_MESSAGE_HEADER) : 0;

	p->z = NULL;
	if (name_len == 0)
		return;
	dns_name_lower(name, wire + DNS_MESSAGE_HEADER, name_len);
	dns_name_labels(name, &labels);
	zone = dns_zoneset_find(set, name, name_len, &labels, false);
	if (zone == NULL)
		return;
	path_init(&path, zone->head, name, name_len, &labels);
	p->z = zone->head;
	p->slot = (const struct zslot *)zone_at(p->z, p->z->slots) +
	    zhash_slot(path.hash[path.n], p->z->nslots);
	p->tag = (uint32_t)path.hash[path.n];
	__builtin_prefetch(p->slot);
}

void
dns_probe_node(const struct dns_probe *p)
{
	const struct zslot *s, *end;

	if (p->z == NULL)
		return;
	s = p->slot;
	end = (const struct zslot *)zone_at(p->z, p->z->slots) + p->z->nslots;
	while (s < end && s->node != 0 && s->tag != p->tag)
		s++;
	if (s == end || s->node == 0)
		return;
	__builtin_prefetch(zone_at(p->z, s->node));
	/* Most nodes begin in one cache line and end in the next. */
	__builtin_prefetch((const uint8_t *)zone_at(p->z, s->node) + NODE_TAIL);
}

const struct znode *
dns_zone_node(const struct zone_head *z, const uint8_t *name, size_t len)
{
	struct dns_labels labels;
	struct path p;

	if (!dns_name_under(name, len, zone_origin(z), z->origin_len))
		return NULL;
	dns_name_labels(name, &labels);
	path_init(&p, z, name, len, &labels);
	return path_node(&p, p.n);
}
