/*
 * aside: VMs, and what is remembered of units, that belong to no unit now, because what they belong
 * to cannot be read: their zone is not served, or the store has lost them.
 *
 *     found at the start, or a reload drops it       → set aside: it goes on, no policy ends it
 *     a reload serves its zone again, with the unit  → the unit goes on with it
 *     a reload serves its zone again, without the
 *     unit, or the zone was taken out of jitsu.conf  → destroyed, as of any unit that was removed
 *     `jitsu destroy`                                → destroyed
 *
 * A VM set aside counts for `limits` unless it is saved.
 */
#ifndef SRC_WARDEN_ASIDE_H
#define SRC_WARDEN_ASIDE_H

#include <jansson.h>

#include "src/warden/row.h"

/* Takes over the row's strings.  `vm`: how its VM was found, NULL = none; `said`: of vm_found. */
void aside_add(struct warden *w, struct unit_row *r, const enum vm_found_state *vm,
    const char *said);
/* A unit leaves: where `g` cannot tell what became of it, it and its VM are set aside. */
void aside_leave(struct warden *w, const struct generation *g, struct unit *u);
/* After a reload: what its zone says by now. */
void aside_review(struct warden *w);
/* A driver's event of a VM that no unit has. */
void aside_event(struct warden *w, const struct vm_event *ev);
/* Destroys every VM; aside_vms is 0 when that is done. */
void aside_stop_all(struct warden *w);
unsigned aside_vms(const struct warden *w);
void aside_clear(struct warden *w);
/* By the unit's name or the VM's UUID in text; with a VM only.  NULL when there is none. */
struct aside *aside_find(const struct warden *w, const char *name);
const struct vm_uuid *aside_uuid(const struct aside *a);
/* Appends to `array` what `jitsu list` shows of each VM. */
void aside_list_json(const struct warden *w, json_t *array);
json_t *aside_show_json(const struct aside *a);

/* Verbs (control.h). */
void aside_verb_list(struct control_request *req, json_t *args, void *arg);
void aside_verb_destroy(struct control_request *req, json_t *args, void *arg);

#endif
