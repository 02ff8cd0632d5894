/*
 * hostnet: what this host has in its networks itself: addresses and MACs that no unit may have, and
 * bridges that keep units waiting.
 */
#ifndef SRC_LOAD_HOSTNET_H
#define SRC_LOAD_HOSTNET_H

#include "base/err.h"
#include "src/config/config.h"
#include "src/units/units.h"

/*
 * A set for the units of `conf`, none of which may have an address or MAC of this host.  NULL: the
 * kernel does not tell, which is a finding.
 */
struct mapping_set *hostnet_mappings(
    const struct config *conf, const struct mapping_secret *secret, struct report *r);

/* Warns of bridges that keep a new port waiting. */
void hostnet_check(const struct config *conf, struct report *r);

#endif
