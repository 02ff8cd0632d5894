/* zoneset: mapped zimages, and immutable sets of zones bound out of them. */
#include "dns/answer/zoneset.h"

#include <ldns/dname.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dns/dns.h"

#define ABSENT_SIZE ((sizeof(struct zone_head) + DNS_WIRE_NAME + 7) / 8 * 8)

/*
 * Enters zone number i; of two zones with one origin the first stays.  Not a base/table: a name's
 * hash goes on from that of the name above, so that a query hashes each of its labels once for all
 * suffixes.
 */
static void
set_enter(struct dns_zoneset *set, uint32_t i)
{
	const struct zone_head *z = set->zones[i].head;
	struct dns_labels labels;
	uint64_t hash = set->seed;
	uint32_t slot;

	dns_name_labels(zone_origin(z), &labels);
	for (unsigned k = labels.n; k-- > 0;)
		hash = zhash_label(hash, zone_origin(z) + labels.off[k]);
	slot = zhash_slot(hash, set->nslots);
	for (; set->slots[slot] != 0; slot = slot + 1 == set->nslots ? 0 : slot + 1) {
		const struct zone_head *other = set->zones[set->slots[slot] - 1].head;

		if (other->origin_len == z->origin_len &&
		    memcmp(zone_origin(other), zone_origin(z), z->origin_len) == 0)
			return;
	}
	set->slots[slot] = i + 1;
	if (z->origin_labels < set->min_labels)
		set->min_labels = z->origin_labels;
	if (z->origin_labels > set->max_labels)
		set->max_labels = z->origin_labels;
}

/* The table of all zones. */
static void
set_index(struct dns_zoneset *set)
{
	free(set->slots);
	set->nslots = set->nzones * 2 + 1;
	set->slots = mem_zero(set->nslots, sizeof(*set->slots));
	for (uint32_t i = 0; i < set->nzones; i++)
		set_enter(set, i);
}

static enum err
set_bind(struct dns_zoneset *set, const struct msg_binding *row, uint32_t i, struct errmsg *m)
{
	const struct zone_head *z;

	if (row->zimage >= set->nmaps || row->zone >= zimage_zones(set->maps[row->zimage]->map))
		return err_set(m, ERR_PROTO, "binding %u: zimage %u has no zone %u", i, row->zimage,
		    row->zone);
	z = zimage_zone(set->maps[row->zimage]->map, row->zone);
	if (row->nunits != z->nunits || row->first_unit > set->nnumbers ||
	    row->nunits > set->nnumbers - row->first_unit)
		return err_set(m, ERR_PROTO,
		    "binding %u: %u units from %u on do not fit %u units and %u numbers", i,
		    row->nunits, row->first_unit, z->nunits, set->nnumbers);
	set->zones[i] = (struct dns_zone){ .head = z, .first_unit = row->first_unit };
	set->bytes += z->size;
	set->seed ^= z->seed;   /* random, and unknown to whoever wrote the zones */
	return ERR_OK;
}

enum err
dns_zoneset_new(struct dns_zimage *const *maps, uint32_t nmaps, const struct msg_binding *rows,
    uint32_t nrows, const uint32_t *numbers, uint32_t nnumbers, struct dns_zoneset **out,
    struct errmsg *m)
{
	struct dns_zoneset *set;
	enum err e = ERR_OK;

	*out = NULL;
	if (nrows > UINT32_MAX / 4)
		return err_set(m, ERR_PROTO, "a set of %u zones", nrows);
	set = mem_zero(1, sizeof(*set));
	*set = (struct dns_zoneset){ .min_labels = DNS_WIRE_LABELS + 1,
		.zones = mem_zero(nrows, sizeof(*set->zones)), .nnumbers = nnumbers,
		.numbers = mem_copy(numbers, nnumbers * sizeof(*numbers)),
		.maps = mem_zero(nmaps, sizeof(struct dns_zimage *)) };
	for (; set->nmaps < nmaps; set->nmaps++) {
		set->maps[set->nmaps] = maps[set->nmaps];
		atomic_fetch_add(&maps[set->nmaps]->refs, 1);
	}
	for (; set->nzones < nrows && e == ERR_OK; set->nzones++)
		e = set_bind(set, &rows[set->nzones], set->nzones, m);
	if (e != ERR_OK) {
		dns_zoneset_free(set);
		return e;
	}
	set_index(set);
	*out = set;
	return ERR_OK;
}

