/* pressure: who gives way, and when that is looked at again. */
#include "src/warden/pressure.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "src/warden/ahead.h"
#include "src/warden/record.h"
#include "src/warden/timer.h"
#include "src/warden/wake.h"
#include "src/warden/wake_impl.h"

struct pressure {
	struct event *soon;        /* who gives way is looked at */
	struct psi *psi;           /* NULL: the host's memory is not watched */
	unsigned percent;          /* as psi was made; 0 = not */
	uint64_t round;            /* of looking at who is needed */
	bool host;                 /* the host's memory is short: one VM gives way, whoever waits */
};

/* What must be given back, and what is on its way. */
struct shortage {
	uint64_t vms, bytes;
};

/* An awake unit whose counters are being read. */
struct candidate {
	struct warden *w;
	uint32_t unit;
};

/* Its slot comes back soon. */
static bool
gives(const struct unit *u)
{
	if (!u->admit.held || life_state(&u->life) == LIFE_FAILED)   /* its driver hangs */
		return false;
	return u->life.phase == LIFE_P_SAVING || u->life.phase == LIFE_P_STOPPING ||
	    (u->run != NULL && u->run->gives_way);
}

static void
give(struct shortage *s, const struct unit *u)
{
	uint64_t bytes = u->admit.memory_bytes;

	s->vms -= s->vms > 0;
	s->bytes = s->bytes > bytes ? s->bytes - bytes : 0;
}

static uint64_t
last_use_ms(const struct warden *w, const struct unit *u)
{
	uint64_t last = wake_last_use_ns(w, u) / NS_PER_MS;

	return last > u->life.last_use_ms ? last : u->life.last_use_ms;
}

/* From when on a unit may give way, as far as is known without its counters. */
static uint64_t
from_ms(const struct warden *w, const struct unit *u)
{
	uint64_t stays = u->run != NULL ? u->run->stays_until_ms : 0;
	uint64_t used, up;

	if (u->life.phase == LIFE_P_FROZEN)
		return stays;
	used = last_use_ms(w, u) + LIMIT_GIVES_WAY_MS;
	up = u->life.awake_since_ms + u->conf->policy.min_up_ms;
	used = used > up ? used : up;
	return used > stays ? used : stays;
}

/* Others may need it: that is not looked at. */
static bool
may_sleep(const struct unit *u)
{
	return u->conf != NULL && u->conf->policy.idle_ms != 0 && !u->scheduled &&
	    (u->life.phase == LIFE_P_FROZEN || u->life.phase == LIFE_P_AWAKE);
}

/* It cannot give way now: the next one may, and this one is looked at again later. */
static void
stays(struct warden *w, struct unit *u)
{
	unit_run(u)->stays_until_ms = clock_now_ms() + LIMIT_GIVES_WAY_MS;
	pressure_soon(w);
}

/* Its memory is wanted: to a file where that is possible, unless idle units of it are stopped. */
static void
send_to_sleep(struct warden *w, struct unit *u)
{
	struct life_event ev = { .kind = LIFE_EV_SLEEP, .now_ms = clock_now_ms(),
		.sleep = { LIFE_BY_PRESSURE, u->conf->policy.sleep == CONFIG_SLEEP_STOP ?
		LIFE_TIER_DORMANT : LIFE_TIER_SAVED } };

	wake_step(w, u, &ev);
}

/*
 * Is any of its connections in use?  With `keep-open` each is; else it is one that was silent for
 * less than `idle`, after which the unit sleeps anyway.  More than are told are not looked at.
 */
static bool
is_live(const struct unit *u, const struct vm_flow *flows, unsigned n)
{
	uint64_t now_ms = clock_now_ms();

	if (n > VM_FLOWS || (n > 0 && u->conf->policy.keep_open))
		return true;
	for (unsigned i = 0; i < n; i++)
		if (flows[i].last_ns / NS_PER_MS + u->conf->policy.idle_ms > now_ms)
			return true;
	return false;
}

static void
on_flows(enum err e, uint64_t bytes, const struct vm_flow *flows, unsigned n, const char *why,
    void *arg)
{
	struct candidate *c = arg;
	struct warden *w = c->w;
	struct unit *u = unit_by_number(&w->units, c->unit);

	(void)bytes;
	free(c);
	if (u == NULL || u->run == NULL)
		return;
	u->run->gives_way = false;
	if (e != ERR_OK)
		log_warn("%s: connections: %s", u->name, why);
	if (e == ERR_OK && u->life.phase == LIFE_P_AWAKE && may_sleep(u) && !needs_used(w, u) &&
	    from_ms(w, u) <= clock_now_ms() && !is_live(u, flows, n))
		send_to_sleep(w, u);
	else
		stays(w, u);
}

static void
on_counters(enum err e, uint64_t last_ns, const char *why, void *arg)
{
	struct candidate *c = arg;
	struct warden *w = c->w;
	struct unit *u = unit_by_number(&w->units, c->unit);

	if (u != NULL && u->run != NULL && e == ERR_OK) {
		if (last_ns > u->run->last_packet_ns)
			u->run->last_packet_ns = last_ns;
		if (unit_has_vm(u)) {
			vm_activity_flows(w->activity, &u->run->uuid, on_flows, c);
			return;
		}
	}
	free(c);
	if (u == NULL || u->run == NULL)
		return;
	u->run->gives_way = false;
	if (e != ERR_OK)
		log_warn("%s: payload counters: %s", u->name, why);
	stays(w, u);
}

