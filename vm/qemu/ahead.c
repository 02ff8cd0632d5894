/*
 * ahead: processes that are started ahead of their use, and how one becomes a VM.
 *
 *     waits for        started with          becomes                          its guest's MAC
 *     QEMU_WAIT_CONT   all of one VM, -S     that VM, by `cont`               its own
 *     QEMU_WAIT_STATE  a machine, no kernel  any saved VM of such a machine   of the state
 *     QEMU_WAIT_CONFIG nothing               any VM, by a configuration file  its own
 *
 * A process that waits has a directory, a cgroup and (but for the last) taps of its own, named by a
 * UUID of its own, and QEMU_DIR_WAITS in the directory.  As it becomes a VM the directory gets that
 * VM's name, then its taps join their bridges, then QEMU_DIR_WAITS goes: until there, adoption ends
 * it; from there on it is the VM's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/output.h"
#include "vm/net/port.h"
#include "vm/net/tap.h"
#include "vm/qemu/pool.h"
#include "vm/qemu/start.h"

/* ---- what fits ---- */

/* Which file a path leads to; "" = to none.  What is in the file may change. */
#define FILE_TEXT 40
static const char *
which_file(const char *path, char text[FILE_TEXT])
{
	struct stat st;

	text[0] = '\0';
	if (stat(path, &st) == 0)
		snprintf(text, FILE_TEXT, "%lx.%lx", (unsigned long)st.st_dev,
		    (unsigned long)st.st_ino);
	return text;
}

/* The files that a VM writes to: another in its place is another disk. */
static void
which_disks(const struct vm_spec *spec, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < spec->ndisks; i++) {
		const struct vm_disk *d = &spec->disks[i];
		char one[FILE_TEXT];

		if (d->overlay != NULL || !d->readonly)
			used += (size_t)snprintf(text + used, size - used, "disk %s\n",
			    which_file(d->overlay != NULL ? d->overlay : d->path, one));
	}
}

/* The QEMU that would be executed: an upgrade replaces it. */
static void
which_qemu(const struct qemu_ctx *ctx, char text[2 * FILE_TEXT])
{
	char one[FILE_TEXT];
	struct stat st = { .st_size = 0 };

	(void)stat(ctx->qemu, &st);
	snprintf(text, 2 * FILE_TEXT, "qemu %s %llx.%lx\n", which_file(ctx->qemu, one),
	    (unsigned long long)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec);
}

char *
ahead_key_of(const struct start *s, enum qemu_wait wait)
{
	char disks[LIMIT_DISKS * (FILE_TEXT + 8)], qemu[2 * FILE_TEXT], *shape, *key;
	struct qemu_args args;
	struct errmsg unused;

	which_qemu(s->ctx, qemu);
	which_disks(s->spec, disks, sizeof(disks));
	if (wait == QEMU_WAIT_CONT)
		return mem_format("%s%s%s%s", s->v->shape, s->files.stamps, disks, qemu);
	if (wait == QEMU_WAIT_CONFIG)
		return mem_format("%s %s\n%s", s->accel.kvm ? "kvm" : "tcg",
		    s->accel.cpu != NULL ? s->accel.cpu : "", qemu);
	/* Disks, and what arguments name, are opened at the start, and are others for each VM. */
	if (s->spec->ndisks > 0 || s->spec->nargs > 0 ||
	    start_args(s, wait, &args, &unused) != ERR_OK)
		return NULL;
	shape = qemu_args_shape(&args);
	qemu_args_clear(&args);
	key = mem_format("%s%s", shape, qemu);
	free(shape);
	return key;
}

enum err
ahead_key(struct qemu_ctx *ctx, const struct vm_spec *spec, enum qemu_wait wait, char **key,
    struct errmsg *m)
{
	struct vm_outcome unused = { .text = NULL };
	struct start s;
	enum err e = start_plan(&s, ctx, spec, wait, -1, m);

	*key = e == ERR_OK ? ahead_key_of(&s, wait) : NULL;
	start_clear(&s);
	start_undo(&s, &unused);
	if (e == ERR_OK && *key == NULL)
		e = err_set(m, ERR_UNSUPPORTED, "a VM with disks or args is not restored into a "
		    "process that was started ahead");
	return e;
}

/* ---- making one ---- */

