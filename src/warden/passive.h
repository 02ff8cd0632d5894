/*
 * passive: lists of clients whose queries neither wake a unit nor count as its use, by number, as
 * the DNS process knows them (dns/server/passive.h).
 *
 * A number is never another list's while the warden lives, so what a unit's row of the board says
 * and what the DNS process has need not change in the same moment.
 */
#ifndef SRC_WARDEN_PASSIVE_H
#define SRC_WARDEN_PASSIVE_H

#include "src/warden/state.h"

/* The number of a list, which is sent when it is new; 0: of NULL, or out of numbers (logged). */
uint16_t passive_number(struct warden *w, const struct config_passive *from);
/* Everything, to a DNS process that has just been started. */
void passive_send(struct warden *w);
void passive_clear(struct warden *w);

#endif
