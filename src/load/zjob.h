/*
 * zjob: finds or keeps zimages (zcache.h), or checks one, on a thread: nothing for a loop that
 * others wait for.
 *
 * A job is made, gets its rows, and is started; `done` is called on the loop, where the owner reads
 * the rows and frees the job.
 */
#ifndef SRC_LOAD_ZJOB_H
#define SRC_LOAD_ZJOB_H

#include "base/work.h"
#include "src/load/zcache.h"

struct zjob;

struct zjob_row {
	char *origin, *file, *units;   /* the job's copies; NULL to check */
	unsigned zone;                 /* the owner's own number for the zone */
	/* To find: afterwards, what the entry was made of; to keep: what was compiled. */
	struct inputs inputs;
	int fd;                        /* the job's; to find: afterwards, -1 for none */
	/* To find and to check: afterwards, or NULL; who takes view and fd puts NULL and -1. */
	struct dns_zimage *view;
	enum err result;               /* to check: afterwards, and what was said */
	struct errmsg why;
};

typedef void (*zjob_done_cb)(struct zjob *j, void *arg);

/* The lanes of `work`, of one thread each; what is kept waits for nothing but the disk. */
enum zjob_lane { ZJOB_LANE, ZJOB_LANE_KEEP, ZJOB_LANES };

/* `dir` and `key` as in struct zcache. */
struct zjob *zjob_new(
    struct work *work, const char *dir, const uint8_t key[16], zjob_done_cb done, void *arg);
/* A row with copies of the names. */
struct zjob_row *zjob_add(struct zjob *j, const struct zcache_zone *z, unsigned zone);
/* A zone without a row whose entry, if there is one, stays when zimages are kept. */
void zjob_stay(struct zjob *j, const char *origin);
/* A row for a zimage whose names nobody needs; the job owns `fd` then. */
struct zjob_row *zjob_add_zimage(struct zjob *j, int fd, unsigned zone);

enum zjob_kind {
	ZJOB_FIND,             /* the rows' zimages on disk */
	ZJOB_CHECK,            /* the rows' zimages in full */
	ZJOB_KEEP              /* them; entries of zones neither added nor named to stay go */
};
void zjob_start(struct zjob *j, enum zjob_kind kind);
unsigned zjob_rows(const struct zjob *j);
struct zjob_row *zjob_row(struct zjob *j, unsigned i);
/* Gives it up: waits for a chunk, or a zimage's check (50 ms for a million names); or NULL. */
void zjob_free(struct zjob *j);

#endif
