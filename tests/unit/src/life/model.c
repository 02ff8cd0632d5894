/*
 * model: the world around a unit, what it makes of the machine's actions, and what must be true of
 * it; see model.h.
 */
#include "tests/unit/src/life/model.h"

#include <string.h>

const char *model_wrong;

void
model_expect(bool ok, const char *what)
{
	if (!ok && model_wrong == NULL)
		model_wrong = what;
}

/* ---- actions ---- */

void
model_store_apply(struct model_unit *u)
{
	if (u->intent[0]) {
		u->stored = 1;
		u->stored_ticket = u->write_ticket[0];
	}
	u->row = u->writes[0];
	u->nwrites--;
	for (unsigned i = 0; i < u->nwrites; i++) {
		u->writes[i] = u->writes[i + 1];
		u->intent[i] = u->intent[i + 1];
		u->write_ticket[i] = u->write_ticket[i + 1];
	}
}

static void
store_write(struct model_unit *u, enum life_state state, bool intent, uint32_t ticket)
{
	if (u->nwrites == MODEL_WRITES)
		model_store_apply(u);
	u->writes[u->nwrites] = (struct row){ .state = (uint8_t)state,
		.current = u->nwrites > 0 ? u->writes[u->nwrites - 1].current : u->row.current };
	if (intent) {
		/* a new UUID: all rows so far have an old one */
		for (unsigned i = 0; i < u->nwrites; i++)
			u->writes[i].current = 0;
		u->row.current = 0;
		u->writes[u->nwrites].current = 1;
	}
	u->intent[u->nwrites] = intent;
	u->write_ticket[u->nwrites++] = ticket;
}

static void
begin_op(struct model_unit *u, const struct life_action *a)
{
	model_expect(u->op == 0, "a second operation while one is under way");
	u->op = (uint8_t)a->kind;
	u->stage = OP_BEGUN;
	u->op_ticket = a->ticket;
	model_expect(a->kind == LIFE_DO_STOP || u->slot == 2, "a VM without a slot");
	switch (a->kind) {
	case LIFE_DO_START:
		model_expect(u->vm == VM_NONE && !u->file && !u->died, "START of a second VM");
		model_expect(u->row.current, "START before the intent is on disk");
		break;
	case LIFE_DO_RESTORE:
		model_expect(u->vm == VM_NONE && u->file, "RESTORE of nothing");
		break;
	case LIFE_DO_FREEZE:
		model_expect(u->vm == VM_RUNNING || u->died, "FREEZE of what does not run");
		break;
	case LIFE_DO_THAW:
		model_expect(u->vm == VM_PAUSED || u->died, "THAW of what is not frozen");
		break;
	case LIFE_DO_SAVE:
		model_expect(u->vm != VM_NONE || u->died, "SAVE of nothing");
		break;
	default:
		model_expect(u->vm != VM_NONE || u->file || u->died || u->lost, "STOP of nothing");
		u->lost = false;
		break;
	}
}

static void
perform_slots(struct model_unit *u, const struct life_action *a)
{
	switch (a->kind) {
	case LIFE_DO_ADMIT:
		model_expect(u->slot == 0, "ADMIT while a slot is held");
		u->slot = 1;
		u->slot_ticket = a->ticket;
		break;
	case LIFE_DO_CLAIM:
		model_expect(u->slot == 0, "CLAIM while a slot is held");
		u->slot = 2;
		break;
	case LIFE_DO_RELEASE:
		model_expect(u->slot != 0, "RELEASE of no slot");
		model_expect(!u->boot, "RELEASE before BOOT_DONE");
		u->slot = 0;
		break;
	default:
		model_expect(u->boot, "BOOT_DONE without a boot");
		u->boot = false;
		break;
	}
}

static void
perform_probe(struct model_unit *u, const struct life_action *a)
{
	model_expect(
	    u->probe == (a->kind == LIFE_DO_UNPROBE), "PROBE while probing, or UNPROBE while not");
	u->probe = a->kind == LIFE_DO_PROBE;
	u->probe_ticket = u->probe ? a->ticket : 0;
}

