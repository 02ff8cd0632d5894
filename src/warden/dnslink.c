/* dnslink: messages to the DNS process. */
#include "src/warden/dnslink.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memfd.h"
#include "src/warden/passive.h"
#include "src/warden/timer.h"

static void
send_conf(struct warden *w, const struct config *conf)
{
	const struct config_limits *l = &conf->limits;
	struct msg m = { .type = MSG_DNS_CONF, .dns_conf = { .workers = w->sockets.workers,
		.held_per_unit = l->held_per_unit, .held_total = l->held_total,
		.tcp_clients = l->tcp_clients, .tcp_idle_ms = l->tcp_idle_ms,
		.udp_payload = l->udp_payload } };

	if (conf->nsid != NULL)
		strncpy(m.dns_conf.nsid, conf->nsid, sizeof(m.dns_conf.nsid) - 1);
	child_send(&w->dns, &m, NULL, 0);
}

void
dnslink_tune(struct warden *w)
{
	struct msg m = { .type = MSG_DNS_TUNE };

	if (w->gen == NULL || w->dns.chan == NULL)
		return;
	m.dns_tune.udp_wakes = w->gen->conf->limits.udp_wakes_per_minute;
	m.dns_tune.cookies = w->gen->cookies;
	for (unsigned i = 0; i < w->gen->conf->nproxies && i < LIMIT_PROXIES; i++)
		m.dns_tune.proxies.range[m.dns_tune.proxies.n++] = w->gen->conf->proxies[i];
	child_send(&w->dns, &m, NULL, 0);
	explicit_bzero(&m, sizeof(m));
}

static void
send_sockets(struct warden *w)
{
	const struct sockets *s = &w->sockets;

	for (unsigned k = 0; k < s->workers; k++) {
		for (unsigned done = 0; done < s->per_worker;) {
			unsigned left = s->per_worker - done;
			unsigned n = left > LIMIT_MSG_FDS ? LIMIT_MSG_FDS : left;
			struct msg m = { .type = MSG_SOCKETS,
				.sockets = { .worker = k, .count = n } };

			memcpy(m.sockets.kind, s->kinds + done, n);
			memcpy(m.sockets.wildcard, s->wildcards + done, n);
			child_send(&w->dns, &m, s->fds + k * s->per_worker + done, n);
			done += n;
		}
	}
}

/* A DNS process that was replaced may have begun wakes that the warden never heard of. */
static void
wakes_unheard(struct warden *w)
{
	uint64_t now_ns = clock_now_ns();
	const struct unit *u;

	UNIT_FOREACH(u, &w->units) {
		enum life_state s = life_state(&u->life);

		if (s != LIFE_BOOTING && s != LIFE_STOPPING)
			board_wake_end(&w->board, u->number, now_ns);
	}
}

void
dnslink_setup(struct warden *w)
{
	struct msg board = { .type = MSG_BOARD, .board = { .capacity = w->board.capacity } };

	wakes_unheard(w);
	send_conf(w, w->gen->conf);
	dnslink_tune(w);
	child_send(&w->dns, &board, w->board.fds, BOARD_FILES);
	passive_send(w);
	send_sockets(w);
	for (unsigned i = 0; i < w->gen->conf->nzones; i++)
		if (w->gen->zones[i].zimage != NULL)
			w->gen->zones[i].zimage->sent = false;
	dnslink_commit(w);
}

static void
send_zimage(struct warden *w, struct served_zimage *z)
{
	struct msg m = { .type = MSG_ZIMAGE,
		.zimage = { .id = z->id, .zones = dns_zimage_zones(z->view) } };

	if (z->sent)
		return;
	child_send(&w->dns, &m, &z->fd, 1);
	z->sent = true;
}

/* The unit number behind entry `i` of a zone's unit table; aliases lead to what they stand for. */
static uint32_t
unit_number(const struct warden *w, const struct config_zone *zone, uint32_t i)
{
	const struct unit_conf *uc = mapping_zone_unit(w->gen->mappings, zone, i);
	const struct unit *u = NULL;

	if (uc != NULL && !uc->refused)
		u = unit_by_name(&w->units, mapping_unit_target(uc)->name);
	return u != NULL ? u->number : MSG_UNIT_NONE;
}

