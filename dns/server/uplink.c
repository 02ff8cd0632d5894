/* uplink: the DNS process's channel to the warden, and the zone sets that come through it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/server/server.h"

/* ---- to the warden ---- */

void
uplink_wake(struct worker *w, const struct hold_wake *wake)
{
	struct msg m = { .type = MSG_WAKE, .unit = wake->unit, .time_ns = wake->arrived_ns,
		.wake = { .worker = w->index, .qtype = wake->qtype } };

	dns_peer_client(wake->peer, &m.wake.client);
	/* A channel that cannot send reports its end; the queries wait and are asked for again. */
	(void)chan_send(w->server->chan, &m, NULL, 0);
}

void
uplink_answered(struct worker *w, const struct hold_report *r)
{
	struct msg m = { .type = MSG_ANSWERED, .unit = r->unit, .time_ns = clock_now_ns(),
		.answered = { .answers = r->answers, .first_query_ns = r->first_query_ns,
		    .expired = r->expired } };

	(void)chan_send(w->server->chan, &m, NULL, 0);   /* statistics */
}

/* ---- zone sets ---- */

/* Hands a letter to every worker but the first, which is this thread. */
static void
post_others(struct server *s, const struct post *letter)
{
	for (uint32_t i = 1; i < s->conf.workers; i++)
		worker_post(&s->workers[i], letter);
}

void
uplink_swapped(struct server *s, struct swap *swap)
{
	struct msg m = { .type = MSG_COMMITTED, .time_ns = clock_now_ns(),
		.commit = { .generation = swap->generation } };

	dns_zoneset_free(swap->old);
	if (s->chan != NULL)
		(void)chan_send(s->chan, &m, NULL, 0);   /* a lost channel is reported by itself */
	free(swap);
}

/* Hands the set to all workers. */
static void
set_post(struct server *s, struct dns_zoneset *set, uint64_t generation)
{
	struct swap *swap = mem_zero(1, sizeof(*swap));

	*swap = (struct swap){ .set = set, .old = s->set, .generation = generation };
	atomic_init(&swap->left, s->conf.workers);
	s->set = set;
	s->workers[0].set = set;   /* a callback of this loop runs: no query is being answered */
	post_others(s, &(struct post){ .kind = POST_SWAP, .swap = swap });
	if (atomic_fetch_sub(&swap->left, 1) == 1)
		uplink_swapped(s, swap);
}

/* ---- from the warden ---- */

/* A message with its descriptors; those that a handler keeps become -1. */
struct letter {
	const struct msg *msg;
	int *fds;
	unsigned nfds;
};

static enum err
on_hello(struct server *s, const struct letter *l, struct errmsg *m)
{
	if (s->have_hello || l->msg->hello.role != ROLE_DNS)
		return err_set(m, ERR_PROTO, "hello for role %u, or a second one",
		    l->msg->hello.role);
	s->hello = *l->msg;
	s->hello.hello.empty_root[sizeof(s->hello.hello.empty_root) - 1] = '\0';
	s->have_hello = true;
	log_init("dns", LOG_TO_STDERR, (enum log_level)l->msg->hello.log_level);
	return ERR_OK;
}

static enum err
on_conf(struct server *s, const struct letter *l, struct errmsg *m)
{
	const struct msg_dns_conf *c = &l->msg->dns_conf;

	if (c->workers < 1 || c->workers > LIMIT_WORKERS)
		return err_set(m, ERR_RANGE, "%u workers, not 1 to %d", c->workers, LIMIT_WORKERS);
	if (c->udp_payload < LIMIT_UDP_PAYLOAD_MIN || c->udp_payload > LIMIT_UDP_PAYLOAD_MAX)
		return err_set(m, ERR_RANGE, "UDP payload of %u bytes, not %d to %d",
		    c->udp_payload, LIMIT_UDP_PAYLOAD_MIN, LIMIT_UDP_PAYLOAD_MAX);
	if (c->held_per_unit < 1 || c->held_total < 1 || c->tcp_clients < 1 || c->tcp_idle_ms < 1)
		return err_set(m, ERR_RANGE, "a bound of zero for held queries or TCP");
	s->conf = *c;
	s->conf.nsid[sizeof(s->conf.nsid) - 1] = '\0';
	s->have_conf = true;
	return ERR_OK;
}

