/* inputs: files by their identity and times. */
#include "src/load/inputs.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/limits.h"
#include "base/mem.h"

static int64_t
age_ms(const struct timespec *changed)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);   /* cannot fail */
	return (now.tv_sec - changed->tv_sec) * 1000 + (now.tv_nsec - changed->tv_nsec) / 1000000;
}

enum err
inputs_add(struct inputs *in, const char *path, int fd)
{
	int64_t written, altered;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return ERR_IO;
	written = age_ms(&st.st_mtim);
	altered = age_ms(&st.st_ctim);
	in->rows = mem_resize(in->rows, in->n + 1, sizeof(*in->rows));
	in->rows[in->n++] = (struct input){ .path = mem_text(path), .dev = st.st_dev,
		.ino = st.st_ino, .size = st.st_size, .mtime = st.st_mtim, .ctime = st.st_ctim,
		.age_ms = written < altered ? written : altered };
	return ERR_OK;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same_files(const struct inputs *in, int64_t age)
{
	for (unsigned i = 0; i < in->n; i++) {
		const struct input *row = &in->rows[i];
		struct stat st;

		if (row->age_ms < age || stat(row->path, &st) != 0 || st.st_dev != row->dev ||
		    st.st_ino != row->ino || st.st_size != row->size ||
		    !same_time(&st.st_mtim, &row->mtime) || !same_time(&st.st_ctim, &row->ctime))
			return false;
	}
	return in->n > 0;
}

bool
inputs_unchanged(const struct inputs *in)
{
	return same_files(in, LIMIT_INPUT_RACY_MS);
}

bool
inputs_same(const struct inputs *in)
{
	return same_files(in, LIMIT_INPUT_TICKS_MS);
}

void
inputs_clear(struct inputs *in)
{
	for (unsigned i = 0; i < in->n; i++)
		free(in->rows[i].path);
	free(in->rows);
	*in = (struct inputs){ .rows = NULL };
}

void
inputs_move(struct inputs *to, struct inputs *from)
{
	inputs_clear(to);
	*to = *from;
	*from = (struct inputs){ .rows = NULL };
}

void
inputs_copy(struct inputs *to, const struct inputs *from)
{
	*to = (struct inputs){ .rows = mem_copy(from->rows, from->n * sizeof(*from->rows)),
		.n = from->n };
	for (unsigned i = 0; i < to->n; i++)
		to->rows[i].path = mem_text(from->rows[i].path);
}
