/* needs: units that depend on others. */
#include "src/needs.h"

static struct unit *
needed(const struct warden *w, const struct unit_conf *uc, unsigned i)
{
	return unit_by_name(&w->units, mapping_unit_target(uc->needs[i])->name);
}

/* Needs have no cycles (mapping.h), so this ends; each unit is woken once, by however many ways it is needed. */
static void
wake_each(struct warden *w, const struct unit *u)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++) {
		struct unit *n = needed(w, u->conf, i);

		if (n == NULL || n->needs_round == w->needs_round || life_state(&n->life) == LIFE_AWAKE)
			continue;
		n->needs_round = w->needs_round;
		wake_each(w, n);
		wake_request_alone(w, n, LIFE_BY_QUERY, 0);
	}
}

void
needs_wake(struct warden *w, const struct unit *u)
{
	w->needs_round++;
	wake_each(w, u);
}

void
needs_review(struct warden *w)
{
	for (uint32_t i = 0; i < w->units.next && w->ready_held > 0; i++) {
		struct unit *u = unit_by_number(&w->units, i);

		if (u == NULL || !u->ready_held)
			continue;
		if (needs_met(w, u))
			wake_ready_again(w, u);
		else
			needs_wake(w, u);
	}
}

const char *
needs_missing(const struct warden *w, const struct unit *u)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++) {
		const struct unit *n = needed(w, u->conf, i);

		if (n != NULL && life_state(&n->life) != LIFE_AWAKE)
			return n->name;
	}
	return NULL;
}

bool
needs_met(const struct warden *w, const struct unit *u)
{
	return needs_missing(w, u) == NULL;
}

static bool
unit_needs(const struct warden *w, const struct unit *u, const struct unit *other)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++)
		if (needed(w, u->conf, i) == other)
			return true;
	return false;
}

void
needs_release(struct warden *w, const struct unit *u)
{
	for (uint32_t i = 0; i < w->units.next && w->ready_held > 0; i++) {
		struct unit *x = unit_by_number(&w->units, i);

		if (x != NULL && x->ready_held && unit_needs(w, x, u) && needs_met(w, x))
			wake_ready_again(w, x);
	}
}

bool
needs_unsure(const struct warden *w, const struct unit *u)
{
	for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++) {
		const struct unit *n = needed(w, u->conf, i);

		if (n != NULL && wake_is_unsure(w, n))
			return true;
	}
	return false;
}

void
needs_board(struct warden *w, const struct unit *u)
{
	if (u->conf == NULL || !u->conf->needed)
		return;
	for (uint32_t i = 0; i < w->units.next; i++) {
		struct unit *x = unit_by_number(&w->units, i);

		if (x != NULL && life_state(&x->life) == LIFE_BOOTING && unit_needs(w, x, u))
			wake_board(w, x);
	}
}

bool
needs_used(const struct warden *w, const struct unit *u)
{
	for (uint32_t i = 0; i < w->units.next; i++) {
		const struct unit *x = unit_by_number(&w->units, i);
		enum life_state s = x != NULL ? life_state(&x->life) : LIFE_DORMANT;

		if ((s == LIFE_AWAKE || s == LIFE_BOOTING) && unit_needs(w, x, u))
			return true;
	}
	return false;
}
