/*
 * overlay_base: what an overlay lies on, noted when it is made: on a base whose blocks changed it
 * would be a disk that never was.  Not included outside vm/.
 *
 * The note stands beside the overlay (OVERLAY.base): a line for each file of the chain.  Size and
 * time of the last change must be the same.  Where only the file is another (copied with its times,
 * moved, replaced by one of the same age) or its owner, names or mode changed, samples of its
 * contents decide.
 */
#ifndef VM_PROC_OVERLAY_BASE_H
#define VM_PROC_OVERLAY_BASE_H

#include "vm/vm.h"

/* Notes what `disk` is, for its overlay that is about to be made. */
enum err overlay_base_note(const struct vm_host_conf *conf, const struct vm_disk *disk,
    struct errmsg *m);

/* Compares; ERR_STATE: what changed, and what can be done.  Writes a note where there is none. */
enum err overlay_base_check(const struct vm_host_conf *conf, const struct vm_disk *disk,
    struct errmsg *m);

#endif
