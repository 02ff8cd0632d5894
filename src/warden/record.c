/* record: log lines, stored events, rows. */
#include "src/warden/record.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/siphash.h"
#include "base/utf8.h"
#include "src/warden/show.h"
#include "src/warden/wake.h"

static void
emit(struct warden *w, struct store_event *ev)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ev->time_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	ev->mono_ns = clock_now_ns();
	store_event_add(w->store, ev);
	if (w->control != NULL && control_has_followers(w->control)) {
		json_t *j = show_event(ev);

		if (j != NULL)
			control_event_push(w->control, ev->unit[0] != '\0' ? ev->unit : NULL, j);
		json_decref(j);
	}
}

void
record_event(struct warden *w, const char *unit, const char *kind, const char *text)
{
	struct store_event ev = STORE_EVENT(unit, kind, text);

	emit(w, &ev);
}

static const char *
queries(unsigned n)
{
	return n == 1 ? "query" : "queries";
}

static void
steps_text(const int64_t steps[STORE_STEPS], char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < STORE_STEPS && used < size; i++) {
		if (steps[i] == STORE_STEP_NONE)
			continue;
		used += (size_t)snprintf(buf + used, size - used, "%s%s %.1f ms",
		    used == 0 ? ": " : ", ", store_step_names[i], (double)steps[i] / 1000);
	}
}

/* How many changes of this kind there may be in a minute. */
static unsigned
change_bound(const struct warden *w, enum life_state to, enum life_why why)
{
	unsigned wakes = w->gen != NULL ? w->gen->conf->limits.wakes_per_minute_total : 0;

	if (why == LIFE_WHY_OPERATOR || why == LIFE_WHY_ADOPTED || why == LIFE_WHY_REMOVED)
		return UINT_MAX;
	/* Anybody may ask for a wake; whether it boots is looked at afterwards. */
	if (to == LIFE_BOOTING || why == LIFE_WHY_REFUSED || why == LIFE_WHY_NEEDS)
		return LIMIT_FLOOD_KIND;
	return wakes == 0 ? UINT_MAX : wakes > LIMIT_FLOOD_KIND ? wakes : LIMIT_FLOOD_KIND;
}

/* False: it was said often enough. */
static bool
change_pass(struct warden *w, const struct unit *u, enum life_state from, enum life_state to,
    enum life_why why)
{
	unsigned most = change_bound(w, to, why);
	char kind[FLOOD_KIND_TEXT];

	snprintf(kind, sizeof(kind), "%s -> %s (%s)", life_state_text(from), life_state_text(to),
	    life_why_text(why));
	return flood_pass(w->flood, most == UINT_MAX ? FLOOD_NO_UNIT : u->number, kind, most);
}

/* A wake that is refused leaves the row as it was, which a flood of wakes must not write. */
static bool
row_stays(struct unit *u, enum life_state to, enum life_why why, bool said)
{
	bool back = u->row_behind && to != LIFE_FAILED &&
	    (why == LIFE_WHY_REFUSED || why == LIFE_WHY_NEEDS);

	u->row_behind = !said && to == LIFE_BOOTING && (!unit_has_vm(u));
	return back || u->row_behind;
}

/* The end of what a guest wrote, which is what a person needs; `jitsu show` has more. */
static const char *
console_tail(const struct unit *u, char *buf, size_t size)
{
	const char *console = u->run != NULL && u->run->console != NULL ? u->run->console : "";
	size_t len = strlen(console);

	if (len > 240) {
		console += len - 240;
		len = 240;
	}
	text_show(buf, size, console, len);
	return buf;
}

/* A failure: why, how far it came, and its guest's last lines. */
static void
record_failure(struct warden *w, const struct unit *u, enum life_state from, enum life_state to,
    enum life_why why)
{
	const char *reason = life_why_text(why);
	const char *error = unit_error(u, reason);
	bool boot = from == LIFE_BOOTING || from == LIFE_STOPPING;
	char legs[160] = "", text[1200], tail[1024];
	struct store_event ev = STORE_EVENT(u->name, life_state_text(LIFE_FAILED), text);

