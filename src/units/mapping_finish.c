/*
 * mapping_finish: names of other units, once all zones are in: aliases and needs.
 *
 * Each round resolves every reference anew; zones with a reference that leads nowhere leave the
 * set, which may take what others refer to, so rounds go on until nothing leaves.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "src/units/mapping.h"
#include "src/units/mapping_impl.h"

#define HEIGHT_UNKNOWN 0
#define HEIGHT_OPEN 255        /* the needs of this unit are being looked at */

/* `text` relative to the zone, or absolute with a final dot, as an owner name. */
static void
absolute(char *dst, size_t size, const char *text, size_t len, const struct config_zone *zone)
{
	size_t used;

	if (len > 0 && text[len - 1] == '.')
		snprintf(dst, size, "%.*s", (int)len - 1, text);
	else if (strcmp(zone->origin, ".") == 0)
		snprintf(dst, size, "%.*s", (int)len, text);
	else
		snprintf(dst, size, "%.*s.%s", (int)len, text, zone->origin);
	for (used = 0; dst[used] != '\0'; used++)
		dst[used] = (char)tolower((unsigned char)dst[used]);
}

static struct unit_conf *
find(struct mapping_set *set, struct report *r, const struct unit_conf *from, const char *key,
    const char *text, size_t len)
{
	char name[LIMIT_NAME_TEXT];
	struct unit_conf *u;

	absolute(name, sizeof(name), text, len, from->zone);
	u = table_find(&set->names, name, strlen(name));
	if (u == NULL)
		mapping_found(r, from, "%s=%.*s: there is no unit %s", key, (int)len, text, name);
	return u;
}

static void
resolve_alias(struct mapping_set *set, struct report *r, const struct mapping_reference *ref)
{
	struct unit_conf *u = ref->unit, *target;
	const struct config_zone_section *sec = u->zone->section;
	bool allowed = sec->nimages == 0;

	if (ref->alias == NULL)
		return;
	u->target = NULL;
	if ((target = find(set, r, u, "unit", ref->alias, strlen(ref->alias))) == NULL)
		return;
	if (target->image == NULL) {
		mapping_found(r, u, "unit=%s: %s is an alias itself; name the unit it stands for",
		    ref->alias, target->name);
		return;
	}
	for (unsigned i = 0; i < sec->nimages; i++)
		allowed = allowed || sec->images[i] == target->image;
	if (!allowed)
		mapping_found(r, u,
		    "unit=%s: zone \"%s\" may not use image \"%s\", which that unit has",
		    ref->alias, u->zone->origin, target->image->name);
	for (unsigned i = 0; i < u->naddrs; i++) {
		char text[ADDR_TEXT];

		addr_text(&u->addrs[i], text);
		if (!mapping_unit_has_addr(target, &u->addrs[i]))
			mapping_found(r, u, "unit=%s: %s is not an address of %s", ref->alias, text,
			    target->name);
	}
	u->target = target;
}

static void
resolve_needs(struct mapping_set *set, struct report *r, const struct mapping_reference *ref)
{
	const char *text = ref->needs;
	struct unit_conf *u = ref->unit;
	unsigned n = 1;

	if (text == NULL)
		return;
	for (const char *p = text; *p != '\0'; p++)
		n += *p == ',';
	u->nneeds = 0;
	u->needs = arena_array(&set->arena, n, sizeof(*u->needs));
	for (; n > 0; n--) {
		unsigned after = u->policy.after;
		size_t name_len, len = option_parse_need(text, &name_len, &after);
		struct unit_conf *need = find(set, r, u, "needs", text, name_len);

		/* A dangling alias is its own zone's fault, which is reported there. */
		if (need != NULL && need->target != NULL)
			need = need->target;
		if (need != NULL && need->image != NULL) {
			need->needed = true;
			u->needs[u->nneeds++] = (struct unit_need){ need, after };
		}
		text += len + (text[len] == ',');
	}
}

static uint8_t *
height(struct mapping_set *set, const struct unit_conf *u)
{
	struct mapping_zone *mz = &set->zones[u->zone->index];

	return &mz->heights[u - mz->units];
}

/* 1 without needs, one more for each level below; 0: a circle, or too deep with `above` levels. */
static unsigned
measure(struct mapping_set *set, const struct unit_conf *u, unsigned above)
{
	uint8_t *h = height(set, u);
	unsigned most = 0;

	if (*h == HEIGHT_OPEN || above >= LIMIT_NEEDS_DEPTH)
		return 0;
	if (*h != HEIGHT_UNKNOWN)
		return above + *h > LIMIT_NEEDS_DEPTH ? 0 : *h;
	*h = HEIGHT_OPEN;
	for (unsigned i = 0; i < u->nneeds; i++) {
		unsigned below = measure(set, u->needs[i].unit, above + 1);

		if (below == 0) {
			*h = HEIGHT_UNKNOWN;
			return 0;
		}
		if (below > most)
			most = below;
	}
	*h = (uint8_t)(most + 1);
	return most + 1;
}

/*
 * Runs `each` over all references and drops zones, or of kept zones the units alone, for which
 * something was reported.  Returns whether it dropped any.
 */
static bool
round_over(struct mapping_set *set, struct report *r,
    void (*each)(struct mapping_set *, struct report *, const struct mapping_reference *))
{
	bool dropped = false;

	for (unsigned z = 0; z < set->conf->nzones; z++) {
		struct mapping_zone *mz = &set->zones[z];
		size_t before = r->nerrors;

		for (const struct mapping_reference *ref = mz->references; ref != NULL && mz->added;
		     ref = ref->next) {
			size_t errors = r->nerrors;

			if (ref->unit->refused)
				continue;
			each(set, r, ref);
			if (mz->kept && r->nerrors != errors)
				mapping_unit_refuse(ref->unit);
		}
		if (r->nerrors != before) {
			mz->added = mz->kept;
			dropped = true;
		}
	}
	if (!dropped)
		return false;
	/* Only now: until the end of the round others may point there. */
	for (unsigned z = 0; z < set->conf->nzones; z++)
		if (!set->zones[z].added)
			set->zones[z] = (struct mapping_zone){ 0 };
	mapping_set_rebuild(set);
	return true;
}

static void
measure_needs(struct mapping_set *set, struct report *r, const struct mapping_reference *ref)
{
	if (ref->needs != NULL && measure(set, ref->unit, 0) == 0)
		mapping_found(r, ref->unit,
		    "needs=%s: units that need each other in a circle, or more than %d deep",
		    ref->needs, LIMIT_NEEDS_DEPTH);
}

enum err
mapping_set_finish(struct mapping_set *set, struct report *r)
{
	size_t before = r->nerrors;
	bool again;

	do {
		for (unsigned z = 0; z < set->conf->nzones; z++)
			if (set->zones[z].n > 0)
				memset(set->zones[z].heights, HEIGHT_UNKNOWN, set->zones[z].n);
		again = round_over(set, r, resolve_alias) || round_over(set, r, resolve_needs) ||
		    round_over(set, r, measure_needs);
	} while (again);
	return r->nerrors != before ? ERR_PARSE : ERR_OK;
}
