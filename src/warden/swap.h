/* swap: makes a generation the warden's. */
#ifndef SRC_WARDEN_SWAP_H
#define SRC_WARDEN_SWAP_H

#include "src/warden/state.h"

/* `g` is the warden's from now on, and the former one is freed; `r` has findings about units. */
void swap_generation(struct warden *w, struct generation *g, struct report *r);
/* Finds out in the background what the images of this configuration need to know of the host. */
void swap_prepare(struct warden *w, const struct config *conf);

#endif
