/* passfd: sendmsg(2) and recvmsg(2) with their control messages. */
#include "base/passfd.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(LIMIT_MSG_FDS * sizeof(int))];
};

ssize_t
passfd_send(int sock, const void *bytes, size_t len, const int *fds, unsigned nfds, int flags)
{
	union control control = { .buf = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (nfds > 0) {
		struct cmsghdr *c = &control.align;

		hdr.msg_control = control.buf;
		hdr.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do {
		n = sendmsg(sock, &hdr, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* The descriptors of a message; what does not fit `control` the kernel has closed (MSG_CTRUNC). */
static unsigned
take(struct msghdr *hdr, int *fds, unsigned room)
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c != NULL; c = CMSG_NXTHDR(hdr, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n < room)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

ssize_t
passfd_recv(int sock, void *bytes, size_t len, int *fds, unsigned *nfds, int *flags)
{
	union control control;
	struct iovec iov = { .iov_base = bytes, .iov_len = len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	unsigned room = *nfds;
	ssize_t n;

	*nfds = 0;
	do {
		n = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return n;
	*nfds = take(&hdr, fds, room);
	if (flags != NULL)
		*flags = hdr.msg_flags;
	return n;
}
