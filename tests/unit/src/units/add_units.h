/* add_units: a zone whose units are in an array, without a zimage. */
#ifndef TESTS_UNITS_ADD_UNITS_H
#define TESTS_UNITS_ADD_UNITS_H

#include "src/units/mapping.h"
#include "src/units/mapping_impl.h"

/* As mapping_set_add. */
static inline enum err
add_units(struct mapping_set *set, const struct config_zone *zone, const struct dns_unit *units,
    uint32_t n, struct report *r)
{
	size_t before = r->nerrors;
	enum err e = mapping_zone_begin(set, zone, n, false, r);

	if (e != ERR_OK)
		return e;
	for (uint32_t i = 0; i < n; i++)
		mapping_unit_build(set, zone, &set->zones[zone->index].units[i], &units[i], r);
	return mapping_zone_end(set, zone, r->nerrors == before);
}

#endif
