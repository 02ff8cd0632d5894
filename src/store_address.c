/* store_address: who has or had an address; sorted array in memory, changes handed on as commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/addr.h"
#include "src/store_cmd.h"

struct entry {
	struct msg_addr addr;
	uint64_t removed_at;   /* wall clock, s; 0 = in use */
	char *owner;           /* owned */
};

struct store_addresses {
	struct entry *rows;    /* by address */
	size_t n;
	uint32_t hold_s;
};

struct store_addresses *
store_addresses_new(uint32_t hold_s)
{
	struct store_addresses *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->hold_s = hold_s;
	return t;
}

static void
rows_free(struct entry *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(rows[i].owner);
	free(rows);
}

void
store_addresses_free(struct store_addresses *t)
{
	if (t == NULL)
		return;
	rows_free(t->rows, t->n);
	free(t);
}

static int
entry_cmp(const void *a, const void *b)
{
	return addr_cmp(&((const struct entry *)a)->addr, &((const struct entry *)b)->addr);
}

static enum err
load_row(const struct store_address_row *row, void *arg)
{
	struct store_addresses *t = arg;
	struct entry *grown, e = { .removed_at = row->removed_at < 0 ? 0 : (uint64_t)row->removed_at };

	if (!addr_parse(row->text, &e.addr))
		return ERR_OK;   /* not written by us; of no use, and no reason not to start */
	grown = realloc(t->rows, (t->n + 1) * sizeof(*grown));
	if (grown == NULL)
		return ERR_NOMEM;
	t->rows = grown;
	e.owner = strdup(row->owner);
	if (e.owner == NULL)
		return ERR_NOMEM;
	t->rows[t->n++] = e;
	return ERR_OK;
}

enum err
store_addresses_load(struct store_addresses *t, struct store_db *db, struct errmsg *m)
{
	enum err e = store_db_addresses(db, load_row, t, m);

	if (t->n > 0)
		qsort(t->rows, t->n, sizeof(*t->rows), entry_cmp);
	return e;
}

static struct entry *
find(const struct store_addresses *t, const struct msg_addr *addr)
{
	struct entry key = { .addr = *addr };

	return t->n == 0 ? NULL : bsearch(&key, t->rows, t->n, sizeof(*t->rows), entry_cmp);
}

/* A removal in the future (the clock was set back) counts as now. */
static bool
expired(const struct store_addresses *t, const struct entry *e, uint64_t now_s)
{
	return e->removed_at != 0 && e->removed_at <= now_s && now_s - e->removed_at >= t->hold_s;
}

enum err
store_addresses_check(const struct store_addresses *t, const struct msg_addr *addr, const char *owner, uint64_t now_s,
    struct errmsg *m)
{
	const struct entry *e = find(t, addr);
	char text[ADDR_TEXT], until[32];
	uint64_t from;
	time_t end;
	struct tm tm;

