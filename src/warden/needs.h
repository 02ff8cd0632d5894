/*
 * needs: units that must be awake before another one boots (`needs=`): the questions; wake_needs.c
 * has what is done.
 *
 * A unit that is woken wakes what it needs, and asks for its own slot, or is thawed, when all that
 * is awake; so do the needed ones in turn.  Until then it waits, and holds no slot.  When a needed
 * one cannot be had its wake fails, with that one's name and error, and queries do not wake it
 * before they would wake that one.  When a needed one is lost while the unit boots, its readiness
 * is held back.  And no needed one sleeps while a unit that needs it is up.
 */
#ifndef SRC_WARDEN_NEEDS_H
#define SRC_WARDEN_NEEDS_H

#include <stdbool.h>

#include "src/warden/state.h"

/* The unit behind the i-th of `u`'s needs; NULL: there is none (any more). */
struct unit *needs_unit(const struct warden *w, const struct unit *u, unsigned i);

/* Does any unit need `u`?  Most are needed by none, and for these no unit is looked at. */
bool needs_anybody(const struct unit *u);

/* Does `u` need `other`? */
bool needs_this(const struct unit *u, const struct unit *other);

/* Is everything that `u` needs awake?  The first that is not; NULL: all are. */
bool needs_met(const struct warden *w, const struct unit *u);
const struct unit *needs_first(const struct warden *w, const struct unit *u);

/* Does a wake of `u` wait for that? */
bool needs_waits(const struct unit *u);

/* May something that `u` needs never boot (wake_is_unsure)? */
bool needs_unsure(const struct warden *w, const struct unit *u);

/* Does a unit that is up, or boots, need `u`? */
bool needs_used(const struct warden *w, const struct unit *u);

#endif
