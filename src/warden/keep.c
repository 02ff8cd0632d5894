/* keep: after a load, zimages of large zones are kept on disk, one job at a time. */
#include "src/warden/keep.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static void
on_kept(struct zjob *j, void *arg)
{
	struct warden *w = arg;

	zjob_free(j);
	w->keeping = NULL;
	if (!w->keep_again)
		return;
	w->keep_again = false;
	keep_zimages(w);
}

/* The newest version of a zone that a process compiled alone; ERR_LIMIT: too many open files. */
static enum err
add_row(struct zjob *j, const struct config_zone *zone, struct served_zone *z, unsigned i)
{
	const struct zcache_zone names = { .origin = zone->origin, .file = zone->file,
		.units = zone->units };
	struct zjob_row *row = zjob_add(j, &names, i);

	z->kept = true;   /* or tried: it is not tried again before the zone changes */
	inputs_copy(&row->inputs, &z->inputs);
	row->fd = fcntl(z->zimage->fd, F_DUPFD_CLOEXEC, 0);
	return row->fd >= 0 ? ERR_OK : ERR_LIMIT;
}

void
keep_zimages(struct warden *w)
{
	const struct generation *g = w->gen;
	enum err e = ERR_OK;

	if (w->keeping != NULL) {
		w->keep_again = true;
		return;
	}
	w->keeping = zjob_new(w->work, w->zimages_dir, w->secret.key, on_kept, w);
	for (unsigned i = 0; i < g->conf->nzones && e == ERR_OK; i++) {
		struct served_zone *z = &g->zones[i];

		if (z->alone && !z->kept && served_zone_ok(z) && z->inputs.n > 0)
			e = add_row(w->keeping, &g->conf->zones[i], z, i);
		else if (z->alone || z->error != NULL)
			zjob_stay(w->keeping, g->conf->zones[i].origin);
	}
	if (e == ERR_OK) {
		zjob_keep(w->keeping);
		return;
	}
	log_warn("zimages are not kept: %s", err_str(e));
	zjob_free(w->keeping);
	w->keeping = NULL;
}
