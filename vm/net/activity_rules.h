/* activity_rules: the sets and rules of activity_table.c, as commands of nft(8). */
#ifndef VM_NET_ACTIVITY_RULES_H
#define VM_NET_ACTIVITY_RULES_H

#include <stdbool.h>

#include "base/limits.h"

/* Longer than anybody may set `idle`: whether a VM was used within it is what is asked. */
#define ACTIVITY_KEEP_S (LIMIT_IDLE_S + 24 * 3600)
_Static_assert(ACTIVITY_KEEP_S > LIMIT_IDLE_S, "a packet is remembered for longer than `idle`");
_Static_assert(ACTIVITY_KEEP_S < 10000000, "seven digits");

/* A connection is established when its peer has answered the SYN-ACK within this. */
#define FLOW_OPENS_S 15
/* How long a silent connection is remembered: a peer that has gone without a word ends then. */
#define FLOW_KEEP_S (24 * 3600)

#define ACTIVITY_CHAINS 6
extern const char *const activity_chains[ACTIVITY_CHAINS];

/*
 * The commands that make them, whatever is there (`anew`: in place of a table of another kind); the
 * caller frees them.  One transaction, which keeps the sets: no packet passes by, and what was
 * counted stays.
 */
char *activity_rules(const char *table, bool anew);

#endif
