/* needs: what is asked of units that need others. */
#include "src/warden/needs.h"

#include <string.h>

struct unit *
needs_unit(const struct warden *w, const struct unit *u, unsigned i)
{
	return unit_by_name(&w->units, mapping_unit_target(u->conf->needs[i])->name);
}

bool
needs_anybody(const struct unit *u)
{
	return u->conf != NULL && u->conf->needed;
}

bool
needs_this(const struct unit *u, const struct unit *other)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++)
		if (strcmp(mapping_unit_target(u->conf->needs[i])->name, other->name) == 0)
			return true;
	return false;
}

bool
needs_waits(const struct unit *u)
{
	return u->needing && u->run->needs_ticket != 0;
}

const struct unit *
needs_first(const struct warden *w, const struct unit *u)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++) {
		const struct unit *n = needs_unit(w, u, i);

		if (n != NULL && life_state(&n->life) != LIFE_AWAKE)
			return n;
	}
	return NULL;
}

bool
needs_met(const struct warden *w, const struct unit *u)
{
	return needs_first(w, u) == NULL;
}

/* As the board says: a net of needs may have as many ways up as it has subsets. */
static bool
is_shown_unsure(const struct warden *w, const struct unit *u)
{
	return atomic_load_explicit(&w->board.state[u->number].answer, memory_order_relaxed) ==
	    BOARD_UNSURE;
}

bool
needs_unsure(const struct warden *w, const struct unit *u)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++) {
		const struct unit *n = needs_unit(w, u, i);

		if (n != NULL && is_shown_unsure(w, n))
			return true;
	}
	return false;
}

bool
needs_used(const struct warden *w, const struct unit *u)
{
	const struct unit *x;

	if (!needs_anybody(u))
		return false;
	UNIT_FOREACH(x, &w->units) {
		enum life_state s = life_state(&x->life);

		/* A unit that shuts down may have something to write there. */
		if ((s == LIFE_AWAKE || s == LIFE_BOOTING || s == LIFE_STOPPING) &&
		    needs_this(x, u))
			return true;
	}
	return false;
}
