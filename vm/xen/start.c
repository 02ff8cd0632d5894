/* start: from a specification to a running domain, cold or from a saved state. */
#include "vm/xen/xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "vm/proc/overlay.h"
#include "vm/net/port.h"

/* Our helper, vm/xen/vif. */
#define VIF_SCRIPT PREFIX "/libexec/jitsu/jitsu-xen-vif"

/* Xen's schedulers have 256 where cgroups have 100. */
#define WEIGHT_XEN 256u
#define WEIGHT_CGROUP 100u

/*
 * Beyond what libxl reckons for page tables, which is too little to build a PVH guest of 16 MiB, or
 * to restore one of 32 MiB, whose pages come one by one ("Device or resource busy").
 */
#define TABLES_MORE_KB 1024u

struct start {
	struct xen_ctx *ctx;
	const struct vm_spec *spec;
	libxl_ctx *xl;
	libxl_domain_config dc;
	struct xen_mark mark;
	uint32_t domid;
	bool useless;              /* the saved state: it was used, or is no good */
	int state_fd;              /* -1: a cold boot */
};

static const struct {
	const char *name;
	libxl_domain_type type;
} types[] = {
	[VM_TYPE_PV] = { "pv", LIBXL_DOMAIN_TYPE_PV },
	[VM_TYPE_PVH] = { "pvh", LIBXL_DOMAIN_TYPE_PVH },
	[VM_TYPE_HVM] = { "hvm", LIBXL_DOMAIN_TYPE_HVM },
};

/* ---- the configuration ---- */

/* Names must be unique on the host: part of the UUID tells a unit's domain from its last one. */
static enum err
fill_create(struct start *s, struct errmsg *m)
{
	libxl_domain_create_info *c = &s->dc.c_info;
	const char *uuid = VM_UUID_STR(&s->spec->uuid);

	if (libxl_uuid_from_string(&c->uuid, uuid) != 0)
		return err_set(m, ERR_PARSE, "uuid %s", uuid);
	free(c->name);
	c->name = mem_format("%.200s-%.8s", s->spec->unit, uuid);
	/* Written into XenStore in the transaction that makes the domain's directory. */
	c->xsdata = mem_zero(3, sizeof(*c->xsdata));
	c->xsdata[0] = mem_text(XEN_TAG);
	c->xsdata[1] = mem_text(s->ctx->instance);
	return ERR_OK;
}

static void
fill_build(struct start *s)
{
	const struct vm_spec *spec = s->spec;
	libxl_domain_build_info *b = &s->dc.b_info;
	uint64_t kb = spec->memory_bytes / 1024;
	unsigned weight = spec->cpu_weight * WEIGHT_XEN / WEIGHT_CGROUP;

	if (b->max_memkb == LIBXL_MEMKB_DEFAULT || b->max_memkb != kb)
		b->max_memkb = b->target_memkb = kb;
	b->max_vcpus = (int)spec->vcpus;
	if (b->shadow_memkb == LIBXL_MEMKB_DEFAULT && s->dc.c_info.type != LIBXL_DOMAIN_TYPE_PV)
		b->shadow_memkb = libxl_get_required_shadow_memory((unsigned long)kb, spec->vcpus) +
		    TABLES_MORE_KB;
	if (libxl_cpu_bitmap_alloc(s->xl, &b->avail_vcpus, b->max_vcpus) != 0)
		fatal("out of memory for a domain");
	libxl_bitmap_set_any(&b->avail_vcpus);
	if (s->dc.c_info.type == LIBXL_DOMAIN_TYPE_HVM)
		/* libxl's default is a port without a password */
		libxl_defbool_set(&b->u.hvm.vnc.enable, false);
	if (spec->cpu_percent > 0)
		b->sched_params.cap = (int)spec->cpu_percent;
	if (weight > 0 && b->sched_params.weight == LIBXL_DOMAIN_SCHED_PARAM_WEIGHT_DEFAULT)
		b->sched_params.weight = (int)(weight > 65535 ? 65535 : weight);
	xen_xl_override(&b->kernel, spec->kernel);
	xen_xl_override(&b->ramdisk, spec->initrd);
	xen_xl_override(&b->cmdline, spec->cmdline);
}

