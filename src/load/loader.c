/*
 * loader: from configuration files to a new generation, without stopping to serve.
 *
 *     prepare.c   reads the configuration and looks at what has changed
 *     zjob.c      finds zimages on disk
 *     loader.c    has the zones process compile the others, in batches; files.c opens their files
 *                 for that, zjob.c checks each zimage
 *     build.c     checks mappings and makes the generation, which the caller gets
 *
 * Nothing of the running generation changes; an error leaves everything as it was.  A zone that
 * fails keeps its old contents and says why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "src/load/loader.h"

void
loader_free(struct loader *l)
{
	if (l == NULL)
		return;
	work_cancel(l->from.work, ZJOB_LANE, &l->work);
	child_clear(&l->zones);
	event_free(l->ev_late);
	served_zimage_unref(l->zimage);
	zjob_free(l->job);
	for (unsigned i = 0; i < l->ntodo; i++) {
		inputs_clear(&l->todo[i].inputs);
		served_zimage_unref(l->todo[i].zimage);
		free(l->todo[i].error);
	}
	free(l->todo);
	free(l->admins);
	if (l->gen != NULL)
		generation_free(l->gen);
	else
		config_free(l->conf);
	report_clear(&l->report);
	free(l);
}

static void
finish(struct loader *l)
{
	struct generation *g = l->gen;
	struct report report = l->report;
	loader_done_cb done = l->done;
	void *arg = l->arg;

	report_init(&l->report);
	l->gen = NULL;
	if (g != NULL)
		l->conf = NULL;
	loader_free(l);
	done(g, &report, arg);
	report_clear(&report);
}

void
loader_zone_error(struct loader *l, const struct config_zone *zone, const char *file, unsigned line,
    const char *text)
{
	struct loader_zone *z = &l->todo[zone->index];
	struct report one;
	char said[1400];

	if (file[0] == '\0')
		file = zone->file;
	(void)report_add(&l->report, file, line, "%s", text);
	z->refused = true;
	if (z->error != NULL)
		return;
	report_init(&one);   /* the line as the report has it, which may be full */
	(void)report_add(&one, file, line, "%s", text);
	if (one.nlines > 0) {
		report_format(&one, 0, said, sizeof(said));
		z->error = mem_text(said);
	}
	report_clear(&one);
}

static void start_batch(struct loader *l);

/* ---- the zones process ---- */

/* Is this zone the running child's business? */
static bool
in_batch(const struct loader *l, unsigned i)
{
	if (i >= l->conf->nzones)
		return false;
	return l->batch == LOADER_ALL ? l->todo[i].how == LOADER_TOGETHER : l->batch == i;
}

/* Of the batch, still to be compiled: no child has ended on the zone, or found it to be wrong. */
static bool
is_due(const struct loader *l, unsigned i)
{
	return in_batch(l, i) && !l->todo[i].refused;
}

/* Sends zones as fast as the child takes them, then the word to compile. */
static void
send_zones(struct chan *chan, void *arg)
{
	struct loader *l = ((struct child *)arg)->arg;
	struct msg m = { .type = MSG_COMPILE };

	if (l->building)
		return;
	for (; l->sent < l->conf->nzones && chan_queued(chan) == 0; l->sent++)
		if (is_due(l, l->sent))
			files_send(l, l->sent);
	if (l->sent == l->conf->nzones && !l->told) {
		l->told = true;
		child_send(&l->zones, &m, NULL, 0);
	}
}

static void
on_running(struct child *c)
{
	chan_on_drained(c->chan, send_zones);
	send_zones(c->chan, c);
}

static void
on_finding(struct loader *l, const struct msg *m)
{
	const struct config_zone *zone = &l->conf->zones[m->finding.index];
	char file[sizeof(m->finding.file) + 1] = "", text[sizeof(m->finding.text) + 1] = "";

	memcpy(file, m->finding.file, sizeof(m->finding.file));
	memcpy(text, m->finding.text, sizeof(m->finding.text));
	loader_zone_error(l, zone, config_zone_file(zone, file, sizeof(m->finding.file) - 1),
	    m->finding.line, text);
}

/* Chooses what is compiled next: all small zones, then each large one.  False: all is done. */
static bool
next_batch(struct loader *l)
{
	bool all = !l->together_done;

	l->batch = LOADER_ALL;
	l->together_done = true;
	for (unsigned i = 0; all && i < l->conf->nzones; i++)
		if (l->todo[i].how == LOADER_TOGETHER)
			return true;
	for (; l->next < l->conf->nzones; l->next++) {
		if (l->todo[l->next].how == LOADER_ALONE) {
			l->batch = l->next++;
			return true;
		}
	}
	return false;
}

