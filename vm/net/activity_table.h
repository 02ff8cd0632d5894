/*
 * activity_table: the nftables table of activity.c: its rules, its sets, and whether somebody else
 * has changed them.  Included by activity*.c only.
 *
 * One thread at a time.  libnftables waits with select(2), and ends the process when its socket's
 * number is beyond what that can do; it opens the socket when the table is opened.
 */
#ifndef VM_NET_ACTIVITY_TABLE_H
#define VM_NET_ACTIVITY_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/vm.h"

struct activity_table;

/*
 * Opens or makes the table.  What a daemon before has counted is kept, if it was counted in the
 * same way.  ERR_RANGE: a tag that cannot be part of a name.
 */
enum err activity_table_open(const char *tag, struct activity_table **table, struct errmsg *m);
void activity_table_close(struct activity_table *t, bool remove);   /* NULL is allowed */

/*
 * Are the rules in place, and is everything there that was counted since activity_table_since?
 * ERR_MISSING: not so; it is from now on, without what was counted, and the sets of NICs are to be
 * filled again.
 */
enum err activity_table_check(struct activity_table *t, struct errmsg *m);
/* As if that had found something missing. */
enum err activity_table_lost(struct activity_table *t, struct errmsg *m);
/* Since when nothing that counts was missed (clock.h). */
uint64_t activity_table_since(const struct activity_table *t);

const char *activity_table_name(const struct activity_table *t);
/* Empties the sets of NICs and `waking`, then runs `commands`, each behind a ';', all at once. */
enum err activity_table_fill(struct activity_table *t, const char *commands, struct errmsg *m);
/* The commands of nft(8) that add a NIC, with its rate, or get or delete its element. */
#define ACTIVITY_COMMAND 768
void activity_table_add(const struct activity_table *t, const struct vm_activity_nic *nic,
    char command[ACTIVITY_COMMAND]);
void activity_table_command(const struct activity_table *t, const char *verb,
    const struct vm_activity_nic *nic, char command[ACTIVITY_COMMAND]);
enum err activity_table_run(struct activity_table *t, const char *command, struct errmsg *m);
bool activity_table_has(struct activity_table *t, const struct vm_activity_nic *nic);

/* When a packet of this MAC last passed; 0 = never.  ERR_PROTO: nftables does not say. */
enum err activity_table_last(struct activity_table *t, const uint8_t mac[6], uint64_t *last_ns,
    struct errmsg *m);
/* Bytes of all its packets since it is watched. */
uint64_t activity_table_bytes(struct activity_table *t, const struct vm_activity_nic *nic);
/* Its established connections; returns how many there are, of which `most` are told. */
unsigned activity_table_flows(struct activity_table *t, const uint8_t mac[6],
    struct vm_flow *flows, unsigned most);
void activity_table_forget(struct activity_table *t, const uint8_t mac[6]);

#endif
