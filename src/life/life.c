/*
 * life: the state machine of one unit.
 *
 *   DORMANT ── WAKE ──► ADMITTING ── ADMITTED ──► INTENDING ── STORED ──► STARTING
 *   SAVED ──── WAKE ────►  │  └───── ADMITTED ──► RESTORING ── failed ──► INTENDING
 *                          │ REFUSED  (a state is saved)
 *                          ▼
 *                   DORMANT, SAVED, FAILED
 *
 *   STARTING ─── STARTED ───► PROBING ── READY ──► AWAKE ◄── timer; ACTIVITY: used ──► READING
 *   RESTORING ── RESTORED ──►    (READY before STARTED or RESTORED: awake at once)
 *
 *   AWAKE, READING ── ACTIVITY: idle, SLEEP ──► FREEZING ──► FROZEN ──► THAWING ──► AWAKE
 *   AWAKE, FROZEN ──► SAVING ──► SAVED
 *
 *   STARTING, RESTORING, PROBING   given up        ─┐
 *   AWAKE, READING                 to tier dormant ─┤
 *   FREEZING, THAWING              failed          ─┼─► STOPPING ── STOPPED ──► gone
 *   FROZEN                         aged            ─┘      ▲
 *                                          the stop failed ▼ again at the timer
 *                                                       RETRYING
 *   gone ──► DORMANT
 *        ──► ADMITTING, when somebody waits
 *        ──► FAILED, after a failed boot, or a restore that could not be tried; the timer (to
 *            DORMANT, SAVED) or the operator ends it
 *        ──► GONE, when the unit was removed (FORGET)
 *
 *   public state   phases                                     left by
 *   dormant        DORMANT                                    move_begin
 *   booting        ADMITTING INTENDING STARTING               step_admitted step_stored
 *                  RESTORING PROBING                          step_started step_restored
 *                  THAWING                                    step_ready; expire; step_thawed
 *   awake          AWAKE READING;                             step_timer,
 *                  STARTING RESTORING after READY             step_activity → move_descend
 *   frozen         FREEZING FROZEN                            step_frozen; move_thaw, move_descend
 *   saved          SAVING SAVED                               step_saved; move_begin, move_stop
 *   stopping       STOPPING; a phase with F_DOOM              step_stopped; completion → move_stop
 *   failed         FAILED; any phase with F_STUCK             move_begin, move_rest; completion
 *
 *   event          possible in
 *   WAKE TIMER SLEEP POLICY REMOVE      every phase but GONE (REMOVE once)
 *   ADMITTED REFUSED                    ADMITTING
 *   STORED STARTED RESTORED             INTENDING; STARTING; RESTORING
 *   READY                               STARTING RESTORING PROBING
 *   FROZEN THAWED SAVED STOPPED         FREEZING; THAWING; SAVING; STOPPING
 *   ACTIVITY                            READING
 *   DIED                                wherever a VM is: STARTING to SAVING, STOPPING, RETRYING
 *   ADOPT                               DORMANT, as the first event
 *
 * Invariants, checked in every state that tests/unit/src/life/explore_test.c reaches:
 *  - F_WAITING is set exactly while a WAKE is without its WOKEN, and then something is under way
 *    that ends in one: an operation or a timer.
 *  - At most one driver operation is under way per unit.  What must end while one runs is doomed
 *    (F_DOOM) and stopped at its completion.
 *  - A deadline of the driver ends nothing but the waiting for it (F_STUCK): a freeze, thaw or
 *    save that is not doomed and ends well after that counts.
 *  - F_SLOT is set from ADMIT or CLAIM to RELEASE or REFUSED; a phase that may have a VM has it.
 *    F_BOOT: from ADMITTED to BOOT_DONE, within F_SLOT.
 *  - Every phase but DORMANT, GONE, and AWAKE, FROZEN and SAVED with a policy that never ends
 *    them, has a timer; or the driver hangs (F_STUCK) and nobody waits.
 */
#include "src/life/life.h"

#include <string.h>

#include "src/life/move.h"

/* ---- events ---- */

