/*
 * loader: from configuration files to a new generation, without stopping to serve.
 *
 *     config_load → the zones process compiles every zone → mappings are checked against the configuration → swap
 *
 * Until the swap nothing of the running generation changes; an error before it leaves everything as it was.  A zone that fails keeps its
 * old contents and says why.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/loader.h"
#include "src/options.h"
#include "src/record.h"
#include "src/warden.h"

static void
finish(struct loader *l, enum err e)
{
	struct warden *w = l->w;
	load_done_cb done = l->done;
	void *arg = l->arg;
	struct report report = l->report;

	report_init(&l->report);
	loader_cancel(w);
	done(w, e, &report, arg);
	report_clear(&report);
}

static void
on_finish_later(evutil_socket_t fd, short what, void *arg)
{
	struct loader *l = arg;

	(void)fd;
	(void)what;
	finish(l, l->result);
}

/* The child whose callback we are in must not be freed under it. */
static void
finish_later(struct loader *l, enum err e)
{
	struct timeval now = { 0, 0 };

	if (l->over)
		return;
	l->over = true;
	l->result = e;
	if (event_add(l->ev_over, &now) != 0)
		fatal("load: %s", err_str(ERR_NOMEM));
}

void
loader_cancel(struct warden *w)
{
	struct loader *l = w->loader;

	if (l == NULL)
		return;
	w->loader = NULL;
	child_clear(&l->zones);
	if (l->ev_over != NULL)
		event_free(l->ev_over);
	image_unref(l->image);
	for (unsigned i = 0; l->todo != NULL && i < l->ntodo; i++)
		inputs_clear(&l->todo[i].inputs);
	free(l->todo);
	config_free(l->conf);
	report_clear(&l->report);
	free(l);
}

void
loader_zone_error(struct loader *l, const struct config_zone *zone, const char *file, unsigned line, const char *text)
{
	(void)report_add(&l->report, file[0] != '\0' ? file : zone->file, line, "%s", text);
}

/* ---- the zones process ---- */

/* A regular file; anything else could block or change under us. */
static int
open_regular(int dirfd, const char *path, uint64_t resolve, struct errmsg *m)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = resolve };
	struct stat st;
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	if (fd < 0) {
		(void)err_sys(m, "cannot be opened");
		return -1;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)err_set(m, ERR_PARSE, "is not a regular file");
		close(fd);
		return -1;
	}
	return fd;
}

/* A zone whose files are as they were is served as it is; one that was refused is tried again. */
static bool
reuse_zone(struct loader *l, unsigned i)
{
	const struct config_zone *z = &l->conf->zones[i], *before;
	struct served_zone *old = loader_old_zone(l->w, z->origin);

	if (old == NULL || old->image == NULL || old->error != NULL)
		return false;
	before = &l->w->gen->conf->zones[old - l->w->gen->zones];
	if (strcmp(before->file, z->file) != 0 || (before->units == NULL) != (z->units == NULL) ||
	    (z->units != NULL && strcmp(before->units, z->units) != 0) || !inputs_unchanged(&old->inputs))
		return false;
	l->todo[i].reused = old;
	return true;
}

/* When it cannot be noted, the zone is only read again next time. */
static void
note_input(struct loader *l, unsigned i, const char *path, int fd)
{
	if (l->todo[i].unknown || inputs_add(&l->todo[i].inputs, path, fd) == ERR_OK)
		return;
	l->todo[i].unknown = true;
	inputs_clear(&l->todo[i].inputs);
}

static void
send_zone(struct loader *l, unsigned i)
{
	const struct config_zone *z = &l->conf->zones[i];
	struct msg m = { .type = MSG_ZONE };
	struct errmsg why;
	int fds[2] = { -1, -1 };
	unsigned n = 1;

	fds[0] = open_regular(AT_FDCWD, z->file, 0, &why);
	if (fds[0] < 0) {
		loader_zone_error(l, z, z->file, 0, why.text);
		return;
	}
	if (z->units != NULL) {
		fds[1] = open_regular(AT_FDCWD, z->units, 0, &why);
		if (fds[1] < 0) {
			loader_zone_error(l, z, z->units, 0, why.text);
			close(fds[0]);
			return;
		}
		n = 2;
		note_input(l, i, z->units, fds[1]);
	}
	note_input(l, i, z->file, fds[0]);
	m.zone.index = i;
	strncpy(m.zone.origin, z->origin, sizeof(m.zone.origin) - 1);
	strncpy(m.zone.path, z->file, sizeof(m.zone.path) - 1);
	child_send(&l->zones, &m, fds, n);
	chan_close_fds(fds, n);
}

