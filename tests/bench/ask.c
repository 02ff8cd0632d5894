/*
 * ask: a DNS client that measures.  Times are from the call that sends to the kernel's receive
 * timestamp, so that a client that waits for a processor does not count against the server.
 *
 *   ask [-s SERVER] [-p PORT] [-w SECONDS] [-n TIMES] NAME...
 *       asks for A of each name TIMES times, all at once, each query from a socket of its own.
 *       Prints per query: NAME MICROSECONDS RCODE ANSWERS; MICROSECONDS is "-" when no answer came.
 *   ask [-s SERVER] [-p PORT] [-w SECONDS] -r QPS -d MILLISECONDS NAME
 *       asks at a steady pace.  Prints per query: SENT_NS MICROSECONDS (CLOCK_MONOTONIC when sent;
 *       "-" when no answer came).
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ll
#define QUERY_MAX 300
#define ID_MASK 0xffff

struct query {
	const char *name;
	int fd;
	int64_t sent_ns;       /* CLOCK_REALTIME, as the receive timestamps */
	int64_t sent_mono_ns;
	int64_t took_ns;       /* -1: no answer */
	int rcode;
	int answers;
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static int64_t wait_ns = 10 * NS_PER_S;

static int64_t
now_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) != 0)
		err(1, "clock_gettime");
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* A query for A IN, recursion not desired. */
static size_t
query_build(uint8_t buf[QUERY_MAX], uint16_t id, const char *name)
{
	size_t at = 12;

	memset(buf, 0, QUERY_MAX);
	buf[0] = (uint8_t)(id >> 8);
	buf[1] = (uint8_t)id;
	buf[5] = 1;
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		if (n == 0 || n > 63 || at + n + 1 > QUERY_MAX - 5)
			errx(2, "%s: not a domain name", name);
		buf[at++] = (uint8_t)n;
		memcpy(buf + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	at++;
	buf[at + 1] = 1;
	buf[at + 3] = 1;
	return at + 4;
}

static int
socket_open(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) != 0 ||
	    connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0)
		err(1, "socket");
	return fd;
}

static void
query_send(struct query *q, uint16_t id)
{
	uint8_t buf[QUERY_MAX];
	size_t len = query_build(buf, id, q->name);

	q->took_ns = -1;
	q->sent_mono_ns = now_ns(CLOCK_MONOTONIC);
	q->sent_ns = now_ns(CLOCK_REALTIME);
	if (send(q->fd, buf, len, 0) != (ssize_t)len && errno != ECONNREFUSED)
		err(1, "send");
}

/*
 * One datagram, without waiting.  Returns its id, or -1 when there is none; *at_ns: when the kernel
 * had it.
 */
static int
answer_read(int fd, int64_t *at_ns, int *rcode, int *answers)
{
	uint8_t buf[4096], control[256];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &mh, MSG_DONTWAIT);

	if (n < 12)
		return -1;
	*at_ns = now_ns(CLOCK_REALTIME);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c != NULL; c = CMSG_NXTHDR(&mh, c)) {
		struct timespec ts;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		*at_ns = (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
	}
	*rcode = buf[3] & 0xf;
	*answers = buf[6] << 8 | buf[7];
	return buf[0] << 8 | buf[1];
}

static bool
query_answered(struct query *q, uint16_t id)
{
	int64_t at;
	int got;

	while ((got = answer_read(q->fd, &at, &q->rcode, &q->answers)) >= 0)
		if (got == id) {
			q->took_ns = at - q->sent_ns;
			return true;
		}
	return false;
}

/* ---- all at once ---- */

static void
print_all(const struct query *q, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (q[i].took_ns < 0)
			printf("%s - - -\n", q[i].name);
		else
			printf("%s %.1f %d %d\n", q[i].name, (double)q[i].took_ns / 1000,
			    q[i].rcode, q[i].answers);
	}
}

