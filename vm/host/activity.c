/*
 * activity: when a payload packet of a VM last passed a bridge, remembered by the kernel, even
 * while no daemon runs, for longer than any unit may be idle.
 *
 * Only packets of watched VMs count, on the interfaces of their NICs: a guest that sends from other
 * addresses fills nothing and keeps nobody awake.  vm/net/activity_table has rules and sets.
 *
 * A reading notices what others did to the table.  Then nothing is known of the time before: each
 * VM that was watched counts as used at that moment.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "vm/net/activity_table.h"
#include "vm/host/guard.h"
#include "vm/host/host.h"
#include "vm/host/monitor.h"

/* A NIC of a VM whose packets count, or no longer do. */
struct guest {
	LIST_ENTRY(guest) link;
	struct vm_uuid uuid;
	struct vm_activity_nic nic;
	uint64_t since_ns;         /* when it was first watched; 0: before this daemon */
	bool wanted, applied;      /* is to be in its set; is there, as far as we know */
	bool changed;              /* it is to have another rate */
};

struct vm_activity {
	struct vm_host *host;
	pthread_mutex_t lock;      /* the table */
	struct activity_table *table;
	unsigned jobs;             /* under way; on the loop only */
	bool closed;
	char *name;                /* of the table */
	struct guards *guards;
	struct monitors *monitors;
	pthread_mutex_t list;      /* the rest; never held for long */
	LIST_HEAD(, guest) guests;
	bool settled;              /* what a former daemon watched is known */
	bool settle;               /* the sets are to have what is wanted and nothing else */
};

struct read_job {
	struct work_job work;
	struct vm_activity *act;
	struct vm_uuid uuid;
	vm_activity_cb cb;         /* or */
	vm_flows_cb flows_cb;
	void *arg;
	enum err err;
	uint64_t last_ns, bytes;
	struct vm_flow flows[VM_FLOWS];
	unsigned nflows;
	struct errmsg m;
};

/* ---- which VMs count ---- */

/*
 * The commands that fill empty sets from the list, each behind a ';'; the caller frees them, and
 * calls guards_fill_end.
 */
static char *
settle_text(struct vm_activity *a)
{
	char *commands = NULL, one[ACTIVITY_COMMAND];
	struct guest *g;
	size_t size;
	FILE *out = mem_must(open_memstream(&commands, &size));

	pthread_mutex_lock(&a->list);
	LIST_FOREACH(g, &a->guests, link) {
		activity_table_add(a->table, &g->nic, one);
		if (g->wanted)
			fprintf(out, "; %s", one);
		g->applied = g->wanted;
		g->changed = false;
	}
	a->settle = false;
	pthread_mutex_unlock(&a->list);
	monitors_fill(a->monitors, a->name, out);
	guards_fill_begin(a->guards, a->name, out);
	if (fclose(out) != 0)
		fatal("out of memory for the commands of a table");
	return commands;
}

/* Is this MAC, or even this NIC, wanted?  A unit's next VM has a new UUID.  The list is locked. */
static void
is_wanted(const struct vm_activity *a, const struct vm_activity_nic *nic, bool *mac, bool *same)
{
	const struct guest *g;

	*mac = *same = false;
	LIST_FOREACH(g, &a->guests, link) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): who is freed left the list before */
		if (!g->wanted || memcmp(g->nic.mac, nic->mac, sizeof(nic->mac)) != 0)
			continue;
		*mac = true;
		*same = *same || strcmp(g->nic.name, nic->name) == 0;
	}
}

struct change {
	char command[ACTIVITY_COMMAND];
	bool add, remove;
	bool forget;               /* nobody has that MAC any more */
	uint8_t mac[6];
};

