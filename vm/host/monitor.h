/*
 * monitor: whose packets are no use of a VM (vm_activity_nic.passive).  Included by activity.c
 * alone.
 *
 * The sets passive4 and passive6 of the instance's table have pairs of a guest's MAC and a prefix.
 */
#ifndef VM_HOST_MONITOR_H
#define VM_HOST_MONITOR_H

#include <stdio.h>

#include "vm/vm.h"

struct activity_table;
struct monitors;

struct monitors *monitors_new(void);
void monitors_free(struct monitors *l);
/* On the loop: all of a VM's, in place of those before.  True: monitors_apply is to follow. */
bool monitors_watch(struct monitors *l, const struct vm_uuid *uuid,
    const struct vm_activity_nic *nics, unsigned n);
/* Makes the sets what is wanted; the table is the caller's. */
enum err monitors_apply(struct monitors *l, struct activity_table *table, struct errmsg *m);
/* Writes what nft(8) is to do with the sets when they are empty, each behind a ';'. */
void monitors_fill(struct monitors *l, const char *table, FILE *out);

#endif
