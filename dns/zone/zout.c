/* zout: a zimage while it is written. */
#include "dns/zone/zout.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memfd.h"
#include "dns/zone/zbudget.h"

#define FIRST_SIZE (1u << 20)

enum err
zout_open(struct zout *o, struct errmsg *m)
{
	enum err e;

	memset(o, 0, sizeof(*o));
	o->fd = -1;
	o->most = SIZE_MAX;
	if ((e = memfd_create_open("jitsu-zones", &o->fd, m)) != ERR_OK)
		return e;
	if (ftruncate(o->fd, FIRST_SIZE) != 0)
		e = err_sys(m, "zimage: size %u", FIRST_SIZE);
	else
		o->map = mmap(NULL, FIRST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd, 0);
	if (o->map == MAP_FAILED) {
		e = err_sys(m, "zimage: mmap");
		o->map = NULL;
	}
	if (e != ERR_OK) {
		zout_close(o);
		return e;
	}
	o->cap = FIRST_SIZE;
	o->len = sizeof(struct zimage_head);
	return ERR_OK;
}

void
zout_close(struct zout *o)
{
	if (o->map != NULL)
		(void)munmap(o->map, o->cap);   /* cannot fail for a mapping of ours */
	if (o->fd >= 0)
		close(o->fd);
	free(o->zones);
	memset(o, 0, sizeof(*o));
	o->fd = -1;
}

static enum err
grow(struct zout *o, size_t need, struct errmsg *m)
{
	size_t cap = o->cap;
	void *map;

	while (cap < need)
		cap *= 2;
	if (ftruncate(o->fd, (off_t)cap) != 0)
		return err_sys(m, "zimage: size %zu", cap);
	map = mremap(o->map, o->cap, cap, MREMAP_MAYMOVE);
	if (map == MAP_FAILED)
		return err_sys(m, "zimage: mremap %zu", cap);
	o->map = map;
	o->cap = cap;
	return ERR_OK;
}

static enum err
take_bytes(struct zout *o, size_t size, size_t align, size_t *at, struct errmsg *m)
{
	size_t begin = (o->len + align - 1) & ~(align - 1);
	enum err e;

	if (begin + size > o->cap && (e = grow(o, begin + size, m)) != ERR_OK)
		return e;
	/* A zone that was dropped may have left its bytes behind. */
	memset(o->map + o->len, 0, begin + size - o->len);
	o->len = begin + size;
	*at = begin;
	return ERR_OK;
}

enum err
zout_take(struct zout *o, size_t size, size_t align, zref *ref, void **p, struct errmsg *m)
{
	char why[LIMIT_NAME_TEXT + 200];
	size_t at;
	enum err e = take_bytes(o, size, align, &at, m);

	if (e != ERR_OK)
		return e;
	if (o->len - o->zone > o->most) {
		(void)zbudget_has(o->budget, o->len - o->zone);   /* it has not */
		zbudget_text(o->budget, why, sizeof(why));
		return err_set(m, ERR_LIMIT, "%s", why);
	}
	if ((o->len - o->zone) / 4 >= UINT32_MAX)
		return err_set(m, ERR_LIMIT, "the compiled zone is larger than 16 GB");
	*ref = (zref)((at - o->zone) / 4);
	*p = o->map + at;
	return ERR_OK;
}

void *
zout_at(const struct zout *o, zref at)
{
	return o->map + o->zone + (size_t)at * 4;
}

enum err
zout_zone_begin(struct zout *o, struct errmsg *m)
{
	return take_bytes(o, 0, 8, &o->zone, m);
}

enum err
zout_zone_end(struct zout *o, struct errmsg *m)
{
	struct zimage_dir *grown = realloc(o->zones, (o->nzones + 1) * sizeof(*grown));
	size_t end;
	enum err e;

	if (grown == NULL)
		return err_set(m, ERR_NOMEM, "zimage");
	o->zones = grown;
	if ((e = take_bytes(o, 0, 8, &end, m)) != ERR_OK)
		return e;
	grown[o->nzones++] = (struct zimage_dir){ .offset = o->zone, .size = end - o->zone };
	((struct zone_head *)zout_at(o, 0))->size = end - o->zone;
	return ERR_OK;
}

void
zout_zone_drop(struct zout *o)
{
	o->len = o->zone;
}

enum err
zout_finish(struct zout *o, int *fd, struct errmsg *m)
{
	struct zimage_head h = { .magic = ZIMAGE_MAGIC, .version = ZIMAGE_VERSION,
		.nzones = o->nzones };
	size_t dir, bytes = o->nzones * sizeof(*o->zones);
	enum err e = take_bytes(o, bytes, 8, &dir, m);

	if (e != ERR_OK)
		goto out;
	if (bytes > 0)
		memcpy(o->map + dir, o->zones, bytes);
	h.size = o->len;
	h.dir = dir;
	memcpy(o->map, &h, sizeof(h));
	/* cannot fail; no writable mapping may be left when the file is sealed */
	(void)munmap(o->map, o->cap);
	o->map = NULL;
	if (ftruncate(o->fd, (off_t)o->len) != 0)
		e = err_sys(m, "zimage: size %zu", o->len);
	else
		e = memfd_seal_all(o->fd, m);
	if (e == ERR_OK) {
		*fd = o->fd;
		o->fd = -1;
	}
out:
	zout_close(o);
	return e;
}