/* The zimage of a zone that was compiled alone holds this zone and no other. */
static enum err
check_alone(const struct loader *l, const struct served_zimage *zi, struct errmsg *m)
{
	struct dns_zone_info info;
	enum err e;

	if (dns_zimage_zones(zi->view) != 1)
		return err_set(
		    m, ERR_PROTO, "it has %u zones instead of one", dns_zimage_zones(zi->view));
	if ((e = dns_zimage_zone(zi->view, 0, &info, m)) != ERR_OK)
		return e;
	if (strcmp(info.origin, l->conf->zones[l->batch].origin) != 0)
		return err_set(m, ERR_PROTO, "it has another zone");
	return ERR_OK;
}

/* Nothing of the batch is taken any more, for a reason that is no zone's. */
static void
batch_refuse(struct loader *l, const char *why)
{
	for (unsigned i = 0; i < l->conf->nzones; i++)
		if (is_due(l, i))
			loader_zone_error(l, &l->conf->zones[i], l->conf->zones[i].file, 0, why);
}

static void
on_built(void *arg)
{
	finish(arg);
}

static void
start_work(struct loader *l, void (*run)(void *), void (*done)(void *))
{
	l->work = (struct work_job){ .run = run, .done = done, .arg = l };
	work_submit(l->from.work, ZJOB_LANE, &l->work);
}

/* Every zone is there, or will not be. */
static void
build(struct loader *l)
{
	l->building = true;
	start_work(l, build_generation, on_built);
}

/* The batch is done with: the next child is started when this one has ended, if there is one. */
static void
batch_over(struct loader *l)
{
	if (!next_batch(l))
		build(l);
	else if (l->zones.chan == NULL)
		start_batch(l);
}

static void
on_checked(struct zjob *j, void *arg)
{
	struct loader *l = arg;
	struct zjob_row *row = zjob_row(j, 0);
	struct errmsg why = row->why;
	struct served_zimage *zi = NULL;
	enum err e = row->result;
	char text[400];

	if (e == ERR_OK) {
		zi = served_zimage_new(row->fd, row->view);
		row->fd = -1;
		row->view = NULL;
		if (l->batch != LOADER_ALL)
			e = check_alone(l, zi, &why);
	}
	zjob_free(j);
	l->job = NULL;
	if (e == ERR_OK) {
		*(l->batch == LOADER_ALL ? &l->zimage : &l->todo[l->batch].zimage) = zi;
	} else {
		served_zimage_unref(zi);
		child_kill(&l->zones, why.text);
		(void)snprintf(
		    text, sizeof(text), "the zones process made a bad zimage: %.300s", why.text);
		batch_refuse(l, text);
	}
	batch_over(l);
}

static void
watch_time(struct loader *l)
{
	struct timeval most = { l->conf->limits.zone_time_ms / 1000 + LIMIT_ZONE_GRACE_S, 0 };

	l->late = false;
	if (event_add(l->ev_late, &most) != 0)
		fatal("load: %s", err_str(ERR_NOMEM));
}

/*
 * The child was silent for as long as a zone may take.  It gets a little more, for what it may have
 * said while this loop was busy: then it hangs, or was stopped.
 */
static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct timeval more = { LIMIT_ZONE_GRACE_S, 0 };
	struct loader *l = arg;
	char why[100];

	(void)fd;
	(void)what;
	if (!l->late && event_add(l->ev_late, &more) == 0) {
		l->late = true;
		return;
	}
	(void)snprintf(why, sizeof(why),
	    "it was silent for %u ms (zone-time of section limits) and more",
	    l->conf->limits.zone_time_ms);
	child_give_up(&l->zones, why);
}

/* The child ends by itself now.  What it made is not believed before it is checked. */
static void
on_compiled(struct loader *l, const int *fds, unsigned nfds)
{
	l->batch_done = true;
	watch_time(l);
	if (nfds == 0) {
		batch_over(l);
		return;
	}
	l->job = zjob_new(l->from.work, l->from.zimages_dir, l->from.secret->key, on_checked, l);
	(void)zjob_add_zimage(l->job, fds[0], l->batch);   /* its row is read when it is checked */
	zjob_start(l->job, ZJOB_CHECK);
}

static void
on_message(struct child *c, const struct msg *m, int *fds, unsigned nfds)
{
	struct loader *l = c->arg;

	if (l->building || l->batch_done) {
		chan_close_fds(fds, nfds);
		return;
	}
	if (m->type == MSG_COMPILED && nfds <= 1 && l->told) {
		on_compiled(l, fds, nfds);
		return;
	}
	chan_close_fds(fds, nfds);
	if (m->type == MSG_COMPILING && in_batch(l, m->compiling.index)) {
		l->compiling = m->compiling.index;
		watch_time(l);
	} else if (m->type == MSG_WANT_INCLUDE && in_batch(l, m->include.index))
		files_include(l, m);
	else if (m->type == MSG_FINDING && in_batch(l, m->finding.index))
		on_finding(l, m);
	else
		child_kill(c, "a message that is not for the warden");
}

