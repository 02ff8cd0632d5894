/* board: creation and mapping of the unit boards. */
#include "base/board.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/memfd.h"

#define COUNTERS_SIZE (LIMIT_WORKERS * sizeof(struct board_counters))

void
board_init(struct board *b)
{
	*b = (struct board){ .fds = { -1, -1, -1 } };
}

static void
close_files(struct board *b)
{
	for (unsigned i = 0; i < BOARD_FILES; i++) {
		if (b->fds[i] >= 0)
			close(b->fds[i]);
		b->fds[i] = -1;
	}
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
	close_files(b);
	board_init(b);
}

/* Maps a file of exactly `want` bytes, so that what is unmapped later is what was mapped. */
static enum err
map_exactly(int fd, bool writable, size_t want, const char *what, void **map, struct errmsg *m)
{
	const void *ro = NULL;
	size_t size = 0;
	enum err e =
	    writable ? memfd_map_write(fd, map, &size, m) : memfd_map_read(fd, &ro, &size, m);

	if (!writable)
		*map = (void *)(uintptr_t)ro;
	if (e != ERR_OK || size == want)
		return e;
	munmap(*map, size);
	*map = NULL;
	return err_set(m, ERR_PROTO, "%s board has %zu bytes, not %zu", what, size, want);
}

/* Maps the files, for who writes the state or for its reader; on an error the board is clear. */
static enum err
map_files(struct board *b, bool writes_state, struct errmsg *m)
{
	size_t n = b->capacity;
	void *state = NULL, *use = NULL, *counters = NULL;
	enum err e =
	    map_exactly(b->fds[0], writes_state, n * sizeof(*b->state), "state", &state, m);

	if (e == ERR_OK)
		e = map_exactly(b->fds[1], !writes_state, n * sizeof(*b->use), "use", &use, m);
	if (e == ERR_OK)
		e = map_exactly(b->fds[2], !writes_state, COUNTERS_SIZE, "counters", &counters, m);
	b->state = state;
	b->use = use;
	b->counters = counters;
	if (e != ERR_OK)
		board_clear(b);
	return e;
}

enum err
board_create(struct board *b, struct errmsg *m)
{
	static const struct {
		const char *name;
		size_t size;
	} files[BOARD_FILES] = {
		{ "jitsu-state", LIMIT_UNIT_NUMBERS * sizeof(*b->state) },
		{ "jitsu-use", LIMIT_UNIT_NUMBERS * sizeof(*b->use) },
		{ "jitsu-counters", COUNTERS_SIZE },
	};
	enum err e = ERR_OK;

	board_init(b);
	b->capacity = LIMIT_UNIT_NUMBERS;
	for (unsigned i = 0; e == ERR_OK && i < BOARD_FILES; i++)
		e = memfd_create_sized(files[i].name, files[i].size, &b->fds[i], m);
	if (e == ERR_OK)
		e = map_files(b, true, m);
	/* Our own mapping keeps writing; nobody can make another. */
	if (e == ERR_OK)
		e = memfd_seal_future_write(b->fds[0], m);
	if (e != ERR_OK)
		board_clear(b);
	return e;
}

enum err
board_map(struct board *b, const int fds[BOARD_FILES], uint32_t capacity, struct errmsg *m)
{
	enum err e;

	memcpy(b->fds, fds, sizeof(b->fds));
	b->capacity = capacity;
	e = map_files(b, false, m);
	if (e == ERR_OK)
		close_files(b);
	return e;
}
