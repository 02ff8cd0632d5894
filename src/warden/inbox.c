/* inbox: what the DNS process sends, and its comings and goings. */
#include "src/warden/inbox.h"

#include "base/clock.h"
#include "base/log.h"
#include "src/warden/dnslink.h"
#include "src/warden/ready.h"
#include "src/warden/reload.h"
#include "src/warden/wake.h"

static enum err
setup(struct child *c, struct errmsg *m)
{
	(void)m;
	dnslink_setup(c->arg);
	return ERR_OK;
}

static void
on_wake(struct warden *w, const struct msg *m)
{
	struct unit *u = unit_by_number(&w->units, m->unit);

	if (u == NULL || u->leaving) {
		dnslink_woken(w, m->unit, WAKE_GONE, 0);
		return;
	}
	if (w->stopping) {   /* with on-exit = "stop" the loop still runs */
		dnslink_woken(w, m->unit, WAKE_REFUSED, MSG_EDE_NOT_READY);
		return;
	}
	/* The message crossed the end of its wake, which answers: held queries ask repeatedly. */
	if (m->time_ns != 0 && board_wake_over(&w->board, m->unit, m->time_ns))
		return;
	wake_request(w, u, LIFE_BY_QUERY, m->time_ns);
}

static void
on_answered(struct warden *w, const struct msg *m)
{
	struct unit *u = unit_by_number(&w->units, m->unit);

	if (m->answered.answers == 0 || m->answered.expired > 1 ||
	    m->answered.first_query_ns > m->time_ns || m->time_ns > clock_now_ns())
		child_kill(&w->dns, "it answered nothing, or before it was asked");
	else if (u != NULL)
		wake_answered(w, u, m->answered.first_query_ns, m->time_ns, m->answered.answers,
		    m->answered.expired != 0);
}

static void
on_message(struct child *c, const struct msg *m, int *fds, unsigned nfds)
{
	struct warden *w = c->arg;

	chan_close_fds(fds, nfds);   /* it has no descriptors to give */
	if (m->type != MSG_COMMITTED && m->unit >= w->units.next) {
		child_kill(c, "it named a unit that never was");
		return;
	}
	switch (m->type) {
	case MSG_WAKE:
		on_wake(w, m);
		break;
	case MSG_ANSWERED:
		on_answered(w, m);
		break;
	case MSG_COMMITTED:
		log_debug("generation %llu is served", (unsigned long long)m->commit.generation);
		w->served = m->commit.generation;
		if (w->gen != NULL && w->served >= w->gen->number)
			reload_served(w);
		break;
	default:
		child_kill(c, "a message that is not for the warden");
		break;
	}
}

static void
on_running(struct child *c)
{
	ready_child_runs(c->arg);
}

static void
on_gone(struct child *c, const char *why)
{
	struct warden *w = c->arg;

	ready_child_gone(w, c, why);
	reload_served(w);
}

static const struct child_ops ops = {
	.setup = setup, .message = on_message, .running = on_running, .gone = on_gone
};

void
inbox_dns_init(struct warden *w)
{
	child_init(&w->dns, ROLE_DNS, w->base, &w->child_conf, &ops, w);
}
