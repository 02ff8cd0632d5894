/*
 * served: what a load makes and the warden serves: a generation, its zones and their zimages.
 *
 * A zimage is shared: every zone of a generation that is served from it, and a load in progress,
 * hold a reference.  A generation is never changed once it is made; the next one replaces it as a
 * whole.
 */
#ifndef SRC_LOAD_SERVED_H
#define SRC_LOAD_SERVED_H

#include "src/load/inputs.h"
#include "src/process/process.h"
#include "src/units/units.h"

/* A compiled zone file, or many in one, that is served at least in part. */
struct served_zimage {
	uint32_t id;               /* never reused */
	int fd;
	struct dns_zimage *view;
	bool sent;                 /* the running DNS process has it */
	unsigned refs;
};

/* With one reference, the caller's; owns `fd` and `view` from now on.  Not for threads. */
struct served_zimage *served_zimage_new(int fd, struct dns_zimage *view);
void served_zimage_unref(struct served_zimage *z);   /* NULL is allowed */

/* What is served for one zone of the configuration. */
struct served_zone {
	const char *origin;        /* the configuration's */
	struct served_zimage *zimage;   /* NULL: it never loaded */
	uint32_t index;            /* within the zimage */
	uint32_t serial;
	uint32_t nunits;
	char *error;               /* why the newest version is not what is served; NULL = it is */
	struct inputs inputs;      /* what it was compiled from */
	bool alone;                /* the zimage has no other zone: it may be kept on disk */
	bool kept;                 /* it is, or that was tried */
};

/* Is what is served what its file says? */
static inline bool
served_zone_ok(const struct served_zone *z)
{
	return z->zimage != NULL && z->error == NULL;
}

/* Why it is not. */
static inline const char *
served_zone_error(const struct served_zone *z)
{
	return z->error != NULL ? z->error : "it could not be loaded";
}

/* One configuration, its zones and their units' settings. */
struct generation {
	uint64_t number;
	struct config *conf;
	struct mapping_set *mappings;
	struct msg_cookies cookies;
	uid_t *admins;             /* of the configuration's, those that exist */
	size_t nadmins;
	struct served_zone *zones; /* parallel to conf->zones */
	/* A section with origin "*" of which nothing is left: a directory that is not mounted. */
	const struct config_zone_section *empty;
	unsigned compiled;         /* zones that this load read anew */
	unsigned from_disk;        /* zones whose zimages it found compiled (zcache.h) */
};

void generation_free(struct generation *g);   /* NULL is allowed */

/* What it has for a zone, whole or not; NULL: no such zone, or no generation. */
struct served_zone *generation_zone(const struct generation *g, const char *origin);

/* Zones of the configuration: all, not served at all, and served with former contents. */
struct generation_zones {
	unsigned all, failed, old;
};
void generation_zones_count(const struct generation *g, struct generation_zones *n);
/* May `owner` be a unit, in a zone that cannot be read now?  Then `why` says what hides it. */
bool generation_hides(const struct generation *g, const char *owner, char *why, size_t size);

#endif
