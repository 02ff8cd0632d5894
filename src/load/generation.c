/* generation: from compiled zones to units, and the swap from the old generation to the new one. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/warden/aside.h"
#include "src/warden/holds.h"
#include "src/load/hostnet.h"
#include "src/load/loader.h"
#include "src/warden/needs.h"
#include "src/warden/record.h"

void
image_unref(struct image *img)
{
	if (img == NULL || --img->refs > 0)
		return;
	dns_image_close(img->view);
	if (img->fd >= 0)
		close(img->fd);
	free(img);
}

void
generation_free(struct warden *w, struct generation *g)
{
	(void)w;
	if (g == NULL)
		return;
	for (unsigned i = 0; g->zones != NULL && i < g->conf->nzones; i++) {
		image_unref(g->zones[i].image);
		free(g->zones[i].origin);
		free(g->zones[i].error);
		inputs_clear(&g->zones[i].inputs);
	}
	free(g->zones);
	mapping_set_free(g->mappings);
	config_free(g->conf);
	free(g->admins);
	free(g);
}

/* ---- which version of each zone is taken ---- */

struct served_zone *
loader_old_zone(const struct warden *w, const char *origin)
{
	const struct config_zone *zone = w->gen != NULL ? config_zone_find(w->gen->conf, origin) : NULL;

	return zone != NULL ? &w->gen->zones[zone->index] : NULL;
}

/* Makes `z` what is served for a zone. */
static void
take(struct served_zone *z, struct image *img, uint32_t index, const struct dns_zone_info *info)
{
	image_unref(z->image);
	z->image = img;
	img->refs++;
	z->index = index;
	z->serial = info->serial;
	z->nunits = info->units;
}

static void
drop(struct served_zone *z)
{
	image_unref(z->image);
	z->image = NULL;
	z->nunits = 0;
}

static bool
is_known(const struct report *r, const struct report_line *line)
{
	for (size_t i = 0; i < r->nlines; i++) {
		const struct report_line *l = &r->lines[i];

		if (l->line == line->line && l->file != NULL && line->file != NULL && strcmp(l->file, line->file) == 0 && l->text != NULL &&
		    line->text != NULL && strcmp(l->text, line->text) == 0)
			return true;
	}
	return false;
}

/* Makes the findings about one zone those of the load, each once. */
static void
hand_on(struct loader *l, const struct config_zone *zone, const struct report *found)
{
	for (size_t k = 0; k < found->nlines; k++)
		if (!is_known(&l->report, &found->lines[k]))
			loader_zone_error(l, zone, found->lines[k].file != NULL ? found->lines[k].file : "", found->lines[k].line,
			    found->lines[k].text != NULL ? found->lines[k].text : "");
}

/* Falls back to what was served before; false when there is nothing. */
static bool
take_old(struct loader *l, struct generation *g, unsigned i)
{
	const struct served_zone *old = loader_old_zone(l->w, g->zones[i].origin);
	struct served_zone *z = &g->zones[i];
	struct report found;
	bool ok;

	if (old == NULL || old->image == NULL) {
		drop(z);
		return false;
	}
	z->alone = old->alone;
	z->kept = true;   /* what is on disk, if anything, is this version */
	take(z, old->image, old->index, &(struct dns_zone_info){ .serial = old->serial, .units = old->nunits });
	report_init(&found);
	ok = mapping_set_keep(g->mappings, l->w->gen->mappings, &g->conf->zones[i], z->image->view, z->index, &found) == ERR_OK;
	hand_on(l, &g->conf->zones[i], &found);
	if (!ok)
		drop(z);
	report_clear(&found);
	return ok;
}

/* What was said first about a zone that is not taken. */
static void
remember_error(const struct loader *l, unsigned i, struct served_zone *z)
{
	if (z->error == NULL)
		z->error = strdup(l->todo[i].error != NULL ? l->todo[i].error : "could not be loaded");
}

/* Takes zone `k` of an image for zone `i` of the configuration, or what was served before when its mappings are refused. */
static void
add_zone(struct loader *l, struct generation *g, unsigned i, struct image *img, uint32_t k, const struct dns_zone_info *info)
{
	const struct config_zone *zone = &g->conf->zones[i];
	struct served_zone *z = &g->zones[i];
	struct report found;
	bool ok;

	take(z, img, k, info);
	inputs_move(&z->inputs, &l->todo[i].inputs);
	report_init(&found);
	ok = mapping_set_add(g->mappings, zone, img->view, k, &found) == ERR_OK;
	hand_on(l, zone, &found);
	report_clear(&found);
	if (ok)
		return;
	remember_error(l, i, z);
	(void)take_old(l, g, i);
}

/* Zones with images of their own, from disk or just compiled. */
static void
add_alone(struct loader *l, struct generation *g)
{
	struct dns_zone_info info;
	struct errmsg m;

	for (unsigned i = 0; i < g->conf->nzones; i++) {
		struct image *img = l->todo[i].image;

		if (img == NULL || dns_image_zone(img->view, 0, &info, &m) != ERR_OK)
			continue;
		g->zones[i].alone = true;
		g->zones[i].kept = l->todo[i].how == LOADER_FROM_DISK;
		if (g->zones[i].kept)
			g->from_disk++;
		else
			g->compiled++;
		add_zone(l, g, i, img, 0, &info);
	}
}

