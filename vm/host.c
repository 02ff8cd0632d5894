/*
 * host: the table of VMs, and the order of what is done to them.
 *
 *                 start, restore, adopt                     save
 *     (no entry) ----------------------> ENTRY_RUNS ----------------> ENTRY_SAVED
 *                                          |  ^                          |
 *                 stop, the VM's own end   |  +---------- restore -------+
 *                        ENTRY_GONE <------+<------- stop (discard) -----+
 *
 * Each VM has a queue of operations; at most one job of a VM is with the pool (`busy`).  Between jobs its descriptors are looked at first: a VM
 * that ended by itself is buried before anything else is done to it.  A shutdown is two jobs, the asking and the destroying, and in
 * between nothing is busy: the VM's end or the deadline decides.  An entry lives until it is GONE, idle and its queue is empty.
 */
#include "vm/host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "vm/spec.h"

/* A QEMU that has not spoken to us after this time is worth a line in the log. */
#define ANSWER_S 10

static const struct vm_driver *const drivers[] = {
	&vm_driver_qemu,
#ifdef JITSU_XEN
	&vm_driver_xen,
#endif
};
_Static_assert(sizeof(drivers) / sizeof(drivers[0]) <= HOST_DRIVERS, "raise HOST_DRIVERS");

static void entry_next(struct entry *e);

/* ---- messages from driver threads ---- */

struct log_job {
	struct pool_job pj;
	struct vm_reporter *reporter;
	struct vm_uuid uuid;
	char text[1024];
};

static void
log_done(struct pool_job *pj)
{
	struct log_job *j = (struct log_job *)pj;
	struct vm_host *h = j->reporter->host;
	struct vm_event ev = { .kind = VM_EVENT_LOG, .uuid = j->uuid, .time_ns = clock_now_ns(), .text = j->text, .console = "" };

	h->on_event(&ev, h->arg);
	free(j);
}

static void
log_drop(struct pool_job *pj)
{
	free(pj);
}

void
vm_report_log(struct vm_reporter *r, const struct vm_uuid *uuid, const char *fmt, ...)
{
	struct log_job *j = calloc(1, sizeof(*j));
	va_list ap;

	if (j == NULL)
		return;
	j->pj.done = log_done;
	j->pj.drop = log_drop;
	j->reporter = r;
	if (uuid != NULL)
		j->uuid = *uuid;
	va_start(ap, fmt);
	vsnprintf(j->text, sizeof(j->text), fmt, ap);
	va_end(ap);
	pool_post(r->host->pool, &j->pj);
}

/* ---- jobs ---- */

static void
job_free(struct host_job *j)
{
	free(j->spec);
	free(j->out.text);
	free(j);
}

/* The pool ended first. */
static void
job_drop(struct pool_job *pj)
{
	struct host_job *j = (struct host_job *)pj;

	/* A VM that was started just now, and that no entry knows yet. */
	if (j->entry != NULL && j->entry->vm == NULL && j->vm != NULL)
		j->vm->driver->free(j->vm);
	job_free(j);
}

static struct host_job *
job_new(struct vm_host *h, enum op op, vm_done_cb done, void *arg)
{
	struct host_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		fatal("out of memory for an operation on a VM");
	j->host = h;
	j->op = op;
	j->done = done;
	j->arg = arg;
	j->pj.drop = job_drop;
	j->out.usec_cpu = -1;
	return j;
}

/* The last `most` bytes of console text, terminated; never NULL. */
static const char *
tail(const struct vm_outcome *out, size_t most)
{
	if (out->text == NULL)
		return "";
	return out->text_len > most ? out->text + out->text_len - most : out->text;
}

/* Tells the caller, and frees the job. */
static void
job_finish(struct host_job *j)
{
	bool console = j->op == OP_CONSOLE && j->err == ERR_OK;
	struct vm_result res = {
		.err = j->err,
		.text = j->err == ERR_OK ? "" : j->out.msg.text[0] != '\0' ? j->out.msg.text : err_str(j->err),
		.exec_ns = j->out.exec_ns,
		.detail = console ? tail(&j->out, LIMIT_CONSOLE_RING) : j->out.detail,
		.console = tail(&j->out, LIMIT_CONSOLE_TAIL),
		.usec_cpu = j->out.usec_cpu,
	};

	res.detail_len = console && j->out.text != NULL ? (size_t)(j->out.text + j->out.text_len - res.detail) : strlen(res.detail);
	if (j->done != NULL)
		j->done(&j->uuid, &res, j->arg);
	job_free(j);
}

