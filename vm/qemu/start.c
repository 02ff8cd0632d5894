/* start: from a specification to a running QEMU, cold or from a saved state. */
#include "vm/qemu/start.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/output.h"
#include "vm/net/port.h"
#include "vm/net/tap.h"
#include "vm/proc/overlay.h"
#include "vm/qemu/pool.h"

#define MIB ((uint64_t)1024 * 1024)

/* Beside the guest's memory QEMU takes 15 MiB for a unikernel, 40 for Linux (measured); slack. */
#define OVERHEAD_BYTES (96 * MIB)

#define VM_OOM_SCORE 500       /* under memory pressure a VM goes before the daemon */
#define AHEAD_WEIGHT 1         /* of the processor, until it is a VM's: wakes come first */

/* ---- the steps ---- */

/* What comes first: files and accelerator, before anything is made. */
static enum err
look(struct start *s, struct errmsg *m)
{
	const struct vm_host_conf *conf = s->ctx->env->conf;
	enum err e = ERR_OK;

	if (s->wait != QEMU_WAIT_CONFIG)
		e = qemu_files_check(conf, s->spec, &s->files, m);
	s->v->acpi = s->files.linux_guest || s->spec->machine == VM_MACHINE_Q35;
	if (e == ERR_OK)
		e = accel_choose(&s->ctx->accel, conf, s->ctx->qemu, s->spec->accel, &s->accel, m);
	if (e == ERR_OK && s->accel.note[0] != '\0')
		vm_report_log(s->ctx->env->reporter, &s->spec->uuid, "%s", s->accel.note);
	return e;
}

/* Taps in the child; a process that has no configuration yet has enough for any. */
static unsigned
start_ntaps(const struct start *s)
{
	return s->wait == QEMU_WAIT_CONFIG ? LIMIT_NICS : s->spec->nnics;
}

/* The numbers that descriptors will have in the child, in the order of pass_all. */
static void
number(const struct start *s, struct qemu_run *run)
{
	int next = SPAWN_FD_FIRST;

	run->qmp_fd = next++;
	run->tap_fd = next;
	next += (int)start_ntaps(s);
	run->kernel_fd = s->files.kernel_fd >= 0 ? next++ : -1;
	run->initrd_fd = s->files.initrd_fd >= 0 ? next++ : -1;
	run->incoming_fd = s->state_fd >= 0 ? next++ : -1;
	run->config_fd = next;
}

static void
pass(struct spawn_conf *sc, int fd)
{
	if (fd >= 0)
		sc->fds[sc->nfds++] = fd;
}

static void
pass_all(struct start *s)
{
	pass(&s->sc, s->qmp_fd);
	for (unsigned i = 0; i < start_ntaps(s); i++)
		pass(&s->sc, s->taps[i]);
	pass(&s->sc, s->files.kernel_fd);
	pass(&s->sc, s->files.initrd_fd);
	pass(&s->sc, s->state_fd);
	pass(&s->sc, s->config[0]);
	pass(&s->sc, s->handle_fd);   /* QEMU holds it, and need not know its number */
}

enum err
start_args(const struct start *s, enum qemu_wait wait, struct qemu_args *args, struct errmsg *m)
{
	const struct vm_spec *spec = s->spec;
	struct qemu_run run = { .spec = spec, .wait = wait, .qemu = s->ctx->qemu,
	    .cpu = s->accel.cpu, .kvm = s->accel.kvm, .acpi = s->v->acpi };

	if (s->v->acpi && !s->accel.kvm && spec->machine == VM_MACHINE_MICROVM &&
	    (spec->cmdline == NULL || strstr(spec->cmdline, "tsc_early_khz=") == NULL))
		run.tsc_khz = qemu_tsc_khz(&s->ctx->tsc);
	number(s, &run);
	return qemu_args_build(&run, args, m);
}

/* With the arguments it is known what a saved state, or a process started ahead, must be like. */
static enum err
plan(struct start *s, struct errmsg *m)
{
	enum err e = start_args(s, s->wait, &s->args, m);

	if (e == ERR_OK)
		s->v->shape = qemu_args_shape(&s->args);
	return e;
}

void
start_limits(const struct start *s, struct cgroup_limits *lim)
{
	*lim = (struct cgroup_limits){
		.memory_bytes = s->spec->memory_bytes + OVERHEAD_BYTES +
		    (s->accel.kvm ? 0 : QEMU_TB_MIB * MIB),
		/* Another's quota would stay with a VM that has none. */
		.cpu_percent = s->wait != QEMU_WAIT_NOT ? 0 : s->spec->cpu_percent,
		.cpu_weight = s->wait != QEMU_WAIT_NOT ? AHEAD_WEIGHT : s->spec->cpu_weight,
	};
}

