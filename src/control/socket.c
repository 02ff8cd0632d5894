/* socket: binding, modes, access list, stale files. */
#include "src/control/impl.h"

#include <endian.h>
#include <errno.h>
#include <grp.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

_Static_assert(
    sizeof(((struct control_file *)0)->path) == sizeof(((struct sockaddr_un *)0)->sun_path),
    "one size of path");

/* Removes a socket file that nobody listens on; ERR_EXISTS when somebody does. */
static enum err
make_way(const struct sockaddr_un *sun, struct errmsg *m)
{
	const char *path = sun->sun_path;
	struct stat sb;
	enum err e = ERR_OK;
	int fd;

	if (lstat(path, &sb) != 0)
		return errno == ENOENT ? ERR_OK : err_sys(m, "%s: control socket", path);
	if (!S_ISSOCK(sb.st_mode))
		return err_set(m, ERR_EXISTS,
		    "%s: something that is no socket is in the way of the control socket; move it "
		    "away", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(m, "socket");
	/* EAGAIN: somebody listens, and is busy. */
	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN)
		e = err_set(m, ERR_EXISTS, "another jitsud listens on %s", path);
	else if (errno != ECONNREFUSED)
		e = err_sys(m, "%s: is anybody there?", path);
	else if (unlink(path) != 0)
		e = err_sys(m, "%s: remove the stale control socket", path);
	close(fd);
	return e;
}

/* 0 = no such group. */
static gid_t
group_find(const char *name)
{
	struct group gr, *found = NULL;
	char buf[16384];

	if (getgrnam_r(name, &gr, buf, sizeof(buf), &found) != 0 || found == NULL)
		return 0;
	return found->gr_gid;
}

/* The file is ours alone until it has its group; nobody can connect before listen(2). */
static enum err
set_modes(const char *path, const char *group, bool *group_may, struct errmsg *m)
{
	gid_t gid;

	*group_may = false;
	if (chmod(path, 0600) != 0)
		return err_sys(m, "%s: mode 0600", path);
	gid = group_find(group);
	if (gid == 0) {
		log_warn("there is no group %s: only root, user %u and the admins can use %s",
		    group, (unsigned)geteuid(), path);
		return ERR_OK;
	}
	if (chown(path, (uid_t)-1, gid) != 0) {
		log_warn("%s cannot be given to group %s (%s): only root and user %u can use it",
		    path, group, strerror(errno), (unsigned)geteuid());
		return ERR_OK;
	}
	if (chmod(path, 0660) != 0)
		return err_sys(m, "%s: mode 0660", path);
	*group_may = true;
	return ERR_OK;
}

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry entries[];
};

static void
acl_add(struct acl *acl, size_t *n, unsigned tag, unsigned perm, uint32_t id)
{
	acl->entries[(*n)++] = (struct posix_acl_xattr_entry){ htole16((uint16_t)tag),
		htole16((uint16_t)perm), htole32(id) };
}

/* In the order that acl(5) wants; *bytes is its size.  */
static struct acl *
acl_make(const uid_t *uids, size_t nuids, bool group_may, size_t *bytes)
{
	const unsigned use = ACL_READ | ACL_WRITE;
	struct acl *acl = mem_zero(1, sizeof(*acl) + (nuids + 4) * sizeof(acl->entries[0]));
	size_t n = 0;

	acl->head.a_version = htole32(POSIX_ACL_XATTR_VERSION);
	acl_add(acl, &n, ACL_USER_OBJ, use, (uint32_t)ACL_UNDEFINED_ID);
	for (size_t i = 0; i < nuids; i++)
		acl_add(acl, &n, ACL_USER, use, (uint32_t)uids[i]);
	acl_add(acl, &n, ACL_GROUP_OBJ, group_may ? use : 0, (uint32_t)ACL_UNDEFINED_ID);
	acl_add(acl, &n, ACL_MASK, use, (uint32_t)ACL_UNDEFINED_ID);
	acl_add(acl, &n, ACL_OTHER, 0, (uint32_t)ACL_UNDEFINED_ID);
	*bytes = sizeof(*acl) + n * sizeof(acl->entries[0]);
	return acl;
}

enum err
control_socket_admit(const struct control_file *file, const uid_t *uids, size_t n, struct errmsg *m)
{
	static const char name[] = "system.posix_acl_access";
	struct acl *acl;
	size_t bytes;
	int rc;

	if (n == 0) {
		if (lremovexattr(file->path, name) != 0 && errno != ENODATA && errno != EOPNOTSUPP)
			return err_sys(m, "%s: access list", file->path);
		if (chmod(file->path, file->group_may ? 0660 : 0600) != 0)
			return err_sys(m, "%s: mode", file->path);
		return ERR_OK;
	}
	acl = acl_make(uids, n, file->group_may, &bytes);
	rc = lsetxattr(file->path, name, acl, bytes, 0);
	free(acl);
	return rc == 0 ? ERR_OK : err_sys(m, "%s: access list", file->path);
}

enum err
control_socket_listen(
    const char *path, const char *group, struct control_file *file, int *fd, struct errmsg *m)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat sb;
	bool bound;
	enum err e;

	*fd = -1;
	if (strlen(path) >= sizeof(sun.sun_path))
		return err_set(m, ERR_RANGE, "%s: a socket's path has at most %zu characters", path,
		    sizeof(sun.sun_path) - 1);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	snprintf(file->path, sizeof(file->path), "%s", path);
	e = make_way(&sun, m);
	if (e != ERR_OK)
		return e;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return err_sys(m, "socket");
	bound = bind(*fd, (struct sockaddr *)&sun, sizeof(sun)) == 0;
	e = bound ? set_modes(path, group, &file->group_may, m) :
	    err_sys(m, "%s: control socket", path);
	if (e == ERR_OK && stat(path, &sb) != 0)
		e = err_sys(m, "%s", path);
	if (e == ERR_OK && listen(*fd, LIMIT_CONTROL_CLIENTS) != 0)
		e = err_sys(m, "%s: listen", path);
	if (e == ERR_OK) {
		file->dev = sb.st_dev;
		file->ino = sb.st_ino;
		return ERR_OK;
	}
	close(*fd);
	*fd = -1;
	if (bound)
		(void)unlink(path);   /* an error was reported already */
	return e;
}

bool
control_socket_there(const struct control_file *file)
{
	struct stat sb;

	return lstat(file->path, &sb) == 0 && sb.st_dev == file->dev && sb.st_ino == file->ino;
}

void
control_socket_remove(const struct control_file *file)
{
	if (!control_socket_there(file))
		return;
	if (unlink(file->path) != 0)
		log_warn("%s: %s", file->path, strerror(errno));
}
