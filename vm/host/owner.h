/*
 * owner: whose a VM is, in a file of its own, for a daemon whose database was lost or cannot be
 * written.  Written before the VM is made, removed after it has gone.
 *
 * Each file is there twice: below the state directory, where it outlives the host as a saved VM
 * does, and below the run directory, mostly another file system, not full, read-only or lost then.
 */
#ifndef VM_HOST_OWNER_H
#define VM_HOST_OWNER_H

#include "vm/vm.h"

/* -1: it cannot be used.  Any thread. */
struct owner_dirs {
	int state_fd, run_fd;
};

/* Opens, or makes, `owners` below both.  After an error, of one of them, the other is used. */
enum err owner_dirs_open(const char *state_dir, const char *run_dir, struct owner_dirs *d,
    struct errmsg *m);
void owner_dirs_close(struct owner_dirs *d);
/* Makes the one below the run directory again, with all files, when somebody removed it. */
void owner_dirs_keep(const struct owner_dirs *d, const char *run_dir);

/* ERR_OK when it stands in one of them. */
enum err owner_write(const struct owner_dirs *d, const struct vm_spec *spec, struct errmsg *m);
/* harmless when there is none */
void owner_remove(const struct owner_dirs *d, const struct vm_uuid *uuid);

#define OWNER_DRIVER 16   /* the longest name of a driver, and more */

struct owner {
	char unit[LIMIT_NAME_TEXT];
	char identity[VM_IDENTITY];
	char driver[OWNER_DRIVER];
};
/* False, and empty texts, when it is not known. */
bool owner_read(const struct owner_dirs *d, const struct vm_uuid *uuid, struct owner *o);

/* UUIDs that have a file, some twice; *list is malloc'd, and incomplete after an error. */
enum err owner_list(const struct owner_dirs *d, struct vm_uuid **list, size_t *n);

#endif
