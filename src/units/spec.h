/*
 * spec: from a unit to what the VM module is asked to run: every placeholder filled in, strings
 * owned here.
 */
#ifndef SRC_UNITS_SPEC_H
#define SRC_UNITS_SPEC_H

#include "base/err.h"
#include "src/units/mapping.h"
#include "vm/vm.h"

struct spec {
	struct vm_spec vm;             /* points into the rest */
	char **strings;                /* owned */
	unsigned nstrings;
	const char *args[LIMIT_ARGS];
};

/*
 * Fills in `s` for a VM of unit `u` (not an alias) that will carry `uuid`.  Does not depend on `u`
 * or its configuration afterwards, so that a VM's spec may outlive a reload.  After an error
 * nothing is owned.
 */
enum err spec_build(const struct config *conf, const struct mapping_secret *secret,
    const struct unit_conf *u, const struct vm_uuid *uuid, struct spec *s, struct errmsg *m);
void spec_clear(struct spec *s);

/* The NICs of the unit's VM, by which its packets are known; how many. */
unsigned spec_nics(const struct mapping_secret *secret, const struct unit_conf *u,
    const struct vm_ids *ids, struct vm_activity_nic nics[LIMIT_NICS]);

/*
 * The readiness probe of a unit: its address (IPv4 first) and the source to probe from; family 0 in
 * `source` means: the bridge's own address in that subnet (vm_bridge_get), its prefixlen is the
 * subnet's.  False for CONFIG_READY_DELAY and CONFIG_READY_XENSTORE, which need no probe.
 */
bool spec_probe(const struct unit_conf *u, struct msg_addr *guest, struct msg_addr *source);
/* Whether its readiness is probed over the network. */
bool spec_probes(const struct unit_conf *u);

#endif