static void
step_wake(struct step *s)
{
	struct life *l = s->l;
	bool operator = s->ev->cause == LIFE_BY_OPERATOR;

	s->why = (enum life_why)s->ev->cause;
	l->last_use_ms = s->now;
	if (s->ev->cause == LIFE_BY_PACKET)
		flag_set(s, F_CONTACTED);
	if (flag_has(s, F_REMOVE)) {
		move_woken(s, WAKE_GONE);
	} else if (life_state(l) == LIFE_AWAKE) {
		move_woken(s, WAKE_READY);
	} else if (flag_has(s, F_STUCK) ||
	    (flag_has(s, F_FAIL) && !operator && !flag_has(s, F_WAITING)) ||
	    (l->phase == LIFE_P_FAILED && !operator && s->now < l->backoff_until_ms)) {
		move_woken(s, WAKE_FAILED);
	} else if (phase_in(s, P(DORMANT) | P(SAVED) | P(FAILED))) {
		move_begin(s);
	} else {
		flag_set(s, F_WAITING);
		if (l->phase == LIFE_P_FROZEN)
			move_thaw(s);
	}
}

static void
step_admitted(struct step *s)
{
	flag_set(s, F_BOOT);
	if (flag_has(s, F_SAVED)) {
		move_operate(s, LIFE_P_RESTORING, LIFE_DO_RESTORE);
		move_probe(s);
		move_arm(s, s->p->state_ms);
	} else {
		move_intend(s);
	}
}

static void
step_refused(struct step *s)
{
	flag_drop(s, F_SLOT);
	if (s->ev->needs) {
		s->why = LIFE_WHY_NEEDS;
		if (s->ev->again_ms > s->l->backoff_until_ms)
			s->l->backoff_until_ms = s->ev->again_ms;
		move_answer(s, WAKE_FAILED);
	} else {
		s->why = LIFE_WHY_REFUSED;
		move_answer(s, WAKE_REFUSED);
	}
	move_rest(s);
}

static void
step_stored(struct step *s)
{
	if (s->ev->result != ERR_OK) {
		move_fail(s, LIFE_WHY_STORE);
		move_gone(s);
		return;
	}
	move_operate(s, LIFE_P_STARTING, LIFE_DO_START);
	move_probe(s);
}

/* STARTED and RESTORED, when the VM runs. */
static void
runs(struct step *s)
{
	if (flag_has(s, F_DOOM | F_DEAD))
		move_stop(s);
	else if (flag_has(s, F_READY))
		move_awake(s);
	else
		s->l->phase = LIFE_P_PROBING;
}

static void
step_started(struct step *s)
{
	if (s->ev->result == ERR_OK) {
		runs(s);
		return;
	}
	if (!flag_has(s, F_DOOM | F_DEAD))
		move_fail(s, LIFE_WHY_START);
	move_gone(s);
}

/* A cold boot would fare no better and lose the guest's memory, which a later wake restores. */
static void
restore_not_tried(struct step *s)
{
	bool unwanted = flag_has(s, F_REMOVE) || (flag_has(s, F_DOOM) && !flag_has(s, F_FAIL));

	flag_drop(s, F_DEAD);
	if (unwanted) {
		move_release(s);
		move_stop(s);
		return;
	}
	if (!flag_has(s, F_FAIL))
		move_fail(s, LIFE_WHY_START);
	move_ended(s);
}

static void
step_restored(struct step *s)
{
	if (s->ev->result != ERR_OK && s->ev->kept) {
		restore_not_tried(s);
		return;
	}
	flag_drop(s, F_SAVED);
	if (s->ev->result != ERR_OK && !flag_has(s, F_DOOM | F_DEAD | F_READY)) {
		(void)move_act(s, LIFE_DO_UNPROBE);   /* has no parameters */
		flag_drop(s, F_PROBE);
		move_intend(s);   /* a cold boot */
		return;
	}
	step_started(s);
	if (s->l->phase == LIFE_P_PROBING)
		move_arm(s, s->p->boot_ms);
}

