/* probelink: what the warden sends to the sentinel; inbox.c has what comes back. */
#ifndef SRC_WARDEN_PROBELINK_H
#define SRC_WARDEN_PROBELINK_H

#include "src/warden/state.h"

/* Networks changed: the sentinel gets a packet socket for each bridge that exists. */
void probelink_networks(struct warden *w);
/* Is there a source address to probe from?  What was found out is kept for probelink_start. */
enum err probelink_plan(struct warden *w, struct unit *u, struct errmsg *m);
void probelink_unplan(struct unit_run *r);
/* Starts the probe; one call later, where the driver that is starting the VM has VM_RUNS_LATE. */
void probelink_start(struct warden *w, struct unit *u, bool vm_starts);
/* Starts the probes on a network, or on all, anew: a reload changes the numbers in them. */
#define PROBELINK_ALL UINT32_MAX
void probelink_again(struct warden *w, unsigned network);
/* The bridge of a network has another MAC or address, or is another: the sentinel learns that. */
void probelink_bridge(struct warden *w, unsigned network, const struct vm_bridge *br);
void probelink_unprobe(struct warden *w, const struct unit *u);

#endif
