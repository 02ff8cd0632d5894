/* reload: loads, from what causes them to the word that they are served. */
#ifndef SRC_WARDEN_RELOAD_H
#define SRC_WARDEN_RELOAD_H

#include "src/warden/state.h"

/* How a load ended; where it worked, `r` has the findings of zones that were refused. */
typedef void (*reload_done_cb)(struct warden *w, enum err e, const struct report *r, void *arg);

/*
 * Reads configuration and zones, and calls `done` when they are served.  Without `force` nothing
 * that seems cut short (config_check_loss) is taken.  ERR_STATE: another load runs.
 */
enum err reload_start(struct warden *w, bool force, reload_done_cb done, void *arg);
void reload_cancel(struct warden *w);
/* SIGHUP; while a load runs, another follows. */
void reload_hup(struct warden *w);
/* Logs and remembers how a load went that `by` (a literal) asked for; NULL: the first one. */
void reload_ended(struct warden *w, const char *by, enum err e, const struct report *r);
/* The DNS process serves w->served, or ended: a load that waits for that is done. */
void reload_served(struct warden *w);

#endif
