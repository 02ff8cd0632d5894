/* worker: one event loop with its sockets, its held queries and its mailbox. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "dns/server/server.h"

/* ---- mailbox ---- */

static void
mail_read(void *arg)
{
	struct post *p = arg;
	struct worker *w = p->to;

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
	free(p);
}

static void
mail_drop(void *arg)
{
	struct post *p = arg;

	if (p->kind == POST_SWAPPED)
		uplink_swapped(p->to->server, p->swap);
	free(p);
}

void
worker_post(struct worker *w, const struct post *letter)
{
	struct post *p = mem_copy(letter, sizeof(*letter));

	p->to = w;
	p->job = (struct work_job){ .done = mail_read, .drop = mail_drop, .arg = p };
	work_post(w->mail, &p->job);
}

/* ---- life ---- */

/* This worker's part of a bound for the whole process. */
static uint32_t
share(uint32_t total, uint32_t workers)
{
	return (total + workers - 1) / workers;
}

enum err
worker_init(struct worker *w, const struct msg_dns_conf *conf, const struct worker_sockets *sockets,
    struct errmsg *m)
{
	uint32_t keepalive = conf->tcp_idle_ms / 100;
	enum err e;

	w->conf.udp_payload = (uint16_t)conf->udp_payload;
	w->conf.keepalive = (uint16_t)(keepalive < UINT16_MAX ? keepalive : UINT16_MAX);
	w->conf.nsid = conf->nsid[0] != '\0' ? conf->nsid : NULL;
	w->base = mem_must(event_base_new());
	w->mail = work_new(w->base, NULL, 0, NULL);
	held_init(w, conf->held_per_unit, share(conf->held_total, conf->workers));
	if ((e = udp_new(w, sockets, m)) != ERR_OK)
		return e;
	return tcp_new(w, sockets, share(conf->tcp_clients, conf->workers), conf->tcp_idle_ms, m);
}

void
worker_clear(struct worker *w)
{
	udp_free(w->udp);
	tcp_free(w->tcp);
	held_clear(w);
	work_free(w->mail);
	event_base_free(w->base);
}

void
worker_run(struct worker *w)
{
	if (event_base_dispatch(w->base) < 0)
		fatal("worker %u: the event loop failed", w->index);
}