static void
perform(struct model_unit *u, const struct life_action *a)
{
	model_expect(!u->forgotten, "an action after FORGET");
	switch (a->kind) {
	case LIFE_DO_CHANGED:
		model_expect(a->changed.from == u->board && a->changed.to != u->board,
		    "CHANGED does not continue the last one");
		u->board = (uint8_t)a->changed.to;
		store_write(u, a->changed.to, false, 0);
		break;
	case LIFE_DO_ADMIT:
	case LIFE_DO_CLAIM:
	case LIFE_DO_RELEASE:
	case LIFE_DO_BOOT_DONE:
		perform_slots(u, a);
		break;
	case LIFE_DO_INTENT:
		model_expect(u->vm == VM_NONE && !u->file && u->op == 0, "INTENT for a second VM");
		store_write(u, LIFE_BOOTING, true, a->ticket);
		break;
	case LIFE_DO_PROBE:
	case LIFE_DO_UNPROBE:
		perform_probe(u, a);
		break;
	case LIFE_DO_READ:
		/* an older one that never reported is beyond caring: its ticket is stale */
		u->reading = true;
		u->read_ticket = a->ticket;
		break;
	case LIFE_DO_WOKEN:
		model_expect(u->owed, "WOKEN for nobody");
		model_expect((a->woken == WAKE_READY) == (u->board == LIFE_AWAKE),
		    "WOKEN(ready) and the board disagree");
		model_expect(
		    (a->woken == WAKE_GONE) == u->removed, "WOKEN(gone) of a unit that is there");
		u->owed = false;
		u->answer = (uint8_t)a->woken;
		break;
	case LIFE_DO_TIMER:
		u->timer_ms = a->at_ms;
		break;
	case LIFE_DO_FORGET:
		model_expect(u->removed, "FORGET of a unit that is configured");
		u->forgotten = true;
		break;
	default:
		begin_op(u, a);
		break;
	}
}

/* ---- life_step, with faults ---- */

static enum err
step(const struct system *sys, struct world *w, struct model_unit *u, struct life_event *ev,
    struct life_out *out)
{
	struct life_out real;
	enum err e;

	out->n = 0;
	if (sys->mutant == MUTANT_DEAF && ev->kind == sys->mutant_kind)
		return ERR_OK;
	if (sys->mutant == MUTANT_NO_TICKETS && ev->ticket != 0)
		ev->ticket = u->life.ticket;
	if (sys->mutant == MUTANT_NONE)
		return life_step(&u->life, &sys->policy[w->policy], ev, out);
	e = life_step(&u->life, &sys->policy[w->policy], ev, &real);
	for (unsigned i = 0; i < real.n; i++) {
		bool hit = real.actions[i].kind == sys->mutant_kind;

		if (hit && sys->mutant == MUTANT_DROP)
			continue;
		out->actions[out->n++] = real.actions[i];
		if (hit && sys->mutant == MUTANT_DOUBLE && out->n < LIFE_ACTIONS_MAX)
			out->actions[out->n++] = real.actions[i];
	}
	return e;
}

void
model_deliver(const struct system *sys, struct world *w, struct model_unit *u, struct life_event ev)
{
	struct life_out out;

	ev.now_ms = MODEL_NOW;
	model_expect(step(sys, w, u, &ev, &out) == ERR_OK,
	    "an event of the world was refused as impossible");
	for (unsigned i = 0; i < out.n; i++)
		perform(u, &out.actions[i]);
}

void
model_deliver_kind(const struct system *sys, struct world *w, struct model_unit *u,
    enum life_event_kind kind, uint32_t ticket, enum err result)
{
	model_deliver(
	    sys, w, u, (struct life_event){ .kind = kind, .ticket = ticket, .result = result });
}

/* ---- invariants ---- */

