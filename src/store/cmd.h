/*
 * cmd: between the loop's side of the store (store.c, address.c) and the database (db.c).
 *
 * A command is one allocation; its strings lie behind it.  It is made on the loop, carried out by
 * the store's thread, and comes back to the loop, where its callback is called and it is freed.
 */
#ifndef SRC_STORE_CMD_H
#define SRC_STORE_CMD_H

#include <sys/queue.h>

#include "base/arena.h"
#include "src/store/types.h"

enum store_cmd_kind {
	STORE_CMD_PUT, STORE_CMD_TOUCH, STORE_CMD_DELETE, STORE_CMD_EVENT,
	STORE_CMD_ADDRESS,         /* insert or replace */
	STORE_CMD_ADDRESS_FORGET, STORE_CMD_READ
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

#endif
