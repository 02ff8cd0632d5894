/* host: the public operations, the drivers, and adoption; entry.c decides what is done when. */
#include "vm/host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "vm/net/park.h"
#include "vm/proc/spawn.h"

static const struct vm_driver *const drivers[] = {
	&vm_driver_qemu,
#ifdef JITSU_XEN
	&vm_driver_xen,
#endif
};
_Static_assert(sizeof(drivers) / sizeof(drivers[0]) <= HOST_DRIVERS, "raise HOST_DRIVERS");

/* ---- the public operations ---- */

static int
driver_index(struct vm_host *h, const char *name)
{
	for (unsigned i = 0; i < h->ndrivers; i++)
		if (strcmp(h->drivers[i].driver->name, name) == 0)
			return (int)i;
	return -1;
}

static enum err
driver_get(struct vm_host *h, const char *name, struct host_driver **d, struct errmsg *m)
{
	int i = name != NULL ? driver_index(h, name) : -1;

	*d = NULL;
	if (i < 0)
		return err_set(m, ERR_UNSUPPORTED, "this build has no driver \"%s\"",
		    name != NULL ? name : "");
	if (h->drivers[i].err != ERR_OK)
		return err_set(m, ERR_UNSUPPORTED, "%s", h->drivers[i].msg.text);
	*d = &h->drivers[i];
	return ERR_OK;
}

enum err
vm_driver_caps(struct vm_host *h, const char *name, unsigned *caps, struct errmsg *m)
{
	struct host_driver *d;
	enum err e = driver_get(h, name, &d, m);

	*caps = e == ERR_OK ? d->driver->caps : 0;
	return e;
}

void
vm_prepare(struct vm_host *h, const char *driver, enum vm_accel accel)
{
	struct host_driver *d;

	if (driver_get(h, driver, &d, NULL) == ERR_OK && d->driver->prepare != NULL)
		d->driver->prepare(d->ctx, accel);
}

static void
start_like(struct vm_host *h, struct vm_spec *spec, enum op op, vm_done_cb done, void *arg)
{
	struct host_job *j = entry_job_new(h, op, done, arg);
	struct entry *e = entry_find(h, &spec->uuid);
	struct host_driver *d;
	struct errmsg m;
	enum err err;

	j->uuid = spec->uuid;
	j->spec = *spec;
	spec->memory = (struct arena){ 0 };   /* the job has it now */
	err = driver_get(h, spec->driver, &d, &m);
	if (err != ERR_OK) {
		j->out.saved = op == OP_RESTORE && e != NULL;
		entry_job_refuse(j, err, m.text);
		return;
	}
	if (e == NULL)
		e = entry_new(h, &spec->uuid, (unsigned)(d - h->drivers));
	j->other_driver = d != &h->drivers[e->driver];
	STAILQ_INSERT_TAIL(&e->queue, j, link);
	entry_next(e);
}

static void
operate(struct vm_host *h, const struct vm_uuid *uuid, struct host_job *j)
{
	struct entry *e = entry_find(h, uuid);

	j->uuid = *uuid;
	if (e == NULL) {
		entry_job_refuse(j, ERR_MISSING, "this VM does not run");
		return;
	}
	STAILQ_INSERT_TAIL(&e->queue, j, link);
	/* "At once" does not wait for a guest that was asked before. */
	if (entry_job_destroys(j) && e->waiting != NULL)
		e->overdue = true;
	entry_next(e);
}

void
vm_start(struct vm_host *h, struct vm_spec *spec, vm_done_cb done, void *arg)
{
	start_like(h, spec, OP_START, done, arg);
}

void
vm_restore(struct vm_host *h, struct vm_spec *spec, vm_done_cb done, void *arg)
{
	start_like(h, spec, OP_RESTORE, done, arg);
}

void
vm_stop(struct vm_host *h, const struct vm_uuid *uuid, enum vm_stop_how how, unsigned deadline_ms,
    vm_done_cb done, void *arg)
{
	struct host_job *j = entry_job_new(h, OP_STOP, done, arg);

	j->how = how;
	j->deadline_ms = deadline_ms;
	operate(h, uuid, j);
}