/* Waits until it waits. */
static enum err
await(struct qemu_vm *v, enum qemu_wait wait, struct errmsg *m)
{
	const char *wanted = wait == QEMU_WAIT_CONT ? "prelaunch" : "inmigrate";
	char status[32], said[256];
	enum err e;

	if (wait == QEMU_WAIT_CONFIG)
		return ERR_OK;   /* it cannot say, and may be used earlier */
	e = qemu_vm_status(v, status, sizeof(status), clock_now_ns() + QEMU_FIRST_NS, m);
	if (e == ERR_OK && strcmp(status, wanted) != 0)
		e = err_set(m, ERR_STATE, "QEMU's state is \"%s\"", status);
	/* Announcements would have the MAC of the process, not of the guest. */
	if (e == ERR_OK && wait == QEMU_WAIT_STATE)
		e = qemu_vm_command(v, "migrate-set-parameters",
		    json_pack("{s:i}", "announce-rounds", 0), m);
	output_last_line(v->output_fd, said, sizeof(said));
	if (e != ERR_OK && said[0] != '\0')
		e = err_set(m, e, "QEMU: %s", said);
	v->vm.answered = e == ERR_OK;
	return e;
}

enum err
ahead_make(struct qemu_ctx *ctx, const struct vm_spec *spec, enum qemu_wait wait,
    struct pool_vm **out, struct errmsg *m)
{
	struct vm_outcome unused = { .text = NULL };
	uint64_t exec_ns;
	struct start s;
	enum err e = start_plan(&s, ctx, spec, wait, -1, m);

	*out = NULL;
	if (e == ERR_OK)
		e = start_launch(&s, &exec_ns, m);
	if (e == ERR_OK) {
		pool_makes(ctx->pool, s.v);
		e = await(s.v, wait, m);
		pool_makes(ctx->pool, NULL);
	}
	if (e == ERR_OK) {
		*out = mem_zero(1, sizeof(**out));
		**out = (struct pool_vm){ .wait = wait, .key = s.key, .v = s.v,
		    .config_fd = s.config[1] };
		s.key = NULL;
		memcpy((*out)->taps, s.taps, sizeof(s.taps));
		s.config[1] = -1;
		for (unsigned i = 0; i < LIMIT_NICS; i++) {
			if (wait == QEMU_WAIT_CONFIG)
				s.taps[i] = -1;
			else
				(*out)->taps[i] = -1;
		}
	}
	start_clear(&s);
	if (e != ERR_OK) {
		start_undo(&s, &unused);
		free(unused.text);
	}
	return e;
}

void
ahead_hurry(struct qemu_ctx *ctx, const struct vm_uuid *born)
{
	const struct cgroup_limits lim = { .cpu_weight = 100 };

	/* It only takes longer without. */
	(void)cgroup_limit(&ctx->cg, VM_UUID_STR(born), &lim, NULL);
}

void
ahead_end(struct pool_vm *r)
{
	struct qemu_vm *v = r->v;
	struct errmsg m;

	ahead_hurry(v->ctx, &v->born);
	if (qemu_vm_end(v, &m) != ERR_OK)
		vm_report_log(v->ctx->env->reporter, NULL,
		    "cleaning up after a process that was started ahead: %s", m.text);
	qemu_vm_free(&v->vm);
	if (r->config_fd >= 0)
		close(r->config_fd);
	for (unsigned i = 0; i < LIMIT_NICS; i++)
		if (r->taps[i] >= 0)
			close(r->taps[i]);
	free(r->key);
	free(r);
}

/* ---- becoming a VM ---- */

static enum err
join(const struct start *s, const struct pool_vm *r, struct errmsg *m)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i < s->spec->nnics && e == ERR_OK; i++) {
		const char *name = r->v->vm.ids.nics[i];
		const struct vm_nic *nic = &s->spec->nics[i];

		if (r->wait == QEMU_WAIT_CONFIG)
			e = tap_attach(r->taps[i], name, m);
		if (e == ERR_OK)
			e = port_add(s->ctx->env->parks, name, nic->bridge, nic->mac, m);
		if (e == ERR_OK)
			e = start_port(s, i, name, m);
	}
	return e;
}

/* All but the last step, which lets it run. */
static enum err
become(struct start *s, struct pool_vm *r, struct errmsg *m)
{
	struct qemu_ctx *ctx = s->ctx;
	struct qemu_vm *v = r->v;
	struct cgroup_limits lim;
	enum err e = qemu_dir_give(v, &s->spec->uuid, m);

	start_limits(s, &lim);
	if (e == ERR_OK && ctx->cg.nparts > 0)
		e = start_limits_write(v, &lim, m);
	if (e == ERR_OK && ctx->cg.nparts > 0)
		e = cgroup_limit(&ctx->cg, VM_UUID_STR(&v->born), &lim, m);
	v->acpi = s->v->acpi;
	v->shape_hidden = r->wait != QEMU_WAIT_CONT;
	if (v->shape_hidden) {
		free(v->shape);
		v->shape = mem_text(s->v->shape);
		if (e == ERR_OK)
			e = qemu_dir_write(v->dir_fd, QEMU_DIR_SHAPE, v->shape, m);
	}
	snprintf(v->vm.unit, sizeof(v->vm.unit), "%s", s->spec->unit);
	if (e == ERR_OK)
		e = join(s, r, m);
	return e;
}

