/* keep: zimages of large zones on disk, for the next start. */
#ifndef SRC_WARDEN_KEEP_H
#define SRC_WARDEN_KEEP_H

#include "src/warden/state.h"

/* A load has worked: large zones that it compiled are kept, entries of zones that are gone removed. */
void keep_zimages(struct warden *w);

#endif