/* Rows of struct msg_binding, the unit numbers behind them, and the zones that are not loaded. */
static void
fill_bindings(const struct warden *w, unsigned char *map, uint32_t rows)
{
	struct msg_binding *b = (struct msg_binding *)(void *)map;
	uint32_t *numbers = (uint32_t *)(void *)(map + rows * sizeof(*b));
	uint32_t next = 0;
	char *absent;

	for (unsigned i = 0; i < w->gen->conf->nzones; i++) {
		const struct served_zone *z = &w->gen->zones[i];

		if (z->zimage == NULL)
			continue;
		*b++ = (struct msg_binding){ .zimage = z->zimage->id, .zone = z->index,
			.nunits = z->nunits, .first_unit = next };
		for (uint32_t k = 0; k < z->nunits; k++)
			numbers[next++] = unit_number(w, &w->gen->conf->zones[i], k);
	}
	absent = (char *)(numbers + next);
	for (unsigned i = 0; i < w->gen->conf->nzones; i++)
		if (w->gen->zones[i].zimage == NULL)
			absent = stpcpy(absent, w->gen->zones[i].origin) + 1;
}

/* A sealed memory file with these bytes. */
static enum err
write_bindings(const unsigned char *buf, size_t size, int *fd, struct errmsg *why)
{
	enum err e = memfd_create_open("jitsu-bindings", fd, why);

	if (e != ERR_OK)
		return e;
	for (size_t done = 0; done < size && e == ERR_OK;) {
		ssize_t n = write(*fd, buf + done, size - done);

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
	return e;
}

static enum err
make_bindings(const struct warden *w, struct msg *m, int *fd, struct errmsg *why)
{
	uint32_t rows = 0, units = 0, absent = 0;
	unsigned char *buf;
	size_t size;
	enum err e;

	for (unsigned i = 0; i < w->gen->conf->nzones; i++) {
		if (w->gen->zones[i].zimage == NULL) {
			absent += (uint32_t)strlen(w->gen->zones[i].origin) + 1;
			continue;
		}
		rows++;
		units += w->gen->zones[i].nunits;
	}
	size = rows * sizeof(struct msg_binding) + units * sizeof(uint32_t) + absent;
	buf = mem_zero(1, size + 1);   /* a memory file is never empty */
	fill_bindings(w, buf, rows);
	e = write_bindings(buf, size + 1, fd, why);
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

void
dnslink_commit(struct warden *w)
{
	struct msg m = { .type = MSG_COMMIT };
	struct errmsg why;
	int fd = -1;

	if (w->gen == NULL || w->dns.chan == NULL)
		return;
	for (unsigned i = 0; i < w->gen->conf->nzones; i++)
		if (w->gen->zones[i].zimage != NULL)
			send_zimage(w, w->gen->zones[i].zimage);
	if (make_bindings(w, &m, &fd, &why) != ERR_OK) {
		log_err("generation %llu is not served yet: %s", (unsigned long long)w->gen->number,
		    why.text);
		/* Descriptors have run out: the generation before is served meanwhile. */
		if (!w->commit_again)
			timer_once(w->base, 1000, on_commit_again, w);
		w->commit_again = true;
		return;
	}
	m.commit.generation = w->gen->number;
	child_send(&w->dns, &m, &fd, 1);
	close(fd);
}

void
dnslink_woken(struct warden *w, uint32_t unit, enum msg_wake_result result, unsigned ede)
{
	struct msg m = { .type = MSG_WOKEN, .unit = unit, .time_ns = clock_now_ns(),
		.woken = { .result = (uint32_t)result, .ede = ede } };

	board_wake_end(&w->board, unit, m.time_ns);
	child_send(&w->dns, &m, NULL, 0);
}