/* Its payload counters decide, which only the kernel has. */
static void
ask_awake(struct warden *w, struct unit *u)
{
	struct candidate *c;

	if (w->activity == NULL) {
		send_to_sleep(w, u);
		return;
	}
	c = mem_zero(1, sizeof(*c));
	*c = (struct candidate){ .w = w, .unit = u->number };
	u->run->gives_way = true;
	vm_activity_read(w->activity, &u->run->uuid, on_counters, c);
}

/* Who is needed by a unit that is up has this round's number from now on. */
static uint64_t
mark_needed(struct warden *w)
{
	uint64_t round = ++w->pressure->round;
	const struct unit *u;

	UNIT_FOREACH(u, &w->units) {
		if (life_state(&u->life) == LIFE_DORMANT)
			continue;
		for (unsigned i = 0; u->conf != NULL && i < u->conf->nneeds; i++) {
			struct unit *n = needs_unit(w, u, i);

			if (n != NULL && n->run != NULL && needs_uses(u, n))
				n->run->needed_round = round;
		}
	}
	return round;
}

/*
 * The next one to give way; NULL: nobody can now.  *again_ms: when the first of the others may;
 * LIFE_NEVER: nobody by waiting alone.  What others are giving back is taken off the shortage.
 */
static struct unit *
choose(struct warden *w, struct shortage *s, uint64_t now_ms, uint64_t *again_ms)
{
	uint64_t round = mark_needed(w);
	struct unit *u, *best = NULL;
	bool best_frozen = false;

	*again_ms = LIFE_NEVER;
	UNIT_FOREACH(u, &w->units) {
		bool frozen = u->life.phase == LIFE_P_FROZEN;
		uint64_t from;

		if (gives(u)) {
			give(s, u);
			continue;
		}
		if (!may_sleep(u) || (u->run != NULL &&
		    (u->run->gives_way || u->run->needed_round == round)))
			continue;
		from = from_ms(w, u);
		if (from > now_ms) {
			*again_ms = from < *again_ms ? from : *again_ms;
			continue;
		}
		if (best == NULL || frozen > best_frozen || (frozen == best_frozen &&
		    last_use_ms(w, u) < last_use_ms(w, best))) {
			best = u;
			best_frozen = frozen;
		}
	}
	return best;
}

static bool
lacks(const struct warden *w, struct shortage *s)
{
	unsigned vms;
	bool waits = admit_lacks(&w->admit, &vms, &s->bytes);

	s->vms = vms;
	if (w->pressure->host && s->vms == 0)
		s->vms = 1;
	return waits || w->pressure->host;
}

static void
consider(struct warden *w)
{
	struct pressure *p = w->pressure;
	uint64_t now_ms = clock_now_ms(), again_ms = LIFE_NEVER;
	struct shortage s;

	while (lacks(w, &s)) {
		struct unit *u = choose(w, &s, now_ms, &again_ms);

		if (u == NULL || (s.vms == 0 && s.bytes == 0))
			break;
		p->host = false;
		if (u->life.phase == LIFE_P_FROZEN)
			send_to_sleep(w, u);
		else
			ask_awake(w, u);
	}
	p->host = false;
	/* Who goes now brings us here again (wake_admit). */
	if (again_ms != LIFE_NEVER && (s.vms > 0 || s.bytes > 0) && !TAILQ_EMPTY(&w->admit.queue))
		timer_arm(p->soon, again_ms - now_ms + 1);
}

static void
on_soon(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	consider(arg);
}

static void
on_psi(void *arg)
{
	struct warden *w = arg;

	if (flood_pass(w->flood, FLOOD_NO_UNIT, "memory is short on this host", LIMIT_FLOOD_KIND))
		log_warn("memory is short on this host (limits: memory-pressure): the VMs that "
		    "were used least lately give way");
	w->pressure->host = true;
	ahead_yield(w);
	pressure_soon(w);
}

/* ---- beginning and end ---- */

void
pressure_review(struct warden *w)
{
	struct pressure *p = w->pressure;
	unsigned percent = w->gen->conf->limits.memory_pressure;
	struct errmsg m;

	if (p == NULL || p->percent == percent)
		return;
	psi_free(p->psi);
	p->psi = NULL;
	p->percent = percent;
	if (percent != 0 &&
	    psi_new(w->base, PSI_MEMORY, percent, on_psi, w, &p->psi, &m) != ERR_OK)
		log_info("no VM gives way when this host's memory is short: %s", m.text);
}

void
pressure_start(struct warden *w)
{
	w->pressure = mem_zero(1, sizeof(*w->pressure));
	w->pressure->soon = mem_must(event_new(w->base, -1, 0, on_soon, w));
	pressure_review(w);
	pressure_soon(w);
}

void
pressure_free(struct warden *w)
{
	if (w->pressure == NULL)
		return;
	psi_free(w->pressure->psi);
	event_free(w->pressure->soon);
	free(w->pressure);
	w->pressure = NULL;
}

void
pressure_soon(struct warden *w)
{
	if (w->pressure != NULL && !w->stopping)
		event_active(w->pressure->soon, EV_TIMEOUT, 0);
}

void
pressure_changed(struct warden *w, struct unit *u, enum life_state to, enum life_why why)
{
	if (to == LIFE_FAILED || why == LIFE_WHY_DRIVER)
		stays(w, u);
}
