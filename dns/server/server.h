/*
 * server: the parts of the DNS process among themselves; nothing outside dns/ includes this.
 *
 * Every worker has its own loop, sockets, held queries and pointer to the zone set; nothing is
 * locked per query.  Worker 0 is the main thread, which has the channel.  The others hear from the
 * main thread through their mailboxes, and the main thread from them through its own.
 */
#ifndef DNS_SERVER_SERVER_H
#define DNS_SERVER_SERVER_H

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/board.h"
#include "base/chan.h"
#include "base/limits.h"
#include "base/rate.h"
#include "base/work.h"
#include "dns/answer/answer.h"
#include "dns/answer/zimages.h"
#include "dns/server/cookie.h"
#include "dns/server/hold.h"
#include "dns/server/passive.h"
#include "dns/server/proxy.h"

struct tcp;
struct udp;

/*
 * A new zone set on its way to all workers; the last worker that has taken the set hands the swap
 * back to the main thread.
 */
struct swap {
	struct dns_zoneset *set, *old;   /* old: freed when nobody uses it any more */
	uint64_t generation;
	_Atomic unsigned left;     /* workers that have not taken the new one */
};

/* A letter to a worker. */
struct post {
	struct work_job job;
	struct worker *to;
	enum { POST_SWAP, POST_SWAPPED, POST_WOKEN, POST_TUNE, POST_STOP } kind;
	struct swap *swap;
	struct msg_dns_tune tune;
	uint32_t unit;
	int ede;                   /* POST_WOKEN: below 0 the address, else a SERVFAIL's code */
};

struct worker_sockets {
	int udp[LIMIT_LISTEN], tcp[LIMIT_LISTEN];
	bool udp_wildcard[LIMIT_LISTEN];
	unsigned nudp, ntcp;
};

struct worker {
	struct server *server;
	unsigned index;
	struct event_base *base;
	const struct dns_zoneset *set;        /* NULL before the first commit */
	struct dns_reply_conf conf;
	struct msg_dns_tune tune;             /* its own copy: a reload changes it */
	struct rate *udp_wakes;               /* of all workers */
	const struct board *board;
	const struct passive *passive;        /* of all workers */
	struct board_counters *count;         /* this worker's row; nobody else writes it */
	struct hold *held;
	struct event *held_timer;
	uint64_t held_armed_ns;               /* HOLD_NEVER when it is not armed */
	struct udp *udp;
	struct tcp *tcp;

	pthread_t thread;
	struct work *mail;                    /* without a thread: it brings letters to the loop */
};

struct server {
	struct chan *chan;
	bool have_hello, have_conf, have_board, run;
	struct msg hello;
	struct msg_dns_conf conf;
	struct msg_dns_tune tune;
	struct rate udp_wakes;
	struct passive passive;
	struct worker_sockets sockets[LIMIT_WORKERS];   /* until workers have them */
	struct board board;
	struct worker *workers;
	pthread_barrier_t gate;                         /* until the process is confined */
	struct zimages zimages;
	struct dns_zoneset *set;                        /* the newest */
};

/* ---- counters: one writer, so no locked instruction ---- */

static inline void
count_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

/* How long a timer waits from now_ns until due_ns, rounded up. */
static inline struct timeval
wait_until(uint64_t due_ns, uint64_t now_ns)
{
	uint64_t us = due_ns > now_ns ? (due_ns - now_ns + 999) / 1000 : 0;

	return (struct timeval){ .tv_sec = (time_t)(us / 1000000),
		.tv_usec = (suseconds_t)(us % 1000000) };
}

/* ---- uplink.c: the channel to the warden, the swap of zone sets ---- */

/* Obeys the warden until it says MSG_RUN; `fd` is the channel. */
enum err uplink_setup(struct server *s, int fd, struct errmsg *m);

/* From now on worker 0's loop listens to the channel, which takes `fd` over. */
void uplink_open(struct server *s, int fd);

/* MSG_WAKE and MSG_ANSWERED; from any thread. */
void uplink_wake(struct worker *w, const struct hold_wake *wake);
void uplink_answered(struct worker *w, const struct hold_report *r);

/* All workers have taken the swap's set; on the main thread. */
void uplink_swapped(struct server *s, struct swap *swap);

/* ---- worker.c: one event loop and its mailbox ---- */

/* Everything a worker needs, before confinement.  `sockets` become the worker's. */
enum err worker_init(struct worker *w, const struct msg_dns_conf *conf,
    const struct worker_sockets *sockets, struct errmsg *m);
void worker_clear(struct worker *w);

/* Runs the loop until POST_STOP (or, in worker 0, until the channel is lost). */
void worker_run(struct worker *w);

/* Hands over a copy of the letter; from any thread. */
void worker_post(struct worker *w, const struct post *letter);

/* ---- held.c: does what the table of held queries (hold.h) says ---- */

void held_init(struct worker *w, uint32_t per_unit, uint32_t total);
void held_clear(struct worker *w);

/* After anything was held: arms the timer if needed. */
void held_arm(struct worker *w);

/* The unit's wake ended; `ede` as in struct post. */
void held_woken(struct worker *w, uint32_t unit, int ede);

/* ---- serve.c: what happens to one query: answer, hold, fail ---- */

enum serve {
	SERVE_REPLY,     /* `r` is the reply */
	SERVE_NOTHING,   /* no reply, ever */
	SERVE_HELD       /* the reply follows through udp_answer or tcp_answer */
};

/*
 * Deals with one query.  *now_ns is the time of its arrival, or 0: then the clock is read when the
 * time is needed, and *now_ns filled in for the rest of the batch.  May answer other held queries
 * before it returns.
 */
enum serve serve_query(struct worker *w, const uint8_t *wire, size_t len,
    const struct dns_peer *peer, uint64_t *now_ns, struct dns_reply *r);

/*
 * How a query is answered that cannot be held, or not any longer (counted): below 0 with the
 * address, since the boot goes on; with SERVFAIL and this code when it may never begin.
 */
int serve_unheld_ede(struct worker *w, uint32_t unit);

/* Builds the late reply to a held query; `ede` as in hold_ops.  False: there is none. */
bool serve_held(struct worker *w, const struct hold_query *q, int ede, struct dns_reply *r);

/* ---- udp.c ---- */

enum err udp_new(struct worker *w, const struct worker_sockets *s, struct errmsg *m);
void udp_free(struct udp *u);
/* Queues the reply to a held query; udp_flush sends. */
void udp_answer(struct udp *u, const struct hold_query *q, int ede);
void udp_flush(struct udp *u);

/* ---- tcp.c ---- */

enum err tcp_new(struct worker *w, const struct worker_sockets *s, uint32_t clients,
    uint32_t idle_ms, struct errmsg *m);
void tcp_free(struct tcp *t);
void tcp_answer(struct tcp *t, const struct hold_query *q, int ede);

#endif
