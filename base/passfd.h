/* passfd: descriptors beside the bytes of a UNIX socket (SCM_RIGHTS). */
#ifndef BASE_PASSFD_H
#define BASE_PASSFD_H

#include <stddef.h>
#include <sys/types.h>

/* As send(2), with at most LIMIT_MSG_FDS descriptors, the caller's still; no SIGPIPE, no EINTR. */
ssize_t passfd_send(
    int sock, const void *bytes, size_t len, const int *fds, unsigned nfds, int flags);

/*
 * As recv(2), without EINTR.  *nfds: the room in `fds`, then how many came: the caller's, CLOEXEC;
 * more are closed.  *flags: MSG_TRUNC and MSG_CTRUNC, of what did not fit; may be NULL.
 */
ssize_t passfd_recv(int sock, void *bytes, size_t len, int *fds, unsigned *nfds, int *flags);

#endif
