/* denial: proofs of non-existence from a zone's NSEC or NSEC3 chain. */
#include <string.h>

#include "dns/answer/lookup.h"
#include "dns/answer/reply.h"
#include "dns/zimage/rdata.h"

struct proof {
	struct reply *w;
	struct denial_seen *seen;
	const struct denial *d;
	const struct zone_head *z;
	struct dns_labels labels;          /* of the name */
	unsigned depth;                    /* labels of the name below the origin */
};

/* Record `index` of the chain, once. */
static bool
put_index(struct proof *p, uint32_t index)
{
	const zref *order = zone_at(p->z, p->z->order);
	const struct znode *n = zone_at(p->z, order[index]);
	bool nsec3 = (p->z->flags & ZONE_NSEC3) != 0;
	const struct zrrset *set = znode_find(n, nsec3 ? DNS_T_NSEC3 : DNS_T_NSEC);
	uint8_t buf[DNS_WIRE_NAME];
	size_t len = znode_owner(p->z, n, buf);
	struct reply_owner o = { .name = buf, .len = len, .stored = buf, .stored_len = len,
		.shared = p->d->in_question ? p->z->origin_len : 0 };

	for (unsigned i = 0; i < p->seen->n; i++)
		if (p->seen->at[i].index == index && p->seen->at[i].z == p->z)
			return true;
	if (p->seen->n < DENIAL_SEEN) {
		p->seen->at[p->seen->n].z = p->z;
		p->seen->at[p->seen->n++].index = index;
	}
	return reply_put(p->w, REPLY_AUTHORITY, &o, set, REPLY_DATA | REPLY_SIGS);
}

/* The suffix of the name that has `depth` labels below the origin. */
static const uint8_t *
suffix(const struct proof *p, unsigned depth, size_t *len)
{
	size_t off = p->depth > depth ? p->labels.off[p->depth - depth] : 0;

	if (depth == 0)
		off = p->d->len - p->z->origin_len;
	*len = p->d->len - off;
	return p->d->name + off;
}

/* ---- NSEC ---- */

/* The record whose owner is the name or the last one before it. */
static bool
nsec_cover(struct proof *p, const uint8_t *name, const struct dns_labels *labels)
{
	const zref *order = zone_at(p->z, p->z->order);
	const uint64_t *keys = zone_at(p->z, p->z->order_keys);
	/* low is at or before the name: the apex is first */
	uint32_t low = 0, high = p->z->norder;
	unsigned n = labels->n - p->z->origin_labels;
	uint64_t key = n > 0 ? zimage_order_key(name + labels->off[n - 1]) : 0;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		const struct znode *node = zone_at(p->z, order[mid]);

		if (key != keys[mid] ? key < keys[mid]
		    : dns_name_compare(name, labels->off, n, node->name, node->name_len) < 0)
			high = mid;
		else
			low = mid;
	}
	return put_index(p, low);
}

/* The same for the owner of a node that has no record of its own, or for the wildcard below it. */
static bool
nsec_cover_node(struct proof *p, const struct znode *n, bool star)
{
	uint8_t name[DNS_WIRE_NAME + 2] = { 1, '*' };
	struct dns_labels labels;

	/* the wildcard is not longer than the name that was asked for */
	(void)znode_owner(p->z, n, name + (star ? 2 : 0));
	dns_name_labels(name, &labels);
	return nsec_cover(p, name, &labels);
}

static bool
nsec_put(struct proof *p)
{
	const struct denial *d = p->d;
	bool own = (d->node->flags & ZNODE_ORDER) != 0;

	switch (d->kind) {
	case DENIAL_NODATA:
		/* An empty non-terminal has none of its own: the one before it leads past it. */
		if (own)
			return put_index(p, znode_order(d->node));
		return nsec_cover(p, d->name, &p->labels);
	case DENIAL_NXDOMAIN:
		/* Few names sort between an encloser and its asterisk. */
		if (!nsec_cover(p, d->name, &p->labels))
			return false;
		return (d->node->flags & ZNODE_STAR) != 0 && own
		    ? put_index(p, znode_order(d->node)) : nsec_cover_node(p, d->node, true);
	case DENIAL_WILDCARD_NODATA:
		/* An asterisk in the middle of longer names has none either. */
		return nsec_cover(p, d->name, &p->labels) &&
		    (own ? put_index(p, znode_order(d->node)) : nsec_cover_node(p, d->node, false));
	case DENIAL_WILDCARD:
		break;
	}
	return nsec_cover(p, d->name, &p->labels);
}

