/*
 * schedule: hours in which units are kept awake.
 *
 * A unit is woken when its hours begin, within the budgets as by a query, and does not sleep within
 * them.  Who ends by itself then, or fails, is woken again, after its back-off; who is refused, a
 * minute later; who was put to sleep by an operator, when its hours begin again.  The next jitsud
 * does not know of that, and wakes it.
 *
 * One timer is set to the next begin or end of all units, by the wall clock; the kernel says when
 * somebody sets that clock, and all is looked at again.
 */
#ifndef SRC_WARDEN_SCHEDULE_H
#define SRC_WARDEN_SCHEDULE_H

#include "src/warden/state.h"

/* At the start, when units can be woken. */
void schedule_start(struct warden *w);
void schedule_free(struct warden *w);
/* Settings are new. */
void schedule_review(struct warden *w);
/* The state of a unit has changed. */
void schedule_changed(struct warden *w, struct unit *u, enum life_state to, enum life_why why);
/* An operator wants it asleep, whatever it is now. */
void schedule_sleep(struct unit *u);

#endif
