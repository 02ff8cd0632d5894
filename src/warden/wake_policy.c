/* wake_policy: what the life cycle and the board are told of a unit's settings and use. */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include "base/clock.h"

static const enum life_tier tiers[] = { [CONFIG_SLEEP_STOP] = LIFE_TIER_DORMANT,
	[CONFIG_SLEEP_FREEZE] = LIFE_TIER_FROZEN, [CONFIG_SLEEP_SAVE] = LIFE_TIER_SAVED };

/*
 * The timer of a wake that waits runs from its beginning, but the wait for a slot begins when what
 * the unit needs is awake: until then, and for what is left of queue-timeout, it begins anew.
 */
static void
queue_policy(const struct warden *w, const struct unit *u, struct life_policy *p)
{
	uint64_t now = clock_now_ms(), until;

	p->queue_ms = w->gen != NULL ? w->gen->conf->limits.queue_timeout_ms : 0;
	if (u->run == NULL || u->life.phase != LIFE_P_ADMITTING || u->life.timer_ms > now)
		return;
	p->queue_sure = needs_waits(u) || (u->admit.queued && u->admit.sure);
	until = u->run->waits_since_ms + p->queue_ms;
	if (!p->queue_sure && u->run->waits_ticket == u->life.ticket && until > now) {
		p->queue_sure = true;
		p->queue_ms = (uint32_t)(until - now);
	}
}

void
wake_policy(const struct warden *w, const struct unit *u, struct life_policy *p)
{
	const struct config_image *img;
	unsigned caps = 0;

	*p = (struct life_policy){ .steady_ms = LIMIT_STEADY_MS, .op_ms = LIMIT_OP_S * 1000,
		.state_ms = LIMIT_STATE_OP_S * 1000, .boot_ms = LIMIT_OP_S * 1000,
		.backoff_min_ms = 1000, .backoff_max_ms = 1000, .sleep = LIFE_TIER_DORMANT,
		.frozen_then = LIFE_TIER_DORMANT, .needs_waits = needs_waits(u) };
	p->op_waits = unit_has_vm(u) && (p->needs_waits || vm_op_waits(w->vms, &u->run->uuid));
	if (u->conf == NULL)
		return;   /* leaving: nothing but a stop comes */
	img = u->conf->image;
	if (vm_driver_caps(w->vms, img->driver_name, &caps, NULL) != ERR_OK)
		caps = 0;
	p->idle_ms = u->scheduled ? 0 : u->conf->policy.idle_ms;
	p->unused_after_ms = u->scheduled ? 0 : u->conf->policy.unused_after_ms;
	p->min_up_ms = u->conf->policy.min_up_ms;
	p->boot_ms = img->boot_timeout_ms;
	queue_policy(w, u, p);
	p->frozen_ms = img->freeze_for_ms;
	p->frozen_then = img->freeze_then == CONFIG_FREEZE_THEN_SAVE ? LIFE_TIER_SAVED :
	    LIFE_TIER_DORMANT;
	p->saved_ms = img->save_for_ms;
	p->backoff_min_ms = img->backoff_min_ms;
	p->backoff_max_ms = img->backoff_max_ms;
	p->stop_ms = img->stop_timeout_ms;
	p->sleep = tiers[u->conf->policy.sleep];
	p->shutdown = img->stop == VM_STOP_SHUTDOWN;
	p->can_freeze = (caps & VM_CAN_FREEZE) != 0;
	p->can_save = (caps & VM_CAN_SAVE) != 0 && !u->save_failed;
	p->can_shutdown = (caps & VM_CAN_SHUTDOWN) != 0;
}

unsigned
wake_ede(const struct unit *u)
{
	switch ((enum life_why)u->life.why) {
	case LIFE_WHY_REFUSED: return MSG_EDE_NOT_READY;
	case LIFE_WHY_NEEDS: return MSG_EDE_NEEDS;
	default: return MSG_EDE_OTHER;
	}
}

void
wake_board(struct warden *w, struct unit *u)
{
	struct board_state *b = &w->board.state[u->number];
	enum life_state s = life_state(&u->life);
	enum board_answer a = BOARD_HOLD;
	uint16_t was;

	if (u->conf != NULL) {
		bool now = u->conf->policy.answer == CONFIG_ANSWER_NOW;

		atomic_store_explicit(&b->hold_ms,
		    now ? 0 : (uint16_t)u->conf->policy.hold_ms, memory_order_relaxed);
		if (now)
			a = BOARD_WAKE_TOO;
		atomic_store_explicit(&b->passive, u->passive, memory_order_relaxed);
	}
	if (s == LIFE_FAILED || unit_unreachable(u))
		a = BOARD_FAIL;
	else if (s == LIFE_AWAKE)
		a = u->run != NULL && u->run->check_due ? BOARD_CHECK : BOARD_NOW;
	else if (u->conf != NULL && wake_is_unsure(w, u))
		a = BOARD_UNSURE;
	atomic_store_explicit(&b->ede, wake_ede(u), memory_order_relaxed);
	was = atomic_exchange_explicit(&b->answer, (uint16_t)a, memory_order_relaxed);
	if ((was == BOARD_UNSURE) != (a == BOARD_UNSURE))
		needs_board(w, u);
}

uint64_t
wake_last_use_ns(const struct warden *w, const struct unit *u)
{
	uint64_t last = board_last_query_ns(&w->board, u->number, clock_now_ns());

	if (last < u->last_use_ns)
		last = u->last_use_ns;
	if (u->run != NULL && last < u->run->last_packet_ns)
		last = u->run->last_packet_ns;
	return last;
}
