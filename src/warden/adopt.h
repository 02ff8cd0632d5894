/* adopt: joins what runs to what the store remembers; for the first generation, once. */
#ifndef SRC_WARDEN_ADOPT_H
#define SRC_WARDEN_ADOPT_H

#include "src/warden/state.h"

/* `done` is called when that is done; never when w->stopping. */
void adopt_start(struct warden *w, void (*done)(struct warden *w));
/*
 * Instead, or while it goes on, when w->stopping: destroys every VM of ours and breaks the loop
 * when that is done.
 */
void adopt_destroy(struct warden *w);
void adopt_free(struct warden *w);

#endif
