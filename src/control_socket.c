/* control_socket: binding, modes, stale files. */
#include "src/control_socket.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"

_Static_assert(sizeof(((struct control_file *)0)->path) == sizeof(((struct sockaddr_un *)0)->sun_path), "one size of path");

/* Removes a socket file that nobody listens on.  ERR_EXISTS when somebody does, ERR_OK when the way is free. */
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
		return err_set(m, ERR_EXISTS, "%s: something that is no socket is in the way of the control socket; move it away", path);
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
set_modes(const char *path, const char *group, struct errmsg *m)
{
	gid_t gid;

	if (chmod(path, 0600) != 0)
		return err_sys(m, "%s: mode 0600", path);
	gid = group_find(group);
	if (gid == 0) {
		log_warn("there is no group %s: only root and user %u can use %s", group, (unsigned)geteuid(), path);
		return ERR_OK;
	}
	if (chown(path, (uid_t)-1, gid) != 0) {
		log_warn("%s cannot be given to group %s (%s): only root and user %u can use it", path, group, strerror(errno),
		    (unsigned)geteuid());
		return ERR_OK;
	}
	if (chmod(path, 0660) != 0)
		return err_sys(m, "%s: mode 0660", path);
	return ERR_OK;
}

enum err
control_socket_listen(const char *path, const char *group, struct control_file *file, int *fd, struct errmsg *m)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat sb;
	bool bound = false;
	enum err e;

	*fd = -1;
	if (strlen(path) >= sizeof(sun.sun_path))
		return err_set(m, ERR_RANGE, "%s: a socket's path has at most %zu characters", path, sizeof(sun.sun_path) - 1);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	snprintf(file->path, sizeof(file->path), "%s", path);
	e = make_way(&sun, m);
	if (e != ERR_OK)
		return e;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return err_sys(m, "socket");
	if (bind(*fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		e = err_sys(m, "%s: control socket", path);
	else
		bound = true;
	if (e == ERR_OK)
		e = set_modes(path, group, m);
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

void
control_socket_remove(const struct control_file *file)
{
	struct stat sb;

	if (lstat(file->path, &sb) != 0 || sb.st_dev != file->dev || sb.st_ino != file->ino)
		return;
	if (unlink(file->path) != 0)
		log_warn("%s: %s", file->path, strerror(errno));
}
