/* inbox: what the DNS process and the sentinel send, and their comings and goings. */
#include "src/warden/state.h"

#include "base/clock.h"
#include "base/log.h"
#include "src/warden/dnslink.h"
#include "src/warden/parklink.h"
#include "src/warden/probelink.h"
#include "src/warden/reload.h"
#include "src/warden/wake.h"

/* ---- the DNS process ---- */

static enum err
dns_setup(struct child *c, struct errmsg *m)
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
	wake_asker(w, u, &m->wake.client);
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
dns_message(struct child *c, const struct msg *m, int *fds, unsigned nfds)
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
dns_gone(struct child *c, const char *why)
{
	ready_child_gone(c, why);
	reload_served(c->arg);
}

/* ---- the sentinel ---- */

static enum err
sentinel_setup(struct child *c, struct errmsg *m)
{
	(void)m;
	probelink_networks(c->arg);
	parklink_new(c->arg);
	return ERR_OK;
}

/* A sentinel that was replaced must learn of the probes that its predecessor had. */
static void
sentinel_running(struct child *c)
{
	probelink_again(c->arg, PROBELINK_ALL);
	parklink_running(c->arg);
	ready_child_runs(c);
}

/* What it saw of a guest that is probed; false: nonsense. */
static bool
on_probed(struct warden *w, struct unit *u, const struct msg *m)
{
	if (m->probed.seen_ns > clock_now_ns())
		return false;
	if (m->type == MSG_SIGN)
		return wake_why_sign(u, m);
	if (u != NULL && m->type == MSG_ALIVE)
		wake_alive(u, m->probed.seen_ns);
	else if (u != NULL)
		wake_ready(w, u, m->probed.seen_ns);
	return true;
}

static void
sentinel_message(struct child *c, const struct msg *m, int *fds, unsigned nfds)
{
	struct warden *w = c->arg;
	struct unit *u = unit_by_number(&w->units, m->unit);
	bool ok = false;

	chan_close_fds(fds, nfds);
	if (m->unit >= w->units.next || m->time_ns > clock_now_ns()) {
		child_kill(c, "it named a unit that never was, or a time that is not yet");
		return;
	}
	switch (m->type) {
	case MSG_ALIVE:
	case MSG_READY:
	case MSG_SIGN:
		ok = on_probed(w, u, m);
		break;
	case MSG_KNOCK:
	case MSG_SETTLED:
	case MSG_CONFLICT:
		ok = parklink_message(w, u, m);
		break;
	default:
		break;
	}
	if (!ok)
		child_kill(c, "a message that is not for the warden, or says what cannot be");
}

void
inbox_init(struct warden *w)
{
	static const struct child_ops dns = { .setup = dns_setup, .message = dns_message,
		.running = ready_child_runs, .gone = dns_gone };
	static const struct child_ops sentinel = { .setup = sentinel_setup,
		.message = sentinel_message, .running = sentinel_running,
		.gone = ready_child_gone };

	child_init(&w->dns, ROLE_DNS, w->base, &w->child_conf, &dns, w);
	child_init(&w->sentinel, ROLE_SENTINEL, w->base, &w->child_conf, &sentinel, w);
}
