/* counters: for `jitsu status`: of the DNS process, summed over its workers, and the warden's. */
#ifndef SRC_WARDEN_COUNTERS_H
#define SRC_WARDEN_COUNTERS_H

#include <jansson.h>

#include "src/warden/state.h"

json_t *counters_json(const struct warden *w);

#endif
