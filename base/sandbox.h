/*
 * sandbox: how a child confines itself after exec and hand-over, in this order: empty root, groups,
 * uid, no_new_privs, seccomp.  What cannot be dropped is fatal.
 *
 * A filter is an allow-list; each call stands beside its reason.  A call that is not on the list
 * kills the process.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdint.h>
#include <seccomp.h>
#include <sys/types.h>

#include "base/err.h"

struct sandbox_call {
	int nr;              /* SCMP_SYS(...) */
	const char *reason;
	int cmp_arg;         /* >= 0: allowed only if the argument of this number is cmp_value */
	uint64_t cmp_value;
};

#define SANDBOX_CALL(name, why) { SCMP_SYS(name), why, -1, 0 }
#define SANDBOX_CALL_IF(name, arg, value, why) { SCMP_SYS(name), why, arg, value }

/*
 * Changes the root to the empty directory `root` (refused when it is not empty, or writable by
 * anyone but root), drops all supplementary groups, becomes gid and uid for good, and sets
 * no_new_privs.  With uid 0 in `uid` (an unprivileged tester) only no_new_privs is set.
 */
enum err sandbox_enter(const char *root, uid_t uid, gid_t gid, struct errmsg *m);

/*
 * Loads the allow-list for all threads of the process.  Common calls (memory, time, exit, signals'
 * return) are added, unless `calls` has a rule for the same call, which may be narrower.
 */
enum err sandbox_filter(const struct sandbox_call *calls, size_t n, struct errmsg *m);

#endif
