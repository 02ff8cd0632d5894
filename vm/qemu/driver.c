/* driver: the operations on a QEMU that runs. */
#include "vm/qemu/qemu.h"
#include "vm/net/tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/output.h"

/* ---- the driver's own ---- */

static void
qemu_close(void *arg)
{
	struct qemu_ctx *ctx = arg;

	if (ctx == NULL)
		return;
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
	enum err e;

	if ((size_t)snprintf(path, sizeof(path), "%s/vm", conf->run_dir) >= sizeof(path))
		return err_set(m, ERR_RANGE, "run directory %s: the path is too long", conf->run_dir);
	e = qemu_dir_open(path, &ctx->vms_fd, m);
	if (e != ERR_OK)
		return e;
	if (realpath(path, ctx->vms_path) == NULL)
		return err_sys(m, "directory %s", path);
	if ((size_t)snprintf(path, sizeof(path), "%s/saved", conf->state_dir) >= sizeof(path))
		return err_set(m, ERR_RANGE, "state directory %s: the path is too long", conf->state_dir);
	return qemu_dir_open(path, &ctx->saved_fd, m);
}

static enum err
qemu_open(const struct vm_env *env, void **out, struct errmsg *m)
{
	const char *qemu = env->conf->qemu != NULL ? env->conf->qemu : VM_QEMU_PROGRAM;
	struct qemu_ctx *ctx = calloc(1, sizeof(*ctx));
	char why[400];
	enum err e;

	*out = NULL;
	if (ctx == NULL)
		return err_set(m, ERR_NOMEM, "QEMU driver: out of memory");
	ctx->env = env;
	ctx->vms_fd = ctx->saved_fd = -1;
	accel_init(&ctx->accel);
	tsc_init(&ctx->tsc);
	e = open_dirs(ctx, m);
	if (e == ERR_OK) {
		e = spawn_find(qemu, ctx->qemu, sizeof(ctx->qemu), m);
		if (e == ERR_MISSING)
			e = err_set(m, ERR_UNSUPPORTED, "driver qemu: there is no program %s in PATH: install qemu-system-x86 and start jitsud again", qemu);
	}
	if (e != ERR_OK) {
		qemu_close(ctx);
		return e;
	}
	if (env->conf->use_cgroups) {
		cgroup_open(&ctx->cg, "/proc/self/cgroup", "/proc/self/mountinfo", why,
		    sizeof(why));
		if (why[0] != '\0')
			vm_report_log(env->reporter, NULL, "VMs run without %s limits: %s", ctx->cg.nparts == 0 ? "memory and CPU" : "some", why);
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

/* ---- one VM ---- */

struct qemu_vm *
qemu_vm_new(struct qemu_ctx *ctx, const struct vm_uuid *uuid, const char *unit)
{
	struct qemu_vm *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->vm.uuid = *uuid;
	v->vm.driver = &vm_driver_qemu;
	snprintf(v->vm.unit, sizeof(v->vm.unit), "%s", unit);
	v->vm.watch_fd = v->vm.death_fd = -1;
	for (unsigned i = 0; i < LIMIT_NICS; i++)
		tap_name(uuid, i, v->vm.ids.nics[i]);
	v->ctx = ctx;
	v->dir_fd = v->output_fd = -1;
	v->end.usec_cpu = -1;
	qmp_init(&v->qmp);
	return v;
}

void
qemu_vm_free(struct vm *vm)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;

	if (v == NULL)
		return;
	qmp_clear(&v->qmp);
	if (v->vm.death_fd >= 0)
		close(v->vm.death_fd);
	if (v->dir_fd >= 0)
		close(v->dir_fd);
	if (v->output_fd >= 0)
		close(v->output_fd);
	free(v->shape);
	free(v->con);
	free(v);
}

static void
disconnect(struct qemu_vm *v)
{
	qmp_clear(&v->qmp);
	v->vm.watch_fd = -1;
}

enum err
qemu_vm_connect(struct qemu_vm *v, struct errmsg *m)
{
	enum err e;

	if (v->qmp.fd >= 0)
		return ERR_OK;
	if (v->dir_fd >= 0 && faccessat(v->dir_fd, QEMU_DIR_QMP, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		e = qmp_connect(&v->qmp, v->dir_fd, QEMU_DIR_QMP, m);
	else
		e = qemu_handle_connect(v, m);
	v->vm.watch_fd = v->qmp.fd;
	return e;
}

/* Whatever it has said, it lives. */
static void
note_heard(struct qemu_vm *v)
{
	if (v->qmp.state == QMP_READY)
		v->vm.answered = true;
	if (v->qmp.heard)
		v->vm.hung = v->vm.owes = v->told_taken = false;
	v->qmp.heard = false;
}

static enum err
command_within(struct qemu_vm *v, uint64_t patience_ns, const char *name, json_t *args,
    json_t **ret, struct errmsg *m)
{
	enum err e = qemu_vm_connect(v, m);

	if (e != ERR_OK) {
		if (ret != NULL)
			*ret = NULL;
		json_decref(args);
		return e;
	}
	e = qmp_command(&v->qmp, name, args, -1, clock_now_ns() + patience_ns, ret, m);
	note_heard(v);
	if (e == ERR_TIMEOUT)
		v->vm.hung = true;
	if (e == ERR_MISSING || e == ERR_IO)
		disconnect(v);
	return e;
}

static uint64_t
patience(const struct qemu_vm *v)
{
	/* Only those that this daemon started have their output here. */
	return !v->vm.answered && v->output_fd >= 0 ? QEMU_FIRST_NS : QEMU_QMP_NS;
}

enum err
qemu_vm_command(struct qemu_vm *v, const char *name, json_t *args, json_t **ret, struct errmsg *m)
{
	return command_within(v, patience(v), name, args, ret, m);
}

/* Does another program have the one connection that QEMU serves?  Nobody can know on a kernel that does not tell. */
static bool
is_taken(struct qemu_vm *v)
{
	return v->qmp.state != QMP_READY && qmp_taken(&v->qmp, v->pid) != QMP_FREE;
}

static enum err
taken_error(const struct qemu_vm *v, enum err e, struct errmsg *m)
{
	char uuid[VM_UUID_TEXT];

	vm_uuid_text(&v->vm.uuid, uuid);
	return err_set(m, e, "QEMU does not answer: another program seems to be connected to its control socket %s/%s/%s (`ss -xp` shows it); the VM is kept, "
	    "and cannot be frozen, thawed, saved or shut down until that program lets go", v->ctx->vms_path, uuid, QEMU_DIR_QMP);
}

enum err
qemu_vm_untried(struct qemu_vm *v, enum err e, struct vm_outcome *out)
{
	if ((e != ERR_TIMEOUT && e != ERR_LIMIT) || !is_taken(v))
		return e;
	out->kept = true;
	return taken_error(v, e, &out->msg);
}

enum err
qemu_vm_status(struct qemu_vm *v, char *status, size_t size, uint64_t deadline_ns, struct errmsg *m)
{
	json_t *ret = NULL;
	const char *word;
	size_t n = 0;
	enum err e;

	status[0] = '\0';
	e = qemu_vm_connect(v, m);
	if (e == ERR_OK)
		e = qmp_command(&v->qmp, "query-status", NULL, -1, deadline_ns, &ret, m);
	word = json_string_value(json_object_get(ret, "status"));
	if (e == ERR_OK && word == NULL)
		e = err_set(m, ERR_PROTO, "QEMU talks nonsense (query-status without a status)");
	for (; e == ERR_OK && *word != '\0' && n + 1 < size; word++)
		if ((*word >= 'a' && *word <= 'z') || *word == '-')
			status[n++] = *word;
	status[n] = '\0';
	json_decref(ret);
	return e;
}

enum err
qemu_vm_end(struct qemu_vm *v, struct errmsg *m)
{
	enum err e = ERR_OK;

	if (v->vm.death_fd >= 0) {
		int64_t usec = -1;

		if (qemu_dir_starttime(v->pid, &usec) == 0)
			usec = -1;
		e = spawn_kill(v->vm.death_fd, m);
		if (e == ERR_OK && !v->reaped)
			e = spawn_wait(v->vm.death_fd, QEMU_END_MS, &v->end, m);
		if (e != ERR_OK)
			return e;
		v->reaped = true;
		if (v->end.usec_cpu < 0)
			v->end.usec_cpu = usec;
	}
	disconnect(v);
	return qemu_dir_clean(v->ctx, &v->vm.uuid, v->dir_fd, m);
}

/* ---- console ---- */

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes in place; returns the length. */
static size_t
base64_decode(char *text)
{
	unsigned bits = 0, have = 0;
	size_t n = 0;

	for (const char *p = text; *p != '\0'; p++) {
		int value = base64_value(*p);

		if (value < 0)
			break;
		bits = bits << 6 | (unsigned)value;
		have += 6;
		if (have >= 8) {
			have -= 8;
			text[n++] = (char)(bits >> have & 0xff);
		}
	}
	return n;
}

/* Keeps the last LIMIT_CONSOLE_RING bytes: reading QEMU's ring consumes it. */
static enum err
console_keep(struct qemu_vm *v, const char *text, size_t n, struct errmsg *m)
{
	if (v->con == NULL && (v->con = malloc(LIMIT_CONSOLE_RING)) == NULL)
		return err_set(m, ERR_NOMEM, "console: out of memory");
	if (n > LIMIT_CONSOLE_RING) {
		text += n - LIMIT_CONSOLE_RING;
		n = LIMIT_CONSOLE_RING;
	}
	if (v->con_len + n > LIMIT_CONSOLE_RING) {
		size_t drop = v->con_len + n - LIMIT_CONSOLE_RING;

		memmove(v->con, v->con + drop, v->con_len - drop);
		v->con_len -= drop;
	}
	memcpy(v->con + v->con_len, text, n);
	v->con_len += n;
	return ERR_OK;
}

static enum err
console_read(struct qemu_vm *v, uint64_t patience_ns, struct errmsg *m)
{
	json_t *ret = NULL;
	const char *encoded;
	char *text = NULL;
	enum err e;

	e = command_within(v, patience_ns, "ringbuf-read",
	    json_pack("{s:s,s:i,s:s}", "device", "con", "size", LIMIT_CONSOLE_RING, "format", "base64"), &ret, m);
	if (e != ERR_OK)
		return e;
	encoded = json_string_value(ret);
	if (encoded == NULL)
		e = err_set(m, ERR_PROTO, "QEMU talks nonsense (ringbuf-read without text)");
	else if ((text = strdup(encoded)) == NULL)
		e = err_set(m, ERR_NOMEM, "console: out of memory");
	else
		e = console_keep(v, text, base64_decode(text), m);
	free(text);
	json_decref(ret);
	return e;
}

void
qemu_vm_tell(struct qemu_vm *v, struct vm_outcome *out)
{
	char said[LIMIT_OUTPUT + 1];
	size_t n = output_read(v->output_fd, said, sizeof(said));

	free(out->text);
	out->text_len = 0;
	out->text = malloc(v->con_len + n + 1);
	if (out->text == NULL)
		return;
	if (v->con_len > 0)
		memcpy(out->text, v->con, v->con_len);
	memcpy(out->text + v->con_len, said, n);
	out->text_len = v->con_len + n;
	out->text[out->text_len] = '\0';
}

static enum err
qemu_console(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	enum err e = console_read(v, patience(v), &out->msg);

	if (e == ERR_OK)
		qemu_vm_tell(v, out);
	return e;
}

/* One that has not greeted us, or owes an answer, would not tell in time; then there is what it has told. */
static void
qemu_words(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	struct errmsg unused;

	if (v->qmp.state == QMP_READY && !vm->hung && !vm->owes)
		(void)console_read(v, QEMU_LAST_NS, &unused);
	qemu_vm_tell(v, out);
}

/* ---- operations ---- */

static enum err
qemu_ask(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;

	if (!v->acpi)
		return err_set(&out->msg, ERR_UNSUPPORTED, "this machine has no power button (microvm without ACPI): it is destroyed instead of shut down");
	if (v->frozen) {
		enum err e = qemu_vm_command(v, "cont", NULL, NULL, &out->msg);

		if (e != ERR_OK)
			return e;
		v->frozen = false;
	}
	return qemu_vm_command(v, "system_powerdown", NULL, NULL, &out->msg);
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
qemu_freeze(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	enum err e = qemu_vm_command(v, "stop", NULL, NULL, &out->msg);

	v->qmp.saw_stop = false;
	if (e == ERR_OK)
		v->frozen = true;
	return qemu_vm_untried(v, e, out);
}

static enum err
qemu_thaw(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	enum err e = qemu_vm_command(v, "cont", NULL, NULL, &out->msg);

	v->qmp.saw_resume = false;
	if (e == ERR_OK)
		v->frozen = false;
	return qemu_vm_untried(v, e, out);
}

static enum err
qemu_discard(void *arg, const struct vm_uuid *uuid, struct errmsg *m)
{
	return qemu_saved_remove(arg, uuid, m);
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
	bool ended;

	note_heard(v);
	if (e == ERR_PROTO) {
		snprintf(why, whylen, "%s", m.text);
		ended = true;
	} else {
		ended = (e == ERR_OK || v->qmp.saw_shutdown || v->qmp.saw_panic) && has_ended(v, why, whylen);
		/* The process usually follows its connection; that comes by death_fd. */
		if (!ended && e != ERR_OK)
			disconnect(v);
	}
	if (!ended)
		return VM_WATCH_ALIVE;
	if (e == ERR_OK)
		(void)console_read(v, patience(v), &m);     /* without it there are fewer last lines */
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
		disconnect(v);     /* the process usually follows: death_fd */
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
	note_heard(v);
	if (!vm->owes || (e != ERR_OK && e != ERR_TIMEOUT && e != ERR_LIMIT)) {
		vm->owes = false;      /* it lives, or cannot be asked any more: then death_fd tells */
		return VM_WATCH_ALIVE;
	}
	if (is_taken(v)) {
		vm->owes = false;      /* the next who wants to know asks again */
		(void)taken_error(v, ERR_TIMEOUT, &m);
		if (!v->told_taken)
			vm_report_log(v->ctx->env->reporter, &vm->uuid, "%s", m.text);
		v->told_taken = true;
		return VM_WATCH_ALIVE;
	}
	snprintf(why, whylen, "QEMU hangs: it does not answer on its control socket (limits: hang-timeout)");
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

static enum err
qemu_keep(void *ctx, struct errmsg *m)
{
	return qemu_dir_vms_keep(ctx, m);
}

static enum err
qemu_keep_vm(struct vm *vm, struct errmsg *m)
{
	return qemu_dir_keep((struct qemu_vm *)vm, m);
}

const struct vm_driver vm_driver_qemu = {
	.name = "qemu",
	.caps = VM_CAN_FREEZE | VM_CAN_SAVE | VM_CAN_SHUTDOWN | VM_CAN_CONSOLE | VM_CAN_CHECK,
	.open = qemu_open,
	.close = qemu_close,
	.prepare = qemu_prepare,
	.check = qemu_check,
	.start = qemu_start,
	.restore = qemu_restore,
	.discard = qemu_discard,
	.ask = qemu_ask,
	.words = qemu_words,
	.stop = qemu_stop,
	.freeze = qemu_freeze,
	.thaw = qemu_thaw,
	.save = qemu_save,
	.console = qemu_console,
	.watched = qemu_watched,
	.ask_alive = qemu_ask_alive,
	.judge = qemu_judge,
	.died = qemu_died,
	.list = qemu_list,
	.keep = qemu_keep,
	.keep_vm = qemu_keep_vm,
	.free = qemu_vm_free,
};
