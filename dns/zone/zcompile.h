/* zcompile: one zone from open files into a zimage. */
#ifndef DNS_ZONE_ZCOMPILE_H
#define DNS_ZONE_ZCOMPILE_H

#include <stdint.h>

#include "dns/zone/zout.h"
#include "dns/zone/zparse.h"

struct zcompile {
	const char *origin;        /* text */
	const char *path;          /* for messages */
	const char *units_path;    /* for messages */
	int fd;
	int units_fd;              /* -1: mappings stand in the zone */
	bool shown, units_shown;   /* the text of the file is no secret */
	uint32_t index;
	/* as in zparse_ops */
	int (*include)(void *arg, const char *path, bool *shown, struct errmsg *why);
	void *arg;
	uint32_t lone_sigs;        /* out: RRSIG records that sign nothing and are not served */
	struct zbudget budget;     /* all zero: any */
};

/* On any error the zimage is as it was, and findings are in `r`. */
enum err zcompile_zone(struct zcompile *c, struct zout *o, struct report *r);

#endif
