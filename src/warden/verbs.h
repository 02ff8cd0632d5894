/* verbs: the control socket and what is asked through it. */
#ifndef SRC_WARDEN_VERBS_H
#define SRC_WARDEN_VERBS_H

#include "src/warden/state.h"

/* Opens the control socket. */
enum err verbs_open(struct warden *w, struct errmsg *m);

#endif
