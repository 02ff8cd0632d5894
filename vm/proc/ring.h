/* ring: the last LIMIT_CONSOLE_RING bytes of a guest's console.  Not included outside vm/. */
#ifndef VM_PROC_RING_H
#define VM_PROC_RING_H

#include "vm/driver.h"

/* Empty when zeroed. */
struct ring {
	char *text;
	size_t len;
};

void ring_clear(struct ring *r);
/* Reading a console consumes what was read, so drivers keep its end here. */
void ring_keep(struct ring *r, const char *text, size_t n);
/* What is kept, and `more` behind it, become out->text. */
void ring_tell(const struct ring *r, const char *more, size_t n, struct vm_outcome *out);

#endif
