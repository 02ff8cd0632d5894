/* fixture: a store on a real file, and what it says, for the tests of the store. */
#ifndef TESTS_UNIT_SRC_STORE_FIXTURE_H
#define TESTS_UNIT_SRC_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/store/store.h"

struct bench {
	char dir[64], path[128];
	struct event_base *base;
	struct store *store;
};

/* What a completion said. */
struct outcome {
	struct event_base *base;
	bool called;
	enum err e;
	char why[1024];
};

struct loaded {
	unsigned n;
	char names[64][64];
	struct store_unit last;
	char console[LIMIT_CONSOLE_TAIL + 1], error[256], uuid[64], state[32];
};

struct found {
	struct event_base *base;
	bool called;
	size_t n;
	int64_t first, last;
	char kinds[512];
	struct store_event newest;
	char text[256];
};

/* A row with something in every field. */
extern const struct store_unit www;

/*
 * A directory, a loop, and no store yet: *state is the struct bench.  Teardown closes and removes
 * everything.
 */
int store_setup(void **state);
int store_teardown(void **state);

void open_store(struct bench *b, const struct store_conf *conf);
void close_store(struct bench *b);
/* Stores a row and waits for its completion. */
struct outcome put_wait(struct bench *b, const struct store_unit *u);
/* All rows, as the next daemon reads them. */
void load(struct bench *b, struct loaded *l);
/* Runs SQL on the closed database, as nobody but a test may. */
void sql(struct bench *b, const char *text);
/* Fills in the struct found and ends the loop; as a store_events_cb. */
void note_events(enum err e, const char *why, const struct store_event *evs, size_t n, void *arg);
/* Events of one unit, or of all (NULL). */
struct found events(struct bench *b, const char *unit, uint32_t limit);

#endif
