/* files: kernel, initrd and disks, as the VMs' user sees them. */
#include "vm/qemu/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/proc/open_as_vm.h"

/*
 * Opens a file that the VMs' user may read, in a directory that it may not enter, for QEMU, which
 * can open what a descriptor names.  -1, with errno, when the file itself is closed to that user.
 */
static int
open_hidden(const struct vm_host_conf *conf, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), again, saved;
	char name[32];

	if (fd < 0)
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	again = open_as_vm(conf, name, O_RDONLY);
	saved = errno;
	close(again >= 0 ? again : fd);
	errno = saved;
	return again >= 0 ? fd : -1;
}

static enum err
open_error(const struct vm_host_conf *conf, const char *what, const char *path, int flags,
    struct errmsg *m)
{
	if (errno == ENOENT)
		return err_set(m, ERR_MISSING, "%s %s does not exist", what, path);
	if (errno == EACCES)
		return err_set(m, ERR_PERM, "%s %s: the VMs' user (uid %u) may not %s it: check "
		    "the modes of the file and of the directories above",
		    what, path, (unsigned)conf->vm_uid, flags == O_RDONLY ? "read" : "write");
	return err_sys(m, "%s %s", what, path);
}

/* By which a file that was replaced, or written anew, is known. */
static void
stamp(char *stamps, const char *what, const struct stat *st)
{
	size_t used = strlen(stamps);

	(void)snprintf(stamps + used, QEMU_STAMPS - used, "%s %lx.%lx %lld %lld.%09ld %lld.%09ld\n",
	    what, (unsigned long)st->st_dev, (unsigned long)st->st_ino, (long long)st->st_size,
	    (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec,
	    st->st_ctim.tv_nsec);
}

/*
 * *linux_image, if not NULL: a Linux bzImage (Documentation/arch/x86/boot.rst: "HdrS" at 0x202).
 * *hidden_fd, if not NULL: the caller's descriptor when QEMU cannot open the file by name.
 */
static enum err
check_file(const struct vm_host_conf *conf, const char *what, const char *path, int flags,
    struct qemu_files *f, bool *linux_image, int *hidden_fd, struct errmsg *m)
{
	int fd = open_as_vm(conf, path, flags), hidden = -1;
	enum err e = ERR_OK;
	struct stat st;
	char magic[4];

	if (fd < 0 && errno == EACCES && hidden_fd != NULL)
		fd = hidden = open_hidden(conf, path);
	if (fd < 0)
		return open_error(conf, what, path, flags, m);
	if (fstat(fd, &st) != 0)
		e = err_sys(m, "%s %s", what, path);
	else if (S_ISDIR(st.st_mode))
		e = err_set(m, ERR_RANGE, "%s %s is a directory", what, path);
	else if (flags == O_RDONLY)
		stamp(f->stamps, what, &st);
	if (linux_image != NULL)
		*linux_image = pread(fd, magic, sizeof(magic), 0x202) == (ssize_t)sizeof(magic) &&
		    memcmp(magic, "HdrS", 4) == 0;
	if (hidden < 0 || e != ERR_OK)
		close(fd);
	else
		*hidden_fd = hidden;
	return e;
}

enum err
qemu_files_check(const struct vm_host_conf *conf, const struct vm_spec *spec, struct qemu_files *f,
    struct errmsg *m)
{
	enum err e = ERR_OK;

	*f = (struct qemu_files){ .kernel_fd = -1, .initrd_fd = -1 };
	if (spec->kernel != NULL)
		e = check_file(conf, "kernel", spec->kernel, O_RDONLY, f, &f->linux_guest,
		    &f->kernel_fd, m);
	if (e == ERR_OK && spec->initrd != NULL) {
		e = check_file(conf, "initrd", spec->initrd, O_RDONLY, f, NULL, &f->initrd_fd, m);
		f->linux_guest = true;
	}
	for (unsigned i = 0; i < spec->ndisks && e == ERR_OK; i++) {
		const struct vm_disk *d = &spec->disks[i];

		e = check_file(conf, "disk", d->path, d->readonly || d->overlay != NULL ? O_RDONLY
		    : O_RDWR, f, NULL, NULL, m);
		if (e == ERR_OK && d->overlay != NULL && access(d->overlay, F_OK) == 0)
			e = check_file(conf, "overlay", d->overlay, O_RDWR, f, NULL, NULL, m);
	}
	return e;
}
