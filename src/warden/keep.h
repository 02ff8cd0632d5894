/* keep: zimages of large zones on disk, for the next start. */
#ifndef SRC_WARDEN_KEEP_H
#define SRC_WARDEN_KEEP_H

#include "src/warden/state.h"

/* After a load: keeps large zones that it compiled, removes entries of zones that are gone. */
void keep_zimages(struct warden *w);

#endif
