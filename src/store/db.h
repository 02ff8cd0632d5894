/* db: the database behind the store, for one thread at a time. */
#ifndef SRC_STORE_DB_H
#define SRC_STORE_DB_H

#include "src/store/address.h"
#include "src/store/cmd.h"

struct store_db;

enum err store_db_open(
    const char *path, uint32_t events_keep, struct store_db **db, struct errmsg *m);
void store_db_close(struct store_db *db);
/* Carries out all writing commands of `cmds` in one transaction: all or nothing. */
enum err store_db_write(struct store_db *db, struct store_cmds *cmds, struct errmsg *m);
/* Carries out one STORE_CMD_READ, filling in found and nfound. */
enum err store_db_read(struct store_db *db, struct store_cmd *c, struct errmsg *m);
/* Checkpoint and pruning, if due: after a group's completions, rather not while others wait. */
void store_db_tidy(struct store_db *db, bool busy);
enum err store_db_units(struct store_db *db, store_unit_cb each, void *arg, struct errmsg *m);
enum err store_db_addresses(struct store_db *db, struct addresses *t, struct errmsg *m);

#endif