/* The image's NICs come first, each over the file's in its place; more of the file's stay. */
static void
fill_nics(struct start *s)
{
	const struct vm_spec *spec = s->spec;
	libxl_domain_config *dc = &s->dc;
	const char *script = spec->vif_script != NULL ? spec->vif_script : VIF_SCRIPT;

	if ((unsigned)dc->num_nics < spec->nnics) {
		dc->nics = mem_resize(dc->nics, spec->nnics, sizeof(*dc->nics));
		while ((unsigned)dc->num_nics < spec->nnics)
			libxl_device_nic_init(&dc->nics[dc->num_nics++]);
	}
	for (int i = 0; i < dc->num_nics; i++) {
		libxl_device_nic *nic = &dc->nics[i];

		if ((unsigned)i < spec->nnics) {
			memcpy(nic->mac, spec->nics[i].mac, sizeof(nic->mac));
			xen_xl_override(&nic->bridge, spec->nics[i].bridge);
		}
		nic->devid = i;
		if (nic->script == NULL || spec->vif_script != NULL)
			xen_xl_override(&nic->script, script);
		/* Emulated NICs are an HVM matter, for a guest that boots without drivers. */
		if (nic->nictype == 0 && dc->c_info.type != LIBXL_DOMAIN_TYPE_HVM)
			nic->nictype = LIBXL_NIC_TYPE_VIF;
	}
}

static void
fill_disk(const struct vm_disk *from, unsigned number, libxl_device_disk *to)
{
	bool qcow2 = from->overlay != NULL || from->format == VM_DISK_QCOW2;

	libxl_device_disk_init(to);
	to->pdev_path = mem_text(from->overlay != NULL ? from->overlay : from->path);
	to->vdev = mem_format("xvd%c", 'a' + (int)(number % 26));
	to->format = qcow2 ? LIBXL_DISK_FORMAT_QCOW2 : LIBXL_DISK_FORMAT_RAW;
	to->readwrite = !from->readonly;
}

static void
fill_disks(struct start *s)
{
	const struct vm_spec *spec = s->spec;
	libxl_domain_config *dc = &s->dc;

	if (spec->ndisks == 0)
		return;
	for (int i = 0; i < dc->num_disks; i++)
		libxl_device_disk_dispose(&dc->disks[i]);
	free(dc->disks);
	dc->num_disks = (int)spec->ndisks;
	dc->disks = mem_zero(spec->ndisks, sizeof(*dc->disks));
	for (unsigned i = 0; i < spec->ndisks; i++)
		fill_disk(&spec->disks[i], i, &dc->disks[i]);
}

/* Everything of the file first, then what the image itself says. */
static enum err
fill(struct start *s, struct errmsg *m)
{
	libxl_domain_config *dc = &s->dc;
	libxl_domain_type type = types[s->spec->type].type;
	enum err e = ERR_OK;

	if (s->spec->xl != NULL) {
		e = xen_xl_load(s->spec->xl, type, dc, m);
	} else {
		dc->c_info.type = type;
		libxl_domain_build_info_init_type(&dc->b_info, type);
	}
	if (e == ERR_OK)
		e = fill_create(s, m);
	if (e != ERR_OK)
		return e;
	fill_build(s);
	fill_nics(s);
	fill_disks(s);
	return ERR_OK;
}

/* ---- what can be known before ---- */

static enum err
check_path(const char *what, const char *path, int mode, struct errmsg *m)
{
	if (path == NULL || access(path, mode) == 0)
		return ERR_OK;
	if (errno == ENOENT)
		return err_set(m, ERR_MISSING, "%s %s does not exist", what, path);
	return err_sys(m, "%s %s", what, path);
}

static enum err
check_config(const struct start *s, struct errmsg *m)
{
	const libxl_domain_config *dc = &s->dc;
	enum err e = check_path("kernel", dc->b_info.kernel, R_OK, m);

	if (e == ERR_OK)
		e = check_path("initrd", dc->b_info.ramdisk, R_OK, m);
	if (e == ERR_OK && dc->b_info.kernel == NULL && dc->b_info.bootloader == NULL &&
	    dc->c_info.type != LIBXL_DOMAIN_TYPE_HVM)
		e = err_set(m, ERR_MISSING, "a %s guest needs a kernel",
		    dc->c_info.type == LIBXL_DOMAIN_TYPE_PV ? "PV" : "PVH");
	for (int i = 0; i < dc->num_nics && e == ERR_OK; i++) {
		if (dc->nics[i].bridge != NULL)
			e = vm_bridge_check(dc->nics[i].bridge, m);
		if (e == ERR_OK && dc->nics[i].script[0] == '/')
			e = check_path("vif-script", dc->nics[i].script, X_OK, m);
	}
	for (int i = 0; i < dc->num_disks && e == ERR_OK; i++) {
		/* An overlay is made by the start. */
		const char *path = s->spec->ndisks > 0 ? s->spec->disks[i].path
		    : dc->disks[i].pdev_path;

		if (path != NULL && path[0] == '/')
			e = check_path("disk", path, R_OK, m);
	}
	return e;
}