/* ---- NSEC3 ---- */

/*
 * The record whose hash is that of the name's suffix of this depth, with `star` of the asterisk
 * below that suffix, or the last one before; the chain is a ring.
 */
static bool
nsec3_cover(struct proof *p, unsigned depth, bool star)
{
	const struct zone_head *z = p->z;
	const struct nsec3_param param = { .salt = zone_at(z, z->nsec3_salt),
		.salt_len = z->nsec3_salt_len, .iterations = z->nsec3_iterations };
	const zref *order = zone_at(z, z->order);
	uint32_t low = 0, high = z->norder;      /* everything from high on is behind the hash */
	uint8_t label[NSEC3_LABEL], wild[DNS_WIRE_NAME + 2];
	size_t len;
	const uint8_t *name = suffix(p, depth, &len);

	if (star) {
		wild[0] = 1;
		wild[1] = '*';
		memcpy(wild + 2, name, len);
		name = wild;
		len += 2;
	}
	if (len > DNS_WIRE_NAME)
		return true;
	nsec3_label(&param, name, len, label);
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct znode *n = zone_at(z, order[mid]);

		if (memcmp(n->name, label, NSEC3_LABEL) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return put_index(p, low > 0 ? low - 1 : z->norder - 1);
}

/*
 * Closest provable encloser proof (section 7.2.1): the closest ancestor with an NSEC3, at `depth`
 * or above, and that the next closer name has none.  With opt-out the closest encloser itself may
 * have none.  *depth becomes that of the ancestor.
 */
static bool
nsec3_encloser(struct proof *p, unsigned *depth)
{
	for (;; (*depth)--) {
		size_t len;
		const uint8_t *name = suffix(p, *depth, &len);
		const struct znode *n = dns_zone_node(p->z, name, len);

		if (n != NULL && (n->flags & ZNODE_ORDER) != 0)
			return put_index(p, znode_order(n)) && nsec3_cover(p, *depth + 1, false);
		if (*depth == 0)
			return true;   /* a chain without the apex: nothing can be proven */
	}
}

static bool
nsec3_put(struct proof *p)
{
	const struct denial *d = p->d;
	unsigned depth = d->node->labels;
	bool own = (d->node->flags & ZNODE_ORDER) != 0;

	switch (d->kind) {
	case DENIAL_NODATA:
		if (own)
			return put_index(p, znode_order(d->node));
		depth -= depth > 0;
		return nsec3_encloser(p, &depth);
	case DENIAL_NXDOMAIN:
		return nsec3_encloser(p, &depth) && nsec3_cover(p, depth, true);
	case DENIAL_WILDCARD_NODATA:
		depth--;   /* the asterisk */
		return nsec3_encloser(p, &depth) && (!own || put_index(p, znode_order(d->node)));
	case DENIAL_WILDCARD:
		break;
	}
	return nsec3_cover(p, depth, false);
}

bool
denial_put(struct reply *w, struct denial_seen *seen, const struct denial *d)
{
	struct proof p = { .w = w, .seen = seen, .d = d, .z = d->z };

	if (d->z->norder == 0 || d->z->nsec3_iterations > NSEC3_ITERATIONS_MOST)
		return true;
	dns_name_labels(d->name, &p.labels);
	p.depth = p.labels.n - d->z->origin_labels;
	return (d->z->flags & ZONE_NSEC3) != 0 ? nsec3_put(&p) : nsec_put(&p);
}
