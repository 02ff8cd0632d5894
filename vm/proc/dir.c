/* dir: made, opened, compared, replaced, and read by UUIDs. */
#include "vm/proc/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum err
dir_open(const char *path, int *fd, struct errmsg *m)
{
	struct stat st;

	*fd = -1;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_sys(m, "directory %s", path);
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(m, "directory %s", path);
	if (fstat(*fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 022) == 0)
		return ERR_OK;
	close(*fd);
	*fd = -1;
	return err_set(m, ERR_PERM,
	    "directory %s must belong to uid %u and be writable for nobody else", path,
	    (unsigned)geteuid());
}

enum err
dir_open_in(const char *above, const char *name, int *fd, struct errmsg *m)
{
	char path[PATH_MAX];

	*fd = -1;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", above, name) >= sizeof(path))
		return err_set(m, ERR_RANGE, "directory %s: the path is too long", above);
	return dir_open(path, fd, m);
}

bool
dir_is_at(int fd, int at, const char *path)
{
	struct stat is, ours;

	return fd >= 0 && fstatat(at, path, &is, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(fd, &ours) == 0 && is.st_dev == ours.st_dev && is.st_ino == ours.st_ino;
}

enum err
dir_replace(int old, int fresh, struct errmsg *m)
{
	enum err e = dup3(fresh, old, O_CLOEXEC) >= 0 ? ERR_OK : err_sys(m, "directory of VMs");

	close(fresh);
	return e;
}

enum err
dir_each(int fd, dir_each_cb each, void *arg, struct errmsg *m)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own >= 0 ? fdopendir(own) : NULL;
	char text[VM_UUID_TEXT];
	struct vm_uuid uuid;
	struct dirent *d;

	if (dir == NULL) {
		enum err e = err_sys(m, "directory of VMs");

		if (own >= 0)
			close(own);
		return e;
	}
	while ((d = readdir(dir)) != NULL) {
		snprintf(text, sizeof(text), "%.*s", VM_UUID_TEXT - 1, d->d_name);
		if (vm_uuid_parse(text, &uuid))
			each(&uuid, d->d_name + VM_UUID_TEXT - 1, arg);
	}
	closedir(dir);
	return ERR_OK;
}

const char *
dir_name(const struct vm_uuid *uuid, const char *suffix, char name[DIR_NAME])
{
	snprintf(name, DIR_NAME, "%s%s", VM_UUID_STR(uuid), suffix);
	return name;
}

enum err
dir_drop(int fd, const struct vm_uuid *uuid, const char *suffix, struct errmsg *m)
{
	const char *name = DIR_FILE(uuid, suffix);

	return unlinkat(fd, name, 0) == 0 || errno == ENOENT ? ERR_OK : err_sys(m, "file %s", name);
}
