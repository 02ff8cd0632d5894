/* zimages: zone zimages by id, and sets of zones made from them. */
#include "dns/answer/zimages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/memfd.h"
#include "dns/dns.h"

static struct zimages_row *
find(struct zimages *im, uint32_t id)
{
	for (uint32_t i = 0; i < im->n; i++)
		if (im->rows[i].id == id)
			return &im->rows[i];
	return NULL;
}

enum err
zimages_add(struct zimages *im, uint32_t id, int fd, struct errmsg *m)
{
	struct dns_zimage *map = NULL;
	enum err e;

	if (find(im, id) != NULL)
		return err_set(m, ERR_EXISTS, "zimage %u is here already", id);
	im->rows = mem_resize(im->rows, im->n + 1, sizeof(*im->rows));
	if ((e = dns_zimage_open_checked(fd, &map, m)) != ERR_OK)
		return e;
	im->rows[im->n++] = (struct zimages_row){ .id = id, .map = map };
	return ERR_OK;
}

/* Translates zimage ids into indices, and checks unit numbers, which index the board. */
static enum err
bindings_check(struct zimages *im, struct msg_binding *rows, uint32_t nrows,
    const uint32_t *numbers, uint32_t nnumbers, uint32_t capacity, struct errmsg *m)
{
	for (uint32_t i = 0; i < im->n; i++)
		im->rows[i].used = false;
	for (uint32_t i = 0; i < nrows; i++) {
		struct zimages_row *row = find(im, rows[i].zimage);

		if (row == NULL)
			return err_set(m, ERR_PROTO,
			    "binding %u names zimage %u, which was not sent", i, rows[i].zimage);
		row->used = true;
		rows[i].zimage = (uint32_t)(row - im->rows);
	}
	for (uint32_t i = 0; i < nnumbers; i++)
		if (numbers[i] >= capacity && numbers[i] != MSG_UNIT_NONE)
			return err_set(m, ERR_PROTO, "unit number %u is beyond the board",
			    numbers[i]);
	return ERR_OK;
}

static enum err
set_make(struct zimages *im, const struct msg *commit, const void *data, size_t size,
    uint32_t capacity, struct dns_zoneset **set, struct errmsg *m)
{
	size_t rows_size = (size_t)commit->commit.bindings * sizeof(struct msg_binding);
	size_t units_size = (size_t)commit->commit.units * sizeof(uint32_t);
	size_t want = rows_size + units_size + commit->commit.absent;
	const uint32_t *numbers;
	struct msg_binding *rows;
	struct dns_zimage **maps;
	enum err e;

	if (size < want)
		return err_set(m, ERR_PROTO, "bindings have %zu bytes, not %zu", size, want);
	numbers = (const uint32_t *)((const uint8_t *)data + rows_size);
	rows = mem_copy(data, rows_size);
	maps = mem_zero(im->n, sizeof(*maps));
	for (uint32_t i = 0; i < im->n; i++)
		maps[i] = im->rows[i].map;
	e = bindings_check(im, rows, commit->commit.bindings, numbers, commit->commit.units,
	    capacity, m);
	if (e == ERR_OK)
		e = dns_zoneset_new(maps, im->n, rows, commit->commit.bindings, numbers,
		    commit->commit.units, set, m);
	if (e == ERR_OK)
		e = dns_zoneset_absent(*set, (const char *)data + rows_size + units_size,
		    commit->commit.absent, m);
	if (e != ERR_OK) {
		dns_zoneset_free(*set);
		*set = NULL;
	}
	free(rows);
	free(maps);
	return e;
}

enum err
zimages_set_make(struct zimages *im, const struct msg *commit, int fd, uint32_t capacity,
    struct dns_zoneset **set, struct errmsg *m)
{
	static const uint32_t nothing;
	const void *data = NULL;
	size_t size = 0;
	enum err e;

	*set = NULL;
	if (commit->commit.bindings == 0 && commit->commit.absent == 0)
		return set_make(im, commit, &nothing, 0, capacity, set, m);   /* refuses all */
	if ((e = memfd_map_sealed(fd, &data, &size, m)) != ERR_OK)
		return e;
	e = set_make(im, commit, data, size, capacity, set, m);
	(void)munmap((void *)(uintptr_t)data, size);   /* fails only for a wrong address */
	return e;
}

void
zimages_settle(struct zimages *im, bool accepted)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < im->n; i++) {
		struct zimages_row row = im->rows[i];

		row.used = row.served = accepted ? row.used : row.served;
		if (row.used)
			im->rows[kept++] = row;
		else
			dns_zimage_close(row.map);
	}
	im->n = kept;
}

void
zimages_clear(struct zimages *im)
{
	for (uint32_t i = 0; i < im->n; i++)
		dns_zimage_close(im->rows[i].map);
	free(im->rows);
	*im = (struct zimages){ .rows = NULL };
}
