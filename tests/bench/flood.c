/*
 * flood: a DNS load that is cheap to make: the queries are built beforehand, UDP goes in batches,
 * and a window keeps the server busy without overrunning its queue.  It never sleeps, so that the
 * server never pays for waking it.
 *
 *   flood [-s SERVER] [-p PORT] [-c CPU] [-d MILLISECONDS] [-w WINDOW] [-t CONNECTIONS] [-r QPS]
 *         [-o] PREFIX COUNT ZONE
 *       asks for A of PREFIX0.ZONE to PREFIX(COUNT-1).ZONE in random order, again and again; -o:
 *       with EDNS and DO.
 *       -w: queries on the way at once, with -t on each connection; -t: over TCP, each query a
 *       write of its own; -r: no faster than that.
 *       Prints SENT ANSWERED GOOD SECONDS; GOOD answers are NOERROR and have a record.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ll
#define NS_PER_MS 1000000ll
#define BATCH 32
#define QUERY_SLOT 128         /* length, header, name, question, OPT */
#define ANSWER_MAX 4096
#define CONNECTIONS_MAX 256
#define CHUNK 65536
#define RECEIVE_BYTES (16 << 20)
/* Nothing came for so long: what is on the way is lost, and the window opens again. */
#define LOST_NS (200 * NS_PER_MS)

struct conn {
	int fd;
	unsigned waiting;
	size_t len;
	uint8_t in[CHUNK + ANSWER_MAX];
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static uint8_t *queries;       /* QUERY_SLOT bytes each, in the order in which they are sent */
static size_t nqueries, next_query;
static uint64_t sent, answered, good, forgotten;
static unsigned window = 128, connections;
static uint64_t qps;
static int64_t run_ns = NS_PER_S, start_ns;
static bool dnssec;

static int64_t
now_ns(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		err(1, "clock_gettime");
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ---- queries ---- */

static uint64_t
random_next(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;   /* the same order every time */

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Two bytes of length, as TCP wants it, and a query for A IN of PREFIX%u.ZONE. */
static void
query_build(uint8_t slot[QUERY_SLOT], uint16_t id, const char *prefix, unsigned number,
    const char *zone)
{
	static const uint8_t opt[11] = { 0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0 };
	char text[QUERY_SLOT];
	const char *name = text;
	uint8_t *m = slot + 2;
	size_t at = 12;

	if (snprintf(text, sizeof(text), "%s%u.%s", prefix, number, zone) > QUERY_SLOT - 40)
		errx(2, "%s%u.%s: too long", prefix, number, zone);
	memset(slot, 0, QUERY_SLOT);
	m[0] = (uint8_t)(id >> 8);
	m[1] = (uint8_t)id;
	m[5] = 1;
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		if (n == 0 || n > 63)
			errx(2, "%s: not a domain name", text);
		m[at++] = (uint8_t)n;
		memcpy(m + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	m[at + 2] = 1;
	m[at + 4] = 1;
	at += 5;
	if (dnssec) {
		m[11] = 1;
		memcpy(m + at, opt, sizeof(opt));
		at += sizeof(opt);
	}
	slot[1] = (uint8_t)at;
}

static void
queries_build(const char *prefix, const char *zone)
{
	uint32_t *order = calloc(nqueries, sizeof(*order));

	queries = calloc(nqueries, QUERY_SLOT);
	if (order == NULL || queries == NULL)
		errx(1, "%zu queries: out of memory", nqueries);
	for (size_t i = 0; i < nqueries; i++) {
		size_t j = random_next() % (i + 1);

		order[i] = order[j];
		order[j] = (uint32_t)i;
	}
	for (size_t i = 0; i < nqueries; i++)
		query_build(queries + i * QUERY_SLOT, (uint16_t)i, prefix, order[i], zone);
	free(order);
}

static uint8_t *
query_next(void)
{
	uint8_t *q = queries + next_query * QUERY_SLOT;

	next_query = next_query + 1 == nqueries ? 0 : next_query + 1;
	return q;
}

static void
answer_count(const uint8_t *m, size_t len)
{
	answered++;
	if (len >= 12 && (m[3] & 0x0f) == 0 && (m[6] | m[7]) != 0)
		good++;
}

/* How many queries may leave now. */
static unsigned
allowed(uint64_t waiting, unsigned most)
{
	uint64_t n = waiting < most ? most - waiting : 0;

	if (qps > 0) {
		uint64_t due = (uint64_t)(now_ns() - start_ns) * qps / NS_PER_S;

		n = due > sent && n > 0 ? (due - sent < n ? due - sent : n) : 0;
	}
	return (unsigned)(n < BATCH ? n : BATCH);
}

/* ---- UDP ---- */

static int
udp_open(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = RECEIVE_BYTES;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0 ||
	    connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0)
		err(1, "socket");
	return fd;
}

static void
udp_send(int fd, unsigned n)
{
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	int done;

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < n; i++) {
		uint8_t *q = query_next();

		iov[i] = (struct iovec){ q + 2, q[1] };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	done = sendmmsg(fd, m, n, 0);
	if (done < 0 && errno != ECONNREFUSED)
		err(1, "sendmmsg");
	sent += done > 0 ? (unsigned)done : 0;
}

static int
udp_receive(int fd)
{
	static uint8_t buf[BATCH][ANSWER_MAX];
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	int n;

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ buf[i], ANSWER_MAX };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		answer_count(buf[i], m[i].msg_len);
	return n;
}

static void
udp_run(void)
{
	int fd = udp_open();
	int64_t now, last = start_ns;

	while ((now = now_ns()) < start_ns + run_ns) {
		unsigned n = allowed(sent - answered - forgotten, window);

		if (n > 0)
			udp_send(fd, n);
		if (udp_receive(fd) > 0)
			last = now;
		else if (now - last > LOST_NS && sent > answered + forgotten) {
			forgotten = sent - answered;
			last = now;
		}
	}
	for (last = now_ns(); answered < sent && now_ns() - last < NS_PER_S;)
		if (udp_receive(fd) > 0)
			last = now_ns();
	close(fd);
}

/* ---- TCP ---- */

static void
conn_open(struct conn *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&server, sizeof(server)) != 0 ||
	    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0)
		err(1, "connection");
}

