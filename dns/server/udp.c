/*
 * udp: queries and replies in batches, from buffers that are allocated once.
 *
 * Sockets bound to a concrete address reply from it by themselves; on wildcard sockets every query
 * brings the address that was asked (IP_PKTINFO, IPV6_PKTINFO) and the reply carries it back.
 */
#include "dns/server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "dns/answer/lookup.h"

/* Batches read from one socket before the loop looks at the others. */
#define UDP_TURNS 4

/* Zones from this size on do not fit into a processor's own cache. */
#define PROBE_BYTES (1u << 20)

#define CONTROL_SIZE CMSG_SPACE(sizeof(struct in6_pktinfo))

/*
 * Buffers lie an odd number of cache lines apart, so that not all begin in one cache set: to copy a
 * batch in, over and out takes 10.5 ns a query, with 2,048 bytes between them 13 to 15 ns.
 */
#define STRIDE(n) ((((n) + 63u) / 64u | 1u) * 64u)

union udp_control {
	struct cmsghdr align;
	char buf[CONTROL_SIZE];
};

struct udp_socket {
	struct udp *udp;
	struct event *ev;
	int fd;
	uint8_t index;
	bool wildcard, ipv6;
};

struct udp {
	struct worker *w;
	struct udp_socket sockets[LIMIT_LISTEN];
	unsigned nsockets;

	struct mmsghdr in[LIMIT_UDP_BATCH];
	struct iovec in_iov[LIMIT_UDP_BATCH];
	struct dns_peer in_peer[LIMIT_UDP_BATCH];
	union udp_control in_control[LIMIT_UDP_BATCH];

	struct mmsghdr out[LIMIT_UDP_BATCH];
	struct iovec out_iov[LIMIT_UDP_BATCH];
	struct sockaddr_in6 out_addr[LIMIT_UDP_BATCH];   /* large enough for IPv4 too */
	union udp_control out_control[LIMIT_UDP_BATCH];
	unsigned nout;
	const struct udp_socket *out_socket;             /* whose replies are in `out` */

	uint8_t *buffers;
};

_Static_assert(LIMIT_LISTEN <= UINT8_MAX, "dns_peer.socket is one byte");

/* ---- replies ---- */

void
udp_flush(struct udp *u)
{
	unsigned done = 0;

	while (done < u->nout) {
		int n = sendmmsg(u->out_socket->fd, u->out + done, u->nout - done, MSG_DONTWAIT);

		if (n > 0) {
			done += (unsigned)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* This one cannot be sent (a full queue, a firewall, no route): UDP may lose it. */
		count_add(&u->w->count->dropped, 1);
		done++;
	}
	u->nout = 0;
}

/* A buffer for the next reply through socket `s`; it is sent only after slot_commit. */
static void
slot_open(struct udp *u, const struct udp_socket *s, struct dns_reply *r)
{
	if (u->nout == LIMIT_UDP_BATCH || (u->nout > 0 && u->out_socket != s))
		udp_flush(u);
	u->out_socket = s;
	r->buf = u->out_iov[u->nout].iov_base;
	r->cap = u->w->conf.udp_payload;
	r->len = 0;
}

/* The local address of a wildcard socket's reply. */
static void
slot_control(struct msghdr *h, const struct dns_peer *peer)
{
	const struct in_pktinfo info4 = { .ipi_spec_dst = peer->local.in };
	const struct in6_pktinfo info6 = { .ipi6_addr = peer->local.in6,
		.ipi6_ifindex = peer->local_ifindex };
	bool is4 = peer->local_family == AF_INET;
	size_t size = is4 ? sizeof(info4) : sizeof(info6);
	struct cmsghdr *c = h->msg_control;

	c->cmsg_level = is4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = is4 ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), is4 ? (const void *)&info4 : &info6, size);
	h->msg_controllen = CMSG_SPACE(size);
}

