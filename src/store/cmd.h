/*
 * cmd: between the loop's side of the store (store_loop.c, store_address.c) and the database
 * (store.c).  Not included by others, but for check_holds.c, which has no loop.
 *
 * A command is one allocation; its strings lie behind it.  It is made on the loop, carried out by the store's thread, and comes back to the loop, where
 * its callback is called and it is freed.
 */
#ifndef SRC_STORE_CMD_H
#define SRC_STORE_CMD_H

#include <sys/queue.h>

#include "src/store/store.h"

enum store_cmd_kind {
	STORE_CMD_PUT,
	STORE_CMD_TOUCH,
	STORE_CMD_DELETE,
	STORE_CMD_EVENT,
	STORE_CMD_ADDRESS,         /* insert or replace */
	STORE_CMD_ADDRESS_FORGET,
	STORE_CMD_READ,
};

#define STORE_ADDRESS_TEXT 50   /* as ADDR_TEXT */

/* A row of the address table. */
struct store_address_row {
	char text[STORE_ADDRESS_TEXT];
	const char *owner;
	int64_t removed_at;        /* wall clock, s; 0 = in use */
	bool used;                 /* it was handed out */
};

struct store_cmd {
	STAILQ_ENTRY(store_cmd) link;
	LIST_ENTRY(store_cmd) hash;   /* touches that wait for the timer */
	enum store_cmd_kind kind;
	store_done_cb done;
	store_events_cb read_done;
	void *arg;
	enum err err;              /* how it ended */
	struct errmsg *why;        /* owned; NULL when it worked */
	uint32_t limit;            /* of a read */
	struct store_event *found; /* of a read: owned, with their strings in `found_text` */
	size_t nfound;
	char *found_text;
	union {
		struct store_unit unit;       /* PUT; TOUCH uses owner and two times; DELETE and READ the owner */
		struct store_event event;
		struct store_address_row address;
	};
};

STAILQ_HEAD(store_cmds, store_cmd);

void store_cmd_free(struct store_cmd *c);

/* ---- the database, store.c; one thread at a time ---- */

struct store_db;

enum err store_db_open(const char *path, uint32_t events_keep, struct store_db **db, struct errmsg *m);
void store_db_close(struct store_db *db);

/* Carries out all writing commands of `cmds` in one transaction: all or nothing. */
enum err store_db_write(struct store_db *db, struct store_cmds *cmds, struct errmsg *m);

/* Carries out one STORE_CMD_READ, filling in found, nfound and found_text. */
enum err store_db_read(struct store_db *db, struct store_cmd *c, struct errmsg *m);

/* Checkpoint and pruning, when they are due: after a group's completions have left, and rather not while others wait (`busy`). */
void store_db_tidy(struct store_db *db, bool busy);

enum err store_db_units(struct store_db *db, store_unit_cb each, void *arg, struct errmsg *m);
typedef enum err (*store_db_address_cb)(const struct store_address_row *row, void *arg);
enum err store_db_addresses(struct store_db *db, store_db_address_cb each, void *arg, struct errmsg *m);

/* The same of a file that nobody has open; it is only read. */
enum err
store_db_addresses_peek(const char *path, store_db_address_cb each, void *arg, struct errmsg *m);

const char *store_db_boot_id(const struct store_db *db);

#endif
