/*
 * why: the verb `why`: what keeps a unit up, what woke it, when it sleeps, or what it waits for.
 *
 * The answer is a sentence, and a row for each reason.  What keeps a unit awake longest is the
 * sentence's.  Of a unit that is awake the payload counters are read first, as at its deadline.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "src/warden/show.h"
#include "src/warden/wake.h"

#define SENTENCE (2 * LIMIT_NAME_TEXT + 400)
#define SPAN_TEXT 32

/* An answer that is being made. */
struct why {
	const struct warden *w;
	const struct unit *u;
	uint64_t now_ms;
	json_t *rows;
	uint64_t until_ms;         /* of what keeps it awake longest; LIFE_NEVER: not known */
	char reason[SENTENCE];     /* and what that is */
	char text[2 * SENTENCE];
	const char *counters;      /* why they could not be read; NULL: they could */
	uint64_t bytes;            /* of its packets; */
	const struct vm_flow *flows;
	unsigned nflows;           /* of which VM_FLOWS at most are there */
};

/* ---- words ---- */

/* "12 s", "3m05s", "2h10m". */
static const char *
span_text(uint64_t ms, char text[SPAN_TEXT])
{
	unsigned long long s = ms / MS_PER_S;

	if (ms < 10 * MS_PER_S)
		snprintf(text, SPAN_TEXT, "%.1f s", (double)ms / MS_PER_S);
	else if (s < 60)
		snprintf(text, SPAN_TEXT, "%llu s", s);
	else if (s < 3600)
		snprintf(text, SPAN_TEXT, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, SPAN_TEXT, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(text, SPAN_TEXT, "%llud%02lluh", s / 86400, s / 3600 % 24);
	return text;
}

#define SPAN(ms) span_text((ms), (char[SPAN_TEXT]){ "" })

static uint64_t
since(const struct why *y, uint64_t ms)
{
	return y->now_ms > ms ? y->now_ms - ms : 0;
}

static void __attribute__((format(printf, 2, 3)))
say(struct why *y, const char *fmt, ...)
{
	size_t used = strlen(y->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(y->text + used, sizeof(y->text) - used, fmt, ap);
	va_end(ap);
}

/* ---- rows ---- */

/* at_ms: when it was, 0 = not known; until_ms: when it ends, 0 or LIFE_NEVER: that is not known. */
static void
row(struct why *y, const char *kind, const char *what, uint64_t at_ms, uint64_t until_ms)
{
	bool ends = until_ms > y->now_ms && until_ms != LIFE_NEVER;
	json_t *j = json_pack("{s:s, s:o, s:o, s:o}", "kind", kind, "what", show_text(what),
	    "age_s", at_ms != 0 ? json_real((double)since(y, at_ms) / MS_PER_S) : json_null(),
	    "left_s", ends ? json_real((double)(until_ms - y->now_ms) / MS_PER_S) : json_null());

	(void)json_array_append_new(y->rows, j);
}

/* Adds a member to the last row. */
static void
row_set(struct why *y, const char *key, json_t *value)
{
	(void)json_object_set_new(
	    json_array_get(y->rows, json_array_size(y->rows) - 1), key, value);
}

/* What keeps it awake until then, if nothing else does longer; `fmt` is a clause. */
static void __attribute__((format(printf, 3, 4)))
keeps(struct why *y, uint64_t until_ms, const char *fmt, ...)
{
	va_list ap;

	if (y->reason[0] != '\0' && until_ms <= y->until_ms)
		return;
	y->until_ms = until_ms;
	va_start(ap, fmt);
	vsnprintf(y->reason, sizeof(y->reason), fmt, ap);
	va_end(ap);
}

static uint64_t
after(uint64_t at_ms, uint32_t ms)
{
	return ms == 0 ? LIFE_NEVER : at_ms + ms;
}

/* ---- who woke it ---- */

/* "by a query", "since app.example.test needs it", ...; "" when that is not known. */
static const char *
woken_text(const struct why *y, char text[SENTENCE])
{
	static const char *const causes[] = { [LIFE_BY_QUERY] = "by a query",
		[LIFE_BY_PACKET] = "by a packet", [LIFE_BY_OPERATOR] = "by an operator",
		[LIFE_BY_SCHEDULE] = "by its schedule" };
	const struct unit_run *r = y->u->run;
	const struct unit *other = r != NULL && r->woken_for != 0 ?
	    unit_by_number(&y->w->units, r->woken_for - 1) : NULL;
	char knock[SHOW_KNOCK], addr[ADDR_TEXT];

	text[0] = '\0';
	if (other != NULL) {
		snprintf(text, SENTENCE, "since %s needs it", other->name);
	} else if (show_knock(y->u, knock)) {
		snprintf(text, SENTENCE, "by a %s", knock);
	} else if (r != NULL && r->woken_by == LIFE_BY_QUERY && r->client.family != 0) {
		addr_text(&r->client, addr);
		snprintf(text, SENTENCE, "by a query of %s", addr);
	} else if (r != NULL && r->woken_by < sizeof(causes) / sizeof(causes[0]) &&
	    causes[r->woken_by] != NULL) {
		snprintf(text, SENTENCE, "%s", causes[r->woken_by]);
	}
	return text;
}

static void
say_woken(struct why *y)
{
	const struct unit_run *r = y->u->run;
	uint64_t at_ms = r != NULL ? r->trace.query_ns / NS_PER_MS : 0;
	char text[SENTENCE];

	if (woken_text(y, text)[0] == '\0' || at_ms == 0)
		return;
	say(y, ", woken %s %s ago", text, SPAN(since(y, at_ms)));
	row(y, "woken", text, at_ms, 0);
}

/* ---- its hours ---- */

/* How long they go on, or until they begin: what is said of that; false: it has none. */
static bool
hours(struct why *y, uint64_t *edge_ms)
{
	const struct config_schedule *s = y->u->conf->policy.schedule;
	char all[SENTENCE] = "", one[CONFIG_HOURS_TEXT];
	time_t now = time(NULL), edge;

	if (s == NULL)
		return false;
	(void)config_schedule_at(s, now, &edge);   /* u->scheduled: as was acted upon */
	for (unsigned i = 0; i < s->n; i++) {
		config_hours_text(&s->at[i], one);
		text_join(all, sizeof(all), ", ", "%s", one);
	}
	*edge_ms = y->now_ms + (edge > now ? (uint64_t)(edge - now) * MS_PER_S : 0);
	row(y, "schedule", all, 0, *edge_ms);
	return true;
}

/* ---- awake ---- */

/* Units that are up and need it, as needs_used. */
static void
why_needed(struct why *y)
{
	const struct unit *x;

	UNIT_FOREACH(x, &y->w->units) {
		if (!needs_uses(x, y->u))
			continue;
		row(y, "needed", x->name, 0, 0);
		keeps(y, LIFE_NEVER, "%s needs it, and is %s", x->name,
		    life_state_text(life_state(&x->life)));
	}
}

static void
why_payload(struct why *y, uint64_t at_ms, uint32_t idle_ms)
{
	uint64_t below = y->u->conf->policy.idle_below;
	char text[SENTENCE] = "";

	if (CONFIG_RATE_BYTES(below) != 0)
		snprintf(text, sizeof(text), "beyond %u bytes in %s", CONFIG_RATE_BYTES(below),
		    CONFIG_RATE_S(below) == 1 ? "a second" : CONFIG_RATE_S(below) == 60 ?
		    "a minute" : "an hour");
	if (y->counters != NULL) {
		row(y, "payload", y->counters, 0, 0);
		return;
	}
	if (at_ms == 0 && y->bytes == 0)
		return;
	row(y, "payload", text, at_ms, after(at_ms, idle_ms));
	row_set(y, "bytes", json_integer((json_int_t)y->bytes));
	if (at_ms != 0)
		keeps(y, after(at_ms, idle_ms), "payload passed %s ago", SPAN(since(y, at_ms)));
}

/* What counted as use when it was looked at: its wake, who needed it, an open connection. */
static void
why_used(struct why *y, uint64_t known_ms, uint32_t idle_ms)
{
	uint64_t used_ms = y->u->life.last_use_ms, up_ms = y->u->life.awake_since_ms;

	/* A query or packet that is known is noted a little later there. */
	if (used_ms <= (known_ms > up_ms ? known_ms : up_ms) + MS_PER_S)
		return;
	row(y, "used", NULL, used_ms, after(used_ms, idle_ms));
	keeps(y, after(used_ms, idle_ms), "it was found in use %s ago", SPAN(since(y, used_ms)));
}

/* TCP connections; they keep it up with `keep-open`. */
static void
why_flows(struct why *y)
{
	bool keep = y->u->conf->policy.keep_open;
	char peer[ADDR_TEXT], text[SENTENCE];

	if (y->counters != NULL && keep)
		row(y, "connection", y->counters, 0, 0);
	for (unsigned i = 0; i < y->nflows && i < VM_FLOWS; i++) {
		const struct vm_flow *f = &y->flows[i];

		addr_text(&f->peer, peer);
		row(y, "connection", keep ? "keep-open" : "", f->last_ns / NS_PER_MS, 0);
		row_set(y, "peer", json_string(peer));
		row_set(y, "port", json_integer(f->port));
		row_set(y, "bytes", json_integer((json_int_t)f->bytes));
		if (keep)
			keeps(y, LIFE_NEVER, "%s has a connection to its port %u open", peer,
			    f->port);
	}
	if (y->nflows <= VM_FLOWS)
		return;
	snprintf(text, sizeof(text), "and %u more", y->nflows - VM_FLOWS);
	row(y, "connection", text, 0, 0);
}

static void
why_awake(struct why *y)
{
	const struct config_policy *p = &y->u->conf->policy;
	const struct unit_run *r = y->u->run;
	uint64_t up = y->u->life.awake_since_ms, payload = r->last_packet_ns / NS_PER_MS;
	uint64_t query = board_last_query_ns(&y->w->board, y->u->number, clock_now_ns()) /
	    NS_PER_MS;
	uint64_t edge_ms;
	uint32_t idle_ms = p->idle_ms;

	/* As the life cycle, until somebody contacts it. */
	if (!life_contacted(&y->u->life) && payload < up && p->unused_after_ms != 0 &&
	    (idle_ms == 0 || p->unused_after_ms < idle_ms))
		idle_ms = p->unused_after_ms;
	say_woken(y);
	if (idle_ms == 0) {
		row(y, "never", "idle is 0s", 0, 0);
		keeps(y, LIFE_NEVER, "its idle is 0s");
	}
	keeps(y, after(up, idle_ms), "it became ready %s ago", SPAN(since(y, up)));
	if (up + p->min_up_ms > y->now_ms) {
		row(y, "min-up", NULL, up, up + p->min_up_ms);
		keeps(y, up + p->min_up_ms, "its min-up is not over");
	}
	if (query != 0) {
		row(y, "query", NULL, query, after(query, idle_ms));
		keeps(y, after(query, idle_ms), "a query came %s ago", SPAN(since(y, query)));
	}
	why_payload(y, payload, idle_ms);
	why_used(y, query > payload ? query : payload, idle_ms);
	why_flows(y);
	if (hours(y, &edge_ms) && y->u->scheduled)
		keeps(y, edge_ms, "its schedule keeps it awake");
	why_needed(y);
	if (y->until_ms == LIFE_NEVER)
		say(y, "; it does not sleep, since %s", y->reason);
	else if (y->until_ms > y->now_ms)
		say(y, "; it sleeps in %s unless it is used: %s",
		    SPAN(y->until_ms - y->now_ms), y->reason);
	else
		say(y, "; it is about to sleep: %s", y->reason);
	if (unit_unreachable(y->u)) {
		say(y, ", but nobody can reach it: %s", life_why_text(LIFE_WHY_UNREACHABLE));
		row(y, "unreachable", life_why_text(LIFE_WHY_UNREACHABLE), r->lost_ns / NS_PER_MS,
		    0);
	}
}

/* ---- on its way up ---- */

static void
why_needs(struct why *y)
{
	for (unsigned i = 0; i < y->u->conf->nneeds; i++) {
		const struct unit *n = needs_unit(y->w, y->u, i);
		char text[SENTENCE];

		if (n == NULL)
			continue;
		snprintf(text, sizeof(text), "%s (after %s; is %s)", n->name,
		    needs_after_text(y->u->conf->needs[i].after),
		    life_state_text(life_state(&n->life)));
		row(y, "needs", text, 0, 0);
	}
}

/* What a boot that waits for nothing is at. */
static const char *
step_text(const struct unit *u)
{
	switch ((enum life_phase)u->life.phase) {
	case LIFE_P_ADMITTING: return "it is about to begin";
	case LIFE_P_INTENDING: return "it is being noted in the state database";
	case LIFE_P_STARTING: return "its VM is being started";
	case LIFE_P_RESTORING: return "its saved state is being restored";
	case LIFE_P_THAWING: return "its VM is being thawed";
	default: return "its VM runs, and is probed";
	}
}

static void
why_booting(struct why *y)
{
	const struct unit_run *r = y->u->run;
	enum wake_waits waits = wake_waits_for(y->w, y->u);
	unsigned place = admit_position(&y->w->admit, &y->u->admit);
	char text[SENTENCE];

	if (waits != WAITS_NOT) {
		wake_waits_say(y->w, y->u, text, sizeof(text));
		say(y, ": it %s", text);
		if (place != 0)
			say(y, ", of %u", y->w->admit.waiting);
	} else if (needs_holds(y->w, y->u, text, sizeof(text))) {
		say(y, ": it %s", text);
	} else {
		snprintf(text, sizeof(text), "%s", step_text(y->u));
		say(y, ": %s", text);
		if (y->u->life.phase == LIFE_P_PROBING)
			say(y, " (%s)", y->u->conf->image->ready_text);
	}
	row(y, waits != WAITS_NOT ? wake_waits_text(waits) : "boot", text,
	    waits != WAITS_NOT && r != NULL ? r->waits_since_ms : y->u->life.since_ms,
	    waits != WAITS_NOT ? 0 : y->u->life.timer_ms);
	say_woken(y);
	why_needs(y);
}

/* ---- asleep ---- */

/* Asleep in one of the tiers, or on its way there. */
static void
why_asleep(struct why *y)
{
	const struct life *l = &y->u->life;
	const char *why = life_why_text((enum life_why)l->why);
	uint64_t edge_ms;

	if (hours(y, &edge_ms) && !y->u->scheduled)
		say(y, ", and its schedule wakes it in %s", SPAN(edge_ms - y->now_ms));
	if (l->since_ms == 0) {
		say(y, "; nobody has asked for it since jitsud started");
		return;
	}
	say(y, " for %s (%s)", SPAN(since(y, l->since_ms)), why);
	row(y, life_state_text(life_state(l)), why, l->since_ms, l->timer_ms);
	if (l->timer_ms != LIFE_NEVER && l->timer_ms > y->now_ms &&
	    (l->phase == LIFE_P_FROZEN || l->phase == LIFE_P_SAVED))
		say(y, "; it sleeps deeper in %s", SPAN(l->timer_ms - y->now_ms));
}

static void
why_failed(struct why *y)
{
	const struct life *l = &y->u->life;
	const char *error = unit_error(y->u, life_why_text((enum life_why)l->why));
	uint64_t again_ms = l->backoff_until_ms;

	say(y, ": %s", error);
	row(y, "failed", error, l->since_ms, again_ms);
	if (again_ms > y->now_ms)
		say(y, "; a query may boot it again in %s", SPAN(again_ms - y->now_ms));
	why_needs(y);
}

/* ---- the answer ---- */

static void
why_state(struct why *y)
{
	enum life_state state = life_state(&y->u->life);
	char conflict[SHOW_CONFLICT];

	say(y, "%s is %s", y->u->name, life_state_text(state));
	if (state == LIFE_AWAKE)
		why_awake(y);
	else if (state == LIFE_BOOTING)
		why_booting(y);
	else if (state == LIFE_FAILED)
		why_failed(y);
	else
		why_asleep(y);
	if (y->u->refused) {
		say(y, "; it is not woken: its address is held for another (`jitsu held`)");
		row(y, "held", "its address is held for another unit", 0, 0);
	}
	if (show_conflict(y->u, conflict)) {
		say(y, "; packets do not wake it: %s", conflict);
		row(y, "conflict", conflict, 0, 0);
	}
}

static json_t *
why_json(struct why *y)
{
	const struct unit *u = y->u;
	bool awake = life_state(&u->life) == LIFE_AWAKE;
	enum wake_waits waits = wake_waits_for(y->w, u);
	bool ends = awake && y->until_ms != LIFE_NEVER;
	uint64_t left_ms = ends && y->until_ms > y->now_ms ? y->until_ms - y->now_ms : 0;

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name", u->name,
	    "state", life_state_text(life_state(&u->life)), "text", y->text,
	    "waits_for", waits != WAITS_NOT ? json_string(wake_waits_text(waits)) : json_null(),
	    "queue_position", show_number(admit_position(&y->w->admit, &u->admit)),
	    "sleeps_in_s", ends ? json_real((double)left_ms / MS_PER_S) : json_null(),
	    "reasons", y->rows);
}

static void
answer(struct why *y, struct control_request *req)
{
	y->now_ms = clock_now_ms();
	y->rows = json_array();
	why_state(y);
	control_reply(req, why_json(y));
}

/* A request whose unit's counters are being read. */
struct asked {
	struct warden *w;
	struct control_request *req;
	uint32_t unit;
};

static void
flows_read(enum err e, uint64_t bytes, const struct vm_flow *flows, unsigned n, const char *why,
    void *arg)
{
	struct asked *a = arg;
	struct unit *u = unit_by_number(&a->w->units, a->unit);
	char text[SENTENCE];
	struct why y = { .w = a->w, .u = u, .bytes = bytes, .flows = flows, .nflows = n };

	snprintf(text, sizeof(text), "not known: %s", e != ERR_OK ? why : "");
	y.counters = e != ERR_OK ? text : NULL;
	if (u == NULL || u->conf == NULL)
		control_fail(a->req, "it has just left the configuration");
	else
		answer(&y, a->req);
	free(a);
}

static void
counters_read(enum err e, uint64_t last_ns, const char *why, void *arg)
{
	struct asked *a = arg;
	struct unit *u = unit_by_number(&a->w->units, a->unit);

	if (u == NULL || u->conf == NULL || e != ERR_OK || !unit_has_vm(u)) {
		flows_read(e != ERR_OK ? e : ERR_STATE, 0, NULL, 0, why, a);
		return;
	}
	if (last_ns > u->run->last_packet_ns)
		u->run->last_packet_ns = last_ns;
	vm_activity_flows(a->w->activity, &u->run->uuid, flows_read, a);
}

void
why_verb(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	struct unit *u = verbs_unit(w, req, args);
	struct asked *a;

	if (u == NULL)
		return;
	if (life_state(&u->life) != LIFE_AWAKE || !unit_has_vm(u) || w->activity == NULL) {
		answer(&(struct why){ .w = w, .u = u,
		    .counters = w->activity == NULL ? "not counted on this host" : NULL }, req);
		return;
	}
	a = mem_zero(1, sizeof(*a));
	*a = (struct asked){ .w = w, .req = req, .unit = u->number };
	vm_activity_read(w->activity, &u->run->uuid, counters_read, a);
}