enum err
start_limits_write(struct qemu_vm *v, const struct cgroup_limits *lim, struct errmsg *m)
{
	snprintf(v->limits, sizeof(v->limits), "%" PRIu64 " %u %u\n", lim->memory_bytes,
	    lim->cpu_percent, lim->cpu_weight);
	return qemu_dir_write(v->dir_fd, QEMU_DIR_LIMITS, v->limits, m);
}

static enum err
prepare_group(struct start *s, struct errmsg *m)
{
	struct qemu_ctx *ctx = s->ctx;
	const char *name = VM_UUID_STR(&s->spec->uuid);
	char groups[CGROUP_PARTS * PATH_MAX];
	struct cgroup_limits lim;
	enum err e;

	if (ctx->cg.nparts == 0)
		return ERR_OK;
	start_limits(s, &lim);
	cgroup_describe(&ctx->cg, name, groups, sizeof(groups));
	e = qemu_dir_write(s->v->dir_fd, QEMU_DIR_CGROUP, groups, m);
	if (e == ERR_OK)
		e = start_limits_write(s->v, &lim, m);
	if (e == ERR_OK)
		e = cgroup_make(&ctx->cg, name, &lim, &s->group, m);
	return e;
}

enum err
start_port(const struct start *s, unsigned nic, const char *name, struct errmsg *m)
{
	const struct vm_env *env = s->ctx->env;

	if (nic == 0 && s->spec->link)
		vm_report_link(env->reporter, &s->spec->uuid, name, s->spec->nics[nic].mac);
	return port_take(env->parks, name, s->spec->nics[nic].mac, m);
}

/* Those of a process that waits are on no bridge, where they would only be in the way. */
static enum err
prepare_taps(struct start *s, struct errmsg *m)
{
	const struct vm_nic *nics = s->spec->nics;
	enum err e = ERR_OK;

	for (unsigned i = 0; i < start_ntaps(s) && e == ERR_OK; i++) {
		const char *name = s->v->vm.ids.nics[i];

		if (s->wait == QEMU_WAIT_NOT) {
			e = tap_make(s->ctx->env->parks, name, nics[i].bridge, nics[i].mac,
			    &s->taps[i], m);
			if (e == ERR_OK)
				e = start_port(s, i, name, m);
			continue;
		}
		e = tap_device(&s->taps[i], m);
		if (e == ERR_OK && s->wait != QEMU_WAIT_CONFIG)
			e = tap_attach(s->taps[i], name, m);
	}
	return e;
}

enum err
start_disks(const struct start *s, struct errmsg *m)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i < s->spec->ndisks && e == ERR_OK; i++)
		if (s->spec->disks[i].overlay != NULL)
			e = overlay_ensure(s->ctx->env->conf, &s->spec->disks[i], m);
	return e;
}

/* QEMU opens the pipe anew, by its name in /proc, as the VMs' user. */
static enum err
prepare_config(struct start *s, struct errmsg *m)
{
	const struct vm_host_conf *conf = s->ctx->env->conf;

	if (pipe2(s->config, O_CLOEXEC) != 0 ||
	    (conf->vm_uid != 0 && fchown(s->config[0], conf->vm_uid, conf->vm_gid) != 0))
		return err_sys(m, "pipe for the configuration");
	return ERR_OK;
}

static enum err
prepare_mark(struct start *s, struct errmsg *m)
{
	enum err e;

	s->key = ahead_key_of(s, s->wait);
	e = qemu_dir_write(s->v->dir_fd, QEMU_DIR_WAITS, s->key != NULL ? s->key : "", m);
	if (e == ERR_OK)
		e = qemu_dir_write(s->v->dir_fd, QEMU_DIR_BORN, VM_UUID_STR(&s->v->born), m);
	return e;
}