/* Sends zones as fast as the child takes them, then the word to compile. */
static void
send_zones(struct chan *chan, void *arg)
{
	struct loader *l = ((struct child *)arg)->arg;
	struct msg m = { .type = MSG_COMPILE };

	if (l->over)
		return;   /* the configuration may be the generation's by now */
	for (; l->sent < l->conf->nzones && chan_queued(chan) == 0; l->sent++)
		if (!reuse_zone(l, l->sent))
			send_zone(l, l->sent);
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

/* A file that a zone includes: below the zone file's directory, or it is not opened. */
static void
on_want_include(struct loader *l, const struct msg *m)
{
	struct msg reply = { .type = MSG_INCLUDE };
	const struct config_zone *z = &l->conf->zones[m->include.index];
	char *copy = strdup(z->file), path[sizeof(m->include.path)];
	const char *rel = path, *base = NULL;
	struct errmsg why = { .text = "" };
	char *full = NULL;
	int dir = -1, fd = -1;

	memcpy(path, m->include.path, sizeof(path));
	path[sizeof(path) - 1] = '\0';
	if (copy != NULL) {
		size_t len;

		base = dirname(copy);
		len = strlen(base);
		if (strncmp(path, base, len) == 0 && path[len] == '/')
			rel = path + len + 1;
		dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (dir >= 0)
		fd = open_regular(dir, rel, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, &why);
	else
		(void)err_set(&why, ERR_IO, "the zone file's directory cannot be opened");
	if (fd < 0 && errno == EXDEV)
		(void)err_set(&why, ERR_PERM, "lies outside the zone file's directory");
	if (fd >= 0 && asprintf(&full, "%s/%s", base, rel) >= 0)
		note_input(l, m->include.index, full, fd);
	else if (fd >= 0)
		full = NULL;   /* asprintf leaves it undefined */
	reply.include.index = m->include.index;
	(void)snprintf(reply.include.path, sizeof(reply.include.path), "%.400s", fd >= 0 ? path : why.text);
	child_send(&l->zones, &reply, &fd, fd >= 0 ? 1 : 0);
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	free(full);
	free(copy);
}

static void
on_finding(struct loader *l, const struct msg *m)
{
	char file[sizeof(m->finding.file) + 1] = "", text[sizeof(m->finding.text) + 1] = "";

	memcpy(file, m->finding.file, sizeof(m->finding.file));
	memcpy(text, m->finding.text, sizeof(m->finding.text));
	loader_zone_error(l, &l->conf->zones[m->finding.index], file, m->finding.line, text);
}

static void
on_compiled(struct loader *l, int *fds, unsigned nfds)
{
	struct errmsg why;
	struct image *img;
	enum err e;

	if (nfds == 1) {
		img = calloc(1, sizeof(*img));
		if (img == NULL)
			fatal("load: %s", err_str(ERR_NOMEM));
		img->id = l->w->next_image++;
		img->refs = 1;
		img->fd = fds[0];
		l->image = img;
		e = dns_image_open(img->fd, &img->view, &why);
		if (e != ERR_OK) {
			child_kill(&l->zones, why.text);
			(void)report_add(&l->report, l->conf->path, 0, "the zones process made a bad image: %s", why.text);
			finish_later(l, ERR_PROTO);
			return;
		}
	}
	finish_later(l, loader_swap(l));
}

static void
on_message(struct child *c, const struct msg *m, int *fds, unsigned nfds)
{
	struct loader *l = c->arg;

	if (l->over) {
		chan_close_fds(fds, nfds);
		return;
	}
	if (m->type == MSG_COMPILED && nfds <= 1 && l->told) {
		on_compiled(l, fds, nfds);
		return;
	}
	chan_close_fds(fds, nfds);
	if (m->type == MSG_WANT_INCLUDE && m->include.index < l->conf->nzones)
		on_want_include(l, m);
	else if (m->type == MSG_FINDING && m->finding.index < l->conf->nzones)
		on_finding(l, m);
	else
		child_kill(c, "a message that is not for the warden");
}

static void
on_gone(struct child *c, const char *why)
{
	struct loader *l = c->arg;

	if (l->over)
		return;
	(void)report_add(&l->report, l->conf->path, 0, "the zones process ended before it had compiled the zones: %s", why);
	finish_later(l, ERR_PROTO);
}

static const struct child_ops ops = { .message = on_message, .running = on_running, .gone = on_gone };

/* Files beside the zones that the configuration names. */
static enum err
read_files(struct loader *l)
{
	const char *path = l->conf->cookie_secret_file;
	unsigned row = option_row(option_find(OPTION_TOP, "cookie-secret-file", 18));
	struct errmsg m;

	l->cookies = l->w->cookies_random;
	if (path == NULL || cookie_secrets_read(path, &l->cookies, &m) == ERR_OK)
		return ERR_OK;
	return report_add(&l->report, l->conf->path, l->conf->lines[row], "cookie-secret-file: %s", m.text);
}

enum err
loader_start(struct warden *w, load_done_cb done, void *arg)
{
	struct loader *l;
	struct errmsg m;
	enum err e;

	if (w->loader != NULL)
		return ERR_STATE;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		fatal("load: %s", err_str(ERR_NOMEM));
	w->loader = l;
	l->w = w;
	l->done = done;
	l->arg = arg;
	report_init(&l->report);
	child_init(&l->zones, ROLE_ZONES, w->base, &w->child_conf, &ops, l);
	l->zones.restart = false;
	l->ev_over = evtimer_new(w->base, on_finish_later, l);
	if (l->ev_over == NULL)
		fatal("load: %s", err_str(ERR_NOMEM));
	e = config_load(w->conf_path, &l->conf, &l->report);
	if (e == ERR_OK)
		e = read_files(l);
	if (e == ERR_OK) {
		l->ntodo = l->conf->nzones;
		l->todo = calloc(l->ntodo + 1, sizeof(*l->todo));
		if (l->todo == NULL)
			fatal("load: %s", err_str(ERR_NOMEM));
	}
	if (e == ERR_OK && w->gen != NULL)
		(void)config_needs_restart(w->gen->conf, l->conf, &l->report);
	if (e == ERR_OK && (e = child_start(&l->zones, &m)) != ERR_OK)
		(void)report_add(&l->report, w->conf_path, 0, "%s", m.text);
	if (e != ERR_OK)
		finish_later(l, e);
	return ERR_OK;
}
