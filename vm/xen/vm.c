/*
 * vm: what all operations on a domain need: its structure, its identity, its end; and what is left.
 */
#include "vm/xen/xen.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* How long a dying domain may take to give its memory back. */
#define DYING_NS (LIMIT_XEN_DYING_S * NS_PER_S)

struct xen_vm *
xen_vm_new(struct xen_ctx *ctx, const struct vm_uuid *uuid, const char *unit, uint32_t domid)
{
	struct xen_vm *v = mem_zero(1, sizeof(*v));

	*v = (struct xen_vm){ .ctx = ctx, .domid = domid, .vm = { .uuid = *uuid, .answered = true,
	    .driver = &vm_driver_xen, .ids.domid = domid, .watch_fd = -1, .death_fd = -1 } };
	snprintf(v->vm.unit, sizeof(v->vm.unit), "%s", unit);
	return v;
}

void
xen_vm_nics(struct xen_vm *v, libxl_domain_type type)
{
	for (unsigned i = 0; i < LIMIT_NICS && type != LIBXL_DOMAIN_TYPE_HVM; i++) {
		char name[IFNAMSIZ];

		snprintf(name, sizeof(name), "vif%u.%u", v->domid, i);
		if (if_nametoindex(name) != 0)
			memcpy(v->vm.ids.nics[i], name, sizeof(name));
	}
}

void
xen_vm_free(struct vm *vm)
{
	struct xen_vm *v = (struct xen_vm *)vm;

	if (v == NULL)
		return;
	xen_watch_free(v->ctx->events, v->watch);
	ring_clear(&v->con);
	free(v);
}

enum err
xen_vm_info(libxl_ctx *ctx, const struct vm_uuid *uuid, uint32_t domid, struct xen_info *info)
{
	libxl_dominfo said;
	int rc;
	bool same;

	libxl_dominfo_init(&said);
	rc = libxl_domain_info(ctx, &said, domid);
	same = rc == 0 &&
	    memcmp(libxl_uuid_bytearray(&said.uuid), uuid->bytes, sizeof(uuid->bytes)) == 0;
	if (info != NULL)
		*info = (struct xen_info){ (int64_t)(said.cpu_time / 1000), said.dying };
	libxl_dominfo_dispose(&said);
	return same ? ERR_OK : rc == 0 || rc == ERROR_DOMAIN_NOTFOUND ? ERR_MISSING : ERR_IO;
}

enum err
xen_domain_end(libxl_ctx *ctx, const struct vm_uuid *uuid, uint32_t domid, int64_t *usec_cpu,
    struct errmsg *m)
{
	uint64_t until_ns = clock_now_ns() + DYING_NS;
	struct xen_info info;
	enum err e = xen_vm_info(ctx, uuid, domid, &info);
	int rc;

	if (e != ERR_OK)
		return e == ERR_MISSING ? ERR_OK
		    : xen_fail(m, ERROR_FAIL, "domain %u cannot be looked at", domid);
	if (usec_cpu != NULL)
		*usec_cpu = info.usec_cpu;
	rc = libxl_domain_destroy(ctx, domid, NULL);
	if (rc == 0 || rc == ERROR_DOMAIN_NOTFOUND)
		return ERR_OK;
	/* After a failed create it may have been on its way out already. */
	while (xen_vm_info(ctx, uuid, domid, &info) == ERR_OK) {
		if (!info.dying || clock_now_ns() > until_ns)
			return xen_fail(m, rc, "domain %u cannot be destroyed", domid);
		(void)poll(NULL, 0, 10);     /* nothing tells when a dying domain is gone */
	}
	return ERR_OK;
}

/* ---- domains that could not be destroyed ---- */

struct xen_rest {
	struct vm_uuid uuid;
	uint32_t domid;
	SLIST_ENTRY(xen_rest) link;
};

static struct xen_rest *
rest_take(struct xen_ctx *ctx)
{
	struct xen_rest *r;

	pthread_mutex_lock(&ctx->rests_lock);
	r = SLIST_FIRST(&ctx->rests);
	if (r != NULL)
		SLIST_REMOVE_HEAD(&ctx->rests, link);
	pthread_mutex_unlock(&ctx->rests_lock);
	return r;
}

void
xen_rest_add(struct xen_ctx *ctx, const struct vm_uuid *uuid, uint32_t domid)
{
	struct xen_rest *r = mem_zero(1, sizeof(*r));

	r->uuid = *uuid;
	r->domid = domid;
	pthread_mutex_lock(&ctx->rests_lock);
	SLIST_INSERT_HEAD(&ctx->rests, r, link);
	pthread_mutex_unlock(&ctx->rests_lock);
}

void
xen_rests_end(struct xen_ctx *ctx, libxl_ctx *xl)
{
	enum err e = ERR_OK;
	struct xen_rest *r;

	/* What hinders the end of one hinders the others', too. */
	while (e == ERR_OK && (r = rest_take(ctx)) != NULL) {
		e = xen_domain_end(xl, &r->uuid, r->domid, NULL, NULL);
		if (e == ERR_OK)
			xen_mark_remove(ctx, &r->uuid);
		else
			xen_rest_add(ctx, &r->uuid, r->domid);
		free(r);
	}
	if (e != ERR_OK)
		xen_log_forget();
}

void
xen_rests_free(struct xen_ctx *ctx)
{
	struct xen_rest *r;

	while ((r = rest_take(ctx)) != NULL)
		free(r);
}
