/*
 * tcp: connections with pipelined queries; replies leave when they are ready, held ones later than
 * others.
 *
 * A connection is read only while nothing of it is unsent, fewer than LIMIT_TCP_HELD of its queries
 * wait, and no whole query is left over: that bounds what a client can make us keep; what the
 * kernel keeps for it is bounded by its buffers' sizes.  Connections stand in two lists, least
 * recently active first: idle ones, which a timer closes, and those with held queries, which it
 * leaves alone.  Activity is a whole query or bytes that the client took, so that a trickle of
 * bytes holds nothing open.  Beyond the bound on connections the longest idle one is closed.
 *
 * A callback of this file may close a connection at any time, except the one whose queries are
 * being read (`current`), which is marked dead instead.
 */
#include "dns/server/server.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/server/frame.h"

/* Connections accepted in one turn of the loop. */
#define TCP_ACCEPTS 64

#define TCP_COMPLAIN_NS (60 * NS_PER_S)

struct tcp_conn {
	TAILQ_ENTRY(tcp_conn) in_list;   /* idle, busy or free */
	struct tcp *tcp;
	struct event read_ev, write_ev;
	struct dns_peer peer;            /* with this connection's slot and generation */
	int fd;                          /* -1 when the slot is free */
	uint32_t held;                   /* queries that wait */
	uint64_t active_ns;
	struct frame_kept in, out;
	bool proxy;                      /* the header of a proxy has to come first */
	bool eof;                        /* the client sends no more, but may still read */
	bool dead;
};

TAILQ_HEAD(tcp_list, tcp_conn);

struct tcp_listener {
	struct tcp *tcp;
	struct event *ev;
	int fd;
};

struct tcp {
	struct worker *w;
	struct tcp_listener listeners[LIMIT_LISTEN];
	unsigned nlisteners;
	struct event *pause_timer, *idle_timer;
	uint64_t complained_ns;          /* of too few descriptors; once a minute is enough */
	bool idle_armed;
	uint64_t idle_ns;
	struct tcp_list idle, busy, free;
	struct tcp_conn *current;
	uint32_t nslots;
	struct tcp_conn *slots;
	/* scratch: a chunk behind a message's beginning; replies of a turn; to a held query */
	uint8_t in[FRAME_MAX + LIMIT_TCP_CHUNK];
	uint8_t out[FRAME_MAX + LIMIT_TCP_CHUNK];
	size_t out_len;
	uint8_t late[FRAME_MAX];
};

/* ---- connections ---- */

static void
idle_arm(struct tcp *t, uint64_t now_ns)
{
	const struct tcp_conn *first = TAILQ_FIRST(&t->idle);
	struct timeval tv;

	if (t->idle_armed == (first != NULL))
		return;   /* an armed timer may come too early, and looks again */
	if (first == NULL) {
		evtimer_del(t->idle_timer);
		t->idle_armed = false;
		return;
	}
	tv = wait_until(first->active_ns + t->idle_ns, now_ns);
	t->idle_armed = evtimer_add(t->idle_timer, &tv) == 0;
}

/* Puts the connection behind the others of its kind. */
static void
conn_touch(struct tcp_conn *c, uint64_t now_ns, uint32_t held)
{
	TAILQ_REMOVE(c->held > 0 ? &c->tcp->busy : &c->tcp->idle, c, in_list);
	c->held = held;
	c->active_ns = now_ns;
	TAILQ_INSERT_TAIL(c->held > 0 ? &c->tcp->busy : &c->tcp->idle, c, in_list);
	idle_arm(c->tcp, now_ns);
}

static void
conn_close(struct tcp_conn *c)
{
	struct tcp *t = c->tcp;

	if (c == t->current) {
		c->dead = true;
		return;
	}
	event_del(&c->read_ev);
	event_del(&c->write_ev);
	close(c->fd);
	c->fd = -1;
	frame_drop(&c->in, c->in.len);
	frame_drop(&c->out, c->out.len);
	TAILQ_REMOVE(c->held > 0 ? &t->busy : &t->idle, c, in_list);
	TAILQ_INSERT_HEAD(&t->free, c, in_list);
}

