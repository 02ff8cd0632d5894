/* verbs: what `jitsu` may ask of the warden (control.h says what the answers look like). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/warden/aside.h"
#include "src/warden/holds.h"
#include "src/warden/reload.h"
#include "src/warden/schedule.h"
#include "src/warden/show.h"
#include "src/warden/wake.h"

#define EVENTS_DEFAULT 100

struct unit *
verbs_unit(struct warden *w, struct control_request *req, json_t *args)
{
	const struct unit_conf *uc;
	char name[LIMIT_NAME_TEXT];
	struct unit *u;

	if (!control_arg_name(req, args, true, name))
		return NULL;
	if (aside_find(w, name) != NULL) {
		control_fail(req,
		    "%s: its VM is kept aside (`jitsu show %s` says why, `jitsu destroy %s` ends "
		    "it)", name, name, name);
		return NULL;
	}
	uc = mapping_unit_find(w->gen->mappings, name);
	u = uc != NULL ? unit_by_name(&w->units, mapping_unit_target(uc)->name) : NULL;
	if (u == NULL)
		control_fail_see(req, "list", "no unit %s", name);
	return u;
}

static void
verb_list(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	json_t *all = json_array();
	const struct unit *u;

	(void)args;
	admit_number(&w->admit);
	UNIT_FOREACH(u, &w->units)
		if (!u->leaving)
			(void)json_array_append_new(all, show_row(w, u));
	aside_list_json(w, all);
	control_reply(req, all);
}

/* A unit to be shown, whose console is being read. */
struct shown {
	struct warden *w;
	struct control_request *req;
	char name[LIMIT_NAME_TEXT];
	bool console_only;
};

static void
console_read(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct shown *s = arg;
	struct unit *u = unit_by_name(&s->w->units, s->name);
	const struct aside *aside = aside_find(s->w, s->name);
	json_t *text = NULL, *j;

	(void)uuid;
	if (res->err == ERR_OK)
		text = show_bytes(res->detail != NULL ? res->detail : "", res->detail_len);
	/* As long as this VM has written nothing, what the former one wrote is shown. */
	if (text != NULL && res->detail_len == 0 && u != NULL && aside == NULL && u->run != NULL &&
	    u->run->console != NULL) {
		json_decref(text);
		text = show_bytes(u->run->console, strlen(u->run->console));
	}
	if (s->console_only) {
		if (text != NULL)
			control_reply(
			    s->req, json_pack("{s:s, s:o}", "name", s->name, "text", text));
		else
			control_fail(s->req, "%s: console: %s", s->name, res->text);
	} else if (u == NULL && aside == NULL) {
		json_decref(text);
		control_fail(s->req, "%s: it has just left the configuration", s->name);
	} else {
		j = aside != NULL ? aside_show_json(aside) : show_unit(s->w, u);
		if (j != NULL && text != NULL)
			(void)json_object_set(j, "console", text);
		json_decref(text);
		control_reply(s->req, j);
	}
	free(s);
}

/* Answers when the VM's console has been read. */
static void
answer_vm(struct warden *w, struct control_request *req, const char *name,
    const struct vm_uuid *uuid, bool console_only)
{
	struct shown *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		control_fail(req, "%s", err_str(ERR_NOMEM));
		return;
	}
	*s = (struct shown){ .w = w, .req = req, .console_only = console_only };
	snprintf(s->name, sizeof(s->name), "%s", name);
	vm_do(w->vms, uuid, VM_CONSOLE, console_read, s);
}

/* Answers from the running VM's console, or from what is remembered of the last one. */
static void
answer_unit(struct warden *w, struct control_request *req, struct unit *u, bool console_only)
{
	enum life_state state = life_state(&u->life);

	if (unit_has_vm(u) && (state == LIFE_AWAKE || state == LIFE_BOOTING)) {
		answer_vm(w, req, u->name, &u->run->uuid, console_only);
		return;
	}
	if (!console_only) {
		control_reply(req, show_unit(w, u));
	} else if (u->run != NULL && u->run->console != NULL) {
		control_reply(req, json_pack("{s:s, s:o}", "name", u->name,
		    "text", show_bytes(u->run->console, strlen(u->run->console))));
	} else {
		control_fail(req, "%s is %s: it has no console", u->name, life_state_text(state));
	}
}

