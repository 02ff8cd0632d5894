/* inputs: files by their identity and times. */
#include "src/inputs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define RACY_S 2

struct input {
	char *path;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	bool racy;
};

static bool
is_racy(const struct timespec *changed)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);   /* cannot fail */
	return changed->tv_sec + RACY_S >= now.tv_sec;
}

enum err
inputs_add(struct inputs *in, const char *path, int fd)
{
	struct input *grown, *row;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return ERR_IO;
	grown = realloc(in->rows, (in->n + 1) * sizeof(*grown));
	if (grown == NULL)
		return ERR_NOMEM;
	in->rows = grown;
	row = &grown[in->n];
	*row = (struct input){ .path = strdup(path), .dev = st.st_dev, .ino = st.st_ino, .size = st.st_size, .mtime = st.st_mtim,
		.ctime = st.st_ctim, .racy = is_racy(&st.st_mtim) || is_racy(&st.st_ctim) };
	if (row->path == NULL)
		return ERR_NOMEM;
	in->n++;
	return ERR_OK;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
inputs_unchanged(const struct inputs *in)
{
	for (unsigned i = 0; i < in->n; i++) {
		const struct input *row = &in->rows[i];
		struct stat st;

		if (row->racy || stat(row->path, &st) != 0 || st.st_dev != row->dev || st.st_ino != row->ino || st.st_size != row->size ||
		    !same_time(&st.st_mtim, &row->mtime) || !same_time(&st.st_ctim, &row->ctime))
			return false;
	}
	return in->n > 0;
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
