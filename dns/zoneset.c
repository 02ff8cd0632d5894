/* zoneset: mapped images, and immutable sets of zones bound out of them. */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/memfd.h"
#include "dns/lookup.h"

struct dns_mapped {
	atomic_uint refs;
	const void *map;
	size_t size;
};

enum err
dns_mapped_open(int fd, struct dns_mapped **out, struct errmsg *m)
{
	struct dns_mapped *map = calloc(1, sizeof(*map));
	enum err e;

	*out = NULL;
	if (map == NULL)
		return err_set(m, ERR_NOMEM, "zone image");
	atomic_init(&map->refs, 1);
	e = memfd_map_sealed(fd, &map->map, &map->size, m);
	if (e == ERR_OK)
		e = zimage_check(map->map, map->size, m);
	if (e != ERR_OK) {
		dns_mapped_unref(map);
		return e;
	}
	*out = map;
	return ERR_OK;
}

void
dns_mapped_unref(struct dns_mapped *map)
{
	if (map == NULL || atomic_fetch_sub(&map->refs, 1) != 1)
		return;
	if (map->map != NULL)
		(void)munmap((void *)(uintptr_t)map->map, map->size);   /* cannot fail for a mapping of ours */
	free(map);
}

static uint64_t
origin_hash(const struct dns_zoneset *set, const struct zone_head *z)
{
	struct dns_labels labels;
	uint64_t h = set->seed;

	dns_name_labels(zone_origin(z), &labels);
	for (unsigned k = labels.n; k-- > 0;)
		h = zhash_label(h, zone_origin(z) + labels.off[k]);
	return h;
}

/* Enters zone number i; of two zones with one origin the first stays. */
static void
set_enter(struct dns_zoneset *set, uint32_t i)
{
	const struct zone_head *z = set->zones[i].head;
	uint32_t slot = zhash_slot(origin_hash(set, z), set->nslots);

	for (; set->slots[slot] != 0; slot = slot + 1 == set->nslots ? 0 : slot + 1) {
		const struct zone_head *other = set->zones[set->slots[slot] - 1].head;

		if (other->origin_len == z->origin_len && memcmp(zone_origin(other), zone_origin(z), z->origin_len) == 0)
			return;
	}
	set->slots[slot] = i + 1;
	if (z->origin_labels < set->min_labels)
		set->min_labels = z->origin_labels;
	if (z->origin_labels > set->max_labels)
		set->max_labels = z->origin_labels;
}

static enum err
set_bind(struct dns_zoneset *set, const struct msg_binding *row, uint32_t i, struct errmsg *m)
{
	const struct zone_head *z;

	if (row->image >= set->nmaps || row->zone >= zimage_zones(set->maps[row->image]->map))
		return err_set(m, ERR_PROTO, "binding %u: image %u has no zone %u", i, row->image, row->zone);
	z = zimage_zone(set->maps[row->image]->map, row->zone);
	if (row->nunits != z->nunits || row->first_unit > set->nnumbers || row->nunits > set->nnumbers - row->first_unit)
		return err_set(m, ERR_PROTO, "binding %u: %u units from %u on do not fit %u units and %u numbers", i,
		    row->nunits, row->first_unit, z->nunits, set->nnumbers);
	set->zones[i] = (struct dns_zone){ .head = z, .first_unit = row->first_unit };
	set->bytes += z->size;
	set->seed ^= z->seed;   /* random, and unknown to whoever wrote the zones */
	return ERR_OK;
}

enum err
dns_zoneset_new(struct dns_mapped *const *maps, uint32_t nmaps, const struct msg_binding *rows, uint32_t nrows,
    const uint32_t *numbers, uint32_t nnumbers, struct dns_zoneset **out, struct errmsg *m)
{
	struct dns_zoneset *set = calloc(1, sizeof(*set));
	enum err e = ERR_OK;

	*out = NULL;
	if (set == NULL || nrows > UINT32_MAX / 4) {
		free(set);
		return err_set(m, ERR_NOMEM, "a set of %u zones", nrows);
	}
	set->nslots = nrows * 2 + 1;
	set->min_labels = DNS_WIRE_LABELS + 1;
	set->zones = calloc((size_t)nrows + 1, sizeof(*set->zones));
	set->slots = calloc(set->nslots, sizeof(*set->slots));
	set->numbers = calloc((size_t)nnumbers + 1, sizeof(*set->numbers));
	set->maps = calloc((size_t)nmaps + 1, sizeof(struct dns_mapped *));
	if (set->zones == NULL || set->slots == NULL || set->numbers == NULL || set->maps == NULL) {
		e = err_set(m, ERR_NOMEM, "a set of %u zones and %u units", nrows, nnumbers);
		goto out;
	}
	for (; set->nmaps < nmaps; set->nmaps++) {
		set->maps[set->nmaps] = maps[set->nmaps];
		atomic_fetch_add(&maps[set->nmaps]->refs, 1);
	}
	if (nnumbers > 0)
		memcpy(set->numbers, numbers, nnumbers * sizeof(*numbers));
	set->nnumbers = nnumbers;
	for (; set->nzones < nrows && e == ERR_OK; set->nzones++)
		e = set_bind(set, &rows[set->nzones], set->nzones, m);
	for (uint32_t i = 0; i < nrows && e == ERR_OK; i++)
		set_enter(set, i);
out:
	if (e != ERR_OK)
		dns_zoneset_free(set);
	else
		*out = set;
	return e;
}

void
dns_zoneset_free(struct dns_zoneset *set)
{
	if (set == NULL)
		return;
	for (uint32_t i = 0; i < set->nmaps; i++)
		dns_mapped_unref(set->maps[i]);
	free(set->maps);
	free(set->numbers);
	free(set->slots);
	free(set->zones);
	free(set);
}
