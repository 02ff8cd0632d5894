/*
 * prepare: the part of a load that may block: a configuration of twenty thousand zones takes
 * seconds to parse; a user database or a file system may be anywhere.
 *
 * A thread does that; later one does what takes long once all is compiled (build.c).  Until it is
 * done the thread alone has the loader's conf, todo, report, cookies, admins and gen, and counts
 * references to zimages; what `from` points to nobody changes.
 */
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "src/load/check_impl.h"
#include "src/load/hostnet.h"
#include "src/load/loader.h"

#define PASSWD_BYTES 16384

/* A zone whose files are as they were is served as it is; one that was refused is tried again. */
static bool
reuse_zone(struct loader *l, unsigned i)
{
	const struct config_zone *z = &l->conf->zones[i], *before;
	struct served_zone *old = generation_zone(l->from.running, z->origin);

	if (old == NULL || old->zimage == NULL || old->error != NULL)
		return false;
	before = &l->from.running->conf->zones[old - l->from.running->zones];
	if (strcmp(before->file, z->file) != 0 || (before->units == NULL) != (z->units == NULL) ||
	    (z->units != NULL && strcmp(before->units, z->units) != 0) ||
	    !inputs_unchanged(&old->inputs))
		return false;
	l->todo[i].how = LOADER_REUSED;
	l->todo[i].reused = old;
	return true;
}

/* Where each zone comes from. */
static void
plan(struct loader *l)
{
	unsigned large = 0;
	struct stat st;

	l->ntodo = l->conf->nzones;
	l->todo = mem_zero(l->ntodo + 1, sizeof(*l->todo));
	for (unsigned i = 0; i < l->conf->nzones; i++) {
		if (reuse_zone(l, i) || large == LIMIT_CACHED_ZONES ||
		    stat(l->conf->zones[i].file, &st) != 0 || st.st_size < LIMIT_CACHED_ZONE)
			continue;
		l->todo[i].how = LOADER_ALONE;
		large++;
	}
}

static void
find_admins(struct loader *l)
{
	const struct config_list *names = &l->conf->admins;
	char buf[PASSWD_BYTES];

	l->admins = mem_zero(names->n + 1, sizeof(*l->admins));
	for (unsigned i = 0; i < names->n; i++) {
		struct passwd pw, *found = NULL;
		int rc = getpwnam_r(names->items[i], &pw, buf, sizeof(buf), &found);

		if (found != NULL)
			l->admins[l->nadmins++] = pw.pw_uid;
		else if (rc != 0)
			log_warn("%s:%u: admins: user '%s': %s", l->conf->path, names->lines[i],
			    names->items[i], strerror(rc));
		else
			log_warn("%s:%u: admins: there is no user '%s'", l->conf->path,
			    names->lines[i], names->items[i]);
	}
}

void
prepare_read(void *arg)
{
	struct loader *l = arg;
	const struct generation *running = l->from.running;
	enum err e = config_load(l->from.conf_path, &l->conf, &l->report);

	l->cookies = *l->from.cookies;
	if (e == ERR_OK && running != NULL && !l->from.force)
		e = config_check_loss(running->conf, l->conf, &l->report);
	if (e == ERR_OK)
		e = check_cookies(l->conf, &l->cookies, &l->report);
	l->prepared = e == ERR_OK;
	if (!l->prepared)
		return;
	if (running != NULL)
		/* Findings, and no reason not to load. */
		(void)config_needs_restart(l->from.started, l->conf, &l->report);
	config_check_xl(l->conf, &l->report);
	config_report_strays(l->conf, &l->report);   /* each is a zone that is not served */
	hostnet_check(l->conf, &l->report);
	find_admins(l);
	plan(l);
}
