/* wires: packet sockets of bridges, taps of ports, packet sockets of links. */
#include "vm/sentinel/wires.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/table.h"
#include "vm/sentinel/frame.h"

/* Frames per turn of the loop, so that a chatty guest starves neither the timer nor the channel. */
#define BATCH 64
#define BATCHES_ALL 64     /* for who must see all that has come */
#define STALE 4096         /* frames that a full receive buffer may have, and more */
#define BRIDGE_BYTES 2048  /* the filter of a bridge's socket passes 512 of a frame */
/* The longest that a device hands over uncut (GSO), with its header. */
#define FRAME_BYTES (PARK_HEADER + FRAME_ETHER_BYTES + 65536)

/*
 * A bridge hands frames of our port to its own packet socket too, and they look as the guest's: a
 * mark behind each, where the padding is, keeps the probes from taking them for signs of life.
 */
#define LEAST_BYTES 60     /* of a frame on a wire */

struct wire {
	struct wires *wires;
	uint32_t network;
	int fd;                /* -1 = there is none */
	struct event *ev;
	bool troubled;         /* sending failed; said once until it works again */
	bool quiet;            /* nobody wants its frames, which stay where they are */
};

struct link {
	struct wires *wires;
	uint32_t unit;
	int fd;
	struct event *ev;
	bool busy, dead;       /* being read; and closed by what was read: on_link frees it */
};

struct wires {
	struct event_base *base;
	struct probe_set *probes;
	struct park_set *parked;
	void (*after)(void *arg);
	void *arg;
	struct wire bridges[LIMIT_NETWORKS], ports[LIMIT_NETWORKS];
	struct table links;    /* unit to struct link */
	uint8_t mark[WIRES_MARK];
	uint8_t frame[FRAME_BYTES];
};

struct wires *
wires_new(struct event_base *base, void (*after)(void *arg), void *arg)
{
	struct wires *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->base = base;
	w->after = after;
	w->arg = arg;
	for (uint32_t i = 0; i < LIMIT_NETWORKS; i++)
		w->bridges[i] = w->ports[i] =
		    (struct wire){ .wires = w, .network = i, .fd = -1 };
	return w;
}

void
wires_sets(struct wires *w, struct probe_set *probes, struct park_set *parked,
    const uint8_t mark[WIRES_MARK])
{
	memcpy(w->mark, mark, sizeof(w->mark));
	w->probes = probes;
	w->parked = parked;
}

static void
wire_close(struct wire *p)
{
	if (p->ev != NULL)
		event_free(p->ev);
	if (p->fd >= 0)
		close(p->fd);
	p->ev = NULL;
	p->fd = -1;
	p->troubled = p->quiet = false;
}

/* An event for fd, or NULL. */
static struct event *
watch(struct wires *w, int fd, event_callback_fn cb, void *arg)
{
	struct event *ev = evutil_make_socket_nonblocking(fd) == 0
	    ? event_new(w->base, fd, EV_READ | EV_PERSIST, cb, arg) : NULL;

	if (ev == NULL || event_add(ev, NULL) == 0)
		return ev;
	event_free(ev);
	return NULL;
}

/* Takes *fd over; -1 = none. */
static enum err
wire_set(struct wire *p, int *fd, event_callback_fn cb, struct errmsg *m)
{
	wire_close(p);
	p->fd = *fd;
	*fd = -1;
	if (p->fd >= 0)
		p->ev = watch(p->wires, p->fd, cb, p);
	return p->fd < 0 || p->ev != NULL ? ERR_OK
	    : err_set(m, ERR_NOMEM, "network %u: event: %s", p->network, err_str(ERR_NOMEM));
}

/* What a read that failed means; false: nothing more comes now. */
static bool
wire_goes_on(struct wire *p, const char *what)
{
	if (errno == EINTR)
		return true;
	/* ENETDOWN is told once; the socket works again when the bridge is up again. */
	if (errno == ENETDOWN) {
		log_warn("network %u: its bridge went down", p->network);
	} else if (errno != EAGAIN && errno != EWOULDBLOCK) {
		log_err("network %u: its %s: %s; not watched any more", p->network, what,
		    strerror(errno));
		(void)event_del(p->ev);   /* it was added: nothing that could fail */
	}
	return false;
}

