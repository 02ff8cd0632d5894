/* moves: what can happen in the model's world, see model.h. */
#include "tests/unit/src/life/model.h"

#include <string.h>

const char *const model_move_names[MOVE_COUNT] = {
	"wake by query",
	"wake by packet",
	"wake by operator",
	"admit",
	"refuse",
	"store writes",
	"store fails",
	"stored is reported",
	"operation works",
	"operation fails",
	"operation fails and loses the VM",
	"operation cannot be tried",
	"operation is reported",
	"guest is ready",
	"ready is reported",
	"VM dies",
	"death is reported",
	"read fails",
	"read: nothing",
	"read: a query",
	"read: a packet",
	"timer",
	"timer too early",
	"tick",
	"sleep frozen",
	"sleep saved",
	"sleep dormant",
	"policy",
	"remove",
	"kill",
	"kill, late times",
	"kill, half-made",
};

static bool
move_wake(const struct system *sys, struct world *w, struct model_unit *u, enum life_cause cause)
{
	if (u->forgotten)
		return false;
	u->owed = true;
	model_deliver(sys, w, u, (struct life_event){ .kind = LIFE_EV_WAKE, .cause = cause });
	return true;
}

/*
 * Under the second policy what refuses is a unit that it needs, which waits out a back-off of its
 * own.
 */
static bool
move_admit(const struct system *sys, struct world *w, struct model_unit *u, bool admit)
{
	struct life_event ev = { .kind = admit ? LIFE_EV_ADMITTED : LIFE_EV_REFUSED,
		.ticket = u->slot_ticket };
	unsigned held = 0;

	for (unsigned i = 0; i < sys->units; i++)
		held += w->u[i].slot == 2;
	if (u->slot != 1 || (admit && held >= sys->slots))
		return false;
	u->slot = admit ? 2 : 0;
	u->boot = admit;
	if (!admit && w->policy == 1) {
		ev.needs = true;
		ev.again_ms = MODEL_NOW + 2;
	}
	model_deliver(sys, w, u, ev);
	return true;
}

static bool
move_store(const struct system *sys, struct world *w, struct model_unit *u, enum move m)
{
	uint8_t report = u->stored;

	if (m == MOVE_STORED) {
		u->stored = 0;
		if (report != 0)
			model_deliver_kind(sys, w, u, LIFE_EV_STORED, u->stored_ticket,
			    report == 1 ? ERR_OK : ERR_IO);
		return report != 0;
	}
	if (u->nwrites == 0 || (u->intent[0] && u->stored) ||
	    (m == MOVE_WRITE_FAILS && !u->intent[0]))
		return false;
	if (m == MOVE_WRITE_FAILS) {
		/* the row stays as it was; later rows have the new UUID all the same */
		struct row kept = u->row;

		model_store_apply(u);
		/*
		 * what the model checks at rest: the state of the intent is the state shown already
		 */
		kept.state = u->row.state;
		u->row = kept;
		u->stored = 2;
	} else {
		model_store_apply(u);
	}
	return true;
}

/* What the driver does, between the call and the report. */
static void
op_effect(struct model_unit *u, enum move m)
{
	bool works = m == MOVE_OP_WORKS;

	u->stage = works ? OP_OK : m == MOVE_OP_NOT_TRIED ? OP_KEPT : OP_FAILED;
	if (m == MOVE_OP_NOT_TRIED)
		return;
	switch ((enum life_action_kind)u->op) {
	case LIFE_DO_START:
	case LIFE_DO_RESTORE:
		u->file = 0;
		u->vm = works ? VM_RUNNING : VM_NONE;
		break;
	case LIFE_DO_FREEZE:
	case LIFE_DO_THAW:
		if (works)
			u->vm = u->op == LIFE_DO_FREEZE ? VM_PAUSED : VM_RUNNING;
		break;
	case LIFE_DO_SAVE:
		u->file = works;
		if (works) {
			u->vm = VM_NONE;
			u->died = false;   /* not reported any more */
		}
		break;
	default:
		if (u->vm == VM_NONE && !u->file)
			u->stage = OP_MISSING;
		if (works) {
			u->vm = VM_NONE;
			u->file = 0;
			u->died = false;
		}
		break;
	}
	if (m == MOVE_OP_LOSES_VM) {
		u->vm = VM_NONE;
		u->lost = true;
	}
}

