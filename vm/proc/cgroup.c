/* cgroup: the VMs' groups, and the files of the two versions as tables. */
#include "vm/proc/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "vm/proc/spawn.h"

/* Pauses between tries to remove a busy group: most are free at once. */
#define REMOVE_PAUSE_MS 5
#define REMOVE_PAUSE_MOST_MS 100

#define PERIOD_US 100000
#define PERIOD_TEXT "100000"

/* The VMs together weigh half of what the daemon does, which needs little but needs it at once. */
#define VMS_WEIGHT "50"
#define VMS_WEIGHT_V1 100     /* per processor */

enum limit_kind { LIMIT_MEMORY, LIMIT_CPU, LIMIT_WEIGHT };

/* A limit is written as value * times / by, at least `least`, and `behind`. */
struct cgroup_file {
	const char *file;          /* NULL ends a table */
	enum limit_kind kind;
	uint64_t times, by, least;
	const char *behind;
};

struct cgroup_table {
	const char *controller;    /* v1: the hierarchy */
	struct cgroup_file files[4];
};

/* Shares of v1: 1,024 are a weight of 100, 2 is the least. */
#define CPU_SHARES { "cpu.shares", LIMIT_WEIGHT, 1024, 100, 2, "" }

static const struct cgroup_table v2_table = { "", {
	{ "memory.max", LIMIT_MEMORY, 1, 1, 0, "" },
	{ "cpu.max", LIMIT_CPU, PERIOD_US, 100, 0, " " PERIOD_TEXT },
	{ "cpu.weight", LIMIT_WEIGHT, 1, 1, 0, "" },
} };
static const struct cgroup_table v1_tables[] = {
	{ "memory", { { "memory.limit_in_bytes", LIMIT_MEMORY, 1, 1, 0, "" } } },
	/* the period is 100 ms unless somebody changed it */
	{ "cpu", { { "cpu.cfs_quota_us", LIMIT_CPU, PERIOD_US, 100, 0, "" }, CPU_SHARES } },
};

/* ---- small files ---- */

static bool
write_text(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	int fd;
	bool ok;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >= sizeof(path))
		return false;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

static FILE *
read_begin(const char *dir, const char *file)
{
	char path[PATH_MAX];

	return (size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) < sizeof(path)
	    ? fopen(path, "re") : NULL;
}

static void
format(const struct cgroup_file *f, uint64_t value, char *text, size_t size)
{
	uint64_t number = value * f->times / f->by;

	snprintf(text, size, "%" PRIu64 "%s", number < f->least ? f->least : number, f->behind);
}

static bool
file_has_word(const char *dir, const char *file, const char *word)
{
	char line[512];
	bool found = false;
	FILE *f = read_begin(dir, file);

	if (f == NULL)
		return false;
	if (fgets(line, sizeof(line), f) != NULL)
		found = cgroup_has_word(line, word, " \n");
	fclose(f);
	return found;
}

static bool
make_dir(const char *dir)
{
	return mkdir(dir, 0755) == 0 || errno == EEXIST;
}

/* ---- v2 ---- */

/* A group with controllers for its children has no processes: ours move to the leaf `daemon`. */
static bool
move_into_leaf(const char *dir, char *why, size_t whylen)
{
	char leaf[PATH_MAX], line[32];
	struct spawn_stat st;
	bool ok = true;
	FILE *f;

	if ((size_t)snprintf(leaf, sizeof(leaf), "%s/daemon", dir) >= sizeof(leaf) ||
	    (f = read_begin(dir, "cgroup.procs")) == NULL)
		return false;
	while (ok && fgets(line, sizeof(line), f) != NULL) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		/* One that is gone meanwhile is not in the way. */
		if (pid != getpid() && spawn_stat(pid, &st) && st.parent != getpid()) {
			snprintf(why, whylen, "process %d, which is not ours, lives in %s: start "
			    "jitsud as a service with Delegate=yes", (int)pid, dir);
			ok = false;
		}
	}
	ok = ok && make_dir(leaf);
	rewind(f);
	while (ok && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		ok = write_text(leaf, "cgroup.procs", line) || errno == ESRCH;
	}
	fclose(f);
	return ok;
}

