/* format: names in stored RDATA, and the check of a whole zimage. */
#include "dns/zimage/format.h"

#include <stdlib.h>

#include "base/mem.h"
#include "dns/zimage/rdata.h"

size_t
zimage_name_expand(const uint8_t *stored, const uint8_t *owner, size_t owner_len,
    uint8_t name[DNS_WIRE_NAME], size_t *used)
{
	size_t labels = 0, off;

	while (stored[labels] != 0 && stored[labels] < 0xc0)
		labels += 1u + stored[labels];
	memcpy(name, stored, labels);
	if (stored[labels] == 0) {
		*used = labels + 1;
		name[labels] = 0;
		return labels + 1;
	}
	*used = labels + 2;
	off = (dns_get16(stored + labels) & 0x3fffu) - DNS_MESSAGE_HEADER;
	memcpy(name + labels, owner + off, owner_len - off);
	return labels + owner_len - off;
}

size_t
zimage_name_check(const uint8_t *stored, size_t avail, const uint8_t *owner, size_t owner_len,
    uint8_t name[DNS_WIRE_NAME], size_t *used)
{
	size_t labels = 0, off, at = 0;

	while (labels < avail && stored[labels] != 0 && stored[labels] <= 63)
		labels += 1u + stored[labels];
	if (labels >= avail || labels >= DNS_WIRE_NAME)
		return 0;
	if (stored[labels] != 0) {
		if ((stored[labels] & 0xc0) != 0xc0 || labels + 2 > avail)
			return 0;
		off = dns_get16(stored + labels) & 0x3fffu;
		if (off < DNS_MESSAGE_HEADER)
			return 0;
		off -= DNS_MESSAGE_HEADER;
		while (at < off && at < owner_len && owner[at] != 0)
			at += 1u + owner[at];
		if (at != off || at + 1 >= owner_len || labels + owner_len - off > DNS_WIRE_NAME)
			return 0;
	}
	return zimage_name_expand(stored, owner, owner_len, name, used);
}

/* ---- checks ---- */

/* What is being checked; a finding names the place. */
struct check {
	const uint8_t *base;       /* of the zone */
	const struct zone_head *z;
	uint64_t *starts;          /* one bit per word of the node area: a node begins here */
	uint32_t names;
	struct errmsg *m;
};

static enum err
bad(const struct check *c, const void *at, const char *what)
{
	return err_set(c->m, ERR_PROTO, "zimage: %s at byte %zu", what,
	    (size_t)((const uint8_t *)at - c->base));
}

/* Do `count` elements of `size` bytes at `ref` lie within the zone? */
static bool
area_ok(const struct zone_head *z, zref ref, uint64_t count, size_t size)
{
	uint64_t begin = (uint64_t)ref * 4;

	return begin >= sizeof(*z) + z->origin_len && begin <= z->size &&
	    count <= (z->size - begin) / size;
}

static enum err
check_record(const struct check *c, const uint8_t *rr, size_t avail, uint16_t type,
    const struct znode *node, size_t *size)
{
	struct dns_layout layout = dns_rdata_layout(type);
	uint8_t owner[DNS_WIRE_NAME], name[DNS_WIRE_NAME];
	size_t rdlen, owner_len = 0, done = layout.fixed, used;

	if (avail < ZRR_FIXED || dns_get16(rr) != 0xc00c || dns_get16(rr + 2) != type ||
	    dns_get16(rr + 4) != DNS_CLASS_IN)
		return bad(c, rr, "malformed record");
	rdlen = dns_get16(rr + 10);
	if (avail - ZRR_FIXED < rdlen || (layout.names > 0 && rdlen < done))
		return bad(c, rr, "record too long");
	rr += ZRR_FIXED;
	if (layout.names > 0)
		owner_len = znode_owner(c->z, node, owner);
	for (unsigned i = 0; i < layout.names; i++, done += used)
		if (zimage_name_check(rr + done, rdlen - done, owner, owner_len, name, &used) == 0)
			return bad(c, rr + done, "malformed name");
	if ((type == DNS_T_CNAME && done != rdlen) ||
	    (type == DNS_T_DNAME && (rdlen == 0 || dns_name_len(rr, rdlen) != rdlen)))
		return bad(c, rr, "malformed alias");
	if ((type == DNS_T_A && rdlen != 4) || (type == DNS_T_AAAA && rdlen != 16) ||
	    (type == DNS_T_SOA && rdlen - done != 20))
		return bad(c, rr, "wrong length of data");
	*size = ZRR_FIXED + rdlen;
	return ERR_OK;
}

