/*
 * surroundings: what the host must have for jitsud to start: privileges, /proc and /dev/null,
 * users, directories.  What is missing ends the start with what to mend; nothing was done by then.
 */
#ifndef SRC_PROCESS_SURROUNDINGS_H
#define SRC_PROCESS_SURROUNDINGS_H

#include <sys/types.h>

/* Whom a process becomes. */
struct identity {
	uid_t uid;
	gid_t gid;
};

/* Privileges, of root, too, who has not all of them in a container; /proc and /dev/null. */
void surroundings_check(void);
/* The user that option `key` names; `def`, its default, need not exist. */
struct identity surroundings_user(const char *key, const char *name, const char *def);
/* Makes the directory of option `key` unless there is one; only we may write to it. */
void surroundings_directory(const char *key, const char *path, mode_t mode);

#endif
