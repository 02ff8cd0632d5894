/*
 * entry: one VM in the table, and the order of what is done to it.
 *
 *                 start, restore, adopt                     save
 *     (no entry) ----------------------> ENTRY_RUNS ----------------> ENTRY_SAVED
 *                                          |  ^                          |
 *                 stop, the VM's own end   |  +---------- restore -------+
 *                        ENTRY_GONE <------+<------- stop (discard) -----+
 *
 * Each VM has a queue of operations; at most one job of a VM is with the threads (`busy`).  Between
 * jobs its descriptors come first: a VM that ended by itself is buried before anything else is done
 * to it.  A shutdown is two jobs, asking and destroying; between them nothing is busy, and the VM's
 * end or the deadline decides.  Destroying is two where a driver reads the guest's last words.  An
 * entry lives until it is GONE, idle and its queue is empty.
 */
#include "vm/host/host.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* A QEMU that has not spoken to us after this time is worth a line in the log. */
#define ANSWER_S 10

/* ---- jobs ---- */

void
entry_job_free(struct host_job *j)
{
	arena_clear(&j->spec.memory);
	free(j->out.text);
	free(j);
}

/* The host ended first. */
static void
job_drop(void *arg)
{
	struct host_job *j = arg;

	/* A VM that was started just now, and that no entry knows yet. */
	if (j->entry != NULL && j->entry->vm == NULL && j->vm != NULL)
		j->vm->driver->free(j->vm);
	entry_job_free(j);
}

struct host_job *
entry_job_new(struct vm_host *h, enum op op, vm_done_cb done, void *arg)
{
	struct host_job *j = mem_zero(1, sizeof(*j));

	*j = (struct host_job){ .host = h, .op = op, .done = done, .arg = arg,
	    .work = { .drop = job_drop, .arg = j }, .out.usec_cpu = -1 };
	return j;
}

/* The last `most` bytes of console text, terminated; never NULL. */
static const char *
tail(const struct vm_outcome *out, size_t most, size_t *len)
{
	*len = out->text == NULL ? 0 : out->text_len > most ? most : out->text_len;
	return out->text == NULL ? "" : out->text + out->text_len - *len;
}

/* Tells the caller, and frees the job. */
static void
job_finish(void *arg)
{
	struct host_job *j = arg;
	struct vm_result res = {
		.err = j->err,
		.text = j->err == ERR_OK ? "" : j->out.msg.text[0] != '\0' ? j->out.msg.text
		    : err_str(j->err),
		.exec_ns = j->out.exec_ns,
		.detail = j->out.detail,
		.detail_len = strlen(j->out.detail),
		.usec_cpu = j->out.usec_cpu,
		.saved = j->err != ERR_OK && j->out.saved,
		.kept = j->err != ERR_OK && j->out.kept,
	};

	if (j->op == OP_CONSOLE && j->err == ERR_OK)
		res.detail = tail(&j->out, LIMIT_CONSOLE_RING, &res.detail_len);
	res.console = tail(&j->out, LIMIT_CONSOLE_TAIL, &res.console_len);
	if (j->done != NULL)
		j->done(&j->uuid, &res, j->arg);
	entry_job_free(j);
}

void
entry_job_refuse(struct host_job *j, enum err e, const char *why)
{
	j->err = err_set(&j->out.msg, e, "%s", why);
	j->work.done = job_finish;
	work_post(j->host->work, &j->work);
}

/* The image has another driver by now, which makes nothing of it. */
static enum err
restore_useless(struct host_job *j)
{
	struct errmsg m;

	if (j->driver->discard(j->ctx, &j->uuid, &m) != ERR_OK)
		vm_report_log(&j->host->reporter, &j->uuid, "%s", m.text);
	return err_set(&j->out.msg, ERR_STATE,
	    "the state was saved by driver %s, and the image has driver %s now", j->driver->name,
	    j->spec.driver);
}

/* Notes the owner on disk before the VM exists; without that file the VM runs as well. */
static void
job_owner_note(struct host_job *j)
{
	struct errmsg m;

	if (owner_write(&j->host->owners, &j->spec, &m) != ERR_OK)
		vm_report_log(&j->host->reporter, &j->uuid,
		    "%s: if the state database is lost, its VM will not be known: %s",
		    j->spec.unit, m.text);
}

static void
job_owner_settle(struct host_job *j)
{
	bool starts = j->op == OP_START || j->op == OP_RESTORE,
	     ends = (j->op == OP_STOP && !j->asking && !j->reading) || j->op == OP_BURY;

	if ((starts && j->err != ERR_OK && !j->out.saved) || (ends && j->err == ERR_OK))
		owner_remove(&j->host->owners, &j->uuid);
}