static void
wire_sent(struct wire *p, const char *what, bool ok)
{
	if (!ok && !p->troubled)
		log_warn("network %u: its %s: a frame cannot be sent: %s; going on", p->network,
		    what, strerror(errno));
	p->troubled = !ok;
}

/* ---- bridges ---- */

static bool
is_own(const struct wires *w, size_t len)
{
	return len >= LEAST_BYTES &&
	    memcmp(w->frame + len - WIRES_MARK, w->mark, WIRES_MARK) == 0;
}

static void
on_bridge(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct wire *p = arg;
	struct wires *w = p->wires;
	bool more = true;

	for (int i = 0; i < BATCH && more; i++) {
		ssize_t n = recv(p->fd, w->frame, BRIDGE_BYTES, MSG_DONTWAIT);

		if (n >= 0 && !is_own(w, (size_t)n))
			probe_frame(w->probes, p->network, w->frame, (size_t)n, clock_now_ns());
		else if (n < 0)
			more = wire_goes_on(p, "packet socket");
	}
	w->after(w->arg);
}

/* A bridge may be noisy while nothing boots: then its frames stay where they are. */
void
wires_bridge_listen(struct wires *w, uint32_t network, bool listen)
{
	struct wire *p = &w->bridges[network];
	bool more = listen;

	if (p->ev == NULL || listen == !p->quiet)
		return;
	/* What came before says nothing of a guest that begins now. */
	for (int i = 0; i < STALE && more; i++)
		if (recv(p->fd, w->frame, 0, MSG_DONTWAIT | MSG_TRUNC) < 0)
			more = wire_goes_on(p, "packet socket");
	p->quiet = !listen;
	if ((listen ? event_add(p->ev, NULL) : event_del(p->ev)) != 0)
		log_err("network %u: its packet socket: event: %s", network, err_str(ERR_NOMEM));
}

enum err
wires_bridge_set(struct wires *w, uint32_t network, int *fd, struct errmsg *m)
{
	enum err e = wire_set(&w->bridges[network], fd, on_bridge, m);

	if (e == ERR_OK)
		wires_bridge_listen(w, network, probe_wants_frames(w->probes, network));
	return e;
}

/* A full queue or a bridge that is down loses this frame, not the next. */
void
wires_bridge_send(struct wires *w, uint32_t network, const uint8_t *frame, size_t len)
{
	struct wire *p = &w->bridges[network];

	if (p->fd >= 0)
		wire_sent(p, "packet socket", send(p->fd, frame, len, MSG_DONTWAIT) >= 0);
}

/* ---- ports ---- */

static void
port_read(struct wire *p, unsigned most)
{
	struct wires *w = p->wires;
	uint64_t now_ns = clock_now_ns();   /* of all: a clock costs as much as a frame */
	bool more = true;

	for (unsigned i = 0; i < most && more; i++) {
		ssize_t n = read(p->fd, w->frame, sizeof(w->frame));

		if (n >= 0)
			park_port_frame(w->parked, p->network, w->frame, (size_t)n, now_ns);
		else
			more = wire_goes_on(p, "port");
	}
}

static void
on_port(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct wire *p = arg;

	port_read(p, BATCH);
	p->wires->after(p->wires->arg);
}

void
wires_port_read(struct wires *w, uint32_t network)
{
	if (w->ports[network].fd >= 0)
		port_read(&w->ports[network], BATCHES_ALL * BATCH);
}

enum err
wires_port_set(struct wires *w, uint32_t network, int *fd, struct errmsg *m)
{
	return wire_set(&w->ports[network], fd, on_port, m);
}

/* What is lost, the other side asks for again. */
void
wires_port_send(struct wires *w, uint32_t network, const uint8_t *frame, size_t len)
{
	uint8_t out[PARK_HEADER + FRAME_BUILT_MAX + WIRES_MARK] = { 0 };
	size_t marked = (len < LEAST_BYTES - WIRES_MARK ? LEAST_BYTES : len + WIRES_MARK);
	struct wire *p = &w->ports[network];

	if (p->fd < 0 || len > FRAME_BUILT_MAX)
		return;
	memcpy(out + PARK_HEADER, frame, len);
	memcpy(out + PARK_HEADER + marked - WIRES_MARK, w->mark, WIRES_MARK);
	wire_sent(p, "port", write(p->fd, out, PARK_HEADER + marked) >= 0);
}

