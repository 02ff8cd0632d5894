/* inbox_sentinel: what the sentinel sends, and its comings and goings. */
#include "src/warden/inbox.h"

#include "base/clock.h"
#include "src/warden/probelink.h"
#include "src/warden/ready.h"
#include "src/warden/wake.h"

static enum err
setup(struct child *c, struct errmsg *m)
{
	(void)m;
	probelink_networks(c->arg);
	return ERR_OK;
}

/* A sentinel that was replaced must learn of the probes that its predecessor had. */
static void
on_running(struct child *c)
{
	probelink_probe_all(c->arg);
	ready_child_runs(c->arg);
}

static void
on_message(struct child *c, const struct msg *m, int *fds, unsigned nfds)
{
	struct warden *w = c->arg;
	struct unit *u;

	chan_close_fds(fds, nfds);
	if (m->unit >= w->units.next || m->probed.seen_ns > clock_now_ns()) {
		child_kill(c, "it named a unit that never was, or a time that is not yet");
		return;
	}
	u = unit_by_number(&w->units, m->unit);
	switch (m->type) {
	case MSG_ALIVE:
		if (u != NULL)
			wake_alive(u, m->probed.seen_ns);
		break;
	case MSG_READY:
		if (u != NULL)
			wake_ready(w, u, m->probed.seen_ns);
		break;
	case MSG_SIGN:
		if (!wake_why_sign(u, m))
			child_kill(c, "a sign that does not exist");
		break;
	default:
		child_kill(c, "a message that is not for the warden");
		break;
	}
}

static void
on_gone(struct child *c, const char *why)
{
	ready_child_gone(c->arg, c, why);
}

static const struct child_ops ops = {
	.setup = setup, .message = on_message, .running = on_running, .gone = on_gone
};

void
inbox_sentinel_init(struct warden *w)
{
	child_init(&w->sentinel, ROLE_SENTINEL, w->base, &w->child_conf, &ops, w);
}
