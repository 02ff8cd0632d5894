/*
 * db: the database behind the store, for one thread at a time, and the commands for it.
 *
 * A command is one allocation; its strings lie behind it.  It is made on the loop, carried out by
 * the store's thread, and comes back to the loop, where its callback is called and it is freed.
 */
#ifndef SRC_STORE_DB_H
#define SRC_STORE_DB_H

#include <sys/queue.h>

#include "base/arena.h"
#include "base/err.h"
#include "src/store/address.h"
#include "src/store/types.h"

enum store_cmd_kind {
	STORE_CMD_PUT,
	STORE_CMD_TOUCH,
	STORE_CMD_DELETE,
	STORE_CMD_EVENT,
	STORE_CMD_ADDRESS,         /* insert or replace */
	STORE_CMD_ADDRESS_FORGET,
	STORE_CMD_READ,
};

struct store_cmd {
	STAILQ_ENTRY(store_cmd) link;
	enum store_cmd_kind kind;
	store_done_cb done;
	store_events_cb read_done;
	void *arg;
	enum err err;              /* how it ended */
	struct errmsg *why;        /* owned; NULL when it worked */
	uint32_t limit;            /* of a read */
	struct store_event *found; /* of a read: in `arena` */
	size_t nfound;
	struct arena arena;
	union {
		/* PUT; TOUCH uses owner and two times; DELETE and READ the owner */
		struct store_unit unit;
		struct store_event event;
		struct store_address_row address;
	};
};

STAILQ_HEAD(store_cmds, store_cmd);

struct store_db;

enum err store_db_open(
    const char *path, uint32_t events_keep, struct store_db **db, struct errmsg *m);
void store_db_close(struct store_db *db);

/* Carries out all writing commands of `cmds` in one transaction: all or nothing. */
enum err store_db_write(struct store_db *db, struct store_cmds *cmds, struct errmsg *m);

/* Carries out one STORE_CMD_READ, filling in found and nfound. */
enum err store_db_read(struct store_db *db, struct store_cmd *c, struct errmsg *m);

/*
 * Checkpoint and pruning, when they are due: after a group's completions have left, and rather not
 * while others wait (`busy`).
 */
void store_db_tidy(struct store_db *db, bool busy);

enum err store_db_units(struct store_db *db, store_unit_cb each, void *arg, struct errmsg *m);
enum err store_db_addresses(struct store_db *db, struct addresses *t, struct errmsg *m);

#endif