static void
step_ready(struct step *s)
{
	if (!flag_has(s, F_PROBE))
		return;   /* READY crossed our UNPROBE */
	s->why = LIFE_WHY_READY;
	flag_drop(s, F_PROBE);
	move_boot_end(s);
	s->l->awake_since_ms = s->now;
	s->l->backoff_until_ms = 0;
	move_answer(s, WAKE_READY);
	if (s->l->phase == LIFE_P_PROBING)
		move_awake(s);
	else
		flag_set(s, F_READY);
}

/* A wake had come while it froze, or while its save could not be tried. */
static void
thaw_again(struct step *s)
{
	s->why = LIFE_WHY_AGAIN;
	move_thaw(s);
}

static void
rest_frozen(struct step *s)
{
	s->l->phase = LIFE_P_FROZEN;
	s->l->timer_ms = move_after(s->now, s->p->frozen_ms);
}

/* The driver could not even try: the VM is as it was, and is asked again later. */
static void
tier_untried(struct step *s, bool frozen)
{
	if (frozen) {
		if (s->l->phase == LIFE_P_THAWING)
			move_answer(s, WAKE_FAILED);
		rest_frozen(s);
		if (flag_has(s, F_WAITING))
			thaw_again(s);
	} else {
		s->l->last_use_ms = s->now;
		move_answer(s, WAKE_READY);
		move_awake(s);
	}
}

/* A freeze, thaw or save has ended; true: the rest is done.  What worked counts, even if late. */
static bool
tier_done(struct step *s, bool frozen)
{
	bool wanted = !flag_has(s, F_DOOM | F_DEAD), worked = s->ev->result == ERR_OK;

	if (!worked)
		s->why = s->ev->needs ? LIFE_WHY_NEEDS : LIFE_WHY_DRIVER;
	else if (flag_has(s, F_STUCK) && !flag_has(s, F_DOOM))
		s->why = LIFE_WHY_LATE;
	if ((worked || s->ev->kept) && !flag_has(s, F_DOOM))
		flag_drop(s, F_STUCK);
	if (worked)
		return false;
	if (wanted && s->ev->kept)
		tier_untried(s, frozen);
	else
		move_stop(s);
	return true;
}

static void
step_frozen(struct step *s)
{
	if (tier_done(s, false))
		return;
	if (flag_has(s, F_DOOM | F_DEAD))
		move_stop(s);
	else if (flag_has(s, F_WAITING))
		thaw_again(s);
	else
		rest_frozen(s);
}

static void
step_thawed(struct step *s)
{
	if (tier_done(s, true))
		return;
	if (flag_has(s, F_DOOM | F_DEAD)) {
		move_stop(s);
		return;
	}
	if (s->why != LIFE_WHY_LATE)
		s->why = LIFE_WHY_READY;
	s->l->awake_since_ms = s->now;
	move_answer(s, WAKE_READY);
	move_awake(s);
}

static void
step_saved(struct step *s)
{
	bool doomed = flag_has(s, F_DOOM), frozen = flag_has(s, F_FROZEN);

	flag_drop(s, F_FROZEN);
	if (tier_done(s, frozen))
		return;
	flag_set(s, F_SAVED);
	flag_drop(s, F_DEAD);
	s->l->backoff_until_ms = 0;
	move_release(s);
	if (doomed) {
		move_stop(s);
	} else if (flag_has(s, F_WAITING)) {
		s->why = LIFE_WHY_AGAIN;
		move_begin(s);
	} else {
		move_rest(s);
	}
}

static void
step_stopped(struct step *s)
{
	if (s->ev->result == ERR_OK || s->ev->result == ERR_MISSING || flag_has(s, F_DEAD)) {
		move_gone(s);
		return;
	}
	s->why = LIFE_WHY_STOP;
	flag_set(s, F_STUCK);
	move_answer(s, WAKE_FAILED);
	s->l->phase = LIFE_P_RETRYING;
	move_arm(s, s->p->backoff_min_ms);
}

static uint64_t
not_future(uint64_t ms, uint64_t now)
{
	return ms > now ? now : ms;
}

