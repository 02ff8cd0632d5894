/* probelink: what the warden sends to the sentinel; inbox_sentinel.c has what comes back. */
#ifndef SRC_WARDEN_PROBELINK_H
#define SRC_WARDEN_PROBELINK_H

#include "src/warden/state.h"

/* Networks changed: the sentinel gets a packet socket for each bridge that exists. */
void probelink_networks(struct warden *w);
/*
 * Can the unit be probed: is there a source address on its bridge?  The message says what to
 * configure.  What was found out is kept for probelink_start.
 */
enum err probelink_plan(struct warden *w, struct unit *u, struct errmsg *m);
void probelink_unplan(struct unit_run *r);
/*
 * Starts the readiness probe of a unit, as planned if it was; while its VM is being started by a
 * driver with VM_RUNS_LATE, it waits for the next call.
 */
void probelink_start(struct warden *w, struct unit *u, bool vm_starts);
/* Starts those under way anew: they name networks by numbers that a reload changes. */
void probelink_probe_all(struct warden *w);
/* The bridge of a network has another MAC or address, or is another: the sentinel learns that. */
void probelink_bridge(struct warden *w, unsigned network, const struct vm_bridge *br);
void probelink_unprobe(struct warden *w, const struct unit *u);

#endif
