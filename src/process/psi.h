/* psi: the kernel tells when tasks stall for want of memory (Linux: pressure stall information). */
#ifndef SRC_PROCESS_PSI_H
#define SRC_PROCESS_PSI_H

#include <event2/event.h>

#include "base/err.h"

#define PSI_MEMORY "/proc/pressure/memory"

struct psi;
typedef void (*psi_cb)(void *arg);

/*
 * Calls `cb` on the loop, at most once in two seconds, while some task stalls for `percent` (1 to
 * 100) of them.  Nothing is read and nothing wakes up before.  ERR_UNSUPPORTED: this kernel, or who
 * we are, has no such triggers; the message says which.
 */
enum err psi_new(struct event_base *base, const char *path, unsigned percent, psi_cb cb, void *arg,
    struct psi **psi, struct errmsg *m);
/* NULL is allowed. */
void psi_free(struct psi *psi);

#endif
