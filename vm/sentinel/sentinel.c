/*
 * sentinel: the process that sees raw frames of guests and their clients, confined; here its
 * set-up, its loop and its system calls.
 *
 * It wakes for a message of the warden, a frame that passed a filter (filter.c, filter_park.c),
 * and, only while something is under way, a timer.  What frames mean is probe.c's, for guests that
 * are to get ready, and park.h's, for units that sleep; wires.c has the descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/chan.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "vm/sentinel/park.h"
#include "vm/sentinel/probe.h"
#include "vm/sentinel/wires.h"
#include "vm/vm.h"

#define RANDOM_WORDS 64    /* taken from the kernel at once */
#define TAKEN_FDS 2        /* of one message */

struct sentinel {
	int chan_fd;
	struct event_base *base;
	struct chan *chan;     /* NULL during set-up: then there are no frames either */
	struct probe_set *probes;
	struct park_set *parked;
	struct wires *wires;
	int timer_fd;
	struct event *ev_timer;
	uint64_t armed_ns;     /* what the timer is set to; 0 = disarmed */
	uint32_t random[RANDOM_WORDS];
	size_t random_left;
	bool hello, run;       /* that message came */
	struct msg greeting;
};

/* ---- what the state machine wants done ---- */

static void
on_send(void *arg, uint32_t network, const uint8_t *frame, size_t len)
{
	const struct sentinel *s = arg;

	wires_bridge_send(s->wires, network, frame, len);
}

static void
tell(struct sentinel *s, const struct msg *m)
{
	enum err e = s->chan != NULL ? chan_send(s->chan, m, NULL, 0) : ERR_OK;

	/* A lost report would leave its unit booting; a new sentinel gets all probes again. */
	if (e != ERR_OK && e != ERR_IO)
		fatal("report of unit %u: %s", m->unit, err_str(e));
}

static void
on_report(void *arg, uint32_t unit, enum msg_type what, uint64_t seen_ns)
{
	struct msg m = { .type = (uint16_t)what, .unit = unit, .time_ns = seen_ns,
	    .probed.seen_ns = seen_ns };

	tell(arg, &m);
}

static void
on_sign(void *arg, uint32_t unit, enum msg_sign what, const struct msg_addr *addr,
    const uint8_t *mac, uint64_t seen_ns)
{
	struct msg m = { .type = MSG_SIGN, .unit = unit, .time_ns = seen_ns,
	    .sign = { .seen_ns = seen_ns, .what = what } };

	if (addr != NULL)
		m.sign.addr = *addr;
	if (mac != NULL)
		memcpy(m.sign.mac, mac, sizeof(m.sign.mac));
	tell(arg, &m);
}

static uint32_t
on_random(void *arg)
{
	struct sentinel *s = arg;

	if (s->random_left == 0) {
		if (getrandom(s->random, sizeof(s->random), 0) != (ssize_t)sizeof(s->random))
			fatal("getrandom: %s", strerror(errno));
		s->random_left = RANDOM_WORDS;
	}
	return s->random[--s->random_left];
}

static void
on_port_send(void *arg, uint32_t network, const uint8_t *frame, size_t len)
{
	const struct sentinel *s = arg;

	wires_port_send(s->wires, network, frame, len);
}

static void
on_give(void *arg, uint32_t unit, const uint8_t *frame, size_t len)
{
	const struct sentinel *s = arg;

	wires_link_send(s->wires, unit, frame, len);
}

static void
on_unlink(void *arg, uint32_t unit)
{
	const struct sentinel *s = arg;

	wires_link_close(s->wires, unit);
}

static void
on_tell(void *arg, const struct msg *m)
{
	tell(arg, m);
}

/* ---- the timer ---- */

