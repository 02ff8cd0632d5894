/*
 * adopt: which QEMUs are ours, and how they are.
 *
 * Ours is a process that works in run_dir/vm/UUID with `-uuid UUID` and our VMs' user, or that the
 * `pid` file of such a directory names with its start time (a guest that took its QEMU over can
 * change its directory and its command line, but not that).  Nothing else is touched.
 */
#include "vm/qemu/qemu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "vm/qemu/pool.h"

#define ADOPT_NS (3 * NS_PER_S)     /* for all of them together to answer, */
#define EXEC_NS (2 * NS_PER_S)      /* for a process of the daemon before us to execute QEMU; */
#define EXEC_PAUSE_MS 5             /* nothing tells when it has */

struct found {
	struct qemu_vm *v;
	const char *why;           /* broken; NULL so far whole */
	bool silent;               /* whole, but without an answer */
	bool waits;                /* it was started ahead, and is no VM's */
	bool told_born;            /* its directory told what it was started under */
	bool lacks_files;          /* its directory is there, but not what it said of the process */
	struct errmsg m;           /* behind why, where it came from a call */
};

struct search {
	struct qemu_ctx *ctx;
	struct found *list;
	size_t n, size;
	bool unsettled;            /* a process may be on its way to be one of ours */
};

static struct found *
search_add(struct search *s, const struct vm_uuid *uuid)
{
	struct found *f;

	s->list = mem_room(s->list, s->n, &s->size, sizeof(*s->list));
	f = &s->list[s->n++];
	memset(f, 0, sizeof(*f));
	f->v = qemu_vm_new(s->ctx, uuid, "");
	return f;
}

static struct found *
search_find(struct search *s, const struct vm_uuid *uuid)
{
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(&s->list[i].v->vm.uuid, uuid, sizeof(*uuid)) == 0)
			return &s->list[i];
	return NULL;
}

/* ---- directories ---- */