static void
conn_turn(struct conn *c)
{
	ssize_t got = recv(c->fd, c->in + c->len, CHUNK, MSG_DONTWAIT);
	size_t at = 0;

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		errx(1, "the server closed a connection");
	c->len += got > 0 ? (size_t)got : 0;
	while (c->len - at >= 2 && c->len - at - 2 >= (size_t)(c->in[at] << 8 | c->in[at + 1])) {
		size_t n = (size_t)(c->in[at] << 8 | c->in[at + 1]);

		answer_count(c->in + at + 2, n);
		c->waiting--;
		at += 2 + n;
	}
	memmove(c->in, c->in + at, c->len - at);
	c->len -= at;
	if (c->len > ANSWER_MAX)
		errx(1, "an answer of more than %d bytes", ANSWER_MAX);
}

static void
tcp_run(void)
{
	struct conn *conns = calloc(connections, sizeof(*conns));
	int64_t end;

	if (conns == NULL)
		errx(1, "out of memory");
	/* May take seconds, where few connections wait to be accepted. */
	for (unsigned i = 0; i < connections; i++)
		conn_open(&conns[i]);
	start_ns = now_ns();
	end = start_ns + run_ns;
	for (int64_t now = start_ns; now < end || (answered < sent && now < end + NS_PER_S);
	    now = now_ns()) {
		for (unsigned i = 0; i < connections; i++) {
			struct conn *c = &conns[i];

			if (c->waiting > 0)
				conn_turn(c);
			for (unsigned n = now < end ? allowed(c->waiting, window) : 0; n > 0; n--) {
				uint8_t *q = query_next();

				if (send(c->fd, q, 2u + q[1], MSG_NOSIGNAL) != 2 + q[1])
					err(1, "send");
				c->waiting++;
				sent++;
			}
		}
	}
	for (unsigned i = 0; i < connections; i++)
		close(conns[i].fd);
	free(conns);
}

/* ---- */

static unsigned
number(const char *text, unsigned least, unsigned most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < least || n > most)
		errx(2, "%s: a number from %u to %u", text, least, most);
	return (unsigned)n;
}

static void
pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		err(1, "processor %u", cpu);
}

int
main(int argc, char **argv)
{
	int o;

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons(53);
	while ((o = getopt(argc, argv, "s:p:c:d:w:t:r:o")) != -1) {
		if (o == 's' && inet_pton(AF_INET, optarg, &server.sin_addr) != 1)
			errx(2, "%s: not an IPv4 address", optarg);
		else if (o == 'p')
			server.sin_port = htons((uint16_t)number(optarg, 1, 65535));
		else if (o == 'c')
			pin(number(optarg, 0, CPU_SETSIZE - 1));
		else if (o == 'd')
			run_ns = number(optarg, 1, 3600000) * NS_PER_MS;
		else if (o == 'w')
			window = number(optarg, 1, 100000);
		else if (o == 't')
			connections = number(optarg, 1, CONNECTIONS_MAX);
		else if (o == 'r')
			qps = number(optarg, 1, 100000000);
		else if (o == 'o')
			dnssec = true;
		else if (o == '?')
			return 2;
	}
	if (argc - optind != 3)
		errx(2, "usage: flood [-s SERVER] [-p PORT] [-c CPU] [-d MILLISECONDS] [-w WINDOW] "
		    "[-t CONNECTIONS] [-r QPS] [-o] PREFIX COUNT ZONE");
	nqueries = number(argv[optind + 1], 1, 100000000);
	queries_build(argv[optind], argv[optind + 2]);
	start_ns = now_ns();
	if (connections > 0)
		tcp_run();
	else
		udp_run();
	printf("%llu %llu %llu %.3f\n", (unsigned long long)sent, (unsigned long long)answered,
	    (unsigned long long)good, (double)run_ns / (double)NS_PER_S);
	return 0;
}
