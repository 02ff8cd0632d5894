/* open_as_vm: files, opened with the rights of the VMs' user.  Not included outside vm/. */
#ifndef VM_PROC_OPEN_AS_VM_H
#define VM_PROC_OPEN_AS_VM_H

#include "vm/vm.h"

/* As open(2), as the VMs' user would: the kernel checks this thread's file-system identity. */
int open_as_vm(const struct vm_host_conf *conf, const char *path, int flags);

#endif