/* The next NIC whose element is not as it is wanted; false: none.  Drops what is forgotten. */
static bool
change_next(struct vm_activity *a, struct change *c)
{
	struct guest *g, *after;
	bool found = false, mac, same;

	pthread_mutex_lock(&a->list);
	for (g = LIST_FIRST(&a->guests); g != NULL && !found; g = after) {
		after = LIST_NEXT(g, link);
		if (g->wanted != g->applied || (g->wanted && g->changed)) {
			if (g->wanted)
				activity_table_add(a->table, &g->nic, c->command);
			else
				activity_table_command(a->table, "delete", &g->nic, c->command);
			is_wanted(a, &g->nic, &mac, &same);
			c->add = g->wanted;
			c->remove = !same;
			c->forget = !mac;
			memcpy(c->mac, g->nic.mac, sizeof(c->mac));
			g->applied = g->wanted;
			g->changed = false;
			found = true;
		} else if (!g->wanted) {
			LIST_REMOVE(g, link);
			free(g);
		}
	}
	pthread_mutex_unlock(&a->list);
	return found;
}

static bool
must_settle(struct vm_activity *a, bool again)
{
	bool must;

	pthread_mutex_lock(&a->list);
	must = a->settle = a->settle || again;
	pthread_mutex_unlock(&a->list);
	return must;
}

/* Makes the kernel's sets what is wanted by now.  `lock` is held. */
static enum err
apply(struct vm_activity *a, struct errmsg *m)
{
	struct change c;
	enum err e = ERR_OK;
	char *all;

	if (must_settle(a, false)) {
		all = settle_text(a);
		e = activity_table_fill(a->table, all, m);
		guards_fill_end(a->guards);
		free(all);
	}
	if (e == ERR_OK)
		e = monitors_apply(a->monitors, a->table, m);
	while (e == ERR_OK && change_next(a, &c)) {
		/* A deletion fails when somebody else was there before. */
		if ((c.add || c.remove) && activity_table_run(a->table, c.command, m) != ERR_OK &&
		    c.add)
			e = ERR_IO;
		if (c.forget)
			activity_table_forget(a->table, c.mac);
	}
	if (e != ERR_OK)
		(void)must_settle(a, true);   /* next time */
	return e;
}

/* Its NICs that count; how many, and whether all that are wanted do. */
static unsigned
nics_of(struct vm_activity *a, const struct vm_uuid *uuid, struct vm_activity_nic nics[LIMIT_NICS],
    uint64_t *since_ns, bool *all)
{
	const struct guest *g;
	unsigned n = 0;

	*all = true;
	*since_ns = 0;
	pthread_mutex_lock(&a->list);
	LIST_FOREACH(g, &a->guests, link) {
		if (!g->wanted || memcmp(&g->uuid, uuid, sizeof(*uuid)) != 0 || n == LIMIT_NICS)
			continue;
		*all = *all && g->applied && !a->settle;
		*since_ns = g->since_ns;
		nics[n++] = g->nic;
	}
	pthread_mutex_unlock(&a->list);
	return n;
}

/* ---- beginning and end ---- */

static void
act_free(struct vm_activity *a)
{
	struct guest *g;

	while ((g = LIST_FIRST(&a->guests)) != NULL) {
		LIST_REMOVE(g, link);
		free(g);
	}
	pthread_mutex_destroy(&a->list);
	guards_free(a->guards);
	monitors_free(a->monitors);
	free(a->name);
	activity_table_close(a->table, false);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

enum err
vm_activity_new(struct vm_host *host, const char *tag, struct vm_activity **out, struct errmsg *m)
{
	struct vm_activity *a = mem_zero(1, sizeof(*a));
	enum err e;

	*out = NULL;
	a->host = host;
	pthread_mutex_init(&a->lock, NULL);
	pthread_mutex_init(&a->list, NULL);
	LIST_INIT(&a->guests);
	a->guards = guards_new();
	a->monitors = monitors_new();
	e = activity_table_open(tag, &a->table, m);
	if (e != ERR_OK) {
		act_free(a);
		return e;
	}
	a->name = mem_text(activity_table_name(a->table));
	*out = a;
	return ERR_OK;
}

void
vm_activity_free(struct vm_activity *a, bool remove_table)
{
	if (a == NULL)
		return;
	if (remove_table) {
		pthread_mutex_lock(&a->lock);
		activity_table_close(a->table, true);
		a->table = NULL;
		pthread_mutex_unlock(&a->lock);
	}
	a->closed = true;
	if (a->jobs == 0)
		act_free(a);
}

/* ---- reading ---- */

/* What was counted is lost, which is not the same as "never". */
static enum err
fill_again(struct vm_activity *a, struct errmsg *m)
{
	struct errmsg why;

	(void)must_settle(a, true);
	return apply(a, &why) == ERR_OK ? ERR_MISSING : err_set(m, ERR_IO, "%s", why.text);
}

/* `lock` is held. */
static enum err
read_nics(struct vm_activity *a, const struct vm_activity_nic *nics, unsigned n, uint64_t since_ns,
    uint64_t *last_ns, struct errmsg *m)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i < n && e == ERR_OK; i++) {
		uint64_t at_ns = 0;

		if (!activity_table_has(a->table, &nics[i]))
			return activity_table_lost(a->table, m) == ERR_MISSING ? fill_again(a, m)
			    : ERR_IO;
		e = activity_table_last(a->table, nics[i].mac, &at_ns, m);
		*last_ns = at_ns > *last_ns ? at_ns : *last_ns;
	}
	if (since_ns < activity_table_since(a->table) && *last_ns < activity_table_since(a->table))
		*last_ns = activity_table_since(a->table);
	return e;
}

