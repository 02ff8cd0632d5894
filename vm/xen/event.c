/*
 * event: one thread that hears of the ends of domains (libxl) and of keys that appear (XenStore).
 *
 * It has a libxl context of its own, on which nothing that blocks is called.  What it hears it
 * notes in the domain's watch and makes the watch's eventfd readable; the host then asks for the
 * news on a driver thread.  Watches are found by number, so one that was freed meanwhile is only
 * not found.
 */
#include "vm/xen/xen.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

/* For libxl to call off what it is doing. */
#define ABORT_NS (LIMIT_XEN_ABORT_S * NS_PER_S)

#define KEYS_AT_ONCE 64                /* between looks at libxl's events */
#define POLL_OWN 2                     /* our descriptors, before libxl's */

struct xen_watch {
	uint64_t number;
	char token[24];                /* the number as XenStore has it */
	int fd;
	uint32_t domid;
	char *path;                    /* of the key; NULL = none */
	libxl_evgen_domain_death *evgen;
	struct xen_news news;
	LIST_ENTRY(xen_watch) link;
};

struct xen_events {
	libxl_ctx *ctx;
	xentoollog_logger *log;
	struct xs_handle *xs;
	pthread_t thread;
	bool started;
	int wake_fd;
	atomic_bool quit;
	atomic_uint suspends;          /* under way in libxl */
	/* of what follows; never held while libxl or XenStore are called */
	pthread_mutex_t lock;
	uint64_t next;
	LIST_HEAD(, xen_watch) watches;
};

/* A suspend under way; freed by who comes last. */
struct suspend {
	struct xen_events *ev;
	int fd;                        /* libxl writes to it until it has ended the operation */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done, left;
	int rc;
};

static void
tell(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));     /* fails only when it is readable anyway */
}

/* With the lock held. */
static struct xen_watch *
find(struct xen_events *ev, uint64_t number)
{
	struct xen_watch *w;

	LIST_FOREACH(w, &ev->watches, link)
		if (w->number == number)
			return w;
	return NULL;
}

/* ---- on the thread ---- */

static void
take_event(struct xen_events *ev, const libxl_event *event)
{
	struct xen_watch *w;

	pthread_mutex_lock(&ev->lock);
	w = find(ev, event->for_user);
	if (w != NULL && event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN) {
		w->news.ended = w->news.ended ||
		    event->u.domain_shutdown.shutdown_reason != LIBXL_SHUTDOWN_REASON_SUSPEND;
		w->news.reason = event->u.domain_shutdown.shutdown_reason;
		tell(w->fd);
	} else if (w != NULL && event->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH) {
		w->news.vanished = !w->news.ended;
		w->news.ended = true;
		tell(w->fd);
	}
	pthread_mutex_unlock(&ev->lock);
}

/* With the lock held: the watch's news have changed. */
static void
note_ready(struct xen_watch *w)
{
	w->news.ready = true;
	tell(w->fd);
}

/* Is this key still waited for?  If it is `there`, not any more. */
static bool
key_is(struct xen_events *ev, uint64_t number, const char *path, bool there)
{
	struct xen_watch *w;
	bool waits;

	pthread_mutex_lock(&ev->lock);
	w = find(ev, number);
	waits = w != NULL && w->path != NULL && strcmp(w->path, path) == 0 && !w->news.ready;
	if (waits && there)
		note_ready(w);
	pthread_mutex_unlock(&ev->lock);
	return waits;
}

/*
 * A watch fires once when it is set, and then at each change; what counts is that the key is there.
 * A guest that writes its key without end is not heard again, and keeps nothing else waiting.
 */
static void
take_keys(struct xen_events *ev)
{
	char **v, *value;
	unsigned len;

	for (unsigned n = 0; n < KEYS_AT_ONCE && (v = xs_check_watch(ev->xs)) != NULL; n++) {
		uint64_t number = strtoull(v[XS_WATCH_TOKEN], NULL, 10);
		const char *path = v[XS_WATCH_PATH];

		value = key_is(ev, number, path, false) ? xs_read(ev->xs, XBT_NULL, path, &len)
		    : NULL;
		if (value != NULL && key_is(ev, number, path, true))
			/* it may be gone already */
			(void)xs_unwatch(ev->xs, path, v[XS_WATCH_TOKEN]);
		free(value);
		free(v);
	}
}

