/* claims: the addresses that a configuration's units claim, as a table of holds judges them. */
#ifndef SRC_LOAD_CLAIMS_H
#define SRC_LOAD_CLAIMS_H

#include "src/load/served.h"
#include "src/store/store.h"

struct claims {
	const struct config *conf;
	const struct mapping_set *set;
	const struct generation *g;    /* what has them; NULL: a check */
	struct report *r;              /* a line for each claim that is held; or NULL */
	/* The same, told to the owner of the claims; NULL: nobody is told. */
	void (*held)(const char *unit, const char *why, void *arg);
	void *arg;

	/* Made by claims_make. */
	struct store_address *list;
	size_t n;
	struct store_names names;      /* points to the struct claims */
};

/* Lists every address of every unit; the fields above are the caller's. */
void claims_make(struct claims *c);
void claims_clear(struct claims *c);

#endif
