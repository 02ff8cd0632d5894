/*
 * db: the database: opening, schema, statements, transactions.  The only file that knows SQLite.
 *
 * One connection in EXCLUSIVE locking mode: a second daemon on the same file is refused, and the
 * WAL index lives in our own memory.  Commits do not sync (WAL, synchronous=NORMAL) and checkpoints
 * are made by store_db_tidy, not by a commit that something waits for.
 */
#include "src/store/db.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define BUSY_TIMEOUT_MS 200       /* a predecessor that is just going */
#define CHECKPOINT_PAGES 1000     /* 4 MB of WAL */
/* While commands wait: the sync of a checkpoint takes milliseconds. */
#define CHECKPOINT_PAGES_BUSY (8 * CHECKPOINT_PAGES)
#define QUERY_TEXT 256
#define BOOT_ID 40                /* a UUID in text */
#define PRUNE_BATCH 1000          /* events deleted in one transaction */

const char *const store_step_names[STORE_STEPS] = { "spawn", "alive", "ready", "answer" };

/* migrations[i] brings schema version i to i + 1.  Never change a released one: add the next. */
static const char *const migrations[] = {
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE unit ("
	"  owner TEXT PRIMARY KEY, state TEXT NOT NULL, uuid TEXT NOT NULL, driver TEXT NOT NULL,"
	"  image TEXT NOT NULL, boot_id TEXT NOT NULL, awake_since INTEGER NOT NULL,"
	"  last_activity INTEGER NOT NULL, deadline INTEGER NOT NULL,"
	"  backoff_until INTEGER NOT NULL, boots INTEGER NOT NULL, crashes INTEGER NOT NULL,"
	"  failures INTEGER NOT NULL, last_boot_ms INTEGER NOT NULL, last_error TEXT NOT NULL,"
	"  console BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE events ("
	"  id INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, mono_ns INTEGER NOT NULL,"
	"  boot_id TEXT NOT NULL, unit TEXT NOT NULL, kind TEXT NOT NULL, spawn_us INTEGER,"
	"  alive_us INTEGER, ready_us INTEGER, answer_us INTEGER, text TEXT NOT NULL);"
	"CREATE INDEX events_unit ON events (unit, id);",

	"CREATE TABLE address ("
	"  address TEXT PRIMARY KEY, owner TEXT NOT NULL, removed_at INTEGER NOT NULL)"
	"  WITHOUT ROWID;",

	"ALTER TABLE unit ADD COLUMN identity TEXT NOT NULL DEFAULT '';",

	/* Who was never woken has no row in unit, and its address was not handed out. */
	"ALTER TABLE address ADD COLUMN used INTEGER NOT NULL DEFAULT 1;"
	"UPDATE address SET used = 0 WHERE removed_at = 0 AND"
	"  owner NOT IN (SELECT owner FROM unit);",
};
#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

enum statement {
	ST_BEGIN, ST_COMMIT, ST_ROLLBACK, ST_PUT, ST_TOUCH, ST_DELETE, ST_EVENT, ST_ADDRESS,
	ST_ADDRESS_FORGET, ST_READ_ALL, ST_READ_UNIT, ST_UNITS, ST_ADDRESSES, ST_RANGE, ST_PRUNE,
	ST_COUNT
};

#define ADDRESSES_SQL "SELECT address, owner, removed_at, used FROM address ORDER BY address"
#define EVENT_COLUMNS \
	"id, time_us, mono_ns, unit, kind, spawn_us, alive_us, ready_us, answer_us, text"

static const char *const statements[ST_COUNT] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_PUT] = "INSERT OR REPLACE INTO unit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
	    "?11, ?12, ?13, ?14, ?15, ?16, ?17)",
	[ST_TOUCH] = "UPDATE unit SET last_activity = ?2, deadline = ?3 WHERE owner = ?1",
	[ST_DELETE] = "DELETE FROM unit WHERE owner = ?1",
	[ST_EVENT] = "INSERT INTO events (time_us, mono_ns, unit, kind, spawn_us, alive_us, "
	    "ready_us, answer_us, text, boot_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ST_ADDRESS] = "INSERT OR REPLACE INTO address VALUES (?1, ?2, ?3, ?4)",
	[ST_ADDRESS_FORGET] = "DELETE FROM address WHERE address = ?1",
	[ST_READ_ALL] = "SELECT " EVENT_COLUMNS " FROM events ORDER BY id DESC LIMIT ?1",
	[ST_READ_UNIT] = "SELECT " EVENT_COLUMNS " FROM events WHERE unit = ?2 ORDER BY id DESC "
	    "LIMIT ?1",
	[ST_UNITS] = "SELECT owner, state, uuid, driver, image, boot_id, awake_since, "
	    "last_activity, deadline, backoff_until, boots, crashes, failures, "
	    "last_boot_ms, last_error, console, identity FROM unit ORDER BY owner",
	[ST_ADDRESSES] = ADDRESSES_SQL,
	[ST_RANGE] = "SELECT min(id), max(id) FROM events",
	[ST_PRUNE] = "DELETE FROM events WHERE id < ?1",
};

