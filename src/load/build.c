/* build: from compiled zones to a generation: which version of each zone is taken. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "src/load/hostnet.h"
#include "src/load/loader.h"

/* Makes `z` what is served for a zone. */
static void
take(struct served_zone *z, struct served_zimage *zi, uint32_t index,
    const struct dns_zone_info *info)
{
	served_zimage_unref(z->zimage);
	z->zimage = zi;
	zi->refs++;
	z->index = index;
	z->serial = info->serial;
	z->nunits = info->units;
}

static void
drop(struct served_zone *z)
{
	served_zimage_unref(z->zimage);
	z->zimage = NULL;
	z->nunits = 0;
}

static bool
is_known(const struct report *r, const struct report_line *line)
{
	for (size_t i = 0; i < r->nlines; i++) {
		const struct report_line *l = &r->lines[i];

		if (l->line == line->line && l->file != NULL && line->file != NULL &&
		    strcmp(l->file, line->file) == 0 && l->text != NULL && line->text != NULL &&
		    strcmp(l->text, line->text) == 0)
			return true;
	}
	return false;
}

/* Makes the findings about one zone those of the load, each once. */
static void
hand_on(struct loader *l, const struct config_zone *zone, const struct report *found)
{
	for (size_t k = 0; k < found->nlines; k++) {
		const struct report_line *line = &found->lines[k];

		if (!is_known(&l->report, line))
			loader_zone_error(l, zone, line->file != NULL ? line->file : "", line->line,
			    line->text != NULL ? line->text : "");
	}
}

/* Falls back to what was served before; false when there is nothing. */
static bool
take_old(struct loader *l, struct generation *g, unsigned i)
{
	const struct served_zone *old = generation_zone(l->from.running, g->zones[i].origin);
	struct served_zone *z = &g->zones[i];
	struct report found;
	bool ok;

	if (old == NULL || old->zimage == NULL) {
		drop(z);
		return false;
	}
	z->alone = old->alone;
	z->kept = true;   /* what is on disk, if anything, is this version */
	take(z, old->zimage, old->index,
	    &(struct dns_zone_info){ .serial = old->serial, .units = old->nunits });
	report_init(&found);
	ok = mapping_set_keep(g->mappings, l->from.running->mappings, &g->conf->zones[i],
	    z->zimage->view, z->index, &found) == ERR_OK;
	hand_on(l, &g->conf->zones[i], &found);
	if (!ok)
		drop(z);
	report_clear(&found);
	return ok;
}

/* A zone that is not taken has the first finding as its error. */
static void
remember_error(const struct loader *l, unsigned i, struct served_zone *z)
{
	if (z->error == NULL)
		z->error = mem_text(
		    l->todo[i].error != NULL ? l->todo[i].error : "could not be loaded");
}

/* Takes zone `k` of a zimage for zone `i`, or, if its mappings are refused, what was served. */
static void
add_zone(struct loader *l, struct generation *g, unsigned i, struct served_zimage *zi, uint32_t k,
    const struct dns_zone_info *info)
{
	const struct config_zone *zone = &g->conf->zones[i];
	struct served_zone *z = &g->zones[i];
	struct report found;
	bool ok;

	take(z, zi, k, info);
	inputs_move(&z->inputs, &l->todo[i].inputs);
	report_init(&found);
	ok = mapping_set_add(g->mappings, zone, zi->view, k, &found) == ERR_OK;
	hand_on(l, zone, &found);
	report_clear(&found);
	if (ok)
		return;
	remember_error(l, i, z);
	(void)take_old(l, g, i);
}

/* Zones with zimages of their own, from disk or just compiled. */
static void
add_alone(struct loader *l, struct generation *g)
{
	struct dns_zone_info info;
	struct errmsg m;

	for (unsigned i = 0; i < g->conf->nzones; i++) {
		struct served_zimage *zi = l->todo[i].zimage;

		if (zi == NULL || dns_zimage_zone(zi->view, 0, &info, &m) != ERR_OK)
			continue;
		g->zones[i].alone = true;
		g->zones[i].kept = l->todo[i].how == LOADER_FROM_DISK;
		if (g->zones[i].kept)
			g->from_disk++;
		else
			g->compiled++;
		add_zone(l, g, i, zi, 0, &info);
	}
}

/* Zones whose files have not changed. */
static void
add_reused(struct loader *l, struct generation *g)
{
	for (unsigned i = 0; i < g->conf->nzones; i++) {
		const struct served_zone *old = l->todo[i].reused;

		if (old == NULL)
			continue;
		inputs_copy(&l->todo[i].inputs, &old->inputs);
		g->zones[i].alone = old->alone;
		g->zones[i].kept = old->kept;
		add_zone(l, g, i, old->zimage, old->index,
		    &(struct dns_zone_info){ .serial = old->serial, .units = old->nunits });
	}
}

