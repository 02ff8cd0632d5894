/* links: bridges, and the host's ends of NICs. */
#ifndef SRC_WARDEN_LINKS_H
#define SRC_WARDEN_LINKS_H

#include "src/warden/state.h"

/* NICs that lost their bridge get it back; a VM whose NICs, or bridge for long, are gone ends. */
void links_init(struct warden *w);
void links_clear(struct warden *w);
/* Looks soon at every VM and network, or only at what is in doubt or new, as after a reload. */
void links_review(struct warden *w);
void links_look(struct warden *w);
/* Are the bridges of a unit's NICs up?  Each wake asks: the kernel only when that is not known. */
enum err links_check(const struct warden *w, const struct unit *u, struct errmsg *m);
/* A VM was started: events of its NICs from before are looked at. */
void links_started(struct warden *w, const struct unit *u);
/* A unit is awake (again): one that nobody can reach is put to sleep soon. */
void links_awake(struct warden *w, struct unit *u);

#endif
