/*
 * store: what must survive the daemon, in SQLite, behind a thread of its own.
 *
 * Three tables: `unit` (one row per unit that was ever woken), `events` (what happened, bounded)
 * and `address` (who has or had an address).  The caller lives on a libevent loop and never waits:
 * calls copy what they are given, post a command and return; results come back on the loop.
 * Commands are carried out in the order of the calls; what is queued when the thread gets to work
 * goes into one transaction (group commit).  With nothing dirty no timer is armed and the thread
 * sleeps.
 *
 * Durability: a row is safe from our own death when its completion has been called (WAL,
 * synchronous=NORMAL: a power cut may take the last commits with it, but then the VMs died as
 * well).
 *
 * Errors: a full disk, a read-only or failing file system reach the completion as ERR_IO with
 * SQLite's words and the file's name; the store stays usable, and what was only touched or logged
 * is kept (bounded) and written with the next command that succeeds.
 *
 * Times ending in _ns are CLOCK_MONOTONIC (clock.h), which means something only within one boot of
 * the host: rows carry its boot id, and a row of another boot is loaded with this_boot = false and
 * these times 0.  Wall-clock times are seconds or microseconds since 1970.
 *
 * All functions are for the loop's thread.
 */
#ifndef SRC_STORE_STORE_H
#define SRC_STORE_STORE_H

#include <event2/event.h>

#include "src/store/address.h"   /* who has or had which address */
#include "src/store/types.h"     /* rows and events */

struct store;

/*
 * Opens or creates the database (mode 0600; the directory must exist) and brings its schema up to
 * date.  Blocking, for the start.
 *   ERR_EXISTS       another process has it open
 *   ERR_PARSE        it is damaged or no database of ours; nothing was changed or deleted
 *   ERR_UNSUPPORTED  a newer jitsud wrote it
 *   ERR_IO, ERR_PERM, ERR_NOMEM
 * `conf` may be NULL.  Without a `path` the store is in memory and ends with us.
 */
enum err store_open(struct event_base *base, const char *path, const struct store_conf *conf,
    struct store **store, struct errmsg *m);

/*
 * The same for who must start: a database that is damaged, or a newer jitsud's, is set aside
 * (PATH.damaged-TIME) and a new one begun; where even that cannot be, the store is in memory.
 * `note` says what happened and what is lost, "" = nothing.  Errors: ERR_EXISTS, ERR_NOMEM.
 */
#define STORE_NOTE 1400
enum err store_open_anyhow(struct event_base *base, const char *path, const struct store_conf *conf,
    struct store **store, char note[STORE_NOTE], struct errmsg *m);

/*
 * Writes everything that is pending, calls the completions that are outstanding (from inside this
 * call), closes.  NULL is allowed.  Not to be called from a completion.
 */
void store_close(struct store *s);
/* Every row of `unit`, in the order of names.  Blocking, for the start. */
enum err store_units_load(struct store *s, store_unit_cb each, void *arg, struct errmsg *m);

/*
 * Inserts or replaces a row at once: for changes of state.  `done` (may be NULL) is called on the
 * loop after the commit, never from inside this call: a spawn waits for it (intent first).
 * Replaces an earlier touch of the same owner that is still pending.
 */
void store_unit_put(struct store *s, const struct store_unit *u, store_done_cb done, void *arg);
/* Notes two times of a row that exists: written within a second, with whatever else was touched. */
void store_unit_touch(
    struct store *s, const char *owner, uint64_t last_activity_ns, uint64_t deadline_ns);
void store_unit_delete(struct store *s, const char *owner, store_done_cb done, void *arg);

/*
 * Adds an event.  It is written within a second, or with the next store_unit_put if that comes
 * earlier: add the event of a state change first, then put the row, and both are in one commit.
 */
void store_event_add(struct store *s, const struct store_event *ev);

/*
 * The newest `limit` events (0 = 100, at most LIMIT_EVENTS_READ) of a unit, or of all when `unit`
 * is NULL; oldest of them first.  Sees every event that was added before the call, and none that
 * was added later.  `evs` is valid during the callback.
 */
void store_events_read(
    struct store *s, const char *unit, uint32_t limit, store_events_cb cb, void *arg);

#define STORE_ADDRESS_HOLD_S (3 * 24 * 3600)
#define STORE_EVENTS_KEEP 100000

/* The table of addresses (address.h), which store_open has loaded; its changes are written. */
struct addresses *store_addresses(struct store *s);

/* Rows and events waiting to be written, commits done and failed; for `status` and tests. */
#define STORE_FAILING 400
struct store_stats {
	uint64_t commits, failed_commits, events_dropped;
	uint64_t last_commit_us, worst_commit_us;
	size_t pending;
	char failing[STORE_FAILING];   /* why changes are not saved now; "" when they are */
};
void store_stats_get(const struct store *s, struct store_stats *st);

#endif