static void
refused_done(struct pool_job *pj)
{
	job_finish((struct host_job *)pj);
}

/* Fails it, from the loop's next round. */
static void
job_refuse(struct host_job *j, enum err e, const char *why)
{
	j->err = err_set(&j->out.msg, e, "%s", why);
	j->pj.done = refused_done;
	pool_post(j->host->pool, &j->pj);
}

/* On a driver thread. */
static void
job_run(struct pool_job *pj)
{
	struct host_job *j = (struct host_job *)pj;
	const struct vm_driver *d = j->driver;
	struct vm *vm = j->vm;

	switch (j->op) {
	case OP_START:
		j->err = d->start(j->ctx, j->spec, &j->vm, &j->out);
		break;
	case OP_RESTORE:
		j->err = d->restore(j->ctx, j->spec, &j->vm, &j->out);
		break;
	case OP_STOP:
		if (vm == NULL)
			j->err = d->discard(j->ctx, &j->uuid, &j->out.msg);
		else if (j->asking)
			j->err = d->ask(vm, &j->out);
		else
			j->err = d->stop(vm, &j->out);
		break;
	case OP_FREEZE:
		j->err = d->freeze(vm, &j->out);
		break;
	case OP_THAW:
		j->err = d->thaw(vm, &j->out);
		break;
	case OP_SAVE:
		j->err = d->save(vm, &j->out);
		break;
	case OP_CONSOLE:
		j->err = d->console(vm, &j->out);
		break;
	case OP_WATCHED:
		j->ended = d->watched(vm, j->why, sizeof(j->why), &j->out) == VM_WATCH_ENDED;
		break;
	case OP_BURY:
		if (j->died)
			d->died(vm, j->why, sizeof(j->why), &j->out);
		j->err = d->stop(vm, &j->out);
		break;
	}
}

static unsigned
job_lane(const struct host_job *j)
{
	switch (j->op) {
	case OP_START:
	case OP_RESTORE:
		return LANE_START;
	case OP_SAVE:
	case OP_BURY:
		return LANE_STOP;
	case OP_STOP:
		return j->asking ? LANE_QUICK : LANE_STOP;
	case OP_FREEZE:
	case OP_THAW:
	case OP_CONSOLE:
	case OP_WATCHED:
		break;
	}
	return LANE_QUICK;
}

/* ---- entries ---- */

static unsigned
bucket(const struct vm_uuid *u)
{
	return (unsigned)(u->bytes[0] | u->bytes[1] << 8) % HOST_BUCKETS;
}

static struct entry *
entry_find(struct vm_host *h, const struct vm_uuid *u)
{
	struct entry *e;

	LIST_FOREACH(e, &h->buckets[bucket(u)], link)
		if (memcmp(&e->uuid, u, sizeof(*u)) == 0)
			return e;
	return NULL;
}

static void
entry_unwatch(struct entry *e)
{
	if (e->watch_ev != NULL)
		event_free(e->watch_ev);
	if (e->death_ev != NULL)
		event_free(e->death_ev);
	e->watch_ev = e->death_ev = NULL;
}

static void
entry_free(struct entry *e)
{
	entry_unwatch(e);
	if (e->timer != NULL)
		event_free(e->timer);
	LIST_REMOVE(e, link);
	free(e);
}

static void
death_cb(evutil_socket_t fd, short what, void *arg)
{
	struct entry *e = arg;

	(void)fd;
	(void)what;
	e->dead = true;
	entry_next(e);
}

static void
watch_cb(evutil_socket_t fd, short what, void *arg)
{
	struct entry *e = arg;

	(void)fd;
	(void)what;
	e->readable = true;
	entry_next(e);
}

/* The one timer of an entry: the deadline of a shutdown, or until then of QEMU's first word. */
static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct entry *e = arg;

	(void)fd;
	(void)what;
	if (e->waiting != NULL) {
		e->overdue = true;
		entry_next(e);
	} else if (e->vm != NULL && !e->busy && !e->vm->answered) {
		vm_report_log(&e->host->reporter, &e->uuid, "%s: the VM's process has not answered on its control socket for %d s", e->vm->unit, ANSWER_S);
	}
}

static void
entry_timer(struct entry *e, unsigned ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (e->timer != NULL && evtimer_add(e->timer, &tv) != 0)
		log_err("no timer for a VM");
}

