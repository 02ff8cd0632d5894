/* claims: units' addresses as a list, and what the table of holds asks of their names. */
#include "src/load/claims.h"

#include <stdlib.h>

#include "base/mem.h"

static const char *
unit_of(const char *name, void *arg)
{
	const struct claims *c = arg;
	const struct unit_conf *uc = mapping_unit_find(c->set, name);

	return uc != NULL ? mapping_unit_target(uc)->name : NULL;
}

static bool
hidden(const char *name, void *arg)
{
	const struct claims *c = arg;
	char why[LIMIT_ASIDE_WHY];
	const struct config_zone *zone;

	if (c->g != NULL)
		return mapping_unit_find(c->set, name) == NULL &&
		    generation_hides(c->g, name, why, sizeof(why));
	zone = config_zone_above(c->conf, name);
	return zone != NULL && !mapping_zone_added(c->set, zone);
}

static void
held(const struct store_address *claim, const char *why, void *arg)
{
	struct claims *c = arg;
	const struct unit_conf *uc = mapping_unit_find(c->set, claim->owner);

	if (c->r != NULL && uc != NULL)
		(void)report_add(c->r, uc->file, uc->line, "%s: %s", uc->name, why);
	if (c->held != NULL)
		c->held(claim->owner, why, c->arg);
}

static void
add_unit(struct claims *c, const struct unit_conf *uc, size_t *room)
{
	if (uc->target != NULL || uc->refused)
		return;
	for (unsigned k = 0; k < uc->naddrs; k++) {
		c->list = mem_room(c->list, c->n, room, sizeof(*c->list));
		c->list[c->n++] = (struct store_address){ .addr = uc->addrs[k], .owner = uc->name };
	}
}

void
claims_make(struct claims *c)
{
	size_t room = 0;

	c->list = NULL;
	c->n = 0;
	c->names = (struct store_names){ unit_of, hidden, held, c };
	for (unsigned z = 0; z < c->conf->nzones; z++) {
		const struct config_zone *zone = &c->conf->zones[z];

		for (uint32_t i = 0; i < mapping_zone_units(c->set, zone); i++)
			add_unit(c, mapping_zone_unit(c->set, zone, i), &room);
	}
}

void
claims_clear(struct claims *c)
{
	free(c->list);
	c->list = NULL;
}