void
vm_check(struct vm_host *h, const struct vm_uuid *uuid)
{
	struct entry *e = entry_find(h, uuid);

	if (e == NULL || e->vm == NULL || e->vm->driver->ask_alive == NULL || e->vm->owes)
		return;
	e->check = true;
	entry_next(e);
}

void
vm_end(struct vm_host *h, const struct vm_uuid *uuid, const char *why)
{
	struct entry *e = entry_find(h, uuid);

	if (e == NULL || e->vm == NULL || e->waiting != NULL)
		return;
	snprintf(e->end, sizeof(e->end), "%s", why);
	entry_next(e);
}

void
vm_host_limits(struct vm_host *h, unsigned start_threads, unsigned hang_ms)
{
	h->conf.hang_ms = hang_ms;
	work_lane_set(h->work, LANE_START, start_threads);
}

bool
vm_op_waits(struct vm_host *h, const struct vm_uuid *uuid)
{
	const struct entry *e = entry_find(h, uuid);

	return e != NULL &&
	    (!STAILQ_EMPTY(&e->queue) || (e->job != NULL && !atomic_load(&e->job->work.begun)));
}

struct vm_ids
vm_ids_get(struct vm_host *h, const struct vm_uuid *uuid)
{
	const struct entry *e = entry_find(h, uuid);

	return e != NULL && e->vm != NULL ? e->vm->ids : (struct vm_ids){ .pid = 0 };
}

void
vm_run_dir_keep(struct vm_host *h)
{
	struct errmsg m;
	struct entry *e;
	size_t at = 0;

	for (unsigned i = 0; i < h->ndrivers; i++) {
		const struct host_driver *d = &h->drivers[i];

		if (d->err == ERR_OK && d->driver->keep(d->ctx, &m) != ERR_OK)
			log_err("run directory: %s", m.text);
	}
	owner_dirs_keep(&h->owners, h->run_dir);
	while ((e = table_next(&h->entries, &at)) != NULL)
		if (e->vm != NULL && !e->busy && e->vm->driver->keep_vm(e->vm, &m) != ERR_OK)
			log_err("%s: run directory: %s", e->vm->unit, m.text);
}

void
vm_ahead_want(struct vm_host *h, struct vm_wish *list, unsigned n)
{
	for (unsigned i = 0; i < h->ndrivers; i++) {
		struct host_driver *d = &h->drivers[i];
		struct vm_wish *own = mem_zero(n > 0 ? n : 1, sizeof(*own));
		unsigned nown = 0;

		for (unsigned k = 0; k < n; k++)
			if (strcmp(list[k].spec.driver, d->driver->name) == 0) {
				own[nown++] = list[k];
				list[k].spec.memory = (struct arena){ 0 };   /* the driver's now */
			}
		if (d->err == ERR_OK && d->driver->want != NULL) {
			d->driver->want(d->ctx, own, nown);
			continue;
		}
		for (unsigned k = 0; k < nown; k++)
			arena_clear(&own[k].spec.memory);
		free(own);
	}
	for (unsigned k = 0; k < n; k++)
		arena_clear(&list[k].spec.memory);
	free(list);
}

void
vm_ahead_see(struct vm_host *h, const char *unit, struct vm_ahead *see)
{
	*see = (struct vm_ahead){ .bytes = 0 };
	for (unsigned i = 0; i < h->ndrivers; i++)
		if (h->drivers[i].err == ERR_OK && h->drivers[i].driver->see != NULL)
			h->drivers[i].driver->see(h->drivers[i].ctx, unit, see);
}

uint64_t
vm_memory_now(struct vm_host *h, const struct vm_uuid *uuid)
{
	return spawn_memory(vm_ids_get(h, uuid).pid);
}

void
vm_do(struct vm_host *h, const struct vm_uuid *uuid, enum vm_op op, vm_done_cb done, void *arg)
{
	operate(h, uuid, entry_job_new(h, (enum op)op, done, arg));
}

