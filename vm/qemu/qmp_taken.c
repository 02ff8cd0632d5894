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
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/net/rtnl.h"

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

static int
look_at(const struct nlmsghdr *nlh, void *arg)
{
	const struct unix_diag_msg *um = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct look *l = arg;
	uint32_t peer = 0;     /* the number of the other end; 0 = closed, or there is none */

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*um))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*um))
		if (mnl_attr_get_type(attr) == UNIX_DIAG_PEER &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			peer = mnl_attr_get_u32(attr);
	for (unsigned i = 0; i < l->n; i++) {
		if (l->inos[i] != um->udiag_ino)
			continue;
		l->listed[i] = true;
		l->taken = l->taken || (peer != 0 && peer != l->own);
	}
	return MNL_CB_OK;
}

enum qmp_taken
qmp_taken(const struct qmp *q, pid_t pid)
{
	union rtnl_request r;
	struct unix_diag_req *ask = rtnl_begin(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof(*ask));
	struct look l = { .n = 0 };
	struct mnl_socket *nl;
	struct stat st;
	bool known;

	if (pid <= 0 || !find_sockets(pid, &l))
		return QMP_UNKNOWN;
	if (q->fd >= 0 && fstat(q->fd, &st) == 0)
		l.own = (uint32_t)st.st_ino;
	nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (nl == NULL)
		return QMP_UNKNOWN;
	ask->sdiag_family = AF_UNIX;
	ask->udiag_states = UINT32_MAX;
	ask->udiag_show = UDIAG_SHOW_PEER;
	known = rtnl_ask(nl, &r, look_at, &l) == 0;
	mnl_socket_close(nl);
	for (unsigned i = 0; i < l.n; i++)
		l.taken = l.taken || !l.listed[i];
	return !known ? QMP_UNKNOWN : l.taken ? QMP_TAKEN : QMP_FREE;
}