	if (boot) {
		show_steps(&u->run->failed, ev.step_us);
		steps_text(ev.step_us, legs, sizeof(legs));
	}
	if (strncmp(error, reason, strlen(reason)) == 0)
		snprintf(text, sizeof(text), "%s", error);
	else
		snprintf(text, sizeof(text), "%s: %s",
		    to == LIFE_FAILED ? reason : "the boot failed", error);
	console_tail(u, tail, sizeof(tail));
	log_warn("%s: %s -> %s (%s)%s%s%s", u->name, life_state_text(from), life_state_text(to),
	    text, legs, boot && tail[0] != '\0' ? "; console: " : "", boot ? tail : "");
	emit(w, &ev);
}

void
record_change(
    struct warden *w, struct unit *u, enum life_state from, enum life_state to, enum life_why why)
{
	bool said = change_pass(w, u, from, to, why), failing = u->run != NULL && u->run->failing;
	struct store_event ev = STORE_EVENT(u->name, life_state_text(to), life_why_text(why));
	char legs[160] = "", text[1200], knock[SHOW_KNOCK];
	const char *error;

	if (to == LIFE_AWAKE && from == LIFE_BOOTING) {
		show_steps(&u->run->trace, ev.step_us);
		steps_text(ev.step_us, legs, sizeof(legs));
	}
	if (to == LIFE_BOOTING && why == LIFE_WHY_PACKET &&
	    show_knock(u, knock))
		ev.text = knock;
	if (why == LIFE_WHY_NEEDS && (error = unit_error(u, NULL)) != NULL) {
		snprintf(text, sizeof(text), "%s: %s", life_why_text(why), error);
		ev.text = text;
	}
	if (said && u->run != NULL && (to == LIFE_FAILED || (failing && from == LIFE_STOPPING)))
		record_failure(w, u, from, to, why);
	else if (said && failing && to == LIFE_STOPPING)
		log_debug("%s: %s -> %s (%s)", u->name, life_state_text(from), life_state_text(to),
		    life_why_text(why));
	else if (said)
		log_info("%s: %s -> %s (%s)%s", u->name, life_state_text(from), life_state_text(to),
		    ev.text, legs);
	if (said && to != LIFE_FAILED)
		emit(w, &ev);
	if (!row_stays(u, to, why, said) && !u->leaving)
		record_store(w, u, NULL, NULL);
}

void
record_answered(struct warden *w, struct unit *u, unsigned answers)
{
	char text[64];
	struct store_event ev = STORE_EVENT(u->name, "answered", text);
	unsigned most = change_bound(w, LIFE_AWAKE, LIFE_WHY_READY);

	if (!flood_pass(w->flood, u->number, "answered", most))
		return;
	snprintf(text, sizeof(text), "%u held %s answered", answers, queries(answers));
	show_steps(&u->run->trace, ev.step_us);
	emit(w, &ev);
}

void
record_expired(struct warden *w, struct unit *u, unsigned answers)
{
	char text[LIMIT_NAME_TEXT + 200], waits[LIMIT_NAME_TEXT + 100] = "may not get a slot";

	if (!flood_pass(w->flood, u->number, "expired", LIMIT_EXPIRED_EVENTS))
		return;
	if (wake_waits_for(w, u) != WAITS_NOT)
		wake_waits_say(w, u, waits, sizeof(waits));
	if (wake_is_unsure(w, u))
		snprintf(text, sizeof(text), "%u held %s answered with SERVFAIL, since the unit %s",
		    answers, queries(answers), waits);
	else
		snprintf(text, sizeof(text), "%u held %s answered before the unit was ready",
		    answers, queries(answers));
	record_event(w, u->name, "expired", text);
}