/* `lock` is held. */
static void
read_flows(struct read_job *j, const struct vm_activity_nic *nics, unsigned n)
{
	struct activity_table *t = j->act->table;

	for (unsigned i = 0; i < n; i++) {
		unsigned told = j->nflows < VM_FLOWS ? j->nflows : VM_FLOWS;

		j->bytes += activity_table_bytes(t, &nics[i]);
		j->nflows +=
		    activity_table_flows(t, nics[i].mac, j->flows + told, VM_FLOWS - told);
	}
}

static void
read_run(void *arg)
{
	struct read_job *j = arg;
	struct vm_activity *a = j->act;
	struct vm_activity_nic nics[LIMIT_NICS];
	uint64_t since_ns;
	unsigned n;
	bool all;

	pthread_mutex_lock(&a->lock);
	n = nics_of(a, &j->uuid, nics, &since_ns, &all);
	if (a->table == NULL)
		j->err = err_set(&j->m, ERR_STATE, "the table is closed");
	else if (n == 0)
		j->err = err_set(&j->m, ERR_STATE, "they do not count");
	else if ((j->err = activity_table_check(a->table, &j->m)) == ERR_MISSING)
		j->err = fill_again(a, &j->m);
	else if (j->err == ERR_OK && (j->err = apply(a, &j->m)) == ERR_OK && j->cb != NULL)
		j->err = read_nics(a, nics, n, since_ns, &j->last_ns, &j->m);
	else if (j->err == ERR_OK)
		read_flows(j, nics, n);
	if (j->err == ERR_OK && !all)
		j->err = err_set(&j->m, ERR_STATE, "they did not count until now");
	pthread_mutex_unlock(&a->lock);
}

static void
read_drop(void *arg)
{
	struct read_job *j = arg;
	struct vm_activity *a = j->act;

	free(j);
	if (--a->jobs == 0 && a->closed)
		act_free(a);
}

static void
read_done(void *arg)
{
	struct read_job *j = arg;

	if (!j->act->closed && j->cb != NULL)
		j->cb(j->err, j->last_ns, j->m.text, j->arg);
	else if (!j->act->closed)
		j->flows_cb(j->err, j->bytes, j->flows, j->nflows, j->m.text, j->arg);
	read_drop(j);
}

static struct read_job *
job_new(struct vm_activity *a, void (*run)(void *), void (*done)(void *))
{
	struct read_job *j = mem_zero(1, sizeof(*j));

	j->work = (struct work_job){ .run = run, .done = done, .drop = read_drop, .arg = j };
	j->act = a;
	a->jobs++;
	return j;
}

void
vm_activity_read(struct vm_activity *a, const struct vm_uuid *uuid, vm_activity_cb cb, void *arg)
{
	struct read_job *j = job_new(a, read_run, read_done);

	j->uuid = *uuid;
	j->cb = cb;
	j->arg = arg;
	work_submit(a->host->work, LANE_QUICK, &j->work);
}