/* A unit, or a VM that is kept aside. */
static void
show(struct warden *w, struct control_request *req, json_t *args, bool console_only)
{
	const char *given = json_string_value(json_object_get(args, "name"));
	char name[LIMIT_NAME_TEXT];
	const struct aside *aside = NULL;
	struct unit *u;

	if (given != NULL && control_name_normalize(given, name, NULL) == ERR_OK)
		aside = aside_find(w, name);
	if (aside != NULL)
		answer_vm(w, req, name, aside_uuid(aside), console_only);
	else if ((u = verbs_unit(w, req, args)) != NULL)
		answer_unit(w, req, u, console_only);
}

static void
verb_show(struct control_request *req, json_t *args, void *arg)
{
	show(arg, req, args, false);
}

static void
verb_console(struct control_request *req, json_t *args, void *arg)
{
	show(arg, req, args, true);
}

static void
verb_wake(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	struct unit *u = verbs_unit(w, req, args);
	int progress = 0;

	if (u == NULL)
		return;
	(void)json_unpack(args, "{s?b}", "progress", &progress);   /* anything else: false */
	if (w->stopping) {
		control_fail(req, "%s: jitsud stops", u->name);
		return;
	}
	log_info("%s: wake asked for by uid %u", u->name, (unsigned)control_request_uid(req));
	wake_wait(w, u, req, false, progress != 0);
	wake_asker(w, u, NULL);
	wake_request(w, u, LIFE_BY_OPERATOR, 0);
}

static void
verb_sleep(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	struct unit *u = verbs_unit(w, req, args);
	struct life_event ev = { .kind = LIFE_EV_SLEEP, .now_ms = clock_now_ms(),
		.sleep = { LIFE_BY_OPERATOR, LIFE_TIER_DORMANT } };
	struct life_policy policy;
	enum life_state s;

	if (u == NULL)
		return;
	schedule_sleep(u);
	s = life_state(&u->life);
	wake_policy(w, u, &policy);
	if ((policy.sleep == LIFE_TIER_FROZEN && policy.can_freeze) ||
	    (policy.sleep == LIFE_TIER_SAVED && policy.can_save))
		ev.sleep.tier = (enum life_tier)policy.sleep;
	if (s == LIFE_DORMANT || s == LIFE_FAILED || s == LIFE_SAVED ||
	    (s == LIFE_FROZEN && ev.sleep.tier == LIFE_TIER_FROZEN)) {
		control_reply(req, show_woken(u));
		return;
	}
	log_info("%s: sleep asked for by uid %u", u->name, (unsigned)control_request_uid(req));
	wake_wait(w, u, req, true, false);
	wake_step(w, u, &ev);
}

/* ---- events ---- */

struct events_query {
	struct warden *w;
	struct control_request *req;
	char name[LIMIT_NAME_TEXT];
};

static void
events_read(enum err e, const char *why, const struct store_event *evs, size_t n, void *arg)
{
	struct events_query *q = arg;
	json_t *all;

	if (e != ERR_OK) {
		control_fail(q->req, "events: %s", why);
	} else if (n == 0 && q->name[0] != '\0' && aside_find(q->w, q->name) == NULL &&
	    mapping_unit_find(q->w->gen->mappings, q->name) == NULL) {
		control_fail_see(q->req, "list", "no unit %s", q->name);
	} else {
		all = json_array();
		for (size_t i = 0; i < n; i++)
			(void)json_array_append_new(all, show_event(&evs[i]));
		control_reply(q->req, all);
	}
	free(q);
}

static void
verb_events(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	struct events_query *q = calloc(1, sizeof(*q));
	json_int_t limit = EVENTS_DEFAULT;
	const char *unit;
	int follow = 0;

	if (q == NULL) {
		control_fail(req, "%s", err_str(ERR_NOMEM));
		return;
	}
	if (!control_arg_name(req, args, false, q->name)) {
		free(q);
		return;
	}
	(void)json_unpack(args, "{s?I, s?b}", "limit", &limit, "follow", &follow);
	if (limit < 1 || limit > LIMIT_EVENTS_READ)
		limit = EVENTS_DEFAULT;
	q->w = w;
	q->req = req;
	unit = q->name[0] != '\0' ? q->name : NULL;
	if (follow && control_follow(req, unit) != ERR_OK) {
		control_fail(req, "%s", err_str(ERR_NOMEM));
		free(q);
		return;
	}
	store_events_read(w->store, unit, (uint32_t)limit, events_read, q);
}

