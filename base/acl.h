/*
 * acl: what a file's or directory's group, and the users and groups of its ACL, may do with it
 * (POSIX access control lists, acl(5)).  The owner and all others are in its mode.
 */
#ifndef BASE_ACL_H
#define BASE_ACL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/limits.h"

/* Bits as in a mode (stat(2), the last three) and in the kernel's lists. */
enum acl_may {
	ACL_MAY_SEARCH = 1,        /* a directory */
	ACL_MAY_WRITE = 2,
	ACL_MAY_READ = 4
};

struct acl_entry {
	bool is_group;
	uint32_t id;
	unsigned may;              /* the mask is applied */
};

struct acl {
	unsigned group;            /* what the file's own group may, likewise */
	struct acl_entry at[LIMIT_ACL];
	unsigned n;
	bool unknown;              /* there may be entries beside these */
};

/* `st` is of fd, which may be one of O_PATH. */
void acl_get(struct acl *a, int fd, const struct stat *st);

#endif
