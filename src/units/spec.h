/* spec: from a unit to what the VM module is asked to run, with every placeholder filled in. */
#ifndef SRC_UNITS_SPEC_H
#define SRC_UNITS_SPEC_H

#include "base/err.h"
#include "src/units/mapping.h"
#include "vm/vm.h"

/*
 * Fills in `s` for a VM `uuid` of unit `u` (no alias).  Strings lie in s->memory, so that `s` may
 * outlive a reload; after an error nothing is owned.
 */
enum err spec_build(const struct config *conf, const struct mapping_secret *secret,
    const struct unit_conf *u, const struct vm_uuid *uuid, struct vm_spec *s, struct errmsg *m);

/* The NICs of the unit's VM, by which its packets are known; how many. */
unsigned spec_nics(const struct mapping_secret *secret, const struct unit_conf *u,
    const struct vm_ids *ids, struct vm_activity_nic nics[LIMIT_NICS]);

/*
 * A unit's address (IPv4 first) and the source to probe it from; family 0: the bridge's own address
 * in that subnet, whose length is prefixlen.  False where nothing is probed (delay, xenstore).
 */
bool spec_probe(const struct unit_conf *u, struct msg_addr *guest, struct msg_addr *source);
/* Whether its readiness is probed over the network. */
bool spec_probes(const struct unit_conf *u);

#endif
