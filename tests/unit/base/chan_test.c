/*
 * chan_test: order, partial queues, descriptors, peers that talk nonsense or die, threads, the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/thread.h>

#include "base/chan.h"
#include "base/log.h"
#include "tests/unit/base/fds.h"

#define THREADS 4
#define PER_THREAD 3000

/* One loop with a channel, and what came in. */
struct end {
	struct event_base *base;
	struct chan *chan;
	uint32_t next[THREADS];    /* the number that must come next from each sender */
	unsigned got, nfds, logs;
	unsigned stop_at;          /* leave the loop after so many messages; 0 = never */
	bool free_in_message;
	char lost[128];
	unsigned nlost;
	char log_text[MSG_TEXT];
	uint32_t log_level;
};

static struct end end;
static int peer = -1;
/* to send; the pair's own ends would keep each other alive */
static int standard_error = STDERR_FILENO;
static unsigned fds_before;

static void
on_msg(struct chan *c, const struct msg *m, int *fds, unsigned nfds, void *arg)
{
	struct end *e = arg;

	e->got++;
	e->nfds += nfds;
	for (unsigned i = 0; i < nfds; i++)
		assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
	chan_close_fds(fds, nfds);
	if (m->type == MSG_UNPROBE) {
		uint32_t sender = m->unit >> 24;

		assert_true(sender < THREADS);
		assert_int_equal(m->unit & 0xffffff, e->next[sender]);
		e->next[sender]++;
	}
	if (m->type == MSG_LOG) {
		e->logs++;
		e->log_level = m->log.level;
		memcpy(e->log_text, m->log.text, sizeof(e->log_text));
	}
	if (e->free_in_message) {
		chan_free(c);
		e->chan = NULL;
	}
	if (e->stop_at != 0 && e->got >= e->stop_at)
		event_base_loopbreak(e->base);
}

static void
on_lost(struct chan *c, const char *why, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->chan);
	snprintf(e->lost, sizeof(e->lost), "%s", why);
	e->nlost++;
	chan_free(c);
	e->chan = NULL;
	event_base_loopbreak(e->base);
}

static int
setup(void **state)
{
	int fds[2];

	(void)state;
	memset(&end, 0, sizeof(end));
	fds_before = fds_open();
	end.base = event_base_new();
	if (end.base == NULL || chan_pair(fds, NULL) != ERR_OK)
		return -1;
	peer = fds[1];
	end.chan = chan_new(end.base, fds[0], on_msg, on_lost, &end);
	return end.chan == NULL ? -1 : 0;
}

/* Every test ends with as many open descriptors as it began with. */
static int
teardown(void **state)
{
	(void)state;
	chan_free(end.chan);
	if (peer >= 0)
		close(peer);
	event_base_free(end.base);
	return fds_open() == fds_before ? 0 : -1;
}

static void
turn(void)
{
	assert_true(event_base_loop(end.base, EVLOOP_NONBLOCK) >= 0);
}

static struct msg
numbered(uint32_t sender, uint32_t n)
{
	struct msg m = { .type = MSG_UNPROBE, .unit = sender << 24 | n };

	return m;
}