void
vm_thaw(struct vm_host *h, const struct vm_uuid *uuid, const uint8_t mac[6], bool link,
    vm_done_cb done, void *arg)
{
	struct host_job *j = entry_job_new(h, OP_THAW, done, arg);

	j->takes = true;
	j->wants_link = link;
	memcpy(j->mac, mac, sizeof(j->mac));
	operate(h, uuid, j);
}

/* ---- adoption ---- */

static void
adopt_each(const struct vm_uuid *uuid, struct vm *vm, enum vm_found_state state, const char *why,
    void *arg)
{
	struct adopt_job *j = arg;
	struct adopted *a;

	j->list = mem_room(j->list, j->n, &j->room, sizeof(*j->list));
	a = &j->list[j->n++];
	*a = (struct adopted){ .uuid = *uuid, .vm = vm, .state = state, .driver = j->driver };
	(void)owner_read(&j->host->owners, uuid, &a->owner);   /* empty when it is not known */
	snprintf(a->why, sizeof(a->why), "%s", why);
}

/* Removes files, older than the search, of VMs that are no more; if their driver looked. */
static void
drop_owners(const struct adopt_job *j, const bool looked[HOST_DRIVERS], const struct vm_uuid *list,
    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct owner o;
		bool known = owner_read(&j->host->owners, &list[i], &o);
		int driver = known ? driver_index(j->host, o.driver) : -1;
		bool there = driver >= 0 && !looked[driver];

		for (size_t k = 0; k < j->n && !there; k++)
			there = memcmp(&j->list[k].uuid, &list[i], sizeof(list[i])) == 0;
		if (!there)
			owner_remove(&j->host->owners, &list[i]);
	}
}

static void
adopt_run(void *arg)
{
	struct adopt_job *j = arg;
	struct vm_uuid *owners = NULL;
	size_t nowners = 0;
	bool looked[HOST_DRIVERS] = { false };
	bool known = owner_list(&j->host->owners, &owners, &nowners) == ERR_OK;
	struct errmsg m;

	for (j->driver = 0; j->driver < j->host->ndrivers; j->driver++) {
		struct host_driver *d = &j->host->drivers[j->driver];

		looked[j->driver] = d->err == ERR_OK &&
		    d->driver->list(d->ctx, adopt_each, j, &m) == ERR_OK;
		if (d->err == ERR_OK && !looked[j->driver])
			vm_report_log(&j->host->reporter, NULL, "looking for running VMs: %s",
			    m.text);
	}
	if (known)
		drop_owners(j, looked, owners, nowners);
	free(owners);
}

static void
adopt_drop(void *arg)
{
	struct adopt_job *j = arg;

	for (size_t i = 0; i < j->n; i++)
		if (j->list[i].vm != NULL)
			j->list[i].vm->driver->free(j->list[i].vm);
	free(j->list);
	free(j);
}

static void
adopt_done(void *arg)
{
	struct adopt_job *j = arg;
	struct vm_host *h = j->host;

	for (size_t i = 0; i < j->n; i++) {
		struct adopted *a = &j->list[i];
		struct vm_found f = { .uuid = a->uuid, .state = a->state,
			.driver = h->drivers[a->driver].driver->name, .why = a->why,
			.unit = a->owner.unit, .identity = a->owner.identity,
			.said = a->vm != NULL ? a->vm->unit : "" };
		struct entry *e = entry_find(h, &a->uuid);

		if (e != NULL)
			continue;   /* started here meanwhile; adopt_drop frees what was found */
		e = entry_new(h, &a->uuid, a->driver);
		e->vm = a->vm;
		a->vm = NULL;
		e->state = a->state == VM_FOUND_SAVED ? ENTRY_SAVED : ENTRY_RUNS;
		if (a->state == VM_FOUND_SILENT)
			entry_owes(e);
		j->found(&f, j->arg);
		entry_next(e);
	}
	j->found(NULL, j->arg);
	adopt_drop(j);
}