/* Most of a large zone: are these whole records of addresses?  check_record says what is wrong. */
static bool
addresses_ok(const struct zrrset *s, uint16_t rdlen)
{
	const size_t one = ZRR_FIXED + (size_t)rdlen;
	const uint8_t *p = s->wire, *end = p + s->len;
	uint8_t head[8] = { 0xc0, 0x0c, 0, (uint8_t)s->type, 0, DNS_CLASS_IN };

	if (s->len != (s->count & ZRRSET_COUNT) * one)
		return false;
	while (p < end && memcmp(p, head, 6) == 0 && dns_get16(p + 10) == rdlen)
		p += one;
	return p == end;
}

/* A RRset of at most `avail` bytes, of a node whose name is checked; *size is what it takes. */
static enum err
check_rrset(const struct check *c, const struct zrrset *s, size_t avail, const struct znode *node,
    size_t *size)
{
	const uint8_t *sigs;
	unsigned count = 0;
	size_t i, n = 0;
	enum err e;

	if (avail < sizeof(*s) || avail < (*size = zrrset_size(s)))
		return bad(c, s, "RRset leaves its area");
	if (s->sig_len == 0 && ((s->type == DNS_T_A && addresses_ok(s, 4)) ||
	    (s->type == DNS_T_AAAA && addresses_ok(s, 16))))
		return ERR_OK;
	for (i = 0; i < s->len; i += n, count++)
		if ((e = check_record(c, s->wire + i, s->len - i, s->type, node, &n)) != ERR_OK)
			return e;
	if (count != (s->count & ZRRSET_COUNT) ||
	    ((s->type == DNS_T_CNAME || s->type == DNS_T_DNAME) && count > 1))
		return bad(c, s, "wrong number of records");
	sigs = s->wire + s->len;
	for (i = 0; i < s->sig_len; i += n)
		if ((e = check_record(c, sigs + i, s->sig_len - i, DNS_T_RRSIG, node, &n)))
			return e;
	return ERR_OK;
}

static enum err
check_node_name(const struct check *c, const struct znode *n)
{
	unsigned labels = 0;
	size_t i;

	for (i = 0; i < n->name_len && n->name[i] > 0 && n->name[i] <= 63; labels++)
		i += 1u + n->name[i];
	if (i != n->name_len || labels != n->labels || i + c->z->origin_len > DNS_WIRE_NAME)
		return bad(c, n, "malformed owner name");
	return ERR_OK;
}

static bool
has_data(const struct znode *n, uint16_t type)
{
	const struct zrrset *s = znode_find(n, type);

	return s != NULL && s->len > 0;
}

/* Data that the flags promise. */
static bool
flags_ok(const struct check *c, const struct znode *n)
{
	static const struct {
		uint16_t flag, type;
	} promises[] = {
		{ ZNODE_CUT, DNS_T_NS }, { ZNODE_DNAME, DNS_T_DNAME },
		{ ZNODE_CNAME, DNS_T_CNAME }, { ZNODE_APEX, DNS_T_SOA },
	};

	if (n->flags == 0)
		return true;
	for (size_t i = 0; i < sizeof(promises) / sizeof(promises[0]); i++)
		if ((n->flags & promises[i].flag) != 0 && !has_data(n, promises[i].type))
			return false;
	if (((n->flags & ZNODE_UNIT) != 0 && znode_unit(n) >= c->z->nunits) ||
	    ((n->flags & ZNODE_ORDER) != 0 && znode_order(n) >= c->z->norder))
		return false;
	return (n->flags & ZNODE_APEX) == 0 || n->name_len == 0;
}

static enum err
check_node(const struct check *c, const struct znode *n, size_t avail, size_t *size)
{
	size_t head, done, one;
	enum err e;

	if (avail < sizeof(*n) || avail < (head = (size_t)n->rrsets * 4))
		return bad(c, n, "node leaves its area");
	if (head < sizeof(*n) + n->name_len + ((n->flags & ZNODE_UNIT) != 0 ? 4u : 0) +
	    ((n->flags & ZNODE_ORDER) != 0 ? 4u : 0))
		return bad(c, n, "node without room for its name");
	if ((e = check_node_name(c, n)) != ERR_OK)
		return e;
	for (done = head, one = 0; one < n->nrrsets; one++) {
		size_t len = 0;

		if ((e = check_rrset(c, (const void *)((const uint8_t *)n + done), avail - done, n,
		    &len)) != ERR_OK)
			return e;
		done += len;
	}
	if (!flags_ok(c, n))
		return bad(c, n, "node without the data that its flags promise");
	*size = done;
	return ERR_OK;
}