static void
slot_commit(struct udp *u, const struct dns_peer *peer, const struct dns_reply *r)
{
	struct msghdr *h = &u->out[u->nout].msg_hdr;

	u->out_iov[u->nout].iov_len = r->len;
	memcpy(&u->out_addr[u->nout], &peer->addr, sizeof(peer->addr));
	h->msg_namelen = peer->addr_len;
	h->msg_control = NULL;
	h->msg_controllen = 0;
	if (peer->local_family != 0) {
		h->msg_control = u->out_control[u->nout].buf;
		slot_control(h, peer);
	}
	u->nout++;
}

void
udp_answer(struct udp *u, const struct hold_query *q, int ede)
{
	struct dns_reply r;

	if (q->peer.socket >= u->nsockets)
		return;
	slot_open(u, &u->sockets[q->peer.socket], &r);
	if (serve_held(u->w, q, ede, &r))
		slot_commit(u, &q->peer, &r);
}

/* ---- queries ---- */

static void
peer_local(struct dns_peer *peer, struct msghdr *h)
{
	peer->local_family = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			peer->local_family = AF_INET;
			peer->local.in = info.ipi_spec_dst;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			peer->local_family = AF_INET6;
			peer->local.in6 = info.ipi6_addr;
			/* Link-local addresses need an interface; for others routing decides. */
			peer->local_ifindex = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)
			    ? info.ipi6_ifindex : 0;
		}
	}
}

static int
batch_receive(struct udp *u, const struct udp_socket *s)
{
	for (unsigned i = 0; i < LIMIT_UDP_BATCH; i++) {
		struct msghdr *h = &u->in[i].msg_hdr;

		h->msg_namelen = sizeof(u->in_peer[i].addr);
		h->msg_control = s->wildcard ? u->in_control[i].buf : NULL;
		h->msg_controllen = s->wildcard ? CONTROL_SIZE : 0;
	}
	return recvmmsg(s->fd, u->in, LIMIT_UDP_BATCH, MSG_DONTWAIT, NULL);
}

/*
 * The query behind the header of a listed proxy, and whose it is; others' as it came.  False: a
 * listed proxy must send a header.
 */
static bool
proxy_open(const struct udp *u, struct dns_peer *peer, const uint8_t **wire, size_t *len)
{
	struct proxy_header h;
	struct msg_addr from;

	peer->proxied = 0;
	peer->unproven = 1;
	if (u->w->tune.proxies.n == 0)
		return true;
	dns_peer_addr(peer, &from);
	if (!proxy_listed(&u->w->tune.proxies, &from))
		return true;
	if (proxy_parse(*wire, *len, &h) != PROXY_OK)
		return false;
	*wire += h.len;
	*len -= h.len;
	peer->proxied = h.client.family != 0;
	peer->client = h.client;
	return true;
}

/* Fetches ahead what a batch's answers need; not with proxies, whose headers hide questions. */
static void
batch_probe(const struct udp *u, unsigned n)
{
	const struct dns_zoneset *set = u->w->set;
	struct dns_probe probes[LIMIT_UDP_BATCH];

	if (n < 2 || set == NULL || set->bytes < PROBE_BYTES || u->w->tune.proxies.n > 0)
		return;
	for (unsigned i = 0; i < n; i++)
		dns_probe_slot(set, u->in_iov[i].iov_base, u->in[i].msg_len, &probes[i]);
	for (unsigned i = 0; i < n; i++)
		dns_probe_node(&probes[i]);
}

