/* address: who has or had an address; sorted array in memory, changes handed on as commands. */
#include "src/store/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "src/store/cmd.h"

struct entry {
	struct msg_addr addr;
	uint64_t removed_at;   /* wall clock, s; 0 = in use */
	bool used;
	bool mended;           /* the stamp on disk is another */
	char *owner;           /* owned */
};

struct addresses {
	struct entry *rows;    /* by address */
	size_t n, room;
	uint32_t hold_s;
	addresses_save_cb save;
	void *arg;
	struct store_cmds changes;   /* not saved yet */
};

struct addresses *
addresses_new(uint32_t hold_s, addresses_save_cb save, void *arg)
{
	struct addresses *t = mem_zero(1, sizeof(*t));

	*t = (struct addresses){ .hold_s = hold_s, .save = save, .arg = arg };
	STAILQ_INIT(&t->changes);
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
addresses_free(struct addresses *t)
{
	rows_free(t->rows, t->n);
	free(t);
}

static int
entry_cmp(const void *a, const void *b)
{
	return addr_cmp(&((const struct entry *)a)->addr, &((const struct entry *)b)->addr);
}

void
addresses_add(struct addresses *t, const struct store_address_row *row)
{
	struct entry e = { .used = row->used };

	if (!addr_parse(row->text, &e.addr))
		return;   /* not written by us; of no use, and no reason not to start */
	e.removed_at = row->removed_at < 0 ? 0 : (uint64_t)row->removed_at;
	e.owner = mem_text(row->owner);
	t->rows = mem_room(t->rows, t->n, &t->room, sizeof(*t->rows));
	t->rows[t->n++] = e;
}

/* 0 means "in use": for a clock that begins with 1970. */
static uint64_t
stamp(uint64_t now_s)
{
	return now_s > 0 ? now_s : 1;
}

/* The clock was ahead when this was noted, or was set back since. */
static void
stamp_mend(struct entry *e, uint64_t now_s)
{
	if (e->removed_at <= stamp(now_s))
		return;
	e->removed_at = stamp(now_s);
	e->mended = true;
}

void
addresses_sort(struct addresses *t, uint64_t now_s)
{
	if (t->n > 0)
		qsort(t->rows, t->n, sizeof(*t->rows), entry_cmp);
	for (size_t i = 0; i < t->n; i++)
		stamp_mend(&t->rows[i], now_s);
}

static struct entry *
find(const struct entry *rows, size_t n, const struct msg_addr *addr)
{
	struct entry key = { .addr = *addr };

	return n == 0 ? NULL : bsearch(&key, rows, n, sizeof(*rows), entry_cmp);
}

static bool
expired(const struct addresses *t, const struct entry *e, uint64_t now_s)
{
	return e->removed_at != 0 && e->removed_at <= now_s && now_s - e->removed_at >= t->hold_s;
}

/* Why a claim is refused.  removed_at 0: the owner has it, as far as anybody can know. */
static enum err
refusal(const struct addresses *t, const struct entry *e, uint64_t removed_at,
    const char *claimant, struct errmsg *m)
{
	char text[ADDR_TEXT], until[32];
	time_t end = (time_t)(removed_at + t->hold_s);
	struct tm tm;

	addr_text(&e->addr, text);
	if (removed_at == 0)
		return err_set(m, ERR_EXISTS,
		    "address %s is that of %s, whose zone cannot be read now; "
		    "`jitsu release %s` gives it to %s", text, e->owner, text, claimant);
	if (gmtime_r(&end, &tm) == NULL ||
	    strftime(until, sizeof(until), "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(until, sizeof(until), "later");
	return err_set(m, ERR_EXISTS,
	    "address %s was that of %s and may still be in caches: %s is not "
	    "woken before %s, unless `jitsu release %s` gives it free",
	    text, e->owner, claimant, until, text);
}

enum err
addresses_check(struct addresses *t, const struct msg_addr *addr, const char *owner,
    uint64_t now_s, struct errmsg *m)
{
	struct entry *e = find(t->rows, t->n, addr);

	if (t->hold_s == 0 || e == NULL || strcmp(e->owner, owner) == 0)
		return ERR_OK;
	stamp_mend(e, now_s);
	if (!e->used || expired(t, e, now_s))
		return ERR_OK;
	return refusal(t, e, e->removed_at, owner, m);
}

/* A change, for the database. */
static void
note(struct addresses *t, enum store_cmd_kind kind, const struct entry *e)
{
	size_t len = strlen(e->owner) + 1;
	struct store_cmd *c = mem_zero(1, sizeof(*c) + len);

	c->kind = kind;
	memcpy(c + 1, e->owner, len);
	c->address.owner = (const char *)(c + 1);
	c->address.removed_at = (int64_t)e->removed_at;
	c->address.used = e->used;
	addr_text(&e->addr, c->address.text);
	STAILQ_INSERT_TAIL(&t->changes, c, link);
}

/* A sorted copy of the caller's list; of an address that is listed twice the first counts. */
static struct entry *
list_copy(const struct store_address *list, size_t n, size_t *nrows)
{
	struct entry *e = mem_zero(n, sizeof(*e));
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		e[i].addr = list[i].addr;
		e[i].addr.prefixlen = 0;
		e[i].owner = mem_text(list[i].owner);
	}
	if (n > 0)
		qsort(e, n, sizeof(*e), entry_cmp);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && entry_cmp(&e[kept - 1], &e[i]) == 0)
			free(e[i].owner);
		else
			e[kept++] = e[i];
	}
	*nrows = kept;
	return e;
}

