/* socket: the listening UNIX socket's file and modes; replaced only when nobody listens on it. */
#ifndef SRC_CONTROL_SOCKET_H
#define SRC_CONTROL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/limits.h"

struct control_file {
	char path[LIMIT_SOCKET_PATH + 1];
	dev_t dev;
	ino_t ino;
	bool group_may;            /* the group was given the file */
};

/* *fd listens, non-blocking and CLOEXEC; the caller's.  Errors as control_new. */
enum err control_socket_listen(
    const char *path, const char *group, struct control_file *file, int *fd, struct errmsg *m);

/*
 * Users who may connect besides the owner and the group, in place of those before: they need not be
 * members of the group.  An error when the file system has no access lists.
 */
enum err control_socket_admit(
    const struct control_file *file, const uid_t *uids, size_t n, struct errmsg *m);

/* Is the file where it was made? */
bool control_socket_there(const struct control_file *file);

/* Removes the file unless another has taken its place. */
void control_socket_remove(const struct control_file *file);

#endif
