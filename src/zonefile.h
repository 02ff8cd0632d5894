/* zonefile: opens the files of a zone, for whoever reads them. */
#ifndef SRC_ZONEFILE_H
#define SRC_ZONEFILE_H

#include "base/err.h"

/* A regular file, for reading; anything else could block or change under us.  -1: `m` says why. */
int zonefile_open(const char *path, struct errmsg *m);

/*
 * A file that the zone in `zone_file` includes, relative to that file's directory or with its path before it; not below that directory, it is not
 * opened.  *full (NULL when memory is short) is its whole path, the caller's.  -1: `m` says why.
 */
int zonefile_open_include(const char *zone_file, const char *path, char **full, struct errmsg *m);

#endif
