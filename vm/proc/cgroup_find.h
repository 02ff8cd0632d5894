/* cgroup_find: where our own control group is in the file system. */
#ifndef VM_PROC_CGROUP_FIND_H
#define VM_PROC_CGROUP_FIND_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The directory of our group in the hierarchy of `controller` ("" = v2).  `self` and `mounts` are
 * /proc/self/cgroup and /proc/self/mountinfo, or a test's.
 *
 * A hierarchy may be mounted many times, also for other roots (chroots, containers, backups) whose
 * mounts come and go.  A mount counts when its path leads to it, so that it is neither hidden by
 * another nor gone.  Mounts that have our group in them are taken first, then those below
 * /sys/fs/cgroup, then the shortest path.  False: there is none.
 */
bool cgroup_find(const char *self, const char *mounts, const char *controller, char *dir,
    size_t size);

/* Is `word` one of the words in `list`, which any of `separators` separate? */
bool cgroup_has_word(const char *list, const char *word, const char *separators);

#endif