static struct entry *
entry_new(struct vm_host *h, const struct vm_uuid *u, unsigned driver)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		fatal("out of memory for a VM");
	e->host = h;
	e->uuid = *u;
	e->driver = driver;
	e->state = ENTRY_NEW;
	STAILQ_INIT(&e->queue);
	e->timer = evtimer_new(h->base, timer_cb, e);
	LIST_INSERT_HEAD(&h->buckets[bucket(u)], e, link);
	return e;
}

/* Watches what the VM has; called when no job runs. */
static void
entry_watch(struct entry *e)
{
	struct vm *vm = e->vm;

	if (vm == NULL || e->state != ENTRY_RUNS)
		return;
	if (e->death_ev == NULL && vm->death_fd >= 0) {
		e->death_ev = event_new(e->host->base, vm->death_fd, EV_READ, death_cb, e);
		if (e->death_ev == NULL || event_add(e->death_ev, NULL) != 0)
			log_err("no event for the end of a VM");
	}
	/* The fresh descriptor may have the old one's number, so it is made anew each time. */
	if (e->watch_ev != NULL)
		event_free(e->watch_ev);
	e->watch_ev = NULL;
	if (vm->watch_fd >= 0) {
		e->watch_ev = event_new(e->host->base, vm->watch_fd, EV_READ, watch_cb, e);
		if (e->watch_ev == NULL || event_add(e->watch_ev, NULL) != 0)
			log_err("no event for a VM's control socket");
	}
}

static void
entry_lost(struct entry *e, enum entry_state state)
{
	entry_unwatch(e);
	if (e->timer != NULL)
		(void)evtimer_del(e->timer);     /* fails only for what was not pending */
	if (e->vm != NULL)
		e->vm->driver->free(e->vm);
	e->vm = NULL;
	e->dead = e->readable = e->overdue = false;
	e->state = state;
}

static void op_done(struct pool_job *pj);

static void
entry_dispatch(struct entry *e, struct host_job *j)
{
	struct vm_host *h = e->host;
	struct host_driver *d = &h->drivers[e->driver];

	/* A job may close and replace the control socket. */
	if (e->watch_ev != NULL)
		event_free(e->watch_ev);
	e->watch_ev = NULL;
	if (j->op == OP_STOP && !j->asking)
		entry_unwatch(e);
	e->busy = true;
	j->entry = e;
	j->uuid = e->uuid;
	j->driver = d->driver;
	j->ctx = d->ctx;
	j->vm = e->vm;
	j->pj.run = job_run;
	j->pj.done = op_done;
	pool_submit(h->pool, job_lane(j), &j->pj);
}

static void
entry_bury(struct entry *e, bool died, const char *why, struct vm_outcome *out)
{
	struct host_job *j = job_new(e->host, OP_BURY, NULL, NULL);

	entry_unwatch(e);
	j->died = died;
	snprintf(j->why, sizeof(j->why), "%s", why);
	if (out != NULL) {
		j->out.text = out->text;
		j->out.text_len = out->text_len;
		out->text = NULL;
	}
	entry_dispatch(e, j);
}

/* Whether the operation makes sense now; if not, says why. */
static bool
op_fits(const struct entry *e, const struct host_job *j, enum err *err, const char **why)
{
	bool starts = j->op == OP_START || j->op == OP_RESTORE;

	*err = ERR_STATE;
	switch (e->state) {
	case ENTRY_RUNS:
		*why = "this VM runs already";
		*err = starts ? ERR_EXISTS : ERR_STATE;
		return !starts;
	case ENTRY_SAVED:
		*why = j->op == OP_START ? "this VM has a saved state: restore or stop it" : "this VM is saved, it does not run";
		*err = j->op == OP_START ? ERR_EXISTS : ERR_STATE;
		return j->op == OP_RESTORE || j->op == OP_STOP;
	case ENTRY_NEW:
	case ENTRY_GONE:
		break;
	}
	*why = "this VM does not run";
	*err = ERR_MISSING;
	return starts;
}