/* Zones that were compiled together; a child may have put others into their zimage. */
static void
add_together(struct loader *l, struct generation *g)
{
	uint32_t n = l->zimage != NULL ? dns_zimage_zones(l->zimage->view) : 0;
	struct dns_zone_info info;
	struct errmsg m;

	for (uint32_t k = 0; k < n; k++) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the loader's reference keeps it */
		if (dns_zimage_zone(l->zimage->view, k, &info, &m) != ERR_OK ||
		    info.index >= g->conf->nzones)
			continue;
		if (l->todo[info.index].how != LOADER_TOGETHER)
			continue;   /* this child was not asked for it */
		if (g->zones[info.index].zimage != NULL)
			continue;   /* the same index twice: the first counts */
		add_zone(l, g, info.index, l->zimage, k, &info);
		g->compiled++;
	}
}

/* Adds every zone; one that is not there falls back to its old contents. */
static void
add_zones(struct loader *l, struct generation *g)
{
	add_reused(l, g);
	add_together(l, g);
	add_alone(l, g);
	for (unsigned i = 0; i < g->conf->nzones; i++) {
		if (g->zones[i].zimage != NULL || g->zones[i].error != NULL)
			continue;
		remember_error(l, i, &g->zones[i]);
		(void)take_old(l, g, i);
	}
}

/* The first finding about references that is in a file of this zone, or else the first of all. */
static void
remember_reference_error(const struct config_zone *zone, struct served_zone *z,
    const struct report *found)
{
	char text[1400] = "could not be loaded";
	size_t pick = 0;

	for (size_t k = found->nlines; k-- > 0;) {
		const char *file = found->lines[k].file;

		if (file != NULL && (strcmp(file, zone->file) == 0 ||
		    (zone->units != NULL && strcmp(file, zone->units) == 0)))
			pick = k;
	}
	if (found->nlines > 0)
		report_format(found, pick, text, sizeof(text));
	if (z->error == NULL)
		z->error = mem_text(text);
}

/* Resolves names of other units.  A zone that falls back may make others fail: until none does. */
static void
finish_mappings(struct loader *l, struct generation *g)
{
	bool changed = true;

	while (changed) {
		struct report found;

		changed = false;
		report_init(&found);
		if (mapping_set_finish(g->mappings, &found) == ERR_OK)
			break;
		for (size_t k = 0; k < found.nlines; k++)
			(void)report_add(&l->report, found.lines[k].file, found.lines[k].line, "%s",
			    found.lines[k].text != NULL ? found.lines[k].text : "");
		for (unsigned i = 0; i < g->conf->nzones; i++) {
			if (g->zones[i].zimage == NULL ||
			    mapping_zone_added(g->mappings, &g->conf->zones[i]))
				continue;
			remember_reference_error(&g->conf->zones[i], &g->zones[i], &found);
			(void)take_old(l, g, i);
			changed = true;
		}
		report_clear(&found);
	}
}

/* A section whose origin is "*" and that has no zone left; NULL: there is none. */
static const struct config_zone_section *
empty_section(const struct config *conf)
{
	const struct config_zone_section *empty = NULL;
	bool *used = mem_zero(conf->nsections + 1, sizeof(*used));

	for (unsigned z = 0; z < conf->nzones; z++)
		used[conf->zones[z].section - conf->sections] = true;
	for (unsigned s = 0; empty == NULL && s < conf->nsections; s++)
		if (!used[s] && strcmp(conf->sections[s].origin, "*") == 0)
			empty = &conf->sections[s];
	free(used);
	return empty;
}

void
build_generation(void *loader)
{
	struct loader *l = loader;
	struct mapping_set *mappings = hostnet_mappings(l->conf, l->from.secret, &l->report);
	struct generation *g;

	if (mappings == NULL)
		return;
	g = mem_zero(1, sizeof(*g));
	*g = (struct generation){ .number = l->from.number, .conf = l->conf, .mappings = mappings,
		.cookies = l->cookies, .admins = l->admins, .nadmins = l->nadmins,
		.zones = mem_zero(l->conf->nzones + 1, sizeof(*g->zones)),
		.empty = empty_section(l->conf) };
	l->admins = NULL;
	for (unsigned i = 0; i < g->conf->nzones; i++)
		g->zones[i].origin = g->conf->zones[i].origin;
	l->gen = g;
	add_zones(l, g);
	finish_mappings(l, g);
}
