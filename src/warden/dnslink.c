/* dnslink: the warden's end of the channel to the DNS process. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memfd.h"
#include "src/warden/record.h"
#include "src/warden/warden.h"

static void
send_conf(struct warden *w, const struct config *conf)
{
	struct msg m = { .type = MSG_DNS_CONF };

	m.dns_conf.workers = w->sockets.workers;
	m.dns_conf.held_per_unit = conf->limits.held_per_unit;
	m.dns_conf.held_total = conf->limits.held_total;
	m.dns_conf.tcp_clients = conf->limits.tcp_clients;
	m.dns_conf.tcp_idle_ms = conf->limits.tcp_idle_ms;
	m.dns_conf.udp_payload = conf->limits.udp_payload;
	if (conf->nsid != NULL)
		strncpy(m.dns_conf.nsid, conf->nsid, sizeof(m.dns_conf.nsid) - 1);
	child_send(&w->dns, &m, NULL, 0);
}

void
dnslink_tune(struct warden *w)
{
	struct msg m = { .type = MSG_DNS_TUNE };

	_Static_assert(sizeof(m.dns_tune.cookie_secret) == sizeof(w->cookies.secret), "the same secrets");
	if (w->gen == NULL || w->dns.chan == NULL)
		return;
	m.dns_tune.udp_wakes = w->gen->conf->limits.udp_wakes_per_minute;
	m.dns_tune.cookie_secrets = w->cookies.n;
	memcpy(m.dns_tune.cookie_secret, w->cookies.secret, sizeof(m.dns_tune.cookie_secret));
	for (unsigned i = 0; i < w->gen->conf->nproxies && i < LIMIT_PROXIES; i++) {
		m.dns_tune.proxy[i].first = w->gen->conf->proxies[i].first;
		m.dns_tune.proxy[i].last = w->gen->conf->proxies[i].last;
		m.dns_tune.proxies++;
	}
	child_send(&w->dns, &m, NULL, 0);
	explicit_bzero(&m, sizeof(m));
}

static void
send_sockets(struct warden *w)
{
	const struct sockets *s = &w->sockets;

	for (unsigned k = 0; k < s->workers; k++) {
		for (unsigned done = 0; done < s->per_worker;) {
			struct msg m = { .type = MSG_SOCKETS };
			unsigned n = s->per_worker - done > LIMIT_MSG_FDS ? LIMIT_MSG_FDS : s->per_worker - done;

			m.sockets.worker = k;
			m.sockets.count = n;
			memcpy(m.sockets.kind, s->kinds + done, n);
			memcpy(m.sockets.wildcard, s->wildcards + done, n);
			child_send(&w->dns, &m, s->fds + k * s->per_worker + done, n);
			done += n;
		}
	}
}

/*
 * A DNS process that was replaced may have begun a wake of which the warden never heard: where no
 * wake goes on, none has begun.  Where one does, the new process keeps to its deadline.
 */
static void
wakes_unheard(struct warden *w)
{
	uint64_t now_ns = clock_now_ns();

	for (uint32_t i = 0; i < w->units.next; i++) {
		struct unit *u = unit_by_number(&w->units, i);
		enum life_state s = u != NULL ? life_state(&u->life) : LIFE_BOOTING;

		if (s != LIFE_BOOTING && s != LIFE_STOPPING)
			board_wake_end(&w->board, i, now_ns);
	}
}

static enum err
setup(struct child *c, struct errmsg *m)
{
	struct warden *w = c->arg;
	struct msg board = { .type = MSG_BOARD };
	int fds[3];

	(void)m;
	wakes_unheard(w);
	send_conf(w, w->gen->conf);
	dnslink_tune(w);
	board_fds(&w->board, fds);
	board.board.capacity = w->board.capacity;
	child_send(c, &board, fds, 3);
	send_sockets(w);
	for (unsigned i = 0; i < w->gen->conf->nzones; i++)
		if (w->gen->zones[i].image != NULL)
			w->gen->zones[i].image->sent = false;
	dnslink_commit(w);
	return ERR_OK;
}

