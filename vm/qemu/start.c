/* start: from a specification to a running QEMU, cold or from a saved state. */
#include "vm/qemu/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/output.h"
#include "vm/proc/open_as_vm.h"
#include "vm/proc/overlay.h"
#include "vm/qemu/args.h"
#include "vm/net/port.h"
#include "vm/net/tap.h"

#define MIB ((uint64_t)1024 * 1024)

/* Beside the guest's memory QEMU takes 15 MiB for a unikernel, 40 for Linux (measured); slack. */
#define OVERHEAD_BYTES (96 * MIB)

#define VM_OOM_SCORE 500       /* under memory pressure a VM goes before the daemon */

/* What a start holds until the VM runs. */
struct start {
	struct qemu_ctx *ctx;
	const struct vm_spec *spec;
	struct qemu_vm *v;
	struct accel_choice accel;
	struct cgroup_entry group;
	struct qemu_args args;
	struct spawn_conf sc;
	int qmp_fd, handle_fd;     /* the socket; what stands for it (vm.c) */
	int taps[LIMIT_NICS];
	int state_fd;              /* -1: a cold boot */
	/* files behind directories that are closed to the VMs' user; -1: QEMU opens them by name */
	int kernel_fd, initrd_fd;
};

/* ---- what can be known before ---- */

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

/*
 * *linux_image, if not NULL: a Linux bzImage (Documentation/arch/x86/boot.rst: "HdrS" at 0x202).
 * *hidden_fd, if not NULL: the caller's descriptor when QEMU cannot open the file by name.
 */
static enum err
check_file(const struct vm_host_conf *conf, const char *what, const char *path, int flags,
    bool *linux_image, int *hidden_fd, struct errmsg *m)
{
	int fd = open_as_vm(conf, path, flags), hidden = -1;
	enum err e = ERR_OK;
	struct stat st;
	char magic[4];

	if (fd < 0 && errno == EACCES && hidden_fd != NULL)
		fd = hidden = open_hidden(conf, path);
	if (fd < 0)
		return open_error(conf, what, path, flags, m);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		e = err_set(m, ERR_RANGE, "%s %s is a directory", what, path);
	if (linux_image != NULL)
		*linux_image = pread(fd, magic, sizeof(magic), 0x202) == (ssize_t)sizeof(magic) &&
		    memcmp(magic, "HdrS", 4) == 0;
	if (hidden < 0 || e != ERR_OK)
		close(fd);
	else
		*hidden_fd = hidden;
	return e;
}

/* *linux_guest: it wants PC timers, clock, ACPI.  Descriptors: the caller's after an error, too. */
static enum err
check_files(const struct vm_host_conf *conf, const struct vm_spec *spec, bool *linux_guest,
    int *kernel_fd, int *initrd_fd, struct errmsg *m)
{
	enum err e = ERR_OK;

	*linux_guest = false;
	if (spec->kernel != NULL)
		e = check_file(conf, "kernel", spec->kernel, O_RDONLY, linux_guest, kernel_fd, m);
	if (e == ERR_OK && spec->initrd != NULL) {
		e = check_file(conf, "initrd", spec->initrd, O_RDONLY, NULL, initrd_fd, m);
		*linux_guest = true;
	}
	for (unsigned i = 0; i < spec->ndisks && e == ERR_OK; i++) {
		const struct vm_disk *d = &spec->disks[i];

		e = check_file(conf, "disk", d->path, d->readonly || d->overlay != NULL ? O_RDONLY
		    : O_RDWR, NULL, NULL, m);
		if (e == ERR_OK && d->overlay != NULL && access(d->overlay, F_OK) == 0)
			e = check_file(conf, "overlay", d->overlay, O_RDWR, NULL, NULL, m);
	}
	return e;
}

/* ---- the steps ---- */

static enum err
prepare_group(struct start *s, struct errmsg *m)
{
	struct qemu_ctx *ctx = s->ctx;
	struct qemu_vm *v = s->v;
	struct cgroup_limits lim = {
		.memory_bytes = s->spec->memory_bytes + OVERHEAD_BYTES +
		    (s->accel.kvm ? 0 : QEMU_TB_MIB * MIB),
		.cpu_percent = s->spec->cpu_percent,
		.cpu_weight = s->spec->cpu_weight,
	};
	const char *name = VM_UUID_STR(&s->spec->uuid);
	char groups[CGROUP_PARTS * PATH_MAX];
	enum err e;

	if (ctx->cg.nparts == 0)
		return ERR_OK;
	cgroup_describe(&ctx->cg, name, groups, sizeof(groups));
	snprintf(v->limits, sizeof(v->limits), "%" PRIu64 " %u %u\n", lim.memory_bytes,
	    lim.cpu_percent, lim.cpu_weight);
	e = qemu_dir_write(v->dir_fd, QEMU_DIR_CGROUP, groups, m);
	if (e == ERR_OK)
		e = qemu_dir_write(v->dir_fd, QEMU_DIR_LIMITS, v->limits, m);
	if (e == ERR_OK)
		e = cgroup_make(&ctx->cg, name, &lim, &s->group, m);
	return e;
}

