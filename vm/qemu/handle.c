/*
 * handle: the way to a QEMU whose QMP socket has lost its name.
 *
 * A cleaner of temporary files may remove the socket's file, and a file that nobody links cannot
 * be given a name again.  So each QEMU holds a descriptor of that file (O_PATH), which it knows
 * nothing of; through /proc one can connect to what it stands for, as long as QEMU lives.
 */
#include "vm/qemu/qemu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DELETED " (deleted)"   /* what the kernel adds to the path of a file without a name */

int
qemu_handle_open(int dir_fd)
{
	return openat(dir_fd, QEMU_DIR_QMP, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * Is descriptor `name` of the directory `fds` our socket?  A guest that took its QEMU over can
 * open what it likes: but nothing of ours, on our file system, that has no name.
 */
static bool
is_handle(const struct qemu_vm *v, int fds, const char *name, const char *wanted)
{
	char target[PATH_MAX];
	struct stat st, vms;
	ssize_t n = readlinkat(fds, name, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return strcmp(target, wanted) == 0 && fstatat(fds, name, &st, 0) == 0 &&
	    fstat(v->ctx->vms_fd, &vms) == 0 && S_ISSOCK(st.st_mode) && st.st_nlink == 0 &&
	    st.st_uid == geteuid() && st.st_dev == vms.st_dev;
}

enum err
qemu_handle_connect(struct qemu_vm *v, struct errmsg *m)
{
	char path[64], uuid[VM_UUID_TEXT], wanted[PATH_MAX + VM_UUID_TEXT + 32];
	enum err e = ERR_MISSING;
	struct dirent *d;
	DIR *dir;

	vm_uuid_text(&v->vm.uuid, uuid);
	snprintf(wanted, sizeof(wanted), "%s/%s/" QEMU_DIR_QMP DELETED, v->ctx->vms_path, uuid);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)v->pid);
	dir = v->pid > 0 ? opendir(path) : NULL;
	while (dir != NULL && e == ERR_MISSING && (d = readdir(dir)) != NULL)
		if (is_handle(v, dirfd(dir), d->d_name, wanted))
			e = qmp_connect(&v->qmp, dirfd(dir), d->d_name, m);
	if (dir != NULL)
		closedir(dir);
	return e == ERR_MISSING
	    ? err_set(m, e, "the VM's directory is gone, and its QMP socket with it")
	    : e;
}
