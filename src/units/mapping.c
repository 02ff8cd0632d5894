/* mapping: the set of all units: zones come in whole or not at all. */
#include "src/units/mapping.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "src/units/mapping_impl.h"

/* Two interfaces may have one address: the first stays. */
static void
host_addrs_enter(struct mapping_set *set, const struct msg_addr *host, unsigned n)
{
	struct msg_addr *own = arena_array(&set->arena, n, sizeof(*own));

	for (unsigned i = 0; i < n; i++) {
		size_t len = host[i].family == 4 ? 4 : 16;

		own[i] = host[i];
		(void)table_add(&set->host_addrs, own[i].bytes, len, &own[i]);
	}
}

struct mapping_set *
mapping_set_new(const struct config *conf, const struct mapping_secret *secret,
    const struct msg_addr *host, unsigned nhost)
{
	struct mapping_set *set = mem_zero(1, sizeof(*set));

	*set = (struct mapping_set){ .conf = conf, .secret = *secret };
	set->zones = arena_array(&set->arena, conf->nzones, sizeof(*set->zones));
	host_addrs_enter(set, host, nhost);
	return set;
}

void
mapping_set_host_macs(struct mapping_set *set, const struct vm_host_mac *macs, unsigned n)
{
	struct vm_host_mac *own = arena_array(&set->arena, n, sizeof(*own));

	for (unsigned i = 0; i < n; i++) {
		own[i] = macs[i];
		(void)table_add(&set->host_macs, own[i].mac, sizeof(own[i].mac), &own[i]);
	}
}

static void
clear_indexes(struct mapping_set *set)
{
	table_clear(&set->names);
	table_clear(&set->addrs);
	table_clear(&set->macs);
	table_clear(&set->disks_written);
	table_clear(&set->disks_read);
}

void
mapping_set_free(struct mapping_set *set)
{
	if (set == NULL)
		return;
	clear_indexes(set);
	mapping_kept_clear(set);
	table_clear(&set->host_addrs);
	table_clear(&set->host_macs);
	arena_clear(&set->arena);
	free(set);
}

void
mapping_set_rebuild(struct mapping_set *set)
{
	clear_indexes(set);
	set->total = 0;
	for (unsigned z = 0; z < set->conf->nzones; z++) {
		struct mapping_zone *mz = &set->zones[z];

		if (!mz->added)
			continue;
		for (uint32_t i = 0; i < mz->n; i++)
			mapping_unit_enter(set, &mz->units[i]);
		set->total += mz->n;
	}
}

enum err
mapping_zone_begin(struct mapping_set *set, const struct config_zone *zone, uint32_t n, bool keep,
    struct report *r)
{
	struct mapping_zone *mz = &set->zones[zone->index];

	if (mz->added)
		return ERR_EXISTS;
	if (n > LIMIT_UNIT_NUMBERS - set->total)
		return report_add(r, zone->file, 0,
		    "zone \"%s\" has %u units; with it there would be more than %u", zone->origin,
		    n, LIMIT_UNIT_NUMBERS);
	*mz = (struct mapping_zone){ .n = n, .kept = keep };
	mz->units = arena_array(&set->arena, n, sizeof(*mz->units));
	mz->heights = arena_array(&set->arena, n, 1);
	return ERR_OK;
}

enum err
mapping_zone_end(struct mapping_set *set, const struct config_zone *zone, bool whole)
{
	struct mapping_zone *mz = &set->zones[zone->index];

	if (mz->kept || whole) {
		mz->added = true;
		set->total += mz->n;
		return ERR_OK;
	}
	*mz = (struct mapping_zone){ 0 };
	mapping_set_rebuild(set);
	return ERR_PARSE;
}

static enum err
add_zone(struct mapping_set *set, const struct config_zone *zone, const struct dns_zimage *img,
    uint32_t image_zone, bool keep, struct report *r)
{
	struct mapping_zone *mz = &set->zones[zone->index];
	size_t begun = r->nerrors;
	struct dns_zone_info info;
	struct dns_unit d;
	struct errmsg m;
	enum err e;

	if (dns_zimage_zone(img, image_zone, &info, &m) != ERR_OK)
		return report_add(r, zone->file, 0, "%s", m.text);
	if ((e = mapping_zone_begin(set, zone, info.units, keep, r)) != ERR_OK)
		return e;
	for (uint32_t i = 0; i < mz->n; i++) {
		size_t before = r->nerrors;

		if (dns_zimage_unit(img, image_zone, i, &d, &m) != ERR_OK) {
			(void)report_add(r, zone->file, 0, "%s", m.text);   /* always ERR_PARSE */
			break;
		}
		mapping_unit_build(set, zone, &mz->units[i], &d, r);
		if (keep && r->nerrors != before)
			mapping_unit_refuse(&mz->units[i]);
	}
	return mapping_zone_end(set, zone, r->nerrors == begun);
}

enum err
mapping_set_add(struct mapping_set *set, const struct config_zone *zone,
    const struct dns_zimage *img, uint32_t image_zone, struct report *r)
{
	return add_zone(set, zone, img, image_zone, false, r);
}

enum err
mapping_set_keep(struct mapping_set *set, const struct mapping_set *before,
    const struct config_zone *zone, const struct dns_zimage *img, uint32_t image_zone,
    struct report *r)
{
	enum err e;

	set->before = before;
	e = add_zone(set, zone, img, image_zone, true, r);
	set->before = NULL;
	return e;
}

bool
mapping_zone_added(const struct mapping_set *set, const struct config_zone *zone)
{
	return set->zones[zone->index].added;
}

uint32_t
mapping_zone_units(const struct mapping_set *set, const struct config_zone *zone)
{
	return set->zones[zone->index].n;
}

const struct unit_conf *
mapping_zone_unit(const struct mapping_set *set, const struct config_zone *zone, uint32_t i)
{
	const struct mapping_zone *mz = &set->zones[zone->index];

	return i < mz->n ? &mz->units[i] : NULL;
}

const struct unit_conf *
mapping_unit_find(const struct mapping_set *set, const char *owner)
{
	return table_find(&set->names, owner, strlen(owner));
}

bool
mapping_unit_refused(const struct mapping_set *set, const char *owner)
{
	const struct config_zone *zone = config_zone_above(set->conf, owner);
	const struct mapping_zone *mz = zone != NULL ? &set->zones[zone->index] : NULL;

	for (uint32_t i = 0; mz != NULL && mz->kept && i < mz->n; i++)
		if (mz->units[i].refused && strcmp(mz->units[i].name, owner) == 0)
			return true;
	return false;
}

uint32_t
mapping_set_units(const struct mapping_set *set)
{
	uint32_t n = 0;

	for (unsigned z = 0; z < set->conf->nzones; z++)
		for (uint32_t i = 0; i < set->zones[z].n; i++)
			n += set->zones[z].units[i].image != NULL;
	return n;
}

size_t
mapping_set_bytes(const struct mapping_set *set)
{
	return sizeof(*set) + set->arena.bytes + table_bytes(&set->names) +
	    table_bytes(&set->addrs) + table_bytes(&set->macs) + table_bytes(&set->disks_written) +
	    table_bytes(&set->disks_read);
}

bool
mapping_set_stands_by(const struct mapping_set *set)
{
	return set->stands_by;
}