enum verdict { CLAIM_TAKEN, CLAIM_INHERITED /* in caches under the claimant's name */, CLAIM_HELD };

/* One look at a table and at what claims its addresses. */
struct trial {
	struct addresses *t;
	const struct store_names *names;
	uint64_t now_s;
	struct entry *fresh;       /* the claims, by address */
	size_t nfresh;
	enum verdict *verdicts;    /* of the claims, where there is a row */
	struct entry **owned;      /* rows in use, by owner; made when somebody asks */
	size_t nowned;
};

static int
owner_cmp(const void *a, const void *b)
{
	return strcmp((*(struct entry *const *)a)->owner, (*(struct entry *const *)b)->owner);
}

/* The first of the rows in use of `owner`; NULL = none.  They follow each other. */
static struct entry **
owned_find(struct trial *j, const char *owner)
{
	size_t low = 0, high;

	if (j->owned == NULL) {
		j->owned = mem_zero(j->t->n, sizeof(struct entry *));
		for (size_t i = 0; i < j->t->n; i++)
			if (j->t->rows[i].removed_at == 0)
				j->owned[j->nowned++] = &j->t->rows[i];
		qsort(j->owned, j->nowned, sizeof(struct entry *), owner_cmp);
	}
	for (high = j->nowned; low < high;) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(j->owned[mid]->owner, owner) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < j->nowned && strcmp(j->owned[low]->owner, owner) == 0 ? &j->owned[low] : NULL;
}

static bool
is_hidden(const struct trial *j, const struct entry *row)
{
	return j->names->hidden(row->owner, j->names->arg);
}

/* The row's owner has gone, and the claimant came with all of its addresses and had none before. */
static bool
is_renamed(struct trial *j, const struct entry *row, const struct entry *claim)
{
	struct entry **at = owned_find(j, row->owner), **end = j->owned + j->nowned;

	if (row->removed_at != 0 || at == NULL || owned_find(j, claim->owner) != NULL)
		return false;
	for (; at < end && strcmp((*at)->owner, row->owner) == 0; at++) {
		const struct entry *c = find(j->fresh, j->nfresh, &(*at)->addr);

		if (c == NULL || strcmp(c->owner, claim->owner) != 0)
			return false;
	}
	return true;
}

static enum verdict
verdict_of(struct trial *j, struct entry *row, const struct entry *claim)
{
	const char *now;

	stamp_mend(row, j->now_s);
	if (strcmp(row->owner, claim->owner) == 0)
		return CLAIM_INHERITED;
	if (j->t->hold_s == 0 || !row->used || expired(j->t, row, j->now_s))
		return CLAIM_TAKEN;
	if (is_hidden(j, row))
		return CLAIM_HELD;
	now = j->names->unit_of(row->owner, j->names->arg);
	if (now != NULL)
		return strcmp(now, claim->owner) == 0 ? CLAIM_INHERITED : CLAIM_HELD;
	return is_renamed(j, row, claim) ? CLAIM_INHERITED : CLAIM_HELD;
}

static void
tell_held(const struct trial *j, const struct entry *row, const struct entry *claim)
{
	struct store_address a = { .addr = claim->addr, .owner = claim->owner };
	uint64_t removed_at = row->removed_at != 0 || is_hidden(j, row) ? row->removed_at
									: stamp(j->now_s);
	struct errmsg m;

	(void)refusal(j->t, row, removed_at, claim->owner, &m);   /* for its text */
	j->names->held(&a, m.text, j->names->arg);
}