/* Sets the timer to what is due next, or disarms it when there is nothing. */
static void
timer_set(struct sentinel *s)
{
	uint64_t probe_ns = probe_next_ns(s->probes), park_ns = park_next_ns(s->parked);
	uint64_t next_ns = park_ns == 0 || (probe_ns != 0 && probe_ns < park_ns) ? probe_ns
	    : park_ns;
	struct itimerspec at = { .it_value = { .tv_sec = (time_t)(next_ns / NS_PER_S),
	    .tv_nsec = (long)(next_ns % NS_PER_S) } };

	if (next_ns == s->armed_ns)
		return;
	if (timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
		fatal("timerfd_settime: %s", strerror(errno));
	s->armed_ns = next_ns;
}

static void
on_timer(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct sentinel *s = arg;
	uint64_t expirations;

	/* Nothing to read: it was set to another time meanwhile. */
	if (read(fd, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations))
		s->armed_ns = 0;
	probe_tick(s->probes, clock_now_ns());
	park_tick(s->parked, clock_now_ns());
	timer_set(s);
}

static void
on_wires(void *arg)
{
	timer_set(arg);
}

/* ---- messages ---- */

static enum err
take_hello(struct sentinel *s, const struct msg *m, UNUSED int *fds, struct errmsg *why)
{
	if (s->hello || m->hello.role != ROLE_SENTINEL)
		return err_set(why, ERR_PROTO, "a second or foreign greeting");
	s->hello = true;
	s->greeting = *m;
	log_init("sentinel", LOG_TO_STDERR, (enum log_level)m->hello.log_level);
	return ERR_OK;
}

static enum err
take_network(struct sentinel *s, const struct msg *m, int *fds, struct errmsg *why)
{
	uint32_t i = m->network.index;
	enum err e = probe_network_set(s->probes, i, m->network.mac, why);

	if (e != ERR_OK)
		return e;
	e = wires_bridge_set(s->wires, i, &fds[0], why);
	if (e == ERR_OK)
		e = wires_port_set(s->wires, i, &fds[1], why);
	return e;
}

static enum err
take_run(struct sentinel *s, UNUSED const struct msg *m, UNUSED int *fds, struct errmsg *why)
{
	if (s->run)
		return err_set(why, ERR_PROTO, "told to run twice");
	s->run = true;
	return ERR_OK;
}

/* Bridges are listened to while probes wait for what comes from them. */
static void
listen_again(struct sentinel *s)
{
	for (uint32_t i = 0; i < LIMIT_NETWORKS; i++)
		wires_bridge_listen(s->wires, i, probe_wants_frames(s->probes, i));
}

static enum err
take_probe(struct sentinel *s, const struct msg *m, UNUSED int *fds, struct errmsg *why)
{
	enum err e;

	/* before the first frame is sent, which may be answered at once */
	if (m->probe.network < LIMIT_NETWORKS)
		wires_bridge_listen(s->wires, m->probe.network, true);
	e = probe_start(s->probes, m, clock_now_ns(), why);
	listen_again(s);
	if (e == ERR_NOMEM)
		return e;
	/* A probe that cannot be is one unit's problem, whose boot has its deadline. */
	if (e != ERR_OK)
		log_err("%s", why->text);
	return ERR_OK;
}

static enum err
take_unprobe(struct sentinel *s, const struct msg *m, UNUSED int *fds, UNUSED struct errmsg *why)
{
	probe_stop(s->probes, m->unit);
	listen_again(s);
	return ERR_OK;
}

/* What the guest has accepted by now is not held any more: nobody is woken for its sake. */
static enum err
take_park(struct sentinel *s, const struct msg *m, UNUSED int *fds, struct errmsg *why)
{
	wires_link_read(s->wires, m->unit);
	/* A unit that cannot be parked wakes by DNS alone. */
	if (park_put(s->parked, m, clock_now_ns(), why) != ERR_OK)
		log_err("%s", why->text);
	return ERR_OK;
}

static enum err
take_unpark(struct sentinel *s, const struct msg *m, UNUSED int *fds, UNUSED struct errmsg *why)
{
	park_remove(s->parked, m->unit);
	return ERR_OK;
}

static enum err
take_link(struct sentinel *s, const struct msg *m, int *fds, struct errmsg *why)
{
	enum err e;

	if (park_network(s->parked, m->unit) == LIMIT_NETWORKS)
		return ERR_OK;   /* it may have been forgotten meanwhile */
	e = wires_link_set(s->wires, m->unit, &fds[0], why);
	if (e == ERR_OK)
		(void)park_link(s->parked, m->unit, clock_now_ns());   /* it is known */
	return e;
}

/* What the bridge gave our port before it gave the rest to the guest comes first. */
static enum err
take_awake(struct sentinel *s, const struct msg *m, UNUSED int *fds, UNUSED struct errmsg *why)
{
	uint32_t network = park_network(s->parked, m->unit);

	if (network != LIMIT_NETWORKS)
		wires_port_read(s->wires, network);
	park_awake(s->parked, m->unit, clock_now_ns());
	return ERR_OK;
}

static enum err
take_drop(struct sentinel *s, const struct msg *m, UNUSED int *fds, UNUSED struct errmsg *why)
{
	wires_link_read(s->wires, m->unit);   /* what was accepted is not refused */
	park_drop(s->parked, m->unit, clock_now_ns());
	return ERR_OK;
}

/* What the warden may say, and with how many descriptors. */
static const struct {
	enum err (*take)(struct sentinel *, const struct msg *, int *fds, struct errmsg *);
	unsigned least, most;
} verbs[MSG_TYPE_COUNT] = {
	[MSG_HELLO] = { take_hello, 0, 0 },
	[MSG_NETWORK] = { take_network, 0, 2 },
	[MSG_RUN] = { take_run, 0, 0 },
	[MSG_PROBE] = { take_probe, 0, 0 },
	[MSG_UNPROBE] = { take_unprobe, 0, 0 },
	[MSG_PARK] = { take_park, 0, 0 },
	[MSG_UNPARK] = { take_unpark, 0, 0 },
	[MSG_LINK] = { take_link, 1, 1 },
	[MSG_AWAKE] = { take_awake, 0, 0 },
	[MSG_DROP] = { take_drop, 0, 0 },
};

/* Closes what the verb did not keep. */
static enum err
take(struct sentinel *s, const struct msg *m, int *fds, unsigned nfds, struct errmsg *why)
{
	int given[TAKEN_FDS] = { -1, -1 };
	enum err e;

	if (m->type >= MSG_TYPE_COUNT || !verbs[m->type].take || nfds < verbs[m->type].least ||
	    nfds > verbs[m->type].most)
		e = err_set(why, ERR_PROTO, "unexpected message of type %u with %u descriptors",
		    m->type, nfds);
	else if (!s->hello && m->type != MSG_HELLO)
		e = err_set(why, ERR_PROTO, "message of type %u before the greeting", m->type);
	else {
		memcpy(given, fds, nfds * sizeof(*fds));
		e = verbs[m->type].take(s, m, given, why);
		chan_close_fds(given, TAKEN_FDS);
		return e;
	}
	chan_close_fds(fds, nfds);
	return e;
}

static void
on_message(UNUSED struct chan *c, const struct msg *m, int *fds, unsigned nfds, void *arg)
{
	struct sentinel *s = arg;
	struct errmsg why = { "" };

	if (take(s, m, fds, nfds, &why) != ERR_OK)
		fatal("%s", why.text);
	timer_set(s);
}

static void
on_lost(struct chan *c, const char *why, void *arg)
{
	struct sentinel *s = arg;

	chan_free(c);
	s->chan = NULL;
	log_debug("the channel is gone: %s", why);
	/* It fails only without a running loop, and a callback has one. */
	(void)event_base_loopbreak(s->base);
}

/* ---- start and end ---- */

/*
 * Ports are read and written by read(2) and write(2), which every process of ours may call: neither
 * takes an address, so that a descriptor leads no further than where it leads anyway: a port to its
 * bridge, and to the host as one that is there, from any MAC and address.  Ports come and go with
 * networks; a filter that named their descriptors could not.
 *
 * A packet socket may not become the channel's descriptor, so that none is duplicated.
 */
static enum err
confine(const struct sentinel *s, int chan_fd, struct errmsg *m)
{
	const struct sandbox_call calls[] = {
		SANDBOX_CALL(recvfrom, "frames"),
		SANDBOX_CALL_IF(sendto, 4, 0, "frames, to the bridge or the NIC that the socket is "
		    "bound to: an address could name any interface"),
		SANDBOX_CALL_IF(sendmsg, 0, (uint64_t)chan_fd,
		    "the channel, and not a packet socket, for the same reason"),
		SANDBOX_CALL_IF(fcntl, 1, F_GETFL, "non-blocking mode"),
		SANDBOX_CALL_IF(fcntl, 1, F_SETFL, "non-blocking mode"),
		SANDBOX_CALL(timerfd_settime, "the next probe"),
		SANDBOX_CALL(getrandom, "source ports, sequence numbers, echo data"),
	};
	const struct msg *h = &s->greeting;
	char root[sizeof(h->hello.empty_root) + 1] = "";
	enum err e;

	memcpy(root, h->hello.empty_root, sizeof(h->hello.empty_root));
	e = sandbox_enter(root, h->hello.uid, h->hello.gid, m);
	if (e == ERR_OK)
		e = sandbox_filter(calls, sizeof(calls) / sizeof(calls[0]), m);
	return e;
}

/* Takes the set-up messages up to MSG_RUN. */
static enum err
set_up(struct sentinel *s, struct errmsg *m)
{
	while (!s->run) {
		struct msg in;
		int fds[LIMIT_MSG_FDS];
		unsigned nfds;
		enum err e = chan_recv_blocking(s->chan_fd, &in, fds, &nfds, m);

		if (e == ERR_OK)
			e = take(s, &in, fds, nfds, m);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

static enum err
sentinel_init(struct sentinel *s, int fd, struct errmsg *m)
{
	static const struct probe_ops ops = { .send = on_send, .report = on_report, .sign = on_sign,
	    .random = on_random };
	static const struct park_ops park_ops = { .port = on_port_send, .give = on_give,
	    .unlink = on_unlink, .tell = on_tell, .random = on_random };
	uint32_t mark[WIRES_MARK / sizeof(uint32_t)] = { on_random(s), on_random(s) };

	s->chan_fd = fd;
	s->timer_fd = -1;
	s->base = event_base_new();
	s->probes = probe_set_new(&ops, s);
	s->parked = park_set_new(&park_ops, s);
	s->wires = s->base != NULL ? wires_new(s->base, on_wires, s) : NULL;
	if (s->probes == NULL || s->wires == NULL)
		return err_set(m, ERR_NOMEM, "start: %s", err_str(ERR_NOMEM));
	wires_sets(s->wires, s->probes, s->parked, (const uint8_t *)mark);
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->timer_fd < 0)
		return err_sys(m, "timerfd_create");
	s->ev_timer = event_new(s->base, s->timer_fd, EV_READ | EV_PERSIST, on_timer, s);
	if (s->ev_timer == NULL || event_add(s->ev_timer, NULL) != 0)
		return err_set(m, ERR_NOMEM, "start: %s", err_str(ERR_NOMEM));
	return ERR_OK;
}

static void
sentinel_clear(struct sentinel *s)
{
	probe_set_free(s->probes);
	wires_free(s->wires);
	park_set_free(s->parked);
	if (s->ev_timer != NULL)
		event_free(s->ev_timer);
	if (s->timer_fd >= 0)
		close(s->timer_fd);
	if (s->chan != NULL)
		chan_free(s->chan);
	else if (s->chan_fd >= 0)
		close(s->chan_fd);
	if (s->base != NULL)
		event_base_free(s->base);
}

/* Confines itself and serves until the channel closes. */
static enum err
serve(struct sentinel *s, struct errmsg *m)
{
	struct msg running = { .type = MSG_RUNNING };
	int fd = s->chan_fd;
	enum err e;

	s->chan = chan_new(s->base, fd, on_message, on_lost, s);
	s->chan_fd = -1;
	if (s->chan == NULL)
		return err_set(m, ERR_NOMEM, "channel: %s", err_str(ERR_NOMEM));
	chan_log(s->chan);
	e = confine(s, fd, m);
	if (e == ERR_OK)
		e = chan_send(s->chan, &running, NULL, 0);
	if (e != ERR_OK)
		return e;
	timer_set(s);
	if (event_base_dispatch(s->base) < 0)
		return err_set(m, ERR_STATE, "the event loop failed");
	return ERR_OK;
}

int
sentinel_main(int fd)
{
	static struct sentinel s;
	struct errmsg m = { "" };
	enum err e;

	memset(&s, 0, sizeof(s));
	e = sentinel_init(&s, fd, &m);
	if (e == ERR_OK)
		e = set_up(&s, &m);
	if (e == ERR_OK)
		e = serve(&s, &m);
	if (e == ERR_IO)   /* the warden is gone: not our failure */
		log_debug("%s", m.text);
	else if (e != ERR_OK)
		log_err("%s", m.text);
	sentinel_clear(&s);
	return e == ERR_OK || e == ERR_IO ? 0 : 1;
}
