/* zjob: finds, keeps or checks zimages on a thread. */
#include "src/load/zjob.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "dns/dns.h"

/* Writing waits for whoever serves. */
#define KEEP_NICE 10

struct zjob {
	struct zcache cache;
	char *dir;
	atomic_bool cancel;
	struct work *work;
	struct work_job job;
	enum zjob_lane lane;
	zjob_done_cb done;
	void *arg;
	struct zjob_row *rows;
	size_t room;
	unsigned nrows;
	char (*stay)[ZCACHE_NAME];
	size_t stay_room;
	unsigned nstay;
};

static void
on_done(void *arg)
{
	struct zjob *j = arg;

	j->done(j, j->arg);
}

struct zjob *
zjob_new(struct work *work, const char *dir, const uint8_t key[16], zjob_done_cb done, void *arg)
{
	struct zjob *j = mem_zero(1, sizeof(*j));

	*j = (struct zjob){ .dir = mem_text(dir), .work = work, .done = done, .arg = arg };
	j->cache = (struct zcache){ .dir = j->dir, .cancel = &j->cancel };
	memcpy(j->cache.key, key, sizeof(j->cache.key));
	return j;
}

struct zjob_row *
zjob_add_zimage(struct zjob *j, int fd, unsigned zone)
{
	j->rows = mem_room(j->rows, j->nrows, &j->room, sizeof(*j->rows));
	j->rows[j->nrows] = (struct zjob_row){ .zone = zone, .fd = fd };
	return &j->rows[j->nrows++];
}

struct zjob_row *
zjob_add(struct zjob *j, const struct zcache_zone *z, unsigned zone)
{
	struct zjob_row *row = zjob_add_zimage(j, -1, zone);

	row->origin = mem_text(z->origin);
	row->file = mem_text(z->file);
	row->units = z->units != NULL ? mem_text(z->units) : NULL;
	zjob_stay(j, z->origin);
	return row;
}

void
zjob_stay(struct zjob *j, const char *origin)
{
	j->stay = mem_room(j->stay, j->nstay, &j->stay_room, sizeof(*j->stay));
	zcache_name(&j->cache, origin, j->stay[j->nstay++]);
}

static struct zcache_zone
zone_of(const struct zjob_row *row)
{
	return (struct zcache_zone){ row->origin, row->file, row->units };
}

static void
find(void *arg)
{
	struct zjob *j = arg;

	for (unsigned i = 0; i < j->nrows && !atomic_load(&j->cancel); i++) {
		struct zjob_row *row = &j->rows[i];
		struct zcache_zone z = zone_of(row);
		struct errmsg m;
		enum err e = zcache_find(&j->cache, &z, &row->fd, &row->view, &row->inputs, &m);

		if (e != ERR_OK && e != ERR_MISSING && e != ERR_STATE)
			log_warn("zone %s: its zimage in %s %s; it is compiled again", row->origin,
			    j->dir, m.text);
	}
}

static void
keep(void *arg)
{
	struct zjob *j = arg;
	uint64_t total = 0;

	(void)setpriority(PRIO_PROCESS, 0, KEEP_NICE);   /* of this thread; nothing depends on it */
	zcache_evict(&j->cache, (const char (*)[ZCACHE_NAME])j->stay, j->nstay, &total);
	for (unsigned i = 0; i < j->nrows && !atomic_load(&j->cancel); i++) {
		struct zjob_row *row = &j->rows[i];
		struct zcache_zone z = zone_of(row);
		struct errmsg m;
		uint64_t size = 0;
		enum err e;

		if (total > LIMIT_CACHED_BYTES) {
			log_warn("%s: is full (%llu bytes); zone %s is compiled at the next start",
			    j->dir, (unsigned long long)total, row->origin);
			break;
		}
		e = zcache_keep(&j->cache, &z, &row->inputs, row->fd, &size, &m);
		total += size;
		if (e == ERR_OK)
			log_debug("zone %s: its zimage is kept (%llu bytes)", row->origin,
			    (unsigned long long)size);
		if (e == ERR_OK || e == ERR_STATE)
			continue;
		log_warn("zone %s: its zimage is not kept in %s: %s; it is compiled at the next "
		    "start", row->origin, j->dir, m.text);
		break;
	}
}

static void
check(void *arg)
{
	struct zjob *j = arg;

	for (unsigned i = 0; i < j->nrows && !atomic_load(&j->cancel); i++) {
		struct zjob_row *row = &j->rows[i];

		row->result = dns_zimage_open(row->fd, &row->view, &row->why);
	}
}

void
zjob_start(struct zjob *j, enum zjob_kind kind)
{
	static void (*const runs[])(void *) = { [ZJOB_FIND] = find, [ZJOB_CHECK] = check,
		[ZJOB_KEEP] = keep };

	j->lane = kind == ZJOB_KEEP ? ZJOB_LANE_KEEP : ZJOB_LANE;
	j->job = (struct work_job){ .run = runs[kind], .done = on_done, .arg = j };
	work_submit(j->work, j->lane, &j->job);
}

unsigned
zjob_rows(const struct zjob *j)
{
	return j->nrows;
}

struct zjob_row *
zjob_row(struct zjob *j, unsigned i)
{
	return &j->rows[i];
}

void
zjob_free(struct zjob *j)
{
	if (j == NULL)
		return;
	atomic_store(&j->cancel, true);
	work_cancel(j->work, j->lane, &j->job);
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
	free(j->dir);
	free(j);
}
