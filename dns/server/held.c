/* held: does what a worker's table of held queries says: answers, wakes, reports, and its timer. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/server/server.h"

static void
answer(void *arg, const struct hold_query *q, int ede, bool expired)
{
	struct worker *w = arg;
	uint64_t now_ns = clock_now_ns();
	uint64_t age_ns = now_ns > q->arrived_ns ? now_ns - q->arrived_ns : 0;

	if (expired) {
		count_add(&w->count->held_expired, 1);
		ede = serve_unheld_ede(w, q->unit_number);
	}
	count_add(&w->count->held_for[board_held_bucket(age_ns)], 1);
	if (q->peer.tcp)
		tcp_answer(w->tcp, q, ede);
	else
		udp_answer(w->udp, q, ede);
}

static void
wake(void *arg, const struct hold_wake *of)
{
	struct worker *w = arg;

	board_wake_begin(w->board, of->unit, of->arrived_ns);
	uplink_wake(w, of);
}

static void
report(void *arg, const struct hold_report *r)
{
	struct worker *w = arg;

	udp_flush(w->udp);   /* queries are answered when the report says so */
	uplink_answered(w, r);
}

static const struct hold_ops ops = { .answer = answer, .wake = wake, .report = report };

void
held_arm(struct worker *w)
{
	uint64_t next_ns = hold_next_ns(w->held);
	struct timeval tv;

	if (next_ns == HOLD_NEVER && w->held_armed_ns != HOLD_NEVER) {
		evtimer_del(w->held_timer);
		w->held_armed_ns = HOLD_NEVER;
	}
	if (next_ns >= w->held_armed_ns)
		return;
	tv = wait_until(next_ns, clock_now_ns());
	if (evtimer_add(w->held_timer, &tv) != 0) {
		log_warn("worker %u: no memory for a timer", w->index);
		return;
	}
	w->held_armed_ns = next_ns;
}

static void
timer_cb(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct worker *w = arg;

	w->held_armed_ns = HOLD_NEVER;
	hold_tick(w->held, clock_now_ns());
	udp_flush(w->udp);
	held_arm(w);
}

void
held_woken(struct worker *w, uint32_t unit, int ede)
{
	hold_woken(w->held, unit, ede);
	udp_flush(w->udp);
	held_arm(w);
}

void
held_init(struct worker *w, uint32_t per_unit, uint32_t total)
{
	w->held = hold_new(per_unit, total, &ops, w);
	w->held_timer = mem_must(evtimer_new(w->base, timer_cb, w));
	w->held_armed_ns = HOLD_NEVER;
}

void
held_clear(struct worker *w)
{
	hold_free(w->held);
	event_free(w->held_timer);
}