/* Sends, keeps what the socket does not take; false: the client has gone, or does not read. */
static bool
conn_send(struct tcp_conn *c, const uint8_t *bytes, size_t len)
{
	ssize_t n = 0;

	if (c->dead || len == 0)
		return !c->dead;
	if (c->out.len == 0) {
		do
			n = send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR);
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			return false;
		if (n < 0)
			n = 0;
	}
	if (frame_keep_more(&c->out, bytes + n, len - (size_t)n, LIMIT_TCP_UNSENT) != ERR_OK)
		return false;
	return c->out.len == 0 || event_add(&c->write_ev, NULL) == 0;
}

/* May another query of it be dealt with? */
static bool
conn_open(const struct tcp_conn *c)
{
	return !c->dead && c->out.len == 0 && c->held < LIMIT_TCP_HELD;
}

/* After anything happened: closes it when it is finished, else says what it waits for. */
static void
conn_settle(struct tcp_conn *c)
{
	const uint8_t *msg;
	size_t pos = 0, len;
	bool whole = !c->proxy && frame_next(c->in.data, c->in.len, &pos, &msg, &len);

	if (c->dead || (c->eof && c->held == 0 && c->out.len == 0 && !whole)) {
		conn_close(c);
		return;
	}
	if (conn_open(c) && whole)
		/* goes on in the next turn, when nothing else is being done */
		event_active(&c->read_ev, EV_READ, 0);
	else if (!conn_open(c) || c->eof)
		event_del(&c->read_ev);
	else if (event_add(&c->read_ev, NULL) != 0)
		conn_close(c);
}

static void
out_flush(struct tcp *t, struct tcp_conn *c)
{
	if (!conn_send(c, t->out, t->out_len))
		c->dead = true;
	t->out_len = 0;
}

static void
conn_query(struct tcp_conn *c, const uint8_t *msg, size_t len, uint64_t *now_ns)
{
	struct tcp *t = c->tcp;
	struct dns_reply r;

	count_add(&t->w->count->tcp_queries, 1);
	if (c->peer.addr.sa.sa_family == AF_INET6)
		count_add(&t->w->count->ipv6_queries, 1);
	r = (struct dns_reply){ .buf = t->out + t->out_len + FRAME_HEAD, .cap = DNS_MESSAGE_MAX };
	switch (serve_query(t->w, msg, len, &c->peer, now_ns, &r)) {
	case SERVE_REPLY:
		t->out_len += frame_seal(t->out + t->out_len, r.len);
		conn_touch(c, *now_ns, c->held);
		if (t->out_len > LIMIT_TCP_CHUNK)
			out_flush(t, c);
		break;
	case SERVE_HELD:
		conn_touch(c, *now_ns, c->held + 1);
		break;
	case SERVE_NOTHING:
		break;
	}
}

/* Deals with whole queries in t->in[0..len) while the connection may; returns how much is done. */
static size_t
conn_queries(struct tcp_conn *c, size_t len, uint64_t *now_ns)
{
	struct tcp *t = c->tcp;
	const uint8_t *msg;
	size_t pos = 0, msg_len;

	while (!c->proxy && conn_open(c) && frame_next(t->in, len, &pos, &msg, &msg_len))
		conn_query(c, msg, msg_len, now_ns);
	out_flush(t, c);
	return pos;
}

/* Reads the proxy's header at the front of t->in[0..len): its size, or 0 while it is not whole. */
static size_t
conn_proxy(struct tcp_conn *c, size_t len)
{
	struct proxy_header h;
	enum proxy_parsed parsed = proxy_parse(c->tcp->in, len, &h);

	if (parsed == PROXY_BAD) {
		count_add(&c->tcp->w->count->dropped, 1);
		c->dead = true;
	}
	if (parsed != PROXY_OK)
		return 0;
	c->proxy = false;
	c->peer.proxied = h.client.family != 0;
	c->peer.client = h.client;
	c->peer.unproven = c->peer.proxied && !h.stream;
	return h.len;
}

/* Drops what stands in front of t->in[0..len); returns how much is left. */
static size_t
in_drop(struct tcp *t, size_t len, size_t done)
{
	if (done > 0 && done < len)
		memmove(t->in, t->in + done, len - done);
	return len - done;
}

