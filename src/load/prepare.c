/*
 * prepare: the part of a load that may block: a configuration of twenty thousand zones takes
 * seconds to parse; a user database or a file system may be anywhere.
 *
 * A thread does that and hands over when it is done; another does what takes long once all is
 * compiled (build.c).  Until then the thread alone has the loader's conf, todo, report, cookies,
 * admins and gen, and counts references to zimages; what `from` points to nobody changes.
 */
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "src/config/config.h"
#include "src/load/hostnet.h"
#include "src/load/loader.h"

#define PASSWD_BYTES 16384

/* Files beside the zones that the configuration names. */
static enum err
read_files(struct loader *l)
{
	const char *path = l->conf->cookie_secret_file;
	unsigned row = option_row(option_find(OPTION_TOP, "cookie-secret-file", 18));
	struct errmsg m;

	l->cookies = *l->from.cookies;
	if (path == NULL || cookie_secrets_read(path, &l->cookies, &m) == ERR_OK)
		return ERR_OK;
	return report_add(
	    &l->report, l->conf->path, l->conf->lines[row], "cookie-secret-file: %s", m.text);
}

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

enum err
prepare_read(struct loader *l)
{
	const struct generation *running = l->from.running;
	enum err e = config_load(l->from.conf_path, &l->conf, &l->report);

	if (e == ERR_OK && running != NULL && !l->from.force)
		e = config_check_loss(running->conf, l->conf, &l->report);
	if (e == ERR_OK)
		e = read_files(l);
	if (e != ERR_OK)
		return e;
	if (running != NULL)
		/* Findings, and no reason not to load. */
		(void)config_needs_restart(l->from.started, l->conf, &l->report);
	config_check_xl(l->conf, &l->report);
	config_report_strays(l->conf, &l->report);   /* each is a zone that is not served */
	hostnet_check(l->conf, &l->report);
	find_admins(l);
	plan(l);
	return ERR_OK;
}

static void *
prepare_thread(void *arg)
{
	struct loader *l = arg;

	l->prepare.result = l->prepare.work(l);
	event_active(l->prepare.ev_done, EV_READ, 0);
	return NULL;
}

void
prepare_start(struct loader *l, enum err (*work)(struct loader *l), event_callback_fn on_done)
{
	struct prepare *p = &l->prepare;

	p->ev_done = mem_must(event_new(l->from.base, -1, EV_PERSIST, on_done, l));
	p->work = work;
	p->running = pthread_create(&p->thread, NULL, prepare_thread, l) == 0;
	if (!p->running)
		(void)prepare_thread(l);   /* no result but the one in *p */
}

enum err
prepare_end(struct loader *l)
{
	struct prepare *p = &l->prepare;

	if (p->running)
		(void)pthread_join(p->thread, NULL);   /* cannot fail for a thread of ours */
	p->running = false;
	if (p->ev_done != NULL)
		event_free(p->ev_done);
	p->ev_done = NULL;
	return p->result;
}