/* Judges every claim, before anything changes. */
static void
trial_hold(struct trial *j, const struct store_address *list, size_t n)
{
	j->fresh = list_copy(list, n, &j->nfresh);
	j->verdicts = mem_zero(j->nfresh, sizeof(*j->verdicts));
	for (size_t i = 0; i < j->nfresh; i++) {
		struct entry *row = find(j->t->rows, j->t->n, &j->fresh[i].addr);

		if (row == NULL)
			continue;
		j->verdicts[i] = verdict_of(j, row, &j->fresh[i]);
		if (j->verdicts[i] == CLAIM_HELD)
			tell_held(j, row, &j->fresh[i]);
	}
}

static void
trial_clear(struct trial *j)
{
	free(j->verdicts);
	free(j->owned);
	rows_free(j->fresh, j->nfresh);
}

void
addresses_judge(struct addresses *t, const struct store_address *list, size_t n,
    uint64_t now_s, const struct store_names *names)
{
	struct trial j = { .t = t, .names = names, .now_s = now_s };

	trial_hold(&j, list, n);
	trial_clear(&j);
}

/* What becomes of a row that nobody has any more: kept while it is held. */
static bool
row_stays(const struct trial *j, struct entry *row)
{
	bool was_in_use = row->removed_at == 0, stays = true;

	if (was_in_use && !is_hidden(j, row))
		row->removed_at = stamp(j->now_s);
	if (row->removed_at != 0)
		stays = j->t->hold_s != 0 && row->used && !expired(j->t, row, j->now_s);
	if (!stays)
		note(j->t, STORE_CMD_ADDRESS_FORGET, row);
	else if (row->mended || (was_in_use && row->removed_at != 0))
		note(j->t, STORE_CMD_ADDRESS, row);
	row->mended = false;
	return stays;
}

/* The claim's place is that of a row, or nobody's so far (NULL). */
static void
claim_take(const struct trial *j, size_t k, const struct entry *row)
{
	struct entry *claim = &j->fresh[k];
	bool same = row != NULL && strcmp(row->owner, claim->owner) == 0 && row->removed_at == 0;

	claim->used = row != NULL && j->verdicts[k] == CLAIM_INHERITED && row->used;
	if (!same)
		note(j->t, STORE_CMD_ADDRESS, claim);
}

static void
move(struct entry *to, struct entry *from)
{
	*to = *from;
	from->owner = NULL;
}

void
addresses_set(struct addresses *t, const struct store_address *list, size_t n, uint64_t now_s,
    const struct store_names *names)
{
	struct trial j = { .t = t, .names = names, .now_s = now_s };
	size_t used = 0, i = 0, k = 0;
	struct entry *merged;

	trial_hold(&j, list, n);
	merged = mem_zero(t->n + j.nfresh, sizeof(*merged));
	while (i < t->n || k < j.nfresh) {
		int cmp = i == t->n ? 1 : k == j.nfresh ? -1 : entry_cmp(&t->rows[i], &j.fresh[k]);

		if (cmp < 0 || (cmp == 0 && j.verdicts[k] == CLAIM_HELD)) {
			if (row_stays(&j, &t->rows[i]))
				move(&merged[used++], &t->rows[i]);
		} else {
			claim_take(&j, k, cmp == 0 ? &t->rows[i] : NULL);
			move(&merged[used++], &j.fresh[k]);
		}
		i += cmp <= 0;
		k += cmp >= 0;
	}
	rows_free(t->rows, t->n);
	t->rows = merged;
	t->n = t->room = used;
	trial_clear(&j);
	t->save(&t->changes, t->arg);
}

void
addresses_used(struct addresses *t, const struct msg_addr *addrs, unsigned n, const char *owner)
{
	for (unsigned i = 0; i < n; i++) {
		struct entry *e = find(t->rows, t->n, &addrs[i]);

		if (e == NULL || e->used || strcmp(e->owner, owner) != 0)
			continue;
		e->used = true;
		note(t, STORE_CMD_ADDRESS, e);
	}
	t->save(&t->changes, t->arg);
}

enum err
addresses_forget(struct addresses *t, const struct msg_addr *addr)
{
	struct entry *e = find(t->rows, t->n, addr);

	if (e == NULL)
		return ERR_MISSING;
	note(t, STORE_CMD_ADDRESS_FORGET, e);
	free(e->owner);
	memmove(e, e + 1, (size_t)(t->rows + t->n - (e + 1)) * sizeof(*e));
	t->n--;
	t->save(&t->changes, t->arg);
	return ERR_OK;
}

void
addresses_list(const struct addresses *t, uint64_t now_s, store_address_cb each, void *arg)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct entry *e = &t->rows[i];
		struct store_address_view v = { .addr = e->addr, .owner = e->owner, .used = e->used,
			.removed_at = e->removed_at };

		if (e->removed_at != 0 && e->used && t->hold_s != 0 && !expired(t, e, now_s))
			v.held_until = e->removed_at + t->hold_s;
		each(&v, arg);
	}
}
