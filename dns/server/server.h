/*
 * server: the parts of the DNS process among themselves; nothing outside dns/ includes this.
 *
 * server.c   set-up, the channel to the warden, the swap of zone sets
 * images.c   zone images that came, and sets of zones made from them
 * worker.c   one event loop: its mailbox, its held queries' timer
 * serve.c    what happens to one query: answer, hold, fail
 * udp.c, tcp.c   transports
 * hold.c     the table of held queries
 * confine.c  the system calls that are left
 *
 * Every worker has its own loop, sockets, held queries and pointer to the zone set; nothing is locked per query.  Worker 0 is the main thread, which has
 * the channel.  The others hear from it through their mailboxes, and it from them through its own.
 */
#ifndef DNS_SERVER_SERVER_H
#define DNS_SERVER_SERVER_H

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/board.h"
#include "base/chan.h"
#include "base/limits.h"
#include "dns/answer/answer.h"
#include "dns/server/cookie.h"
#include "dns/server/hold.h"
#include "dns/server/proxy.h"
#include "dns/server/rate.h"

struct server;
struct tcp;
struct udp;

/* A new zone set on its way to all workers; the last one that has taken it hands it back to the main thread. */
struct swap {
	struct dns_zoneset *set;   /* the new one */
	struct dns_zoneset *old;   /* freed when nobody uses it any more */
	uint64_t generation;
	_Atomic unsigned left;     /* workers that have not taken it */
};

/* What a reload may change (MSG_DNS_TUNE); every worker has its own copy. */
struct server_tune {
	struct dns_cookie_secrets cookies;
	struct proxy_list proxies;
};

/* A letter to a worker. */
struct post {
	STAILQ_ENTRY(post) next;
	enum { POST_SWAP, POST_SWAPPED, POST_WOKEN, POST_TUNE, POST_STOP } kind;
	struct swap *swap;
	struct server_tune tune;
	uint32_t unit;
	int ede;                   /* POST_WOKEN: below 0 the address, else SERVFAIL with this code */
};

STAILQ_HEAD(post_list, post);

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
	struct server_tune tune;
	struct rate *udp_wakes;               /* of all workers */
	const struct board *board;
	struct board_counters *count;         /* this worker's row; nobody else writes it */
	struct hold *held;
	struct event *held_timer;
	uint64_t held_armed_ns;               /* HOLD_NEVER when it is not armed */
	struct udp *udp;
	struct tcp *tcp;

	pthread_t thread;
	bool has_thread;
	pthread_mutex_t mail_lock;
	struct post_list mail;
	int mail_fd;                          /* eventfd */
	struct event *mail_event;
};

struct server_conf {
	uint32_t workers, held_per_unit, held_total, tcp_clients, tcp_idle_ms;
	uint16_t udp_payload;
	char nsid[64];
};

/* ---- counters: one writer, so no locked instruction ---- */

static inline void
count_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

/* ---- worker.c ---- */

/* Everything a worker needs, before confinement.  `sockets` become the worker's. */
enum err worker_init(struct worker *w, const struct server_conf *conf, const struct worker_sockets *sockets, struct errmsg *m);
void worker_clear(struct worker *w);

/* Runs the loop until POST_STOP (or, in worker 0, until the server breaks it). */
void worker_run(struct worker *w);

/* Hands over a letter made with malloc; from any thread. */
void worker_post(struct worker *w, struct post *p);

/* The letters that concern a worker itself; also called directly by the main thread for worker 0. */
void worker_woken(struct worker *w, uint32_t unit, int ede);

/* After anything was held: arms the timer if needed. */
void worker_held_arm(struct worker *w);

/* ---- serve.c ---- */

enum serve {
	SERVE_REPLY,     /* `r` is the reply */
	SERVE_NOTHING,   /* no reply, ever */
	SERVE_HELD       /* worker's answer follows through udp_answer or tcp_answer */
};

/*
 * Deals with one query.  *now_ns is the time of its arrival, or 0: then the clock is read when it is needed, and *now_ns filled in for the
 * rest of the batch.  May answer other held queries before it returns.
 */
enum serve serve_query(struct worker *w, const uint8_t *wire, size_t len, const struct dns_peer *peer, uint64_t *now_ns,
    struct dns_reply *r);

/*
 * How a query is answered that cannot be held, or not any longer (counted): below 0 with the address,
 * since the boot goes on; with SERVFAIL and this code when it may never begin.
 */
int serve_unheld_ede(struct worker *w, uint32_t unit);

/* Builds the late reply to a held query; `ede` as in hold_ops.  False: there is none. */
bool serve_held(struct worker *w, const struct hold_query *q, int ede, struct dns_reply *r);

/* The code and its fixed phrase; `ede` as the warden says (base/msg.h). */
struct dns_ede serve_ede(int ede);

/* ---- udp.c ---- */

enum err udp_new(struct worker *w, const struct worker_sockets *s, struct udp **udp, struct errmsg *m);
void udp_free(struct udp *u);   /* NULL is allowed */
/* Queues the reply to a held query; udp_flush sends. */
void udp_answer(struct udp *u, const struct hold_query *q, int ede);
void udp_flush(struct udp *u);

/* ---- tcp.c ---- */

enum err tcp_new(struct worker *w, const struct worker_sockets *s, uint32_t clients, uint32_t idle_ms, struct tcp **tcp,
    struct errmsg *m);
void tcp_free(struct tcp *t);   /* NULL is allowed */
void tcp_answer(struct tcp *t, const struct hold_query *q, int ede);

/* ---- confine.c ---- */

enum err confine_dns(struct errmsg *m);

/* ---- server.c: what workers ask of it ---- */

/* MSG_WAKE and MSG_ANSWERED; from any thread. */
void server_wake(struct worker *w, const struct hold_wake *wake);
void server_report(struct worker *w, const struct hold_report *r);
/* All workers have taken `s`; on the main thread. */
void server_swapped(struct server *s, struct swap *swap);

#endif
