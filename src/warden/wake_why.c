/*
 * wake_why: why a boot failed: what was tried, what was seen of the guest, and what failed.
 *
 * A boot that is given up while its VM runs fails in two steps: the error is made first, when all
 * that explains it is there, and told after the VM has stopped, with the console's end.
 */
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define WHY_TEXT 900
_Static_assert(WHY_TEXT + 100 < LIMIT_STORE_TEXT, "it is stored behind the words of a reason");

struct why {
	char text[WHY_TEXT];
	size_t used;
};

static void __attribute__((format(printf, 2, 3)))
say(struct why *y, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(y->text + y->used, sizeof(y->text) - y->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		y->used += (size_t)n;
	if (y->used >= sizeof(y->text))
		y->used = sizeof(y->text) - 1;
}

/* ---- what the sentinel tells ---- */

void
wake_why_probed(struct unit *u, const struct msg *probe)
{
	struct unit_tried *t = &unit_run(u)->tried;

	if (t->sent_ns == 0)
		t->sent_ns = probe->time_ns;   /* another sentinel goes on with the same probe */
	t->kind = (uint8_t)probe->probe.kind;
	t->port = probe->probe.port;
	t->guest = probe->probe.guest;
	t->source = probe->probe.source;
}

bool
wake_why_sign(struct unit *u, const struct msg *m)
{
	bool is_address = m->sign.what == SIGN_OTHER_ADDRESS;
	struct unit_tried *t;

	if (m->sign.what >= SIGN_COUNT ||
	    (is_address && m->sign.addr.family != 4 && m->sign.addr.family != 6))
		return false;
	if (u == NULL || u->run == NULL || u->run->probe_ticket == 0 ||
	    m->sign.seen_ns < u->run->probe_sent_ns)
		return true;   /* of a probe that is over */
	if (is_address && u->conf != NULL && mapping_unit_has_addr(u->conf, &m->sign.addr))
		return true;   /* a second address of the unit's own */
	t = &u->run->tried;
	t->signs |= 1u << m->sign.what;
	if (is_address)
		t->other = m->sign.addr;
	if (m->sign.what == SIGN_OTHER_MAC)
		memcpy(t->other_mac, m->sign.mac, sizeof(t->other_mac));
	return true;
}

/* ---- words ---- */

static bool
is_seen(const struct unit_tried *t, enum msg_sign what)
{
	return (t->signs & 1u << what) != 0;
}

static void
say_signs(struct why *y, const struct unit_run *r)
{
	static const struct {
		enum msg_sign what;
		const char *v4, *v6;
	} words[] = {
		{ SIGN_DHCP, "asked for an address by DHCP", "" },
		{ SIGN_NEIGHBOUR, "answered ARP", "answered neighbour discovery" },
		{ SIGN_REFUSED, "refused (RST)", "refused (RST)" },
		{ SIGN_UNREACHABLE, "refused (ICMP: unreachable)",
		    "refused (ICMPv6: unreachable)" },
	};
	const struct unit_tried *t = &r->tried;
	char addr[ADDR_TEXT], mac[ADDR_MAC_TEXT];
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_seen(t, words[i].what))
			say(y, "%s%s", n++ == 0 ? "it " : ", and ",
			    t->guest.family == 4 ? words[i].v4 : words[i].v6);
	if (is_seen(t, SIGN_OTHER_ADDRESS)) {
		addr_text(&t->other, addr);
		say(y, "%shas the address %s", n++ == 0 ? "it " : ", and ", addr);
	}
	if (n == 0)
		say(y, "%s", r->trace.alive_ns != 0 ? "it sent something, but answered nothing" :
		    "nothing answered");
	if (is_seen(t, SIGN_OTHER_MAC)) {
		addr_mac_text(t->other_mac, mac);
		say(y, "; the MAC %s has that address", mac);
	}
}

