/* chan: message channels over SOCK_SEQPACKET. */
#include "base/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/passfd.h"

/* Messages handled per turn of the loop, so that a chatty peer does not starve the rest. */
#define CHAN_BATCH 64

struct queued {
	STAILQ_ENTRY(queued) next;
	struct msg msg;
	int fds[LIMIT_MSG_FDS];
	unsigned nfds;
};

struct chan {
	int fd;
	struct event *ev_read, *ev_write;
	chan_msg_cb on_msg;
	chan_lost_cb on_lost;
	chan_drained_cb on_drained;
	void *arg;
	bool busy, dead;               /* in a callback; and freed there: on_readable frees it */
	pthread_mutex_t lock;          /* over the queue and the order of sends */
	STAILQ_HEAD(, queued) queue;
	unsigned queue_len;
};

void
chan_close_fds(int *fds, unsigned nfds)
{
	for (unsigned i = 0; i < nfds; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

enum err
chan_pair(int fds[2], struct errmsg *m)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		return err_sys(m, "socketpair");
	return ERR_OK;
}

/* 0 or errno. */
static int
send_once(int fd, const struct msg *m, const int *fds, unsigned nfds, int flags)
{
	return passfd_send(fd, m, sizeof(*m), fds, nfds, flags) < 0 ? errno : 0;
}

/* 0, EAGAIN, or another errno: *why says how a peer talks nonsense (EPROTO), or left (EPIPE). */
static int
recv_once(int fd, struct msg *m, int *fds, unsigned *nfds, const char **why)
{
	int flags = 0;
	ssize_t n;

	*nfds = LIMIT_MSG_FDS;
	*why = NULL;
	n = passfd_recv(fd, m, sizeof(*m), fds, nfds, &flags);
	if (n < 0) {
		/* ECONNRESET: the peer ended before it had read everything: an end as any other. */
		*why = errno == ECONNRESET ? "closed" : strerror(errno);
		return errno;
	}
	if (n == 0)
		*why = "closed";
	else if ((size_t)n != sizeof(*m) || (flags & MSG_TRUNC) != 0)
		*why = "message of a wrong size";
	else if ((flags & MSG_CTRUNC) != 0)
		*why = "descriptors of a message were lost: too many, or too many are open here";
	else if (m->version != MSG_VERSION)
		*why = "message of another version";
	else if (m->type == 0 || m->type >= MSG_TYPE_COUNT)
		*why = "message of an unknown type";
	if (*why == NULL)
		return 0;
	chan_close_fds(fds, *nfds);
	return n == 0 ? EPIPE : EPROTO;
}

static void
queued_free(struct queued *q)
{
	chan_close_fds(q->fds, q->nfds);
	free(q);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct chan *c = arg;

	(void)what;
	c->busy = true;
	for (int i = 0; i < CHAN_BATCH && !c->dead; i++) {
		struct msg m;
		int fds[LIMIT_MSG_FDS];
		unsigned nfds;
		const char *why;
		int rc = recv_once(fd, &m, fds, &nfds, &why);

		if (rc == EAGAIN)
			break;
		if (rc != 0) {
			event_del(c->ev_read);
			event_del(c->ev_write);
			c->on_lost(c, why, c->arg);
			break;
		}
		c->on_msg(c, &m, fds, nfds, c->arg);
	}
	c->busy = false;
	if (c->dead)
		free(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct chan *c = arg;
	struct queued *q;
	int rc = 0;

	(void)what;
	pthread_mutex_lock(&c->lock);
	while ((q = STAILQ_FIRST(&c->queue)) != NULL) {
		rc = send_once(fd, &q->msg, q->fds, q->nfds, MSG_DONTWAIT);
		if (rc != 0)
			break;
		STAILQ_REMOVE_HEAD(&c->queue, next);
		c->queue_len--;
		queued_free(q);
	}
	if (q == NULL || rc != EAGAIN)
		event_del(c->ev_write);
	pthread_mutex_unlock(&c->lock);
	/* A broken peer is reported by the reading side, which sees the end of file. */
	if (q == NULL && c->on_drained != NULL)
		c->on_drained(c, c->arg);
}

bool
chan_unread(const struct chan *c)
{
	char byte;

	return event_pending(c->ev_read, EV_READ, NULL) &&
	    recv(c->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0;
}

unsigned
chan_queued(struct chan *c)
{
	unsigned n;

	pthread_mutex_lock(&c->lock);
	n = c->queue_len;
	pthread_mutex_unlock(&c->lock);
	return n;
}

void
chan_on_drained(struct chan *c, chan_drained_cb cb)
{
	c->on_drained = cb;
}

struct chan *
chan_new(struct event_base *base, int fd, chan_msg_cb on_msg, chan_lost_cb on_lost, void *arg)
{
	struct chan *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	*c = (struct chan){ .fd = fd, .on_msg = on_msg, .on_lost = on_lost, .arg = arg };
	STAILQ_INIT(&c->queue);
	pthread_mutex_init(&c->lock, NULL);
	c->ev_read = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->ev_write = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	if (c->ev_read == NULL || c->ev_write == NULL || evutil_make_socket_nonblocking(fd) != 0 ||
	    event_add(c->ev_read, NULL) != 0) {
		chan_free(c);
		return NULL;
	}
	return c;
}

/* Where this process's log goes, see chan_log. */
static struct chan *_Atomic log_chan;
static atomic_uint log_dropped;

static void
log_sink(enum log_level level, const char *text)
{
	struct msg m = { .type = MSG_LOG, .time_ns = clock_now_ns() };
	struct chan *c = log_chan;
	unsigned dropped;

	m.log.level = (uint32_t)level;
	snprintf(m.log.text, sizeof(m.log.text), "%s", text);
	if (c == NULL)
		return;
	/* Half of the queue is for what must arrive. */
	if (chan_queued(c) >= LIMIT_CHAN_QUEUE / 2 || chan_send(c, &m, NULL, 0) != ERR_OK) {
		atomic_fetch_add(&log_dropped, 1);
		return;
	}
	dropped = atomic_exchange(&log_dropped, 0);
	if (dropped == 0)
		return;
	snprintf(m.log.text, sizeof(m.log.text),
	    "%u lines before this one were dropped: the warden did not read them", dropped);
	if (chan_send(c, &m, NULL, 0) != ERR_OK)
		atomic_fetch_add(&log_dropped, dropped);
}

void
chan_log(struct chan *c)
{
	log_chan = c;
	log_divert(log_sink);
}

void
chan_free(struct chan *c)
{
	struct queued *q;

	if (c == NULL)
		return;
	if (c == log_chan)
		log_chan = NULL;
	if (c->ev_read != NULL)
		event_free(c->ev_read);
	if (c->ev_write != NULL)
		event_free(c->ev_write);
	while ((q = STAILQ_FIRST(&c->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->queue, next);
		queued_free(q);
	}
	pthread_mutex_destroy(&c->lock);
	close(c->fd);
	if (c->busy)
		c->dead = true;
	else
		free(c);
}

/* Called with the lock held. */
static enum err
enqueue(struct chan *c, const struct msg *m, const int *fds, unsigned nfds)
{
	struct queued *q;

	if (c->queue_len >= LIMIT_CHAN_QUEUE)
		return ERR_LIMIT;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return ERR_NOMEM;
	q->msg = *m;
	for (unsigned i = 0; i < nfds; i++) {
		q->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (q->fds[i] < 0) {
			queued_free(q);
			return ERR_IO;
		}
		q->nfds++;
	}
	STAILQ_INSERT_TAIL(&c->queue, q, next);
	if (c->queue_len++ == 0)
		event_add(c->ev_write, NULL);
	return ERR_OK;
}

enum err
chan_send(struct chan *c, const struct msg *m, const int *fds, unsigned nfds)
{
	struct msg copy = *m;
	enum err e = ERR_OK;
	int rc;

	if (nfds > LIMIT_MSG_FDS)
		return ERR_LIMIT;
	copy.version = MSG_VERSION;
	pthread_mutex_lock(&c->lock);
	rc = c->queue_len > 0 ? EAGAIN : send_once(c->fd, &copy, fds, nfds, MSG_DONTWAIT);
	if (rc == EAGAIN)
		e = enqueue(c, &copy, fds, nfds);
	else if (rc != 0)
		e = ERR_IO;
	pthread_mutex_unlock(&c->lock);
	return e;
}

static enum err
set_blocking(int fd, struct errmsg *why)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		return err_sys(why, "channel");
	return ERR_OK;
}

enum err
chan_recv_blocking(int fd, struct msg *m, int *fds, unsigned *nfds, struct errmsg *why)
{
	const char *text;
	enum err e = set_blocking(fd, why);

	if (e == ERR_OK && recv_once(fd, m, fds, nfds, &text) != 0)
		e = err_set(why, ERR_IO, "channel: %s", text);
	return e;
}

enum err
chan_send_blocking(int fd, const struct msg *m, const int *fds, unsigned nfds, struct errmsg *why)
{
	struct msg copy = *m;
	enum err e = set_blocking(fd, why);

	copy.version = MSG_VERSION;
	if (e == ERR_OK && send_once(fd, &copy, fds, nfds, 0) != 0)
		e = err_sys(why, "channel");
	return e;
}