static void
check_slots(const struct model_unit *u)
{
	enum life_phase p = (enum life_phase)u->life.phase;
	bool none = p == LIFE_P_DORMANT || p == LIFE_P_FAILED || p == LIFE_P_SAVED ||
	    p == LIFE_P_GONE;

	model_expect(!none || u->slot == 0, "a slot is kept by a unit without a VM");
	model_expect(u->vm == VM_NONE || u->slot == 2, "a VM has no slot");
	model_expect(!u->boot || u->slot == 2, "a boot without a slot");
	model_expect(!u->boot || u->board == LIFE_BOOTING, "a boot's slot is kept after the boot");
}

static void
check_vm(const struct model_unit *u)
{
	enum life_phase p = (enum life_phase)u->life.phase;

	model_expect(u->board != LIFE_AWAKE || p == LIFE_P_AWAKE || p == LIFE_P_READING ||
		p == LIFE_P_STARTING || p == LIFE_P_RESTORING,
	    "shown as awake, but it is not");
	model_expect(u->vm == VM_NONE || life_has_vm(&u->life), "a VM is forgotten");
	model_expect(u->vm == VM_NONE || u->row.current, "a VM that the store does not know");
	model_expect(!u->file || (p >= LIFE_P_SAVING && p <= LIFE_P_RETRYING) ||
		p == LIFE_P_ADMITTING || p == LIFE_P_RESTORING || p == LIFE_P_FAILED,
	    "a saved state is forgotten");
	if (u->died)
		return;
	model_expect((p != LIFE_P_AWAKE && p != LIFE_P_READING && p != LIFE_P_PROBING) ||
		u->vm == VM_RUNNING,
	    "taken for running, but it is not");
	model_expect(p != LIFE_P_FROZEN || u->vm == VM_PAUSED, "taken for frozen, but it is not");
	model_expect(p != LIFE_P_SAVED || u->file, "taken for saved, but it is not");
	model_expect(p != LIFE_P_PROBING || u->probe, "waits for a readiness that nobody probes");
}

/* What a phase waits for is under way, or its report is. */
static void
check_progress(const struct model_unit *u)
{
	static const enum life_action_kind ops[LIFE_PHASE_COUNT] = {
		[LIFE_P_STARTING] = LIFE_DO_START,
		[LIFE_P_RESTORING] = LIFE_DO_RESTORE,
		[LIFE_P_FREEZING] = LIFE_DO_FREEZE,
		[LIFE_P_THAWING] = LIFE_DO_THAW,
		[LIFE_P_SAVING] = LIFE_DO_SAVE,
		[LIFE_P_STOPPING] = LIFE_DO_STOP
	};
	const struct life *l = &u->life;
	bool intent = u->stored && u->stored_ticket == l->ticket;

	for (unsigned i = 0; i < u->nwrites; i++)
		intent |= u->intent[i] && u->write_ticket[i] == l->ticket;
	model_expect(l->phase != LIFE_P_ADMITTING || (u->slot == 1 && u->slot_ticket == l->ticket),
	    "waits for a slot without having asked");
	model_expect(
	    l->phase != LIFE_P_INTENDING || intent, "waits for an intent that nobody writes");
	model_expect(l->phase != LIFE_P_READING || (u->reading && u->read_ticket == l->ticket),
	    "waits for a reading that nobody does");
	model_expect(
	    u->op == ops[l->phase], "the driver does something else than the unit waits for");
	model_expect(
	    u->op == 0 || u->op_ticket == l->ticket, "the driver's report will be taken for stale");
}

/*
 * A phase that waits without end may do so only if its policy says so, or because the driver hangs
 * and nobody is owed anything.
 */
static bool
may_wait_forever(const struct model_unit *u, const struct life_policy *p)
{
	switch ((enum life_phase)u->life.phase) {
	case LIFE_P_DORMANT:
	case LIFE_P_GONE:
		return true;
	case LIFE_P_AWAKE:
		return p->idle_ms == 0;
	case LIFE_P_FROZEN:
		return p->frozen_ms == 0;
	case LIFE_P_SAVED:
		return p->saved_ms == 0;
	default:
		return life_state(&u->life) == LIFE_FAILED && u->op != 0 && !u->owed;
	}
}