static bool
move_op(const struct system *sys, struct world *w, struct model_unit *u, enum move m)
{
	static const enum life_event_kind ends[LIFE_ACTION_COUNT] = {
		[LIFE_DO_START] = LIFE_EV_STARTED,
		[LIFE_DO_RESTORE] = LIFE_EV_RESTORED,
		[LIFE_DO_FREEZE] = LIFE_EV_FROZEN,
		[LIFE_DO_THAW] = LIFE_EV_THAWED,
		[LIFE_DO_SAVE] = LIFE_EV_SAVED,
		[LIFE_DO_STOP] = LIFE_EV_STOPPED
	};
	/* a VM that is saved may die when its file is complete */
	bool needs_vm = u->op == LIFE_DO_FREEZE || u->op == LIFE_DO_THAW;
	struct life_event ev = { .kind = ends[u->op], .ticket = u->op_ticket };
	enum err result;

	if (m != MOVE_OP_REPORT) {
		if (u->stage != OP_BEGUN || (m == MOVE_OP_WORKS && needs_vm && u->vm == VM_NONE) ||
		    (m == MOVE_OP_LOSES_VM && u->op != LIFE_DO_SAVE) ||
		    (m == MOVE_OP_NOT_TRIED && u->op != LIFE_DO_RESTORE && !needs_vm &&
			u->op != LIFE_DO_SAVE))
			return false;
		if (u->op == LIFE_DO_STOP && m == MOVE_OP_FAILS && u->vm == VM_NONE && !u->file)
			return false;   /* of a VM that is gone, a stop can say nothing else */
		op_effect(u, m);
		return true;
	}
	if (u->stage <= OP_BEGUN)
		return false;
	result = u->stage == OP_OK ? ERR_OK : u->stage == OP_MISSING ? ERR_MISSING : ERR_IO;
	if ((ev.kind == LIFE_EV_STARTED || ev.kind == LIFE_EV_RESTORED) && result != ERR_OK)
		u->died = false;
	if (ev.kind == LIFE_EV_STOPPED && result != ERR_IO)
		u->died = false;
	ev.result = result;
	ev.kept = u->stage == OP_KEPT;
	ev.needs = ev.kept && ev.kind == LIFE_EV_THAWED && w->policy == 1;
	u->op = 0;
	u->stage = OP_NONE;
	model_deliver(sys, w, u, ev);
	return true;
}

static bool
move_guest(const struct system *sys, struct world *w, struct model_unit *u, enum move m)
{
	switch (m) {
	case MOVE_GUEST_READY:
		if (!u->probe || u->vm != VM_RUNNING || u->ready)
			return false;
		u->ready = true;
		u->ready_ticket = u->probe_ticket;
		return true;
	case MOVE_READY:
		if (!u->ready)
			return false;
		u->ready = false;
		if (u->ready_ticket == u->probe_ticket)
			u->probe = false;   /* READY ends the probe */
		if (!u->forgotten)
			model_deliver_kind(sys, w, u, LIFE_EV_READY, u->ready_ticket, ERR_OK);
		return true;
	case MOVE_DIE:
		if (u->vm == VM_NONE)
			return false;
		u->vm = VM_NONE;
		u->died = true;
		return true;
	default:
		if (!u->died)
			return false;
		u->died = false;
		model_deliver_kind(sys, w, u, LIFE_EV_DIED, 0, ERR_OK);
		return true;
	}
}

static bool
move_read(const struct system *sys, struct world *w, struct model_unit *u, enum move m)
{
	struct life_event ev = { .kind = LIFE_EV_ACTIVITY, .ticket = u->read_ticket };

	if (!u->reading || u->forgotten)
		return false;
	u->reading = false;
	if (m == MOVE_READ_FAILS)
		ev.result = ERR_IO;
	else if (m == MOVE_READ_QUERY)
		ev.activity.last_query_ms = MODEL_NOW + 1;   /* the future counts as now */
	else if (m == MOVE_READ_PACKET)
		ev.activity.last_packet_ms = MODEL_NOW;
	model_deliver(sys, w, u, ev);
	return true;
}

static bool
move_timer(const struct system *sys, struct world *w, struct model_unit *u, enum move m)
{
	bool due = u->timer_ms <= MODEL_NOW;

	if (u->timer_ms == LIFE_NEVER || due != (m == MOVE_TIMER))
		return false;
	u->timer_ms = LIFE_NEVER;
	model_deliver_kind(sys, w, u, LIFE_EV_TIMER, 0, ERR_OK);
	return true;
}

static void
back(uint64_t *t)
{
	if (*t != LIFE_NEVER && *t != 0)
		*t -= 1;
}

