/* ready: what whoever started jitsud, and systemd, are told. */
#ifndef SRC_WARDEN_READY_H
#define SRC_WARDEN_READY_H

#include "src/warden/state.h"

/* The state that `systemctl status` shows. */
void ready_tell(const struct warden *w);
/* A child is confined and runs: when both did for the first time, we are READY. */
void ready_child_runs(struct warden *w);
/* A child ended.  One that never ran after LIMIT_CHILD_FIRST_STARTS ends the start. */
void ready_child_gone(struct warden *w, const struct child *c, const char *why);

#endif