/* What the peer's end of the pair receives; false when there is nothing. */
static bool
peer_hears(struct msg *m, unsigned *nfds)
{
	int fds[LIMIT_MSG_FDS];
	struct errmsg why;
	char byte;

	if (recv(peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		return false;
	assert_int_equal(chan_recv_blocking(peer, m, fds, nfds, &why), ERR_OK);
	chan_close_fds(fds, *nfds);
	return true;
}

static void
test_pair(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(chan_pair(fds, NULL), ERR_OK);
	for (int i = 0; i < 2; i++) {
		assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
		assert_true((fcntl(fds[i], F_GETFL) & O_NONBLOCK) != 0);
		close(fds[i]);
	}
}

static void
test_round_trip(void **state)
{
	struct msg m = { .type = MSG_PROBE, .unit = 99, .time_ns = 12345 }, got;
	int nine[9];
	unsigned nfds;

	(void)state;
	m.probe.port = 443;
	for (int i = 0; i < 9; i++)
		nine[i] = peer;
	assert_int_equal(chan_send(end.chan, &m, nine, 9), ERR_OK);
	/* they stay the caller's */
	assert_int_equal(fcntl(peer, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_true(peer_hears(&got, &nfds));
	assert_int_equal(nfds, 9);
	m.version = MSG_VERSION;
	assert_memory_equal(&got, &m, sizeof(m));
	/* And the other way. */
	assert_int_equal(chan_send_blocking(peer, &m, nine, 9, NULL), ERR_OK);
	turn();
	assert_int_equal(end.got, 1);
	assert_int_equal(end.nfds, 9);
}

/*
 * More than the socket takes: queued, and sent in order when the reader has room; the descriptors
 * were duplicated.
 */
static void
test_partial_queue(void **state)
{
	enum { N = 2000 };
	struct msg m;
	unsigned nfds, total_fds = 0;
	uint32_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		int fd = dup(peer);

		assert_true(fd >= 0);
		m = numbered(0, i);
		assert_int_equal(
		    chan_send(end.chan, &m, i % 10 == 0 ? &fd : NULL, i % 10 == 0), ERR_OK);
		close(fd);
	}
	for (int rounds = 0; rounds < 10000 && n < N; rounds++) {
		for (int k = 0; k < 7 && peer_hears(&m, &nfds); k++) {
			assert_int_equal(m.unit, n);
			assert_int_equal(nfds, n % 10 == 0 ? 1 : 0);
			total_fds += nfds;
			n++;
		}
		turn();
	}
	assert_int_equal(n, N);
	assert_int_equal(total_fds, N / 10);
	turn();
	/* Nothing is queued: write interest is off, so a turn finds nothing to do. */
	assert_int_equal(event_base_get_num_events(end.base, EVENT_BASE_COUNT_ADDED), 1);
}

/* A reader that hangs is found out, and what is queued for it does not leak. */
static void
test_queue_limit(void **state)
{
	struct msg m = { .type = MSG_UNPROBE };
	unsigned sent = 0;
	enum err e;

	(void)state;
	while ((e = chan_send(end.chan, &m, sent % 100 == 0 ? &standard_error : NULL,
		    sent % 100 == 0)) == ERR_OK)
		assert_true(++sent < 100000);
	assert_int_equal(e, ERR_LIMIT);
	assert_in_range(sent, LIMIT_CHAN_QUEUE, LIMIT_CHAN_QUEUE + 10000);
	assert_int_equal(chan_send(end.chan, &m, NULL, 0), ERR_LIMIT);
	assert_true(fds_open() > fds_before + 20);
	chan_free(end.chan);   /* teardown counts the descriptors */
	end.chan = NULL;
}

static void
test_too_many_fds(void **state)
{
	struct msg m = { .type = MSG_UNPROBE };
	int many[LIMIT_MSG_FDS + 1];

	(void)state;
	for (size_t i = 0; i <= LIMIT_MSG_FDS; i++)
		many[i] = peer;
	assert_int_equal(chan_send(end.chan, &m, many, LIMIT_MSG_FDS + 1), ERR_LIMIT);
	assert_int_equal(chan_send(end.chan, &m, many, LIMIT_MSG_FDS), ERR_OK);
}

/* Raw bytes with descriptors from a peer that does not use our code. */
static void
raw_send(const void *bytes, size_t len, unsigned nfds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(100 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[100];

	for (unsigned i = 0; i < nfds; i++)
		fds[i] = peer;
	if (nfds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		hdr.msg_control = control.buf;
		hdr.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&hdr);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	assert_int_equal(sendmsg(peer, &hdr, 0), (ssize_t)len);
}

/* Each kind of nonsense closes the channel with its reason, delivers nothing, and leaks nothing. */
static void
check_nonsense(size_t len, uint16_t version, uint16_t type, unsigned nfds, const char *why)
{
	struct {
		struct msg m;
		char more[64];
	} raw;

	memset(&raw, 0, sizeof(raw));
	raw.m.version = version;
	raw.m.type = type;
	raw_send(&raw, len, nfds);
	turn();
	assert_int_equal(end.got, 0);
	assert_int_equal(end.nlost, 1);
	assert_non_null(strstr(end.lost, why));
}

static void
test_short(void **state)
{
	(void)state;
	check_nonsense(sizeof(struct msg) - 1, MSG_VERSION, MSG_RUNNING, 3, "size");
}

static void
test_long(void **state)
{
	(void)state;
	check_nonsense(sizeof(struct msg) + 1, MSG_VERSION, MSG_RUNNING, 3, "size");
}

static void
test_version(void **state)
{
	(void)state;
	check_nonsense(sizeof(struct msg), MSG_VERSION + 1, MSG_RUNNING, 3, "version");
}

static void
test_type_zero(void **state)
{
	(void)state;
	check_nonsense(sizeof(struct msg), MSG_VERSION, 0, 3, "type");
}

static void
test_type_unknown(void **state)
{
	(void)state;
	check_nonsense(sizeof(struct msg), MSG_VERSION, MSG_TYPE_COUNT, 3, "type");
}

static void
test_fd_flood(void **state)
{
	(void)state;
	check_nonsense(
	    sizeof(struct msg), MSG_VERSION, MSG_RUNNING, LIMIT_MSG_FDS + 1, "descriptors");
}

/*
 * A message before the end is delivered before the end is told; a send to a dead peer is an error
 * and no signal.
 */
static void
test_peer_death(void **state)
{
	struct msg m = numbered(0, 0);

	(void)state;
	assert_int_equal(chan_send_blocking(peer, &m, NULL, 0, NULL), ERR_OK);
	close(peer);
	peer = -1;
	assert_int_equal(chan_send(end.chan, &m, NULL, 0), ERR_IO);
	turn();
	assert_int_equal(end.got, 1);
	assert_int_equal(end.nlost, 1);
	assert_string_equal(end.lost, "closed");
}

/*
 * The peer dies with a message unread, which the kernel reports as a reset: no violation of the
 * protocol.
 */
static void
test_peer_death_unread(void **state)
{
	struct msg m = numbered(0, 0);

	(void)state;
	assert_int_equal(chan_send(end.chan, &m, NULL, 0), ERR_OK);
	close(peer);
	peer = -1;
	turn();
	assert_int_equal(end.nlost, 1);
	assert_string_equal(end.lost, "closed");
}

/* The peer dies while messages are queued for it. */
static void
test_peer_death_with_queue(void **state)
{
	struct msg m = { .type = MSG_UNPROBE };

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(
		    chan_send(end.chan, &m, i % 50 == 0 ? &standard_error : NULL, i % 50 == 0),
		    ERR_OK);
	close(peer);
	peer = -1;
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(end.nlost, 1);
}

static void
test_free_in_message(void **state)
{
	struct msg m = numbered(0, 0);

	(void)state;
	end.free_in_message = true;
	for (int i = 0; i < 5; i++)
		assert_int_equal(chan_send_blocking(peer, &m, &peer, 1, NULL), ERR_OK);
	turn();
	turn();
	assert_int_equal(end.got, 1);
	assert_int_equal(end.nlost, 0);
}

static void *
sender(void *arg)
{
	uint32_t number = (uint32_t)(uintptr_t)arg;
	uint32_t n = 0;

	while (n < PER_THREAD) {
		struct msg m = numbered(number, n);
		enum err e = chan_send(end.chan, &m, NULL, 0);

		if (e == ERR_OK)
			n++;
		else if (e != ERR_LIMIT)
			return (void *)(uintptr_t)e;
	}
	return NULL;
}

/* The reading end of the pair, with a loop of its own. */
static struct end other;

static void *
reader(void *arg)
{
	(void)arg;
	(void)event_base_dispatch(other.base);   /* its result is looked at through other.got */
	return NULL;
}

/*
 * Several threads send while the loop empties the queue: nothing is lost, and each thread's order
 * is kept.
 */
static void
test_threads(void **state)
{
	pthread_t threads[THREADS], reading;
	bool all = false;

	(void)state;
	memset(&other, 0, sizeof(other));
	other.base = event_base_new();
	assert_non_null(other.base);
	other.stop_at = THREADS * PER_THREAD;
	other.chan = chan_new(other.base, peer, on_msg, on_lost, &other);
	peer = -1;
	assert_non_null(other.chan);
	assert_int_equal(pthread_create(&reading, NULL, reader, NULL), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sender, (void *)i), 0);
	while (!all) {
		struct timeval tick = { .tv_usec = 10000 };

		assert_int_equal(event_base_loopexit(end.base, &tick), 0);
		assert_true(event_base_dispatch(end.base) >= 0);
		all = pthread_tryjoin_np(reading, NULL) == 0;
	}
	for (int i = 0; i < THREADS; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
		assert_int_equal(other.next[i], PER_THREAD);
	}
	assert_int_equal(other.got, THREADS * PER_THREAD);
	chan_free(other.chan);
	event_base_free(other.base);
}

static void
test_blocking(void **state)
{
	struct msg m = numbered(0, 7);
	int fds[LIMIT_MSG_FDS];
	struct errmsg why;
	unsigned nfds;

	(void)state;
	assert_int_equal(chan_send(end.chan, &m, &peer, 1), ERR_OK);
	assert_int_equal(chan_recv_blocking(peer, &m, fds, &nfds, &why), ERR_OK);
	assert_int_equal(m.unit, 7);
	assert_int_equal(nfds, 1);
	chan_close_fds(fds, nfds);
	assert_int_equal(fds[0], -1);
	chan_free(end.chan);
	end.chan = NULL;
	assert_int_equal(chan_recv_blocking(peer, &m, fds, &nfds, &why), ERR_IO);
	assert_int_equal(nfds, 0);
	assert_non_null(strstr(why.text, "closed"));
	assert_int_equal(chan_send_blocking(peer, &m, NULL, 0, &why), ERR_IO);
}

/*
 * The log of a confined process goes to its peer; after the channel is gone nothing happens, and
 * nothing breaks.
 */
static void
test_log(void **state)
{
	char longer[3000];
	struct msg m;
	unsigned nfds;

	(void)state;
	log_init("test", 1, LOG_L_INFO);
	chan_log(end.chan);
	log_warn("%s is %d\n", "answer", 42);
	assert_true(peer_hears(&m, &nfds));
	assert_int_equal(m.type, MSG_LOG);
	assert_int_equal(m.log.level, LOG_L_WARN);
	assert_string_equal(m.log.text, "answer is 42?");
	log_debug("too much");
	assert_false(peer_hears(&m, &nfds));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_err("%s", longer);
	assert_true(peer_hears(&m, &nfds));
	assert_int_equal(strlen(m.log.text), MSG_TEXT - 1);
	chan_free(end.chan);
	end.chan = NULL;
	log_err("nobody hears this");
	log_divert(NULL);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_pair),
		T(test_round_trip),
		T(test_partial_queue),
		T(test_queue_limit),
		T(test_too_many_fds),
		T(test_short),
		T(test_long),
		T(test_version),
		T(test_type_zero),
		T(test_type_unknown),
		T(test_fd_flood),
		T(test_peer_death),
		T(test_peer_death_unread),
		T(test_peer_death_with_queue),
		T(test_free_in_message),
		T(test_threads),
		T(test_blocking),
		T(test_log),
	};

	if (evthread_use_pthreads() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