static void
batch_serve(struct udp *u, const struct udp_socket *s, unsigned n)
{
	uint64_t now_ns = 0;

	count_add(&u->w->count->udp_queries, n);
	if (s->ipv6)
		count_add(&u->w->count->ipv6_queries, n);
	batch_probe(u, n);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *wire = u->in_iov[i].iov_base;
		size_t len = u->in[i].msg_len;
		struct dns_peer *peer = &u->in_peer[i];
		struct dns_reply r;

		peer->socket = s->index;
		peer->addr_len = u->in[i].msg_hdr.msg_namelen;
		if (s->wildcard)
			peer_local(peer, &u->in[i].msg_hdr);
		else
			peer->local_family = 0;
		if (!proxy_open(u, peer, &wire, &len)) {
			count_add(&u->w->count->dropped, 1);
			continue;
		}
		slot_open(u, s, &r);
		if (serve_query(u->w, wire, len, peer, &now_ns, &r) == SERVE_REPLY)
			slot_commit(u, peer, &r);
	}
	udp_flush(u);
	if (hold_units(u->w->held) > 0)
		held_arm(u->w);
}

static void
readable_cb(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct udp_socket *s = arg;

	for (int turn = 0; turn < UDP_TURNS; turn++) {
		int n = batch_receive(s->udp, s);

		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			log_debug("UDP socket %u: %s", s->index, strerror(errno));
		if (n <= 0)
			break;
		batch_serve(s->udp, s, (unsigned)n);
		if (n < LIMIT_UDP_BATCH)
			break;
	}
}

/* ---- life ---- */

static void
buffers_new(struct udp *u)
{
	size_t in = STRIDE(LIMIT_UDP_QUERY), out = STRIDE(u->w->conf.udp_payload);
	uint8_t *p = mem_must(aligned_alloc(64, LIMIT_UDP_BATCH * (in + out)));

	u->buffers = p;
	for (unsigned i = 0; i < LIMIT_UDP_BATCH; i++) {
		u->in_iov[i] = (struct iovec){ .iov_base = p + i * in, .iov_len = LIMIT_UDP_QUERY };
		u->in[i].msg_hdr = (struct msghdr){ .msg_name = &u->in_peer[i].addr,
		    .msg_iov = &u->in_iov[i], .msg_iovlen = 1 };
		u->out_iov[i].iov_base = p + LIMIT_UDP_BATCH * in + i * out;
		u->out[i].msg_hdr = (struct msghdr){ .msg_name = &u->out_addr[i],
		    .msg_iov = &u->out_iov[i], .msg_iovlen = 1 };
	}
}

static enum err
socket_open(struct udp *u, int fd, bool wildcard, struct errmsg *m)
{
	struct udp_socket *s = &u->sockets[u->nsockets];
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);
	int on = 1;

	*s = (struct udp_socket){ .udp = u, .fd = fd, .index = (uint8_t)u->nsockets,
	    .wildcard = wildcard };
	u->nsockets++;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    evutil_make_socket_nonblocking(fd) != 0)
		return err_sys(m, "UDP socket %u", s->index);
	s->ipv6 = ss.ss_family == AF_INET6;
	if (wildcard && setsockopt(fd, s->ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
		s->ipv6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof(on)) != 0)
		return err_sys(m, "UDP socket %u: asking for the local address of packets",
		    s->index);
	s->ev = mem_must(event_new(u->w->base, fd, EV_READ | EV_PERSIST, readable_cb, s));
	if (event_add(s->ev, NULL) != 0)
		return err_sys(m, "UDP socket %u: event", s->index);
	return ERR_OK;
}

enum err
udp_new(struct worker *w, const struct worker_sockets *socks, struct errmsg *m)
{
	struct udp *u = w->udp = mem_zero(1, sizeof(*u));
	enum err e = ERR_OK;

	u->w = w;
	buffers_new(u);
	for (unsigned i = 0; i < socks->nudp && e == ERR_OK; i++)
		e = socket_open(u, socks->udp[i], socks->udp_wildcard[i], m);
	return e;
}

void
udp_free(struct udp *u)
{
	for (unsigned i = 0; i < u->nsockets; i++) {
		event_free(u->sockets[i].ev);
		close(u->sockets[i].fd);
	}
	free(u->buffers);
	free(u);
}
