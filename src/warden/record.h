/* record: what happened to a unit, told to the log, the store and followers of `jitsu events`. */
#ifndef SRC_WARDEN_RECORD_H
#define SRC_WARDEN_RECORD_H

#include "src/life/life.h"
#include "src/store/store.h"
#include "src/warden/unit.h"

struct warden;

/* A state changed: log line, event, row.  A failed boot is told in full when its VM has gone. */
void record_change(
    struct warden *w, struct unit *u, enum life_state from, enum life_state to, enum life_why why);
/* The held queries of a wake were answered: the event with all four durations. */
void record_answered(struct warden *w, struct unit *u, unsigned answers);
/* `hold` ran out: the address went out although the unit is not ready yet. */
void record_expired(struct warden *w, struct unit *u, unsigned answers);
/* The VM ended by itself; u->run->console has its last lines. */
void record_died(struct warden *w, struct unit *u, const char *why);
/* A line of a driver, about a unit or (NULL) itself. */
void record_driver_line(struct warden *w, const struct unit *u, const char *text);
/* flood_tell_cb: so many lines and events were left out. */
void record_left_out(const char *kind, unsigned more, uint32_t unit, void *warden);
/* Anything else: `unit` "" is the daemon itself. */
void record_event(struct warden *w, const char *unit, const char *kind, const char *text);

struct record_texts {
	char uuid[VM_UUID_TEXT], identity[VM_IDENTITY];
};
/* The unit's row; its strings are the unit's, or in `t`. */
struct store_unit record_row(const struct warden *w, const struct unit *u, struct record_texts *t);
/* Writes the unit's row now; `done` may be NULL. */
void record_store(struct warden *w, struct unit *u, store_done_cb done, void *arg);

#define RECORD_IDENTITY VM_IDENTITY
/* A hash of what a guest cannot unlearn: addresses, MAC, network.  Another one ends its VM. */
void record_identity(const struct unit_conf *uc, char text[RECORD_IDENTITY]);

#endif
