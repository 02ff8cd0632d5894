/* hostnet: addresses and MACs of the host, which no unit may have; bridges that delay or filter. */
#ifndef SRC_LOAD_HOSTNET_H
#define SRC_LOAD_HOSTNET_H

#include "src/units/units.h"

/* A set for units of `conf`, none with an address or MAC of the host.  NULL: a finding says why. */
struct mapping_set *hostnet_mappings(
    const struct config *conf, const struct mapping_secret *secret, struct report *r);
/* Warns of bridges that keep a new port waiting, or frames away. */
void hostnet_check(const struct config *conf, struct report *r);

#endif