struct store_db {
	sqlite3 *sql;
	sqlite3_stmt *st[ST_COUNT];
	char *path;
	bool memory;                  /* there is no file */
	char boot_id[BOOT_ID];
	int64_t events_keep;
	int64_t oldest, newest;       /* ids of events; 0 = none */
	int wal_pages;
};

/* ---- errors ---- */

static enum err
code_err(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return ERR_OK;
	case SQLITE_NOMEM:
		return ERR_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_EXISTS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR:        /* our own SQL does not fit: a table is missing, or is another */
	case SQLITE_SCHEMA:
	case SQLITE_FORMAT:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
		return ERR_PARSE;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return ERR_PERM;
	default:
		return ERR_IO;
	}
}

/* What went wrong last on the connection, for a person. */
static enum err
db_err(struct store_db *db, struct errmsg *m)
{
	int code = sqlite3_extended_errcode(db->sql);   /* without a connection: SQLITE_NOMEM */
	int sys = db->sql != NULL ? sqlite3_system_errno(db->sql) : 0;
	enum err e = code_err(code);

	switch (e) {
	case ERR_EXISTS:
		return err_set(
		    m, e, "%s: another jitsud uses this state (the database is locked)", db->path);
	case ERR_PARSE:
		return err_set(m, e, "%s: the state database is damaged (%s)", db->path,
		    sqlite3_errmsg(db->sql));
	case ERR_OK:
		return err_set(m, ERR_STATE, "%s: the statement did not run", db->path);
	default:
		if ((code & 0xff) == SQLITE_IOERR && sys != 0)
			return err_set(
			    m, e, "%s: %s: %s", db->path, sqlite3_errmsg(db->sql), strerror(sys));
		return err_set(m, e, "%s: %s", db->path, sqlite3_errmsg(db->sql));
	}
}

/* ---- statements ---- */

static void
bind_text(sqlite3_stmt *st, int i, const char *text, size_t most)
{
	/* Without memory, or out of range, the column stays NULL, and NOT NULL refuses the row. */
	(void)sqlite3_bind_text(st, i, text != NULL ? text : "",
	    text != NULL ? (int)strnlen(text, most) : 0, SQLITE_STATIC);
}

