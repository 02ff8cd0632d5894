/*
 * config: the door of this room: jitsu.conf, parsed and checked.
 *
 * A configuration is immutable once loaded and lives in one arena: everything that hangs on it
 * (strings, sections, lists) dies with config_free.  A reload loads a second one and swaps.  What
 * options exist, their types, bounds, defaults and help are rows of one table (options.h);
 * jitsu.conf(5) is checked against it.
 */
#ifndef SRC_CONFIG_CONFIG_H
#define SRC_CONFIG_CONFIG_H

#include <stdio.h>
#include <time.h>

#include "dns/dns.h"
#include "src/config/options.h"        /* the table of options */
#include "src/config/template.h"       /* texts that are filled in per unit */
#include "src/config/types.h"          /* struct config */

/*
 * Loads and checks `path`.  Every finding goes to `r` as `file:line: ...`; a syntax error ends the
 * search, anything else does not.  On success *conf is the caller's (config_free); on ERR_PARSE,
 * ERR_IO, ERR_PERM and ERR_RANGE it is NULL and `r` says why.  Touches no file but `path` and the
 * directories that globs name.
 */
enum err config_load(const char *path, struct config **conf, struct report *r);
/* Likewise from memory; `path` is for relative paths, `shown` (NULL: `path`) for messages. */
enum err config_load_text(const char *path, const char *shown, const char *text, size_t len,
    struct config **conf, struct report *r);
void config_free(struct config *conf);   /* NULL is allowed */
/* One more holder, who calls config_free. */
struct config *config_ref(const struct config *conf);
/* What a zone may take while it is compiled. */
struct dns_zone_limits config_zone_limits(const struct config *conf);

/*
 * The file that a zones process means by `said`, which may be cut at `most` bytes: the zone's, or
 * for `PATH (units)` its units file; `said` itself for a file that the zone includes.
 */
const char *config_zone_file(const struct config_zone *zone, const char *said, size_t most);
/*
 * Checks kernels, initrds and disks whose paths have no placeholders.  ERR_PARSE: one is wrong.
 * For `jitsud -n` and `jitsu check`: at run time only the unit fails, when it wakes.
 */
enum err config_check_files(const struct config *conf, struct report *r);
/* Adds a warning for each key of xl files that nothing is done about. */
void config_check_xl(const struct config *conf, struct report *r);

/*
 * Adds a line for each top-level option and limit that differs and needs a restart; true when there
 * is one.  The caller keeps the old values of those, and goes on with all else of `fresh`.
 */
bool config_needs_restart(const struct config *old, const struct config *fresh, struct report *r);

/*
 * Is `fresh` probably a damaged file: cut short, or not written to the end?  ERR_PARSE, with what
 * to do in `r`, when no zone of `old` is left, or less than half of LIMIT_LOSS_ZONES or more; or
 * when the end of the file is missing, and a section with it.
 */
enum err config_check_loss(const struct config *old, const struct config *fresh, struct report *r);
/* Adds an error for each stray. */
void config_report_strays(const struct config *conf, struct report *r);
/* A list of wake-on, or passive-from, in `a`; NULL: it is empty. */
const struct config_wake_on *config_wake_on(struct arena *a, const char *const *items, unsigned n);
const struct config_passive *config_passive(struct arena *a, const char *const *items, unsigned n);
/* A list of schedule, likewise. */
const struct config_schedule *config_schedule(
    struct arena *a, const char *const *items, unsigned n);
/* "mon-fri 08:00-18:00" */
#define CONFIG_HOURS_TEXT 24
void config_hours_text(const struct config_hours *h, char text[CONFIG_HOURS_TEXT]);
/*
 * Is `now` within the schedule, in the host's time zone?  *edge: when that changes next, or within
 * it for more than a week, when it is to be asked again.
 */
bool config_schedule_at(const struct config_schedule *s, time_t now, time_t *edge);
/* By name; NULL when there is none. */
const struct config_network *config_network_find(const struct config *conf, const char *name);
const struct config_image *config_image_find(const struct config *conf, const char *name);
/* Do packets wake its units?  A vif script of the operator's may do without the bridge. */
bool config_image_parks(const struct config_image *im);
const struct config_zone *config_zone_find(const struct config *conf, const char *origin);
/* The closest zone that a name is in. */
const struct config_zone *config_zone_above(const struct config *conf, const char *name);

#endif
