/* board: creation and mapping of the unit boards. */
#include "base/board.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/memfd.h"

#define COUNTERS_SIZE (LIMIT_WORKERS * sizeof(struct board_counters))

static void
board_reset(struct board *b)
{
	b->state_fd = b->use_fd = b->counters_fd = -1;
	b->state = NULL;
	b->use = NULL;
	b->counters = NULL;
	b->capacity = 0;
}

void
board_clear(struct board *b)
{
	if (b->state != NULL)
		munmap(b->state, b->capacity * sizeof(*b->state));
	if (b->use != NULL)
		munmap(b->use, b->capacity * sizeof(*b->use));
	if (b->counters != NULL)
		munmap(b->counters, COUNTERS_SIZE);
	if (b->state_fd >= 0)
		close(b->state_fd);
	if (b->use_fd >= 0)
		close(b->use_fd);
	if (b->counters_fd >= 0)
		close(b->counters_fd);
	board_reset(b);
}

enum err
board_create(struct board *b, struct errmsg *m)
{
	size_t n = LIMIT_UNIT_NUMBERS, size;
	void *map = NULL;
	enum err e;

	board_reset(b);
	b->capacity = LIMIT_UNIT_NUMBERS;
	if ((e = memfd_create_sized("jitsu-state", n * sizeof(*b->state), &b->state_fd, m)) !=
	    ERR_OK ||
	    (e = memfd_map_write(b->state_fd, &map, &size, m)) != ERR_OK)
		goto fail;
	b->state = map;
	/* Our own mapping keeps writing; nobody can make another. */
	if ((e = memfd_seal_future_write(b->state_fd, m)) != ERR_OK)
		goto fail;
	if ((e = memfd_create_sized("jitsu-use", n * sizeof(*b->use), &b->use_fd, m)) != ERR_OK ||
	    (e = memfd_map_read(b->use_fd, (const void **)&map, &size, m)) != ERR_OK)
		goto fail;
	b->use = map;
	if ((e = memfd_create_sized("jitsu-counters", COUNTERS_SIZE, &b->counters_fd, m)) !=
	    ERR_OK ||
	    (e = memfd_map_read(b->counters_fd, (const void **)&map, &size, m)) != ERR_OK)
		goto fail;
	b->counters = map;
	return ERR_OK;
fail:
	board_clear(b);
	return e;
}

void
board_fds(const struct board *b, int fds[3])
{
	fds[0] = b->state_fd;
	fds[1] = b->use_fd;
	fds[2] = b->counters_fd;
}

/*
 * Maps a file that must have exactly `want` bytes, so that what is unmapped later is what was
 * mapped.
 */
static enum err
map_exactly(int fd, bool writable, size_t want, const char *what, void **map, struct errmsg *m)
{
	const void *ro = NULL;
	void *rw = NULL;
	size_t size = 0;
	enum err e =
	    writable ? memfd_map_write(fd, &rw, &size, m) : memfd_map_read(fd, &ro, &size, m);

	if (e != ERR_OK)
		return e;
	if (!writable)
		rw = (void *)(uintptr_t)ro;
	if (size != want) {
		munmap(rw, size);
		return err_set(m, ERR_PROTO, "%s board has %zu bytes, not %zu", what, size, want);
	}
	*map = rw;
	return ERR_OK;
}

enum err
board_map(struct board *b, const int fds[3], uint32_t capacity, struct errmsg *m)
{
	void *state = NULL, *use = NULL, *counters = NULL;
	enum err e;

	board_reset(b);
	b->state_fd = fds[0];
	b->use_fd = fds[1];
	b->counters_fd = fds[2];
	b->capacity = capacity;
	e = map_exactly(b->state_fd, false, capacity * sizeof(*b->state), "state", &state, m);
	if (e == ERR_OK)
		e = map_exactly(b->use_fd, true, capacity * sizeof(*b->use), "use", &use, m);
	if (e == ERR_OK)
		e = map_exactly(b->counters_fd, true, COUNTERS_SIZE, "counters", &counters, m);
	b->state = state;
	b->use = use;
	b->counters = counters;
	if (e != ERR_OK) {
		board_clear(b);
		return e;
	}
	close(b->state_fd);
	close(b->use_fd);
	close(b->counters_fd);
	b->state_fd = b->use_fd = b->counters_fd = -1;
	return ERR_OK;
}