static bool
move_tick(const struct system *sys, struct world *w)
{
	for (unsigned i = 0; i < sys->units; i++)
		if (w->u[i].timer_ms != LIFE_NEVER && w->u[i].timer_ms + MODEL_LATE <= MODEL_NOW)
			return false;
	for (unsigned i = 0; i < sys->units; i++) {
		struct life *l = &w->u[i].life;

		back(&w->u[i].timer_ms);
		back(&l->timer_ms);
		back(&l->awake_since_ms);
		back(&l->last_use_ms);
		back(&l->since_ms);
		back(&l->backoff_until_ms);
	}
	return true;
}

static bool
move_operator(const struct system *sys, struct world *w, struct model_unit *u, enum move m)
{
	struct life_event ev = { .kind = LIFE_EV_SLEEP };

	if (u->forgotten || u->removed)
		return false;
	if (m == MOVE_REMOVE) {
		u->removed = true;
		ev.kind = LIFE_EV_REMOVE;
	} else {
		ev.sleep.cause = LIFE_BY_OPERATOR;
		ev.sleep.tier = LIFE_TIER_DORMANT;
		if (m == MOVE_SLEEP_FROZEN)
			ev.sleep.tier = LIFE_TIER_FROZEN;
		else if (m == MOVE_SLEEP_SAVED)
			ev.sleep.tier = LIFE_TIER_SAVED;
	}
	model_deliver(sys, w, u, ev);
	return true;
}

static void
adopt(const struct system *sys, struct world *w, struct model_unit *u, enum life_found found,
    bool late)
{
	struct life_event ev = { .kind = LIFE_EV_ADOPT };

	ev.adopt.found = found;
	ev.adopt.was = (enum life_state)u->row.state;
	if (late) {
		ev.adopt.awake_since_ms = ev.adopt.last_use_ms = MODEL_NOW + 1;
		ev.adopt.backoff_until_ms = MODEL_NOW + 100;
		ev.adopt.failures = 1;
	}
	u->board = u->row.state;
	model_deliver(sys, w, u, ev);
	if (u->removed && !u->forgotten)
		model_deliver_kind(sys, w, u, LIFE_EV_REMOVE, 0, ERR_OK);
}

/*
 * SIGKILL, and the next daemon.  The store keeps the rows that were written; rows and VMs that do
 * not belong together are destroyed by the glue.
 */
static bool
move_kill(const struct system *sys, struct world *w, enum move m)
{
	bool any = false;

	for (unsigned i = 0; i < sys->units; i++)
		any |= w->u[i].stage == OP_BEGUN;
	if (m == MOVE_KILL_HALF && !any)
		return false;
	for (unsigned i = 0; i < sys->units; i++) {
		struct model_unit old = w->u[i], *u = &w->u[i];
		bool half = m == MOVE_KILL_HALF && old.stage == OP_BEGUN;
		enum life_found found = old.file ? LIFE_FOUND_SAVED : LIFE_FOUND_NONE;

		if (old.forgotten)
			continue;
		if (old.vm == VM_RUNNING)
			found = LIFE_FOUND_RUNNING;
		else if (old.vm == VM_PAUSED)
			found = LIFE_FOUND_FROZEN;
		memset(u, 0, sizeof(*u));
		life_init(&u->life);
		u->timer_ms = LIFE_NEVER;
		u->removed = old.removed;
		u->row = old.row;
		u->vm = old.vm;
		u->file = old.file;
		if (half) {
			found = LIFE_FOUND_BROKEN;
			u->vm = VM_RUNNING;
			u->file = 0;
		}
		model_expect((u->vm == VM_NONE && !u->file) || u->row.current,
		    "after a kill the store does not know the VM");
		adopt(sys, w, u, found, m == MOVE_KILL_LATE);
	}
	return true;
}

static bool
move_policy(const struct system *sys, struct world *w)
{
	w->policy = !w->policy;
	for (unsigned i = 0; i < sys->units; i++)
		if (!w->u[i].forgotten)
			model_deliver_kind(sys, w, &w->u[i], LIFE_EV_POLICY, 0, ERR_OK);
	return true;
}