/* xl would take memory from dom0; we leave the host's memory to the operator (dom0_mem). */
static enum err
check_memory(struct start *s, struct errmsg *m)
{
	uint64_t need = 0, have = 0;

	if (libxl_domain_need_memory(s->xl, &s->dc, (uint32_t)INVALID_DOMID, &need) != 0 ||
	    libxl_get_free_memory(s->xl, &have) != 0)
		return ERR_OK;     /* then the create says it */
	if (need <= have)
		return ERR_OK;
	return err_set(m, ERR_LIMIT, "not enough memory: the domain needs %llu MiB and Xen has "
	    "%llu MiB free (dom0_mem, `xl info`)",
	    (unsigned long long)need / 1024, (unsigned long long)have / 1024);
}

static enum err
start_init(struct start *s, struct xen_ctx *ctx, const struct vm_spec *spec, libxl_ctx *xl,
    struct errmsg *m)
{
	enum err e;

	*s = (struct start){ .ctx = ctx, .spec = spec, .xl = xl, .state_fd = -1,
	    .domid = (uint32_t)INVALID_DOMID };
	libxl_domain_config_init(&s->dc);
	if (xl == NULL)
		return ERR_UNSUPPORTED;
	if (spec->nargs > 0)
		return err_set(m, ERR_UNSUPPORTED, "driver xen has no further `args`");
	snprintf(s->mark.unit, sizeof(s->mark.unit), "%s", spec->unit);
	snprintf(s->mark.ready, sizeof(s->mark.ready), "%s",
	    spec->ready_key != NULL ? spec->ready_key : "");
	e = fill(s, m);
	return e == ERR_OK ? check_config(s, m) : e;
}

static void
start_clear(struct start *s)
{
	libxl_domain_config_dispose(&s->dc);
	if (s->state_fd >= 0)
		close(s->state_fd);
}

/* ---- the steps ---- */

static enum err
make_overlays(const struct start *s, struct errmsg *m)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i < s->spec->ndisks && e == ERR_OK; i++)
		if (s->spec->disks[i].overlay != NULL)
			e = overlay_ensure(s->ctx->env->conf, &s->spec->disks[i], m);
	return e;
}

static enum err
create(struct start *s, struct errmsg *m)
{
	libxl_domain_restore_params params;
	int rc;

	log_debug("%s: create begins", s->spec->unit);
	if (s->state_fd < 0) {
		rc = libxl_domain_create_new(s->xl, &s->dc, &s->domid, NULL, NULL);
		log_debug("%s: create ends", s->spec->unit);
		return rc == 0 ? ERR_OK : xen_fail(m, rc, "the domain cannot be made");
	}
	libxl_domain_restore_params_init(&params);
	params.stream_version = 2;
	rc = libxl_domain_create_restore(s->xl, &s->dc, &s->domid, s->state_fd, -1, &params, NULL,
	    NULL);
	libxl_domain_restore_params_dispose(&params);
	s->useless = rc != 0;
	return rc == 0 ? ERR_OK : xen_fail(m, rc, "the domain cannot be restored");
}

/*
 * Guards its ports (port.h); not one that libxl has not named, or another script put elsewhere:
 * the bridge learns where that is.
 * The first has its MAC when the guest is connected to it, if packets are held until then.
 */
static enum err
guard_ports(const struct start *s, struct xen_vm *v, struct errmsg *m)
{
	const struct vm_env *env = s->ctx->env;

	if (s->spec->link && s->dc.num_nics > 0) {
		vm_report_link(env->reporter, &s->spec->uuid, v->vm.ids.nics[0],
		    s->dc.nics[0].mac);
		v->vm.late = v->vm.ids.nics[0][0] != '\0';
		memcpy(v->vm.late_mac, s->dc.nics[0].mac, sizeof(v->vm.late_mac));
	}
	if (s->dc.num_nics > 0 && v->vm.ids.nics[0][0] == '\0')
		parks_away(env->parks, s->dc.nics[0].mac);
	for (int i = 0; i < s->dc.num_nics && i < LIMIT_NICS; i++) {
		enum err e = v->vm.ids.nics[i][0] != '\0' ? port_guard(env->parks,
		    v->vm.ids.nics[i], s->dc.nics[i].mac, i == 0 && v->vm.late, m) : ERR_OK;

		if (e == ERR_EXISTS)
			return e;
		if (e != ERR_OK && e != ERR_MISSING)
			vm_report_log(env->reporter, &s->spec->uuid, "NIC %d: %s", i, m->text);
	}
	return ERR_OK;
}

