/*
 * writers: the users and groups, other than root and the process's own user, that had a say in what
 * a path leads to: they may write a directory on the way, made a symbolic link on it, or may write
 * a file that includes this one.
 *
 * A process that may read everything must not read for them what they may not read themselves.
 * Mode bits and ACLs decide, by what was opened; whether a user is in a group says the user
 * database, which is asked when nothing else allows him.  What cannot be told is not allowed.
 */
#ifndef BASE_WRITERS_H
#define BASE_WRITERS_H

#include <sys/stat.h>

#include "base/acl.h"

struct writer {
	bool is_group;
	uint32_t id;
};

struct writers {
	struct writer at[LIMIT_WRITERS];
	unsigned n;
	bool anybody;              /* each user of the machine, or more writers than fit */
};

#define WRITERS_ANYBODY LIMIT_WRITERS
#define WRITERS_TEXT 32            /* of a writer's name in a message */

/*
 * Adds who may write the file or directory that `st` and `acl` are of.  A group with its owner's
 * number is that user's alone (a user private group); of others the owner is a member.
 */
void writers_add(struct writers *w, const struct stat *st, const struct acl *acl);
/* Adds the owner alone. */
void writers_add_owner(struct writers *w, const struct stat *st);
void writers_merge(struct writers *w, const struct writers *from);
/* The first of them that may not use it so; WRITERS_ANYBODY for everybody; -1: all of them may. */
int writers_first_denied(const struct writers *w, const struct stat *st, const struct acl *acl,
    enum acl_may use);
/* What it is called in a message; i as of writers_first_denied. */
void writers_text(const struct writers *w, int i, char text[WRITERS_TEXT]);

#endif