void
vm_adopt(struct vm_host *h, vm_found_cb found, void *arg)
{
	struct adopt_job *j = mem_zero(1, sizeof(*j));

	*j = (struct adopt_job){ .host = h, .found = found, .arg = arg,
	    .work = { .run = adopt_run, .done = adopt_done, .drop = adopt_drop, .arg = j } };
	work_submit(h->work, LANE_STOP, &j->work);
}

/* ---- begin and end ---- */

static void
threads_end(void)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (drivers[i]->thread_end != NULL)
			drivers[i]->thread_end();
}

enum err
vm_host_new(struct event_base *base, const struct vm_host_conf *conf, vm_event_cb on_event,
    void *arg, struct vm_host **out, struct errmsg *m)
{
	const unsigned threads[LANES] = { [LANE_START] = conf->start_threads,
	    [LANE_STOP] = LIMIT_VM_THREADS, [LANE_SAVE] = LIMIT_VM_THREADS,
		[LANE_QUICK] = LIMIT_VM_QUICK_THREADS, [LANE_HUNG] = LIMIT_VM_THREADS,
		[LANE_PARK] = 1, [LANE_CLOSE] = LIMIT_VM_CLOSE_THREADS };
	struct vm_host *h;
	struct errmsg why;

	*out = NULL;
	if (conf->run_dir[0] != '/' || conf->state_dir[0] != '/')
		return err_set(m, ERR_RANGE, "run and state directory must be absolute paths: %s, "
		    "%s", conf->run_dir, conf->state_dir);
	h = mem_zero(1, sizeof(*h));
	*h = (struct vm_host){ .base = base, .on_event = on_event, .arg = arg, .conf = *conf,
	    .reporter.host = h, .env = { .conf = &h->conf, .reporter = &h->reporter } };
	h->conf.run_dir = h->run_dir = mem_text(conf->run_dir);
	h->conf.state_dir = h->state_dir = mem_text(conf->state_dir);
	if (conf->qemu != NULL)
		h->conf.qemu = h->qemu = mem_text(conf->qemu);
	/* VMs run without it as well. */
	if (owner_dirs_open(h->state_dir, h->run_dir, &h->owners, &why) != ERR_OK)
		log_warn("whose the VMs are is noted once, not twice: %s", why.text);
	h->env.parks = parks_new(h->run_dir);
	h->work = work_new(base, threads, LANES, threads_end);
	for (; h->ndrivers < sizeof(drivers) / sizeof(drivers[0]); h->ndrivers++) {
		struct host_driver *d = &h->drivers[h->ndrivers];

		d->driver = drivers[h->ndrivers];
		d->err = d->driver->open(&h->env, &d->ctx, &d->msg);
	}
	*out = h;
	return ERR_OK;
}

static void
entries_free(struct vm_host *h)
{
	struct entry *e;
	size_t at = 0;

	while ((e = table_next(&h->entries, &at)) != NULL) {
		struct host_job *j;

		while ((j = STAILQ_FIRST(&e->queue)) != NULL) {
			STAILQ_REMOVE_HEAD(&e->queue, link);
			entry_job_free(j);
		}
		if (e->waiting != NULL)
			entry_job_free(e->waiting);
		if (e->vm != NULL)
			e->vm->driver->free(e->vm);
		e->vm = NULL;
		entry_free(e);
	}
	table_clear(&h->entries);
}

void
vm_host_free(struct vm_host *h)
{
	if (h == NULL)
		return;
	for (unsigned i = 0; i < h->ndrivers; i++)
		if (h->drivers[i].err == ERR_OK && h->drivers[i].driver->quit != NULL)
			h->drivers[i].driver->quit(h->drivers[i].ctx);
	work_free(h->work);
	entries_free(h);
	for (unsigned i = 0; i < h->ndrivers; i++)
		if (h->drivers[i].err == ERR_OK)
			h->drivers[i].driver->close(h->drivers[i].ctx);
	owner_dirs_close(&h->owners);
	vm_links_free(h->links);
	parks_free(h->env.parks);
	free(h->run_dir);
	free(h->state_dir);
	free(h->qemu);
	free(h);
}
