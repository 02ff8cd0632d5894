/*
 * ahead: QEMUs that are started ahead of wakes (vm_ahead_want): which units are likeliest to wake.
 *
 *     standby = yes of a mapping    a VM of that unit, while it is dormant
 *     standby = N of an image       VMs of its N dormant units that were used last
 *     pool = N                      for the N other units that sleep and were used last: a machine
 *                                   for a saved state, or a process for a boot, of any of them
 *
 * Units that nobody has used count in the order of the configuration.  They have what limits.memory
 * leaves free, and nothing for a while after the host's memory was short.
 */
#ifndef SRC_WARDEN_AHEAD_H
#define SRC_WARDEN_AHEAD_H

#include "src/warden/state.h"

/* At the start, when units can be woken. */
void ahead_start(struct warden *w);
void ahead_free(struct warden *w);
/* A unit fell asleep or woke, or there are other settings: soon it is looked at what is wanted. */
void ahead_soon(struct warden *w);
/* This host's memory is short: nothing is wanted for a while. */
void ahead_yield(struct warden *w);

/* Does a VM of the unit wait before its first instruction?  *bytes: what that costs. */
bool ahead_stands_by(const struct warden *w, const struct unit *u, uint64_t *bytes);
/* How many units are to have that, as was found last. */
unsigned ahead_standbys(const struct warden *w);

#endif