/*
 * The child ended before its batch was compiled: the zone that it was at is given up, and the
 * others are compiled by another child.  One that ended before it came to a zone is tried again
 * where nothing is served yet.
 */
static void
batch_lost(struct loader *l, const char *why)
{
	bool none = l->compiling == LOADER_NONE, first = l->from.running == NULL;
	bool all =
	    none ? !first || ++l->starts >= LIMIT_ZONES_STARTS : ++l->lost >= LIMIT_ZONES_LOST;
	unsigned left = 0;
	char text[400];

	(void)snprintf(text, sizeof(text),
	    "the zones process ended before it had compiled the zones: %.300s", why);
	if (all)
		batch_refuse(l, text);
	else if (!none && is_due(l, l->compiling))
		loader_zone_error(
		    l, &l->conf->zones[l->compiling], l->conf->zones[l->compiling].file, 0, text);
	for (unsigned i = 0; i < l->conf->nzones; i++) {
		if (!is_due(l, i))
			continue;
		left++;
		l->todo[i].includes = 0;
		inputs_clear(&l->todo[i].inputs);
	}
	if (left > 0)
		start_batch(l);
	else
		batch_over(l);
}

static void
on_gone(struct child *c, const char *why)
{
	struct loader *l = c->arg;

	(void)event_del(l->ev_late);   /* cannot fail */
	if (l->building)
		return;
	if (!l->batch_done)
		batch_lost(l, why);
	else if (l->job == NULL)
		start_batch(l);
}

/* The child is not there, or has ended: starts the one for the batch that was chosen. */
static void
start_batch(struct loader *l)
{
	struct errmsg m;

	l->batch_done = l->told = false;
	l->sent = 0;
	l->compiling = LOADER_NONE;
	watch_time(l);
	if (child_start(&l->zones, &m) == ERR_OK || l->zones.pid != 0)
		return;   /* or it ends now, and on_gone follows */
	batch_refuse(l, m.text);
	batch_over(l);
}

static enum err
on_setup(struct child *c, struct errmsg *m)
{
	const struct loader *l = c->arg;
	const struct dns_zone_limits limits = config_zone_limits(l->conf);
	struct msg msg = { .type = MSG_ZONE_LIMITS, .zone_limits = {
		.memory_bytes = limits.memory_bytes, .time_ms = limits.time_ms } };
	enum err e = chan_send(c->chan, &msg, NULL, 0);

	return e == ERR_OK ? ERR_OK : err_set(m, e, "zones process: set-up: %s", err_str(e));
}

static const struct child_ops ops = {
	.setup = on_setup, .message = on_message, .running = on_running, .gone = on_gone
};

/* ---- zimages on disk ---- */

static void
on_found(struct zjob *j, void *arg)
{
	struct loader *l = arg;

	for (unsigned k = 0; k < zjob_rows(j); k++) {
		struct zjob_row *row = zjob_row(j, k);
		struct loader_zone *z = &l->todo[row->zone];

		if (row->view == NULL)
			continue;
		z->how = LOADER_FROM_DISK;
		z->zimage = served_zimage_new(row->fd, row->view);
		inputs_move(&z->inputs, &row->inputs);
		row->fd = -1;
		row->view = NULL;
	}
	zjob_free(j);
	l->job = NULL;
	batch_over(l);
}

/* Large zones are looked for on disk first. */
static void
find_large(struct loader *l)
{
	unsigned large = 0;

	l->job = zjob_new(l->from.work, l->from.zimages_dir, l->from.secret->key, on_found, l);
	for (unsigned i = 0; i < l->conf->nzones; i++) {
		const struct config_zone *z = &l->conf->zones[i];

		if (l->todo[i].how != LOADER_ALONE)
			continue;
		large++;
		(void)zjob_add(l->job, &(struct zcache_zone){ z->origin, z->file, z->units }, i);
	}
	if (large > 0) {
		zjob_start(l->job, ZJOB_FIND);
		return;
	}
	zjob_free(l->job);
	l->job = NULL;
	batch_over(l);
}

static void
on_prepared(void *arg)
{
	struct loader *l = arg;

	if (l->prepared)
		find_large(l);
	else
		finish(l);
}

struct loader *
loader_start(const struct loader_conf *conf, loader_done_cb done, void *arg)
{
	struct loader *l = mem_zero(1, sizeof(*l));

	*l = (struct loader){ .from = *conf, .done = done, .arg = arg };
	report_init(&l->report);
	child_init(&l->zones, ROLE_ZONES, l->from.base, l->from.children, &ops, l);
	l->zones.restart = false;
	l->ev_late = mem_must(evtimer_new(l->from.base, on_late, l));
	start_work(l, prepare_read, on_prepared);
	return l;
}