/* Adds every zone, those that have not changed first; those with errors fall back to their old contents. */
static void
add_zones(struct loader *l, struct generation *g)
{
	uint32_t n = l->image != NULL ? dns_image_zones(l->image->view) : 0;
	struct dns_zone_info info;
	struct errmsg m;

	for (unsigned i = 0; i < g->conf->nzones; i++) {
		struct served_zone *old = l->todo[i].reused;

		if (old == NULL)
			continue;
		if (inputs_copy(&l->todo[i].inputs, &old->inputs) != ERR_OK)
			inputs_clear(&l->todo[i].inputs);   /* it is read again next time */
		g->zones[i].alone = old->alone;
		g->zones[i].kept = old->kept;
		add_zone(l, g, i, old->image, old->index, &(struct dns_zone_info){ .serial = old->serial, .units = old->nunits });
	}
	for (uint32_t k = 0; k < n; k++) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the loader's own reference keeps the image */
		if (dns_image_zone(l->image->view, k, &info, &m) != ERR_OK || info.index >= g->conf->nzones)
			continue;
		if (l->todo[info.index].how != LOADER_TOGETHER)
			continue;   /* this child was not asked for it */
		if (g->zones[info.index].image != NULL)
			continue;   /* the same index twice: the first counts */
		add_zone(l, g, info.index, l->image, k, &info);
		g->compiled++;
	}
	add_alone(l, g);
	for (unsigned i = 0; i < g->conf->nzones; i++) {
		if (g->zones[i].image != NULL || g->zones[i].error != NULL)
			continue;
		remember_error(l, i, &g->zones[i]);
		(void)take_old(l, g, i);
	}
}

/* Of findings about references, whichever zone they are in: the first in a file of this one. */
static void
remember_reference_error(const struct config_zone *zone, struct served_zone *z, const struct report *found)
{
	char text[1400] = "could not be loaded";
	size_t pick = 0;

	for (size_t k = found->nlines; k-- > 0;) {
		const char *file = found->lines[k].file;

		if (file != NULL && (strcmp(file, zone->file) == 0 || (zone->units != NULL && strcmp(file, zone->units) == 0)))
			pick = k;
	}
	if (found->nlines > 0)
		report_format(found, pick, text, sizeof(text));
	if (z->error == NULL)
		z->error = strdup(text);
}

/* Resolves names of other units; zones that it refuses fall back, which may make others fail: until nothing changes. */
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
			(void)report_add(&l->report, found.lines[k].file, found.lines[k].line, "%s", found.lines[k].text != NULL ? found.lines[k].text : "");
		for (unsigned i = 0; i < g->conf->nzones; i++) {
			if (g->zones[i].image == NULL || mapping_zone_added(g->mappings, &g->conf->zones[i]))
				continue;
			remember_reference_error(&g->conf->zones[i], &g->zones[i], &found);
			(void)take_old(l, g, i);
			changed = true;
		}
		report_clear(&found);
	}
}

/* ---- units ---- */

/* May a running VM of `old` go on as `fresh`?  What its guest was told must still hold. */
static bool
same_identity(const struct unit_conf *old, const struct unit_conf *fresh)
{
	if (old->naddrs != fresh->naddrs || memcmp(old->mac, fresh->mac, sizeof(old->mac)) != 0 ||
	    strcmp(old->image->network->name, fresh->image->network->name) != 0 ||
	    strcmp(old->image->network->bridge, fresh->image->network->bridge) != 0)
		return false;
	for (unsigned i = 0; i < old->naddrs; i++)
		if (addr_cmp(&old->addrs[i], &fresh->addrs[i]) != 0)
			return false;
	return true;
}

static enum err
update_unit(struct warden *w, const struct unit_conf *uc, uint64_t generation, struct errmsg *m)
{
	struct unit *u = unit_by_name(&w->units, uc->name);

	if (u != NULL && !same_identity(u->conf, uc)) {
		wake_leave(w, u);
		u = NULL;
	}
	if (u == NULL && (u = unit_new(&w->units, uc, m)) == NULL)
		return ERR_LIMIT;
	if (u->life.timer_ms == 0)
		life_init(&u->life);
	unit_conf_set(u, uc);
	u->generation = generation;
	return ERR_OK;
}

/* Points every unit to its new settings; those that have none leave. */
static void
update_units(struct warden *w, const struct generation *g, struct report *r)
{
	struct errmsg m;

	for (unsigned z = 0; z < g->conf->nzones; z++) {
		const struct config_zone *zone = &g->conf->zones[z];
		uint32_t n = g->zones[z].image != NULL ? mapping_zone_units(g->mappings, zone) : 0;

		for (uint32_t i = 0; i < n; i++) {
			const struct unit_conf *uc = mapping_zone_unit(g->mappings, zone, i);

			if (uc->target == NULL && !uc->refused && update_unit(w, uc, g->number, &m) != ERR_OK)
				(void)report_add(r, uc->file, uc->line, "%s", m.text);
		}
	}
	for (uint32_t i = 0; i < w->units.next; i++) {
		struct unit *u = unit_by_number(&w->units, i);

		if (u == NULL || u->leaving || u->generation == g->number)
			continue;
		aside_leave(w, g, u);
		wake_leave(w, u);
	}
}

