/* ready: what whoever started jitsud, and systemd, are told. */
#ifndef SRC_WARDEN_READY_H
#define SRC_WARDEN_READY_H

#include "src/warden/state.h"

#define READY_ZONES 100
/* ", 2 of them not served and 1 with old contents", or nothing. */
void ready_zones_text(const struct generation_zones *n, char buf[READY_ZONES]);
/* The state that `systemctl status` shows. */
void ready_tell(const struct warden *w);
/* A child is confined and runs: when both did for the first time, we are READY. */
void ready_child_runs(struct warden *w);
/* A child ended.  One that never ran after LIMIT_CHILD_FIRST_STARTS ends the start. */
void ready_child_gone(struct warden *w, const struct child *c);

#endif
