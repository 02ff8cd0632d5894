/* check_impl: what the files of check share.  Included by src/check*.c only. */
#ifndef SRC_LOAD_CHECK_IMPL_H
#define SRC_LOAD_CHECK_IMPL_H

#include "src/config/config.h"
#include "src/units/units.h"

/* Units of a finished set that would be refused, since their addresses are held for others. */
void check_holds(const struct config *conf, const struct mapping_set *set, struct report *r);

#endif
