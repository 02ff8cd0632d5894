/*
 * qmp_taken: whether another program has the connection that a QEMU serves, as the kernel tells
 * (sock_diag(7), proc(5)).
 *
 * A connection that was accepted is in the network namespace of who made it.  Those in ours are
 * listed with their other end, which has no number when it was closed; a socket of QEMU's that is
 * not listed belongs to a program in another namespace.
 */
#include "vm/qemu/qmp.h"

#include <dirent.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_BYTES 32768   /* one part of the kernel's list */
/* of one QEMU: its control socket, a connection, what the image's arguments add */
#define SOCKETS_MOST 64

struct look {
	uint32_t own;                     /* our end of our connection */
	uint32_t inos[SOCKETS_MOST];      /* QEMU's sockets */
	bool listed[SOCKETS_MOST];
	unsigned n;
	bool taken;
};

static bool
find_sockets(pid_t pid, struct look *l)
{
	char path[64], target[64];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (dir == NULL)
		return false;
	while ((d = readdir(dir)) != NULL && l->n < SOCKETS_MOST) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (sscanf(target, "socket:[%u]", &l->inos[l->n]) == 1)
			l->n++;
	}
	closedir(dir);
	return true;
}

static bool
ask_list(int fd)
{
	struct {
		struct nlmsghdr nlh;
		struct unix_diag_req req;
	} ask = {
		.nlh = { .nlmsg_len = sizeof(ask), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX,
		    .udiag_show = UDIAG_SHOW_PEER },
	};

	return send(fd, &ask, sizeof(ask), 0) == (ssize_t)sizeof(ask);
}

/* The number of the other end, 0 = it was closed or there is none. */
static uint32_t
peer_of(const struct nlmsghdr *nlh)
{
	const struct unix_diag_msg *um = NLMSG_DATA(nlh);
	size_t left = nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*um));
	const char *at = (const char *)um + NLMSG_ALIGN(sizeof(*um));
	uint32_t peer = 0;

	while (left >= sizeof(struct nlattr)) {
		struct nlattr a;
		size_t len;

		memcpy(&a, at, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > left)
			break;
		if (a.nla_type == UNIX_DIAG_PEER && a.nla_len >= NLA_HDRLEN + sizeof(peer))
			memcpy(&peer, at + NLA_HDRLEN, sizeof(peer));
		len = NLA_ALIGN((size_t)a.nla_len);
		at += len;
		left = left > len ? left - len : 0;
	}
	return peer;
}

static void
look_at(struct look *l, const struct nlmsghdr *nlh)
{
	const struct unix_diag_msg *um = NLMSG_DATA(nlh);
	uint32_t peer;

	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*um)))
		return;
	for (unsigned i = 0; i < l->n; i++) {
		if (l->inos[i] != um->udiag_ino)
			continue;
		l->listed[i] = true;
		peer = peer_of(nlh);
		l->taken = l->taken || (peer != 0 && peer != l->own);
	}
}

static bool
read_list(int fd, struct look *l)
{
	_Alignas(struct nlmsghdr) char buf[ANSWER_BYTES];

	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buf;

		if (n <= 0)
			return false;
		for (size_t left = (size_t)n; NLMSG_OK(nlh, left); nlh = NLMSG_NEXT(nlh, left)) {
			if (nlh->nlmsg_type == NLMSG_DONE)
				return true;
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return false;
			if (nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY)
				look_at(l, nlh);
		}
	}
}

enum qmp_taken
qmp_taken(const struct qmp *q, pid_t pid)
{
	struct look l = { .n = 0 };
	struct stat st;
	bool known;
	int fd;

	if (pid <= 0 || !find_sockets(pid, &l))
		return QMP_UNKNOWN;
	if (q->fd >= 0 && fstat(q->fd, &st) == 0)
		l.own = (uint32_t)st.st_ino;
	fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return QMP_UNKNOWN;
	known = ask_list(fd) && read_list(fd, &l);
	close(fd);
	for (unsigned i = 0; i < l.n; i++)
		l.taken = l.taken || !l.listed[i];
	return !known ? QMP_UNKNOWN : l.taken ? QMP_TAKEN : QMP_FREE;
}