static enum err
check_nodes(const struct check *c)
{
	const uint8_t *begin = zone_at(c->z, c->z->nodes), *end = zone_at(c->z, c->z->nodes_end);
	size_t size = 0, word;
	enum err e;

	for (const uint8_t *p = begin; p < end; p += size) {
		if ((e = check_node(c, (const void *)p, (size_t)(end - p), &size)) != ERR_OK)
			return e;
		word = (size_t)(p - begin) / 4;
		c->starts[word / 64] |= 1ull << word % 64;
	}
	return ERR_OK;
}

/* Is this a reference to the beginning of a node? */
static const struct znode *
node_at(const struct check *c, zref ref)
{
	size_t word = ref - c->z->nodes;

	if (ref < c->z->nodes || ref >= c->z->nodes_end ||
	    (c->starts[word / 64] >> word % 64 & 1) == 0)
		return NULL;
	return zone_at(c->z, ref);
}

static enum err
check_refs(const struct check *c)
{
	const struct zone_head *z = c->z;
	const struct zslot *slots = zone_at(z, z->slots);
	const struct znode *apex = node_at(c, z->apex);
	uint32_t names = 0;

	if (apex == NULL || (apex->flags & ZNODE_APEX) == 0)
		return bad(c, z, "no apex");
	for (uint32_t i = 0; i < z->nslots; i++) {
		if (slots[i].node == 0)
			continue;
		names++;
		if (node_at(c, slots[i].node) == NULL)
			return bad(c, &slots[i], "slot without a node");
	}
	if (names != z->names || names >= z->nslots)
		return bad(c, z, "wrong number of names");
	return ERR_OK;
}

/* The chain for proofs: each entry has its record, and an NSEC3 its hash. */
static enum err
check_order(const struct check *c)
{
	const struct zone_head *z = c->z;
	const zref *order = zone_at(z, z->order);
	uint16_t type = z->flags == ZONE_NSEC3 ? DNS_T_NSEC3 : DNS_T_NSEC;

	if (z->norder > 0 && z->flags != ZONE_NSEC && z->flags != ZONE_NSEC3)
		return bad(c, z, "order of nothing");
	for (uint32_t i = 0; i < z->norder; i++) {
		const struct znode *n = node_at(c, order[i]);

		if (n == NULL || !has_data(n, type))
			return bad(c, &order[i], "order without a record");
		if (type == DNS_T_NSEC3 && (n->labels != 1 || n->name_len != NSEC3_LABEL))
			return bad(c, &order[i], "NSEC3 without a hash");
	}
	return ERR_OK;
}

static enum err
check_units(const struct check *c)
{
	const struct zone_head *z = c->z;
	const struct zunit *units = zone_at(z, z->units);
	const uint8_t *end = zone_at(z, z->strings_end);

	for (uint32_t i = 0; i < z->nunits; i++) {
		const struct zunit *u = &units[i];
		const uint8_t *s = zone_at(z, u->strings), *file = zone_at(z, u->file);
		unsigned n = 0;
		size_t at = 0;

		if (node_at(c, u->node) == NULL)
			return bad(c, u, "unit without a node");
		if (u->strings < z->strings || u->strings > z->strings_end ||
		    (size_t)(end - s) < u->strings_len)
			return bad(c, u, "unit's strings leave their area");
		for (; at < u->strings_len; at += 1u + s[at])
			n++;
		if (at != u->strings_len || n != u->nstrings)
			return bad(c, u, "malformed strings of a unit");
		if (u->file < z->strings || u->file >= z->strings_end ||
		    memchr(file, 0, (size_t)(end - file)) == NULL)
			return bad(c, u, "unit's file name leaves its area");
	}
	return ERR_OK;
}

