/*
 * fresh: the daemon begins in a known state, whatever started it had closed, opened, blocked,
 * ignored or limited; what it executes later inherits that state.
 *
 * What an operator chooses for a daemon stays: a priority, processors, a negative OOM score, a
 * signal at the parent's death, hard limits where they cannot be raised.
 */
#ifndef SRC_PROCESS_FRESH_H
#define SRC_PROCESS_FRESH_H

/* Opens descriptors 0 to 2: no file of ours becomes a standard error.  For every way to run. */
void fresh_standard_descriptors(void);

/*
 * For the daemon, before anything else: other descriptors of the caller are closed, signals are
 * neither ignored nor blocked, timers are off, the environment has what we read of it alone.
 */
void fresh_start(void);
/* When the log is open: raises resource limits; says which are too small and cannot be raised. */
void fresh_limits(void);

#endif