static void
step_activity(struct step *s)
{
	struct life *l = s->l;
	uint64_t query = not_future(s->ev->activity.last_query_ms, s->now);
	uint64_t packet = not_future(s->ev->activity.last_packet_ms, s->now);
	uint64_t last = query > packet ? query : packet;

	if (s->ev->result != ERR_OK)
		last = s->now;   /* never stop a VM because a counter could not be read */
	else if (packet != 0 && packet >= l->awake_since_ms)
		flag_set(s, F_CONTACTED);
	if (last > l->last_use_ms)
		l->last_use_ms = last;
	move_awake(s);
	if (l->timer_ms > s->now)
		return;
	s->why = LIFE_WHY_IDLE;
	if (!flag_has(s, F_CONTACTED) &&
	    move_after(0, s->p->unused_after_ms) < move_after(0, s->p->idle_ms))
		s->why = LIFE_WHY_UNUSED;
	move_descend(s, (enum life_tier)s->p->sleep);
}

static void
step_died(struct step *s)
{
	struct life *l = s->l;

	s->why = LIFE_WHY_DIED;
	if (phase_in(s, P(STARTING) | P(RESTORING))) {
		if (!flag_has(s, F_DOOM))
			move_fail(s, LIFE_WHY_DIED);
		move_doom(s);
	}
	if (phase_in(s, P(STARTING) | P(RESTORING) | P(FREEZING) | P(THAWING) | P(SAVING) |
	    P(STOPPING))) {
		flag_set(s, F_DEAD);   /* the operation ends soon, and by itself */
		return;
	}
	if (l->phase == LIFE_P_PROBING) {
		move_fail(s, LIFE_WHY_DIED);
	} else if (phase_in(s, P_UP) && !move_settle(s)) {
		if (l->failures > 0)
			flag_set(s, F_FAIL);   /* move_gone counts it */
		else
			l->failures = 1;
	}
	move_gone(s);
}

/* The timer went off while an operation or a boot was under way. */
static void
expire(struct step *s)
{
	bool booting = phase_in(s, P(STARTING) | P(RESTORING));

	if (s->p->op_waits) {
		move_arm(s, booting ? s->p->boot_ms : s->p->op_ms);
		return;
	}
	if (booting && !flag_has(s, F_DOOM)) {
		move_fail(s, LIFE_WHY_NOT_READY);
		move_doom(s);
		return;
	}
	s->why = s->l->phase == LIFE_P_STOPPING || flag_has(s, F_DOOM) ? LIFE_WHY_STOP :
	    LIFE_WHY_LATE;
	flag_set(s, F_STUCK);   /* what ends well after all is kept: tier_done */
	s->l->timer_ms = LIFE_NEVER;
	move_answer(s, WAKE_FAILED);
}

/* The timer went off in a phase of the boot in which no driver works. */
static void
expire_boot(struct step *s)
{
	if (s->l->phase != LIFE_P_ADMITTING) {
		move_fail(s, s->l->phase == LIFE_P_INTENDING ? LIFE_WHY_STORE : LIFE_WHY_NOT_READY);
		move_down(s);
	} else if (s->p->queue_sure) {
		s->l->timer_ms = move_after(s->now, s->p->queue_ms);
	} else {
		s->why = LIFE_WHY_REFUSED;
		move_answer(s, WAKE_REFUSED);
		move_release(s);
		move_rest(s);
	}
}

static void
step_timer(struct step *s)
{
	struct life *l = s->l;

	if (s->now < l->timer_ms)
		return;   /* too early, or there is none: life_step arms it again */
	l->timer_ms = LIFE_NEVER;
	switch ((enum life_phase)l->phase) {
	case LIFE_P_ADMITTING:
	case LIFE_P_INTENDING:
	case LIFE_P_PROBING:
		expire_boot(s);
		break;
	case LIFE_P_AWAKE:
		move_operate(s, LIFE_P_READING, LIFE_DO_READ);
		move_arm(s, s->p->op_ms);
		break;
	case LIFE_P_READING:
		l->last_use_ms = s->now;   /* the counters do not answer: as an error */
		l->ticket++;
		move_awake(s);
		break;
	case LIFE_P_FROZEN:
		s->why = LIFE_WHY_AGED;
		move_descend(s, (enum life_tier)s->p->frozen_then);
		break;
	case LIFE_P_SAVED:
		s->why = LIFE_WHY_AGED;
		/* FALLTHROUGH */
	case LIFE_P_RETRYING:
		move_stop(s);
		break;
	case LIFE_P_FAILED:
		s->why = LIFE_WHY_BACKOFF_OVER;
		move_rest(s);
		break;
	default:
		expire(s);
		break;
	}
}

