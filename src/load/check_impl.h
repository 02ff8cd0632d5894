/* check_impl: what the files of check share, among themselves and with a load. */
#ifndef SRC_LOAD_CHECK_IMPL_H
#define SRC_LOAD_CHECK_IMPL_H

#include "src/process/process.h"
#include "src/units/units.h"

/* The secrets of cookie-secret-file; without that option *cookies stays.  ERR_PARSE: a finding. */
enum err check_cookies(const struct config *conf, struct msg_cookies *cookies, struct report *r);
/* Units of a finished set that would be refused, since their addresses are held for others. */
void check_holds(const struct config *conf, const struct mapping_set *set, struct report *r);

/*
 * Whether a configuration can run on this host: users, addresses to listen on, bridges, and the
 * programs of the drivers that images name.  What refuses every start is an error; what may come
 * later, or only fails the boots, a warning.
 */
void check_host(const struct config *conf, struct report *r);

#endif