static enum err
unmark(const struct qemu_vm *v, struct errmsg *m)
{
	return unlinkat(v->dir_fd, QEMU_DIR_WAITS, 0) == 0 ? ERR_OK
	    : err_sys(m, "file " QEMU_DIR_WAITS " of a VM");
}

static enum err
let_run(struct start *s, struct pool_vm *r, uint64_t *exec_ns, struct errmsg *m)
{
	struct qemu_vm *v = r->v;
	enum err e = unmark(v, m);

	(void)s;
	*exec_ns = clock_now_ns();
	if (e == ERR_OK)
		e = qemu_vm_command(v, "cont", NULL, m);
	v->qmp.saw_stop = v->qmp.saw_resume = false;
	return e;
}

static enum err
let_restore(struct start *s, struct pool_vm *r, uint64_t *exec_ns, struct errmsg *m)
{
	struct qemu_vm *v = r->v;
	enum err e = unmark(v, m);

	*exec_ns = clock_now_ns();
	v->qmp.saw_stop = v->qmp.saw_resume = v->qmp.saw_migration_failed = false;
	if (e == ERR_OK)
		e = qmp_command(&v->qmp, "getfd", json_pack("{s:s}", "fdname", "state"),
		    s->state_fd, clock_now_ns() + QEMU_QMP_NS, NULL, m);
	if (e == ERR_OK)
		e = qemu_vm_command(v, "migrate-incoming", json_pack("{s:s}", "uri",
		    "fd:state"), m);
	return e;
}

/* The mark goes last: one that was told, and is not marked, could be a VM that nobody knows. */
static enum err
let_configure(struct start *s, struct pool_vm *r, uint64_t *exec_ns, struct errmsg *m)
{
	char *config = qemu_args_config(&s->args);
	size_t len = config != NULL ? strlen(config) : 0;
	enum err e = start_disks(s, m);

	*exec_ns = clock_now_ns();
	/* No longer than a pipe takes at once. */
	if (e == ERR_OK && (config == NULL || len > PIPE_BUF * 15 ||
	    write(r->config_fd, config, len) != (ssize_t)len))
		e = err_sys(m, "configuration of a QEMU");
	free(config);
	if (e != ERR_OK)
		return e;
	close(r->config_fd);
	r->config_fd = -1;
	e = unmark(r->v, m);
	return e == ERR_OK ? qemu_vm_connect(r->v, m) : e;
}

/* Has the process go on as the VM of `s`; after an error it is gone. */
static bool
use(struct start *s, struct pool_vm *r,
    enum err (*let)(struct start *s, struct pool_vm *r, uint64_t *exec_ns, struct errmsg *m),
    uint64_t *exec_ns)
{
	struct errmsg m;
	enum err e;

	if (r == NULL)
		return false;
	e = become(s, r, &m);
	if (e == ERR_OK)
		e = let(s, r, exec_ns, &m);
	if (e != ERR_OK) {
		vm_report_log(s->ctx->env->reporter, &s->spec->uuid,
		    "%s: the process that was started ahead could not be used: %s",
		    s->spec->unit, m.text);
		ahead_end(r);
		return false;
	}
	qemu_vm_free(&s->v->vm);
	s->v = r->v;
	for (unsigned i = 0; i < LIMIT_NICS; i++)
		if (r->taps[i] >= 0)
			close(r->taps[i]);
	free(r->key);
	free(r);
	return true;
}

/* Can a configuration file say all of it, without files that only a descriptor leads to? */
static bool
is_sayable(const struct start *s)
{
	char *config;

	if (s->files.kernel_fd >= 0 || s->files.initrd_fd >= 0 || s->spec->nargs > 0)
		return false;
	config = qemu_args_config(&s->args);
	free(config);
	return config != NULL;
}

static bool
ahead_use(struct start *s, enum qemu_wait wait,
    enum err (*let)(struct start *s, struct pool_vm *r, uint64_t *exec_ns, struct errmsg *m),
    uint64_t *exec_ns)
{
	char *key;
	bool used;

	if (pool_is_empty(s->ctx->pool, wait) || (key = ahead_key_of(s, wait)) == NULL)
		return false;
	used = use(s, pool_take(s->ctx->pool, wait, key, s->spec->unit), let, exec_ns);
	free(key);
	return used;
}

bool
ahead_use_start(struct start *s, uint64_t *exec_ns)
{
	return ahead_use(s, QEMU_WAIT_CONT, let_run, exec_ns) ||
	    (is_sayable(s) && ahead_use(s, QEMU_WAIT_CONFIG, let_configure, exec_ns));
}

bool
ahead_use_restore(struct start *s, uint64_t *exec_ns)
{
	return ahead_use(s, QEMU_WAIT_STATE, let_restore, exec_ns);
}