/* ---- links ---- */

static struct link *
link_find(const struct wires *w, uint32_t unit)
{
	return table_find(&w->links, &unit, sizeof(unit));
}

void
wires_link_close(struct wires *w, uint32_t unit)
{
	struct link *l = table_remove(&w->links, &unit, sizeof(unit));

	if (l == NULL)
		return;
	event_free(l->ev);
	close(l->fd);
	if (l->busy)
		l->dead = true;
	else
		free(l);
}

/*
 * A guest that wakes up refuses a probe, too, and what it refuses does not reach the bridge
 * (vm/net/waking.h): here is where it is seen.
 */
static void
refusal(struct wires *w, uint32_t network, size_t len)
{
	const uint8_t *frame = w->frame + PARK_HEADER;
	struct frame f;

	if (network < LIMIT_NETWORKS && len > PARK_HEADER &&
	    frame_parse(frame, len - PARK_HEADER, &f) && f.kind == FRAME_TCP &&
	    (f.tcp.flags & FRAME_TCP_RST) != 0)
		probe_frame(w->probes, network, frame, len - PARK_HEADER, clock_now_ns());
}

/* Reads one frame; false: none is there, or none comes any more. */
static bool
link_read(struct link *l)
{
	struct wires *w = l->wires;
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(l->fd, w->frame, sizeof(w->frame), MSG_DONTWAIT,
	    (struct sockaddr *)&from, &from_len);

	if (n >= 0) {
		bool outgoing = from.sll_pkttype == PACKET_OUTGOING;

		if (!outgoing)
			refusal(w, park_network(w->parked, l->unit), (size_t)n);
		park_link_frame(w->parked, l->unit, outgoing, w->frame, (size_t)n, clock_now_ns());
		return true;
	}
	/* EINVAL: a frame of a kind that no header can describe; it is gone now. */
	if (errno == EINTR || errno == EINVAL)
		return true;
	/* ENETDOWN: the NIC is down or gone, of which the warden hears, and tells us. */
	if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENETDOWN) {
		log_err("unit %u: its link: receive: %s; not watched any more", l->unit,
		    strerror(errno));
		(void)event_del(l->ev);   /* it was added: nothing that could fail */
	}
	return false;
}

/* Frames that have come; what they say may close the link. */
static void
link_read_most(struct link *l, unsigned most)
{
	bool more = true;

	l->busy = true;
	for (unsigned i = 0; i < most && more && !l->dead; i++)
		more = link_read(l);
	l->busy = false;
	if (l->dead)
		free(l);
}

static void
on_link(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct link *l = arg;
	struct wires *w = l->wires;

	link_read_most(l, BATCH);
	w->after(w->arg);
}

void
wires_link_read(struct wires *w, uint32_t unit)
{
	struct link *l = link_find(w, unit);

	if (l != NULL)
		link_read_most(l, BATCHES_ALL * BATCH);
}

enum err
wires_link_set(struct wires *w, uint32_t unit, int *fd, struct errmsg *m)
{
	struct link *l;

	wires_link_close(w, unit);
	l = calloc(1, sizeof(*l));
	if (l != NULL)
		*l = (struct link){ .wires = w, .unit = unit, .fd = *fd,
		    .ev = watch(w, *fd, on_link, l) };
	if (l == NULL || l->ev == NULL) {
		free(l);
		return err_set(m, ERR_NOMEM, "unit %u: its link: %s", unit, err_str(ERR_NOMEM));
	}
	*fd = -1;
	table_set(&w->links, &l->unit, sizeof(l->unit), l);
	return ERR_OK;
}

void
wires_link_send(struct wires *w, uint32_t unit, const uint8_t *frame, size_t len)
{
	const struct link *l = link_find(w, unit);

	if (l != NULL)
		(void)send(l->fd, frame, len, MSG_DONTWAIT);   /* given again, or sent again */
}

void
wires_free(struct wires *w)
{
	struct link *l;
	size_t at = 0;

	if (w == NULL)
		return;
	for (size_t i = 0; i < LIMIT_NETWORKS; i++) {
		wire_close(&w->bridges[i]);
		wire_close(&w->ports[i]);
	}
	while ((l = table_next(&w->links, &at)) != NULL)
		wires_link_close(w, l->unit);
	table_clear(&w->links);
	free(w);
}
