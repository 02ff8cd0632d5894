/* main: the DNS process from its start to its end: workers, threads, confinement. */
#include <errno.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "dns/dns.h"
#include "dns/server/server.h"

/* Memory, time, locks, the channel, libevent and exit are added by sandbox_filter. */
static const struct sandbox_call calls[] = {
	SANDBOX_CALL(recvmmsg, "UDP queries"),
	SANDBOX_CALL(sendmmsg, "UDP replies"),
	SANDBOX_CALL(accept4, "TCP connections"),
	SANDBOX_CALL(recvfrom, "TCP queries"),
	SANDBOX_CALL_IF(sendto, 4, 0, "TCP replies, which name no address"),
	SANDBOX_CALL_IF(fcntl, 1, F_GET_SEALS, "the seals of a handed-over zimage"),
};

static enum err
workers_init(struct server *s, struct errmsg *m)
{
	enum err e = ERR_OK;

	if (s->conf.workers > 1 && evthread_use_pthreads() != 0)
		return err_set(m, ERR_UNSUPPORTED, "libevent has no threads");
	s->workers = mem_zero(s->conf.workers, sizeof(*s->workers));
	for (uint32_t i = 0; i < s->conf.workers && e == ERR_OK; i++) {
		struct worker *w = &s->workers[i];

		*w = (struct worker){ .server = s, .index = i, .board = &s->board,
			.count = &s->board.counters[i], .set = s->set, .tune = s->tune,
			.udp_wakes = &s->udp_wakes, .passive = &s->passive };
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
 * Threads are started between the two halves of confinement: they have dropped what the process has
 * dropped, and after the filter, which covers them too, no thread or process can be made.
 */
static enum err
confine(struct server *s, struct errmsg *m)
{
	enum err e = sandbox_enter(s->hello.hello.empty_root, s->hello.hello.uid,
	    s->hello.hello.gid, m);

	if (e != ERR_OK)
		return e;
	errno = pthread_barrier_init(&s->gate, NULL, s->conf.workers);
	if (errno != 0)
		return err_sys(m, "workers: barrier");
	for (uint32_t i = 1; i < s->conf.workers; i++) {
		errno = pthread_create(&s->workers[i].thread, NULL, worker_thread, &s->workers[i]);
		if (errno != 0)
			return err_sys(m, "worker %u: thread", i);
	}
	pthread_barrier_wait(&s->gate);
	if ((e = sandbox_filter(calls, sizeof(calls) / sizeof(calls[0]), m)) != ERR_OK)
		return e;
	pthread_barrier_wait(&s->gate);
	return ERR_OK;
}

static enum err
start(struct server *s, int fd, struct errmsg *m)
{
	enum err e;

	if ((e = uplink_setup(s, fd, m)) != ERR_OK || (e = workers_init(s, m)) != ERR_OK)
		return e;
	uplink_open(s, fd);
	if ((e = confine(s, m)) != ERR_OK)
		return e;
	e = chan_send(s->chan, &(struct msg){ .type = MSG_RUNNING, .time_ns = clock_now_ns() },
	    NULL, 0);
	return e == ERR_OK ? ERR_OK : err_set(m, e, "channel: %s", err_str(e));
}

static void
stop(struct server *s)
{
	for (uint32_t i = 1; i < s->conf.workers; i++) {
		worker_post(&s->workers[i], &(struct post){ .kind = POST_STOP });
		pthread_join(s->workers[i].thread, NULL);
	}
	chan_free(s->chan);
	s->chan = NULL;
	for (uint32_t i = s->conf.workers; i-- > 0;)
		worker_clear(&s->workers[i]);
	free(s->workers);
	dns_zoneset_free(s->set);
	zimages_clear(&s->zimages);
	board_clear(&s->board);
}

int
dns_main(int fd)
{
	static struct server server;
	struct server *s = &server;
	struct errmsg m;

	board_init(&s->board);
	(void)signal(SIGPIPE, SIG_IGN);      /* fails only for a wrong number */
	(void)mallopt(M_ARENA_MAX, 1);       /* arenas of threads would need mprotect */
	if (start(s, fd, &m) != ERR_OK) {
		/* Threads may wait at the gate; nothing is worth tidying up. */
		log_err("%s", m.text);
		_exit(1);
	}
	worker_run(&s->workers[0]);
	stop(s);
	return 0;
}