static enum err
on_tune(struct server *s, const struct letter *l, struct errmsg *m)
{
	const struct msg_dns_tune *t = &l->msg->dns_tune;

	if (t->cookies.n > MSG_COOKIE_SECRETS)
		return err_set(m, ERR_RANGE, "%u cookie secrets, not 0 to %d", t->cookies.n,
		    MSG_COOKIE_SECRETS);
	if (t->proxies.n > LIMIT_PROXIES)
		return err_set(m, ERR_RANGE, "%u ranges of proxies, not 0 to %d", t->proxies.n,
		    LIMIT_PROXIES);
	atomic_store_explicit(&s->udp_wakes.per_minute, t->udp_wakes, memory_order_relaxed);
	s->tune = *t;
	if (!s->run)
		return ERR_OK;   /* workers begin with these settings */
	s->workers[0].tune = *t;
	post_others(s, &(struct post){ .kind = POST_TUNE, .tune = *t });
	return ERR_OK;
}

static enum err
on_passive(struct server *s, const struct letter *l, struct errmsg *m)
{
	return passive_add(&s->passive, l->msg, m);
}

static enum err
on_sockets(struct server *s, const struct letter *l, struct errmsg *m)
{
	const struct msg *msg = l->msg;
	struct worker_sockets *w;

	if (msg->sockets.worker >= LIMIT_WORKERS || msg->sockets.count != l->nfds)
		return err_set(m, ERR_PROTO, "sockets for worker %u: %u announced, %u came",
		    msg->sockets.worker, msg->sockets.count, l->nfds);
	w = &s->sockets[msg->sockets.worker];
	for (unsigned i = 0; i < l->nfds; i++) {
		if (msg->sockets.kind[i] == MSG_SOCKET_UDP && w->nudp < LIMIT_LISTEN) {
			w->udp_wildcard[w->nudp] = msg->sockets.wildcard[i];
			w->udp[w->nudp++] = l->fds[i];
		} else if (msg->sockets.kind[i] == MSG_SOCKET_TCP && w->ntcp < LIMIT_LISTEN) {
			w->tcp[w->ntcp++] = l->fds[i];
		} else {
			return err_set(m, ERR_PROTO, "socket of kind %u, or more than %d",
			    msg->sockets.kind[i], LIMIT_LISTEN);
		}
		l->fds[i] = -1;
	}
	return ERR_OK;
}

static enum err
on_board(struct server *s, const struct letter *l, struct errmsg *m)
{
	int taken[3];
	enum err e;

	if (l->nfds != 3 || s->have_board)
		return err_set(m, ERR_PROTO,
		    "a board needs 3 descriptors, %u came, or it is a second one", l->nfds);
	memcpy(taken, l->fds, sizeof(taken));
	l->fds[0] = l->fds[1] = l->fds[2] = -1;   /* the board closes them */
	if ((e = board_map(&s->board, taken, l->msg->board.capacity, m)) == ERR_OK)
		s->have_board = true;
	return e;
}

static enum err
on_zimage(struct server *s, const struct letter *l, struct errmsg *m)
{
	uint32_t id = l->msg->zimage.id;

	if (l->nfds != 1)
		return err_set(m, ERR_PROTO, "zimage %u came with %u descriptors", id, l->nfds);
	return zimages_add(&s->zimages, id, l->fds[0], m);
}

/* A set came: before workers exist it is theirs from the start, later it is swapped in. */
static enum err
on_commit(struct server *s, const struct letter *l, struct errmsg *m)
{
	int fd = l->nfds > 0 ? l->fds[0] : -1;
	struct dns_zoneset *set = NULL;
	enum err e;

	if (l->nfds != 1 && l->msg->commit.bindings > 0)
		return err_set(m, ERR_PROTO, "commit came with %u descriptors", l->nfds);
	if (!s->have_board)
		return err_set(m, ERR_PROTO, "commit before the board");
	e = zimages_set_make(&s->zimages, l->msg, fd, s->board.capacity, &set, m);
	zimages_settle(&s->zimages, e == ERR_OK);
	if (e == ERR_OK && s->run) {
		set_post(s, set, l->msg->commit.generation);
	} else if (e == ERR_OK) {
		dns_zoneset_free(s->set);
		s->set = set;
	}
	return e;
}

