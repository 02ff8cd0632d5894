/*
 * vm: what all operations on a QEMU need: structure, control socket, console, end.
 *
 * A cleaner of temporary files may remove the socket's file, and a file that nobody links cannot be
 * given a name again.  So each QEMU holds a descriptor of that file (O_PATH), unknowingly; through
 * /proc one connects to what the descriptor stands for, as long as QEMU lives.
 */
#include "vm/qemu/qemu.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/output.h"
#include "vm/net/tap.h"

void
qemu_vm_born(struct qemu_vm *v, const struct vm_uuid *born)
{
	v->born = *born;
	for (unsigned i = 0; i < LIMIT_NICS; i++)
		tap_name(born, i, v->vm.ids.nics[i]);
}

struct qemu_vm *
qemu_vm_new(struct qemu_ctx *ctx, const struct vm_uuid *uuid, const char *unit)
{
	struct qemu_vm *v = mem_zero(1, sizeof(*v));

	*v = (struct qemu_vm){ .ctx = ctx, .dir_fd = -1, .output_fd = -1, .end.usec_cpu = -1,
	    .vm = { .uuid = *uuid, .driver = &vm_driver_qemu, .watch_fd = -1, .death_fd = -1 } };
	snprintf(v->vm.unit, sizeof(v->vm.unit), "%s", unit);
	qemu_vm_born(v, uuid);
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
	ring_clear(&v->con);
	free(v);
}

void
qemu_vm_disconnect(struct qemu_vm *v)
{
	qmp_clear(&v->qmp);
	v->vm.watch_fd = -1;
}

/* ---- the control socket ---- */

#define DELETED " (deleted)"   /* what the kernel adds to the path of a file without a name */

/*
 * Is descriptor `name` of the directory `fds` our socket?  A guest that took its QEMU over can open
 * what it likes, but nothing of ours, on our file system, that has no name.
 */
static bool
is_handle(const struct qemu_vm *v, int fds, const char *name, const char *wanted)
{
	char target[PATH_MAX];
	struct stat st, vms;
	ssize_t n = readlinkat(fds, name, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return strcmp(target, wanted) == 0 && fstatat(fds, name, &st, 0) == 0 &&
	    fstat(v->ctx->vms_fd, &vms) == 0 && S_ISSOCK(st.st_mode) && st.st_nlink == 0 &&
	    st.st_uid == geteuid() && st.st_dev == vms.st_dev;
}

/* ERR_MISSING: QEMU holds none. */
static enum err
handle_connect(struct qemu_vm *v, struct errmsg *m)
{
	char path[64], wanted[PATH_MAX + VM_UUID_TEXT + 32];
	enum err e = ERR_MISSING;
	struct dirent *d;
	DIR *dir;

	snprintf(wanted, sizeof(wanted), "%s/%s/" QEMU_DIR_QMP DELETED, v->ctx->vms_path,
	    VM_UUID_STR(&v->vm.uuid));
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)v->pid);
	dir = v->pid > 0 ? opendir(path) : NULL;
	while (dir != NULL && e == ERR_MISSING && (d = readdir(dir)) != NULL)
		if (is_handle(v, dirfd(dir), d->d_name, wanted))
			e = qmp_connect(&v->qmp, dirfd(dir), d->d_name, m);
	if (dir != NULL)
		closedir(dir);
	return e == ERR_MISSING
	    ? err_set(m, e, "the VM's directory is gone, and its QMP socket with it")
	    : e;
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
		e = handle_connect(v, m);
	v->vm.watch_fd = v->qmp.fd;
	return e;
}

void
qemu_vm_heard(struct qemu_vm *v)
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
	/* A VM that has its output here was started by this daemon. */
	if (patience_ns == 0)
		patience_ns = !v->vm.answered && v->output_fd >= 0 ? QEMU_FIRST_NS : QEMU_QMP_NS;
	e = qmp_command(&v->qmp, name, args, -1, clock_now_ns() + patience_ns, ret, m);
	qemu_vm_heard(v);
	if (e == ERR_TIMEOUT)
		v->vm.hung = true;
	if (e == ERR_MISSING || e == ERR_IO)
		qemu_vm_disconnect(v);
	return e;
}

