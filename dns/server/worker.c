/* worker: one event loop with its sockets, its held queries and its mailbox. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "dns/server/server.h"

/* ---- mailbox ---- */

void
worker_post(struct worker *w, const struct post *letter)
{
	struct post *p = mem_copy(letter, sizeof(*letter));
	uint64_t one = 1;

	pthread_mutex_lock(&w->mail_lock);
	STAILQ_INSERT_TAIL(&w->mail, p, next);
	pthread_mutex_unlock(&w->mail_lock);
	/* Fails where the counter is at its maximum: the reader has been told often enough. */
	(void)!write(w->mail_fd, &one, sizeof(one));
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
mail_read(struct worker *w, const struct post *p)
{
	switch (p->kind) {
	case POST_SWAP:
		w->set = p->swap->set;
		/* the last one: to the main thread */
		if (atomic_fetch_sub(&p->swap->left, 1) == 1)
			worker_post(w - w->index,
			    &(struct post){ .kind = POST_SWAPPED, .swap = p->swap });
		break;
	case POST_SWAPPED:
		uplink_swapped(w->server, p->swap);
		break;
	case POST_WOKEN:
		held_woken(w, p->unit, p->ede);
		break;
	case POST_TUNE:
		w->tune = p->tune;
		break;
	case POST_STOP:
		event_base_loopbreak(w->base);
		break;
	}
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
	while ((p = mail_take(w)) != NULL) {
		mail_read(w, p);
		free(p);
	}
}

/* ---- life ---- */

/* This worker's part of a bound for the whole process. */
static uint32_t
share(uint32_t total, uint32_t workers)
{
	return (total + workers - 1) / workers;
}

enum err
worker_init(struct worker *w, const struct server_conf *conf, const struct worker_sockets *sockets,
    struct errmsg *m)
{
	uint32_t keepalive = conf->tcp_idle_ms / 100;
	enum err e;

	STAILQ_INIT(&w->mail);
	pthread_mutex_init(&w->mail_lock, NULL);
	w->conf.udp_payload = conf->udp_payload;
	w->conf.keepalive = (uint16_t)(keepalive < UINT16_MAX ? keepalive : UINT16_MAX);
	w->conf.nsid = conf->nsid[0] != '\0' ? conf->nsid : NULL;
	w->mail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->mail_fd < 0)
		return err_sys(m, "worker %u: eventfd", w->index);
	w->base = mem_must(event_base_new());
	w->mail_event = mem_must(event_new(w->base, w->mail_fd, EV_READ | EV_PERSIST, mail_cb, w));
	if (event_add(w->mail_event, NULL) != 0)
		return err_sys(m, "worker %u: mailbox", w->index);
	held_init(w, conf->held_per_unit, share(conf->held_total, conf->workers));
	if ((e = udp_new(w, sockets, m)) != ERR_OK)
		return e;
	return tcp_new(w, sockets, share(conf->tcp_clients, conf->workers), conf->tcp_idle_ms, m);
}

void
worker_clear(struct worker *w)
{
	struct post *p;

	udp_free(w->udp);
	tcp_free(w->tcp);
	held_clear(w);
	event_free(w->mail_event);
	event_base_free(w->base);
	while ((p = mail_take(w)) != NULL) {
		if (p->kind == POST_SWAPPED)
			uplink_swapped(w->server, p->swap);
		free(p);
	}
	pthread_mutex_destroy(&w->mail_lock);
	close(w->mail_fd);
}

void
worker_run(struct worker *w)
{
	if (event_base_dispatch(w->base) < 0)
		fatal("worker %u: the event loop failed", w->index);
}
