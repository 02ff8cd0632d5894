/* check: a whole configuration looked at without a daemon, for `jitsud -n` and `jitsu check`. */
#ifndef SRC_LOAD_CHECK_H
#define SRC_LOAD_CHECK_H

#include "base/err.h"

struct check_counts {
	unsigned networks, images, zones, units;
};

/*
 * Loads the configuration at `conf_path`, compiles every zone in this process and checks every
 * mapping.  Nothing is started or written, and nobody is asked but the daemon that runs, for the
 * addresses that it holds; runs as anybody who may read the files.  Every finding is in `r`
 * (initialized by the caller); ERR_OK when there is none.
 */
enum err check_run(const char *conf_path, struct report *r, struct check_counts *counts);

#endif
