/* worker: one event loop with its sockets, its held queries and its mailbox. */
#include "dns/server/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* ---- held queries ---- */

static void
held_answer(void *arg, const struct hold_query *q, int ede, bool expired)
{
	struct worker *w = arg;
	uint64_t now_ns = clock_now_ns();

	if (expired) {
		count_add(&w->count->held_expired, 1);
		ede = serve_unheld_ede(w, q->unit_number);
	}
	count_add(&w->count->held_for[board_held_bucket(now_ns > q->arrived_ns ? now_ns - q->arrived_ns : 0)], 1);
	if (q->peer.tcp)
		tcp_answer(w->tcp, q, ede);
	else
		udp_answer(w->udp, q, ede);
}

static void
held_wake(void *arg, const struct hold_wake *wake)
{
	struct worker *w = arg;

	board_wake_begin(w->board, wake->unit, wake->arrived_ns);
	server_wake(w, wake);
}

static void
held_report(void *arg, const struct hold_report *r)
{
	struct worker *w = arg;

	udp_flush(w->udp);   /* they are answered when it is said so */
	server_report(w, r);
}

static const struct hold_ops held_ops = { .answer = held_answer, .wake = held_wake, .report = held_report };

void
worker_held_arm(struct worker *w)
{
	uint64_t next_ns = hold_next_ns(w->held), now_ns, wait_us;
	struct timeval tv;

	if (next_ns == HOLD_NEVER) {
		if (w->held_armed_ns != HOLD_NEVER)
			evtimer_del(w->held_timer);
		w->held_armed_ns = HOLD_NEVER;
		return;
	}
	if (next_ns >= w->held_armed_ns)
		return;
	now_ns = clock_now_ns();
	wait_us = next_ns > now_ns ? (next_ns - now_ns + 999) / 1000 : 0;
	tv.tv_sec = (time_t)(wait_us / 1000000);
	tv.tv_usec = (suseconds_t)(wait_us % 1000000);
	if (evtimer_add(w->held_timer, &tv) != 0) {
		log_warn("worker %u: no memory for a timer", w->index);
		return;
	}
	w->held_armed_ns = next_ns;
}

static void
held_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	w->held_armed_ns = HOLD_NEVER;
	hold_tick(w->held, clock_now_ns());
	udp_flush(w->udp);
	worker_held_arm(w);
}

void
worker_woken(struct worker *w, uint32_t unit, int ede)
{
	hold_woken(w->held, unit, ede);
	udp_flush(w->udp);
	worker_held_arm(w);
}

/* ---- mailbox ---- */

void
worker_post(struct worker *w, struct post *p)
{
	uint64_t one = 1;

	pthread_mutex_lock(&w->mail_lock);
	STAILQ_INSERT_TAIL(&w->mail, p, next);
	pthread_mutex_unlock(&w->mail_lock);
	if (write(w->mail_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return;   /* the counter is at its maximum: the reader has been told often enough */
}

static struct post *
mail_take(struct worker *w)
{
	struct post *p;

	pthread_mutex_lock(&w->mail_lock);
	p = STAILQ_FIRST(&w->mail);
	if (p != NULL)
		STAILQ_REMOVE_HEAD(&w->mail, next);
	pthread_mutex_unlock(&w->mail_lock);
	return p;
}

static void
mail_read(struct worker *w, struct post *p)
{
	switch (p->kind) {
	case POST_SWAP:
		w->set = p->swap->set;
		if (atomic_fetch_sub(&p->swap->left, 1) == 1) {
			/* The last one: the same letter goes back to the main thread. */
			p->kind = POST_SWAPPED;
			worker_post(w - w->index, p);
			return;
		}
		break;
	case POST_SWAPPED:
		server_swapped(w->server, p->swap);
		break;
	case POST_WOKEN:
		worker_woken(w, p->unit, p->ede);
		break;
	case POST_TUNE:
		w->tune = p->tune;
		break;
	case POST_STOP:
		event_base_loopbreak(w->base);
		break;
	}
	free(p);
}

static void
mail_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct post *p;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
		return;   /* nothing new */
	while ((p = mail_take(w)) != NULL)
		mail_read(w, p);
}

/* ---- life ---- */

/* This worker's part of a bound for the whole process. */
static uint32_t
share(uint32_t total, uint32_t workers)
{
	return (total + workers - 1) / workers;
}

enum err
worker_init(struct worker *w, const struct server_conf *conf, const struct worker_sockets *sockets, struct errmsg *m)
{
	enum err e;

	STAILQ_INIT(&w->mail);
	pthread_mutex_init(&w->mail_lock, NULL);
	w->held_armed_ns = HOLD_NEVER;
	w->conf.udp_payload = conf->udp_payload;
	w->conf.keepalive = (uint16_t)(conf->tcp_idle_ms / 100 < UINT16_MAX ? conf->tcp_idle_ms / 100 : UINT16_MAX);
	w->conf.nsid = conf->nsid[0] != '\0' ? conf->nsid : NULL;
	w->mail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->mail_fd < 0)
		return err_sys(m, "eventfd");
	w->base = event_base_new();
	w->held = hold_new(conf->held_per_unit, share(conf->held_total, conf->workers), &held_ops, w);
	if (w->base == NULL || w->held == NULL)
		return err_set(m, ERR_NOMEM, "worker %u: out of memory", w->index);
	w->held_timer = evtimer_new(w->base, held_timer_cb, w);
	w->mail_event = event_new(w->base, w->mail_fd, EV_READ | EV_PERSIST, mail_cb, w);
	if (w->held_timer == NULL || w->mail_event == NULL || event_add(w->mail_event, NULL) != 0)
		return err_set(m, ERR_NOMEM, "worker %u: out of memory", w->index);
	e = udp_new(w, sockets, &w->udp, m);
	if (e == ERR_OK)
		e = tcp_new(w, sockets, share(conf->tcp_clients, conf->workers), conf->tcp_idle_ms, &w->tcp, m);
	return e;
}

void
worker_clear(struct worker *w)
{
	struct post *p;

	udp_free(w->udp);
	tcp_free(w->tcp);
	hold_free(w->held);
	if (w->held_timer != NULL)
		event_free(w->held_timer);
	if (w->mail_event != NULL)
		event_free(w->mail_event);
	if (w->base != NULL)
		event_base_free(w->base);
	while ((p = mail_take(w)) != NULL) {
		if (p->kind == POST_SWAPPED)
			server_swapped(w->server, p->swap);
		free(p);
	}
	pthread_mutex_destroy(&w->mail_lock);
	if (w->mail_fd >= 0)
		close(w->mail_fd);
}

void
worker_run(struct worker *w)
{
	if (event_base_dispatch(w->base) < 0)
		fatal("worker %u: the event loop failed", w->index);
}
