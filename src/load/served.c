/* served: ownership of generations and zimages, and what they can be asked. */
#include "src/load/served.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

struct served_zimage *
served_zimage_new(int fd, struct dns_zimage *view)
{
	static uint32_t next_id = 1;
	struct served_zimage *z = mem_zero(1, sizeof(*z));

	*z = (struct served_zimage){ .id = next_id++, .refs = 1, .fd = fd, .view = view };
	return z;
}

void
served_zimage_unref(struct served_zimage *z)
{
	if (z == NULL || --z->refs > 0)
		return;
	dns_zimage_close(z->view);
	if (z->fd >= 0)
		close(z->fd);
	free(z);
}

void
generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	for (unsigned i = 0; i < g->conf->nzones; i++) {
		served_zimage_unref(g->zones[i].zimage);
		free(g->zones[i].error);
		inputs_clear(&g->zones[i].inputs);
	}
	free(g->zones);
	mapping_set_free(g->mappings);
	config_free(g->conf);
	free(g->admins);
	free(g);
}

struct served_zone *
generation_zone(const struct generation *g, const char *origin)
{
	const struct config_zone *zone = g != NULL ? config_zone_find(g->conf, origin) : NULL;

	return zone != NULL ? &g->zones[zone->index] : NULL;
}

void
generation_zones_count(const struct generation *g, struct generation_zones *n)
{
	const struct config *conf = g->conf;

	*n = (struct generation_zones){ .failed = conf->nstrays };
	n->all = conf->nzones + conf->nstrays;
	for (unsigned i = 0; i < conf->nzones; i++) {
		n->failed += g->zones[i].zimage == NULL;
		n->old += g->zones[i].zimage != NULL && g->zones[i].error != NULL;
	}
}

bool
generation_hides(const struct generation *g, const char *owner, char *why, size_t size)
{
	const struct config *conf = g->conf;
	const struct config_zone *zone = config_zone_above(conf, owner);
	const struct served_zone *z = zone != NULL ? &g->zones[zone->index] : NULL;

	if (z != NULL && z->zimage == NULL)
		snprintf(why, size, "zone %s is not served: %s", z->origin, served_zone_error(z));
	else if (z != NULL && mapping_unit_refused(g->mappings, owner))
		snprintf(why, size,
		    "it does not fit the configuration any more, and zone %s has its old "
		    "contents: %s", z->origin, served_zone_error(z));
	else if (zone == NULL && g->empty != NULL)
		snprintf(why, size, "%s:%u: zone \"*\": no file matches \"%s\"", conf->path,
		    g->empty->line, g->empty->file);
	else if (conf->nzones == 0)
		snprintf(why, size, "%s: there is no zone at all", conf->path);
	else
		return false;
	return true;
}