/* A VM that ends by itself takes its NICs along before its process has ended: no reason then. */
static bool
ends_itself(const struct vm *vm)
{
	struct pollfd p = { .fd = vm->death_fd, .events = POLLIN };

	return vm->death_fd >= 0 && poll(&p, 1, LIMIT_LINKS_SETTLE_MS) == 1;
}

static enum err
job_do(struct host_job *j)
{
	const struct vm_driver *d = j->driver;
	struct vm *vm = j->vm;

	switch (j->op) {
	case OP_START:
		return d->start(j->ctx, &j->spec, &j->vm, &j->out);
	case OP_RESTORE:
		return j->other_driver ? restore_useless(j)
		    : d->restore(j->ctx, &j->spec, &j->vm, &j->out);
	case OP_STOP:
		if (vm == NULL)
			return d->discard(j->ctx, &j->uuid, &j->out.msg);
		if (j->asking)
			return d->ask(vm, &j->out);
		if (!j->reading)
			return d->stop(vm, &j->out);
		d->words(vm, &j->out);
		break;
	case OP_FREEZE:
	case OP_THAW:
		return d->freeze(vm, j->op == OP_FREEZE, &j->out);
	case OP_SAVE:
		return d->save(vm, &j->out);
	case OP_CONSOLE:
		return d->console(vm, &j->out);
	case OP_WATCHED:
		j->verdict = d->watched(vm, j->why, sizeof(j->why), &j->out);
		break;
	case OP_CHECK:
		j->verdict = d->ask_alive(vm, j->why, sizeof(j->why), &j->out);
		break;
	case OP_JUDGE:
		j->verdict = d->judge(vm, j->why, sizeof(j->why), &j->out);
		break;
	case OP_BURY:
		if (j->died || (j->told && ends_itself(vm)))
			d->died(vm, j->why, sizeof(j->why), &j->out);
		return d->stop(vm, &j->out);
	}
	return ERR_OK;
}

/* On a driver thread. */
static void
job_run(void *arg)
{
	struct host_job *j = arg;

	if (j->op == OP_START || j->op == OP_RESTORE)
		job_owner_note(j);
	if (j->op == OP_FREEZE || j->op == OP_SAVE || (j->op == OP_STOP && !j->asking))
		host_park_flush(j->host);
	if (j->takes)
		host_park_take(j->host, j->vm, j->mac, j->wants_link);
	j->err = job_do(j);
	job_owner_settle(j);
}

static unsigned
job_lane(const struct host_job *j)
{
	static const unsigned lanes[] = { [OP_START] = LANE_START, [OP_RESTORE] = LANE_START,
		[OP_STOP] = LANE_STOP, [OP_FREEZE] = LANE_QUICK, [OP_THAW] = LANE_QUICK,
		[OP_SAVE] = LANE_SAVE, [OP_CONSOLE] = LANE_QUICK, [OP_WATCHED] = LANE_QUICK,
		[OP_CHECK] = LANE_QUICK, [OP_JUDGE] = LANE_QUICK, [OP_BURY] = LANE_STOP };
	unsigned lane = j->asking || j->reading ? LANE_QUICK : lanes[j->op];
	bool hung = j->vm != NULL && j->vm->hung;

	return hung && (lane == LANE_QUICK || lane == LANE_SAVE) ? LANE_HUNG : lane;
}

/* ---- entries ---- */

struct entry *
entry_find(struct vm_host *h, const struct vm_uuid *u)
{
	return table_find(&h->entries, u->bytes, sizeof(u->bytes));
}

static void
event_drop(struct event **ev)
{
	if (*ev != NULL)
		event_free(*ev);
	*ev = NULL;
}

static void
entry_unwatch(struct entry *e)
{
	event_drop(&e->watch_ev);
	event_drop(&e->death_ev);
}

void
entry_free(struct entry *e)
{
	entry_unwatch(e);
	if (e->link_fd >= 0)
		close(e->link_fd);   /* at the end; a VM that ended has none */
	event_free(e->timer);
	(void)table_remove(&e->host->entries, e->uuid.bytes, sizeof(e->uuid.bytes));   /* e */
	free(e);
}

/* The process ended, or the control socket (or what stands for one) has something to say. */
static void
readable_cb(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct entry *e = arg;

	if (fd == e->vm->death_fd)
		e->dead = true;
	else
		e->readable = true;
	entry_next(e);
}

static struct event *
event_make(struct entry *e, int fd)
{
	struct event *ev = mem_must(event_new(e->host->base, fd, EV_READ, readable_cb, e));

	if (event_add(ev, NULL) != 0)
		log_err("no event for a VM");
	return ev;
}

