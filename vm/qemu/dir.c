/* dir: a VM's directory under the run directory: its socket, and what cleaning up needs. */
#include "vm/qemu/qemu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err
qemu_dir_vms_keep(void *arg, struct errmsg *m)
{
	const struct qemu_ctx *ctx = arg;
	enum err e;
	int fd;

	if (dir_is_at(ctx->vms_fd, AT_FDCWD, ctx->vms_path))
		return ERR_OK;
	if (mkdir(ctx->env->conf->run_dir, 0755) != 0 && errno != EEXIST)
		return err_sys(m, "directory %s", ctx->env->conf->run_dir);
	e = dir_open(ctx->vms_path, &fd, m);
	if (e != ERR_OK)
		return e;
	vm_report_log(ctx->env->reporter, NULL, "%s was removed by somebody: it is made again",
	    ctx->vms_path);
	return dir_replace(ctx->vms_fd, fd, m);
}

enum err
qemu_dir_keep(struct vm *vm, struct errmsg *m)
{
	const char *name = VM_UUID_STR(&vm->uuid);
	char groups[CGROUP_PARTS * PATH_MAX];
	struct qemu_vm *v = (struct qemu_vm *)vm;
	struct qemu_ctx *ctx = v->ctx;
	enum err e;
	int fd;

	if (v->pid <= 0 || dir_is_at(v->dir_fd, ctx->vms_fd, name))
		return ERR_OK;
	e = qemu_dir_make(ctx, &vm->uuid, &fd, m);
	if (e != ERR_OK)
		return e;
	cgroup_describe(&ctx->cg, VM_UUID_STR(&v->born), groups, sizeof(groups));
	e = qemu_dir_write_pid(fd, v->pid, m);
	if (e == ERR_OK)
		e = qemu_dir_write(fd, QEMU_DIR_BORN, VM_UUID_STR(&v->born), m);
	if (e == ERR_OK && v->shape_hidden)
		e = qemu_dir_write(fd, QEMU_DIR_SHAPE, v->shape, m);
	if (e == ERR_OK && ctx->cg.nparts > 0)
		e = qemu_dir_write(fd, QEMU_DIR_CGROUP, groups, m);
	if (e == ERR_OK && v->limits[0] != '\0')
		e = qemu_dir_write(fd, QEMU_DIR_LIMITS, v->limits, m);
	if (v->dir_fd >= 0)
		return dir_replace(v->dir_fd, fd, e == ERR_OK ? m : NULL) != ERR_OK && e == ERR_OK
		    ? ERR_IO
		    : e;
	v->dir_fd = fd;
	return e;
}

enum err
qemu_dir_make(struct qemu_ctx *ctx, const struct vm_uuid *uuid, int *fd, struct errmsg *m)
{
	const char *name = VM_UUID_STR(uuid);
	enum err e = qemu_dir_vms_keep(ctx, m);

	*fd = -1;
	if (e != ERR_OK)
		return e;
	if (mkdirat(ctx->vms_fd, name, 0700) != 0) {
		if (errno == EEXIST)
			return err_set(m, ERR_EXISTS, "%s/%s exists already: a VM of this UUID "
			    "runs, or was left half-made; stop it first", ctx->vms_path, name);
		return err_sys(m, "directory %s/%s", ctx->vms_path, name);
	}
	*fd = openat(ctx->vms_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0) {
		e = err_sys(m, "directory %s/%s", ctx->vms_path, name);
		/* the first error is the one to tell */
		(void)unlinkat(ctx->vms_fd, name, AT_REMOVEDIR);
	}
	return e;
}

enum err
qemu_dir_give(struct qemu_vm *v, const struct vm_uuid *uuid, struct errmsg *m)
{
	const char *from = VM_UUID_STR(&v->vm.uuid), *to = VM_UUID_STR(uuid);
	int vms = v->ctx->vms_fd;
	enum err e = qemu_dir_vms_keep(v->ctx, m);

	if (e != ERR_OK)
		return e;
	if (renameat2(vms, from, vms, to, RENAME_NOREPLACE) != 0)
		return errno == EEXIST
		    ? err_set(m, ERR_EXISTS, "%s/%s exists already", v->ctx->vms_path, to)
		    : err_sys(m, "directory %s/%s", v->ctx->vms_path, from);
	v->vm.uuid = *uuid;
	return ERR_OK;
}

enum err
qemu_dir_write(int dir_fd, const char *name, const char *text, struct errmsg *m)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum err e = ERR_OK;
	size_t len = strlen(text);

	if (fd < 0)
		return err_sys(m, "file %s", name);
	if (write(fd, text, len) != (ssize_t)len)
		e = err_sys(m, "file %s", name);
	close(fd);
	return e;
}

enum err
qemu_dir_write_pid(int dir_fd, pid_t pid, struct errmsg *m)
{
	struct spawn_stat st;
	char text[64];

	(void)spawn_stat(pid, &st);     /* zeros when it has ended */
	snprintf(text, sizeof(text), "%d %llu\n", (int)pid, st.start_ticks);
	return qemu_dir_write(dir_fd, QEMU_DIR_PID, text, m);
}

bool
qemu_dir_read(int dir_fd, const char *name, char *text, size_t size)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t have = 0;
	ssize_t n;

	text[0] = '\0';
	if (fd < 0)
		return false;
	while (have < size && (n = read(fd, text + have, size - have)) > 0)
		have += (size_t)n;
	close(fd);
	text[have < size ? have : 0] = '\0';
	return have < size;
}

static enum err
remove_entries(int dir_fd, struct errmsg *m)
{
	int fd = dup(dir_fd);
	enum err e = ERR_OK;
	struct dirent *d;
	DIR *dir;

	if (fd < 0 || (dir = fdopendir(fd)) == NULL) {
		e = err_sys(m, "directory of a VM");
		if (fd >= 0)
			close(fd);
		return e;
	}
	rewinddir(dir);
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
		    unlinkat(dir_fd, d->d_name, 0) != 0 && e == ERR_OK)
			e = err_sys(m, "file %s of a VM", d->d_name);
	closedir(dir);
	return e;
}

enum err
qemu_dir_clean(const struct qemu_vm *v, struct errmsg *m)
{
	const struct qemu_ctx *ctx = v->ctx;
	const char *name = VM_UUID_STR(&v->vm.uuid);
	int dir_fd = v->dir_fd;
	char groups[CGROUP_PARTS * PATH_MAX];
	enum err e, e2;

	if (dir_fd < 0 || !qemu_dir_read(dir_fd, QEMU_DIR_CGROUP, groups, sizeof(groups)))
		cgroup_describe(&ctx->cg, VM_UUID_STR(&v->born), groups, sizeof(groups));
	e = cgroup_remove(groups, m);
	if (dir_fd < 0)
		return e;
	e2 = remove_entries(dir_fd, e == ERR_OK ? m : NULL);
	if (e2 == ERR_OK && unlinkat(ctx->vms_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		e2 = err_sys(e == ERR_OK ? m : NULL, "directory %s/%s", ctx->vms_path, name);
	return e != ERR_OK ? e : e2;
}
