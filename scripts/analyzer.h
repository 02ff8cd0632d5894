/* analyzer: tells clang's analyzer what it cannot see from one file: the functions that report a
 * failure return one. */
#ifndef SCRIPTS_ANALYZER_H
#define SCRIPTS_ANALYZER_H

#include "base/err.h"

#define err_set(m, e, ...) ((void)(err_set)(m, e, __VA_ARGS__), (e))
#define err_sys(m, ...) ((void)(err_sys)(m, __VA_ARGS__), ERR_IO)
#define report_add(...) ((void)(report_add)(__VA_ARGS__), ERR_PARSE)

#endif
