/*
 * holds: addresses that were handed out under another name lately, and the units that must wait for
 * them (src/store/address.h).  Such a unit is in its zone and in the table; it is not woken.
 */
#ifndef SRC_WARDEN_HOLDS_H
#define SRC_WARDEN_HOLDS_H

#include "src/warden/state.h"

/* What units of the generation claim is theirs unless held; refused ones go to `r` (or NULL). */
void holds_settle(struct warden *w, struct report *r);
/* Is a unit that was refused refused still?  Then its error says why. */
bool holds_refuse(struct warden *w, struct unit *u);
/* Somebody was told the unit's addresses, or will be. */
void holds_handed_out(struct warden *w, struct unit *u);
/* The same for every unit that the DNS process answered for. */
void holds_note_use(struct warden *w);

/* Verbs (control.h). */
void holds_verb_list(struct control_request *req, json_t *args, void *arg);
void holds_verb_release(struct control_request *req, json_t *args, void *arg);

#endif