void
vm_activity_flows(struct vm_activity *a, const struct vm_uuid *uuid, vm_flows_cb cb, void *arg)
{
	struct read_job *j = job_new(a, read_run, read_done);

	j->uuid = *uuid;
	j->flows_cb = cb;
	j->arg = arg;
	work_submit(a->host->work, LANE_QUICK, &j->work);
}

/* ---- watching ---- */

static void
apply_run(void *arg)
{
	struct read_job *j = arg;

	pthread_mutex_lock(&j->act->lock);
	/* What does not work is tried again, and told, when the unit's deadline asks. */
	if (j->act->table != NULL)
		(void)apply(j->act, NULL);
	pthread_mutex_unlock(&j->act->lock);
}

static void
apply_later(struct vm_activity *a)
{
	work_submit(a->host->work, LANE_QUICK, &job_new(a, apply_run, read_drop)->work);
}

static bool
is_of(const struct guest *g, const struct vm_uuid *uuid)
{
	return memcmp(&g->uuid, uuid, sizeof(*uuid)) == 0;
}

/* The list is locked. */
static void
watch_one(struct vm_activity *a, const struct vm_uuid *uuid, const struct vm_activity_nic *nic)
{
	struct guest *g;

	LIST_FOREACH(g, &a->guests, link)
		if (is_of(g, uuid) && memcmp(g->nic.mac, nic->mac, sizeof(nic->mac)) == 0 &&
		    strcmp(g->nic.name, nic->name) == 0)
			break;
	if (g == NULL) {
		g = mem_zero(1, sizeof(*g));
		*g = (struct guest){ .uuid = *uuid, .nic = *nic,
		    .since_ns = a->settled ? clock_now_ns() : 0 };
		LIST_INSERT_HEAD(&a->guests, g, link);
	}
	if (g->nic.below_bytes != nic->below_bytes || g->nic.below_s != nic->below_s)
		g->changed = true;
	g->nic = *nic;
	g->nic.passive = NULL;     /* monitor.c has its own */
	g->wanted = true;
}

void
vm_activity_watch(struct vm_activity *a, const struct vm_uuid *uuid,
    const struct vm_activity_nic *nics, unsigned n)
{
	bool any = n > 0;
	struct guest *g;

	pthread_mutex_lock(&a->list);
	LIST_FOREACH(g, &a->guests, link) {
		any = any || is_of(g, uuid);
		g->wanted = g->wanted && !is_of(g, uuid);
	}
	for (unsigned i = 0; i < n; i++)
		watch_one(a, uuid, &nics[i]);
	pthread_mutex_unlock(&a->list);
	any = monitors_watch(a->monitors, uuid, nics, n) || any;
	if (any)
		apply_later(a);
}

void
vm_activity_unwatch(struct vm_activity *a, const struct vm_uuid *uuid)
{
	vm_activity_watch(a, uuid, NULL, 0);
}

void
vm_activity_settle(struct vm_activity *a)
{
	pthread_mutex_lock(&a->list);
	a->settled = a->settle = true;
	pthread_mutex_unlock(&a->list);
	apply_later(a);
}

/* ---- refusals ---- */

static void
guard_run(void *arg)
{
	struct vm_activity *a = ((struct read_job *)arg)->act;
	enum err e = guards_apply(a->guards, a->name, NULL);

	/* It has not waited for readings; now that somebody has changed the table, all is done. */
	if (e == ERR_OK)
		return;
	(void)must_settle(a, true);
	pthread_mutex_lock(&a->lock);
	e = a->table == NULL ? ERR_STATE : activity_table_check(a->table, NULL);
	if (e == ERR_OK || e == ERR_MISSING)
		(void)apply(a, NULL);
	pthread_mutex_unlock(&a->lock);
}

void
vm_activity_guard(struct vm_activity *a, const struct vm_uuid *uuid, const uint8_t mac[6], bool on)
{
	guards_set(a->guards, uuid, mac, on);
	work_submit(a->host->work, LANE_QUICK, &job_new(a, guard_run, read_drop)->work);
}
