/*
 * process: the child that lives for one load: it parses what people wrote, so it is confined before
 * it reads a byte of it.
 *
 * Zones are compiled as they are named once the child is confined, so that their descriptors do not
 * pile up.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/chan.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "dns/dns.h"
#include "dns/zone/zcompile.h"

#define OOM_FIRST "1000"

/* Memory, time, the channel and exit are added by sandbox_filter. */
static const struct sandbox_call calls[] = {
	SANDBOX_CALL(ftruncate, "the zimage grows"),
	SANDBOX_CALL(getrandom, "a seed for each zone's hash table; malloc's own"),
	SANDBOX_CALL(lseek, "libc ends its streams"),
	SANDBOX_CALL(sysinfo, "qsort of more than a kilobyte asks how much memory there is"),
};

/* A zone that was named. */
struct named {
	STAILQ_ENTRY(named) next;
	struct msg msg;
	int fd, units_fd;          /* units_fd is -1 without */
};

struct zones {
	int fd;                    /* the channel */
	struct msg hello;
	STAILQ_HEAD(, named) named;
	struct zout out;
	struct dns_zone_limits limits;
	bool confined, compile, greeted;
	uint32_t loaded, failed, findings;
};

static enum err
send_msg(const struct zones *z, const struct msg *m, const int *fds, unsigned nfds)
{
	struct errmsg why;
	enum err e = chan_send_blocking(z->fd, m, fds, nfds, &why);

	if (e != ERR_OK)
		log_err("%s", why.text);
	return e;
}

/* The first zone that was named is done with, or not wanted any more. */
static void
named_drop(struct zones *z)
{
	struct named *n = STAILQ_FIRST(&z->named);

	STAILQ_REMOVE_HEAD(&z->named, next);
	close(n->fd);
	if (n->units_fd >= 0)
		close(n->units_fd);
	free(n);
}

/* ---- what the warden says ---- */

static enum err
on_hello(struct zones *z, const struct msg *m)
{
	z->hello = *m;
	z->hello.hello.empty_root[sizeof(z->hello.hello.empty_root) - 1] = '\0';
	z->greeted = true;
	log_init("zones", LOG_TO_STDERR, (enum log_level)m->hello.log_level);
	return ERR_OK;
}

static enum err
on_run(struct zones *z)
{
	struct errmsg why;
	enum err e;

	if (!z->greeted || z->confined)
		return ERR_PROTO;
	e = sandbox_enter(z->hello.hello.empty_root, z->hello.hello.uid, z->hello.hello.gid, &why);
	if (e == ERR_OK)
		e = sandbox_filter(calls, sizeof(calls) / sizeof(calls[0]), &why);
	z->confined = e == ERR_OK;
	if (z->confined)
		return send_msg(z, &(struct msg){ .type = MSG_RUNNING }, NULL, 0);
	log_err("%s", why.text);
	return e;
}

static enum err
on_zone(struct zones *z, const struct msg *m, int *fds, unsigned nfds)
{
	struct named *n;

	if (nfds != 1 && nfds != 2) {
		chan_close_fds(fds, nfds);
		return ERR_PROTO;
	}
	n = mem_zero(1, sizeof(*n));
	*n = (struct named){ .msg = *m, .fd = fds[0], .units_fd = nfds == 2 ? fds[1] : -1 };
	n->msg.zone.origin[sizeof(n->msg.zone.origin) - 1] = '\0';
	n->msg.zone.path[sizeof(n->msg.zone.path) - 1] = '\0';
	STAILQ_INSERT_TAIL(&z->named, n, next);
	return ERR_OK;
}

/* Any message but MSG_INCLUDE. */
static enum err
on_msg(struct zones *z, const struct msg *m, int *fds, unsigned nfds)
{
	if (m->type == MSG_ZONE)
		return on_zone(z, m, fds, nfds);
	chan_close_fds(fds, nfds);
	switch (m->type) {
	case MSG_HELLO:
		return on_hello(z, m);
	case MSG_RUN:
		return on_run(z);
	case MSG_COMPILE:
		z->compile = true;
		return ERR_OK;
	case MSG_ZONE_LIMITS:
		z->limits.memory_bytes = m->zone_limits.memory_bytes;
		z->limits.time_ms = m->zone_limits.time_ms;
		return ERR_OK;
	default:
		log_err("message %u is not for this process", m->type);
		return ERR_PROTO;
	}
}

/* The parser's $INCLUDE: the warden opens the file, or says why not. */
struct includer {
	struct zones *z;
	uint32_t index;
	enum err lost;             /* the channel broke meanwhile */
};

static int
include_ask(void *arg, const char *path, bool *shown, struct errmsg *why)
{
	struct includer *in = arg;
	struct msg m = { .type = MSG_WANT_INCLUDE, .include.index = in->index };
	int fds[LIMIT_MSG_FDS];
	unsigned nfds;

	if (in->lost != ERR_OK || strlen(path) >= sizeof(m.include.path)) {
		(void)err_set(why, ERR_RANGE, "its name is longer than %zu bytes",
		    sizeof(m.include.path) - 1);
		return -1;
	}
	memcpy(m.include.path, path, strlen(path) + 1);
	in->lost = send_msg(in->z, &m, NULL, 0);
	while (in->lost == ERR_OK &&
	    (in->lost = chan_recv_blocking(in->z->fd, &m, fds, &nfds, why)) == ERR_OK &&
	    m.type != MSG_INCLUDE)
		in->lost = on_msg(in->z, &m, fds, nfds);
	if (in->lost != ERR_OK)
		return -1;
	if (nfds == 1 && m.include.index == in->index) {
		*shown = m.include.shown != 0;
		return fds[0];
	}
	chan_close_fds(fds, nfds);
	m.include.path[sizeof(m.include.path) - 1] = '\0';
	(void)err_set(why, ERR_PERM, "%s", m.include.path);
	return -1;
}

