/*
 * dns: everything that knows DNS, behind one header.
 *
 * Two children live here: `zones`, which parses master files and compiles them into a sealed zone
 * zimage, and `dns`, which answers queries from zimages and asks the warden for units.  The warden
 * itself never parses DNS data; it reads only the unit table of a zimage, through the functions
 * below, which check every offset because the compiler's input is not ours.
 *
 * Errors: enum err with a message; findings in zone files go to a struct report with file and line.
 * Ownership: descriptors passed in stay the caller's unless said otherwise.
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/msg.h"

/*
 * The children's main functions: `fd` is the channel to the warden (msg.h).  They receive MSG_HELLO
 * and the set-up, confine themselves at MSG_RUN, send MSG_RUNNING and serve until the channel
 * closes.  Return the exit status.
 */
int dns_main(int fd);
int zones_main(int fd);

struct dns_zone_limits {
	uint64_t memory_bytes;         /* 0: any */
	uint32_t time_ms;
};

/*
 * Compiles one zone in this process, for `jitsud -n` and `jitsu check` (the caller's own
 * privileges, $INCLUDE resolved against the file's directory and confined to it).  `origin` is
 * text; `units_path` may be NULL (mappings stand in the zone itself).  *zimage_fd is a sealed
 * zimage with one zone, the caller's to close.  On ERR_PARSE every finding is in `r`.
 */
enum err dns_compile_within(const char *origin, const char *path, const char *units_path,
    const struct dns_zone_limits *limits, int *zimage_fd, struct report *r);
/* The same without limits. */
enum err dns_compile_file(const char *origin, const char *path, const char *units_path,
    int *zimage_fd, struct report *r);

/* ---- the warden's view of a zimage ---- */

struct dns_zimage;

/* Maps and checks a zimage; the descriptor may be closed afterwards. */
enum err dns_zimage_open(int fd, struct dns_zimage **zimage, struct errmsg *m);
void dns_zimage_close(struct dns_zimage *zimage);   /* NULL is allowed */

struct dns_zone_info {
	char origin[LIMIT_NAME_TEXT];   /* lower case, no final dot; "." for the root */
	uint32_t index;                 /* as MSG_ZONE numbered it; 0 from dns_compile_file */
	uint32_t serial;
	uint32_t names, records, units;
};

uint32_t dns_zimage_zones(const struct dns_zimage *zimage);
enum err dns_zimage_zone(const struct dns_zimage *zimage, uint32_t zone, struct dns_zone_info *info,
    struct errmsg *m);

#define DNS_UNIT_STRINGS 32

/* One mapping: the TXT record at _jitsu.<owner>, and the addresses at <owner>. */
struct dns_unit {
	char owner[LIMIT_NAME_TEXT];      /* absolute, lower case, no final dot */
	struct msg_addr addrs[LIMIT_UNIT_ADDRS];
	unsigned naddrs;                  /* A records first, in the file's order; prefixlen 0 */
	uint32_t ttl;                     /* seconds: the addresses' least, else the mapping's */
	unsigned nstrings;
	struct {
		const char *data;             /* points into the zimage; not terminated */
		uint8_t len;
	} strings[DNS_UNIT_STRINGS];      /* `key=value`, as written; RFC 6763 section 6.3 */
	char file[256];                   /* where the mapping stands */
	uint32_t line;
};

/* Fills in unit `i` of zone `zone`.  Its owner is any name: callers check what may be a unit. */
enum err dns_zimage_unit(const struct dns_zimage *zimage, uint32_t zone, uint32_t i,
    struct dns_unit *u, struct errmsg *m);

/*
 * Prints zone `zone` of a sealed zimage as a master file: what is served, the SOA first, every name
 * in full; mappings are not among it.  Whether it could be written, ferror(f) says.
 */
enum err dns_zimage_print(int fd, uint32_t zone, FILE *f, struct errmsg *m);

#endif
