/* guard: whose refusals of a SYN are dropped (vm_activity_guard).  Included by activity.c only. */
#ifndef VM_HOST_GUARD_H
#define VM_HOST_GUARD_H

#include <stdio.h>

#include "vm/vm.h"

struct guards;

struct guards *guards_new(void);
void guards_free(struct guards *g);
/* On the loop; guards_apply is to follow. */
void guards_set(struct guards *g, const struct vm_uuid *uuid, const uint8_t mac[6], bool on);
/* Makes the set of `table` what is wanted; after an error it is to be filled. */
enum err guards_apply(struct guards *g, const char *table, struct errmsg *m);
/* Writes what nft(8) is to do with the set when it is empty; nothing is applied until the end. */
void guards_fill_begin(struct guards *g, const char *table, FILE *out);
void guards_fill_end(struct guards *g);

#endif