static bool
open_v2(struct cgroup_host *h, const char *self, const char *mounts, char *why, size_t whylen)
{
	char dir[PATH_MAX / 2], *slash, *base = h->parts[0].base;

	if (!cgroup_find(self, mounts, "", dir, sizeof(dir)))
		return false;
	slash = strrchr(dir, '/');
	if (slash != NULL && strcmp(slash, "/daemon") == 0)
		*slash = '\0';       /* we are in the leaf already */
	if (!file_has_word(dir, "cgroup.controllers", "memory") ||
	    !file_has_word(dir, "cgroup.controllers", "cpu"))
		return false;
	if (access(dir, W_OK) != 0) {
		snprintf(why, whylen, "%s is not writable for us: a systemd unit needs "
		    "Delegate=yes", dir);
		return false;
	}
	if (!write_text(dir, "cgroup.subtree_control", "+memory +cpu") &&
	    (!move_into_leaf(dir, why, whylen) || !write_text(dir, "cgroup.subtree_control",
	    "+memory +cpu"))) {
		if (why[0] == '\0')
			snprintf(why, whylen,
			    "%s: cannot pass the memory and cpu controllers on: %s", dir,
			    strerror(errno));
		return false;
	}
	snprintf(base, sizeof(h->parts[0].base), "%s/vm", dir);
	if (!make_dir(base) || !write_text(base, "cgroup.subtree_control", "+memory +cpu")) {
		snprintf(why, whylen, "%s: %s", base, strerror(errno));
		return false;
	}
	/* Only a share of the processor among equals; without it the default of 100 holds. */
	(void)write_text(base, "cpu.weight", VMS_WEIGHT);
	h->parts[0].table = &v2_table;
	h->nparts = 1;
	h->v2 = true;
	return true;
}

/* ---- v1 ---- */

static void
open_v1(struct cgroup_host *h, const char *self, const char *mounts, char *why, size_t whylen)
{
	static const struct cgroup_file cpu_shares = CPU_SHARES;
	char dir[PATH_MAX / 2], shares[24];

	for (size_t i = 0; i < sizeof(v1_tables) / sizeof(v1_tables[0]); i++) {
		const char *controller = v1_tables[i].controller;
		char *base = h->parts[h->nparts].base;

		if (!cgroup_find(self, mounts, controller, dir, sizeof(dir))) {
			snprintf(why, whylen, "no cgroup with a %s controller is mounted here",
			    controller);
			continue;
		}
		snprintf(base, sizeof(h->parts[0].base), "%s/jitsu-vm", dir);
		if (!make_dir(base) || access(base, W_OK) != 0) {
			snprintf(why, whylen, "%s: %s", base, strerror(errno));
			continue;
		}
		/*
		 * Beside this group are single processes, not services: half of one process for all
		 * VMs would starve them on a busy host.  Without the shares the default holds.
		 */
		if (strcmp(controller, "cpu") == 0) {
			format(&cpu_shares, VMS_WEIGHT_V1 * (uint64_t)sysconf(_SC_NPROCESSORS_ONLN),
			    shares, sizeof(shares));
			(void)write_text(base, cpu_shares.file, shares);
		}
		h->parts[h->nparts++].table = &v1_tables[i];
	}
}

void
cgroup_open(struct cgroup_host *h, const char *self, const char *mounts, char *why, size_t whylen)
{
	memset(h, 0, sizeof(*h));
	why[0] = '\0';
	if (!open_v2(h, self, mounts, why, whylen) && why[0] == '\0')
		open_v1(h, self, mounts, why, whylen);
}

void
cgroup_close(struct cgroup_host *h)
{
	for (unsigned i = 0; i < h->nparts; i++)
		(void)rmdir(h->parts[i].base);     /* stays while VMs are in it */
	memset(h, 0, sizeof(*h));
}

/* ---- one VM ---- */

void
cgroup_describe(const struct cgroup_host *h, const char *name, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < h->nparts && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s/%s\n", h->parts[i].base,
		    name);
}

static enum err
set_limits(const char *dir, const struct cgroup_table *t, const struct cgroup_limits *lim,
    struct errmsg *m)
{
	const uint64_t values[] = { [LIMIT_MEMORY] = lim->memory_bytes,
	    [LIMIT_CPU] = lim->cpu_percent, [LIMIT_WEIGHT] = lim->cpu_weight };
	char text[48];

	for (const struct cgroup_file *f = t->files; f->file != NULL; f++) {
		if (values[f->kind] == 0)
			continue;
		format(f, values[f->kind], text, sizeof(text));
		if (!write_text(dir, f->file, text))
			return err_sys(m, "cgroup %s: %s = %s", dir, f->file, text);
	}
	return ERR_OK;
}