static void
step_sleep(struct step *s)
{
	enum life_tier tier = s->ev->sleep.tier;

	if (flag_has(s, F_REMOVE))
		return;
	s->why = (enum life_why)s->ev->sleep.cause;
	move_answer(s, WAKE_REFUSED);
	switch ((enum life_phase)s->l->phase) {
	case LIFE_P_AWAKE:
	case LIFE_P_READING:
		move_descend(s, tier);
		break;
	case LIFE_P_FREEZING:
		if (tier > LIFE_TIER_FROZEN)
			move_doom(s);
		break;
	case LIFE_P_THAWING:
		if (!s->p->needs_waits) {
			move_down(s);
			break;
		}
		s->l->ticket++;   /* the thaw under way does not begin */
		rest_frozen(s);
		/* FALLTHROUGH */
	case LIFE_P_FROZEN:
		if (tier > LIFE_TIER_FROZEN)
			move_descend(s, tier);
		break;
	case LIFE_P_ADMITTING:
		if (tier > LIFE_TIER_SAVED) {
			move_down(s);
			break;
		}
		move_release(s);
		move_rest(s);   /* back to where it came from */
		break;
	case LIFE_P_SAVING:
	case LIFE_P_SAVED:
		if (tier > LIFE_TIER_SAVED)
			move_down(s);
		break;
	case LIFE_P_FAILED:
		if (tier > LIFE_TIER_SAVED && flag_has(s, F_SAVED))
			move_down(s);
		break;
	case LIFE_P_DORMANT:
		break;
	default:
		move_down(s);
		break;
	}
}

static void
step_policy(struct step *s)
{
	struct life *l = s->l;

	if (l->phase == LIFE_P_AWAKE) {
		l->timer_ms = move_sleep_due(l, s->p);
	} else if (l->phase == LIFE_P_FROZEN) {
		l->timer_ms = move_after(l->since_ms, s->p->frozen_ms);
	} else if (l->phase == LIFE_P_SAVED) {
		l->timer_ms = move_after(l->since_ms, s->p->saved_ms);
	} else if (l->phase == LIFE_P_FAILED) {
		/* What made it fail may be mended: whoever reloads wants that tried. */
		s->why = LIFE_WHY_BACKOFF_OVER;
		l->backoff_until_ms = 0;
		l->failures = 0;
		move_rest(s);
	}
}

static void
step_remove(struct step *s)
{
	s->why = LIFE_WHY_REMOVED;
	flag_set(s, F_REMOVE);
	move_answer(s, WAKE_GONE);
	move_down(s);
}

/* A VM of ours was found running or frozen. */
static void
adopt_vm(struct step *s)
{
	bool unwanted = s->ev->adopt.was == LIFE_STOPPING || s->ev->adopt.was == LIFE_FAILED;
	struct life *l = s->l;

	(void)move_act(s, LIFE_DO_CLAIM);   /* has no parameters */
	flag_set(s, F_SLOT);
	if (unwanted || s->ev->adopt.found == LIFE_FOUND_BROKEN) {
		move_stop(s);
	} else if (s->ev->adopt.found == LIFE_FOUND_FROZEN) {
		rest_frozen(s);
	} else if (s->ev->adopt.was == LIFE_AWAKE) {
		if (l->awake_since_ms == 0)
			l->awake_since_ms = s->now;
		move_awake(s);
	} else {
		l->phase = LIFE_P_PROBING;
		l->ticket++;
		move_probe(s);
		move_arm(s, s->p->boot_ms);
	}
}

