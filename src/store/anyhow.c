/* anyhow: a database that cannot be used is set aside and a new one begun: names are served. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "src/store/store.h"

#define ATTEMPTS 100   /* names tried for what is set aside within one second */

/* Moves path+suffix to to+suffix; what is not there need not be moved. */
static enum err
move(const char *path, const char *to, const char *suffix, struct errmsg *m)
{
	char from[PATH_MAX], dest[PATH_MAX];

	if ((size_t)snprintf(from, sizeof(from), "%s%s", path, suffix) >= sizeof(from) ||
	    (size_t)snprintf(dest, sizeof(dest), "%s%s", to, suffix) >= sizeof(dest))
		return err_set(m, ERR_RANGE, "%s: the path is too long", path);
	if (renameat2(AT_FDCWD, from, AT_FDCWD, dest, RENAME_NOREPLACE) == 0 || errno == ENOENT)
		return ERR_OK;
	if (errno == EEXIST)
		return err_set(m, ERR_EXISTS, "%s is there already", dest);
	return err_sys(m, "rename %s to %s", from, dest);
}

/* The log first: a new database would take it for its own.  sqlite3(1) finds both together. */
static enum err
set_aside(const char *path, char *to, size_t size, struct errmsg *m)
{
	time_t now = time(NULL);
	char stamp[32] = "";
	enum err e = ERR_EXISTS;
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm) == 0)
		snprintf(stamp, sizeof(stamp), "%lld", (long long)now);
	for (int i = 0; i < ATTEMPTS && e == ERR_EXISTS; i++) {
		char again[16] = "";

		if (i > 0)
			snprintf(again, sizeof(again), ".%d", i);

		if ((size_t)snprintf(to, size, "%s.damaged-%s%s", path, stamp, again) >= size)
			return err_set(m, ERR_RANGE, "%s: the path is too long", path);
		e = move(path, to, "-wal", m);
		if (e == ERR_OK)
			e = move(path, to, "-journal", m);
		if (e == ERR_OK)
			e = move(path, to, "", m);
	}
	(void)move(path, to, "-shm", NULL);   /* made anew from the log where it is missing */
	return e;
}

enum err
store_open_anyhow(struct event_base *base, const char *path, const struct store_conf *conf,
    struct store **store, char note[STORE_NOTE], struct errmsg *m)
{
	enum err e = store_open(base, path, conf, store, m);
	char to[PATH_MAX];
	struct errmsg why;

	note[0] = '\0';
	if (e == ERR_OK || e == ERR_EXISTS || e == ERR_NOMEM)
		return e;
	why = *m;
	if ((e == ERR_PARSE || e == ERR_UNSUPPORTED) &&
	    set_aside(path, to, sizeof(to), m) == ERR_OK) {
		e = store_open(base, path, conf, store, m);
		if (e == ERR_OK) {
			snprintf(note, STORE_NOTE,
			    "%.700s: it is kept as %.300s, and a new one was begun; histories and "
			    "held addresses are lost, VMs that run are found again", why.text, to);
			return e;
		}
		if (e == ERR_EXISTS)
			return e;
	}
	snprintf(note, STORE_NOTE,
	    "NOT SAVED, since the state database cannot be used: %.900s; mend that, and start "
	    "jitsud again (VMs go on)", m->text);
	return store_open(base, NULL, conf, store, m);
}
