/* server: set-up of the DNS process, its channel to the warden, and the zone sets it serves. */
#include "dns/server/server.h"

#include <event2/thread.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "dns/dns.h"
#include "dns/answer/zimages.h"

struct server {
	struct chan *chan;
	bool have_hello, have_conf, have_board, run;
	struct msg hello;
	struct server_conf conf;
	struct server_tune tune;
	struct rate udp_wakes;
	struct worker_sockets sockets[LIMIT_WORKERS];   /* until workers have them */
	struct board board;
	struct worker *workers;
	pthread_barrier_t gate;                         /* workers wait here until the process is confined */
	struct images images;
	struct dns_zoneset *set;                        /* the newest */
};

/* ---- to the warden ---- */

void
server_wake(struct worker *w, const struct hold_wake *wake)
{
	struct msg m = { .type = MSG_WAKE, .unit = wake->unit, .time_ns = wake->arrived_ns };

	m.wake.worker = w->index;
	m.wake.qtype = wake->qtype;
	dns_peer_client(wake->peer, &m.wake.client);
	/* When it cannot be sent, the channel reports its end; until then the queries wait and are asked for again. */
	(void)chan_send(w->server->chan, &m, NULL, 0);
}

void
server_report(struct worker *w, const struct hold_report *r)
{
	struct msg m = { .type = MSG_ANSWERED, .unit = r->unit, .time_ns = clock_now_ns() };

	m.answered.answers = r->answers;
	m.answered.first_query_ns = r->first_query_ns;
	m.answered.expired = r->expired;
	(void)chan_send(w->server->chan, &m, NULL, 0);   /* statistics; see above */
}

/* ---- zone sets ---- */

void
server_swapped(struct server *s, struct swap *swap)
{
	struct msg m = { .type = MSG_COMMITTED, .time_ns = clock_now_ns() };

	dns_zoneset_free(swap->old);
	m.commit.generation = swap->generation;
	if (s->chan != NULL)
		(void)chan_send(s->chan, &m, NULL, 0);   /* a lost channel is reported by itself */
	free(swap);
}

/* Hands the set to all workers or, when there is no memory for the letters, to none. */
static enum err
set_post(struct server *s, struct dns_zoneset *set, uint64_t generation, struct errmsg *m)
{
	struct post *posts[LIMIT_WORKERS] = { NULL };
	struct swap *swap = calloc(1, sizeof(*swap));
	uint32_t n = s->conf.workers;
	bool ok = swap != NULL;

	for (uint32_t i = 1; i < n && ok; i++)
		ok = (posts[i] = calloc(1, sizeof(*posts[i]))) != NULL;
	if (!ok) {
		for (uint32_t i = 1; i < n; i++)
			free(posts[i]);
		free(swap);
		return err_set(m, ERR_NOMEM, "commit: out of memory");
	}
	swap->set = set;
	swap->old = s->set;
	swap->generation = generation;
	atomic_init(&swap->left, n);
	images_settle(&s->images, true);
	s->set = set;
	s->workers[0].set = set;   /* a callback of this loop runs, so no query of it is being answered */
	for (uint32_t i = 1; i < n; i++) {
		posts[i]->kind = POST_SWAP;
		posts[i]->swap = swap;
		worker_post(&s->workers[i], posts[i]);
	}
	if (atomic_fetch_sub(&swap->left, 1) == 1)
		server_swapped(s, swap);
	return ERR_OK;
}

/* A set came: before workers exist it is theirs from the start, later it is swapped in. */
static enum err
commit(struct server *s, const struct msg *msg, int fd, struct errmsg *m)
{
	struct dns_zoneset *set = NULL;
	enum err e = images_set_make(&s->images, msg, fd, s->board.capacity, &set, m);

	if (e == ERR_OK && s->run)
		e = set_post(s, set, msg->commit.generation, m);
	if (e != ERR_OK) {
		dns_zoneset_free(set);
		images_settle(&s->images, false);
		return e;
	}
	if (!s->run) {
		images_settle(&s->images, true);
		dns_zoneset_free(s->set);
		s->set = set;
	}
	return ERR_OK;
}

/* ---- from the warden ---- */

static enum err
on_hello(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	(void)fds;
	(void)nfds;
	if (s->have_hello || msg->hello.role != ROLE_DNS)
		return err_set(m, ERR_PROTO, "hello for role %u, or a second one", msg->hello.role);
	s->hello = *msg;
	s->hello.hello.empty_root[sizeof(s->hello.hello.empty_root) - 1] = '\0';
	s->have_hello = true;
	log_init("dns", LOG_TO_STDERR, (enum log_level)msg->hello.log_level);
	return ERR_OK;
}

