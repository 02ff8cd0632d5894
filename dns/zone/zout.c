/* zout: a zimage while it is written. */
#include "dns/zone/zout.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/memfd.h"
#include "dns/zone/zbudget.h"

#define FIRST_SIZE (1u << 20)

enum err
zout_open(struct zout *o, struct errmsg *m)
{
	enum err e;
	void *map;

	*o = (struct zout){ .fd = -1, .len = sizeof(struct zimage_head), .cap = FIRST_SIZE };
	if ((e = memfd_create_open("jitsu-zones", &o->fd, m)) != ERR_OK)
		return e;
	if (ftruncate(o->fd, FIRST_SIZE) != 0)
		e = err_sys(m, "zimage: size %u", FIRST_SIZE);
	else if ((map = mmap(NULL, FIRST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd, 0)) ==
	    MAP_FAILED)
		e = err_sys(m, "zimage: mmap");
	else
		o->map = map;
	if (e != ERR_OK)
		zout_close(o);
	return e;
}

void
zout_close(struct zout *o)
{
	if (o->map != NULL)
		(void)munmap(o->map, o->cap);   /* cannot fail for a mapping of ours */
	if (o->fd >= 0)
		close(o->fd);
	free(o->zones);
	*o = (struct zout){ .fd = -1 };
}

static enum err
grow(struct zout *o, size_t need)
{
	size_t cap = o->cap;
	void *map;

	while (cap < need)
		cap *= 2;
	if (ftruncate(o->fd, (off_t)cap) != 0)
		return err_sys(o->m, "zimage: size %zu", cap);
	map = mremap(o->map, o->cap, cap, MREMAP_MAYMOVE);
	if (map == MAP_FAILED)
		return err_sys(o->m, "zimage: mremap %zu", cap);
	o->map = map;
	o->cap = cap;
	return ERR_OK;
}

/* Where so many bytes begin; false when they cannot be had. */
static bool
take_bytes(struct zout *o, size_t size, size_t align, size_t *at)
{
	*at = (o->len + align - 1) & ~(align - 1);
	if (*at + size > o->cap && (o->e = grow(o, *at + size)) != ERR_OK)
		return false;
	/* A zone that was dropped may have left its bytes behind. */
	memset(o->map + o->len, 0, *at + size - o->len);
	o->len = *at + size;
	return true;
}

void *
zout_take(struct zout *o, size_t size, size_t align, zref *ref)
{
	size_t at;

	if (!take_bytes(o, size, align, &at))
		return NULL;
	if (!zbudget_has(o->budget, o->len - o->zone))
		o->e = zbudget_err(o->budget, o->m);
	else if ((o->len - o->zone) / 4 >= UINT32_MAX)
		o->e = err_set(o->m, ERR_LIMIT, "the compiled zone is larger than 16 GB");
	*ref = (zref)((at - o->zone) / 4);
	return o->e == ERR_OK ? o->map + at : NULL;
}

void *
zout_at(const struct zout *o, zref at)
{
	return o->map + o->zone + (size_t)at * 4;
}

bool
zout_zone_begin(struct zout *o, struct zbudget *budget, struct errmsg *m)
{
	o->e = ERR_OK;
	o->m = m;
	o->budget = budget;
	return take_bytes(o, 0, 8, &o->zone);
}

bool
zout_zone_end(struct zout *o)
{
	size_t end;

	if (!take_bytes(o, 0, 8, &end))
		return false;
	o->zones = mem_resize(o->zones, o->nzones + 1, sizeof(*o->zones));
	o->zones[o->nzones++] = (struct zimage_dir){ .offset = o->zone, .size = end - o->zone };
	((struct zone_head *)zout_at(o, 0))->size = end - o->zone;
	return true;
}

enum err
zout_finish(struct zout *o, int *fd, struct errmsg *m)
{
	struct zimage_head h = { .magic = ZIMAGE_MAGIC, .version = ZIMAGE_VERSION,
		.nzones = o->nzones };
	size_t dir, bytes = o->nzones * sizeof(*o->zones);
	enum err e;

	o->m = m;
	if (!take_bytes(o, bytes, 8, &dir)) {
		e = o->e;
		goto out;
	}
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
