/*
 * pressure: VMs that are not used give way: to wakes that wait for memory or for a VM's slot
 * (limits), and to the host when its memory is short (psi.h).
 *
 * The least recently used goes first: of those that are frozen, then of those that are awake, whose
 * payload counters are read before.  Who is saved already, was used in the last ten seconds, is
 * within min-up, is needed by another or never sleeps does not give way.
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

#endif
