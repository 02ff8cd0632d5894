/*
 * inputs: the files that a zone was read from, and whether they are still the same.
 *
 * What is compared is what the kernel says of a file (device, inode, size, times), as make and git
 * do it.  A file that was changed less than two seconds before it was read counts as changed: a
 * write in the same tick of the file system's clock would not show.
 */
#ifndef SRC_LOAD_INPUTS_H
#define SRC_LOAD_INPUTS_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"

/* A file, as it was when it was noted. */
struct input {
	char *path;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	int64_t age_ms;              /* from its last change to the note */
};

struct inputs {
	struct input *rows;
	unsigned n;
};

/* Notes the open file `fd` under its path, which is copied.  ERR_IO: fstat(2) fails. */
enum err inputs_add(struct inputs *in, const char *path, int fd);
/* False as well when there are none. */
bool inputs_unchanged(const struct inputs *in);
/* The same for who has read the files in full since: a few ticks of the clock are enough. */
bool inputs_same(const struct inputs *in);
void inputs_clear(struct inputs *in);
/* `to` gets what `from` has; both were initialized. */
void inputs_move(struct inputs *to, struct inputs *from);
/* `to`, which is empty, gets the same. */
void inputs_copy(struct inputs *to, const struct inputs *from);

#endif
