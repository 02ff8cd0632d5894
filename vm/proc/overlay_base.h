/*
 * overlay_base: what an overlay lies on, noted when it is made, so that it is never used on
 * anything else: a base whose blocks changed makes of it a disk that never was.  Not included
 * outside vm/.
 *
 * The note stands beside the overlay (OVERLAY.base): a line for the base, and for each file that
 * it lies on itself. Size and time of the last change must be the same.  Where only the file is
 * another (copied with its times, moved, or replaced by one of the same age) or its ownership,
 * names or mode changed, samples of its contents decide.
 */
#ifndef VM_PROC_OVERLAY_BASE_H
#define VM_PROC_OVERLAY_BASE_H

#include "vm/vm.h"

/* Notes what `disk` is, for its overlay that is about to be made. */
enum err overlay_base_note(const struct vm_host_conf *conf, const struct vm_disk *disk,
    struct errmsg *m);

/*
 * Is what is noted what is there?  ERR_STATE: no; the message says what changed, and what can be
 * done.  An overlay without a note, of a jitsud that made none, gets one.
 */
enum err overlay_base_check(const struct vm_host_conf *conf, const struct vm_disk *disk,
    struct errmsg *m);

#endif
