/*
 * owner: whose a VM is, in a file of its own below the state directory, so that one that runs or is
 * saved is known again by a daemon whose database was lost.  Written before the VM is made, removed
 * after it has gone.
 */
#ifndef VM_OWNER_H
#define VM_OWNER_H

#include "vm/vm.h"

/* Opens `state_dir`/owners, which is made when it is missing; ours alone. */
enum err owner_dir_open(const char *state_dir, int *fd, struct errmsg *m);

enum err owner_write(int fd, const struct vm_spec *spec, struct errmsg *m);
void owner_remove(int fd, const struct vm_uuid *uuid);   /* harmless when there is none */

#define OWNER_DRIVER 16   /* the longest name of a driver, and more */

struct owner {
	char unit[LIMIT_NAME_TEXT];
	char identity[VM_IDENTITY];
	char driver[OWNER_DRIVER];
};
/* False, and empty texts, when it is not known. */
bool owner_read(int fd, const struct vm_uuid *uuid, struct owner *o);

/* The UUIDs that have a file; *list is malloc'd.  ERR_NOMEM, ERR_IO: nothing is known. */
enum err owner_list(int fd, struct vm_uuid **list, size_t *n);

#endif
