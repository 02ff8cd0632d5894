/*
 * cgroup: one control group per VM, with memory and CPU limits, where we may make them.
 *
 * On v2 it needs a subtree that is ours (systemd: Delegate=yes): we move into its leaf `daemon`,
 * VMs live in `vm/UUID`.  On v1 they live in `jitsu-vm/UUID` below our own group of the memory and
 * the cpu hierarchy.  Where neither is writable there are no limits, and why[] says so.  Not
 * included outside vm/.
 */
#ifndef VM_PROC_CGROUP_H
#define VM_PROC_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CGROUP_PARTS 2          /* v1: memory and cpu; v2: one */

struct cgroup_table;
struct cgroup_host {
	struct {
		char base[PATH_MAX - 64];          /* the VMs' parent group */
		const struct cgroup_table *table;
	} parts[CGROUP_PARTS];
	unsigned nparts;           /* 0 = no limits */
	bool v2;
};

struct cgroup_limits {
	uint64_t memory_bytes;     /* 0 = none */
	unsigned cpu_percent;      /* 0 = none */
	unsigned cpu_weight;       /* 1..10000, 0 = the default of 100 */
};

/* What a process needs to be born in the group; -1 and 0 when there is none. */
struct cgroup_entry {
	int v2_fd;                 /* for clone3 */
	int task_fds[CGROUP_PARTS];
	unsigned ntasks;
};

/* `self` and `mounts` as cgroup_find's; why[] is empty when limits are possible in full. */
void cgroup_open(struct cgroup_host *h, const char *self, const char *mounts, char *why,
    size_t whylen);
/* Removes the parent groups if no VM is left in them. */
void cgroup_close(struct cgroup_host *h);

/* The directories that cgroup_make makes, one a line: noted first, for whoever removes them. */
void cgroup_describe(const struct cgroup_host *h, const char *name, char *text, size_t size);

/* After an error nothing is left.  The entry's descriptors are the caller's. */
enum err cgroup_make(const struct cgroup_host *h, const char *name, const struct cgroup_limits *lim,
    struct cgroup_entry *en, struct errmsg *m);
void cgroup_entry_close(struct cgroup_entry *en);

/* Sets limits again: with the controllers, a service manager that restarts us takes them back. */
enum err cgroup_limit(const struct cgroup_host *h, const char *name,
    const struct cgroup_limits *lim, struct errmsg *m);

/*
 * Removes what cgroup_describe wrote; directories that are gone are no error.  Waits up to
 * LIMIT_VM_GROUP_S in all for groups that are busy: their processes must have ended.
 */
enum err cgroup_remove(const char *description, struct errmsg *m);

/* ---- cgroup_find.c ---- */

/*
 * The directory of our group in the hierarchy of `controller` ("" = v2).  `self` and `mounts` are
 * /proc/self/cgroup and /proc/self/mountinfo, or a test's.  False: there is none.
 *
 * A hierarchy may be mounted many times, also for other roots (chroots, containers, backups) whose
 * mounts come and go.  A mount counts when its path leads to it: neither hidden nor gone.  Mounts
 * that have our group in them come first, then those below /sys/fs/cgroup, then the shortest path.
 */
bool cgroup_find(const char *self, const char *mounts, const char *controller, char *dir,
    size_t size);
/* Is `word` one of the words in `list`, which any of `separators` separate? */
bool cgroup_has_word(const char *list, const char *word, const char *separators);

#endif
