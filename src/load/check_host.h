/* check_host: whether this host is one that a configuration can run on.  For check.c. */
#ifndef SRC_LOAD_CHECK_HOST_H
#define SRC_LOAD_CHECK_HOST_H

#include "src/config/config.h"

/*
 * Users, addresses to listen on, bridges, and the programs of the drivers that images name.  What
 * refuses every start is an error; what may come later, or only fails the boots, a warning.
 */
void check_host(const struct config *conf, struct report *r);

#endif
