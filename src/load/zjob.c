/* zjob: a thread that finds, keeps or checks compiled images. */
#include "src/load/zjob.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "dns/dns.h"

/* Writing waits for whoever serves. */
#define KEEP_NICE 10

struct imagejob {
	struct imagecache cache;
	char *dir;
	atomic_bool cancel;
	struct event *ev;
	pthread_t thread;
	bool running;
	imagejob_done_cb done;
	void *arg;
	struct imagejob_row *rows;
	unsigned nrows;
	char (*stay)[IMAGECACHE_NAME];
	unsigned nstay;
};

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
	struct imagejob *j = arg;

	(void)fd;
	(void)what;
	j->done(j, j->arg);
}

struct imagejob *
imagejob_new(struct event_base *base, const char *dir, const uint8_t key[16], imagejob_done_cb done, void *arg)
{
	struct imagejob *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->dir = strdup(dir);
	j->ev = event_new(base, -1, 0, on_done, j);
	if (j->dir == NULL || j->ev == NULL) {
		imagejob_free(j);
		return NULL;
	}
	j->cache = (struct imagecache){ .dir = j->dir, .cancel = &j->cancel };
	memcpy(j->cache.key, key, sizeof(j->cache.key));
	j->done = done;
	j->arg = arg;
	return j;
}

struct imagejob_row *
imagejob_add_image(struct imagejob *j, int fd, unsigned zone)
{
	struct imagejob_row *grown = realloc(j->rows, (j->nrows + 1) * sizeof(*grown)), *row;

	if (grown == NULL)
		return NULL;
	j->rows = grown;
	row = &grown[j->nrows++];
	*row = (struct imagejob_row){ .zone = zone, .fd = fd };
	return row;
}

struct imagejob_row *
imagejob_add(struct imagejob *j, const struct imagecache_zone *z, unsigned zone)
{
	struct imagejob_row *row = imagejob_add_image(j, -1, zone);

	if (row == NULL)
		return NULL;
	row->origin = strdup(z->origin);
	row->file = strdup(z->file);
	row->units = z->units != NULL ? strdup(z->units) : NULL;
	if (row->origin == NULL || row->file == NULL || (z->units != NULL && row->units == NULL) || imagejob_stay(j, z->origin) != ERR_OK) {
		j->nrows--;
		free(row->origin);
		free(row->file);
		free(row->units);
		return NULL;
	}
	return row;
}

enum err
imagejob_stay(struct imagejob *j, const char *origin)
{
	char (*grown)[IMAGECACHE_NAME] = realloc(j->stay, (j->nstay + 1) * sizeof(*grown));

	if (grown == NULL)
		return ERR_NOMEM;
	j->stay = grown;
	imagecache_name(&j->cache, origin, grown[j->nstay++]);
	return ERR_OK;
}

static struct imagecache_zone
zone_of(const struct imagejob_row *row)
{
	return (struct imagecache_zone){ .origin = row->origin, .file = row->file, .units = row->units };
}

static void *
find_thread(void *arg)
{
	struct imagejob *j = arg;

	for (unsigned i = 0; i < j->nrows && !atomic_load(&j->cancel); i++) {
		struct imagejob_row *row = &j->rows[i];
		struct imagecache_zone z = zone_of(row);
		struct errmsg m;
		enum err e = imagecache_find(&j->cache, &z, &row->fd, &row->view, &row->inputs, &m);

		if (e != ERR_OK && e != ERR_MISSING && e != ERR_STATE)
			log_warn("zone %s: its compiled image in %s %s; it is compiled again", row->origin, j->dir, m.text);
	}
	event_active(j->ev, EV_READ, 0);
	return NULL;
}

static void *
keep_thread(void *arg)
{
	struct imagejob *j = arg;
	uint64_t total = 0;
	enum err e = ERR_OK;

	(void)setpriority(PRIO_PROCESS, 0, KEEP_NICE);   /* of this thread; without it, it is only less polite */
	imagecache_evict(&j->cache, (const char (*)[IMAGECACHE_NAME])j->stay, j->nstay, &total);
	for (unsigned i = 0; i < j->nrows && !atomic_load(&j->cancel) && (e == ERR_OK || e == ERR_STATE); i++) {
		struct imagejob_row *row = &j->rows[i];
		struct imagecache_zone z = zone_of(row);
		struct errmsg m;
		uint64_t size = 0;

		if (total > LIMIT_CACHED_BYTES) {
			log_warn("%s: is full (%llu bytes); zone %s is compiled at the next start", j->dir, (unsigned long long)total, row->origin);
			break;
		}
		e = imagecache_keep(&j->cache, &z, &row->inputs, row->fd, &size, &m);
		total += size;
		if (e == ERR_OK)
			log_debug("zone %s: its compiled image is kept (%llu bytes)", row->origin, (unsigned long long)size);
		else if (e != ERR_STATE)
			log_warn("zone %s: its compiled image is not kept in %s: %s; it is compiled at the next start", row->origin, j->dir, m.text);
	}
	event_active(j->ev, EV_READ, 0);
	return NULL;
}

static void *
check_thread(void *arg)
{
	struct imagejob *j = arg;

	for (unsigned i = 0; i < j->nrows && !atomic_load(&j->cancel); i++) {
		struct imagejob_row *row = &j->rows[i];

		row->result = dns_zimage_open(row->fd, &row->view, &row->why);
	}
	event_active(j->ev, EV_READ, 0);
	return NULL;
}

static enum err
start(struct imagejob *j, void *(*run)(void *))
{
	if (pthread_create(&j->thread, NULL, run, j) != 0)
		return ERR_NOMEM;
	j->running = true;
	return ERR_OK;
}

enum err
imagejob_find(struct imagejob *j)
{
	return start(j, find_thread);
}

enum err
imagejob_keep(struct imagejob *j)
{
	return start(j, keep_thread);
}

void
imagejob_check(struct imagejob *j)
{
	if (start(j, check_thread) != ERR_OK)
		(void)check_thread(j);   /* no result but those in the rows */
}

unsigned
imagejob_rows(const struct imagejob *j)
{
	return j->nrows;
}

struct imagejob_row *
imagejob_row(struct imagejob *j, unsigned i)
{
	return &j->rows[i];
}

void
imagejob_free(struct imagejob *j)
{
	if (j == NULL)
		return;
	atomic_store(&j->cancel, true);
	if (j->running)
		(void)pthread_join(j->thread, NULL);   /* cannot fail for a thread of ours */
	for (unsigned i = 0; i < j->nrows; i++) {
		free(j->rows[i].origin);
		free(j->rows[i].file);
		free(j->rows[i].units);
		inputs_clear(&j->rows[i].inputs);
		dns_zimage_close(j->rows[i].view);
		if (j->rows[i].fd >= 0)
			close(j->rows[i].fd);
	}
	free(j->rows);
	free(j->stay);
	if (j->ev != NULL)
		event_free(j->ev);
	free(j->dir);
	free(j);
}