static void
bind_u64(sqlite3_stmt *st, int i, uint64_t v)
{
	/* as bind_text */
	(void)sqlite3_bind_int64(st, i, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

/* Resets a statement; its last step must have said that it is done. */
static enum err
end(struct store_db *db, sqlite3_stmt *st, int step, struct errmsg *m)
{
	enum err e = step == SQLITE_DONE ? ERR_OK : db_err(db, m);

	(void)sqlite3_reset(st);            /* repeats the error of the step */
	(void)sqlite3_clear_bindings(st);   /* always SQLITE_OK */
	return e;
}

/* Runs a statement that returns nothing. */
static enum err
run(struct store_db *db, enum statement which, struct errmsg *m)
{
	return end(db, db->st[which], sqlite3_step(db->st[which]), m);
}

static const char *
column_text(sqlite3_stmt *st, int i)
{
	const unsigned char *t = sqlite3_column_text(st, i);

	return t != NULL ? (const char *)t : "";
}

static uint64_t
column_u64(sqlite3_stmt *st, int i)
{
	int64_t v = sqlite3_column_int64(st, i);

	return v < 0 ? 0 : (uint64_t)v;
}

/* ---- writing ---- */

static enum err
unit_put(struct store_db *db, const struct store_unit *u, struct errmsg *m)
{
	sqlite3_stmt *st = db->st[ST_PUT];
	const char *console = u->console != NULL ? u->console : "";
	size_t len = strlen(console);

	if (len > LIMIT_CONSOLE_TAIL) {
		console += len - LIMIT_CONSOLE_TAIL;
		len = LIMIT_CONSOLE_TAIL;
	}
	bind_text(st, 1, u->owner, LIMIT_NAME_TEXT);
	bind_text(st, 2, u->state, LIMIT_STORE_TEXT);
	bind_text(st, 3, u->uuid, LIMIT_STORE_TEXT);
	bind_text(st, 4, u->driver, LIMIT_STORE_TEXT);
	bind_text(st, 5, u->image, LIMIT_STORE_TEXT);
	bind_text(st, 6, db->boot_id, sizeof(db->boot_id));
	bind_u64(st, 7, u->awake_since_ns);
	bind_u64(st, 8, u->last_activity_ns);
	bind_u64(st, 9, u->deadline_ns);
	bind_u64(st, 10, u->backoff_until_ns);
	bind_u64(st, 11, u->boots);
	bind_u64(st, 12, u->crashes);
	bind_u64(st, 13, u->failures);
	bind_u64(st, 14, u->last_boot_ms);
	bind_text(st, 15, u->last_error, LIMIT_STORE_TEXT);
	(void)sqlite3_bind_blob(st, 16, console, (int)len, SQLITE_STATIC);   /* as bind_text */
	bind_text(st, 17, u->identity, LIMIT_STORE_TEXT);
	return run(db, ST_PUT, m);
}

static enum err
event_put(struct store_db *db, const struct store_event *ev, struct errmsg *m)
{
	sqlite3_stmt *st = db->st[ST_EVENT];

	bind_u64(st, 1, ev->time_us);
	bind_u64(st, 2, ev->mono_ns);
	bind_text(st, 3, ev->unit, LIMIT_NAME_TEXT);
	bind_text(st, 4, ev->kind, LIMIT_STORE_TEXT);
	for (int i = 0; i < STORE_STEPS; i++)
		if (ev->step_us[i] >= 0)
			/* unbound is NULL, which is allowed here */
			(void)sqlite3_bind_int64(st, 5 + i, ev->step_us[i]);
	bind_text(st, 9, ev->text, LIMIT_STORE_TEXT);
	bind_text(st, 10, db->boot_id, sizeof(db->boot_id));
	return run(db, ST_EVENT, m);
}

static enum err
apply(struct store_db *db, const struct store_cmd *c, struct errmsg *m)
{
	switch (c->kind) {
	case STORE_CMD_PUT:
		return unit_put(db, &c->unit, m);
	case STORE_CMD_TOUCH:
		bind_text(db->st[ST_TOUCH], 1, c->unit.owner, LIMIT_NAME_TEXT);
		bind_u64(db->st[ST_TOUCH], 2, c->unit.last_activity_ns);
		bind_u64(db->st[ST_TOUCH], 3, c->unit.deadline_ns);
		return run(db, ST_TOUCH, m);
	case STORE_CMD_DELETE:
		bind_text(db->st[ST_DELETE], 1, c->unit.owner, LIMIT_NAME_TEXT);
		return run(db, ST_DELETE, m);
	case STORE_CMD_EVENT:
		return event_put(db, &c->event, m);
	case STORE_CMD_ADDRESS:
		bind_text(db->st[ST_ADDRESS], 1, c->address.text, ADDR_TEXT);
		bind_text(db->st[ST_ADDRESS], 2, c->address.owner, LIMIT_NAME_TEXT);
		bind_u64(db->st[ST_ADDRESS], 3, (uint64_t)c->address.removed_at);
		bind_u64(db->st[ST_ADDRESS], 4, c->address.used);
		return run(db, ST_ADDRESS, m);
	case STORE_CMD_ADDRESS_FORGET:
		bind_text(db->st[ST_ADDRESS_FORGET], 1, c->address.text, ADDR_TEXT);
		return run(db, ST_ADDRESS_FORGET, m);
	case STORE_CMD_READ:
		return ERR_OK;
	}
	return ERR_STATE;
}

enum err
store_db_write(struct store_db *db, struct store_cmds *cmds, struct errmsg *m)
{
	struct store_cmd *c;
	int64_t oldest = db->oldest, newest = db->newest;
	enum err e = run(db, ST_BEGIN, m);

	if (e != ERR_OK)
		return e;
	STAILQ_FOREACH(c, cmds, link) {
		e = apply(db, c, m);
		if (e != ERR_OK)
			break;
		if (c->kind == STORE_CMD_EVENT) {
			newest = sqlite3_last_insert_rowid(db->sql);
			if (oldest == 0)
				oldest = newest;
		}
	}
	if (e == ERR_OK)
		e = run(db, ST_COMMIT, m);
	if (e == ERR_OK) {
		db->oldest = oldest;
		db->newest = newest;
	} else if (sqlite3_get_autocommit(db->sql) == 0) {
		(void)run(db, ST_ROLLBACK, NULL);   /* the first error is the one to report */
	}
	return e;
}

/* Called by SQLite after each commit with the length of the WAL. */
static int
on_wal(void *arg, sqlite3 *sql, const char *name, int pages)
{
	struct store_db *db = arg;

	(void)sql;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

void
store_db_tidy(struct store_db *db, bool busy)
{
	struct errmsg m;

	if (busy && db->wal_pages < CHECKPOINT_PAGES_BUSY)
		return;
	while (db->oldest > 0 && db->newest - db->oldest + 1 >= db->events_keep + PRUNE_BATCH) {
		bind_u64(db->st[ST_PRUNE], 1, (uint64_t)(db->oldest + PRUNE_BATCH));
		if (run(db, ST_PRUNE, &m) != ERR_OK) {
			log_warn("old events stay: %s", m.text);
			break;
		}
		db->oldest += PRUNE_BATCH;
	}
	if (db->wal_pages < CHECKPOINT_PAGES)
		return;
	db->wal_pages = 0;   /* when it fails: again after as many pages */
	if (sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) !=
	    SQLITE_OK) {
		(void)db_err(db, &m);   /* for its text */
		log_warn("checkpoint: %s", m.text);
	}
}

/* ---- reading ---- */

static struct store_event
event_row(sqlite3_stmt *st, struct arena *a)
{
	struct store_event ev = { .id = sqlite3_column_int64(st, 0), .time_us = column_u64(st, 1),
		.mono_ns = column_u64(st, 2), .unit = arena_strdup(a, column_text(st, 3)),
		.kind = arena_strdup(a, column_text(st, 4)),
		.text = arena_strdup(a, column_text(st, 9)) };

	for (int i = 0; i < STORE_STEPS; i++)
		ev.step_us[i] = sqlite3_column_type(st, 5 + i) == SQLITE_NULL ? STORE_STEP_NONE :
		    sqlite3_column_int64(st, 5 + i);
	return ev;
}

enum err
store_db_read(struct store_db *db, struct store_cmd *c, struct errmsg *m)
{
	sqlite3_stmt *st = db->st[c->unit.owner != NULL ? ST_READ_UNIT : ST_READ_ALL];
	enum err e;
	int rc;

	c->found = arena_array(&c->arena, c->limit, sizeof(*c->found));
	c->found += c->limit;   /* from the end: the newest comes first */
	(void)sqlite3_bind_int64(st, 1, c->limit);   /* in range */
	if (c->unit.owner != NULL)
		bind_text(st, 2, c->unit.owner, LIMIT_NAME_TEXT);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && c->nfound < c->limit) {
		*--c->found = event_row(st, &c->arena);
		c->nfound++;
	}
	e = end(db, st, rc, m);
	if (e != ERR_OK)
		c->nfound = 0;
	return e;
}

static void
unit_row(sqlite3_stmt *st, const char *boot_id, struct store_unit *u,
    char console[LIMIT_CONSOLE_TAIL + 1])
{
	const void *blob = sqlite3_column_blob(st, 15);
	size_t len = (size_t)sqlite3_column_bytes(st, 15);

	*u = (struct store_unit){ .owner = column_text(st, 0), .state = column_text(st, 1),
		.uuid = column_text(st, 2), .driver = column_text(st, 3),
		.image = column_text(st, 4), .boots = column_u64(st, 10),
		.crashes = column_u64(st, 11), .failures = (uint32_t)column_u64(st, 12),
		.last_boot_ms = (uint32_t)column_u64(st, 13), .last_error = column_text(st, 14),
		.console = console, .identity = column_text(st, 16),
		.this_boot = strcmp(column_text(st, 5), boot_id) == 0 };
	if (u->this_boot) {
		u->awake_since_ns = column_u64(st, 6);
		u->last_activity_ns = column_u64(st, 7);
		u->deadline_ns = column_u64(st, 8);
		u->backoff_until_ns = column_u64(st, 9);
	}
	if (len > LIMIT_CONSOLE_TAIL)
		len = LIMIT_CONSOLE_TAIL;
	if (len > 0)
		memcpy(console, blob, len);
	console[len] = '\0';
}

enum err
store_db_units(struct store_db *db, store_unit_cb each, void *arg, struct errmsg *m)
{
	char console[LIMIT_CONSOLE_TAIL + 1];
	sqlite3_stmt *st = db->st[ST_UNITS];
	struct store_unit u;
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		unit_row(st, db->boot_id, &u, console);
		each(&u, arg);
	}
	return end(db, st, rc, m);
}