static void
step_adopt(struct step *s)
{
	struct life *l = s->l;
	uint64_t longest = s->now + s->p->backoff_max_ms;

	s->why = LIFE_WHY_ADOPTED;
	l->awake_since_ms = not_future(s->ev->adopt.awake_since_ms, s->now);
	l->last_use_ms = not_future(s->ev->adopt.last_use_ms, s->now);
	l->backoff_until_ms = not_future(s->ev->adopt.backoff_until_ms, longest);
	l->failures = s->ev->adopt.failures;
	if (s->ev->adopt.found == LIFE_FOUND_SAVED)
		flag_set(s, F_SAVED);
	if (s->ev->adopt.found == LIFE_FOUND_NONE || s->ev->adopt.found == LIFE_FOUND_SAVED)
		move_rest(s);
	else
		adopt_vm(s);
}

/* ---- the step ---- */

#define P_ANY (P(GONE) - 1)
#define P_VM (P(STARTING) | P(RESTORING) | P(PROBING) | P_UP | P(FREEZING) | P(FROZEN) | \
    P(THAWING) | P(SAVING))

static const struct {
	const char *word;
	void (*step)(struct step *);
	unsigned phases;   /* in which the event is possible */
	bool ticket;
} rules[LIFE_EVENT_COUNT] = {
	[LIFE_EV_WAKE] = { "wake", step_wake, P_ANY, false },
	[LIFE_EV_ADMITTED] = { "admitted", step_admitted, P(ADMITTING), true },
	[LIFE_EV_REFUSED] = { "refused", step_refused, P(ADMITTING), true },
	[LIFE_EV_STORED] = { "stored", step_stored, P(INTENDING), true },
	[LIFE_EV_STARTED] = { "started", step_started, P(STARTING), true },
	[LIFE_EV_RESTORED] = { "restored", step_restored, P(RESTORING), true },
	[LIFE_EV_READY] = { "ready", step_ready, P(STARTING) | P(RESTORING) | P(PROBING), true },
	[LIFE_EV_FROZEN] = { "frozen", step_frozen, P(FREEZING), true },
	[LIFE_EV_THAWED] = { "thawed", step_thawed, P(THAWING), true },
	[LIFE_EV_SAVED] = { "saved", step_saved, P(SAVING), true },
	[LIFE_EV_STOPPED] = { "stopped", step_stopped, P(STOPPING), true },
	[LIFE_EV_ACTIVITY] = { "activity", step_activity, P(READING), true },
	[LIFE_EV_DIED] = { "died", step_died, P_VM | P(STOPPING) | P(RETRYING), false },
	[LIFE_EV_TIMER] = { "timer", step_timer, P_ANY, false },
	[LIFE_EV_SLEEP] = { "sleep", step_sleep, P_ANY, false },
	[LIFE_EV_POLICY] = { "policy", step_policy, P_ANY, false },
	[LIFE_EV_REMOVE] = { "remove", step_remove, P_ANY, false },
	[LIFE_EV_ADOPT] = { "adopt", step_adopt, P(DORMANT), false },
};

const char *
life_event_text(enum life_event_kind k)
{
	return (unsigned)k < LIFE_EVENT_COUNT ? rules[k].word : "unknown";
}

/* Puts CHANGED in front: the board must be right before any WOKEN leaves. */
static void
report_change(struct step *s, enum life_state from)
{
	struct life_action *first = &s->out->actions[0];
	struct life *l = s->l;

	if (life_state(l) == from)
		return;
	l->since_ms = s->now;
	if (s->why != LIFE_WHY_NONE)
		l->why = (uint8_t)s->why;
	(void)move_act(s, LIFE_DO_CHANGED);   /* room at the end for what moves */
	memmove(first + 1, first, (s->out->n - 1) * sizeof(*first));
	*first = (struct life_action){ .kind = LIFE_DO_CHANGED,
		.changed = { from, life_state(l), (enum life_why)l->why } };
}

enum err
life_step(
    struct life *l, const struct life_policy *p, const struct life_event *ev, struct life_out *out)
{
	struct step s = { .l = l, .p = p, .ev = ev, .out = out, .now = ev->now_ms };
	uint64_t armed = ev->kind == LIFE_EV_TIMER ? LIFE_NEVER : l->timer_ms;   /* by the warden */
	enum life_state from = ev->kind == LIFE_EV_ADOPT ? ev->adopt.was : life_state(l);