/* Deals with what there is in t->in[0..len); returns how much is left, at the front. */
static size_t
conn_taken(struct tcp_conn *c, size_t len, uint64_t *now_ns)
{
	if (c->proxy)
		len = in_drop(c->tcp, len, conn_proxy(c, len));
	return in_drop(c->tcp, len, conn_queries(c, len, now_ns));
}

static void
readable_cb(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct tcp_conn *c = arg;
	struct tcp *t = c->tcp;
	uint64_t now_ns = clock_now_ns();
	size_t len = c->in.len;
	ssize_t n = 0;

	t->current = c;
	if (len > 0)
		memcpy(t->in, c->in.data, len);
	len = conn_taken(c, len, &now_ns);
	if (conn_open(c) && !c->eof) {
		/* Less than a message is left over. */
		n = recv(c->fd, t->in + len, LIMIT_TCP_CHUNK, MSG_DONTWAIT);
		if (n == 0)
			c->eof = true;
		else if (n > 0)
			len += (size_t)n;
		else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			c->dead = true;
		if (n > 0)
			len = conn_taken(c, len, &now_ns);
	}
	if (!c->dead && frame_keep(&c->in, t->in, len) != ERR_OK)
		c->dead = true;
	t->current = NULL;
	conn_settle(c);
	if (hold_units(t->w->held) > 0) {
		udp_flush(t->w->udp);   /* what had to make room */
		held_arm(t->w);
	}
}

static void
writable_cb(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct tcp_conn *c = arg;
	ssize_t n = send(fd, c->out.data, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n < 0) {
		conn_close(c);
		return;
	}
	frame_drop(&c->out, (size_t)n);
	conn_touch(c, clock_now_ns(), c->held);
	if (c->out.len == 0)
		event_del(&c->write_ev);
	conn_settle(c);
}

void
tcp_answer(struct tcp *t, const struct hold_query *q, int ede)
{
	struct dns_reply r = { .buf = t->late + FRAME_HEAD, .cap = DNS_MESSAGE_MAX };
	struct tcp_conn *c;

	if (q->peer.conn >= t->nslots)
		return;
	c = &t->slots[q->peer.conn];
	if (c->fd < 0 || c->peer.conn_gen != q->peer.conn_gen || c->dead)
		return;   /* the client has gone */
	conn_touch(c, clock_now_ns(), c->held - 1);
	if (serve_held(t->w, q, ede, &r) && !conn_send(c, t->late, frame_seal(t->late, r.len)))
		conn_close(c);
	else if (c != t->current)
		conn_settle(c);
}

/* ---- listeners ---- */

static void
listeners_enable(struct tcp *t, bool on)
{
	for (unsigned i = 0; i < t->nlisteners; i++) {
		if (!on)
			event_del(t->listeners[i].ev);
		else if (event_add(t->listeners[i].ev, NULL) != 0)
			log_warn("worker %u: no memory to accept TCP connections", t->w->index);
	}
}

static void
pause_cb(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	listeners_enable(arg, true);
}

/* The longest idle connection makes room; one that waits for a unit only if all do. */
static void
make_room(struct tcp *t)
{
	struct tcp_conn *c = TAILQ_FIRST(&t->idle);

	if (c == NULL)
		c = TAILQ_FIRST(&t->busy);
	if (c != NULL)
		conn_close(c);
}

static void
accept_failed(struct tcp *t)
{
	struct timeval tv = { .tv_usec = LIMIT_ACCEPT_PAUSE_MS * 1000 };
	uint64_t now_ns = clock_now_ns();

	/* EAGAIN: that was all; others: the client has gone meanwhile. */
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return;
	if (now_ns - t->complained_ns >= TCP_COMPLAIN_NS || t->complained_ns == 0) {
		log_warn("TCP: accept: %s; the longest idle connections are closed",
		    strerror(errno));
		t->complained_ns = now_ns;
	}
	make_room(t);
	listeners_enable(t, false);
	if (evtimer_add(t->pause_timer, &tv) != 0)
		listeners_enable(t, true);
}

