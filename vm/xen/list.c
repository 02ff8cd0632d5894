/* list: the marks of our domains, which of those that run are ours, and what dead ones left behind. */
#include "vm/xen/xen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- marks ---- */

enum err
xen_mark_write(struct xen_ctx *ctx, const struct vm_uuid *uuid, const struct xen_mark *mark, struct errmsg *m)
{
	char name[VM_UUID_TEXT], text[LIMIT_NAME_TEXT + LIMIT_XENSTORE_KEY + 64];
	enum err e = ERR_OK;
	int fd, n;

	e = xen_marks_keep(ctx, m);
	if (e != ERR_OK)
		return e;
	vm_uuid_text(uuid, name);
	n = snprintf(text, sizeof(text), "%s %u\n%s\n%s\n", mark->running ? "running" : "starting", mark->domid, mark->unit, mark->ready);
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
	struct stat is, ours;
	enum err e = ERR_OK;
	int fd;

	snprintf(path, sizeof(path), "%s/xen", ctx->instance);
	if (stat(path, &is) == 0 && fstat(ctx->marks_fd, &ours) == 0 && is.st_ino == ours.st_ino &&
	    is.st_dev == ours.st_dev)
		return ERR_OK;
	if ((mkdir(ctx->instance, 0755) != 0 && errno != EEXIST) ||
	    (mkdir(path, 0700) != 0 && errno != EEXIST))
		return err_sys(m, "directory %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(m, "directory %s", path);
	/* Driver threads may be using the descriptor: it becomes the new directory's at once. */
	if (dup3(fd, ctx->marks_fd, O_CLOEXEC) < 0)
		e = err_sys(m, "directory %s", path);
	close(fd);
	return e;
}

enum err
xen_mark_keep(struct vm *vm, struct errmsg *m)
{
	struct xen_vm *v = (struct xen_vm *)vm;
	char name[VM_UUID_TEXT];

	vm_uuid_text(&vm->uuid, name);
	if (!v->mark.running || faccessat(v->ctx->marks_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return ERR_OK;
	return xen_mark_write(v->ctx, &vm->uuid, &v->mark, m);
}

void
xen_mark_remove(struct xen_ctx *ctx, const struct vm_uuid *uuid)
{
	char name[VM_UUID_TEXT];

	vm_uuid_text(uuid, name);
	(void)unlinkat(ctx->marks_fd, name, 0);     /* at worst adoption removes it */
}

static bool
mark_read(struct xen_ctx *ctx, const struct vm_uuid *uuid, struct xen_mark *mark)
{
	char name[VM_UUID_TEXT], text[LIMIT_NAME_TEXT + LIMIT_XENSTORE_KEY + 64], *at = text, *word, *unit, *ready;
	ssize_t n;
	int fd;

	memset(mark, 0, sizeof(*mark));
	vm_uuid_text(uuid, name);
	fd = openat(ctx->marks_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
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

/* ---- what a dead domain left in XenStore ---- */

static bool
tagged(struct xen_ctx *ctx, struct xs_handle *xs, uint32_t domid)
{
	char path[64], *value;
	unsigned len;
	bool ours;

	snprintf(path, sizeof(path), "/local/domain/%u/" XEN_TAG, domid);
	value = xs_read(xs, XBT_NULL, path, &len);
	ours = value != NULL && strcmp(value, ctx->instance) == 0;
	free(value);
	return ours;
}

/* Its backends in dom0, its own tree, and libxl's notes. */
static void
forget(struct xs_handle *xs, uint32_t domid)
{
	char path[128], *vm;
	unsigned n = 0, len;
	char **kinds = xs_directory(xs, XBT_NULL, "/local/domain/0/backend", &n);

	for (unsigned i = 0; kinds != NULL && i < n; i++) {
		snprintf(path, sizeof(path), "/local/domain/0/backend/%.40s/%u", kinds[i], domid);
		(void)xs_rm(xs, XBT_NULL, path);     /* most have none */
	}
	free(kinds);
	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	vm = xs_read(xs, XBT_NULL, path, &len);
	if (vm != NULL && strncmp(vm, "/vm/", 4) == 0)
		(void)xs_rm(xs, XBT_NULL, vm);       /* it may be gone already */
	free(vm);
	snprintf(path, sizeof(path), "/libxl/%u", domid);
	(void)xs_rm(xs, XBT_NULL, path);             /* likewise */
	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	(void)xs_rm(xs, XBT_NULL, path);
}

static bool
listed(const libxl_dominfo *info, int n, uint32_t domid)
{
	for (int i = 0; i < n; i++)
		if (info[i].domid == domid)
			return true;
	return false;
}

static void
forget_dead(struct xen_ctx *ctx, struct xs_handle *xs, const libxl_dominfo *info, int ninfo)
{
	unsigned n = 0;
	char **ids = xs_directory(xs, XBT_NULL, "/local/domain", &n);

	for (unsigned i = 0; ids != NULL && i < n; i++) {
		uint32_t domid = (uint32_t)strtoul(ids[i], NULL, 10);

		if (domid != 0 && !listed(info, ninfo, domid) && tagged(ctx, xs, domid))
			forget(xs, domid);
	}
	free(ids);
}

/* Marks of domains that are no more. */
static void
drop_marks(struct xen_ctx *ctx, const libxl_dominfo *info, int n)
{
	int fd = openat(ctx->marks_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	if (dir == NULL && fd >= 0)
		close(fd);
	while (dir != NULL && (d = readdir(dir)) != NULL) {
		struct vm_uuid uuid;
		bool lives = false;

		if (!vm_uuid_parse(d->d_name, &uuid))
			continue;
		for (int i = 0; i < n; i++)
			lives = lives || memcmp(libxl_uuid_bytearray_const(&info[i].uuid), uuid.bytes, sizeof(uuid.bytes)) == 0;
		if (!lives)
			xen_mark_remove(ctx, &uuid);
	}
	if (dir != NULL)
		closedir(dir);
}

/* ---- adoption ---- */

static const char *
broken(const libxl_dominfo *info, bool marked, const struct xen_mark *mark)
{
	if (info->dying)
		return "the domain is being destroyed";
	if (info->shutdown)
		return "the guest ended while no jitsud ran";
	/* A mark may have been removed by a cleaner; what is not whole has one, or is paused. */
	if (marked ? !mark->running || mark->domid != info->domid : info->paused)
		return "the domain was not yet whole when its jitsud ended";
	return NULL;
}

/* Its jitsud ended between the saving and the destroying: the file is what counts. */
static bool
only_saved(struct xen_ctx *ctx, const libxl_dominfo *info, const struct vm_uuid *uuid)
{
	char name[VM_UUID_TEXT + 16];

	xen_saved_name(uuid, name, sizeof(name));
	return info->shutdown && info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND &&
	    faccessat(ctx->saved_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
report(struct xen_ctx *ctx, struct xs_handle *xs, const libxl_dominfo *info, vm_each_cb each, void *arg)
{
	struct xen_mark mark;
	struct vm_uuid uuid;
	struct xen_vm *v;
	struct errmsg m;
	const char *why;
	bool marked;

	memcpy(uuid.bytes, libxl_uuid_bytearray_const(&info->uuid), sizeof(uuid.bytes));
	marked = mark_read(ctx, &uuid, &mark);
	if (info->domid == 0 || (!marked && !tagged(ctx, xs, info->domid)))
		return;
	if (only_saved(ctx, info, &uuid)) {
		libxl_ctx *xl = xen_thread_ctx(&m);

		if (xl == NULL || xen_domain_end(xl, &uuid, info->domid, NULL, &m) != ERR_OK)
			vm_report_log(ctx->env->reporter, &uuid, "%s", m.text);
		return;
	}
	why = broken(info, marked, &mark);
	v = xen_vm_new(ctx, &uuid, mark.unit, info->domid);
	if (v == NULL)
		return;
	if (why == NULL && xen_watch_new(ctx->events, info->domid, mark.ready[0] != '\0' ? mark.ready : NULL, &v->watch, &m) != ERR_OK)
		why = m.text;
	if (v->watch != NULL)
		v->vm.watch_fd = xen_watch_fd(v->watch);
	v->mark = mark;
	v->mark.running = why == NULL;
	v->mark.domid = info->domid;
	v->paused = info->paused;
	xen_vm_nics(v, info->domain_type);
	each(&uuid, &v->vm, why != NULL ? VM_FOUND_BROKEN : info->paused ? VM_FOUND_FROZEN : VM_FOUND_RUNNING, why != NULL ? why : "", arg);
}

static void
report_saved(struct xen_ctx *ctx, const libxl_dominfo *info, int n, vm_each_cb each, void *arg)
{
	int fd = openat(ctx->saved_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	if (dir == NULL && fd >= 0)
		close(fd);
	while (dir != NULL && (d = readdir(dir)) != NULL) {
		char name[VM_UUID_TEXT];
		struct vm_uuid uuid;
		bool lives = false;

		if (strlen(d->d_name) < VM_UUID_TEXT)
			continue;
		memcpy(name, d->d_name, VM_UUID_TEXT - 1);
		name[VM_UUID_TEXT - 1] = '\0';
		if (!vm_uuid_parse(name, &uuid))
			continue;
		if (strcmp(d->d_name + VM_UUID_TEXT - 1, XEN_PART) == 0)
			(void)unlinkat(ctx->saved_fd, d->d_name, 0);     /* unfinished; at worst it is found again */
		if (strcmp(d->d_name + VM_UUID_TEXT - 1, XEN_SAVED) != 0)
			continue;
		for (int i = 0; i < n; i++)
			lives = lives || (memcmp(libxl_uuid_bytearray_const(&info[i].uuid), uuid.bytes, sizeof(uuid.bytes)) == 0 &&
			    !only_saved(ctx, &info[i], &uuid));
		if (lives)
			(void)xen_discard(ctx, &uuid, NULL);     /* the domain that lives is newer, or is destroyed as broken */
		else
			each(&uuid, NULL, VM_FOUND_SAVED, "", arg);
	}
	if (dir != NULL)
		closedir(dir);
}

enum err
xen_list(void *arg, vm_each_cb each, void *each_arg, struct errmsg *m)
{
	struct xen_ctx *ctx = arg;
	libxl_ctx *xl = xen_thread_ctx(m);
	struct xs_handle *xs;
	libxl_dominfo *info;
	int n = 0;

	if (xl == NULL)
		return ERR_UNSUPPORTED;
	xs = xs_open(0);
	if (xs == NULL)
		return err_sys(m, "XenStore");
	info = libxl_list_domain(xl, &n);
	if (info == NULL) {
		xs_close(xs);
		return xen_fail(m, ERROR_FAIL, "the domains cannot be listed");
	}
	forget_dead(ctx, xs, info, n);
	for (int i = 0; i < n; i++)
		report(ctx, xs, &info[i], each, each_arg);
	report_saved(ctx, info, n, each, each_arg);
	drop_marks(ctx, info, n);
	libxl_dominfo_list_free(info, n);
	xs_close(xs);
	return ERR_OK;
}
