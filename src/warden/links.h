/* links: bridges, and the host's ends of NICs. */
#ifndef SRC_WARDEN_LINKS_H
#define SRC_WARDEN_LINKS_H

#include "src/warden/state.h"

/*
 * VMs whose NICs lose their bridge get it back; those whose NICs are gone, or whose bridge stays
 * away, are ended.
 */
void links_init(struct warden *w);
void links_clear(struct warden *w);
/* Every VM and every network is looked at soon; after a reload, networks only. */
void links_review(struct warden *w);
void links_reload(struct warden *w);
/* Have its NICs bridges that are up?  On the way of every wake: what is known is not asked for. */
enum err links_check(const struct warden *w, const struct unit *u, struct errmsg *m);
/* Its VM was started: what happened to its NICs meanwhile is looked at. */
void links_started(struct warden *w, const struct unit *u);
/* It is awake (again): when it is known that nobody can reach it, not for long. */
void links_awake(struct warden *w, struct unit *u);

#endif