void
record_died(struct warden *w, struct unit *u, const char *why)
{
	bool boot = life_state(&u->life) == LIFE_BOOTING || u->run->failing;
	char tail[1024];

	if (!flood_pass(w->flood, u->number, "died", change_bound(w, LIFE_DORMANT, LIFE_WHY_DIED)))
		return;
	console_tail(u, tail, sizeof(tail));
	if (!boot)   /* what makes a boot fail is said once, when that has ended */
		log_warn("%s: the VM ended by itself: %s%s%s", u->name, why,
		    tail[0] != '\0' ? "; console: " : "", tail);
	record_event(w, u->name, "died", why);
}

void
record_driver_line(struct warden *w, const struct unit *u, const char *text)
{
	uint32_t number = u != NULL ? u->number : FLOOD_NO_UNIT;

	if (flood_pass(w->flood, number, "what a driver says", LIMIT_FLOOD_KIND))
		log_warn("%s: %s", u != NULL ? u->name : "driver", text);
}

void
record_left_out(const char *kind, unsigned more, uint32_t unit, void *arg)
{
	struct warden *w = arg;
	const struct unit *u = unit != FLOOD_NO_UNIT ? unit_by_number(&w->units, unit) : NULL;
	char text[FLOOD_KIND_TEXT + 64];

	snprintf(text, sizeof(text), "%u more of this kind within a minute: %s", more, kind);
	log_warn("%s%s%s", u != NULL ? u->name : "", u != NULL ? ": " : "", text);
	record_event(w, u != NULL ? u->name : "", "more", text);
	w->totals.left_out += more;
}

void
record_identity(const struct unit_conf *uc, char text[RECORD_IDENTITY])
{
	static const uint8_t key[16] = { 0 };
	const struct config_network *net = uc->image->network;
	char all[LIMIT_UNIT_ADDRS * ADDR_TEXT + ADDR_MAC_TEXT + 512], one[ADDR_TEXT],
	    mac[ADDR_MAC_TEXT];
	size_t used;

	addr_mac_text(uc->mac, mac);
	used = (size_t)snprintf(all, sizeof(all), "%s %.200s %.200s", mac, net->name, net->bridge);
	for (unsigned i = 0; i < uc->naddrs && used < sizeof(all); i++) {
		addr_text(&uc->addrs[i], one);
		used += (size_t)snprintf(all + used, sizeof(all) - used, " %s", one);
	}
	snprintf(text, RECORD_IDENTITY, "%016llx",
	    (unsigned long long)siphash24(key, all, used < sizeof(all) ? used : sizeof(all) - 1));
}

struct store_unit
record_row(const struct warden *w, const struct unit *u, struct record_texts *t)
{
	const struct unit_run *r = u->run;
	struct store_unit row = { .owner = u->name,
		.state = life_state_text(life_state(&u->life)), .uuid = t->uuid,
		.driver = u->conf != NULL ? u->conf->image->driver_name : NULL,
		.image = u->conf != NULL ? u->conf->image->name : NULL,
		.last_activity_ns = wake_last_use_ns(w, u),
		.backoff_until_ns = u->life.backoff_until_ms * NS_PER_MS,
		.boots = u->boots, .crashes = u->crashes, .failures = u->life.failures,
		.last_boot_ms = u->last_boot_ms, .identity = t->identity, .this_boot = true };

	t->uuid[0] = t->identity[0] = '\0';
	if (r == NULL)
		return row;
	if (r->has_vm)
		vm_uuid_text(&r->uuid, t->uuid);
	if (r->has_vm && u->conf != NULL)
		record_identity(u->conf, t->identity);
	row.awake_since_ns = r->awake_since_ns;
	row.deadline_ns = r->deadline_ns;
	row.last_error = r->error;
	row.console = r->console;
	return row;
}

void
record_store(struct warden *w, struct unit *u, store_done_cb done, void *arg)
{
	struct record_texts texts;
	struct store_unit row = record_row(w, u, &texts);

	store_unit_put(w->store, &row, done, arg);
}