/* What is due for a VM, in the order of urgency. */
static void
entry_next(struct entry *e)
{
	struct host_job *j;
	enum err err;
	const char *why;

	if (e->busy)
		return;
	if (e->vm != NULL && e->dead) {
		entry_bury(e, true, "", NULL);
		return;
	}
	if (e->vm != NULL && e->waiting != NULL && e->overdue) {
		j = e->waiting;
		e->waiting = NULL;
		e->overdue = false;
		j->asking = false;
		entry_dispatch(e, j);
		return;
	}
	if (e->vm != NULL && e->readable) {
		e->readable = false;
		entry_dispatch(e, job_new(e->host, OP_WATCHED, NULL, NULL));
		return;
	}
	while (e->waiting == NULL && (j = STAILQ_FIRST(&e->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&e->queue, link);
		if (op_fits(e, j, &err, &why)) {
			j->asking = j->op == OP_STOP && j->how == VM_STOP_SHUTDOWN && e->state == ENTRY_RUNS;
			entry_dispatch(e, j);
			return;
		}
		job_refuse(j, err, why);
	}
	if ((e->state == ENTRY_GONE || e->state == ENTRY_NEW) && e->waiting == NULL)
		entry_free(e);
	else
		entry_watch(e);
}

/* ---- results ---- */

static void
emit_died(struct entry *e, const struct host_job *j)
{
	struct vm_event ev = { .kind = VM_EVENT_DIED, .uuid = e->uuid, .time_ns = clock_now_ns(), .text = j->why,
		.console = tail(&j->out, LIMIT_CONSOLE_TAIL) };

	e->host->on_event(&ev, e->host->arg);
}

/* The VM ended by itself, and was cleaned up, or could not be. */
static void
buried(struct entry *e, struct host_job *j)
{
	struct host_job *w = e->waiting;

	if (j->err != ERR_OK)
		vm_report_log(&e->host->reporter, &e->uuid, "cleaning up after a VM that ended: %s", j->out.msg.text);
	entry_lost(e, ENTRY_GONE);
	e->waiting = NULL;
	if (w != NULL) {
		w->err = ERR_OK;
		w->out.usec_cpu = j->out.usec_cpu;
		free(w->out.text);
		w->out.text = j->out.text;
		w->out.text_len = j->out.text_len;
		j->out.text = NULL;
		job_finish(w);
	} else {
		emit_died(e, j);
	}
	job_free(j);
}

static bool
is_destroy(const struct host_job *j)
{
	return j->op == OP_STOP && j->how == VM_STOP_DESTROY;
}

/* A guest was asked to shut down; true: now its end or the deadline decides. */
static bool
asked(struct entry *e, struct host_job *j)
{
	struct host_job *next;

	e->waiting = j;
	e->overdue = j->err != ERR_OK || j->deadline_ms == 0;
	if (j->err == ERR_UNSUPPORTED)
		vm_report_log(&e->host->reporter, &e->uuid, "%s: %s", e->vm->unit, j->out.msg.text);
	j->err = ERR_OK;
	j->out.msg.text[0] = '\0';
	STAILQ_FOREACH(next, &e->queue, link)
		e->overdue = e->overdue || is_destroy(next);
	if (!e->overdue)
		entry_timer(e, j->deadline_ms);
	return true;
}

/* What a finished operation makes of its entry. */
static void
settle(struct entry *e, struct host_job *j)
{
	switch (j->op) {
	case OP_START:
	case OP_RESTORE:
		e->vm = j->vm;
		if (j->err == ERR_OK) {
			e->state = ENTRY_RUNS;
			entry_timer(e, ANSWER_S * 1000);
		} else {
			e->state = j->out.saved ? ENTRY_SAVED : ENTRY_GONE;
		}
		break;
	case OP_STOP:
		if (j->err == ERR_OK)
			entry_lost(e, ENTRY_GONE);
		break;
	case OP_SAVE:
		if (j->err == ERR_OK)
			entry_lost(e, ENTRY_SAVED);
		break;
	case OP_FREEZE:
	case OP_THAW:
	case OP_CONSOLE:
	case OP_WATCHED:
	case OP_BURY:
		break;
	}
}

static void
op_done(struct pool_job *pj)
{
	struct host_job *j = (struct host_job *)pj;
	struct entry *e = j->entry;

	/* `busy` stays while callbacks run: they may queue operations, but not free the entry. */
	if (j->op == OP_BURY) {
		buried(e, j);
	} else if (j->op == OP_WATCHED) {
		if (j->ended) {
			e->busy = false;
			entry_bury(e, false, j->why, &j->out);
			job_free(j);
			return;
		}
		job_free(j);
	} else if (!(j->asking && asked(e, j))) {
		settle(e, j);
		job_finish(j);
	}
	e->busy = false;
	entry_next(e);
}

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
		return err_set(m, ERR_UNSUPPORTED, "this build has no driver \"%s\"", name != NULL ? name : "");
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

enum err
vm_spec_check(struct vm_host *h, const struct vm_spec *spec, struct errmsg *m)
{
	struct host_driver *d;
	enum err e = driver_get(h, spec->driver, &d, m);

	return e == ERR_OK ? d->driver->check(d->ctx, spec, m) : e;
}

static void
start_like(struct vm_host *h, const struct vm_spec *spec, enum op op, vm_done_cb done, void *arg)
{
	struct host_job *j = job_new(h, op, done, arg);
	struct entry *e = entry_find(h, &spec->uuid);
	struct host_driver *d;
	struct errmsg m;
	enum err err;

	j->uuid = spec->uuid;
	err = driver_get(h, spec->driver, &d, &m);
	if (err == ERR_OK && (j->spec = vm_spec_copy(spec)) == NULL)
		err = err_set(&m, ERR_NOMEM, "out of memory for a VM's specification");
	if (err != ERR_OK) {
		job_refuse(j, err, m.text);
		return;
	}
	if (e == NULL)
		e = entry_new(h, &spec->uuid, (unsigned)(d - h->drivers));
	STAILQ_INSERT_TAIL(&e->queue, j, link);
	entry_next(e);
}

static void
operate(struct vm_host *h, const struct vm_uuid *uuid, struct host_job *j)
{
	struct entry *e = entry_find(h, uuid);

	j->uuid = *uuid;
	if (e == NULL) {
		job_refuse(j, ERR_MISSING, "this VM does not run");
		return;
	}
	STAILQ_INSERT_TAIL(&e->queue, j, link);
	/* "At once" does not wait for a guest that was asked before. */
	if (is_destroy(j) && e->waiting != NULL)
		e->overdue = true;
	entry_next(e);
}

void
vm_start(struct vm_host *h, const struct vm_spec *spec, vm_done_cb done, void *arg)
{
	start_like(h, spec, OP_START, done, arg);
}

void
vm_restore(struct vm_host *h, const struct vm_spec *spec, vm_done_cb done, void *arg)
{
	start_like(h, spec, OP_RESTORE, done, arg);
}

void
vm_stop(struct vm_host *h, const struct vm_uuid *uuid, enum vm_stop_how how, unsigned deadline_ms, vm_done_cb done, void *arg)
{
	struct host_job *j = job_new(h, OP_STOP, done, arg);

	j->how = how;
	j->deadline_ms = deadline_ms;
	operate(h, uuid, j);
}

void
vm_freeze(struct vm_host *h, const struct vm_uuid *uuid, vm_done_cb done, void *arg)
{
	operate(h, uuid, job_new(h, OP_FREEZE, done, arg));
}

void
vm_thaw(struct vm_host *h, const struct vm_uuid *uuid, vm_done_cb done, void *arg)
{
	operate(h, uuid, job_new(h, OP_THAW, done, arg));
}

void
vm_save(struct vm_host *h, const struct vm_uuid *uuid, vm_done_cb done, void *arg)
{
	operate(h, uuid, job_new(h, OP_SAVE, done, arg));
}

void
vm_console(struct vm_host *h, const struct vm_uuid *uuid, vm_done_cb done, void *arg)
{
	operate(h, uuid, job_new(h, OP_CONSOLE, done, arg));
}

/* ---- adoption ---- */

static void
adopt_each(const struct vm_uuid *uuid, struct vm *vm, enum vm_found_state state, const char *why, void *arg)
{
	struct adopt_job *j = arg;
	struct adopted *grown = realloc(j->list, (j->n + 1) * sizeof(*grown)), *a;

	if (grown == NULL)
		fatal("out of memory for the VMs that run");
	j->list = grown;
	a = &grown[j->n++];
	a->uuid = *uuid;
	a->vm = vm;
	a->state = state;
	a->driver = j->driver;
	snprintf(a->why, sizeof(a->why), "%s", why);
}

static void
adopt_run(struct pool_job *pj)
{
	struct adopt_job *j = (struct adopt_job *)pj;
	struct errmsg m;

	for (j->driver = 0; j->driver < j->host->ndrivers; j->driver++) {
		struct host_driver *d = &j->host->drivers[j->driver];

		if (d->err == ERR_OK && d->driver->list(d->ctx, adopt_each, j, &m) != ERR_OK)
			vm_report_log(&j->host->reporter, NULL, "looking for running VMs: %s", m.text);
	}
}

static void
adopt_done(struct pool_job *pj)
{
	struct adopt_job *j = (struct adopt_job *)pj;
	struct vm_host *h = j->host;

	for (size_t i = 0; i < j->n; i++) {
		struct adopted *a = &j->list[i];
		struct vm_found f = { .uuid = a->uuid, .state = a->state, .driver = h->drivers[a->driver].driver->name, .why = a->why };
		struct entry *e = entry_find(h, &a->uuid);

		/* One that was started here meanwhile is known already. */
		if (e != NULL) {
			if (a->vm != NULL)
				a->vm->driver->free(a->vm);
			continue;
		}
		e = entry_new(h, &a->uuid, a->driver);
		e->vm = a->vm;
		e->state = a->state == VM_FOUND_SAVED ? ENTRY_SAVED : ENTRY_RUNS;
		j->found(&f, j->arg);
		entry_next(e);
	}
	j->found(NULL, j->arg);
	free(j->list);
	free(j);
}

static void
adopt_drop(struct pool_job *pj)
{
	struct adopt_job *j = (struct adopt_job *)pj;

	for (size_t i = 0; i < j->n; i++)
		if (j->list[i].vm != NULL)
			j->list[i].vm->driver->free(j->list[i].vm);
	free(j->list);
	free(j);
}

void
vm_adopt(struct vm_host *h, vm_found_cb found, void *arg)
{
	struct adopt_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		fatal("out of memory for adoption");
	j->pj.run = adopt_run;
	j->pj.done = adopt_done;
	j->pj.drop = adopt_drop;
	j->host = h;
	j->found = found;
	j->arg = arg;
	pool_submit(h->pool, LANE_STOP, &j->pj);
}

/* ---- begin and end ---- */

static enum err
conf_copy(struct vm_host *h, const struct vm_host_conf *conf, struct errmsg *m)
{
	h->conf = *conf;
	h->conf.run_dir = h->run_dir = strdup(conf->run_dir);
	h->conf.state_dir = h->state_dir = strdup(conf->state_dir);
	if (conf->qemu != NULL)
		h->conf.qemu = h->qemu = strdup(conf->qemu);
	if (h->run_dir == NULL || h->state_dir == NULL || (conf->qemu != NULL && h->qemu == NULL))
		return err_set(m, ERR_NOMEM, "VMs: out of memory");
	if (conf->run_dir[0] != '/' || conf->state_dir[0] != '/')
		return err_set(m, ERR_RANGE, "run and state directory must be absolute paths: %s, %s", conf->run_dir, conf->state_dir);
	return ERR_OK;
}

static void
threads_end(void)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (drivers[i]->thread_end != NULL)
			drivers[i]->thread_end();
}

