/* ready: READY, once both children that serve run, and the state that systemd shows. */
#include "src/warden/state.h"

#include <stdio.h>

#include "base/log.h"
#include "src/process/process.h"
#include "src/warden/record.h"

#define ZONES_TEXT 100

/* ", 2 of them not served and 1 with old contents", or nothing. */
static void
zones_text(const struct generation_zones *n, char buf[ZONES_TEXT])
{
	buf[0] = '\0';
	if (n->failed > 0 || n->old > 0)
		snprintf(buf, ZONES_TEXT, ", %u of them not served and %u with old contents",
		    n->failed, n->old);
}

void
ready_tell(const struct warden *w)
{
	struct generation_zones n;
	char bad[ZONES_TEXT], text[200];

	generation_zones_count(w->gen, &n);
	zones_text(&n, bad);
	snprintf(
	    text, sizeof(text), "READY=1\nSTATUS=%u zones%s, %u units", n.all, bad, w->units.count);
	notify_send(text);
}

/* Whoever started us may go on: both are confined, and queries are answered. */
static void
serve_begun(struct warden *w)
{
	struct generation_zones n;
	char bad[ZONES_TEXT];

	w->ready = true;
	record_event(w, "", "start", JITSU_VERSION);
	daemonize_ready();
	if (!w->foreground)
		log_init("warden", LOG_TO_SYSLOG, (enum log_level)w->child_conf.log_level);
	ready_tell(w);
	generation_zones_count(w->gen, &n);
	zones_text(&n, bad);
	log_info(
	    "jitsud %s serves %u zones%s, %u units", JITSU_VERSION, n.all, bad, w->units.count);
}

void
ready_child_runs(struct warden *w)
{
	if (!w->ready && w->dns.ran && w->sentinel.ran)
		serve_begun(w);
}

void
ready_child_gone(struct warden *w, const struct child *c, const char *why)
{
	if (!c->ran && !w->stopping && c->restarts + 1 >= LIMIT_CHILD_FIRST_STARTS)
		fatal("the %s process ended %u times before it served, as said above: jitsud does "
		    "not start",
		    c->name, c->restarts + 1);
	if (!w->stopping && c->told)
		record_event(w, "", "restart", why);
}