/* The deadline of a shutdown, else of the word that the hypervisor owes, or of its first. */
static void
timer_cb(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct entry *e = arg;

	if (e->waiting != NULL) {
		e->overdue = true;
	} else if (e->vm != NULL && e->vm->owes) {
		e->judge = true;
	} else {
		if (e->vm != NULL && !e->busy && !e->vm->answered)
			vm_report_log(&e->host->reporter, &e->uuid,
			    "the VM's process has not answered on its control socket for %d s",
			    ANSWER_S);
		return;
	}
	entry_next(e);
}

static void
entry_timer(struct entry *e, unsigned ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (evtimer_add(e->timer, &tv) != 0)
		log_err("no timer for a VM");
}

void
entry_owes(struct entry *e)
{
	e->vm->owes = true;
	if (e->waiting == NULL)
		entry_timer(e, host_hang_ms(e->host));
}

struct entry *
entry_new(struct vm_host *h, const struct vm_uuid *u, unsigned driver)
{
	struct entry *e = mem_zero(1, sizeof(*e));

	*e = (struct entry){ .host = h, .uuid = *u, .driver = driver, .state = ENTRY_NEW,
	    .link_fd = -1 };
	STAILQ_INIT(&e->queue);
	e->timer = mem_must(evtimer_new(h->base, timer_cb, e));
	table_set(&h->entries, e->uuid.bytes, sizeof(e->uuid.bytes), e);
	return e;
}

/* Watches what the VM has; called when no job runs. */
static void
entry_watch(struct entry *e)
{
	struct vm *vm = e->vm;

	if (vm == NULL || e->state != ENTRY_RUNS)
		return;
	if (e->death_ev == NULL && vm->death_fd >= 0)
		e->death_ev = event_make(e, vm->death_fd);
	/* The fresh descriptor may have the old one's number, so its event is made anew. */
	event_drop(&e->watch_ev);
	if (vm->watch_fd >= 0)
		e->watch_ev = event_make(e, vm->watch_fd);
}

static void
entry_lost(struct entry *e, enum entry_state state)
{
	entry_unwatch(e);
	host_link_keep(e, -1);
	(void)evtimer_del(e->timer);     /* fails only for what was not pending */
	if (e->vm != NULL)
		e->vm->driver->free(e->vm);
	e->vm = NULL;
	e->dead = e->readable = e->overdue = e->check = e->judge = false;
	e->end[0] = '\0';
	e->state = state;
}

static void op_done(void *arg);

static void
entry_dispatch(struct entry *e, struct host_job *j)
{
	struct vm_host *h = e->host;
	struct host_driver *d = &h->drivers[e->driver];

	/* A job may close and replace the control socket. */
	event_drop(&e->watch_ev);
	if (j->op == OP_STOP && !j->asking)
		entry_unwatch(e);
	/* Not by the threads that stop: one that hangs would keep others from being stopped. */
	j->reading = j->op == OP_STOP && !j->asking && !j->has_read && e->vm != NULL &&
	    d->driver->words != NULL;
	j->has_read = j->has_read || j->reading;
	atomic_store(&j->work.begun, false);
	e->busy = true;
	e->job = j;
	j->entry = e;
	j->uuid = e->uuid;
	j->driver = d->driver;
	j->ctx = d->ctx;
	j->vm = e->vm;
	j->work.run = job_run;
	j->work.done = op_done;
	work_submit(h->work, job_lane(j), &j->work);
}

