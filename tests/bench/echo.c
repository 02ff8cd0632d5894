/*
 * echo: the least that a server can do with DNS messages: reads and writes as jitsud does them, in
 * batches and chunks of the same sizes, and sends back what came with QR set.  UDP and TCP on one
 * port.
 *
 *   echo ADDRESS PORT
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"

#define EVENTS 32
#define TURNS 4     /* batches before the loop looks at other sockets, as in dns/server/udp.c */
#define HEADER_LEN 12

struct conn {
	int fd;
	size_t len;
	uint8_t in[LIMIT_TCP_CHUNK + UINT16_MAX + 2];
};

static int ep, udp, listener;
static struct mmsghdr in[LIMIT_UDP_BATCH], out[LIMIT_UDP_BATCH];
static struct iovec in_iov[LIMIT_UDP_BATCH], out_iov[LIMIT_UDP_BATCH];
static struct sockaddr_in peer[LIMIT_UDP_BATCH];
static uint8_t buf[LIMIT_UDP_BATCH][LIMIT_UDP_QUERY + 64];

static void
watch(int fd, void *ptr)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = ptr };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0)
		err(1, "epoll_ctl");
}

static int
bound(int type, const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (const struct sockaddr *)at, sizeof(*at)) != 0)
		err(1, "socket");
	return fd;
}

static void
udp_init(void)
{
	for (unsigned i = 0; i < LIMIT_UDP_BATCH; i++) {
		in_iov[i] = (struct iovec){ buf[i], LIMIT_UDP_QUERY };
		in[i].msg_hdr = (struct msghdr){ .msg_name = &peer[i], .msg_iov = &in_iov[i],
		    .msg_iovlen = 1 };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov[i], .msg_iovlen = 1 };
	}
}

static void
udp_turn(void)
{
	for (int turn = 0, n = LIMIT_UDP_BATCH; turn < TURNS && n == LIMIT_UDP_BATCH; turn++) {
		unsigned nout = 0;

		for (unsigned i = 0; i < LIMIT_UDP_BATCH; i++)
			in[i].msg_hdr.msg_namelen = sizeof(peer[i]);
		n = recvmmsg(udp, in, LIMIT_UDP_BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			if (in[i].msg_len < HEADER_LEN)
				continue;
			buf[i][2] |= 0x80;
			out_iov[nout] = (struct iovec){ buf[i], in[i].msg_len };
			out[nout].msg_hdr.msg_name = &peer[i];
			out[nout++].msg_hdr.msg_namelen = in[i].msg_hdr.msg_namelen;
		}
		if (nout > 0 && sendmmsg(udp, out, nout, MSG_DONTWAIT) < 0)
			warn("sendmmsg");
	}
}

static void
conn_new(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;
	struct conn *c = calloc(1, sizeof(*c));

	if (fd < 0 || c == NULL || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0)
		err(1, "connection");
	c->fd = fd;
	watch(fd, c);
}

static void
conn_turn(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->len, LIMIT_TCP_CHUNK, MSG_DONTWAIT);
	size_t done = 0;

	if (n <= 0) {
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		close(c->fd);
		free(c);
		return;
	}
	c->len += (size_t)n;
	while (c->len - done >= 2 &&
	    c->len - done - 2 >= (size_t)(c->in[done] << 8 | c->in[done + 1])) {
		size_t len = (size_t)(c->in[done] << 8 | c->in[done + 1]);

		if (len >= HEADER_LEN)
			c->in[done + 4] |= 0x80;
		done += 2 + len;
	}
	if (done > 0 && send(c->fd, c->in, done, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)done)
		warn("send");
	memmove(c->in, c->in + done, c->len - done);
	c->len -= done;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };

	if (argc != 3 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1)
		errx(2, "usage: echo ADDRESS PORT");
	at.sin_port = htons((uint16_t)atoi(argv[2]));
	ep = epoll_create1(EPOLL_CLOEXEC);
	udp = bound(SOCK_DGRAM, &at);
	listener = bound(SOCK_STREAM, &at);
	if (ep < 0 || listen(listener, SOMAXCONN) != 0)
		err(1, "listen");
	udp_init();
	watch(udp, &udp);
	watch(listener, &listener);
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(ep, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &udp)
				udp_turn();
			else if (events[i].data.ptr == &listener)
				conn_new();
			else
				conn_turn(events[i].data.ptr);
		}
	}
}