static enum err
make_part(const struct cgroup_host *h, unsigned part, const char *name,
    const struct cgroup_limits *lim, struct cgroup_entry *en, struct errmsg *m)
{
	char dir[PATH_MAX], tasks[PATH_MAX + 8];
	enum err e;
	int *fd = h->v2 ? &en->v2_fd : &en->task_fds[en->ntasks];

	snprintf(dir, sizeof(dir), "%s/%s", h->parts[part].base, name);
	snprintf(tasks, sizeof(tasks), "%s/tasks", dir);
	/* Another instance's cgroup_close may have removed the empty parent. */
	if (!make_dir(dir) && (errno != ENOENT || !make_dir(h->parts[part].base) || !make_dir(dir)))
		return err_sys(m, "cgroup %s", dir);
	e = set_limits(dir, h->parts[part].table, lim, m);
	if (e != ERR_OK)
		return e;
	/* A "0" in `tasks` moves one thread at once; cgroup.procs waits for an RCU grace period. */
	*fd = open(h->v2 ? dir : tasks, (h->v2 ? O_PATH | O_DIRECTORY : O_WRONLY) | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(m, "cgroup %s", dir);
	en->ntasks += !h->v2;
	return ERR_OK;
}

enum err
cgroup_make(const struct cgroup_host *h, const char *name, const struct cgroup_limits *lim,
    struct cgroup_entry *en, struct errmsg *m)
{
	char made[CGROUP_PARTS * PATH_MAX];
	enum err e = ERR_OK;

	memset(en, 0, sizeof(*en));
	en->v2_fd = -1;
	for (unsigned i = 0; i < h->nparts && e == ERR_OK; i++)
		e = make_part(h, i, name, lim, en, m);
	if (e != ERR_OK) {
		cgroup_entry_close(en);
		cgroup_describe(h, name, made, sizeof(made));
		(void)cgroup_remove(made, NULL);     /* the first error is the one to tell */
	}
	return e;
}

enum err
cgroup_limit(const struct cgroup_host *h, const char *name, const struct cgroup_limits *lim,
    struct errmsg *m)
{
	char dir[PATH_MAX];
	enum err e = ERR_OK;

	for (unsigned i = 0; i < h->nparts && e == ERR_OK; i++) {
		snprintf(dir, sizeof(dir), "%s/%s", h->parts[i].base, name);
		if (access(dir, F_OK) == 0)
			e = set_limits(dir, h->parts[i].table, lim, m);
	}
	return e;
}

void
cgroup_entry_close(struct cgroup_entry *en)
{
	if (en->v2_fd >= 0)
		close(en->v2_fd);
	for (unsigned i = 0; i < en->ntasks; i++)
		close(en->task_fds[i]);
	en->v2_fd = -1;
	en->ntasks = 0;
}

/*
 * A process may count after its end until the kernel has switched away from it, on older kernels
 * until its parent (not us, for an adopted VM) has reaped it: seconds on a loaded host.
 */
static bool
remove_dir(const char *dir, uint64_t deadline_ms)
{
	int pause_ms = REMOVE_PAUSE_MS;

	while (rmdir(dir) != 0) {
		if (errno == ENOENT)
			return true;
		if (errno != EBUSY || clock_now_ms() >= deadline_ms)
			return false;
		(void)poll(NULL, 0, pause_ms);
		pause_ms = pause_ms < REMOVE_PAUSE_MOST_MS / 2 ? 2 * pause_ms
		    : REMOVE_PAUSE_MOST_MS;
	}
	return true;
}

enum err
cgroup_remove(const char *description, struct errmsg *m)
{
	uint64_t deadline_ms = clock_now_ms() + LIMIT_VM_GROUP_S * 1000;
	char dir[PATH_MAX];
	enum err e = ERR_OK;

	for (const char *p = description; *p != '\0';) {
		size_t n = strcspn(p, "\n");

		if (n > 0 && n < sizeof(dir)) {
			memcpy(dir, p, n);
			dir[n] = '\0';
			if (!remove_dir(dir, deadline_ms) && e == ERR_OK)
				e = err_sys(m, "cgroup %s", dir);
		}
		p += n + (p[n] == '\n');
	}
	return e;
}