static enum err
addresses_read(struct store_db *db, sqlite3_stmt *st, struct addresses *t, struct errmsg *m)
{
	struct store_address_row row;
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		snprintf(row.text, sizeof(row.text), "%s", column_text(st, 0));
		row.owner = column_text(st, 1);
		row.removed_at = sqlite3_column_int64(st, 2);
		row.used = sqlite3_column_int64(st, 3) != 0;
		addresses_add(t, &row);
	}
	return end(db, st, rc, m);
}

enum err
store_db_addresses(struct store_db *db, struct addresses *t, struct errmsg *m)
{
	return addresses_read(db, db->st[ST_ADDRESSES], t, m);
}

/* Without a log nothing but the file itself is looked at; with one SQLite must join the two. */
enum err
store_db_addresses_peek(const char *path, struct addresses *t, struct errmsg *m)
{
	char uri[3 * PATH_MAX + 32] = "file:", wal[PATH_MAX];
	struct store_db db = { .path = (char *)(uintptr_t)path };
	sqlite3_stmt *st = NULL;
	size_t used = strlen(uri);
	struct stat sb;
	enum err e = ERR_OK;

	for (const char *p = path; *p != '\0' && used + 4 < sizeof(uri) - 32; p++)
		used += (size_t)snprintf(uri + used, sizeof(uri) - used,
		    strchr("%?#", *p) != NULL ? "%%%02x" : "%c", (unsigned char)*p);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	snprintf(uri + used, sizeof(uri) - used, "?mode=ro%s",
	    stat(wal, &sb) == 0 && sb.st_size > 0 ? "" : "&immutable=1");
	if (sqlite3_open_v2(uri, &db.sql,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db.sql, ADDRESSES_SQL, -1, &st, NULL) != SQLITE_OK)
		e = db_err(&db, m);
	if (e == ERR_OK)
		e = addresses_read(&db, st, t, m);
	(void)sqlite3_finalize(st);   /* repeats the error of the step */
	(void)sqlite3_close(db.sql);  /* nothing is open any more */
	return e;
}