static void
found_dir(const struct vm_uuid *uuid, const char *rest, void *arg)
{
	struct search *s = arg;
	char text[VM_UUID_TEXT];
	struct vm_uuid born;
	struct found *f;

	if (rest[0] != '\0')
		return;
	f = search_add(s, uuid);
	f->v->dir_fd = openat(s->ctx->vms_fd, VM_UUID_STR(uuid),
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->v->dir_fd < 0)
		return;
	f->waits = faccessat(f->v->dir_fd, QEMU_DIR_WAITS, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	f->told_born = qemu_dir_read(f->v->dir_fd, QEMU_DIR_BORN, text, sizeof(text)) &&
	    vm_uuid_parse(text, &born);
	if (f->told_born)
		qemu_vm_born(f->v, &born);
}

/* ---- processes ---- */

struct cmdline {
	char text[LIMIT_PROC_CMDLINE];
	char *argv[LIMIT_PROC_CMDLINE / 2];
	size_t n;
};

static void
split(struct cmdline *c, size_t have, char separator)
{
	c->n = 0;
	for (size_t at = 0; at < have && c->n < sizeof(c->argv) / sizeof(c->argv[0]);) {
		char *end = memchr(c->text + at, separator, have - at);

		if (end != NULL)
			*end = '\0';
		c->argv[c->n++] = c->text + at;
		at = end != NULL ? (size_t)(end - c->text) + 1 : have;
	}
}

static bool
cmdline_read(pid_t pid, struct cmdline *c)
{
	char path[64];
	size_t have = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (have < sizeof(c->text) - 1 &&
	    (n = read(fd, c->text + have, sizeof(c->text) - 1 - have)) > 0)
		have += (size_t)n;
	close(fd);
	c->text[have] = '\0';
	split(c, have, '\0');
	return c->n > 0;
}

static const char *
cmdline_value(const struct cmdline *c, const char *option)
{
	for (size_t i = 0; i + 1 < c->n; i++)
		if (strcmp(c->argv[i], option) == 0)
			return c->argv[i + 1];
	return NULL;
}

/* The UUID of the VM directory in which the process works. */
static bool
works_in(const struct qemu_ctx *ctx, pid_t pid, struct vm_uuid *uuid)
{
	char path[64], cwd[PATH_MAX];
	size_t len = strlen(ctx->vms_path);
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	n = readlink(path, cwd, sizeof(cwd) - 1);
	if (n < (ssize_t)(len + VM_UUID_TEXT) || strncmp(cwd, ctx->vms_path, len) != 0 ||
	    cwd[len] != '/')
		return false;
	cwd[len + VM_UUID_TEXT] = '\0';     /* " (deleted)" may follow the name */
	return vm_uuid_parse(cwd + len + 1, uuid);
}

static bool
has_our_uid(const struct qemu_ctx *ctx, pid_t pid)
{
	uid_t uid = ctx->env->conf->vm_uid != 0 ? ctx->env->conf->vm_uid : geteuid();
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return stat(path, &st) == 0 && st.st_uid == uid;
}

/* Takes what the command line tells: name, power button, shape; or what stands in its place. */
static void
learn(struct qemu_vm *v, struct cmdline *c)
{
	struct qemu_args args = { .argv = c->argv };
	const char *name, *machine, *incoming;

	v->shape_hidden = v->dir_fd >= 0 &&
	    qemu_dir_read(v->dir_fd, QEMU_DIR_SHAPE, c->text, sizeof(c->text));
	if (v->shape_hidden)
		split(c, strlen(c->text), '\n');
	args.n = c->n;
	name = cmdline_value(c, "-name");
	machine = cmdline_value(c, "-machine");
	if (name != NULL && strncmp(name, "guest=", 6) == 0)
		snprintf(v->vm.unit, sizeof(v->vm.unit), "%s", name + 6);
	v->acpi = machine != NULL && strstr(machine, "acpi=off") == NULL;
	/* What one became that had no configuration, or no state, its command line does not say. */
	incoming = cmdline_value(c, "-incoming");
	if (!v->shape_hidden && memcmp(&v->born, &v->vm.uuid, sizeof(v->born)) != 0 &&
	    (cmdline_value(c, "-readconfig") != NULL ||
	    (incoming != NULL && strcmp(incoming, "defer") == 0)))
		return;
	v->shape = qemu_args_shape(&args);
}

static void
take_process(struct found *f, pid_t pid, struct cmdline *c)
{
	struct spawn_stat st;
	int fd = f->v->pid > 0 ? -1 : spawn_pidfd(pid);

	if (fd < 0)
		return;
	/* The open pidfd keeps the number from another process, so it is checked once more. */
	if (!spawn_stat(pid, &st)) {
		close(fd);
		return;
	}
	f->v->pid = f->v->vm.ids.pid = pid;
	f->v->vm.death_fd = fd;
	learn(f->v, c);
}

static void
by_pid_file(struct search *s, struct found *f, struct cmdline *c)
{
	char text[64];
	unsigned long long start;
	struct spawn_stat st;
	int pid;

	if (f->v->dir_fd >= 0 && qemu_dir_read(f->v->dir_fd, QEMU_DIR_PID, text, sizeof(text)) &&
	    sscanf(text, "%d %llu", &pid, &start) == 2 && pid > 0 && spawn_stat(pid, &st) &&
	    st.start_ticks == start && has_our_uid(s->ctx, pid) && cmdline_read(pid, c))
		take_process(f, pid, c);
}

static enum err
by_scan(struct search *s, struct cmdline *c, struct errmsg *m)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	if (proc == NULL)
		return err_sys(m, "/proc");
	while ((d = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
		struct vm_uuid at, named;
		const char *text;
		struct found *f;

		if (pid <= 0 || !works_in(s->ctx, pid, &at))
			continue;
		f = search_find(s, &at);
		if (f != NULL && f->v->pid > 0)
			continue;
		text = has_our_uid(s->ctx, pid) && cmdline_read(pid, c) ? cmdline_value(c, "-uuid")
		    : NULL;
		/* Under which UUID it was started stood in its directory, which may be gone. */
		if (vm_uuid_parse(text, &named) && (f == NULL || !f->told_born ||
		    memcmp(&at, &named, sizeof(at)) == 0 ||
		    memcmp(&f->v->born, &named, sizeof(named)) == 0)) {
			if (f == NULL)
				f = search_add(s, &at);
			qemu_vm_born(f->v, &named);
			f->lacks_files = f->v->dir_fd >= 0;
			take_process(f, pid, c);
		} else {
			s->unsettled = true;
		}
	}
	closedir(proc);
	return ERR_OK;
}

/*
 * Waits for processes whose daemon was killed while it started them: user, owner in /proc and
 * command line change until QEMU is executed.  Others who work in such a directory are ignored.
 */
static enum err
find_processes(struct search *s, struct errmsg *m)
{
	uint64_t deadline = clock_now_ns() + EXEC_NS;
	struct cmdline *c = mem_zero(1, sizeof(*c));
	bool late;
	enum err e;

	do {
		late = clock_now_ns() >= deadline;
		s->unsettled = false;
		for (size_t i = 0; i < s->n; i++)
			if (s->list[i].v->pid == 0)
				by_pid_file(s, &s->list[i], c);
		e = by_scan(s, c, m);
		if (s->unsettled && !late)
			(void)poll(NULL, 0, EXEC_PAUSE_MS);
	} while (e == ERR_OK && s->unsettled && !late);
	free(c);
	return e;
}

/* What a cleaner of temporary files took: the process is known by it the next time. */
static void
write_again(const struct found *f)
{
	const struct qemu_vm *v = f->v;

	/* Without it the process is found by its directory, as this time. */
	(void)qemu_dir_write_pid(v->dir_fd, v->pid, NULL);
	if (memcmp(&v->born, &v->vm.uuid, sizeof(v->born)) != 0)
		(void)qemu_dir_write(v->dir_fd, QEMU_DIR_BORN, VM_UUID_STR(&v->born), NULL);
}

/* ---- how they are ---- */

/* A restart of our service may have taken the controllers, and the limits, from our cgroups. */
static void
limit_again(const struct found *f)
{
	const struct qemu_ctx *ctx = f->v->ctx;
	char *text = f->v->limits;
	struct cgroup_limits lim;
	struct errmsg m;

	if (f->v->dir_fd < 0 ||
	    !qemu_dir_read(f->v->dir_fd, QEMU_DIR_LIMITS, text, sizeof(f->v->limits)) ||
	    sscanf(text, "%" SCNu64 " %u %u", &lim.memory_bytes, &lim.cpu_percent,
		&lim.cpu_weight) != 3)
		return;
	if (cgroup_limit(&ctx->cg, VM_UUID_STR(&f->v->born), &lim, &m) != ERR_OK)
		vm_report_log(ctx->env->reporter, &f->v->vm.uuid, "%s runs without its limits: %s",
		    f->v->vm.unit, m.text);
}

static bool
is_saved(const struct qemu_ctx *ctx, const struct vm_uuid *uuid)
{
	return faccessat(ctx->saved_fd, DIR_FILE(uuid, ".state"), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Awaits greetings and first replies side by side, so that a QEMU that hangs takes no time from the
 * others.  Silence is no fault: another program's connection may be served before ours.
 */
static void
await_all(struct search *s)
{
	uint64_t deadline = clock_now_ns() + ADOPT_NS, now;
	struct pollfd *fds = mem_zero(s->n > 0 ? s->n : 1, sizeof(*fds));
	nfds_t n;

	do {
		now = clock_now_ns();
		n = 0;
		for (size_t i = 0; i < s->n; i++) {
			struct found *f = &s->list[i];
			struct qmp *q = &f->v->qmp;

			if (f->why == NULL && q->fd >= 0 && q->state != QMP_READY &&
			    qmp_pump(q, &f->m) != ERR_OK)
				f->why = f->m.text;
			f->silent = f->why == NULL && q->state != QMP_READY;
			if (f->silent && q->fd >= 0)
				fds[n++] = (struct pollfd){ .fd = q->fd, .events = POLLIN };
		}
	} while (n > 0 && now < deadline &&
	    (poll(fds, n, (int)((deadline - now) / NS_PER_MS) + 1) >= 0 || errno == EINTR));
	free(fds);
}

static enum vm_found_state
examine(struct found *f, uint64_t deadline_ns)
{
	struct qemu_vm *v = f->v;
	char status[32];
	enum err e;

	if (f->why != NULL)
		return VM_FOUND_BROKEN;
	e = f->silent ? ERR_TIMEOUT
	    : qemu_vm_status(v, status, sizeof(status), deadline_ns, &f->m);
	f->why = f->m.text;
	if (e == ERR_TIMEOUT) {
		(void)err_set(&f->m, e, "QEMU does not answer on its control socket: another "
		    "program may be connected to it (`ss -xp` shows it), or it hangs");
		v->vm.hung = true;
		return VM_FOUND_SILENT;
	}
	if (e != ERR_OK)
		return VM_FOUND_BROKEN;
	v->vm.answered = v->asked_status = true;
	v->vm.hung = v->qmp.heard = false;
	v->frozen = strcmp(status, "paused") == 0;
	if (!v->frozen && strcmp(status, "running") != 0) {
		(void)err_set(&f->m, ERR_STATE, "QEMU's state is \"%s\"", status);
		return VM_FOUND_BROKEN;
	}
	f->why = NULL;
	return v->frozen ? VM_FOUND_FROZEN : VM_FOUND_RUNNING;
}

/*
 * One that was started ahead goes on waiting, for the same as before.  It is ended when it was
 * about to become a VM, which nobody knows then, and when it waited for our end of a pipe.
 */
static void
keep_waiting(struct found *f, uint64_t deadline_ns)
{
	struct qemu_vm *v = f->v;
	char *text = mem_zero(LIMIT_PROC_CMDLINE, 1), status[32] = "";
	struct pool_vm *r = mem_zero(1, sizeof(*r));
	bool known = qemu_dir_read(v->dir_fd, QEMU_DIR_WAITS, text, LIMIT_PROC_CMDLINE) &&
	    memcmp(&v->born, &v->vm.uuid, sizeof(v->born)) == 0 && f->why == NULL &&
	    !f->silent && qemu_vm_status(v, status, sizeof(status), deadline_ns, &f->m) == ERR_OK;

	*r = (struct pool_vm){ .v = v, .config_fd = -1 };
	for (unsigned i = 0; i < LIMIT_NICS; i++)
		r->taps[i] = -1;
	v->vm.answered = true;
	if (known && strcmp(status, "prelaunch") == 0)
		r->wait = QEMU_WAIT_CONT;
	else if (known && strcmp(status, "inmigrate") == 0)
		r->wait = QEMU_WAIT_STATE;
	if (r->wait != QEMU_WAIT_NOT) {
		r->key = mem_text(text);
		pool_add(v->ctx->pool, r);
	} else {
		ahead_end(r);
	}
	free(text);
}

static void
report(struct search *s, struct found *f, uint64_t deadline_ns, vm_each_cb each, void *arg)
{
	struct vm_uuid uuid = f->v->vm.uuid;
	enum vm_found_state state;
	bool saved = is_saved(s->ctx, &uuid);

	if (f->waits) {
		keep_waiting(f, deadline_ns);
		return;
	}
	state = examine(f, deadline_ns);
	/* Saved completely, or not yet restored: the process is only in the way. */
	if ((state == VM_FOUND_BROKEN || state == VM_FOUND_SILENT) && saved &&
	    qemu_vm_end(f->v, NULL) == ERR_OK) {
		qemu_vm_free(&f->v->vm);
		return;
	}
	if (saved)
		(void)qemu_saved_remove(s->ctx, &uuid, NULL);   /* older than what runs */
	each(&uuid, &f->v->vm, state, f->why != NULL ? f->why : "", arg);
}

struct saved_search {
	const struct qemu_ctx *ctx;
	vm_each_cb each;
	void *arg;
};

static void
found_saved(const struct vm_uuid *uuid, const char *rest, void *arg)
{
	const struct saved_search *s = arg;

	if (strcmp(rest, ".state") == 0)
		s->each(uuid, NULL, VM_FOUND_SAVED, "", s->arg);
	else if (strcmp(rest, ".part") == 0)
		/* unfinished; found again */
		(void)dir_drop(s->ctx->saved_fd, uuid, rest, NULL);
}

enum err
qemu_list(void *arg, vm_each_cb each, void *each_arg, struct errmsg *m)
{
	struct search s = { .ctx = arg };
	uint64_t deadline_ns;
	enum err e, connected;

	e = dir_each(s.ctx->vms_fd, found_dir, &s, m);
	if (e == ERR_OK)
		e = find_processes(&s, m);
	for (size_t i = 0; i < s.n && e == ERR_OK; i++) {
		struct found *f = &s.list[i];

		if (f->v->pid > 0)
			limit_again(f);
		if (f->v->pid > 0 && f->lacks_files)
			write_again(f);
		if (f->v->pid <= 0)
			f->why = "there is no process";
		else if (f->v->dir_fd < 0 && qemu_dir_keep(&f->v->vm, &f->m) != ERR_OK)
			f->why = f->m.text;
		else if ((connected = qemu_vm_connect(f->v, &f->m)) != ERR_OK &&
		    connected != ERR_LIMIT)
			f->why = f->m.text;
	}
	if (e == ERR_OK)
		await_all(&s);
	deadline_ns = clock_now_ns() + QEMU_QMP_NS;     /* for the states of all of them */
	for (size_t i = 0; i < s.n; i++) {
		if (e == ERR_OK)
			report(&s, &s.list[i], deadline_ns, each, each_arg);
		else
			qemu_vm_free(&s.list[i].v->vm);
	}
	if (e == ERR_OK)
		(void)dir_each(s.ctx->saved_fd, found_saved,
		    &(struct saved_search){ s.ctx, each, each_arg }, NULL);
	free(s.list);
	return e;
}
