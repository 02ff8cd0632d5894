/* dir: directories of ours, held by a descriptor.  Not included outside vm/. */
#ifndef VM_PROC_DIR_H
#define VM_PROC_DIR_H

#include "vm/vm.h"

/* Opens a directory, made 0700 where it is missing; ERR_PERM: others own it or may write. */
enum err dir_open(const char *path, int *fd, struct errmsg *m);
/* Likewise above/name. */
enum err dir_open_in(const char *above, const char *name, int *fd, struct errmsg *m);
/* Is the directory of that descriptor the one at this path (relative to `at`, if need be)? */
bool dir_is_at(int fd, int at, const char *path);
/* Makes `old`, in use by other threads perhaps, the directory of `fresh`, which is closed. */
enum err dir_replace(int old, int fresh, struct errmsg *m);

/* Called for each entry whose name begins with a UUID; rest: the name behind the UUID. */
typedef void (*dir_each_cb)(const struct vm_uuid *uuid, const char *rest, void *arg);
enum err dir_each(int fd, dir_each_cb each, void *arg, struct errmsg *m);

/* Writes and returns the name of a VM's file: its UUID and `suffix`, which is short. */
#define DIR_NAME (VM_UUID_TEXT + 16)
const char *dir_name(const struct vm_uuid *uuid, const char *suffix, char name[DIR_NAME]);
/* The same in memory of the block in which it stands. */
#define DIR_FILE(uuid, suffix) dir_name((uuid), (suffix), (char[DIR_NAME]){ "" })
/* Removes that file; one that is missing is no error. */
enum err dir_drop(int fd, const struct vm_uuid *uuid, const char *suffix, struct errmsg *m);

#endif
