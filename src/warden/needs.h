/*
 * needs: units that must be awake before another one boots (`needs=`).
 *
 * A unit that is woken wakes what it needs, and asks for its own slot, or is thawed, when all that is
 * awake; so do the needed ones in turn.  Until then it waits, and holds no slot.  When a needed one
 * cannot be had its wake fails, with that one's name and error, and queries do not wake it before
 * they would wake that one.  When a needed one is lost while the unit boots, its readiness is held
 * back.  And no needed one sleeps while a unit that needs it is up.
 */
#ifndef SRC_WARDEN_NEEDS_H
#define SRC_WARDEN_NEEDS_H

#include <stdbool.h>

#include "src/warden/warden.h"

/* ADMIT and THAW, with that ticket: at once, or when what it needs is awake. */
void needs_ask(struct warden *w, struct unit *u, uint32_t ticket);

/* It does not wait for them any more, or its slot is given back. */
void needs_leave(struct unit *u);

/* A step of its life cycle is done: it may have gone on without waiting. */
void needs_stepped(struct warden *w, struct unit *u);

/* Wakes what `u` needs. */
void needs_wake(struct warden *w, struct unit *u, enum life_cause cause);

/* Is everything that `u` needs awake? */
bool needs_met(const struct warden *w, const struct unit *u);

/* Does it wait for that?  The first that is not awake; NULL: all are. */
bool needs_waits(const struct unit *u);
const struct unit *needs_first(const struct warden *w, const struct unit *u);

/* May something that `u` needs never boot (wake_is_unsure)? */
bool needs_unsure(const struct warden *w, const struct unit *u);

/* `u` has become awake: those that waited for it alone go on. */
void needs_release(struct warden *w, const struct unit *u);

/* A wake of `u` has failed, or was refused: so do those of the units that need it. */
void needs_failed(struct warden *w, const struct unit *u, const char *why);

/* Whether `u` may never boot has changed: the board of those that need it follows. */
void needs_board(struct warden *w, const struct unit *u);

/* After a reload: what a unit waits for may be others now. */
void needs_review(struct warden *w);

/* Does a unit that is up, or boots, need `u`? */
bool needs_used(const struct warden *w, const struct unit *u);

/* The error of a unit that needs `u`. */
void needs_say(const struct unit *u, const char *why, char *buf, size_t size);

#endif