static enum err
prepare_taps(struct start *s, struct errmsg *m)
{
	const struct vm_env *env = s->ctx->env;
	const struct vm_spec *spec = s->spec;
	enum err e = ERR_OK;

	for (unsigned i = 0; i < spec->nnics && e == ERR_OK; i++) {
		char name[IFNAMSIZ];

		tap_name(&spec->uuid, i, name);
		e = tap_make(env->parks, name, spec->nics[i].bridge, spec->nics[i].mac,
		    &s->taps[i], m);
		if (e == ERR_OK && i == 0 && spec->link)
			vm_report_link(env->reporter, &spec->uuid, name, spec->nics[i].mac);
		if (e == ERR_OK)
			e = port_take(env->parks, name, spec->nics[i].mac, m);
	}
	return e;
}

static enum err
prepare_disks(struct start *s, struct errmsg *m)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i < s->spec->ndisks && e == ERR_OK; i++)
		if (s->spec->disks[i].overlay != NULL)
			e = overlay_ensure(s->ctx->env->conf, &s->spec->disks[i], m);
	return e;
}

/* Its number in the child; -1 for -1. */
static int
pass_fd(struct spawn_conf *sc, int fd)
{
	if (fd < 0)
		return -1;
	sc->fds[sc->nfds++] = fd;
	return SPAWN_FD_FIRST + (int)sc->nfds - 1;
}

/* Descriptors in the order of their numbers in the child. */
static enum err
prepare_args(struct start *s, struct errmsg *m)
{
	struct qemu_vm *v = s->v;
	struct qemu_run run = { .spec = s->spec, .qemu = s->ctx->qemu, .cpu = s->accel.cpu,
	    .kvm = s->accel.kvm, .acpi = v->acpi };
	struct spawn_conf *sc = &s->sc;
	enum err e;

	if (v->acpi && !s->accel.kvm && s->spec->machine == VM_MACHINE_MICROVM &&
	    (s->spec->cmdline == NULL || strstr(s->spec->cmdline, "tsc_early_khz=") == NULL))
		run.tsc_khz = qemu_tsc_khz(&s->ctx->tsc);
	run.qmp_fd = pass_fd(sc, s->qmp_fd);
	run.tap_fd = SPAWN_FD_FIRST + (int)sc->nfds;
	for (unsigned i = 0; i < s->spec->nnics; i++)
		(void)pass_fd(sc, s->taps[i]);
	run.incoming_fd = pass_fd(sc, s->state_fd);
	run.kernel_fd = pass_fd(sc, s->kernel_fd);
	run.initrd_fd = pass_fd(sc, s->initrd_fd);
	(void)pass_fd(sc, s->handle_fd);   /* QEMU holds it, and need not know its number */
	e = qemu_args_build(&run, &s->args, m);
	if (e == ERR_OK)
		v->shape = qemu_args_shape(&s->args);
	return e;
}