/* After the swap: the end of what left, boards, and policies of what is not asleep. */
static void
settle_units(struct warden *w)
{
	uint32_t n = w->units.next;

	wake_drain(w);
	for (uint32_t i = 0; i < n; i++) {
		struct unit *u = unit_by_number(&w->units, i);
		struct life_event ev = { .kind = LIFE_EV_POLICY, .now_ms = clock_now_ms() };

		if (u == NULL)
			continue;
		wake_board(w, u);
		if (!u->leaving && life_state(&u->life) != LIFE_DORMANT)
			wake_step(w, u, &ev);
	}
}

static void
limits_of(const struct config *conf, struct admit_limits *al)
{
	al->boots = conf->limits.boots;
	al->vms = conf->limits.vms;
	al->memory_bytes = conf->limits.memory_bytes;
	al->queue = conf->limits.queue;
	al->wakes_per_min = conf->limits.wakes_per_minute;
	al->wakes_per_min_all = conf->limits.wakes_per_minute_total;
}

/* ---- the swap ---- */

/* NULL when there is something that it needs and does not get: the report says what. */
static struct generation *
generation_new(struct loader *l)
{
	struct hostnet host;
	struct generation *g;
	struct errmsg m;

	if (hostnet_read(&host, &m) != ERR_OK) {
		(void)report_add(&l->report, l->conf->path, 0, "%s", m.text);
		return NULL;
	}
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		goto fail;
	g->conf = l->conf;
	g->zones = calloc(g->conf->nzones + 1, sizeof(*g->zones));
	g->mappings = mapping_set_new(g->conf, &l->w->secret, host.addrs, host.naddrs);
	g->number = l->w->next_generation;
	if (g->zones == NULL || g->mappings == NULL || mapping_set_host_macs(g->mappings, host.macs, host.nmacs) != ERR_OK)
		goto fail;
	for (unsigned i = 0; i < g->conf->nzones; i++)
		if ((g->zones[i].origin = strdup(g->conf->zones[i].origin)) == NULL)
			goto fail;
	hostnet_clear(&host);
	return g;
fail:
	hostnet_clear(&host);
	(void)report_add(&l->report, l->conf->path, 0, "%s", err_str(ERR_NOMEM));
	if (g == NULL)
		return NULL;
	mapping_set_free(g->mappings);   /* the configuration is still the loader's */
	for (unsigned i = 0; g->zones != NULL && i < g->conf->nzones; i++)
		free(g->zones[i].origin);
	free(g->zones);
	free(g);
	return NULL;
}

enum err
loader_build(struct loader *l)
{
	struct generation *g = generation_new(l);

	if (g == NULL)
		return ERR_NOMEM;
	l->gen = g;
	add_zones(l, g);
	finish_mappings(l, g);
	g->empty = aside_empty_section(g->conf);
	return ERR_OK;
}

void
generation_prepare(struct warden *w, const struct config *conf)
{
	for (unsigned i = 0; i < conf->nimages; i++)
		vm_prepare(w->vms, conf->images[i].driver_name, (enum vm_accel)conf->images[i].accel);
}

void
loader_swap(struct loader *l)
{
	struct warden *w = l->w;
	struct generation *g = l->gen, *old = w->gen;
	struct admit_limits al;

	l->gen = NULL;
	l->conf = NULL;
	g->admins = l->admins;
	g->nadmins = l->nadmins;
	l->admins = NULL;
	w->next_generation++;
	update_units(w, g, &l->report);
	limits_of(g->conf, &al);
	if (old == NULL) {
		admit_init(&w->admit, &al);
		admit_watch(&w->admit, wake_slot_sure, w);
	} else {
		admit_limits_set(&w->admit, &al);
	}
	vm_host_limits(w->vms, al.boots, g->conf->limits.hang_timeout_ms != 0 ? g->conf->limits.hang_timeout_ms : UINT32_MAX);
	generation_prepare(w, g->conf);
	w->gen = g;
	w->stop_vms = g->conf->on_exit == CONFIG_EXIT_STOP;
	w->cookies = l->cookies;
	dnslink_tune(w);
	/* The DNS process learns first, so that names of units that leave are plain data before their VMs stop. */
	dnslink_commit(w);
	if (old != NULL)
		wake_slot_review(w);
	settle_units(w);
	holds_settle(w, &l->report);
	if (old != NULL) {
		links_reload(w);
		probelink_networks(w);
		probelink_probe_all(w);
		aside_review(w);
		needs_review(w);
		wake_admit(w);
	}
	verbs_admins(w);
	generation_free(w, old);
}