	out->n = 0;
	if ((unsigned)ev->kind >= LIFE_EVENT_COUNT)
		return ERR_STATE;
	if (rules[ev->kind].ticket && ev->ticket != l->ticket)
		return ERR_OK;
	if ((rules[ev->kind].phases & (1u << l->phase)) == 0 ||
	    (ev->kind == LIFE_EV_REMOVE && flag_has(&s, F_REMOVE)) ||
	    (ev->kind == LIFE_EV_ADOPT && l->ticket != 0))
		return ERR_STATE;
	rules[ev->kind].step(&s);
	report_change(&s, from);
	if (l->timer_ms != armed)
		move_act(&s, LIFE_DO_TIMER)->at_ms = l->timer_ms;
	if (l->phase == LIFE_P_GONE)
		(void)move_act(&s, LIFE_DO_FORGET);   /* has no parameters */
	return ERR_OK;
}

void
life_init(struct life *l)
{
	memset(l, 0, sizeof(*l));
	l->timer_ms = LIFE_NEVER;
}

static const struct {
	const char *word;
	enum life_state state;
} phases[LIFE_PHASE_COUNT] = {
	[LIFE_P_DORMANT] = { "dormant", LIFE_DORMANT },
	[LIFE_P_ADMITTING] = { "admitting", LIFE_BOOTING },
	[LIFE_P_INTENDING] = { "intending", LIFE_BOOTING },
	[LIFE_P_STARTING] = { "starting", LIFE_BOOTING },
	[LIFE_P_RESTORING] = { "restoring", LIFE_BOOTING },
	[LIFE_P_PROBING] = { "probing", LIFE_BOOTING },
	[LIFE_P_AWAKE] = { "awake", LIFE_AWAKE },
	[LIFE_P_READING] = { "reading", LIFE_AWAKE },
	[LIFE_P_FREEZING] = { "freezing", LIFE_FROZEN },
	[LIFE_P_FROZEN] = { "frozen", LIFE_FROZEN },
	[LIFE_P_THAWING] = { "thawing", LIFE_BOOTING },
	[LIFE_P_SAVING] = { "saving", LIFE_SAVED },
	[LIFE_P_SAVED] = { "saved", LIFE_SAVED },
	[LIFE_P_STOPPING] = { "stopping", LIFE_STOPPING },
	[LIFE_P_RETRYING] = { "retrying", LIFE_STOPPING },
	[LIFE_P_FAILED] = { "failed", LIFE_FAILED },
	[LIFE_P_GONE] = { "gone", LIFE_DORMANT },
};

const char *
life_phase_text(enum life_phase p)
{
	return (unsigned)p < LIFE_PHASE_COUNT ? phases[p].word : "unknown";
}

enum life_state
life_state(const struct life *l)
{
	if ((l->flags & F_STUCK) != 0)
		return LIFE_FAILED;
	if ((l->flags & F_DOOM) != 0)
		return LIFE_STOPPING;
	return (l->flags & F_READY) != 0 ? LIFE_AWAKE : phases[l->phase].state;
}

bool
life_contacted(const struct life *l)
{
	return (l->flags & F_CONTACTED) != 0;
}

uint64_t
life_again_ms(const struct life *l, const struct life_policy *p, uint64_t now_ms)
{
	/* The VM is being stopped: the back-off begins behind that. */
	if ((l->flags & F_FAIL) != 0)
		return now_ms + move_backoff_ms(p, l->failures + 1u);
	return l->backoff_until_ms;
}

bool
life_is_starting(const struct life *l)
{
	return ((1u << l->phase) &
	    (P(ADMITTING) | P(INTENDING) | P(STARTING) | P(RESTORING))) != 0;
}

bool
life_has_vm(const struct life *l)
{
	unsigned p = 1u << l->phase;

	return (p & P_VM) != 0 ||
	    ((p & (P(STOPPING) | P(RETRYING))) != 0 && (l->flags & F_SLOT) != 0);
}

bool
life_has_state(const struct life *l)
{
	return (l->flags & F_SAVED) != 0;
}
