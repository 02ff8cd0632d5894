/* ports: one port of ours on the bridge of each network whose packets wake units (vm_park_port). */
#ifndef SRC_WARDEN_PORTS_H
#define SRC_WARDEN_PORTS_H

#include "src/warden/state.h"

void ports_init(struct warden *w);
void ports_clear(struct warden *w);
/* Networks may have other numbers: ports stay on their bridges, those of no use are closed. */
void ports_renumber(struct warden *w);
/*
 * The bridge of a network is there, and may be another one: so is its port, unless there is to be
 * none.  AGAIN: it has joined the bridge anew; NEW: it has another descriptor, too (MSG_NETWORK).
 * After both the units there are to be parked anew.
 */
enum ports_news { PORTS_SAME, PORTS_AGAIN, PORTS_NEW };
enum ports_news ports_keep(struct warden *w, unsigned network);
/* The port, of which fd is -1 where there is none. */
const struct vm_park_port *ports_of(const struct warden *w, unsigned network);
/* Is the interface the port of a network? */
bool ports_has(const struct warden *w, unsigned network, const char *name);

#endif
