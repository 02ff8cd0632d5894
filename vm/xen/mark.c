/* mark: what stands of each domain in run_dir/xen/UUID: whether it is whole, and whose it is. */
#include "vm/xen/xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err
xen_mark_write(struct xen_ctx *ctx, const struct vm_uuid *uuid, const struct xen_mark *mark,
    struct errmsg *m)
{
	char text[LIMIT_NAME_TEXT + LIMIT_XENSTORE_KEY + 64];
	const char *name = VM_UUID_STR(uuid);
	enum err e = xen_marks_keep(ctx, m);
	int fd, n;

	if (e != ERR_OK)
		return e;
	n = snprintf(text, sizeof(text), "%s %u\n%s\n%s\n", mark->running ? "running" : "starting",
	    mark->domid, mark->unit, mark->ready);
	fd = openat(ctx->marks_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(m, "%s/xen/%s", ctx->instance, name);
	if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) != 0)
		e = err_sys(m, "%s/xen/%s", ctx->instance, name);
	close(fd);
	return e;
}

enum err
xen_marks_keep(void *arg, struct errmsg *m)
{
	struct xen_ctx *ctx = arg;
	char path[PATH_MAX + 8];
	enum err e;
	int fd;

	snprintf(path, sizeof(path), "%s/xen", ctx->instance);
	if (dir_is_at(ctx->marks_fd, AT_FDCWD, path))
		return ERR_OK;
	if (mkdir(ctx->instance, 0755) != 0 && errno != EEXIST)
		return err_sys(m, "directory %s", ctx->instance);
	e = dir_open(path, &fd, m);
	return e == ERR_OK ? dir_replace(ctx->marks_fd, fd, m) : e;
}

enum err
xen_mark_keep(struct vm *vm, struct errmsg *m)
{
	struct xen_vm *v = (struct xen_vm *)vm;

	if (!v->mark.running ||
	    faccessat(v->ctx->marks_fd, VM_UUID_STR(&vm->uuid), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return ERR_OK;
	return xen_mark_write(v->ctx, &vm->uuid, &v->mark, m);
}

void
xen_mark_remove(struct xen_ctx *ctx, const struct vm_uuid *uuid)
{
	/* at worst adoption removes it */
	(void)unlinkat(ctx->marks_fd, VM_UUID_STR(uuid), 0);
}

bool
xen_mark_read(struct xen_ctx *ctx, const struct vm_uuid *uuid, struct xen_mark *mark)
{
	char text[LIMIT_NAME_TEXT + LIMIT_XENSTORE_KEY + 64], *at = text, *word, *unit, *ready;
	ssize_t n;
	int fd;

	memset(mark, 0, sizeof(*mark));
	fd = openat(ctx->marks_fd, VM_UUID_STR(uuid), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	word = strsep(&at, "\n");
	unit = strsep(&at, "\n");
	ready = strsep(&at, "\n");
	mark->running = strncmp(word, "running ", 8) == 0;
	if (strchr(word, ' ') != NULL)
		mark->domid = (uint32_t)strtoul(strchr(word, ' '), NULL, 10);
	snprintf(mark->unit, sizeof(mark->unit), "%s", unit != NULL ? unit : "");
	snprintf(mark->ready, sizeof(mark->ready), "%s", ready != NULL ? ready : "");
	return true;
}
