/*
 * pressure: VMs that are not used give way: to wakes that wait for memory or for a VM's slot
 * (limits), and to the host when its memory is short (psi.h).
 *
 * The least recently used goes first: of those that are frozen, then of those that are awake, whose
 * payload counters are read before.  Who is saved already, was used in the last ten seconds, has a
 * connection in use, is within min-up, is needed by another or never sleeps does not give way.  Who
 * could not, since its driver failed or hangs, is left out for ten seconds.
 */
#ifndef SRC_WARDEN_PRESSURE_H
#define SRC_WARDEN_PRESSURE_H

#include "src/warden/state.h"

/* At the start, when units can be woken. */
void pressure_start(struct warden *w);
/* A reload has other limits. */
void pressure_review(struct warden *w);
void pressure_free(struct warden *w);
/* A wake waits, or still does: soon it is looked at who gives way. */
void pressure_soon(struct warden *w);
/* The state of a unit has changed: perhaps it does not give back what it was going to. */
void pressure_changed(struct warden *w, struct unit *u, enum life_state to, enum life_why why);

#endif