static void
take_events(struct xen_events *ev)
{
	libxl_event *event;

	while (libxl_event_check(ev->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
		take_event(ev, event);
		libxl_event_free(ev->ctx, event);
	}
}

/* What to poll for; *fds grows as libxl asks.  Returns libxl's count, -1 when it cannot be had. */
static int
prepare(struct xen_events *ev, struct pollfd **fds, int *size, int *timeout)
{
	for (;;) {
		int n = *size - POLL_OWN;
		struct timeval now;
		int rc;

		gettimeofday(&now, NULL);
		*timeout = -1;
		rc = libxl_osevent_beforepoll(ev->ctx, &n, *fds + POLL_OWN, timeout, now);
		if (rc == 0)
			return n;
		if (rc != ERROR_BUFFERFULL)
			return -1;
		*fds = mem_resize(*fds, (size_t)(n + POLL_OWN), sizeof(**fds));
		*size = n + POLL_OWN;
	}
}

static void *
events_run(void *arg)
{
	struct xen_events *ev = arg;
	int size = 16, timeout, n;
	struct pollfd *fds = mem_zero((size_t)size, sizeof(*fds));
	struct timeval now;
	uint64_t woken;

	while (!ev->quit && !xen_ctx_broken(ev->log) &&
	    (n = prepare(ev, &fds, &size, &timeout)) >= 0) {
		fds[0] = (struct pollfd){ .fd = ev->wake_fd, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = xs_fileno(ev->xs), .events = POLLIN };
		if (poll(fds, (nfds_t)(n + POLL_OWN), timeout) < 0 && errno != EINTR)
			break;
		if ((fds[0].revents & POLLIN) != 0)
			/* only to make it unreadable */
			(void)!read(ev->wake_fd, &woken, sizeof(woken));
		gettimeofday(&now, NULL);
		libxl_osevent_afterpoll(ev->ctx, n, fds + POLL_OWN, now);
		take_events(ev);
		take_keys(ev);
	}
	free(fds);
	if (!ev->quit)
		log_err("driver xen: libxl's events cannot be waited for: ends of domains are not "
		    "noticed until jitsud is started anew");
	return NULL;
}

/* ---- begin and end ---- */

enum err
xen_events_new(struct xen_events **out, struct errmsg *m)
{
	struct xen_events *ev = mem_zero(1, sizeof(*ev));
	enum err e;

	*out = NULL;
	ev->wake_fd = -1;
	LIST_INIT(&ev->watches);
	pthread_mutex_init(&ev->lock, NULL);
	e = xen_ctx_open(&ev->ctx, &ev->log, m);
	if (e == ERR_OK && (ev->xs = xs_open(0)) == NULL)
		e = err_sys(m, "driver xen: XenStore");
	if (e == ERR_OK && (ev->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		e = err_sys(m, "driver xen: eventfd");
	if (e == ERR_OK && !(ev->started = thread_start(&ev->thread, events_run, ev) == 0))
		e = err_set(m, ERR_NOMEM, "driver xen: no thread for events");
	if (e != ERR_OK)
		xen_events_free(ev);
	else
		*out = ev;
	return e;
}

void
xen_events_free(struct xen_events *ev)
{
	if (ev == NULL)
		return;
	if (ev->started) {
		ev->quit = true;
		tell(ev->wake_fd);
		pthread_join(ev->thread, NULL);
	}
	if (ev->xs != NULL)
		xs_close(ev->xs);
	if (ev->suspends > 0)     /* libxl keeps a context with an operation under way */
		return;
	xen_ctx_close(ev->ctx, ev->log);
	if (ev->wake_fd >= 0)
		close(ev->wake_fd);
	pthread_mutex_destroy(&ev->lock);
	free(ev);
}

/* ---- watches ---- */

enum err
xen_watch_new(struct xen_events *ev, struct xen_vm *v, const char *key, struct errmsg *m)
{
	struct xen_watch *w;
	uint32_t domid = v->domid;
	enum err e = ERR_OK;
	unsigned mark = xen_log_mark(ev->log);
	int rc, fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return err_sys(m, "eventfd");
	w = mem_zero(1, sizeof(*w));
	*w = (struct xen_watch){ .domid = domid, .fd = fd };
	if (key != NULL)
		w->path = mem_format("/local/domain/%u/%s", domid, key);
	pthread_mutex_lock(&ev->lock);
	w->number = ++ev->next;
	snprintf(w->token, sizeof(w->token), "%" PRIu64, w->number);
	LIST_INSERT_HEAD(&ev->watches, w, link);
	pthread_mutex_unlock(&ev->lock);
	rc = libxl_evenable_domain_death(ev->ctx, domid, w->number, &w->evgen);
	tell(ev->wake_fd);     /* the thread polls for what libxl wanted before this */
	if (rc != 0) {
		xen_log_borrow(ev->log, mark, domid);
		e = xen_fail(m, rc, "domain %u: its end cannot be watched", domid);
	}
	if (e == ERR_OK && key != NULL && !xs_watch(ev->xs, w->path, w->token))
		e = err_sys(m, "domain %u: XenStore key %s cannot be watched", domid, key);
	if (e != ERR_OK) {
		xen_watch_free(ev, w);
		return e;
	}
	v->watch = w;
	v->vm.watch_fd = fd;
	return ERR_OK;
}

void
xen_watch_free(struct xen_events *ev, struct xen_watch *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&ev->lock);
	LIST_REMOVE(w, link);
	pthread_mutex_unlock(&ev->lock);
	if (w->evgen != NULL)
		libxl_evdisable_domain_death(ev->ctx, w->evgen);
	if (w->path != NULL)
		/* a watch that was not set is none to remove */
		(void)xs_unwatch(ev->xs, w->path, w->token);
	close(w->fd);
	free(w->path);
	free(w);
}

void
xen_watch_again(const struct xen_watch *w)
{
	tell(w->fd);
}

void
xen_watch_ready(struct xen_events *ev, struct xen_watch *w)
{
	pthread_mutex_lock(&ev->lock);
	note_ready(w);
	pthread_mutex_unlock(&ev->lock);
}

void
xen_watch_renew(struct xen_events *ev, struct xen_watch *w)
{
	if (w->evgen != NULL)
		libxl_evdisable_domain_death(ev->ctx, w->evgen);
	w->evgen = NULL;
	if (libxl_evenable_domain_death(ev->ctx, w->domid, w->number, &w->evgen) != 0)
		log_warn("domain %u: its end cannot be watched any more", w->domid);
	tell(ev->wake_fd);
}

void
xen_watch_take(struct xen_events *ev, struct xen_watch *w, struct xen_news *news)
{
	uint64_t n;

	(void)!read(w->fd, &n, sizeof(n));     /* nothing to read is no news */
	pthread_mutex_lock(&ev->lock);
	*news = w->news;
	pthread_mutex_unlock(&ev->lock);
}

/* ---- what must not block its caller, or not for long ---- */

static void
asked(UNUSED libxl_ctx *ctx, UNUSED int rc, UNUSED void *arg)
{
	/* A guest that does not acknowledge is destroyed at the host's deadline. */
}

int
xen_events_shutdown(struct xen_events *ev, uint32_t domid)
{
	libxl_asyncop_how how = { .callback = asked, .u.for_callback = &how };
	unsigned mark = xen_log_mark(ev->log);
	int rc = libxl_domain_shutdown(ev->ctx, domid, &how);

	/* The request stands in XenStore; waiting would hold the context, and our end, a minute. */
	if (rc == 0)
		(void)libxl_ao_abort(ev->ctx, &how);     /* it may have been acknowledged */
	else
		xen_log_borrow(ev->log, mark, domid);
	tell(ev->wake_fd);
	return rc;
}

static void
suspend_unref(struct suspend *s, bool done, int rc)
{
	bool last;

	pthread_mutex_lock(&s->lock);
	last = done ? s->left : s->done;
	if (done) {
		s->done = true;
		s->rc = rc;
		pthread_cond_signal(&s->cond);
	} else {
		s->left = true;
	}
	pthread_mutex_unlock(&s->lock);
	if (!last)
		return;
	close(s->fd);
	pthread_cond_destroy(&s->cond);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void
suspended(UNUSED libxl_ctx *ctx, int rc, void *arg)
{
	struct suspend *s = arg;

	s->ev->suspends--;
	suspend_unref(s, true, rc);
}

static bool
suspend_wait(struct suspend *s, uint64_t deadline_ns, int *rc)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline_ns / NS_PER_S),
	    .tv_nsec = (long)(deadline_ns % NS_PER_S) };
	bool done;

	pthread_mutex_lock(&s->lock);
	while (!s->done && pthread_cond_clockwait(&s->cond, &s->lock, CLOCK_MONOTONIC, &ts) == 0)
		;
	done = s->done;
	*rc = s->rc;
	pthread_mutex_unlock(&s->lock);
	return done;
}