static void
prepare_spawn(struct start *s)
{
	const struct vm_host_conf *conf = s->ctx->env->conf;
	struct spawn_conf *sc = &s->sc;

	sc->path = s->ctx->qemu;
	sc->argv = s->args.argv;
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

/* Everything up to exec: what fails most and costs least first, a directory before its contents. */
static enum err
prepare(struct start *s, struct errmsg *m)
{
	const struct vm_host_conf *conf = s->ctx->env->conf;
	struct qemu_vm *v = s->v;
	enum err e;

	e = check_files(conf, s->spec, &v->acpi, &s->kernel_fd, &s->initrd_fd, m);
	v->acpi = v->acpi || s->spec->machine == VM_MACHINE_Q35;
	if (e == ERR_OK)
		e = accel_choose(&s->ctx->accel, conf, s->ctx->qemu, s->spec->accel, &s->accel, m);
	if (e == ERR_OK && s->accel.note[0] != '\0')
		vm_report_log(s->ctx->env->reporter, &s->spec->uuid, "%s", s->accel.note);
	if (e == ERR_OK)
		e = qemu_dir_make(s->ctx, &s->spec->uuid, &v->dir_fd, m);
	if (e == ERR_OK)
		e = prepare_group(s, m);
	if (e == ERR_OK)
		e = prepare_disks(s, m);
	if (e == ERR_OK)
		e = qmp_listen(v->dir_fd, QEMU_DIR_QMP, &s->qmp_fd, m);
	if (e == ERR_OK) {
		s->handle_fd = openat(v->dir_fd, QEMU_DIR_QMP, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		e = output_new(&v->output_fd, m);
	}
	if (e == ERR_OK)
		e = prepare_taps(s, m);
	if (e == ERR_OK)
		e = prepare_args(s, m);
	return e;
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
	    qemu_vm_connect(v, &m) != ERR_OK)
		vm_report_log(s->ctx->env->reporter, &v->vm.uuid, "%s", m.text);
	close(s->qmp_fd);     /* only QEMU has it now: when it ends, so does the connection */
	s->qmp_fd = -1;
}

static void
start_clear(struct start *s)
{
	const int fds[] = { s->qmp_fd, s->handle_fd, s->state_fd, s->kernel_fd, s->initrd_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (unsigned i = 0; i < LIMIT_NICS; i++)
		if (s->taps[i] >= 0)
			close(s->taps[i]);
	cgroup_entry_close(&s->group);
	qemu_args_clear(&s->args);
}

static enum err
start_init(struct start *s, struct qemu_ctx *ctx, const struct vm_spec *spec, struct errmsg *m)
{
	*s = (struct start){ .ctx = ctx, .spec = spec, .qmp_fd = -1, .handle_fd = -1,
	    .state_fd = -1, .kernel_fd = -1, .initrd_fd = -1, .group.v2_fd = -1 };
	for (unsigned i = 0; i < LIMIT_NICS; i++)
		s->taps[i] = -1;
	spawn_conf_init(&s->sc);
	if (spec->nnics > LIMIT_NICS || spec->ndisks > LIMIT_DISKS)
		return err_set(m, ERR_LIMIT, "at most %d NICs and %d disks", LIMIT_NICS,
		    LIMIT_DISKS);
	s->v = qemu_vm_new(ctx, &spec->uuid, spec->unit);
	return ERR_OK;
}

/* Gives up: what was made is removed, in reverse. */
static void
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

static enum err
launch(struct start *s, struct vm_outcome *out)
{
	struct spawned sp;
	enum err e;

	prepare_spawn(s);
	e = spawn_run(&s->sc, &sp, &out->msg);
	if (e != ERR_OK)
		return e;
	out->exec_ns = sp.exec_ns;
	snprintf(out->detail, sizeof(out->detail), "%s", s->accel.kvm ? "kvm" : "tcg");
	settle(s, &sp);
	return ERR_OK;
}

enum err
qemu_start(void *arg, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out)
{
	struct start s;
	enum err e = start_init(&s, arg, spec, &out->msg);

	if (e == ERR_OK)
		e = prepare(&s, &out->msg);
	if (e == ERR_OK)
		e = launch(&s, out);
	start_clear(&s);
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
open_state(struct start *s, struct vm_outcome *out)
{
	const char *name = DIR_FILE(&s->spec->uuid, ".state");

	s->state_fd = openat(s->ctx->saved_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (s->state_fd >= 0)
		return ERR_OK;
	out->saved = vm_saved_may_open_later(errno);
	return errno == ENOENT ? err_set(&out->msg, ERR_MISSING, "no saved state of this VM")
	    : err_sys(&out->msg, "saved state %s", name);
}

enum err
qemu_restore(void *arg, const struct vm_spec *spec, struct vm **vm, struct vm_outcome *out)
{
	struct qemu_ctx *ctx = arg;
	struct start s;
	enum err e = start_init(&s, ctx, spec, &out->msg);

	out->saved = true;
	if (e == ERR_OK)
		e = open_state(&s, out);
	if (e == ERR_OK)
		e = prepare(&s, &out->msg);
	if (e == ERR_OK) {
		e = same_shape(&s, &out->msg);
		out->saved = e != ERR_STATE;
	}
	if (e == ERR_OK) {
		e = launch(&s, out);
		out->saved = e != ERR_OK;
	}
	start_clear(&s);
	if (e == ERR_OK)
		e = qemu_saved_arrive(s.v, &out->msg);
	if (!out->saved && qemu_saved_remove(ctx, &spec->uuid, NULL) != ERR_OK)
		vm_report_log(ctx->env->reporter, &spec->uuid,
		    "a saved state that was used or is useless could not be removed");
	if (e != ERR_OK)
		start_undo(&s, out);
	else
		*vm = &s.v->vm;
	return e;
}
