/* keep: after a load, large zones that were compiled are kept on disk, one job at a time. */
#include "src/warden/keep.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static void
on_kept(struct imagejob *j, void *arg)
{
	struct warden *w = arg;

	imagejob_free(j);
	w->keeping = NULL;
	if (!w->keep_again)
		return;
	w->keep_again = false;
	keep_zimages(w);
}

/* Only what is whole: the newest version of a zone that a process compiled alone. */
static enum err
add_row(struct imagejob *j, const struct config_zone *zone, struct served_zone *z, unsigned i)
{
	struct imagejob_row *row;

	z->kept = true;   /* or tried: it is not tried again before the zone changes */
	row = imagejob_add(j, &(struct imagecache_zone){ .origin = zone->origin, .file = zone->file, .units = zone->units }, i);
	if (row == NULL || inputs_copy(&row->inputs, &z->inputs) != ERR_OK)
		return ERR_NOMEM;
	row->fd = fcntl(z->zimage->fd, F_DUPFD_CLOEXEC, 0);
	return row->fd >= 0 ? ERR_OK : ERR_NOMEM;
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
	w->keeping = imagejob_new(w->base, w->zimages_dir, w->secret.key, on_kept, w);
	if (w->keeping == NULL)
		fatal("load: %s", err_str(ERR_NOMEM));
	for (unsigned i = 0; i < g->conf->nzones && e == ERR_OK; i++) {
		struct served_zone *z = &g->zones[i];

		if (z->alone && !z->kept && z->error == NULL && z->zimage != NULL && z->inputs.n > 0)
			e = add_row(w->keeping, &g->conf->zones[i], z, i);
		else if (z->alone || z->error != NULL)
			e = imagejob_stay(w->keeping, g->conf->zones[i].origin);
	}
	if (e == ERR_OK)
		e = imagejob_keep(w->keeping);
	if (e == ERR_OK)
		return;
	log_warn("compiled images are not kept: %s", err_str(e));
	imagejob_free(w->keeping);
	w->keeping = NULL;
}