static enum err
on_woken(struct server *s, const struct letter *l, struct errmsg *m)
{
	uint32_t result = l->msg->woken.result, unit = l->msg->unit;
	bool failed = result == WAKE_FAILED || result == WAKE_REFUSED;
	int ede = failed ? (int)(l->msg->woken.ede & UINT16_MAX) : -1;

	if (!failed && result != WAKE_READY && result != WAKE_GONE)
		return err_set(m, ERR_PROTO, "wake of unit %u ended with %u", unit, result);
	post_others(s, &(struct post){ .kind = POST_WOKEN, .unit = unit, .ede = ede });
	held_woken(&s->workers[0], unit, ede);
	return ERR_OK;
}

static enum err
on_run(struct server *s, UNUSED const struct letter *l, struct errmsg *m)
{
	if (!s->have_hello || !s->have_conf || !s->have_board)
		return err_set(m, ERR_PROTO, "run before hello, configuration and board");
	s->run = true;
	return ERR_OK;
}

/* What the warden may say, and when. */
static const struct {
	enum err (*handle)(struct server *, const struct letter *, struct errmsg *);
	bool setup, serving;
} handlers[MSG_TYPE_COUNT] = {
	[MSG_HELLO] = { on_hello, true, false },
	[MSG_DNS_CONF] = { on_conf, true, false },
	[MSG_DNS_TUNE] = { on_tune, true, true },
	[MSG_PASSIVE] = { on_passive, true, true },
	[MSG_SOCKETS] = { on_sockets, true, false },
	[MSG_BOARD] = { on_board, true, false },
	[MSG_RUN] = { on_run, true, false },
	[MSG_ZIMAGE] = { on_zimage, true, true },
	[MSG_COMMIT] = { on_commit, true, true },
	[MSG_WOKEN] = { on_woken, false, true },
};

static enum err
dispatch(struct server *s, const struct letter *l, struct errmsg *m)
{
	uint32_t type = l->msg->type;
	bool known = type < MSG_TYPE_COUNT && handlers[type].handle != NULL;
	enum err e;

	if (!known || !(s->run ? handlers[type].serving : handlers[type].setup))
		e = err_set(m, ERR_PROTO, "message of type %u is not expected %s", type,
		    s->run ? "now" : "during set-up");
	else
		e = handlers[type].handle(s, l, m);
	for (unsigned i = 0; i < l->nfds; i++)
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	return e;
}

static void
on_msg(UNUSED struct chan *c, const struct msg *msg, int *fds, unsigned nfds, void *arg)
{
	struct errmsg m;

	/* A bug of the warden: what is served stays served. */
	if (dispatch(arg, &(struct letter){ msg, fds, nfds }, &m) != ERR_OK)
		log_err("warden: %s", m.text);
}

static void
on_lost(UNUSED struct chan *c, const char *why, void *arg)
{
	struct server *s = arg;

	/* The channel is freed when the workers have stopped. */
	log_debug("channel: %s", why);
	event_base_loopbreak(s->workers[0].base);
}

enum err
uplink_setup(struct server *s, int fd, struct errmsg *m)
{
	enum err e = ERR_OK;

	while (!s->run && e == ERR_OK) {
		int fds[LIMIT_MSG_FDS];
		unsigned nfds = 0;
		struct msg msg;

		if ((e = chan_recv_blocking(fd, &msg, fds, &nfds, m)) == ERR_OK)
			e = dispatch(s, &(struct letter){ &msg, fds, nfds }, m);
	}
	return e;
}

void
uplink_open(struct server *s, int fd)
{
	s->chan = mem_must(chan_new(s->workers[0].base, fd, on_msg, on_lost, s));
	chan_log(s->chan);
}