/* ---- zones ---- */

/* One finding.  Too many are left out, but for the first of a zone, which is shown with it. */
static enum err
send_finding(struct zones *z, uint32_t index, const struct report_line *l, bool first)
{
	struct msg m = { .type = MSG_FINDING, .finding = { .index = index, .line = l->line } };

	if (z->findings >= LIMIT_REPORT_LINES && !first)
		return ERR_OK;
	z->findings++;
	/* cut where too long */
	(void)snprintf(m.finding.file, sizeof(m.finding.file), "%s", l->file ? l->file : "");
	(void)snprintf(m.finding.text, sizeof(m.finding.text), "%s", l->text ? l->text : "");
	return send_msg(z, &m, NULL, 0);
}

/* The first lines of each zone's report, so that one bad zone does not hide the others. */
#define FINDINGS_PER_ZONE 20

static enum err
send_findings(struct zones *z, uint32_t index, const struct report *r)
{
	struct report_line more = { .file = r->nlines > 0 ? r->lines[0].file : NULL };
	char text[64];
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < r->nlines && i < FINDINGS_PER_ZONE && e == ERR_OK; i++)
		e = send_finding(z, index, &r->lines[i], i == 0);
	if (e != ERR_OK || r->nerrors <= i)
		return e;
	(void)snprintf(text, sizeof(text), "and %zu more", r->nerrors - i);   /* fits */
	more.text = text;
	return send_finding(z, index, &more, false);
}

static enum err
compile_one(struct zones *z, const struct named *n)
{
	struct includer in = { .z = z, .index = n->msg.zone.index };
	char units[sizeof(n->msg.zone.path) + 16];
	struct zcompile c = {
		.origin = n->msg.zone.origin, .path = n->msg.zone.path, .units_path = units,
		.fd = n->fd, .units_fd = n->units_fd, .index = n->msg.zone.index,
		.include = include_ask, .arg = &in,
		.shown = n->msg.zone.shown != 0, .units_shown = n->msg.zone.units_shown != 0,
	};
	struct msg compiling = { .type = MSG_COMPILING, .compiling.index = in.index };
	struct report r;
	enum err e;

	if ((e = send_msg(z, &compiling, NULL, 0)) != ERR_OK)
		return e;
	zbudget_init(&c.budget, c.origin, z->limits.memory_bytes, z->limits.time_ms);
	(void)snprintf(units, sizeof(units), "%s" MSG_ZONE_UNITS, n->msg.zone.path);   /* fits */
	report_init(&r);
	e = zcompile_zone(&c, &z->out, &r);
	z->loaded += e == ERR_OK;
	z->failed += e != ERR_OK;
	/* Another zone than its signer made; but serving what there is beats serving nothing. */
	if (e == ERR_OK && c.lone_sigs > 0)
		log_warn("zone %s: %u RRSIG records sign nothing in the zone and are not served; "
		    "`jitsud -n' names them", c.origin, c.lone_sigs);
	if (in.lost == ERR_OK)
		in.lost = send_findings(z, c.index, &r);
	report_clear(&r);
	return in.lost;
}

static enum err
send_compiled(struct zones *z)
{
	struct msg m = { .type = MSG_COMPILED,
		.compiled = { .loaded = z->loaded, .failed = z->failed } };
	struct errmsg why;
	int fd = -1;
	enum err e;

	if (z->loaded > 0 && (e = zout_finish(&z->out, &fd, &why)) != ERR_OK) {
		log_err("%s", why.text);
		return e;
	}
	e = send_msg(z, &m, &fd, fd >= 0 ? 1 : 0);
	if (fd >= 0)
		close(fd);
	return e;
}

/* Where memory is short, the kernel ends this process first: the others can do without a load. */
static void
go_first(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, OOM_FIRST, sizeof(OOM_FIRST) - 1);   /* without it, the kernel chooses */
	close(fd);
}

int
zones_main(int fd)
{
	struct zones z = { .fd = fd, .out = { .fd = -1 } };
	int fds[LIMIT_MSG_FDS];
	struct errmsg why;
	struct msg m;
	unsigned nfds;
	enum err e;

	/* The warden goes before others; a load, which may take seconds, does not. */
	if (getpriority(PRIO_PROCESS, 0) < 0)
		(void)setpriority(PRIO_PROCESS, 0, 0);
	go_first();
	STAILQ_INIT(&z.named);
	e = zout_open(&z.out, &why);
	while (e == ERR_OK && !(z.compile && z.confined && STAILQ_EMPTY(&z.named))) {
		if ((e = chan_recv_blocking(fd, &m, fds, &nfds, &why)) == ERR_OK)
			e = on_msg(&z, &m, fds, nfds);
		for (; e == ERR_OK && z.confined && !STAILQ_EMPTY(&z.named); named_drop(&z))
			e = compile_one(&z, STAILQ_FIRST(&z.named));
	}
	if (e == ERR_OK)
		e = send_compiled(&z);
	while (!STAILQ_EMPTY(&z.named))
		named_drop(&z);
	zout_close(&z.out);
	return e == ERR_OK ? 0 : 1;
}