enum err
qemu_vm_command(struct qemu_vm *v, const char *name, json_t *args, struct errmsg *m)
{
	return command_within(v, 0, name, args, NULL, m);
}

bool
qemu_vm_is_taken(struct qemu_vm *v)
{
	return v->qmp.state != QMP_READY && qmp_taken(&v->qmp, v->pid) != QMP_FREE;
}

enum err
qemu_vm_taken_error(const struct qemu_vm *v, enum err e, struct errmsg *m)
{
	return err_set(m, e, "QEMU does not answer: another program seems to be connected to its "
	    "control socket %s/%s/%s (`ss -xp` shows it); the VM is kept, "
	    "and cannot be frozen, thawed, saved or shut down until that program lets go",
	    v->ctx->vms_path, VM_UUID_STR(&v->vm.uuid), QEMU_DIR_QMP);
}

enum err
qemu_vm_untried(struct qemu_vm *v, enum err e, struct vm_outcome *out)
{
	if ((e != ERR_TIMEOUT && e != ERR_LIMIT) || !qemu_vm_is_taken(v))
		return e;
	out->kept = true;
	return qemu_vm_taken_error(v, e, &out->msg);
}

enum err
qemu_vm_status(struct qemu_vm *v, char *status, size_t size, uint64_t deadline_ns, struct errmsg *m)
{
	json_t *ret = NULL;
	const char *word;
	enum err e = qemu_vm_connect(v, m);

	if (e == ERR_OK)
		e = qmp_command(&v->qmp, "query-status", NULL, -1, deadline_ns, &ret, m);
	word = json_string_value(json_object_get(ret, "status"));
	if (e == ERR_OK && word == NULL)
		e = err_set(m, ERR_PROTO, "QEMU talks nonsense (query-status without a status)");
	qmp_word(status, size, e == ERR_OK ? word : NULL);
	json_decref(ret);
	return e;
}

enum err
qemu_vm_end(struct qemu_vm *v, struct errmsg *m)
{
	struct spawn_stat st;
	enum err e;

	if (v->vm.death_fd >= 0) {
		bool known = spawn_stat(v->pid, &st);

		e = spawn_kill(v->vm.death_fd, m);
		if (e == ERR_OK && !v->reaped)
			e = spawn_wait(v->vm.death_fd, QEMU_END_MS, &v->end, m);
		if (e != ERR_OK)
			return e;
		v->reaped = true;
		if (v->end.usec_cpu < 0 && known)
			v->end.usec_cpu = st.usec_cpu;
	}
	qemu_vm_disconnect(v);
	return qemu_dir_clean(v, m);
}

/* ---- console ---- */

/* Decodes in place; returns the length. */
static size_t
base64_decode(char *text)
{
	unsigned bits = 0, have = 0;
	size_t n = 0;

	for (const char *p = text; *p != '\0'; p++) {
		int value = base64_value((unsigned char)*p);

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

enum err
qemu_vm_console(struct qemu_vm *v, uint64_t patience_ns, struct errmsg *m)
{
	json_t *ret = NULL;
	const char *encoded;
	enum err e;

	e = command_within(v, patience_ns, "ringbuf-read", json_pack("{s:s,s:i,s:s}", "device",
	    "con", "size", LIMIT_CONSOLE_RING, "format", "base64"), &ret, m);
	if (e != ERR_OK)
		return e;
	encoded = json_string_value(ret);
	if (encoded != NULL) {
		char *text = mem_text(encoded);

		ring_keep(&v->con, text, base64_decode(text));
		free(text);
	} else {
		e = err_set(m, ERR_PROTO, "QEMU talks nonsense (ringbuf-read without text)");
	}
	json_decref(ret);
	return e;
}

void
qemu_vm_tell(struct qemu_vm *v, struct vm_outcome *out)
{
	char said[LIMIT_OUTPUT + 1];
	size_t n = output_read(v->output_fd, said, sizeof(said));

	ring_tell(&v->con, said, n, out);
}