	if (t->hold_s == 0 || e == NULL || strcmp(e->owner, owner) == 0 || expired(t, e, now_s))
		return ERR_OK;
	from = e->removed_at == 0 || e->removed_at > now_s ? now_s : e->removed_at;
	end = (time_t)(from + t->hold_s);
	if (gmtime_r(&end, &tm) == NULL || strftime(until, sizeof(until), "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(until, sizeof(until), "later");
	addr_text(addr, text);
	return err_set(m, ERR_EXISTS, "address %s belonged to %s and may still be in caches; it is refused to %s until %s", text,
	    e->owner, owner, until);
}

static struct store_cmd *
row_cmd(enum store_cmd_kind kind, const struct entry *e)
{
	size_t len = strlen(e->owner) + 1;
	struct store_cmd *c = calloc(1, sizeof(*c) + len);
	char text[ADDR_TEXT];

	if (c == NULL)
		return NULL;
	c->kind = kind;
	memcpy(c + 1, e->owner, len);
	c->address.owner = (const char *)(c + 1);
	c->address.removed_at = (int64_t)e->removed_at;
	addr_text(&e->addr, text);
	snprintf(c->address.text, sizeof(c->address.text), "%s", text);
	return c;
}

static enum err
note(struct store_cmds *out, enum store_cmd_kind kind, const struct entry *e)
{
	struct store_cmd *c = row_cmd(kind, e);

	if (c == NULL)
		return ERR_NOMEM;
	STAILQ_INSERT_TAIL(out, c, link);
	return ERR_OK;
}

/* A sorted copy of the caller's list; of an address that is listed twice the first counts. */
static enum err
list_copy(const struct store_address *list, size_t n, struct entry **rows, size_t *nrows)
{
	struct entry *e = calloc(n + 1, sizeof(*e));
	size_t kept = 0;

	if (e == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		e[i].addr = list[i].addr;
		e[i].addr.prefixlen = 0;
		e[i].owner = strdup(list[i].owner);
		if (e[i].owner == NULL) {
			rows_free(e, i);
			return ERR_NOMEM;
		}
	}
	if (n > 0)
		qsort(e, n, sizeof(*e), entry_cmp);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && entry_cmp(&e[kept - 1], &e[i]) == 0)
			free(e[i].owner);
		else
			e[kept++] = e[i];
	}
	*rows = e;
	*nrows = kept;
	return ERR_OK;
}

/* What becomes of a row that is not in use any more: kept while it must be refused to others.  *keep says whether. */
static enum err
row_retire(const struct store_addresses *t, struct entry *old, uint64_t now_s, struct store_cmds *out, bool *keep)
{
	bool was_in_use = old->removed_at == 0;

	if (was_in_use)
		old->removed_at = now_s;
	*keep = t->hold_s != 0 && !expired(t, old, now_s);
	if (!*keep)
		return note(out, STORE_CMD_ADDRESS_FORGET, old);
	return was_in_use ? note(out, STORE_CMD_ADDRESS, old) : ERR_OK;
}

enum err
store_addresses_update(struct store_addresses *t, const struct store_address *list, size_t n, uint64_t now_s,
    struct store_cmds *out)
{
	struct entry *fresh, *merged;
	size_t nfresh, used = 0, i = 0, j = 0;
	enum err e = list_copy(list, n, &fresh, &nfresh);

	if (e != ERR_OK)
		return e;
	merged = calloc(t->n + nfresh + 1, sizeof(*merged));
	if (merged == NULL) {
		rows_free(fresh, nfresh);
		return ERR_NOMEM;
	}
	/* From here every row moves into `merged` or is freed; a change that cannot be noted is only missing on disk. */
	while (i < t->n || j < nfresh) {
		int cmp = i == t->n ? 1 : j == nfresh ? -1 : entry_cmp(&t->rows[i], &fresh[j]);
		bool keep = true, same;

		if (cmp < 0) {
			e = row_retire(t, &t->rows[i], now_s, out, &keep) != ERR_OK ? ERR_NOMEM : e;
			if (keep)
				merged[used++] = t->rows[i];
			else
				free(t->rows[i].owner);
			i++;
			continue;
		}
		same = cmp == 0 && t->rows[i].removed_at == 0 && strcmp(t->rows[i].owner, fresh[j].owner) == 0;
		if (!same)
			e = note(out, STORE_CMD_ADDRESS, &fresh[j]) != ERR_OK ? ERR_NOMEM : e;
		if (cmp == 0)
			free(t->rows[i++].owner);
		merged[used++] = fresh[j++];
	}
	free(fresh);
	free(t->rows);
	t->rows = merged;
	t->n = used;
	return e;
}

enum err
store_addresses_forget(struct store_addresses *t, const struct msg_addr *addr, struct store_cmds *out)
{
	struct entry *e = find(t, addr);
	enum err result;

	if (e == NULL)
		return ERR_MISSING;
	result = note(out, STORE_CMD_ADDRESS_FORGET, e);
	free(e->owner);
	memmove(e, e + 1, (size_t)(t->rows + t->n - (e + 1)) * sizeof(*e));
	t->n--;
	return result;
}