/* A head that has only an origin; false when `name` is none. */
static bool
absent_head(const char *name, uint8_t *at)
{
	ldns_rdf *rdf = ldns_dname_new_frm_str(name);
	struct zone_head *z = (void *)at;
	struct dns_labels labels;
	size_t len = rdf != NULL ? ldns_rdf_size(rdf) : 0;

	if (len > 0 && len <= DNS_WIRE_NAME) {
		*z = (struct zone_head){ .magic = ZONE_MAGIC, .version = ZIMAGE_VERSION,
		    .flags = ZONE_ABSENT, .origin_len = (uint8_t)len };
		dns_name_lower(at + sizeof(*z), ldns_rdf_data(rdf), len);
		dns_name_labels(at + sizeof(*z), &labels);
		z->origin_labels = (uint8_t)labels.n;
	}
	ldns_rdf_deep_free(rdf);
	return len > 0 && len <= DNS_WIRE_NAME;
}

enum err
dns_zoneset_absent(struct dns_zoneset *set, const char *names, size_t len, struct errmsg *m)
{
	uint32_t n = 0;

	if (len == 0)
		return ERR_OK;
	if (names[len - 1] != '\0')
		return err_set(m, ERR_PROTO, "names of zones without an end");
	for (size_t i = 0; i < len; i += strlen(names + i) + 1)
		n++;
	if (n > UINT32_MAX / 4 - set->nzones)
		return err_set(m, ERR_PROTO, "a set of %u zones", n);
	set->zones = mem_resize(set->zones, (size_t)set->nzones + n, sizeof(*set->zones));
	set->absent = mem_zero(n, ABSENT_SIZE);
	for (uint32_t i = 0; i < n; i++, names += strlen(names) + 1) {
		uint8_t *at = set->absent + (size_t)i * ABSENT_SIZE;

		if (!absent_head(names, at))
			return err_set(m, ERR_PROTO, "a zone's name is none");
		set->zones[set->nzones++] = (struct dns_zone){ .head = (const void *)at };
	}
	set_index(set);
	return ERR_OK;
}

const struct dns_zone *
dns_zoneset_find(const struct dns_zoneset *set, const uint8_t *name, size_t len,
    const struct dns_labels *labels, bool above)
{
	uint64_t hash[DNS_WIRE_LABELS + 1];
	unsigned most = labels->n, skip = above && labels->n > 0 ? 1 : 0;

	if (most - skip > set->max_labels)
		skip = most - set->max_labels;
	hash[0] = set->seed;
	for (unsigned k = 1; k <= most - skip; k++)
		hash[k] = zhash_label(hash[k - 1], name + labels->off[most - k]);
	for (unsigned k = most - skip + 1; k-- > set->min_labels;) {
		size_t off = k > 0 ? labels->off[most - k] : len - 1;
		uint32_t slot = zhash_slot(hash[k], set->nslots);

		for (; set->slots[slot] != 0; slot = slot + 1 == set->nslots ? 0 : slot + 1) {
			const struct dns_zone *z = &set->zones[set->slots[slot] - 1];

			if (z->head->origin_len == len - off &&
			    memcmp(zone_origin(z->head), name + off, len - off) == 0)
				return z;
		}
	}
	return NULL;
}

void
dns_zoneset_free(struct dns_zoneset *set)
{
	if (set == NULL)
		return;
	for (uint32_t i = 0; i < set->nmaps; i++)
		dns_zimage_close(set->maps[i]);
	free(set->absent);
	free(set->maps);
	free(set->numbers);
	free(set->slots);
	free(set->zones);
	free(set);
}