/* ---- reload and zones ---- */

/* The request fails with one line per finding. */
static void
lines_fail(struct control_request *req, const json_t *lines)
{
	char *all = NULL;
	size_t size = 0, i;
	FILE *f = open_memstream(&all, &size);
	json_t *line;

	json_array_foreach(lines, i, line)
		if (f != NULL)
			fprintf(f, "\n%s", json_string_value(line));
	if (f != NULL && fclose(f) == 0)
		control_fail(req, "nothing was changed:%s", all);
	else
		control_fail(req, "nothing was changed; the log says why");
	free(all);
}

static void
reload_done(struct warden *w, enum err e, const struct report *r, void *arg)
{
	struct control_request *req = arg;
	json_t *warnings = json_array();
	struct generation_zones n;
	char line[1200];

	reload_ended(w, "jitsu", e, r);
	generation_zones_count(w->gen, &n);
	for (size_t i = 0; i < r->nlines; i++) {
		report_format(r, i, line, sizeof(line));
		(void)json_array_append_new(warnings, json_string(line));
	}
	if (e == ERR_OK) {
		control_reply(req,
		    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "zones", (json_int_t)n.all,
		    "refused", (json_int_t)(n.failed + n.old), "failed", (json_int_t)n.failed,
		    "old", (json_int_t)n.old, "units", (json_int_t)w->units.count,
		    "units_refused", (json_int_t)w->refused_units, "warnings", warnings));
		return;
	}
	lines_fail(req, warnings);
	json_decref(warnings);
}

static void
verb_reload(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	int force = 0;

	(void)json_unpack(args, "{s?b}", "force", &force);   /* anything else: false */
	if (w->stopping) {
		control_fail(req, "jitsud stops");
		return;
	}
	log_info("reload asked for by uid %u%s", (unsigned)control_request_uid(req),
	    force ? ", also of a file that seems cut short" : "");
	if (reload_start(w, force != 0, reload_done, req) != ERR_OK)
		control_fail(req, "a reload is running already: try again when it is done");
}

/* The zimage of a zone, which the client prints. */
static void
verb_dump(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	char name[LIMIT_NAME_TEXT];

	if (!control_arg_name(req, args, true, name))
		return;
	for (unsigned i = 0; i < w->gen->conf->nzones; i++) {
		const struct served_zone *z = &w->gen->zones[i];

		if (strcmp(z->origin, name) != 0)
			continue;
		if (z->zimage == NULL)
			control_fail(req, "zone %s is not served: %s", name, served_zone_error(z));
		else
			control_reply_fd(req,
			    json_pack("{s:s, s:I, s:I}", "name", z->origin,
			    "serial", (json_int_t)z->serial, "index", (json_int_t)z->index),
			    z->zimage->fd);
		return;
	}
	control_fail_see(req, "status", "no zone %s", name);
}

static const struct control_verb verbs[] = {
	{ "list", false, verb_list },
	{ "show", false, verb_show },
	{ "why", false, why_verb },
	{ "events", false, verb_events },
	{ "status", false, status_verb },
	{ "aside", false, aside_verb_list },
	{ "destroy", true, aside_verb_destroy },
	{ "held", false, holds_verb_list },
	{ "release", true, holds_verb_release },
	{ "dump", false, verb_dump },
	{ "console", true, verb_console },
	{ "wake", true, verb_wake },
	{ "sleep", true, verb_sleep },
	{ "reload", true, verb_reload },
	{ NULL, false, NULL },
};

enum err
verbs_open(struct warden *w, struct errmsg *m)
{
	enum err e = control_new(
	    w->base, w->gen->conf->control, CONTROL_GROUP, verbs, w, &w->control, m);

	if (e == ERR_OK)
		control_set_admins(w->control, w->gen->admins, w->gen->nadmins);
	return e;
}
