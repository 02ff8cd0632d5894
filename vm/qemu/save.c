/* save: a VM's state in a file, by migration to a descriptor. */
#include "vm/qemu/qemu.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum err
qemu_saved_remove(void *arg, const struct vm_uuid *uuid, struct errmsg *m)
{
	static const char *const suffixes[] = { ".part", ".shape", ".state" };
	const struct qemu_ctx *ctx = arg;
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		enum err one = dir_drop(ctx->saved_fd, uuid, suffixes[i], e == ERR_OK ? m : NULL);

		e = e == ERR_OK ? one : e;
	}
	return e;
}

static bool
saw_running(const struct qmp *q)
{
	return q->saw_resume || q->saw_migration_failed || q->saw_shutdown;
}

enum err
qemu_saved_arrive(struct qemu_vm *v, struct errmsg *m)
{
	uint64_t deadline = clock_now_ns() + QEMU_RESTORE_NS;
	char status[32] = "";
	enum err e = qemu_vm_connect(v, m);

	if (e == ERR_OK)
		e = qemu_vm_status(v, status, sizeof(status), deadline, m);
	if (e == ERR_OK && strcmp(status, "inmigrate") == 0) {
		e = qmp_wait(&v->qmp, saw_running, deadline, m);
		if (e == ERR_OK)
			e = qemu_vm_status(v, status, sizeof(status), deadline, m);
	}
	if (e == ERR_OK && strcmp(status, "paused") == 0)
		e = qemu_vm_command(v, "cont", NULL, m);
	else if (e == ERR_OK && strcmp(status, "running") != 0)
		e = err_set(m, ERR_STATE, "after the restore QEMU says \"%s\" instead of "
		    "\"running\"", status);
	v->qmp.saw_stop = v->qmp.saw_resume = false;
	v->vm.answered = e == ERR_OK;
	return e;
}

static bool
saw_migrated(const struct qmp *q)
{
	return q->saw_migrated || q->saw_migration_failed || q->saw_shutdown || q->saw_panic;
}

/* Migrates a *running* VM: one that was paused before would stay paused after the restore. */
static enum err
migrate(struct qemu_vm *v, int fd, struct errmsg *m)
{
	uint64_t deadline = clock_now_ns() + QEMU_SAVE_NS;
	enum err e;

	e = qemu_vm_command(v, "migrate-set-capabilities",
	    json_pack("{s:[{s:s,s:b}]}", "capabilities", "capability", "events", "state", 1), m);
	if (e == ERR_OK)
		e = qemu_vm_command(v, "migrate-set-parameters", json_pack("{s:I}", "max-bandwidth",
		    (json_int_t)1 << 40), m);
	if (e == ERR_OK)
		e = qmp_command(&v->qmp, "getfd", json_pack("{s:s}", "fdname", "save"), fd,
		    clock_now_ns() + QEMU_QMP_NS, NULL, m);
	if (e == ERR_OK && v->frozen)
		e = qemu_vm_command(v, "cont", NULL, m);
	if (e == ERR_OK) {
		v->qmp.saw_migrated = v->qmp.saw_migration_failed = false;
		e = qemu_vm_command(v, "migrate", json_pack("{s:s}", "uri", "fd:save"), m);
	}
	if (e == ERR_OK)
		e = qmp_wait(&v->qmp, saw_migrated, deadline, m);
	if (e == ERR_OK && !v->qmp.saw_migrated)
		e = err_set(m, ERR_IO, v->qmp.saw_migration_failed ?
		    "QEMU could not write the state (is the file system full?)" :
		    "the guest ended while its state was saved");
	return e;
}

/* Back to what it was before: running or frozen. */
static void
migrate_undo(struct qemu_vm *v)
{
	/* Each may be refused, by how far the migration came; the VM itself tells the outcome. */
	(void)qemu_vm_command(v, "migrate_cancel", NULL, NULL);
	(void)qemu_vm_command(v, v->frozen ? "stop" : "cont", NULL, NULL);
	v->qmp.saw_stop = v->qmp.saw_resume = false;
}

enum err
qemu_save(struct vm *vm, struct vm_outcome *out)
{
	struct qemu_vm *v = (struct qemu_vm *)vm;
	struct qemu_ctx *ctx = v->ctx;
	const char *part = DIR_FILE(&vm->uuid, ".part");
	int fd = -1;
	enum err e;

	if (v->shape == NULL)
		return err_set(&out->msg, ERR_STATE,
		    "this VM's command line is not known, so its state could not be restored");
	e = qemu_vm_connect(v, &out->msg);
	if (e != ERR_OK)
		return qemu_vm_untried(v, e, out);
	fd = openat(ctx->saved_fd, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return err_sys(&out->msg, "saved state");
	e = migrate(v, fd, &out->msg);
	close(fd);
	if (e == ERR_OK)
		e = qemu_dir_write(ctx->saved_fd, DIR_FILE(&vm->uuid, ".shape"), v->shape,
		    &out->msg);
	if (e == ERR_OK &&
	    renameat(ctx->saved_fd, part, ctx->saved_fd, DIR_FILE(&vm->uuid, ".state")) != 0)
		e = err_sys(&out->msg, "saved state");
	if (e != ERR_OK) {
		e = qemu_vm_untried(v, e, out);
		if (!out->kept)
			migrate_undo(v);
		/* the first error is the one to tell */
		(void)qemu_saved_remove(ctx, &vm->uuid, NULL);
		return e;
	}
	e = qemu_vm_end(v, &out->msg);
	out->usec_cpu = v->end.usec_cpu;
	return e;
}
