/* types: what a mapping says of a unit. */
#ifndef SRC_UNITS_TYPES_H
#define SRC_UNITS_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/msg.h"
#include "dns/dns.h"
#include "src/config/config.h"
#include "vm/vm.h"

/* Kept in the state directory, so that MACs survive; from getrandom(2). */
struct mapping_secret {
	uint8_t key[16];
};

struct unit_conf;

/* A unit that another one needs. */
struct unit_need {
	struct unit_conf *unit;
	unsigned after;                /* enum config_after: what it must be first */
};

enum unit_standby { UNIT_STANDBY_IMAGE, UNIT_STANDBY_YES, UNIT_STANDBY_NO };

struct unit_conf {
	/* owner: absolute, lower case, no final dot; [a-z0-9._-] only */
	const char *name;
	const struct config_zone *zone;
	const struct config_image *image;
	/* an alias: the unit it stands for; below, only file, line and addrs are set */
	struct unit_conf *target;
	struct unit_need *needs;
	const char *file;              /* where the mapping stands */
	uint32_t line;
	uint16_t nneeds;
	uint8_t naddrs;                /* 1..LIMIT_UNIT_ADDRS; IPv4 first */
	/* another unit needs it, or did when the set was finished before */
	bool needed;
	/* alone, in a zone that was kept: no unit, its name is plain data */
	bool refused;
	uint8_t standby;               /* enum unit_standby */
	uint8_t mac[6];
	struct msg_addr *addrs;        /* prefixlen is its subnet's */
	struct config_policy policy;   /* resolved: nothing in it means "default" any more */
};

struct mapping_set;

/* What an alias stands for, or the unit itself. */
static inline const struct unit_conf *
mapping_unit_target(const struct unit_conf *u)
{
	return u->target != NULL ? u->target : u;
}

static inline bool
mapping_unit_has_addr(const struct unit_conf *u, const struct msg_addr *a)
{
	for (unsigned i = 0; i < u->naddrs; i++)
		if (addr_cmp(&u->addrs[i], a) == 0)
			return true;
	return false;
}

#endif
