/*
 * crash: when a process of ours breaks off, its last lines say where.
 *
 * They have the signal, the build id and addresses, as offsets in the program and its libraries,
 * and go where the log goes (log_out_crash); then the signal does what it would have done, a core
 * file included.  `addr2line -f -e jitsud OFFSET` makes lines of source of them, where the build is
 * the same.  A process whose signals somebody else handles (a sanitizer) is left alone.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include <stddef.h>

/* Stack for the handler, beside the thread's own, which may be what was used up. */
#define CRASH_STACK_BYTES (32u * 1024)

/*
 * Called by log_init, before any confinement: what is mapped is read.  `process` is a literal;
 * `out` writes one line and may do only what signal-safety(7) allows.
 */
void crash_init(const char *process, void (*out)(const char *line));
/* In a thread with blocked signals: handles a crash, on this stack of CRASH_STACK_BYTES. */
void crash_thread(void *stack);   /* which lives as long as the thread */
/* Called with the first line, by the handler: may do only what signal-safety(7) allows. */
void crash_tell(void (*tell)(const char *line));

#endif
