/*
 * needs: units that must be awake before another counts as ready (`needs=`).
 *
 * What a unit needs is woken with it, not after it; its own readiness is held back until all of them are awake; and none of them sleeps
 * while a unit that needs it is awake.
 */
#ifndef SRC_NEEDS_H
#define SRC_NEEDS_H

#include <stdbool.h>

#include "src/warden.h"

/* Wakes what `u` needs. */
void needs_wake(struct warden *w, const struct unit *u);

/* Is everything that `u` needs awake? */
bool needs_met(const struct warden *w, const struct unit *u);

/* The name of one that is not; NULL: there is none. */
const char *needs_missing(const struct warden *w, const struct unit *u);

/* `u` has become awake: those that waited for it alone are ready now. */
void needs_release(struct warden *w, const struct unit *u);

/* After a reload: what a unit that is held back needs may be others now. */
void needs_review(struct warden *w);

/* May something that `u` needs never boot (wake_is_unsure)? */
bool needs_unsure(const struct warden *w, const struct unit *u);

/* Whether `u` may never boot has changed: the board of those that need it follows. */
void needs_board(struct warden *w, const struct unit *u);

/* Does a unit that is awake or boots need `u`? */
bool needs_used(const struct warden *w, const struct unit *u);

#endif