/* The domain is whole and paused; from the mark on the next daemon adopts, not destroys, it. */
static enum err
launch(struct start *s, struct xen_vm **v, struct vm_outcome *out)
{
	int rc;
	enum err e;

	*v = xen_vm_new(s->ctx, &s->spec->uuid, s->spec->unit, s->domid);
	xen_vm_nics(*v, s->dc.c_info.type);
	e = guard_ports(s, *v, &out->msg);
	if (e != ERR_OK)
		return e;
	rc = libxl_domain_unpause(s->xl, s->domid, NULL);
	if (rc != 0)
		return xen_fail(&out->msg, rc, "domain %u cannot be unpaused", s->domid);
	out->exec_ns = clock_now_ns();
	s->useless = true;
	/* While the guest begins: what came before a watch is told when it is set. */
	e = xen_watch_new(s->ctx->events, *v, s->spec->ready_key, &out->msg);
	if (e != ERR_OK)
		return e;
	/* A restored guest goes on behind the writing of the key, which its old domain has. */
	if (s->state_fd >= 0 && s->spec->ready_key != NULL)
		xen_watch_ready(s->ctx->events, (*v)->watch);
	s->mark.running = true;
	s->mark.domid = s->domid;
	(*v)->mark = s->mark;
	return xen_mark_write(s->ctx, &s->spec->uuid, &s->mark, &out->msg);
}

/* After a failed create libxl has usually removed what it made. */
static void
undo(struct start *s, struct xen_vm *v)
{
	struct errmsg m = { "" };

	if (v != NULL)
		xen_vm_free(&v->vm);
	if (s->xl != NULL && s->domid != (uint32_t)INVALID_DOMID &&
	    xen_domain_end(s->xl, &s->spec->uuid, s->domid, NULL, &m) != ERR_OK) {
		vm_report_log(s->ctx->env->reporter, &s->spec->uuid,
		    "cleaning up after a failed start, which is tried again: %s", m.text);
		xen_rest_add(s->ctx, &s->spec->uuid, s->domid);
		return;     /* the mark stays, so that the next daemon finds it */
	}
	xen_mark_remove(s->ctx, &s->spec->uuid);
}

static enum err
run(struct start *s, struct vm **vm, struct vm_outcome *out)
{
	struct xen_vm *v = NULL;
	enum err e;

	xen_rests_end(s->ctx, s->xl);     /* their memory may be wanted */
	e = xen_mark_write(s->ctx, &s->spec->uuid, &s->mark, &out->msg);
	if (e == ERR_OK)
		e = make_overlays(s, &out->msg);
	if (e == ERR_OK)
		e = check_memory(s, &out->msg);
	if (e == ERR_OK)
		e = create(s, &out->msg);
	if (e == ERR_OK)
		e = launch(s, &v, out);
	if (e != ERR_OK) {
		undo(s, v);
		return e;
	}
	snprintf(out->detail, sizeof(out->detail), "%s", types[s->spec->type].name);
	*vm = &v->vm;
	return ERR_OK;
}

enum err
xen_start(void *arg, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out)
{
	struct start s;
	enum err e = start_init(&s, arg, spec, xen_thread_ctx_fresh(&out->msg), &out->msg);

	if (e == ERR_OK)
		e = run(&s, vm, out);
	start_clear(&s);
	return e;
}

enum err
xen_restore(void *arg, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out)
{
	struct xen_ctx *ctx = arg;
	const char *name = DIR_FILE(&spec->uuid, XEN_SAVED);
	struct start s;
	enum err e = start_init(&s, ctx, spec, xen_thread_ctx_fresh(&out->msg), &out->msg);

	out->saved = true;
	if (e == ERR_OK &&
	    (s.state_fd = openat(ctx->saved_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0) {
		out->saved = vm_saved_may_open_later(errno);
		e = errno == ENOENT ? err_set(&out->msg, ERR_MISSING, "no saved state of this VM")
		    : err_sys(&out->msg, "saved state %s", name);
	}
	if (e == ERR_OK) {
		e = run(&s, vm, out);
		out->saved = !s.useless;
	}
	if (!out->saved && dir_drop(ctx->saved_fd, &spec->uuid, XEN_SAVED, NULL) != ERR_OK)
		vm_report_log(ctx->env->reporter, &spec->uuid,
		    "the saved state %s could not be removed", name);
	start_clear(&s);
	return e;
}