static bool
has_suspended(struct xen_events *ev, uint32_t domid)
{
	libxl_dominfo info;
	bool has;

	libxl_dominfo_init(&info);
	has = libxl_domain_info(ev->ctx, &info, domid) == 0 && info.shutdown;
	libxl_dominfo_dispose(&info);
	return has;
}

int
xen_events_suspend(struct xen_events *ev, uint32_t domid, int fd, uint64_t answer_ns,
    uint64_t end_ns)
{
	struct suspend *s = mem_zero(1, sizeof(*s));
	libxl_asyncop_how how = { .callback = suspended, .u.for_callback = s };
	unsigned mark = xen_log_mark(ev->log);
	int rc;

	*s = (struct suspend){ .ev = ev, .fd = fd };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->cond, NULL);
	ev->suspends++;
	rc = libxl_domain_suspend(ev->ctx, domid, fd, 0, &how);
	tell(ev->wake_fd);
	if (rc != 0) {
		ev->suspends--;
		s->done = true;     /* it was refused, and no callback comes */
	} else if (!suspend_wait(s, answer_ns, &rc) && !(has_suspended(ev, domid) &&
	    suspend_wait(s, end_ns, &rc))) {
		(void)libxl_ao_abort(ev->ctx, &how);     /* it may have ended just now */
		tell(ev->wake_fd);
		if (!suspend_wait(s, clock_now_ns() + ABORT_NS, &rc) || rc == ERROR_ABORTED)
			rc = ERROR_TIMEDOUT;
	}
	suspend_unref(s, false, 0);
	if (rc != 0)
		xen_log_borrow(ev->log, mark, domid);
	return rc;
}