static void
burst(char **names, int nnames, int times)
{
	size_t n = (size_t)nnames * (size_t)times, open = n;
	struct query *q = calloc(n, sizeof(*q));
	struct pollfd *p = calloc(n, sizeof(*p));
	int64_t end;

	if (q == NULL || p == NULL)
		err(1, "%zu queries", n);
	for (size_t i = 0; i < n; i++) {
		q[i].name = names[i % (size_t)nnames];
		q[i].fd = p[i].fd = socket_open();
		p[i].events = POLLIN;
	}
	for (size_t i = 0; i < n; i++)
		query_send(&q[i], (uint16_t)(i + 1));
	end = now_ns(CLOCK_MONOTONIC) + wait_ns;
	while (open > 0) {
		int64_t left = end - now_ns(CLOCK_MONOTONIC);

		if (left <= 0 || (poll(p, n, (int)(left / 1000000) + 1) < 0 && errno != EINTR))
			break;
		for (size_t i = 0; i < n; i++)
			if (p[i].fd >= 0 && p[i].revents != 0 &&
			    query_answered(&q[i], (uint16_t)(i + 1))) {
				p[i].fd = -1;
				open--;
			}
	}
	print_all(q, n);
	free(q);
	free(p);
}

/* ---- at a steady pace ---- */

static void
pace_drain(struct query *q, size_t sent, int fd)
{
	int64_t at;
	int id, rcode, answers;

	while ((id = answer_read(fd, &at, &rcode, &answers)) >= 0) {
		/* The last query with this id. */
		size_t i = (sent - 1) - ((sent - 1 - (size_t)id) & ID_MASK);

		if (i < sent && q[i].took_ns < 0)
			q[i].took_ns = at - q[i].sent_ns;
	}
}

static void
pace(const char *name, int qps, int duration_ms)
{
	size_t n = (size_t)qps * (size_t)duration_ms / 1000, sent = 0;
	struct query *q = calloc(n, sizeof(*q));
	int64_t start = now_ns(CLOCK_MONOTONIC),
	    end = start + (int64_t)duration_ms * 1000000 + wait_ns;
	int fd = socket_open();
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (q == NULL)
		err(1, "%zu queries", n);
	for (;;) {
		int64_t now = now_ns(CLOCK_MONOTONIC), due, left;
		struct timespec ts;

		while (sent < n && now >= start + (int64_t)sent * NS_PER_S / qps) {
			q[sent] = (struct query){ .name = name, .fd = fd };
			query_send(&q[sent], (uint16_t)(sent & ID_MASK));
			sent++;
		}
		if (sent > 0)
			pace_drain(q, sent, fd);
		due = sent < n ? start + (int64_t)sent * NS_PER_S / qps : end;
		left = due - now_ns(CLOCK_MONOTONIC);
		if (sent == n && (left <= 0 || q[n - 1].took_ns >= 0))
			break;
		ts = (struct timespec){ .tv_sec = left > 0 ? left / NS_PER_S : 0,
		    .tv_nsec = left > 0 ? left % NS_PER_S : 0 };
		if (ppoll(&p, 1, &ts, NULL) < 0 && errno != EINTR)
			err(1, "ppoll");
	}
	for (size_t i = 0; i < n; i++) {
		if (q[i].took_ns < 0)
			printf("%lld -\n", (long long)q[i].sent_mono_ns);
		else
			printf("%lld %.1f\n", (long long)q[i].sent_mono_ns,
			    (double)q[i].took_ns / 1000);
	}
	close(fd);
	free(q);
}

int
main(int argc, char **argv)
{
	struct rlimit files = { 4096, 4096 };
	int opt, times = 1, qps = 0, duration_ms = 1000;
	const char *address = "10.77.0.1";

	server.sin_port = htons(5300);
	while ((opt = getopt(argc, argv, "s:p:w:n:r:d:")) != -1) {
		switch (opt) {
		case 's': address = optarg; break;
		case 'p': server.sin_port = htons((uint16_t)atoi(optarg)); break;
		case 'w': wait_ns = atoi(optarg) * NS_PER_S; break;
		case 'n': times = atoi(optarg); break;
		case 'r': qps = atoi(optarg); break;
		case 'd': duration_ms = atoi(optarg); break;
		default: argc = optind;     /* prints the usage below */
		}
	}
	if (optind >= argc || times < 1 || qps < 0 ||
	    inet_pton(AF_INET, address, &server.sin_addr) != 1)
		errx(2, "usage: ask [-s SERVER] [-p PORT] [-w SECONDS] "
		    "[-n TIMES | -r QPS -d MILLISECONDS] NAME...");
	/* Without it the limit that is there holds. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (qps > 0)
		pace(argv[optind], qps, duration_ms);
	else
		burst(argv + optind, argc - optind, times);
	return 0;
}