static enum err
on_conf(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	struct server_conf *c = &s->conf;

	(void)fds;
	(void)nfds;
	if (msg->dns_conf.workers < 1 || msg->dns_conf.workers > LIMIT_WORKERS)
		return err_set(m, ERR_RANGE, "%u workers, not 1 to %d", msg->dns_conf.workers, LIMIT_WORKERS);
	if (msg->dns_conf.udp_payload < LIMIT_UDP_PAYLOAD_MIN || msg->dns_conf.udp_payload > LIMIT_UDP_PAYLOAD_MAX)
		return err_set(m, ERR_RANGE, "UDP payload of %u bytes, not %d to %d", msg->dns_conf.udp_payload,
		    LIMIT_UDP_PAYLOAD_MIN, LIMIT_UDP_PAYLOAD_MAX);
	if (msg->dns_conf.held_per_unit < 1 || msg->dns_conf.held_total < 1 || msg->dns_conf.tcp_clients < 1 ||
	    msg->dns_conf.tcp_idle_ms < 1)
		return err_set(m, ERR_RANGE, "a bound of zero for held queries or TCP");
	c->workers = msg->dns_conf.workers;
	c->held_per_unit = msg->dns_conf.held_per_unit;
	c->held_total = msg->dns_conf.held_total;
	c->tcp_clients = msg->dns_conf.tcp_clients;
	c->tcp_idle_ms = msg->dns_conf.tcp_idle_ms;
	c->udp_payload = (uint16_t)msg->dns_conf.udp_payload;
	memcpy(c->nsid, msg->dns_conf.nsid, sizeof(c->nsid));
	c->nsid[sizeof(c->nsid) - 1] = '\0';
	s->have_conf = true;
	return ERR_OK;
}

static enum err
on_tune(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	struct server_tune *t = &s->tune;

	(void)fds;
	(void)nfds;
	if (msg->dns_tune.cookie_secrets > MSG_COOKIE_SECRETS)
		return err_set(m, ERR_RANGE, "%u cookie secrets, not 0 to %d", msg->dns_tune.cookie_secrets, MSG_COOKIE_SECRETS);
	atomic_store_explicit(&s->udp_wakes.per_minute, msg->dns_tune.udp_wakes, memory_order_relaxed);
	t->cookies.n = msg->dns_tune.cookie_secrets;
	if (msg->dns_tune.proxies > LIMIT_PROXIES)
		return err_set(m, ERR_RANGE, "%u ranges of proxies, not 0 to %d", msg->dns_tune.proxies, LIMIT_PROXIES);
	t->proxies.n = msg->dns_tune.proxies;
	memcpy(t->proxies.range, msg->dns_tune.proxy, sizeof(t->proxies.range));
	memcpy(t->cookies.secret, msg->dns_tune.cookie_secret, sizeof(t->cookies.secret));
	if (!s->run)
		return ERR_OK;   /* workers begin with it */
	s->workers[0].tune = *t;
	for (uint32_t i = 1; i < s->conf.workers; i++) {
		struct post *p = calloc(1, sizeof(*p));

		if (p == NULL)
			return err_set(m, ERR_NOMEM, "worker %u: out of memory; it keeps its settings", i);
		p->kind = POST_TUNE;
		p->tune = *t;
		worker_post(&s->workers[i], p);
	}
	return ERR_OK;
}

static enum err
on_sockets(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	struct worker_sockets *w;

	if (msg->sockets.worker >= LIMIT_WORKERS || msg->sockets.count != nfds)
		return err_set(m, ERR_PROTO, "sockets for worker %u: %u announced, %u came", msg->sockets.worker,
		    msg->sockets.count, nfds);
	w = &s->sockets[msg->sockets.worker];
	for (unsigned i = 0; i < nfds; i++) {
		if (msg->sockets.kind[i] == MSG_SOCKET_UDP && w->nudp < LIMIT_LISTEN) {
			w->udp_wildcard[w->nudp] = msg->sockets.wildcard[i];
			w->udp[w->nudp++] = fds[i];
		} else if (msg->sockets.kind[i] == MSG_SOCKET_TCP && w->ntcp < LIMIT_LISTEN) {
			w->tcp[w->ntcp++] = fds[i];
		} else {
			return err_set(m, ERR_PROTO, "socket of kind %u, or more than %d", msg->sockets.kind[i], LIMIT_LISTEN);
		}
		fds[i] = -1;
	}
	return ERR_OK;
}

static enum err
on_board(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	int taken[3];
	enum err e;

	if (nfds != 3 || s->have_board)
		return err_set(m, ERR_PROTO, "a board needs 3 descriptors, %u came, or it is a second one", nfds);
	memcpy(taken, fds, sizeof(taken));
	fds[0] = fds[1] = fds[2] = -1;   /* the board closes them */
	if ((e = board_map(&s->board, taken, msg->board.capacity, m)) == ERR_OK)
		s->have_board = true;
	return e;
}