static enum err
check_head(const struct check *c)
{
	const struct zone_head *z = c->z;

	if (z->magic != ZONE_MAGIC || z->version != ZIMAGE_VERSION)
		return bad(c, z, "not a zone of this version");
	if (z->size > (uint64_t)UINT32_MAX * 4 || sizeof(*z) + z->origin_len > z->size ||
	    z->origin_len == 0 || dns_name_len(zone_origin(z), z->origin_len) != z->origin_len)
		return bad(c, z, "malformed origin");
	for (unsigned i = 0; i < z->origin_len; i++)
		if (dns_lower(zone_origin(z)[i]) != zone_origin(z)[i])
			return bad(c, z, "origin not in lower case");
	if (z->nodes > z->nodes_end || !area_ok(z, z->nodes, z->nodes_end - z->nodes, 4))
		return bad(c, z, "nodes outside of the zone");
	if (z->nslots == 0 || z->slots % 2 != 0 ||
	    !area_ok(z, z->slots, z->nslots, sizeof(struct zslot)))
		return bad(c, z, "slots outside of the zone");
	if (!area_ok(z, z->units, z->nunits, sizeof(struct zunit)) ||
	    z->nunits > LIMIT_UNIT_NUMBERS)
		return bad(c, z, "units outside of the zone");
	if (z->strings > z->strings_end || !area_ok(z, z->strings, z->strings_end - z->strings, 4))
		return bad(c, z, "strings outside of the zone");
	if (!area_ok(z, z->order, z->norder, sizeof(zref)) || z->order_keys % 2 != 0 ||
	    !area_ok(z, z->order_keys, z->norder, sizeof(uint64_t)) ||
	    !area_ok(z, z->nsec3_salt, z->nsec3_salt_len, 1))
		return bad(c, z, "order outside of the zone");
	if ((z->flags & ZONE_ABSENT) != 0 || !area_ok(z, z->negative, 1, sizeof(struct zrrset)))
		return bad(c, z, "negative SOA outside of the zone");
	return ERR_OK;
}

static enum err
check_negative(const struct check *c)
{
	const struct zone_head *z = c->z;
	const struct zrrset *s = zone_at(z, z->negative);
	static const struct znode apex;   /* its name is the origin */
	size_t size;

	if (s->type != DNS_T_SOA || (s->count & ZRRSET_COUNT) != 1)
		return bad(c, s, "no negative SOA");
	return check_rrset(c, s, (size_t)(z->size - (uint64_t)z->negative * 4), &apex, &size);
}

static enum err
check_zone(const struct zone_head *z, struct errmsg *m)
{
	static enum err (*const checks[])(const struct check *) = { check_negative, check_nodes,
		check_refs, check_order, check_units };
	struct check c = { .base = (const void *)z, .z = z, .m = m };
	struct dns_labels labels;
	enum err e = check_head(&c);

	if (e != ERR_OK)
		return e;
	dns_name_labels(zone_origin(z), &labels);
	if (labels.n != z->origin_labels)
		return bad(&c, z, "wrong number of labels in the origin");
	c.starts = mem_zero((z->nodes_end - z->nodes) / 64 + 1, sizeof(*c.starts));
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && e == ERR_OK; i++)
		e = checks[i](&c);
	free(c.starts);
	return e;
}

enum err
zimage_check_head(const void *map, size_t size, struct errmsg *m)
{
	const struct zimage_head *h = map;

	if (size < sizeof(*h) || h->magic != ZIMAGE_MAGIC)
		return err_set(m, ERR_PROTO, "zimage: not one");
	if (h->version != ZIMAGE_VERSION)
		return err_set(m, ERR_PROTO, "zimage: version %u, this program reads %u",
		    h->version, ZIMAGE_VERSION);
	if (h->size != size || h->dir % 8 != 0 || h->dir > size ||
	    h->nzones > (size - h->dir) / sizeof(struct zimage_dir))
		return err_set(m, ERR_PROTO, "zimage: damaged or cut (%zu bytes, written as %llu)",
		    size, (unsigned long long)h->size);
	return ERR_OK;
}

enum err
zimage_check(const void *map, size_t size, struct errmsg *m)
{
	const struct zimage_head *h = map;
	const struct zimage_dir *d;
	enum err e = zimage_check_head(map, size, m);

	if (e != ERR_OK)
		return e;
	d = (const void *)((const uint8_t *)map + h->dir);
	for (uint32_t i = 0; i < h->nzones; i++) {
		const struct zone_head *z;

		if (d[i].offset % 8 != 0 || d[i].offset > size || d[i].size > size - d[i].offset ||
		    d[i].size < sizeof(*z))
			return err_set(m, ERR_PROTO, "zimage: zone %u lies outside of it", i);
		z = zimage_zone(map, i);
		if (z->size != d[i].size)
			return err_set(m, ERR_PROTO, "zimage: zone %u is cut", i);
		if ((e = check_zone(z, m)) != ERR_OK)
			return e;
	}
	return ERR_OK;
}
