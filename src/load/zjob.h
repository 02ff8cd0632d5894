/*
 * zjob: a thread that finds or keeps compiled images (imagecache.h), or checks one, since none of that is for a loop that others wait for.
 *
 * A job is made, gets its rows, and is started; `done` is called on the loop, where the owner reads the rows and frees the job.
 */
#ifndef SRC_LOAD_ZJOB_H
#define SRC_LOAD_ZJOB_H

#include <event2/event.h>

#include "src/load/zcache.h"

struct imagejob;

struct imagejob_row {
	char *origin, *file, *units;   /* the job's copies; NULL to check */
	unsigned zone;                 /* the owner's own number for it */
	struct inputs inputs;          /* to find: what the entry was made of, afterwards; to keep: what the image was compiled from */
	int fd;                        /* the image: to find, afterwards, -1 when there is none; to keep, the job's copy; to check, the job's */
	struct dns_zimage *view;        /* to find and to check, afterwards: NULL when there is none; who takes them puts -1 and NULL in their place */
	enum err result;               /* to check, afterwards: of dns_zimage_open, and what it said */
	struct errmsg why;
};

typedef void (*imagejob_done_cb)(struct imagejob *j, void *arg);

/* `dir` and `key` as in struct imagecache.  NULL when memory is short. */
struct imagejob *imagejob_new(struct event_base *base, const char *dir, const uint8_t key[16], imagejob_done_cb done, void *arg);

/* A row with copies of the names; NULL when memory is short. */
struct imagejob_row *imagejob_add(struct imagejob *j, const struct imagecache_zone *z, unsigned zone);

/* A zone whose entry, if it has one, stays when the images are kept; those that have rows need no such word. */
enum err imagejob_stay(struct imagejob *j, const char *origin);

/* A row for an image whose names nobody needs; the job has `fd` then.  NULL when memory is short: it is still the caller's. */
struct imagejob_row *imagejob_add_image(struct imagejob *j, int fd, unsigned zone);

enum err imagejob_find(struct imagejob *j);
/* Keeps the rows' images, and removes the entries of zones that were neither added nor named to stay. */
enum err imagejob_keep(struct imagejob *j);
/* Checks the rows' images in full; without a thread at once, and `done` is called on the loop all the same. */
void imagejob_check(struct imagejob *j);

unsigned imagejob_rows(const struct imagejob *j);
struct imagejob_row *imagejob_row(struct imagejob *j, unsigned i);

/* Ends the thread if it runs: it notices within a chunk, or when an image is checked (some 50 ms for a million names).  NULL is allowed. */
void imagejob_free(struct imagejob *j);

#endif