static enum err
on_image(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	if (nfds != 1)
		return err_set(m, ERR_PROTO, "image %u came with %u descriptors", msg->image.id, nfds);
	return images_add(&s->images, msg->image.id, fds[0], m);
}

static enum err
on_commit(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	if (nfds != 1 && msg->commit.bindings > 0)
		return err_set(m, ERR_PROTO, "commit came with %u descriptors", nfds);
	if (!s->have_board)
		return err_set(m, ERR_PROTO, "commit before the board");
	return commit(s, msg, nfds > 0 ? fds[0] : -1, m);
}

static enum err
on_woken(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	bool failed = msg->woken.result == WAKE_FAILED || msg->woken.result == WAKE_REFUSED;
	int ede = failed ? (int)(msg->woken.ede & UINT16_MAX) : -1;

	(void)fds;
	(void)nfds;
	if (!failed && msg->woken.result != WAKE_READY && msg->woken.result != WAKE_GONE)
		return err_set(m, ERR_PROTO, "wake of unit %u ended with %u", msg->unit, msg->woken.result);
	for (uint32_t i = 1; i < s->conf.workers; i++) {
		struct post *p = calloc(1, sizeof(*p));

		if (p == NULL)
			return err_set(m, ERR_NOMEM, "unit %u: out of memory; its held queries run out", msg->unit);
		p->kind = POST_WOKEN;
		p->unit = msg->unit;
		p->ede = ede;
		worker_post(&s->workers[i], p);
	}
	worker_woken(&s->workers[0], msg->unit, ede);
	return ERR_OK;
}

static enum err
on_run(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	(void)msg;
	(void)fds;
	(void)nfds;
	if (!s->have_hello || !s->have_conf || !s->have_board)
		return err_set(m, ERR_PROTO, "run before hello, configuration and board");
	s->run = true;
	return ERR_OK;
}

/* What the warden may say, and when. */
static const struct {
	enum err (*handle)(struct server *, const struct msg *, int *, unsigned, struct errmsg *);
	bool setup, serving;
} handlers[MSG_TYPE_COUNT] = {
	[MSG_HELLO] = { on_hello, true, false },
	[MSG_DNS_CONF] = { on_conf, true, false },
	[MSG_DNS_TUNE] = { on_tune, true, true },
	[MSG_SOCKETS] = { on_sockets, true, false },
	[MSG_BOARD] = { on_board, true, false },
	[MSG_RUN] = { on_run, true, false },
	[MSG_IMAGE] = { on_image, true, true },
	[MSG_COMMIT] = { on_commit, true, true },
	[MSG_WOKEN] = { on_woken, false, true },
};