/* ---- opening ---- */

static enum err
exec(struct store_db *db, const char *sql, struct errmsg *m)
{
	if (sqlite3_exec(db->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_err(db, m);
	return ERR_OK;
}

/* The first column of the first row. */
static enum err
query_one(struct store_db *db, const char *sql, char text[QUERY_TEXT], struct errmsg *m)
{
	sqlite3_stmt *st = NULL;
	enum err e = ERR_OK;

	if (sqlite3_prepare_v2(db->sql, sql, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		e = db_err(db, m);
	else
		snprintf(text, QUERY_TEXT, "%s", column_text(st, 0));
	(void)sqlite3_finalize(st);   /* repeats the error of the step */
	return e;
}

static enum err
migrate(struct store_db *db, struct errmsg *m)
{
	char sql[256], text[QUERY_TEXT];
	enum err e = query_one(db, "PRAGMA user_version", text, m);
	int version;

	if (e != ERR_OK)
		return e;
	version = atoi(text);   /* 32 bits, SQLite's own */
	if (version > SCHEMA_VERSION)
		return err_set(m, ERR_UNSUPPORTED,
		    "%s: written by a newer jitsud (schema %d, this one knows up to %d)", db->path,
		    version, SCHEMA_VERSION);
	if (version < 0)
		return err_set(m, ERR_PARSE,
		    "%s: this is no state database of jitsud (schema %d)", db->path, version);
	for (int i = version; e == ERR_OK && i < SCHEMA_VERSION; i++) {
		e = exec(db, "BEGIN IMMEDIATE", m);
		if (e == ERR_OK)
			e = exec(db, migrations[i], m);
		snprintf(sql, sizeof(sql),
		    "INSERT OR REPLACE INTO meta VALUES ('schema', '%d'), ('jitsu', '%s');PRAGMA "
		    "user_version = %d; COMMIT", i + 1, JITSU_VERSION, i + 1);
		if (e == ERR_OK)
			e = exec(db, sql, m);
	}
	/* An open transaction is undone when the connection closes. */
	return e;
}

/* Takes the lock, checks the file, sets the modes. */
static enum err
prepare_file(struct store_db *db, struct errmsg *m)
{
	char text[QUERY_TEXT];
	enum err e;

	(void)sqlite3_busy_timeout(db->sql, BUSY_TIMEOUT_MS);   /* always SQLITE_OK */
	e = exec(db, "PRAGMA locking_mode = EXCLUSIVE", m);
	if (e == ERR_OK)
		e = query_one(db, "PRAGMA journal_mode = WAL", text, m);
	if (e == ERR_OK && strcmp(text, db->memory ? "memory" : "wal") != 0)
		e = err_set(m, ERR_IO, "%s: SQLite keeps journal mode \"%s\" here, need \"wal\"",
		    db->path, text);
	if (e == ERR_OK)
		e = exec(db, "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -256; PRAGMA "
		    "wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY", m);
	if (e == ERR_OK)
		e = query_one(db, "PRAGMA quick_check(1)", text, m);
	if (e == ERR_OK && strcmp(text, "ok") != 0)
		e = err_set(m, ERR_PARSE, "%s: the state database is damaged (%s)", db->path, text);
	return e;
}

/* Makes the file with our mode (SQLite's is 0644); open(2) tells more of a failure than SQLite. */
static enum err
make_file(const char *path, struct errmsg *m)
{
	struct stat sb;
	enum err e = ERR_OK;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(m, "%s: open the state database", path);
	if (fstat(fd, &sb) != 0)
		e = err_sys(m, "%s", path);
	else if (!S_ISREG(sb.st_mode))
		e = err_set(m, ERR_PARSE, "%s: the state database must be a regular file", path);
	close(fd);
	return e;
}

static enum err
read_boot_id(char id[BOOT_ID], struct errmsg *m)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	FILE *f = fopen(path, "re");
	bool ok = f != NULL && fgets(id, BOOT_ID, f) != NULL;
	enum err e = ok ? ERR_OK : err_sys(m, "%s", path);

	if (f != NULL)
		(void)fclose(f);   /* only read from */
	id[ok ? strcspn(id, "\n") : 0] = '\0';
	return e;
}

static enum err
prepare_statements(struct store_db *db, struct errmsg *m)
{
	sqlite3_stmt *st;

	for (int i = 0; i < ST_COUNT; i++)
		if (sqlite3_prepare_v3(db->sql, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
			&db->st[i], NULL) != SQLITE_OK)
			return db_err(db, m);
	st = db->st[ST_RANGE];
	if (sqlite3_step(st) != SQLITE_ROW)
		return db_err(db, m);
	db->oldest = sqlite3_column_int64(st, 0);
	db->newest = sqlite3_column_int64(st, 1);
	(void)sqlite3_reset(st);   /* the step worked */
	(void)sqlite3_wal_hook(db->sql, on_wal, db);   /* returns the hook before it */
	return ERR_OK;
}

enum err
store_db_open(const char *path, uint32_t events_keep, struct store_db **out, struct errmsg *m)
{
	struct store_db *db = mem_zero(1, sizeof(*db));
	enum err e;

	*out = NULL;
	db->path = mem_text(path != NULL ? path : "state in memory");
	db->memory = path == NULL;
	db->events_keep = events_keep;
	e = read_boot_id(db->boot_id, m);
	if (e == ERR_OK && path != NULL)
		e = make_file(path, m);
	if (e == ERR_OK && sqlite3_open_v2(db->memory ? ":memory:" : path, &db->sql,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		e = db_err(db, m);
	if (e == ERR_OK && sqlite3_db_readonly(db->sql, "main") != 0)
		e = err_set(m, ERR_PERM, "%s: the state database is read-only", path);
	if (e == ERR_OK)
		e = prepare_file(db, m);
	if (e == ERR_OK)
		e = migrate(db, m);
	if (e == ERR_OK)
		e = prepare_statements(db, m);
	if (e == ERR_OK) {
		*out = db;
		return ERR_OK;
	}
	/* What cannot be used is left as it was, for who looks into it. */
	if (db->sql != NULL)
		(void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	store_db_close(db);
	return e;
}

void
store_db_close(struct store_db *db)
{
	if (db == NULL)
		return;
	for (int i = 0; i < ST_COUNT; i++)
		(void)sqlite3_finalize(db->st[i]);   /* repeats an error that was reported */
	if (db->sql != NULL && sqlite3_close(db->sql) != SQLITE_OK)
		log_warn("%s: %s", db->path, sqlite3_errmsg(db->sql));
	free(db->path);
	free(db);
}