/* The job that cleans up; `out`, unless NULL, gives its text away. */
static struct host_job *
bury_job(struct entry *e, bool died, const char *why, struct vm_outcome *out)
{
	struct host_job *j = entry_job_new(e->host, OP_BURY, NULL, NULL);

	entry_unwatch(e);
	j->died = died;
	j->told = !died && e->end[0] != '\0';
	snprintf(j->why, sizeof(j->why), "%s", why);
	if (out != NULL) {
		j->out.text = out->text;
		j->out.text_len = out->text_len;
		out->text = NULL;
	}
	return j;
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
		*why = j->op == OP_START ? "this VM has a saved state: restore or stop it" :
		    "this VM is saved, it does not run";
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

static bool
take(bool *flag)
{
	bool was = *flag;

	*flag = false;
	return was;
}

/* What is due for a VM, in the order of urgency; NULL: nothing. */
static struct host_job *
job_due(struct entry *e)
{
	struct host_job *j;
	enum err err;
	const char *why;

	if (e->vm != NULL && e->dead)
		return bury_job(e, true, "", NULL);
	if (e->vm != NULL && e->end[0] != '\0' && STAILQ_EMPTY(&e->queue))
		return bury_job(e, false, e->end, NULL);
	if (e->vm != NULL && e->waiting != NULL && take(&e->overdue)) {
		j = e->waiting;
		e->waiting = NULL;
		j->asking = false;
		return j;
	}
	if (e->vm != NULL && take(&e->readable))
		return entry_job_new(e->host, OP_WATCHED, NULL, NULL);
	if (e->vm != NULL && take(&e->judge) && e->vm->owes)
		return entry_job_new(e->host, OP_JUDGE, NULL, NULL);
	while (e->waiting == NULL && (j = STAILQ_FIRST(&e->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&e->queue, link);
		j->asking = j->op == OP_STOP && j->how == VM_STOP_SHUTDOWN &&
		    e->state == ENTRY_RUNS;
		if (op_fits(e, j, &err, &why))
			return j;
		entry_job_refuse(j, err, why);
	}
	if (e->vm != NULL && take(&e->check))
		return entry_job_new(e->host, OP_CHECK, NULL, NULL);
	return NULL;
}

void
entry_next(struct entry *e)
{
	struct host_job *j;

	if (e->busy)
		return;
	j = job_due(e);
	if (j != NULL)
		entry_dispatch(e, j);
	else if ((e->state == ENTRY_GONE || e->state == ENTRY_NEW) && e->waiting == NULL)
		entry_free(e);
	else
		entry_watch(e);
}

/* ---- results ---- */

static void
emit(struct entry *e, enum vm_event_kind kind, const char *text, const struct vm_outcome *out)
{
	struct vm_event ev = { .kind = kind, .uuid = e->uuid, .time_ns = clock_now_ns(),
	    .text = text };

	ev.console = tail(out, LIMIT_CONSOLE_TAIL, &ev.console_len);
	e->host->on_event(&ev, e->host->arg);
}

/* The VM ended by itself, and was cleaned up, or could not be. */
static void
buried(struct entry *e, struct host_job *j)
{
	struct host_job *w = e->waiting;

	if (j->err != ERR_OK)
		vm_report_log(&e->host->reporter, &e->uuid, "cleaning up after a VM that ended: %s",
		    j->out.msg.text);
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
		emit(e, VM_EVENT_DIED, j->why, &j->out);
	}
	entry_job_free(j);
}

bool
entry_job_destroys(const struct host_job *j)
{
	return j->op == OP_STOP && j->how == VM_STOP_DESTROY;
}

/* A guest was asked to shut down; now its end or the deadline decides. */
static void
asked(struct entry *e, struct host_job *j)
{
	struct host_job *next;

	e->waiting = j;
	e->overdue = j->err != ERR_OK || j->deadline_ms == 0;
	if (j->err == ERR_UNSUPPORTED)
		vm_report_log(&e->host->reporter, &e->uuid, "%s", j->out.msg.text);
	j->err = ERR_OK;
	j->out.msg.text[0] = '\0';
	STAILQ_FOREACH(next, &e->queue, link)
		e->overdue = e->overdue || entry_job_destroys(next);
	if (!e->overdue)
		entry_timer(e, j->deadline_ms);
}

/* What a finished operation makes of its entry. */
static void
settle(struct entry *e, struct host_job *j)
{
	if (j->op == OP_START || j->op == OP_RESTORE) {
		e->vm = j->vm;
		e->state = j->err == ERR_OK ? ENTRY_RUNS : j->out.saved ? ENTRY_SAVED : ENTRY_GONE;
		if (j->err == ERR_OK)
			entry_timer(e, ANSWER_S * 1000);
		if (j->err == ERR_OK && e->vm->late)
			host_late_add(e);
		if (j->err != ERR_OK)
			host_link_keep(e, -1);
	} else if (j->op == OP_STOP && j->err == ERR_OK) {
		entry_lost(e, ENTRY_GONE);
	} else if (j->op == OP_SAVE && j->err == ERR_OK) {
		entry_lost(e, ENTRY_SAVED);
	}
}

/* A look at the VM has ended; the job that follows, or NULL. */
static struct host_job *
looked(struct entry *e, struct host_job *j)
{
	struct host_job *next = NULL;

	if (j->verdict == VM_WATCH_READY)
		emit(e, VM_EVENT_READY, "", &(struct vm_outcome){ .text = NULL });
	if (j->verdict == VM_WATCH_ENDED)
		next = bury_job(e, false, j->why, &j->out);
	else if (j->op == OP_CHECK && e->vm->owes)
		entry_owes(e);
	entry_job_free(j);
	return next;
}

static void
op_done(void *arg)
{
	struct host_job *j = arg, *next = NULL;
	struct entry *e = j->entry;

	e->job = NULL;
	/* `busy` stays while callbacks run: they may queue operations, but not free the entry. */
	if (j->op == OP_BURY) {
		buried(e, j);
	} else if (j->op == OP_WATCHED || j->op == OP_CHECK || j->op == OP_JUDGE) {
		next = looked(e, j);
	} else if (j->reading) {
		next = j;
	} else if (j->asking) {
		asked(e, j);
	} else {
		settle(e, j);
		job_finish(j);
	}
	e->busy = false;
	if (next != NULL)
		entry_dispatch(e, next);
	else
		entry_next(e);
}
