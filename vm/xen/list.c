/* list: which of the domains that run are ours, and what dead ones left behind. */
#include "vm/xen/xen.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The domains that there are, and who is told of those that are ours. */
struct look {
	struct xen_ctx *ctx;
	struct xs_handle *xs;
	const libxl_dominfo *info;
	int n;
	vm_each_cb each;
	void *arg;
};

/* ---- what a dead domain left in XenStore ---- */

static bool
tagged(const struct look *l, uint32_t domid)
{
	char path[64], *value;
	unsigned len;
	bool ours;

	snprintf(path, sizeof(path), "/local/domain/%u/" XEN_TAG, domid);
	value = xs_read(l->xs, XBT_NULL, path, &len);
	ours = value != NULL && strcmp(value, l->ctx->instance) == 0;
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

static void
forget_dead(const struct look *l)
{
	unsigned n = 0;
	char **ids = xs_directory(l->xs, XBT_NULL, "/local/domain", &n);

	for (unsigned i = 0; ids != NULL && i < n; i++) {
		uint32_t domid = (uint32_t)strtoul(ids[i], NULL, 10);
		bool lives = domid == 0;

		for (int k = 0; k < l->n; k++)
			lives = lives || l->info[k].domid == domid;
		if (!lives && tagged(l, domid))
			forget(l->xs, domid);
	}
	free(ids);
}

static bool
has_uuid(const libxl_dominfo *info, const struct vm_uuid *uuid)
{
	return memcmp(libxl_uuid_bytearray_const(&info->uuid), uuid->bytes,
	    sizeof(uuid->bytes)) == 0;
}

/* Marks of domains that are no more. */
static void
drop_mark(const struct vm_uuid *uuid, const char *rest, void *arg)
{
	const struct look *l = arg;
	bool lives = false;

	for (int i = 0; i < l->n; i++)
		lives = lives || has_uuid(&l->info[i], uuid);
	if (!lives && rest[0] == '\0')
		xen_mark_remove(l->ctx, uuid);
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
	return info->shutdown && info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND &&
	    faccessat(ctx->saved_fd, DIR_FILE(uuid, XEN_SAVED), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* From libxl's notes: struct libxl_dominfo does not tell PVH from HVM. */
static libxl_domain_type
type_of(const struct look *l, uint32_t domid)
{
	libxl_domain_type type;
	char path[64], *value;
	unsigned len;

	snprintf(path, sizeof(path), "/libxl/%u/type", domid);
	value = xs_read(l->xs, XBT_NULL, path, &len);
	if (value == NULL || libxl_domain_type_from_string(value, &type) != 0)
		type = LIBXL_DOMAIN_TYPE_HVM;     /* whose NICs have no names that are known */
	free(value);
	return type;
}

static void
report(const struct look *l, const libxl_dominfo *info)
{
	struct xen_ctx *ctx = l->ctx;
	struct xen_mark mark;
	struct vm_uuid uuid;
	struct xen_vm *v;
	struct errmsg m;
	const char *why;
	bool marked;

	memcpy(uuid.bytes, libxl_uuid_bytearray_const(&info->uuid), sizeof(uuid.bytes));
	marked = xen_mark_read(ctx, &uuid, &mark);
	if (info->domid == 0 || (!marked && !tagged(l, info->domid)))
		return;
	if (only_saved(ctx, info, &uuid)) {
		libxl_ctx *xl = xen_thread_ctx(&m);

		if (xl == NULL || xen_domain_end(xl, &uuid, info->domid, NULL, &m) != ERR_OK)
			vm_report_log(ctx->env->reporter, &uuid, "%s", m.text);
		return;
	}
	why = broken(info, marked, &mark);
	v = xen_vm_new(ctx, &uuid, mark.unit, info->domid);
	if (why == NULL && xen_watch_new(ctx->events, v, mark.ready[0] != '\0' ? mark.ready : NULL,
	    &m) != ERR_OK)
		why = m.text;
	v->mark = mark;
	v->mark.running = why == NULL;
	v->mark.domid = info->domid;
	v->paused = info->paused;
	xen_vm_nics(v, type_of(l, info->domid));
	l->each(&uuid, &v->vm, why != NULL ? VM_FOUND_BROKEN : info->paused ? VM_FOUND_FROZEN
	    : VM_FOUND_RUNNING, why != NULL ? why : "", l->arg);
}

static void
report_saved(const struct vm_uuid *uuid, const char *rest, void *arg)
{
	const struct look *l = arg;
	bool lives = false;

	if (strcmp(rest, XEN_PART) == 0)
		/* unfinished; found again */
		(void)dir_drop(l->ctx->saved_fd, uuid, rest, NULL);
	if (strcmp(rest, XEN_SAVED) != 0)
		return;
	for (int i = 0; i < l->n; i++)
		lives = lives || (has_uuid(&l->info[i], uuid) &&
		    !only_saved(l->ctx, &l->info[i], uuid));
	/* The domain that lives is newer, or is destroyed as broken. */
	if (lives)
		(void)dir_drop(l->ctx->saved_fd, uuid, XEN_SAVED, NULL);
	else
		l->each(uuid, NULL, VM_FOUND_SAVED, "", l->arg);
}

enum err
xen_list(void *arg, vm_each_cb each, void *each_arg, struct errmsg *m)
{
	struct look l = { .ctx = arg, .each = each, .arg = each_arg };
	libxl_ctx *xl = xen_thread_ctx(m);
	libxl_dominfo *info;

	if (xl == NULL)
		return ERR_UNSUPPORTED;
	l.xs = xs_open(0);
	if (l.xs == NULL)
		return err_sys(m, "XenStore");
	l.info = info = libxl_list_domain(xl, &l.n);
	if (info == NULL) {
		xs_close(l.xs);
		return xen_fail(m, ERROR_FAIL, "the domains cannot be listed");
	}
	forget_dead(&l);
	for (int i = 0; i < l.n; i++)
		report(&l, &info[i]);
	(void)dir_each(l.ctx->saved_fd, report_saved, &l, NULL);     /* found at the next start */
	(void)dir_each(l.ctx->marks_fd, drop_mark, &l, NULL);
	libxl_dominfo_list_free(info, l.n);
	xs_close(l.xs);
	return ERR_OK;
}