static void
check(const struct system *sys, const struct world *w, const struct model_unit *u)
{
	const struct life *l = &u->life;

	model_expect(u->board == life_state(l), "the board does not show the state");
	model_expect(u->timer_ms == l->timer_ms, "the warden's timer is not the unit's");
	model_expect(u->timer_ms != LIFE_NEVER || may_wait_forever(u, &sys->policy[w->policy]),
	    "waits without a timer");
	model_expect(!u->owed || u->timer_ms != LIFE_NEVER, "owes an answer, and no timer runs");
	model_expect(u->forgotten == (l->phase == LIFE_P_GONE), "gone, but not forgotten");
	model_expect(
	    !u->forgotten || (u->vm == VM_NONE && !u->file && u->op == 0 && !u->owed && !u->probe),
	    "forgotten with something left");
	model_expect(u->nwrites > 0 || u->row.state == u->board, "the store has another state");
	check_slots(u);
	check_progress(u);
	check_vm(u);
}

/* Whatever is said with an old ticket, and whatever is refused, changes nothing. */
static void
check_unit_stale(const struct system *sys, const struct world *w, const struct model_unit *u)
{
	static const enum life_event_kind kinds[] = { LIFE_EV_ADMITTED, LIFE_EV_REFUSED,
		LIFE_EV_STORED, LIFE_EV_STARTED, LIFE_EV_RESTORED, LIFE_EV_READY, LIFE_EV_FROZEN,
		LIFE_EV_THAWED, LIFE_EV_SAVED, LIFE_EV_STOPPED, LIFE_EV_ACTIVITY };
	struct life_out out;
	struct life l = u->life;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct life_event ev = { .kind = kinds[i], .now_ms = MODEL_NOW, .ticket = 1 };
		enum err e = life_step(&l, &sys->policy[w->policy], &ev, &out);

		model_expect(e == ERR_OK && out.n == 0 && memcmp(&l, &u->life, sizeof(l)) == 0,
		    "a stale completion had an effect");
	}
}

/* ---- canonical form ---- */

static uint32_t
renumbered(uint32_t ticket, uint32_t present)
{
	return ticket == 0 ? 0 : ticket == present ? MODEL_TICKET : 1;
}

static uint64_t
clamped(uint64_t t)
{
	return t == LIFE_NEVER ? t : t < MODEL_NOW - MODEL_AGE ? MODEL_NOW - MODEL_AGE : t;
}

static void
canonical(struct model_unit *u)
{
	struct life *l = &u->life;
	bool up = life_state(l) == LIFE_AWAKE || l->phase == LIFE_P_STARTING ||
	    l->phase == LIFE_P_RESTORING;
	bool asleep = l->phase == LIFE_P_FROZEN || l->phase == LIFE_P_SAVED;
	uint32_t present = l->ticket;

	u->slot_ticket = u->slot == 1 ? renumbered(u->slot_ticket, present) : 0;
	u->stored_ticket = u->stored ? renumbered(u->stored_ticket, present) : 0;
	for (unsigned i = 0; i < MODEL_WRITES; i++)
		u->write_ticket[i] = i < u->nwrites ? renumbered(u->write_ticket[i], present) : 0;
	u->op_ticket = u->op ? renumbered(u->op_ticket, present) : 0;
	u->probe_ticket = u->probe ? renumbered(u->probe_ticket, present) : 0;
	u->ready_ticket = u->ready ? renumbered(u->ready_ticket, present) : 0;
	u->read_ticket = u->reading ? renumbered(u->read_ticket, present) : 0;
	l->ticket = MODEL_TICKET;
	/* times that the unit will not look at again are all alike */
	l->awake_since_ms = up ? clamped(l->awake_since_ms) : MODEL_NOW - MODEL_AGE;
	l->last_use_ms = up ? clamped(l->last_use_ms) : MODEL_NOW - MODEL_AGE;
	l->since_ms = asleep ? clamped(l->since_ms) : MODEL_NOW - MODEL_AGE;
	if (l->backoff_until_ms <= MODEL_NOW)
		l->backoff_until_ms = 0;
	l->timer_ms = clamped(l->timer_ms);
	u->timer_ms = clamped(u->timer_ms);
	if (l->failures > 3)
		l->failures = 3;
	l->why = 0;
}

