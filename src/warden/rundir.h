/*
 * rundir: makes again what a cleaner of temporary files takes from the run directory: itself, its
 * lock, the empty root of confined processes, the VMs' directories (vm.h), the control socket.
 */
#ifndef SRC_WARDEN_RUNDIR_H
#define SRC_WARDEN_RUNDIR_H

struct warden;

/* One daemon per run directory: ends the process where there is another. */
void rundir_lock(struct warden *w, const char *run_dir);
/* From now on; where it cannot be watched, the log says so. */
void rundir_watch(struct warden *w);
void rundir_clear(struct warden *w);

#endif