static enum err
dispatch(struct server *s, const struct msg *msg, int *fds, unsigned nfds, struct errmsg *m)
{
	bool known = msg->type < MSG_TYPE_COUNT && handlers[msg->type].handle != NULL;
	enum err e;

	if (!known || !(s->run ? handlers[msg->type].serving : handlers[msg->type].setup))
		e = err_set(m, ERR_PROTO, "message of type %u is not expected %s", msg->type, s->run ? "now" : "during set-up");
	else
		e = handlers[msg->type].handle(s, msg, fds, nfds, m);
	for (unsigned i = 0; i < nfds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return e;
}

static void
on_msg(struct chan *c, const struct msg *msg, int *fds, unsigned nfds, void *arg)
{
	struct errmsg m;

	(void)c;
	/* A bug of the warden, or no memory: what is served stays served. */
	if (dispatch(arg, msg, fds, nfds, &m) != ERR_OK)
		log_err("warden: %s", m.text);
}

static void
on_lost(struct chan *c, const char *why, void *arg)
{
	struct server *s = arg;

	(void)c;   /* freed when the workers have stopped */
	log_debug("channel: %s", why);
	event_base_loopbreak(s->workers[0].base);
}

/* ---- life ---- */

static enum err
workers_init(struct server *s, struct errmsg *m)
{
	enum err e = ERR_OK;

	if (s->conf.workers > 1 && evthread_use_pthreads() != 0)
		return err_set(m, ERR_UNSUPPORTED, "libevent has no threads");
	s->workers = calloc(s->conf.workers, sizeof(*s->workers));
	if (s->workers == NULL)
		return err_set(m, ERR_NOMEM, "workers: out of memory");
	for (uint32_t i = 0; i < s->conf.workers; i++)
		s->workers[i].mail_fd = -1;
	for (uint32_t i = 0; i < s->conf.workers && e == ERR_OK; i++) {
		struct worker *w = &s->workers[i];

		w->server = s;
		w->index = i;
		w->board = &s->board;
		w->count = &s->board.counters[i];
		w->set = s->set;
		w->tune = s->tune;
		w->udp_wakes = &s->udp_wakes;
		e = worker_init(w, &s->conf, &s->sockets[i], m);
	}
	return e;
}

static void *
worker_thread(void *arg)
{
	char crash_stack[CRASH_STACK_BYTES];
	struct worker *w = arg;

	crash_thread(crash_stack);
	pthread_barrier_wait(&w->server->gate);   /* started */
	pthread_barrier_wait(&w->server->gate);   /* confined */
	worker_run(w);
	return NULL;
}

/*
 * Threads are started between the two halves of confinement: they have dropped what the process has dropped, and after the filter, which covers them too,
 * no thread or process can be made.
 */
static enum err
confine(struct server *s, struct errmsg *m)
{
	enum err e = sandbox_enter(s->hello.hello.empty_root, s->hello.hello.uid, s->hello.hello.gid, m);

	if (e != ERR_OK)
		return e;
	if (pthread_barrier_init(&s->gate, NULL, s->conf.workers) != 0)
		return err_set(m, ERR_NOMEM, "workers: out of memory");
	for (uint32_t i = 1; i < s->conf.workers; i++) {
		if (pthread_create(&s->workers[i].thread, NULL, worker_thread, &s->workers[i]) != 0)
			return err_sys(m, "worker %u: thread", i);
		s->workers[i].has_thread = true;
	}
	pthread_barrier_wait(&s->gate);
	if ((e = confine_dns(m)) != ERR_OK)
		return e;
	pthread_barrier_wait(&s->gate);
	return ERR_OK;
}

static enum err
setup(struct server *s, int fd, struct errmsg *m)
{
	enum err e;

	while (!s->run) {
		int fds[LIMIT_MSG_FDS];
		unsigned nfds = 0;
		struct msg msg;

		if ((e = chan_recv_blocking(fd, &msg, fds, &nfds, m)) != ERR_OK ||
		    (e = dispatch(s, &msg, fds, nfds, m)) != ERR_OK)
			return e;
	}
	return ERR_OK;
}

static enum err
serve(struct server *s, int *fd, struct errmsg *m)
{
	struct msg running = { .type = MSG_RUNNING };
	enum err e = workers_init(s, m);

	if (e != ERR_OK)
		return e;
	s->chan = chan_new(s->workers[0].base, *fd, on_msg, on_lost, s);
	*fd = -1;
	if (s->chan == NULL)
		return err_set(m, ERR_NOMEM, "channel: out of memory");
	chan_log(s->chan);
	if ((e = confine(s, m)) != ERR_OK)
		return e;
	running.time_ns = clock_now_ns();
	if ((e = chan_send(s->chan, &running, NULL, 0)) != ERR_OK)
		return err_set(m, e, "channel: %s", err_str(e));
	worker_run(&s->workers[0]);
	return ERR_OK;
}

static void
workers_stop(struct server *s)
{
	for (uint32_t i = 1; i < s->conf.workers; i++) {
		struct post *p;

		if (!s->workers[i].has_thread)
			continue;
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			_exit(0);   /* the kernel cleans up as well */
		p->kind = POST_STOP;
		worker_post(&s->workers[i], p);
		pthread_join(s->workers[i].thread, NULL);
	}
}

static void
server_clear(struct server *s)
{
	chan_free(s->chan);
	s->chan = NULL;
	for (uint32_t i = s->conf.workers; s->workers != NULL && i-- > 0;)
		worker_clear(&s->workers[i]);
	free(s->workers);
	dns_zoneset_free(s->set);
	images_clear(&s->images);
	board_clear(&s->board);
}

int
dns_main(int fd)
{
	static struct server server;
	struct server *s = &server;
	struct rlimit files;
	struct errmsg m;
	enum err e;

	s->board.state_fd = s->board.use_fd = s->board.counters_fd = -1;
	(void)signal(SIGPIPE, SIG_IGN);      /* fails only for a wrong number */
	(void)mallopt(M_ARENA_MAX, 1);       /* arenas of threads would need mprotect */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);   /* with fewer, fewer TCP clients are served */
	}
	e = setup(s, fd, &m);
	if (e == ERR_OK)
		e = serve(s, &fd, &m);
	if (e != ERR_OK) {
		/* Threads may wait at the gate; nothing is worth tidying up. */
		log_err("%s", m.text);
		_exit(1);
	}
	workers_stop(s);
	server_clear(s);
	return 0;
}
