/* overlay: a unit's own qcow2 on top of a disk that many units share.  Not included outside vm/. */
#ifndef VM_PROC_OVERLAY_H
#define VM_PROC_OVERLAY_H

#include "vm/vm.h"

/*
 * Makes disk->overlay when it is missing, for the VMs' user; qemu-img runs as that user.
 * ERR_STATE: it is there, and what it lies on is not what it was (overlay_base.h).
 */
enum err overlay_ensure(const struct vm_host_conf *conf, const struct vm_disk *disk,
    struct errmsg *m);

#endif
