/* mapping_impl: what the files of mapping share. */
#ifndef SRC_UNITS_MAPPING_IMPL_H
#define SRC_UNITS_MAPPING_IMPL_H

#include "base/arena.h"
#include "base/table.h"
#include "src/units/types.h"

/* Names of other units as written, for mapping_set_finish. */
struct mapping_reference {
	struct mapping_reference *next;
	struct unit_conf *unit;
	const char *alias;             /* value of `unit`, or NULL */
	const char *needs;             /* value of `needs`, or NULL */
};

/* An image section that the configuration has no more, for units of zones that were kept. */
struct mapping_kept {
	struct mapping_kept *next;
	struct config_image image;     /* its texts are the owner's */
	struct config *owner;          /* the configuration that had it; a reference */
};

struct mapping_zone {
	bool added;
	bool kept;                     /* old contents: units are refused alone */
	uint32_t n;
	struct unit_conf *units;
	uint8_t *heights;              /* mapping_finish.c: how deep each unit's needs go */
	struct mapping_reference *references;
};

struct mapping_set {
	struct arena arena;
	const struct config *conf;
	struct mapping_secret secret;
	struct table host_addrs;       /* to struct msg_addr */
	struct table host_macs;        /* to struct vm_host_mac */
	struct mapping_zone *zones;    /* by config_zone.index */
	struct table names, addrs, macs;   /* to struct unit_conf */
	struct table disks_written, disks_read;
	struct mapping_kept *kept;
	const struct mapping_set *before;   /* during mapping_set_keep */
	bool stands_by;                /* some unit has standby = yes */
	uint32_t total;                /* units in added zones, aliases included */
};

/* Fills in `u` from `d` and enters it into the indexes; what is wrong goes to `r`. */
void mapping_unit_build(struct mapping_set *set, const struct config_zone *zone,
    struct unit_conf *u, const struct dns_unit *d, struct report *r);
/* Makes room for a zone's units, which mapping_unit_build fills in; errors of mapping_set_add. */
enum err mapping_zone_begin(struct mapping_set *set, const struct config_zone *zone, uint32_t n,
    bool keep, struct report *r);
/* All are built: the zone is in, or, unless it is kept or `whole`, leaves with ERR_PARSE. */
enum err mapping_zone_end(struct mapping_set *set, const struct config_zone *zone, bool whole);
/* Enters a unit that was accepted before into empty indexes. */
void mapping_unit_enter(struct mapping_set *set, struct unit_conf *u);
/* A finding about `u`, at its line. */
void mapping_found(struct report *r, const struct unit_conf *u, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The unit is none any more. */
void mapping_unit_refuse(struct unit_conf *u);
/* The section that a unit of a kept zone had, made part of this set; NULL: there is none. */
const struct config_image *mapping_image_keep(struct mapping_set *set, const char *name);
void mapping_kept_clear(struct mapping_set *set);
/* Drops zones that are not `added` any more from the indexes. */
void mapping_set_rebuild(struct mapping_set *set);

#endif
