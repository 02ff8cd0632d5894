/* overlay: a unit's own qcow2 on top of a disk that many units share.  Not included outside vm/. */
#ifndef VM_PROC_OVERLAY_H
#define VM_PROC_OVERLAY_H

#include "vm/vm.h"

/*
 * Makes disk->overlay when it is missing, for the VMs' user; qemu-img runs as that user.
 * ERR_STATE: it is there, and what it lies on is not what it was (below).
 */
enum err overlay_ensure(const struct vm_host_conf *conf, const struct vm_disk *disk,
    struct errmsg *m);

/* ---- overlay_base.c ---- */

/*
 * What an overlay lies on, noted when it is made: on a base whose blocks changed it would be a disk
 * that never was.
 *
 * The note stands beside the overlay (OVERLAY.base): a line for each file of the chain.  Size and
 * time of the last change must be the same.  Where only the file is another (copied with its times,
 * moved, replaced by one of the same age) or its owner, names or mode changed, samples of its
 * contents decide.
 */

/* Notes what `disk` is, for its overlay that is about to be made. */
enum err overlay_base_note(const struct vm_host_conf *conf, const struct vm_disk *disk,
    struct errmsg *m);

/* Compares; ERR_STATE: what changed, and what can be done.  Writes a note where there is none. */
enum err overlay_base_check(const struct vm_host_conf *conf, const struct vm_disk *disk,
    struct errmsg *m);

#endif