static void
conn_new(struct tcp *t, int fd, struct dns_peer *peer)
{
	struct msg_addr from;
	struct tcp_conn *c;

	if (TAILQ_EMPTY(&t->free))
		make_room(t);
	c = TAILQ_FIRST(&t->free);
	TAILQ_REMOVE(&t->free, c, in_list);
	peer->tcp = 1;
	peer->conn = (uint32_t)(c - t->slots);
	peer->conn_gen = c->peer.conn_gen + 1;
	dns_peer_addr(peer, &from);
	*c = (struct tcp_conn){ .tcp = t, .fd = fd, .peer = *peer, .active_ns = clock_now_ns(),
		.proxy = proxy_listed(&t->w->tune.proxies, &from) };
	TAILQ_INSERT_TAIL(&t->idle, c, in_list);
	count_add(&t->w->count->tcp_connections, 1);
	/* Neither fails: the arguments are right. */
	(void)event_assign(&c->read_ev, t->w->base, fd, EV_READ | EV_PERSIST, readable_cb, c);
	(void)event_assign(&c->write_ev, t->w->base, fd, EV_WRITE | EV_PERSIST, writable_cb, c);
	if (event_add(&c->read_ev, NULL) != 0)
		conn_close(c);
	idle_arm(t, clock_now_ns());
}

static void
accept_cb(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct tcp_listener *l = arg;

	for (int i = 0; i < TCP_ACCEPTS; i++) {
		struct dns_peer peer = { .addr_len = sizeof(peer.addr) };
		int conn = accept4(fd, &peer.addr.sa, &peer.addr_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn < 0) {
			accept_failed(l->tcp);
			return;
		}
		conn_new(l->tcp, conn, &peer);
	}
}

static void
idle_cb(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct tcp *t = arg;
	uint64_t now_ns = clock_now_ns();
	struct tcp_conn *c;

	t->idle_armed = false;
	while ((c = TAILQ_FIRST(&t->idle)) != NULL && now_ns - c->active_ns >= t->idle_ns)
		conn_close(c);
	idle_arm(t, now_ns);
}

/* ---- life ---- */

static enum err
listener_open(struct tcp *t, int fd, struct errmsg *m)
{
	struct tcp_listener *l = &t->listeners[t->nlisteners];
	int on = 1, rcvbuf = LIMIT_TCP_RCVBUF, sndbuf = LIMIT_TCP_SNDBUF;

	*l = (struct tcp_listener){ .tcp = t, .fd = fd };
	t->nlisteners++;
	/* Accepted sockets inherit them, and setsockopt is not among the calls that are left. */
	if (evutil_make_socket_nonblocking(fd) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)) != 0)
		return err_sys(m, "TCP socket %u", t->nlisteners - 1);
	l->ev = mem_must(event_new(t->w->base, fd, EV_READ | EV_PERSIST, accept_cb, l));
	if (event_add(l->ev, NULL) != 0)
		return err_sys(m, "TCP socket %u: event", t->nlisteners - 1);
	return ERR_OK;
}

enum err
tcp_new(struct worker *w, const struct worker_sockets *socks, uint32_t clients, uint32_t idle_ms,
    struct errmsg *m)
{
	struct tcp *t = w->tcp = mem_zero(1, sizeof(*t));
	enum err e = ERR_OK;

	t->w = w;
	t->idle_ns = idle_ms * NS_PER_MS;
	t->nslots = clients;
	TAILQ_INIT(&t->idle);
	TAILQ_INIT(&t->busy);
	TAILQ_INIT(&t->free);
	t->slots = mem_zero(clients, sizeof(*t->slots));
	t->pause_timer = mem_must(evtimer_new(w->base, pause_cb, t));
	t->idle_timer = mem_must(evtimer_new(w->base, idle_cb, t));
	for (uint32_t i = 0; i < clients; i++) {
		t->slots[i].fd = -1;
		TAILQ_INSERT_TAIL(&t->free, &t->slots[i], in_list);
	}
	for (unsigned i = 0; i < socks->ntcp && e == ERR_OK; i++)
		e = listener_open(t, socks->tcp[i], m);
	return e;
}

void
tcp_free(struct tcp *t)
{
	for (uint32_t i = 0; i < t->nslots; i++)
		if (t->slots[i].fd >= 0)
			conn_close(&t->slots[i]);
	for (unsigned i = 0; i < t->nlisteners; i++) {
		event_free(t->listeners[i].ev);
		close(t->listeners[i].fd);
	}
	event_free(t->pause_timer);
	event_free(t->idle_timer);
	free(t->slots);
	free(t);
}