/* Everything up to exec: what fails most and costs least first, a directory before its contents. */
static enum err
prepare(struct start *s, struct errmsg *m)
{
	struct qemu_vm *v = s->v;
	enum err e = qemu_dir_make(s->ctx, &s->spec->uuid, &v->dir_fd, m);

	/* The key tells which overlays there are. */
	if (e == ERR_OK && s->wait != QEMU_WAIT_CONFIG)
		e = start_disks(s, m);
	if (e == ERR_OK && s->wait != QEMU_WAIT_NOT)
		e = prepare_mark(s, m);
	if (e == ERR_OK)
		e = prepare_group(s, m);
	if (e == ERR_OK)
		e = qmp_listen(v->dir_fd, QEMU_DIR_QMP, &s->qmp_fd, m);
	if (e == ERR_OK) {
		s->handle_fd = openat(v->dir_fd, QEMU_DIR_QMP, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		e = output_new(&v->output_fd, m);
	}
	if (e == ERR_OK)
		e = prepare_taps(s, m);
	if (e == ERR_OK && s->wait == QEMU_WAIT_CONFIG)
		e = prepare_config(s, m);
	return e;
}

static void
prepare_spawn(struct start *s)
{
	const struct vm_host_conf *conf = s->ctx->env->conf;
	struct spawn_conf *sc = &s->sc;

	sc->path = s->ctx->qemu;
	sc->argv = s->args.argv;
	pass_all(s);
	sc->output_fd = s->v->output_fd;
	sc->cwd_fd = s->v->dir_fd;     /* the mark by which adoption knows it */
	sc->uid = conf->vm_uid;
	sc->gid = conf->vm_gid;
	if (s->accel.has_group)
		sc->groups[sc->ngroups++] = s->accel.group;
	sc->cgroup_fd = s->group.v2_fd;
	for (unsigned i = 0; i < s->group.ntasks; i++)
		sc->task_fds[sc->ntasks++] = s->group.task_fds[i];
	sc->oom_score_adj = VM_OOM_SCORE;
}

/* After exec: the pid file and the connection, neither of which is worth a running VM. */
static void
settle(struct start *s, const struct spawned *sp)
{
	struct qemu_vm *v = s->v;
	struct errmsg m = { "" };

	v->pid = v->vm.ids.pid = sp->pid;
	v->vm.death_fd = sp->pidfd;
	if (qemu_dir_write_pid(v->dir_fd, sp->pid, &m) != ERR_OK ||
	    (s->wait != QEMU_WAIT_CONFIG && qemu_vm_connect(v, &m) != ERR_OK))
		vm_report_log(s->ctx->env->reporter, &v->vm.uuid, "%s", m.text);
	close(s->qmp_fd);     /* only QEMU has it now: when it ends, so does the connection */
	s->qmp_fd = -1;
}

void
start_clear(struct start *s)
{
	const int fds[] = { s->qmp_fd, s->handle_fd, s->state_fd, s->files.kernel_fd,
	    s->files.initrd_fd, s->config[0], s->config[1] };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (unsigned i = 0; i < LIMIT_NICS; i++)
		if (s->taps[i] >= 0)
			close(s->taps[i]);
	cgroup_entry_close(&s->group);
	qemu_args_clear(&s->args);
	free(s->key);
	s->key = NULL;
}

/* Gives up: what was made is removed, in reverse. */
void
start_undo(struct start *s, struct vm_outcome *out)
{
	struct qemu_vm *v = s->v;
	struct errmsg m = { "" };

	if (v == NULL)
		return;
	if (v->pid > 0)
		qemu_vm_tell(v, out);
	if ((v->dir_fd >= 0 || v->pid > 0) && qemu_vm_end(v, &m) != ERR_OK)
		vm_report_log(s->ctx->env->reporter, &v->vm.uuid,
		    "cleaning up after a failed start: %s", m.text);
	qemu_vm_free(&v->vm);
	s->v = NULL;
}

void
start_tell(const struct start *s, uint64_t exec_ns, struct vm_outcome *out)
{
	out->exec_ns = exec_ns;
	snprintf(out->detail, sizeof(out->detail), "%s", s->accel.kvm ? "kvm" : "tcg");
}

enum err
start_plan(struct start *s, struct qemu_ctx *ctx, const struct vm_spec *spec, enum qemu_wait wait,
    int state_fd, struct errmsg *m)
{
	enum err e;

	*s = (struct start){ .ctx = ctx, .spec = spec, .wait = wait, .qmp_fd = -1, .handle_fd = -1,
	    .state_fd = state_fd, .files = { .kernel_fd = -1, .initrd_fd = -1 },
		.config = { -1, -1 }, .group.v2_fd = -1 };
	for (unsigned i = 0; i < LIMIT_NICS; i++)
		s->taps[i] = -1;
	spawn_conf_init(&s->sc);
	if (spec->nnics > LIMIT_NICS || spec->ndisks > LIMIT_DISKS)
		return err_set(m, ERR_LIMIT, "at most %d NICs and %d disks", LIMIT_NICS,
		    LIMIT_DISKS);
	s->v = qemu_vm_new(ctx, &spec->uuid, spec->unit);
	e = look(s, m);
	if (e == ERR_OK)
		e = plan(s, m);
	return e;
}

enum err
start_launch(struct start *s, uint64_t *exec_ns, struct errmsg *m)
{
	struct spawned sp;
	enum err e = prepare(s, m);

	if (e != ERR_OK)
		return e;
	prepare_spawn(s);
	e = spawn_run(&s->sc, &sp, m);
	if (e != ERR_OK)
		return e;
	*exec_ns = sp.exec_ns;
	settle(s, &sp);
	return ERR_OK;
}

/* ---- entries of the driver ---- */

enum err
qemu_start(void *arg, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out)
{
	struct qemu_ctx *ctx = arg;
	uint64_t exec_ns = 0;
	struct start s;
	enum err e;

	pool_wake_begin(ctx->pool, spec->unit);
	e = start_plan(&s, ctx, spec, QEMU_WAIT_NOT, -1, &out->msg);
	if (e == ERR_OK && !ahead_use_start(&s, &exec_ns))
		e = start_launch(&s, &exec_ns, &out->msg);
	if (e == ERR_OK)
		start_tell(&s, exec_ns, out);
	start_clear(&s);
	pool_wake_end(ctx->pool);
	if (e != ERR_OK)
		start_undo(&s, out);
	else
		*vm = &s.v->vm;
	return e;
}

/* ERR_STATE when a VM of another shape was saved: QEMU would refuse it, or worse, not. */
static enum err
same_shape(struct start *s, struct errmsg *m)
{
	size_t size = strlen(s->v->shape) + 2;
	char *saved = mem_zero(size, 1);
	enum err e = ERR_OK;

	if (!qemu_dir_read(s->ctx->saved_fd, DIR_FILE(&s->spec->uuid, ".shape"), saved, size) ||
	    strcmp(saved, s->v->shape) != 0)
		e = err_set(m, ERR_STATE, "the image's settings or the accelerator changed since "
		    "the state was saved: it needs a cold boot");
	free(saved);
	return e;
}

static enum err
open_state(struct qemu_ctx *ctx, const struct vm_spec *spec, int *fd, struct vm_outcome *out)
{
	const char *name = DIR_FILE(&spec->uuid, ".state");

	*fd = openat(ctx->saved_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd >= 0)
		return ERR_OK;
	out->saved = vm_saved_may_open_later(errno);
	return errno == ENOENT ? err_set(&out->msg, ERR_MISSING, "no saved state of this VM")
	    : err_sys(&out->msg, "saved state %s", name);
}

/* From an open state to a QEMU that reads it, and says then that it runs. */
static enum err
restore(struct start *s, struct vm_outcome *out)
{
	uint64_t exec_ns = 0;
	enum err e = same_shape(s, &out->msg);

	out->saved = e != ERR_STATE;
	if (e != ERR_OK)
		return e;
	if (!ahead_use_restore(s, &exec_ns)) {
		/* One that could not be used may have read of it. */
		(void)lseek(s->state_fd, 0, SEEK_SET);
		e = start_launch(s, &exec_ns, &out->msg);
	}
	out->saved = e != ERR_OK;
	if (e != ERR_OK)
		return e;
	start_tell(s, exec_ns, out);
	return qemu_saved_arrive(s->v, &out->msg);
}

enum err
qemu_restore(void *arg, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out)
{
	struct qemu_ctx *ctx = arg;
	struct start s = { .v = NULL };
	int state_fd = -1;
	enum err e;

	pool_wake_begin(ctx->pool, spec->unit);
	out->saved = true;
	e = open_state(ctx, spec, &state_fd, out);
	if (e == ERR_OK) {
		e = start_plan(&s, ctx, spec, QEMU_WAIT_NOT, state_fd, &out->msg);
		if (e == ERR_OK)
			e = restore(&s, out);
		start_clear(&s);
	}
	if (!out->saved && qemu_saved_remove(ctx, &spec->uuid, NULL) != ERR_OK)
		vm_report_log(ctx->env->reporter, &spec->uuid,
		    "a saved state that was used or is useless could not be removed");
	pool_wake_end(ctx->pool);
	if (e != ERR_OK)
		start_undo(&s, out);
	else
		*vm = &s.v->vm;
	return e;
}