enum err
vm_host_new(struct event_base *base, const struct vm_host_conf *conf, vm_event_cb on_event, void *arg, struct vm_host **out, struct errmsg *m)
{
	const unsigned threads[POOL_LANES] = { [LANE_START] = conf->start_threads, [LANE_STOP] = LIMIT_VM_THREADS, [LANE_QUICK] = LIMIT_VM_THREADS };
	struct vm_host *h = calloc(1, sizeof(*h));
	enum err e;

	*out = NULL;
	if (h == NULL)
		return err_set(m, ERR_NOMEM, "VMs: out of memory");
	h->base = base;
	h->on_event = on_event;
	h->arg = arg;
	h->reporter.host = h;
	e = conf_copy(h, conf, m);
	if (e == ERR_OK)
		e = pool_new(base, threads, threads_end, &h->pool, m);
	if (e != ERR_OK) {
		vm_host_free(h);
		return e;
	}
	h->env.conf = &h->conf;
	h->env.reporter = &h->reporter;
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
	for (unsigned i = 0; i < HOST_BUCKETS; i++) {
		struct entry *e;

		while ((e = LIST_FIRST(&h->buckets[i])) != NULL) {
			struct host_job *j;

			while ((j = STAILQ_FIRST(&e->queue)) != NULL) {
				STAILQ_REMOVE_HEAD(&e->queue, link);
				job_free(j);
			}
			if (e->waiting != NULL)
				job_free(e->waiting);
			if (e->vm != NULL)
				e->vm->driver->free(e->vm);
			e->vm = NULL;
			entry_free(e);
		}
	}
}

void
vm_host_free(struct vm_host *h)
{
	if (h == NULL)
		return;
	pool_free(h->pool);
	entries_free(h);
	for (unsigned i = 0; i < h->ndrivers; i++)
		if (h->drivers[i].err == ERR_OK)
			h->drivers[i].driver->close(h->drivers[i].ctx);
	free(h->run_dir);
	free(h->state_dir);
	free(h->qemu);
	free(h);
}
