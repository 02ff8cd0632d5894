/* driver: the operations on a QEMU that runs, and the driver's own beginning and end. */
#include "vm/qemu/qemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/output.h"
#include "vm/qemu/pool.h"

/* ---- the driver's own ---- */

static void
qemu_close(void *arg)
{
	struct qemu_ctx *ctx = arg;

	if (ctx == NULL)
		return;
	pool_free(ctx->pool);
	cgroup_close(&ctx->cg);
	accel_clear(&ctx->accel);
	if (ctx->vms_fd >= 0)
		close(ctx->vms_fd);
	if (ctx->saved_fd >= 0)
		close(ctx->saved_fd);
	free(ctx);
}

static enum err
open_dirs(struct qemu_ctx *ctx, struct errmsg *m)
{
	const struct vm_host_conf *conf = ctx->env->conf;
	char path[PATH_MAX];
	enum err e = dir_open_in(conf->run_dir, "vm", &ctx->vms_fd, m);

	if (e != ERR_OK)
		return e;
	snprintf(path, sizeof(path), "%s/vm", conf->run_dir);
	if (realpath(path, ctx->vms_path) == NULL)
		return err_sys(m, "directory %s", path);
	return dir_open_in(conf->state_dir, "saved", &ctx->saved_fd, m);
}

static enum err
qemu_open(const struct vm_env *env, void **out, struct errmsg *m)
{
	const char *qemu = env->conf->qemu != NULL ? env->conf->qemu : VM_QEMU_PROGRAM;
	struct qemu_ctx *ctx = mem_zero(1, sizeof(*ctx));
	char why[400];
	enum err e;

	*out = NULL;
	*ctx = (struct qemu_ctx){ .env = env, .vms_fd = -1, .saved_fd = -1,
	    .pool = pool_new(ctx) };
	accel_init(&ctx->accel);
	qemu_tsc_init(&ctx->tsc);
	e = open_dirs(ctx, m);
	if (e == ERR_OK && (e = spawn_find(qemu, ctx->qemu, sizeof(ctx->qemu), m)) == ERR_MISSING)
		e = err_set(m, ERR_UNSUPPORTED, "driver qemu: there is no program %s in PATH: "
		    "install qemu-system-x86 and start jitsud again", qemu);
	if (e != ERR_OK) {
		qemu_close(ctx);
		return e;
	}
	if (env->conf->use_cgroups) {
		cgroup_open(&ctx->cg, "/proc/self/cgroup", "/proc/self/mountinfo", why,
		    sizeof(why));
		if (why[0] != '\0')
			vm_report_log(env->reporter, NULL, "VMs run without %s limits: %s",
			    ctx->cg.nparts == 0 ? "memory and CPU" : "some", why);
	}
	*out = ctx;
	return ERR_OK;
}

static void
qemu_prepare(void *arg, enum vm_accel accel)
{
	struct qemu_ctx *ctx = arg;

	if (accel != VM_ACCEL_TCG)
		accel_prepare(&ctx->accel, ctx->env->conf, ctx->qemu);
}

static void
qemu_quit(void *arg)
{
	struct qemu_ctx *ctx = arg;

	pool_quit(ctx->pool);
}

static void
qemu_want(void *arg, struct vm_wish *list, unsigned n)
{
	struct qemu_ctx *ctx = arg;

	pool_want(ctx->pool, list, n);
}

static void
qemu_see(void *arg, const char *unit, struct vm_ahead *see)
{
	struct qemu_ctx *ctx = arg;

	pool_see(ctx->pool, unit, see);
}

/* ---- console ---- */

static enum err
qemu_console(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	enum err e = qemu_vm_console(v, 0, &out->msg);

	if (e == ERR_OK)
		qemu_vm_tell(v, out);
	return e;
}

/* A QEMU that has not greeted us, or owes an answer, would not tell in time. */
static void
qemu_words(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	struct errmsg unused;

	if (v->qmp.state == QMP_READY && !vm->hung && !vm->owes)
		(void)qemu_vm_console(v, QEMU_LAST_NS, &unused);
	qemu_vm_tell(v, out);
}

/* ---- operations ---- */

static enum err
qemu_ask(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	enum err e = ERR_OK;

	if (!v->acpi)
		return err_set(&out->msg, ERR_UNSUPPORTED, "this machine has no power button "
		    "(microvm without ACPI): it is destroyed instead of shut down");
	if (v->frozen)
		e = qemu_vm_command(v, "cont", NULL, &out->msg);
	if (e != ERR_OK)
		return e;
	v->frozen = false;
	return qemu_vm_command(v, "system_powerdown", NULL, &out->msg);
}

static enum err
qemu_stop(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	enum err e;

	if (out->text == NULL)
		qemu_words(vm, out);
	e = qemu_vm_end(v, &out->msg);
	out->usec_cpu = v->end.usec_cpu;
	return e;
}

static enum err
qemu_freeze(struct vm *vm, bool freeze, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	enum err e = qemu_vm_command(v, freeze ? "stop" : "cont", NULL, &out->msg);

	/* The event of what was ordered is no news. */
	if (freeze)
		v->qmp.saw_stop = false;
	else
		v->qmp.saw_resume = false;
	if (e == ERR_OK)
		v->frozen = freeze;
	return qemu_vm_untried(v, e, out);
}

/* ---- what happens by itself ---- */

static const struct {
	const char *status;
	const char *why;
} ends[] = {
	{ "shutdown", "the guest shut down or reset itself" },
	{ "guest-panicked", "the guest panicked" },
	{ "internal-error", "QEMU or KVM stopped the guest after an internal error" },
	{ "io-error", "QEMU stopped the guest after a disk error" },
};