static void
send_image(struct warden *w, struct image *img)
{
	struct msg m = { .type = MSG_IMAGE };

	if (img->sent)
		return;
	m.image.id = img->id;
	m.image.zones = dns_image_zones(img->view);
	child_send(&w->dns, &m, &img->fd, 1);
	img->sent = true;
}

/* The unit number behind entry `i` of a zone's unit table; aliases lead to what they stand for. */
static uint32_t
unit_number(const struct warden *w, const struct config_zone *zone, uint32_t i)
{
	const struct unit_conf *uc = mapping_zone_unit(w->gen->mappings, zone, i);
	const struct unit *u = uc != NULL && !uc->refused ? unit_by_name(&w->units, mapping_unit_target(uc)->name) : NULL;

	return u != NULL ? u->number : MSG_UNIT_NONE;
}

/* Rows of struct msg_binding, the unit numbers behind them, and the zones that are not loaded. */
static enum err
fill_bindings(const struct warden *w, unsigned char *map, uint32_t rows)
{
	struct msg_binding *b = (struct msg_binding *)(void *)map;
	uint32_t *numbers = (uint32_t *)(void *)(map + rows * sizeof(*b));
	uint32_t next = 0;
	char *absent;

	for (unsigned i = 0; i < w->gen->conf->nzones; i++) {
		const struct served_zone *z = &w->gen->zones[i];

		if (z->image == NULL)
			continue;
		*b++ = (struct msg_binding){ .image = z->image->id, .zone = z->index, .nunits = z->nunits, .first_unit = next };
		for (uint32_t k = 0; k < z->nunits; k++)
			numbers[next++] = unit_number(w, &w->gen->conf->zones[i], k);
	}
	absent = (char *)(numbers + next);
	for (unsigned i = 0; i < w->gen->conf->nzones; i++)
		if (w->gen->zones[i].image == NULL)
			absent = stpcpy(absent, w->gen->zones[i].origin) + 1;
	return ERR_OK;
}

static enum err
make_bindings(const struct warden *w, struct msg *m, int *fd, struct errmsg *why)
{
	uint32_t rows = 0, units = 0, absent = 0;
	unsigned char *buf = NULL;
	size_t size;
	enum err e;

	for (unsigned i = 0; i < w->gen->conf->nzones; i++) {
		if (w->gen->zones[i].image == NULL) {
			absent += (uint32_t)strlen(w->gen->zones[i].origin) + 1;
			continue;
		}
		rows++;
		units += w->gen->zones[i].nunits;
	}
	size = rows * sizeof(struct msg_binding) + units * sizeof(uint32_t) + absent;
	buf = calloc(1, size + 1);   /* a memory file is never empty */
	if (buf == NULL)
		return err_set(why, ERR_NOMEM, "bindings: %s", err_str(ERR_NOMEM));
	(void)fill_bindings(w, buf, rows);
	if ((e = memfd_create_open("jitsu-bindings", fd, why)) == ERR_OK) {
		for (size_t done = 0; done < size + 1 && e == ERR_OK;) {
			ssize_t n = write(*fd, buf + done, size + 1 - done);

			if (n < 0)
				e = err_sys(why, "bindings");
			else
				done += (size_t)n;
		}
		if (e == ERR_OK)
			e = memfd_seal_all(*fd, why);
		if (e != ERR_OK) {
			close(*fd);
			*fd = -1;
		}
	}
	free(buf);
	m->commit.bindings = rows;
	m->commit.units = units;
	m->commit.absent = absent;
	return e;
}

static void
on_commit_again(evutil_socket_t fd, short what, void *arg)
{
	struct warden *w = arg;

	(void)fd;
	(void)what;
	w->commit_again = false;
	dnslink_commit(w);
}

/* Descriptors or memory have run out: what is served meanwhile is the generation before. */
static void
commit_later(struct warden *w)
{
	static const struct timeval soon = { 1, 0 };

	if (!w->commit_again)
		w->commit_again = event_base_once(w->base, -1, EV_TIMEOUT, on_commit_again, w, &soon) == 0;
}

