/* reload: one load at a time: asked for, made (src/load), swapped in, served, told. */
#include "src/warden/reload.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "src/warden/record.h"
#include "src/warden/timer.h"

struct reload {
	struct warden *w;
	struct loader *loader;     /* NULL: done, and the generation waits to be served */
	struct report report;
	struct event *ev_served;
	reload_done_cb done;
	void *arg;
};

/* ---- zimages of large zones on disk, for the next start; one job at a time ---- */

static void keep_zimages(struct warden *w);

static void
on_kept(struct zjob *j, void *arg)
{
	struct warden *w = arg;

	zjob_free(j);
	w->keeping = NULL;
	if (w->keep_again)
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

/* After a load: keeps large zones that it compiled, removes entries of zones that are gone. */
static void
keep_zimages(struct warden *w)
{
	const struct generation *g = w->gen;
	enum err e = ERR_OK;

	w->keep_again = w->keeping != NULL;
	if (w->keep_again)
		return;
	w->keeping = zjob_new(w->work, w->zimages_dir, w->secret.key, on_kept, w);
	for (unsigned i = 0; i < g->conf->nzones && e == ERR_OK; i++) {
		struct served_zone *z = &g->zones[i];

		if (z->alone && !z->kept && served_zone_ok(z) && z->inputs.n > 0)
			e = add_row(w->keeping, &g->conf->zones[i], z, i);
		else if (z->alone || z->error != NULL)
			zjob_stay(w->keeping, g->conf->zones[i].origin);
	}
	if (e == ERR_OK) {
		zjob_start(w->keeping, ZJOB_KEEP);
		return;
	}
	log_warn("zimages are not kept: %s", err_str(e));
	zjob_free(w->keeping);
	w->keeping = NULL;
}

/* ---- a load ---- */

void
reload_cancel(struct warden *w)
{
	struct reload *rl = w->reloading;

	if (rl == NULL)
		return;
	w->reloading = NULL;
	loader_free(rl->loader);
	event_free(rl->ev_served);
	report_clear(&rl->report);
	free(rl);
}

static void
finish(struct reload *rl, enum err e)
{
	struct warden *w = rl->w;
	struct report report = rl->report;
	reload_done_cb done = rl->done;
	void *arg = rl->arg;

	report_init(&rl->report);
	reload_cancel(w);
	if (e == ERR_OK)
		keep_zimages(w);
	done(w, e, &report, arg);
	report_clear(&report);
}

/* The DNS process serves it, or ended, or is given up on. */
static void
on_served(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg, ERR_OK);
}

void
reload_served(struct warden *w)
{
	if (w->reloading != NULL && w->reloading->loader == NULL)
		event_active(w->reloading->ev_served, EV_TIMEOUT, 0);
}

static void
on_loaded(struct generation *g, struct report *r, void *arg)
{
	struct reload *rl = arg;
	struct warden *w = rl->w;

	rl->loader = NULL;
	rl->report = *r;
	report_init(r);
	if (g == NULL) {
		finish(rl, ERR_PARSE);
		return;
	}
	swap_generation(w, g, &rl->report);
	if (w->dns.chan != NULL && w->dns.confined && w->served < g->number)
		timer_arm(rl->ev_served, LIMIT_SERVED_S * MS_PER_S);
	else
		finish(rl, ERR_OK);
}

enum err
reload_start(struct warden *w, bool force, reload_done_cb done, void *arg)
{
	const struct loader_conf conf = { .base = w->base, .work = w->work,
		.conf_path = w->conf_path, .force = force, .number = w->next_generation,
		.running = w->gen, .started = w->started, .children = &w->child_conf,
		.zimages_dir = w->zimages_dir, .secret = &w->secret,
		.cookies = &w->cookies_random };
	struct reload *rl;

	if (w->reloading != NULL)
		return ERR_STATE;
	rl = mem_zero(1, sizeof(*rl));
	*rl = (struct reload){ .w = w, .done = done, .arg = arg };
	report_init(&rl->report);
	rl->ev_served = mem_must(evtimer_new(w->base, on_served, rl));
	w->reloading = rl;
	rl->loader = loader_start(&conf, on_loaded, rl);
	return ERR_OK;
}

/* ---- SIGHUP ---- */

static void
hup_done(struct warden *w, enum err e, const struct report *r, void *arg)
{
	(void)arg;
	reload_ended(w, "SIGHUP", e, r);
}

/* A load that runs may have read its files already, so it is not the one that was asked for. */
static void
hup_start(struct warden *w)
{
	w->reload_again = reload_start(w, false, hup_done, NULL) != ERR_OK;
}

void
reload_hup(struct warden *w)
{
	if (w->stopping)
		return;
	notify_reloading();
	hup_start(w);
}

/* ---- what is said of a load ---- */

/* A load needs far more memory than what stays: once that is freed, the kernel has it back. */
static void
on_trim(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	(void)malloc_trim(0);
}

/* Each zone that is not served as its file says, by name. */
static void
log_zones(const struct warden *w)
{
	unsigned lines = 0;

	for (unsigned i = 0; i < w->gen->conf->nzones; i++) {
		const struct served_zone *z = &w->gen->zones[i];

		if (!served_zone_ok(z) && ++lines <= LIMIT_REPORT_LINES)
			log_err("zone %s %s: %s", z->origin,
			    z->zimage == NULL ? "is not served" : "keeps its old contents",
			    served_zone_error(z));
	}
	for (const struct config_stray *s = w->gen->conf->strays; s != NULL; s = s->next)
		if (++lines <= LIMIT_REPORT_LINES)
			log_err("zone %s is not served: %s", s->name, s->why);
	if (lines > LIMIT_REPORT_LINES)
		log_err("and %u zones more", lines - LIMIT_REPORT_LINES);
}

/* For `jitsu status`: who sent SIGHUP got no answer. */
static void
remember_reload(struct warden *w, const char *by, enum err e, const struct report *r)
{
	struct timespec now;
	char line[1200];
	size_t i = 0;

	clock_gettime(CLOCK_REALTIME, &now);   /* cannot fail */
	free(w->reload.error);
	w->reload.error = NULL;
	w->reload.time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	w->reload.by = by;
	w->reload.refused = e != ERR_OK;
	while (i < r->nlines && r->lines[i].warning)
		i++;
	if (i == r->nlines)
		return;
	report_format(r, i, line, sizeof(line));
	w->reload.error = mem_text(line);
}

void
reload_ended(struct warden *w, const char *by, enum err e, const struct report *r)
{
	char line[1200];

	if (by != NULL)
		remember_reload(w, by, e, r);
	for (size_t i = 0; i < r->nlines; i++) {
		report_format(r, i, line, sizeof(line));
		log_warn("%s", line);
	}
	if (r->nerrors > r->nlines)
		log_warn("and %zu findings more", r->nerrors - r->nlines);
	if (e == ERR_OK) {
		log_zones(w);
		log_info("generation %llu: %u zones, of which %u were read anew and %u were found "
		    "compiled, %u units",
		    (unsigned long long)w->gen->number, w->gen->conf->nzones, w->gen->compiled,
		    w->gen->from_disk, w->units.count);
	} else {
		log_err("the configuration was not loaded, the old one stays");
	}
	timer_once(w->base, 1000, on_trim, NULL);
	if (w->control != NULL)
		record_event(w, "", "reload",
		    e == ERR_OK ? "loaded" : "refused, the old configuration stays");
	if (w->ready && !w->reload_again)
		ready_tell(w);
	if (w->reload_again && !w->stopping)
		hup_start(w);
}