/* "tcp:80 of 10.77.0.10 was probed for 1.9 s from 10.77.0.1: it answered ARP, and refused (RST)" */
static void
say_probe(struct why *y, const struct unit_run *r)
{
	const struct unit_tried *t = &r->tried;
	char guest[ADDR_TEXT], source[ADDR_TEXT];

	addr_text(&t->guest, guest);
	if (t->kind == PROBE_TCP)
		say(y, "tcp:%u", t->port);
	else
		say(y, "%s", t->kind == PROBE_PING ? "ping" : "arp");
	say(y, " of %s was probed for %.3g s", guest, (double)(clock_now_ns() - t->sent_ns) / 1e9);
	if (t->source.family != 0) {
		addr_text(&t->source, source);
		say(y, " from %s", source);
	}
	say(y, ": ");
	say_signs(y, r);
}

/* How far it came. */
static void
say_test(struct why *y, const struct warden *w, const struct unit *u)
{
	const struct config_ready *ready = u->conf != NULL ? &u->conf->image->ready : NULL;
	const char *after = "";
	const struct unit *missing = u->ready_held ? needs_first(w, u, &after) : NULL;

	if (missing != NULL)
		say(y, "it was ready, but needs %s to be %s, which it was not: %.300s",
		    missing->name, after,
		    unit_error(missing, life_state_text(life_state(&missing->life))));
	else if (u->run->tried.sent_ns != 0)
		say_probe(y, u->run);
	else if (ready != NULL && ready->kind == CONFIG_READY_DELAY)
		say(y, "%s was not over", u->conf->image->ready_text);
	else if (ready != NULL && ready->kind == CONFIG_READY_XENSTORE)
		say(y, "%s was not there", u->conf->image->ready_text);
	else
		say(y, "nothing was probed yet");
}

/* ---- failures ---- */

/* A boot fails, and why; `why` NULL: nothing is known but what follows. */
static void
boot_fails(const struct warden *w, struct unit *u, enum life_why why, bool starting)
{
	struct unit_run *r = unit_run(u);
	struct why y = { .used = 0 };

	r->failed = r->trace;
	if (why == LIFE_WHY_NOT_READY) {
		say(&y, "%s", life_why_text(why));
		if (u->conf != NULL)
			say(&y, " (%.3g s)", u->conf->image->boot_timeout_ms / 1e3);
		if (starting)
			say(&y, ": the hypervisor had not started it yet");
		if (r->error_new)
			say(&y, ": %.500s", r->error);
		say(&y, "%s ", starting || r->error_new ? ";" : ":");
		say_test(&y, w, u);
	} else if (why == LIFE_WHY_DIED) {
		say(&y, "%.500s; ", r->error_new ? r->error : life_why_text(why));
		say_test(&y, w, u);
	} else if (!r->error_new) {
		say(&y, "%s", life_why_text(why));
	}
	if (y.used > 0)
		unit_error_set(u, y.text);
}

void
wake_why_change(struct warden *w, struct unit *u, const struct life_action *a)
{
	enum life_state from = a->changed.from, to = a->changed.to;
	enum life_why why = a->changed.why;
	bool fails = why == LIFE_WHY_NOT_READY || why == LIFE_WHY_DIED || why == LIFE_WHY_START ||
	    why == LIFE_WHY_STORE;
	bool starting = u->life.phase == LIFE_P_STARTING || u->life.phase == LIFE_P_RESTORING;

	if (from == LIFE_BOOTING && fails && (to == LIFE_STOPPING || to == LIFE_FAILED)) {
		boot_fails(w, u, why, starting);
		u->run->failing = to == LIFE_STOPPING;
	}
	if (to == LIFE_FAILED || (from == LIFE_STOPPING && u->run != NULL && u->run->failing)) {
		w->totals.failures++;
		/* The console of a former boot would be taken for that of this boot. */
		if (!unit_run(u)->console_new)
			unit_console_set(u, NULL, 0);
	}
	if ((to == LIFE_FAILED || why == LIFE_WHY_DIED) && unit_run(u)->error == NULL)
		unit_error_set(u, life_why_text(why));
}

void
wake_why_died(struct unit *u, const struct vm_event *ev)
{
	/* A boot that fails has its error already. */
	if (u->run == NULL || !u->run->failing)
		unit_error_set(u, ev->text);
	if (u->run == NULL || !u->run->failing || ev->console_len > 0)
		unit_console_set(u, ev->console, ev->console_len);
}