static bool
has_ended(struct qemu_vm *v, char *why, size_t whylen)
{
	char status[32];
	struct errmsg m;

	if (v->qmp.saw_shutdown) {
		const char *reason = v->qmp.reason;

		if (strcmp(reason, "guest-shutdown") == 0)
			snprintf(why, whylen, "the guest shut down");
		else if (strcmp(reason, "guest-reset") == 0)
			snprintf(why, whylen, "the guest reset itself (a crash, or a reboot)");
		else
			snprintf(why, whylen, "QEMU shut down (%s)", reason);
		return true;
	}
	if (v->qmp.saw_panic) {
		snprintf(why, whylen, "the guest panicked");
		return true;
	}
	if (v->qmp.state != QMP_READY || (v->asked_status && (!v->qmp.saw_stop || v->frozen)))
		return false;
	/* What happened before we were connected sent no event. */
	v->asked_status = true;
	v->qmp.saw_stop = false;
	if (qemu_vm_status(v, status, sizeof(status), clock_now_ns() + QEMU_QMP_NS, &m) != ERR_OK)
		return false;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strcmp(status, ends[i].status) == 0) {
			snprintf(why, whylen, "%s", ends[i].why);
			return true;
		}
	return false;
}

static enum vm_watch_verdict
qemu_watched(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	struct errmsg m = { "" };
	enum err e = qmp_pump(&v->qmp, &m);

	qemu_vm_heard(v);
	if (e == ERR_PROTO) {
		snprintf(why, whylen, "%s", m.text);
	} else if ((e != ERR_OK && !v->qmp.saw_shutdown && !v->qmp.saw_panic) ||
	    !has_ended(v, why, whylen)) {
		/* The process usually follows its connection; that comes by death_fd. */
		if (e != ERR_OK)
			qemu_vm_disconnect(v);
		return VM_WATCH_ALIVE;
	}
	if (e == ERR_OK)
		(void)qemu_vm_console(v, 0, &m);     /* without it there are fewer last lines */
	qemu_vm_tell(v, out);
	return VM_WATCH_ENDED;
}

/* Nothing is sent to a QEMU that has not greeted us yet: the greeting is as good an answer. */
static enum vm_watch_verdict
qemu_ask_alive(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	struct errmsg m = { "" };
	enum err e;

	/* What it said before it was asked is no answer. */
	if (v->qmp.fd >= 0 && qemu_watched(vm, why, whylen, out) == VM_WATCH_ENDED)
		return VM_WATCH_ENDED;
	e = qemu_vm_connect(v, &m);
	vm->owes = e == ERR_OK || e == ERR_LIMIT;
	if (v->qmp.state == QMP_READY)
		e = qmp_ask(&v->qmp, "query-status", &m);
	if (e == ERR_MISSING || e == ERR_IO)
		qemu_vm_disconnect(v);     /* the process usually follows: death_fd */
	return VM_WATCH_ALIVE;
}

static bool
was_heard(const struct qmp *q)
{
	return q->heard;
}

static enum vm_watch_verdict
qemu_judge(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	struct errmsg m = { "" };
	enum err e = qemu_vm_connect(v, &m);

	/* A little more, for a machine that stood still itself. */
	if (e == ERR_OK)
		e = qmp_wait(&v->qmp, was_heard, clock_now_ns() + QEMU_QMP_NS, &m);
	qemu_vm_heard(v);
	if (!vm->owes || (e != ERR_OK && e != ERR_TIMEOUT && e != ERR_LIMIT)) {
		/* it lives, or cannot be asked any more: then death_fd tells */
		vm->owes = false;
		return VM_WATCH_ALIVE;
	}
	if (qemu_vm_is_taken(v)) {
		vm->owes = false;      /* the next who wants to know asks again */
		(void)qemu_vm_taken_error(v, ERR_TIMEOUT, &m);
		if (!v->told_taken)
			vm_report_log(v->ctx->env->reporter, &vm->uuid, "%s", m.text);
		v->told_taken = true;
		return VM_WATCH_ALIVE;
	}
	snprintf(why, whylen, "QEMU hangs: it does not answer on its control socket (limits: "
	    "hang-timeout)");
	qemu_vm_tell(v, out);
	return VM_WATCH_ENDED;
}

static void
qemu_died(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	struct errmsg m = { "" };
	char how[80], said[256];

	if (spawn_wait(vm->death_fd, 0, &v->end, &m) == ERR_OK)
		v->reaped = true;
	spawn_end_text(&v->end, how, sizeof(how));
	output_last_line(v->output_fd, said, sizeof(said));
	snprintf(why, whylen, "QEMU %s%s%s", how, said[0] != '\0' ? ": " : "", said);
	qemu_vm_tell(v, out);
}

const struct vm_driver vm_driver_qemu = {
	.name = "qemu",
	.caps = VM_CAN_FREEZE | VM_CAN_SAVE | VM_CAN_SHUTDOWN | VM_CAN_CONSOLE | VM_CAN_CHECK |
	    VM_CAN_AHEAD,
	.open = qemu_open, .close = qemu_close, .prepare = qemu_prepare,
	.quit = qemu_quit, .want = qemu_want, .see = qemu_see,
	.start = qemu_start, .restore = qemu_restore, .discard = qemu_saved_remove,
	.ask = qemu_ask, .words = qemu_words, .stop = qemu_stop,
	.freeze = qemu_freeze, .save = qemu_save, .console = qemu_console,
	.watched = qemu_watched, .ask_alive = qemu_ask_alive, .judge = qemu_judge,
	.died = qemu_died, .list = qemu_list,
	.keep = qemu_dir_vms_keep, .keep_vm = qemu_dir_keep, .free = qemu_vm_free,
};