static bool
move_any(const struct system *sys, struct world *w, unsigned i, enum move m)
{
	struct model_unit *u = &w->u[i];

	switch (m) {
	case MOVE_WAKE_QUERY:
		return move_wake(sys, w, u, LIFE_BY_QUERY);
	case MOVE_WAKE_PACKET:
		return move_wake(sys, w, u, LIFE_BY_PACKET);
	case MOVE_WAKE_OPERATOR:
		return move_wake(sys, w, u, LIFE_BY_OPERATOR);
	case MOVE_ADMIT:
	case MOVE_REFUSE:
		return move_admit(sys, w, u, m == MOVE_ADMIT);
	case MOVE_WRITE:
	case MOVE_WRITE_FAILS:
	case MOVE_STORED:
		return move_store(sys, w, u, m);
	case MOVE_OP_WORKS:
	case MOVE_OP_FAILS:
	case MOVE_OP_LOSES_VM:
	case MOVE_OP_NOT_TRIED:
	case MOVE_OP_REPORT:
		return move_op(sys, w, u, m);
	case MOVE_GUEST_READY:
	case MOVE_READY:
	case MOVE_DIE:
	case MOVE_DIED:
		return move_guest(sys, w, u, m);
	case MOVE_READ_FAILS:
	case MOVE_READ_NOTHING:
	case MOVE_READ_QUERY:
	case MOVE_READ_PACKET:
		return move_read(sys, w, u, m);
	case MOVE_TIMER:
	case MOVE_TIMER_EARLY:
		return move_timer(sys, w, u, m);
	case MOVE_TICK:
		return i == 0 && move_tick(sys, w);
	case MOVE_POLICY:
		return i == 0 && move_policy(sys, w);
	case MOVE_KILL:
	case MOVE_KILL_LATE:
	case MOVE_KILL_HALF:
		return i == 0 && move_kill(sys, w, m);
	default:
		return move_operator(sys, w, u, m);
	}
}

bool
model_move(const struct system *sys, struct world *w, unsigned i, enum move m)
{
	if ((sys->without & (1u << m)) != 0 || !move_any(sys, w, i, m))
		return false;
	for (unsigned k = 0; sys->prompt && k < sys->units; k++) {
		while (w->u[k].nwrites > 0 && !(w->u[k].intent[0] && w->u[k].stored))
			model_store_apply(&w->u[k]);
		/* if there is anything to report */
		(void)move_op(sys, w, &w->u[k], MOVE_OP_REPORT);
	}
	model_settle(sys, w);
	return true;
}

void
model_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	for (unsigned i = 0; i < MODEL_UNITS; i++) {
		life_init(&w->u[i].life);
		w->u[i].timer_ms = LIFE_NEVER;
	}
}

void
model_adopt(const struct system *sys, struct world *w, enum life_found found, enum life_state was,
    bool late)
{
	struct model_unit *u = &w->u[0];

	model_init(w);
	u->row = (struct row){ .state = (uint8_t)was, .current = 1 };
	u->vm = VM_NONE;
	if (found == LIFE_FOUND_FROZEN)
		u->vm = VM_PAUSED;
	else if (found == LIFE_FOUND_RUNNING || found == LIFE_FOUND_BROKEN)
		u->vm = VM_RUNNING;
	u->file = found == LIFE_FOUND_SAVED;
	adopt(sys, w, u, found, late);
	model_settle(sys, w);
}

bool
model_drain(const struct system *sys, struct world *w, enum drain how)
{
	static const enum move order[DRAIN_COUNT][12] = {
		[DRAIN_FAIR] = { MOVE_OP_WORKS, MOVE_OP_FAILS, MOVE_OP_REPORT, MOVE_DIED,
		    MOVE_STORED, MOVE_WRITE, MOVE_ADMIT, MOVE_GUEST_READY, MOVE_READY,
		    MOVE_READ_NOTHING, MOVE_TIMER, MOVE_COUNT },
		[DRAIN_FAILS] = { MOVE_OP_FAILS, MOVE_OP_WORKS, MOVE_OP_REPORT, MOVE_DIED,
		    MOVE_STORED, MOVE_WRITE_FAILS, MOVE_WRITE, MOVE_REFUSE, MOVE_READ_FAILS,
		    MOVE_TIMER, MOVE_COUNT },
		[DRAIN_HANGS] = { MOVE_TIMER, MOVE_COUNT },
	};

	for (unsigned k = 0; order[how][k] != MOVE_COUNT; k++)
		for (unsigned i = 0; i < sys->units; i++)
			if (move_any(sys, w, i, order[how][k])) {
				model_settle(sys, w);
				model_check_stale(sys, w);
				return true;
			}
	for (unsigned i = 0; i < sys->units; i++)
		if (w->u[i].timer_ms != LIFE_NEVER) {
			/* nothing is overdue, or it would have fired above */
			(void)move_tick(sys, w);
			model_settle(sys, w);
			model_check_stale(sys, w);
			return true;
		}
	return false;
}
