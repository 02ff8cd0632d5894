/* ready: READY, once both children that serve run, and the state that systemd shows. */
#include "src/warden/state.h"

#include <stdio.h>

#include "base/log.h"
#include "src/warden/record.h"

/* `lead`, then "5 zones, 2 of them not served and 1 with old contents, 7 units". */
static void
zones_text(const struct warden *w, char *buf, size_t size, const char *lead)
{
	struct generation_zones n;
	char bad[100] = "";

	generation_zones_count(w->gen, &n);
	if (n.failed > 0 || n.old > 0)
		snprintf(bad, sizeof(bad), ", %u of them not served and %u with old contents",
		    n.failed, n.old);
	snprintf(buf, size, "%s%u zones%s, %u units", lead, n.all, bad, w->units.count);
}

void
ready_tell(const struct warden *w)
{
	char text[200];

	zones_text(w, text, sizeof(text), "READY=1\nSTATUS=");
	notify_send(text);
}

/* Whoever started us may go on: both are confined, and queries are answered. */
static void
serve_begun(struct warden *w)
{
	char text[200];

	w->ready = true;
	record_event(w, "", "start", JITSU_VERSION);
	daemonize_ready();
	if (!w->foreground)
		log_init("warden", LOG_TO_SYSLOG, (enum log_level)w->child_conf.log_level);
	ready_tell(w);
	zones_text(w, text, sizeof(text), "");
	log_info("jitsud %s serves %s", JITSU_VERSION, text);
}

void
ready_child_runs(struct child *c)
{
	struct warden *w = c->arg;

	if (!w->ready && w->dns.ran && w->sentinel.ran)
		serve_begun(w);
}

void
ready_child_gone(struct child *c, const char *why)
{
	struct warden *w = c->arg;

	if (!c->ran && !w->stopping && c->restarts + 1 >= LIMIT_CHILD_FIRST_STARTS)
		fatal("the %s process ended %u times before it served, as said above: jitsud does "
		    "not start", c->name, c->restarts + 1);
	if (!w->stopping && c->told)
		record_event(w, "", "restart", why);
}
