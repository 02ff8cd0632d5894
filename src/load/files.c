/* files: opens the files of zones for the zones process, which may open none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zonefile.h"
#include "src/load/loader.h"

/* When it cannot be noted, the zone is only read again next time. */
static void
note_input(struct loader *l, unsigned i, const char *path, int fd)
{
	if (l->todo[i].unknown || inputs_add(&l->todo[i].inputs, path, fd) == ERR_OK)
		return;
	l->todo[i].unknown = true;
	inputs_clear(&l->todo[i].inputs);
}

void
files_send(struct loader *l, unsigned i)
{
	const struct config_zone *z = &l->conf->zones[i];
	struct writers *w = &l->todo[i].writers;
	struct msg m = { .type = MSG_ZONE, .zone = { .index = i } };
	struct zonefile zone, units;
	struct errmsg why;
	int fds[2];
	unsigned n = 1;

	*w = (struct writers){ .n = 0 };
	if (zonefile_open(&zone, z->file, w, &why) != ERR_OK) {
		loader_zone_error(l, z, z->file, 0, why.text);
		return;
	}
	fds[0] = zone.fd;
	m.zone.shown = zone.shown;
	if (z->units != NULL) {
		if (zonefile_open(&units, z->units, w, &why) != ERR_OK) {
			loader_zone_error(l, z, z->units, 0, why.text);
			close(fds[0]);
			return;
		}
		fds[n++] = units.fd;
		m.zone.units_shown = units.shown;
		note_input(l, i, z->units, units.fd);
	}
	note_input(l, i, z->file, zone.fd);
	strncpy(m.zone.origin, z->origin, sizeof(m.zone.origin) - 1);
	strncpy(m.zone.path, z->file, sizeof(m.zone.path) - 1);
	child_send(&l->zones, &m, fds, n);
	chan_close_fds(fds, n);
}

void
files_include(struct loader *l, const struct msg *m)
{
	struct msg reply = { .type = MSG_INCLUDE, .include = { .index = m->include.index } };
	const struct config_zone *z = &l->conf->zones[m->include.index];
	char path[sizeof(m->include.path)], *full = NULL;
	struct errmsg why = { .text = "" };
	struct zonefile f;

	/* The zone's file may have as many as its units' file. */
	if (++l->todo[m->include.index].includes > 2 * LIMIT_INCLUDES) {
		child_kill(&l->zones, "it wants more files included than a zone may have");
		return;
	}
	memcpy(path, m->include.path, sizeof(path));
	path[sizeof(path) - 1] = '\0';
	(void)zonefile_open_include(
	    &f, z->file, path, &l->todo[m->include.index].writers, &full, &why);   /* f.fd tells */
	if (full != NULL)
		note_input(l, m->include.index, full, f.fd);
	reply.include.shown = f.shown;
	(void)snprintf(reply.include.path, sizeof(reply.include.path), "%.*s",
	    (int)sizeof(reply.include.path) - 1, f.fd >= 0 ? path : why.text);
	child_send(&l->zones, &reply, &f.fd, f.fd >= 0 ? 1 : 0);
	if (f.fd >= 0)
		close(f.fd);
	free(full);
}