void
model_settle(const struct system *sys, struct world *w)
{
	for (unsigned i = 0; i < sys->units; i++) {
		check(sys, w, &w->u[i]);
		canonical(&w->u[i]);
	}
}

void
model_check_stale(const struct system *sys, const struct world *w)
{
	for (unsigned i = 0; i < sys->units; i++)
		check_unit_stale(sys, w, &w->u[i]);
}

static uint8_t *
put_time(uint8_t *k, uint64_t t)
{
	*k = t == LIFE_NEVER ? 0xff : t == 0 ? 0xfe : (uint8_t)(t - (MODEL_NOW - MODEL_AGE));
	return k + 1;
}

static uint8_t *
put_unit(uint8_t *k, const struct model_unit *u)
{
	const struct life *l = &u->life;
	uint32_t bits = 0;

	k = put_time(k, l->timer_ms);
	k = put_time(k, l->awake_since_ms);
	k = put_time(k, l->last_use_ms);
	k = put_time(k, l->since_ms);
	k = put_time(k, l->backoff_until_ms);
	k = put_time(k, u->timer_ms);
	*k++ = (uint8_t)l->flags;
	*k++ = (uint8_t)(l->flags >> 8);
	*k++ = l->phase;
	*k++ = (uint8_t)(l->failures << 4 | u->board);
	*k++ = (uint8_t)(u->slot | u->stored << 2 | u->nwrites << 4 | u->row.current << 6 |
	    u->boot << 7);
	*k++ = (uint8_t)(u->row.state | u->vm << 4 | u->file << 6 | u->died << 7);
	*k++ = (uint8_t)(u->op | u->stage << 5);
	*k++ = (uint8_t)(u->owed | u->removed << 1 | u->forgotten << 2 | u->probe << 3 |
	    u->ready << 4 | u->reading << 5 | u->lost << 6);
	for (unsigned i = 0; i < u->nwrites; i++)
		*k++ = (uint8_t)(u->writes[i].state | u->writes[i].current << 4 |
		    u->intent[i] << 5 | (u->write_ticket[i] == MODEL_TICKET) << 6);
	bits |= (uint32_t)(u->slot_ticket == MODEL_TICKET) |
	    (uint32_t)(u->stored_ticket == MODEL_TICKET) << 1 |
	    (uint32_t)(u->op_ticket == MODEL_TICKET) << 2 |
	    (uint32_t)(u->probe_ticket == MODEL_TICKET) << 3 |
	    (uint32_t)(u->ready_ticket == MODEL_TICKET) << 4 |
	    (uint32_t)(u->read_ticket == MODEL_TICKET) << 5;
	*k++ = (uint8_t)bits;
	return k;
}

unsigned
model_key(const struct system *sys, const struct world *w, uint8_t key[MODEL_KEY])
{
	uint8_t a[MODEL_KEY / 2], b[MODEL_KEY / 2], *k = key;
	size_t na = (size_t)(put_unit(a, &w->u[0]) - a),
	       nb = sys->units > 1 ? (size_t)(put_unit(b, &w->u[1]) - b) : 0;
	/* which of two units is the first does not matter */
	bool swap = nb > 0 && (na > nb || (na == nb && memcmp(a, b, na) > 0));

	*k++ = w->policy;
	memcpy(k, swap ? b : a, swap ? nb : na);
	k += swap ? nb : na;
	memcpy(k, swap ? a : b, swap ? na : nb);
	k += swap ? na : nb;
	return (unsigned)(k - key);
}