void
dnslink_commit(struct warden *w)
{
	struct msg m = { .type = MSG_COMMIT };
	struct errmsg why;
	int fd = -1;

	if (w->gen == NULL || w->dns.chan == NULL)
		return;
	for (unsigned i = 0; i < w->gen->conf->nzones; i++)
		if (w->gen->zones[i].image != NULL)
			send_image(w, w->gen->zones[i].image);
	if (make_bindings(w, &m, &fd, &why) != ERR_OK) {
		log_err("generation %llu is not served yet: %s", (unsigned long long)w->gen->number, why.text);
		commit_later(w);
		return;
	}
	m.commit.generation = w->gen->number;
	child_send(&w->dns, &m, &fd, 1);
	close(fd);
}

void
dnslink_woken(struct warden *w, uint32_t unit, enum msg_wake_result result, unsigned ede)
{
	struct msg m = { .type = MSG_WOKEN, .unit = unit };

	m.time_ns = clock_now_ns();
	board_wake_end(&w->board, unit, m.time_ns);
	m.woken.result = (uint32_t)result;
	m.woken.ede = ede;
	child_send(&w->dns, &m, NULL, 0);
}

static void
on_wake(struct warden *w, const struct msg *m)
{
	struct unit *u = unit_by_number(&w->units, m->unit);

	if (u == NULL || u->leaving) {
		dnslink_woken(w, m->unit, WAKE_GONE, 0);
		return;
	}
	if (w->stopping) {   /* with on-exit = "stop" the loop still runs */
		dnslink_woken(w, m->unit, WAKE_REFUSED, MSG_EDE_NOT_READY);
		return;
	}
	/* It crossed the end of its wake, which answers it; a query that is held is asked for again and again. */
	if (m->time_ns != 0 && board_wake_over(&w->board, m->unit, m->time_ns))
		return;
	wake_request(w, u, LIFE_BY_QUERY, m->time_ns);
}

static void
on_answered(struct warden *w, const struct msg *m)
{
	struct unit *u = unit_by_number(&w->units, m->unit);

	if (m->answered.answers == 0 || m->answered.expired > 1 || m->answered.first_query_ns > m->time_ns || m->time_ns > clock_now_ns())
		child_kill(&w->dns, "it answered nothing, or before it was asked");
	else if (u != NULL)
		wake_answered(w, u, m->answered.first_query_ns, m->time_ns, m->answered.answers, m->answered.expired != 0);
}

static void
on_message(struct child *c, const struct msg *m, int *fds, unsigned nfds)
{
	struct warden *w = c->arg;

	chan_close_fds(fds, nfds);   /* it has no descriptors to give */
	if (m->type != MSG_COMMITTED && m->unit >= w->units.next) {
		child_kill(c, "it named a unit that never was");
		return;
	}
	switch (m->type) {
	case MSG_WAKE:
		on_wake(w, m);
		break;
	case MSG_ANSWERED:
		on_answered(w, m);
		break;
	case MSG_COMMITTED:
		log_debug("generation %llu is served", (unsigned long long)m->commit.generation);
		w->served = m->commit.generation;
		if (w->gen != NULL && w->served >= w->gen->number)
			loader_served(w);
		break;
	default:
		child_kill(c, "a message that is not for the warden");
		break;
	}
}

static void
on_running(struct child *c)
{
	warden_child_runs(c->arg);
}

static void
on_gone(struct child *c, const char *why)
{
	struct warden *w = c->arg;

	warden_child_gone(w, c);
	if (!w->stopping && c->told)
		record_event(w, "", "restart", why);
	loader_served(w);
}

static const struct child_ops ops = { .setup = setup, .message = on_message, .running = on_running, .gone = on_gone };

void
dnslink_init(struct warden *w)
{
	child_init(&w->dns, ROLE_DNS, w->base, &w->child_conf, &ops, w);
}
