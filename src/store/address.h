/*
 * address: who has or had which address: a table in memory, whose changes are handed on as
 * commands for the database.
 *
 * An address that was handed out under a name stays in caches.  When another owner claims it, the
 * claim is
 *
 *     taken    when it was never handed out, or its hold is over; when the former owner's name is
 *              the claimant's now (an alias); when the claimant is the former owner under another
 *              name: that one has gone, and the claimant, which had no address before, has all of
 *              its addresses
 *     held     otherwise: the row stays the former owner's until its hold is over
 *
 * A row whose owner may be there, but cannot be seen (aside.h), stays as it is.
 */
#ifndef SRC_STORE_ADDRESS_H
#define SRC_STORE_ADDRESS_H

#include "src/store/types.h"

struct addresses;
struct store_cmds;

/* Takes over the commands of `changes`, which may be none. */
typedef void (*addresses_save_cb)(struct store_cmds *changes, void *arg);

/* `hold_s` 0: nothing is held.  `save` NULL: the table is only filled, and asked. */
struct addresses *addresses_new(uint32_t hold_s, addresses_save_cb save, void *arg);
void addresses_free(struct addresses *t);
/* A row as the database, or a daemon, has it; in any order, and all of them before what follows. */
void addresses_add(struct addresses *t, const struct store_address_row *row);
/* Adds every row of a database that nobody has open; the file is only read (db.c). */
enum err store_db_addresses_peek(const char *path, struct addresses *t, struct errmsg *m);
/* All rows are there.  Removals in the future, by a clock that was ahead, count from now. */
void addresses_sort(struct addresses *t, uint64_t now_s);
/* May `owner` have this address now?  ERR_EXISTS: no; `m`: whose it was, until when, what helps. */
enum err addresses_check(struct addresses *t, const struct msg_addr *addr, const char *owner,
    uint64_t now_s, struct errmsg *m);
/* Calls names->held for each claim of `list` that is held; changes nothing. */
void addresses_judge(struct addresses *t, const struct store_address *list, size_t n,
    uint64_t now_s, const struct store_names *names);
/*
 * The same, and these and no others are claimed from now on: what is not held is its claimant's;
 * what was in use and is not claimed counts as removed at now_s.
 */
void addresses_set(struct addresses *t, const struct store_address *list, size_t n, uint64_t now_s,
    const struct store_names *names);
/* The addresses were handed out under their owner's name; no change where one is another's. */
void addresses_used(
    struct addresses *t, const struct msg_addr *addrs, unsigned n, const char *owner);
/* Forgets that somebody had this address ("told otherwise"); ERR_MISSING: nobody had. */
enum err addresses_forget(struct addresses *t, const struct msg_addr *addr);
/* Each row, by address. */
void addresses_list(const struct addresses *t, uint64_t now_s, store_address_cb each, void *arg);

#endif
