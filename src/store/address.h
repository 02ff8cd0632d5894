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

#include "base/err.h"
#include "src/store/types.h"

struct store_addresses;
struct store_cmds;

struct store_addresses *store_addresses_new(uint32_t hold_s);
void store_addresses_free(struct store_addresses *t);   /* NULL is allowed */

/*
 * Rows as the database, or a daemon, has them; in any order, and all of them before what follows.
 */
void store_addresses_add(struct store_addresses *t, const struct store_address_row *row);
/* Adds every row of a database that nobody has open; the file is only read (db.c). */
enum err store_db_addresses_peek(const char *path, struct store_addresses *t, struct errmsg *m);
/* All rows are there.  Removals in the future, by a clock that was ahead, count from now. */
void store_addresses_sort(struct store_addresses *t, uint64_t now_s);

/* ERR_EXISTS: `owner` may not have it now; the message says why, and until when. */
enum err store_addresses_check(struct store_addresses *t, const struct msg_addr *addr,
    const char *owner, uint64_t now_s, struct errmsg *m);

/* Calls names->held for each claim of `list` that is held; changes nothing. */
void store_addresses_judge(struct store_addresses *t, const struct store_address *list,
    size_t n, uint64_t now_s, const struct store_names *names);
/* The same, and what is taken is the claimant's from now on; changes come back in `out`. */
void store_addresses_update(struct store_addresses *t, const struct store_address *list,
    size_t n, uint64_t now_s, const struct store_names *names, struct store_cmds *out);

/* The address was handed out under its owner's name; no change where it is not `owner`'s. */
void store_addresses_used(struct store_addresses *t, const struct msg_addr *addr,
    const char *owner, struct store_cmds *out);
/* ERR_MISSING: nobody had it. */
enum err store_addresses_forget(struct store_addresses *t, const struct msg_addr *addr,
    struct store_cmds *out);

void store_addresses_list(
    const struct store_addresses *t, uint64_t now_s, store_address_cb each, void *arg);

#endif
