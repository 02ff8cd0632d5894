/* parklink: packets for units that are not awake, between sentinel, driver host and life cycle. */
#include "src/warden/parklink.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "src/warden/ports.h"
#include "src/warden/record.h"
#include "src/warden/show.h"
#include "src/warden/timer.h"
#include "src/warden/wake.h"

/* ---- who is parked ---- */

static bool
is_awake(const struct unit *u)
{
	return life_state(&u->life) == LIFE_AWAKE;
}

/* Its wake is under way. */
static bool
is_busy(const struct unit *u)
{
	return life_state(&u->life) == LIFE_BOOTING;
}

/* Its guest goes on, or is to go on, with what is in its memory. */
static bool
has_memory(const struct unit *u)
{
	enum life_state s = life_state(&u->life);

	return s == LIFE_FROZEN || s == LIFE_SAVED || u->life.phase == LIFE_P_THAWING ||
	    (life_has_state(&u->life) && s != LIFE_STOPPING);
}

/* Its wake has come so far that its VM is, or is about to be. */
static bool
has_nic(const struct unit *u)
{
	return is_busy(u) && unit_has_vm(u) && u->life.phase != LIFE_P_ADMITTING &&
	    u->life.phase != LIFE_P_INTENDING;
}

static bool
can_park(const struct warden *w, const struct unit *u)
{
	return u->conf != NULL && !u->refused && !u->unparkable &&
	    config_image_parks(u->conf->image) &&
	    ports_of(w, u->conf->image->network->index)->fd >= 0 &&
	    /* A former unit, with a VM that may still be there, has its MAC or address. */
	    (LIST_EMPTY(&w->units.left) || unit_before(&w->units, u) == NULL);
}

bool
parklink_holds(const struct unit *u)
{
	return u->parked != 0 && !u->settling;
}

/* ---- what is told ---- */

static void
tell(struct warden *w, const struct unit *u, enum msg_type type)
{
	struct msg m = { .type = (uint16_t)type, .unit = u->number, .time_ns = clock_now_ns() };

	child_send(&w->sentinel, &m, NULL, 0);
}

/* Of each family the first; the probes' address is among them. */
static void
fill_addrs(const struct unit_conf *uc, struct msg_addr addr[2])
{
	for (unsigned i = 0; i < uc->naddrs; i++) {
		struct msg_addr *a = &addr[uc->addrs[i].family == 6];

		if (a->family == 0)
			*a = uc->addrs[i];
	}
}

static void
fill(const struct unit *u, struct msg_park *p)
{
	const struct config_policy *policy = &u->conf->policy;

	p->network = u->conf->image->network->index;
	if (has_memory(u))
		p->flags |= MSG_PARK_MEMORY;
	if (is_busy(u))
		p->flags |= MSG_PARK_BUSY;
	memcpy(p->mac, u->conf->mac, sizeof(p->mac));
	fill_addrs(u->conf, p->addr);
	p->passive_accepts = policy->passive_port == CONFIG_PASSIVE_ACCEPT;
	if (policy->wake_on != NULL) {
		p->non = (uint8_t)policy->wake_on->n;
		memcpy(p->on, policy->wake_on->on, p->non * sizeof(p->on[0]));
	}
	if (policy->passive != NULL) {
		p->npassive = (uint8_t)policy->passive->n;
		memcpy(p->passive, policy->passive->from, p->npassive * sizeof(p->passive[0]));
	}
}

static bool
is_contested(const struct unit *u)
{
	return u->run != NULL &&
	    (u->run->conflicts[0].addr.family != 0 || u->run->conflicts[1].addr.family != 0);
}

/* Another host may have its addresses: a sentinel that is told of it looks for one. */
static void
disown(struct unit *u)
{
	u->owned = false;
	if (u->run != NULL)
		memset(u->run->conflicts, 0, sizeof(u->run->conflicts));
}

/* Tells it unless it was told; true: it was not. */
static bool
tell_parked(struct warden *w, struct unit *u)
{
	static const uint8_t key[16] = { 0 };
	struct msg m = { .type = MSG_PARK, .unit = u->number, .time_ns = clock_now_ns() };
	uint32_t hash;

	fill(u, &m.park);
	hash = (uint32_t)siphash24(key, &m.park, sizeof(m.park)) | 1;
	if (hash == u->parked && !u->settling && !u->park_anew)
		return false;
	if (u->owned)
		m.park.flags |= MSG_PARK_OWNED;
	child_send(&w->sentinel, &m, NULL, 0);
	u->parked = hash;
	u->settling = u->park_anew = false;
	u->owned = !is_contested(u);   /* a conflict is told */
	return true;
}

/* ---- guards, links, entries ---- */

/*
 * Guests that boot have guards.  One that goes on with its memory has its services, or has not:
 * what it refuses is refused.
 *
 * Its VM may have lost its UUID by now.
 */
static void
unguard(struct warden *w, struct unit *u)
{
	if (!u->guarded)
		return;
	u->guarded = false;
	if (w->activity != NULL)
		vm_activity_guard(w->activity, &u->run->guarded, u->conf->mac, false);
}

/* Nothing of ours is in its path any more: no guard, no link. */
static void
let_go(struct warden *w, struct unit *u)
{
	unguard(w, u);
	if (unit_has_vm(u))
		vm_link_done(w->vms, &u->run->uuid);
}

void
parklink_guard(struct warden *w, struct unit *u)
{
	if (!parklink_holds(u))
		return;
	(void)tell_parked(w, u);       /* its memory is lost, if it had any */
	if (u->guarded || w->activity == NULL)
		return;
	u->guarded = true;
	u->run->guarded = u->run->uuid;
	vm_activity_guard(w->activity, &u->run->guarded, u->conf->mac, true);
}

/* Those that have not been looked at once more, and the others that wait for a review. */
static void
once_more(evutil_socket_t fd, short what, void *arg)
{
	struct warden *w = arg;
	struct unit *u;

	(void)fd;
	(void)what;
	w->park_waits = false;
	UNIT_FOREACH(u, &w->units)
		if (u->unparkable && !u->unparked_once) {
			u->unparked_once = true;
			u->unparkable = false;
		}
	parklink_review(w);
}

static void
entry_failed(uint32_t unit, enum err e, const char *why, void *arg)
{
	struct warden *w = arg;
	struct unit *u = unit_by_number(&w->units, unit);

	if (u == NULL)
		return;
	if (flood_pass(w->flood, u->number, "packets do not wake it", LIMIT_FLOOD_KIND))
		log_warn("%s: packets do not wake it: %s", u->name, why);
	if (e != ERR_EXISTS || is_awake(u) || u->parked == 0)
		return;
	/*
	 * Somebody else's MAC: its address is not answered for, either, until a reload.  Once more
	 * in between: a NIC of its VM that has just died may not have been gone yet.
	 */
	if (!u->unparked_once && !w->park_waits) {
		w->park_waits = true;
		timer_once(w->base, LIMIT_PARK_AGAIN_MS, once_more, w);
	}
	u->unparkable = true;
	tell(w, u, MSG_UNPARK);
	u->parked = 0;
}

static void
park_entry(struct warden *w, const struct unit *u)
{
	vm_park(w->vms, ports_of(w, u->conf->image->network->index), u->conf->mac,
	    unit_has_vm(u) ? &u->run->uuid : NULL, u->number, entry_failed, w);
}

static void
unpark(struct warden *w, struct unit *u)
{
	const struct vm_park_port *port = ports_of(w, u->conf->image->network->index);

	let_go(w, u);
	if (u->parked == 0)
		return;
	tell(w, u, MSG_UNPARK);
	if (port->fd >= 0 && !is_awake(u))
		vm_unpark(w->vms, port, u->conf->mac);
	u->parked = 0;
	u->settling = u->park_anew = false;
	disown(u);
}

void
parklink_lost(struct warden *w, const struct unit *u)
{
	if (parklink_holds(u) && can_park(w, u))
		park_entry(w, u);
}

static void
send_link(struct warden *w, const struct unit *u, int fd)
{
	struct msg m = { .type = MSG_LINK, .unit = u->number, .time_ns = clock_now_ns() };

	child_send(&w->sentinel, &m, &fd, 1);
}

void
parklink_link(struct warden *w, const struct unit *u, int fd)
{
	if (is_busy(u) && parklink_holds(u))
		send_link(w, u, fd);
	else
		vm_link_done(w->vms, &u->run->uuid);   /* it is awake already, say */
	close(fd);
}

/* A sentinel that is new, or has just heard of it, has no link to a NIC that there is. */
static void
link_again(struct warden *w, const struct unit *u)
{
	int fd = -1;

	if (vm_link_open(w->vms, &u->run->uuid, u->conf->mac, &fd, NULL) != ERR_OK)
		return;
	send_link(w, u, fd);
	close(fd);
}

/* ---- states ---- */

/* As the unit is now; `moved`: its MAC may not be where it was parked. */
static void
park(struct warden *w, struct unit *u, bool moved)
{
	bool is_new = u->parked == 0 || u->park_anew, nic = has_nic(u);

	if (!tell_parked(w, u) && !moved)
		return;
	if (!nic && (is_new || moved))
		park_entry(w, u);
	if (nic && is_new)
		link_again(w, u);
	if (nic && !has_memory(u))
		parklink_guard(w, u);
}

/* Else MSG_PARK would have it ask again for the sake of what is held. */
static void
refuse(struct warden *w, struct unit *u)
{
	let_go(w, u);
	if (u->parked != 0)
		tell(w, u, MSG_DROP);
	u->dropped = true;
}

void
parklink_changed(struct warden *w, struct unit *u, enum life_state from)
{
	enum life_state to = life_state(&u->life);

	if (u->conf == NULL)
		return;
	if (to == LIFE_AWAKE) {
		disown(u);
		u->owned = true;               /* its guest has them now */
		u->unparked_once = false;
		/* A VM that was to sleep, and runs on; one that boots has taken its MAC. */
		if (from != LIFE_BOOTING && u->parked != 0 && unit_has_vm(u))
			vm_park_take(w->vms, &u->run->uuid, u->conf->mac);
		u->settling = u->parked != 0;
		u->park_anew = false;
		if (u->settling)
			tell(w, u, MSG_AWAKE);
		else
			let_go(w, u);   /* a sentinel that is new has not heard of it yet */
	} else if (can_park(w, u)) {
		if (from == LIFE_BOOTING)
			refuse(w, u);
		else if (from == LIFE_STOPPING)
			unguard(w, u);
		if (to == LIFE_STOPPING)
			(void)tell_parked(w, u);   /* parklink_stops has the rest */
		else
			park(w, u, from == LIFE_AWAKE || from == LIFE_BOOTING ||
			    from == LIFE_STOPPING);
	} else {
		unpark(w, u);
	}
}

void
parklink_stops(struct warden *w, struct unit *u, bool asked)
{
	if (!parklink_holds(u))
		return;
	if (asked)
		parklink_guard(w, u);
	else
		park_entry(w, u);
}

void
parklink_leave(struct warden *w, struct unit *u)
{
	unpark(w, u);
}

void
parklink_refused(struct warden *w, struct unit *u)
{
	if (parklink_holds(u) && !is_busy(u) && !u->dropped)
		refuse(w, u);
}

/* ---- all units ---- */

static void
review_unit(struct warden *w, struct unit *u)
{
	if (is_awake(u) || u->conf == NULL)
		return;
	if (can_park(w, u))
		park(w, u, false);
	else
		unpark(w, u);
}

/* In slices, so that neither the loop nor the channel is full of them. */
static void
review_some(struct warden *w, unsigned most)
{
	struct unit *u;

	for (unsigned i = 0; i < most && (u = unit_next(&w->units, &w->park_at)) != NULL; i++)
		review_unit(w, u);
}

static void
on_review(evutil_socket_t fd, short what, void *arg)
{
	struct warden *w = arg;

	(void)fd;
	(void)what;
	if (w->sentinel.chan == NULL || w->gen == NULL)
		return;   /* the next one is told everything */
	review_some(w, LIMIT_PARK_SLICE);
	/* Else goes on when the sentinel has read all that. */
	if (w->park_at < w->units.next && chan_queued(w->sentinel.chan) == 0)
		timer_arm(w->ev_park, 1);
}

static void
on_drained(struct chan *c, void *arg)
{
	struct child *child = arg;
	struct warden *w = child->arg;

	(void)c;
	if (w->park_at < w->units.next)
		timer_arm(w->ev_park, 1);
}

void
parklink_review(struct warden *w)
{
	w->park_at = 0;
	if (w->sentinel.chan != NULL && w->sentinel.confined)
		timer_arm(w->ev_park, 1);
}

void
parklink_new(struct warden *w)
{
	struct unit *u;

	chan_on_drained(w->sentinel.chan, on_drained);
	UNIT_FOREACH(u, &w->units) {
		u->parked = 0;
		if (is_contested(u))
			disown(u);
		if (u->settling)
			let_go(w, u);
		u->settling = false;
	}
	w->park_at = 0;
	review_some(w, LIMIT_PARK_FIRST);
}

void
parklink_running(struct warden *w)
{
	/* Else goes on when the sentinel has read what it was told. */
	if (w->park_at < w->units.next && chan_queued(w->sentinel.chan) == 0)
		timer_arm(w->ev_park, 1);
}

void
parklink_again(struct warden *w, unsigned network)
{
	struct unit *u;

	UNIT_FOREACH(u, &w->units)
		if (u->conf != NULL && u->conf->image->network->index == network && !u->settling)
			u->park_anew = u->parked != 0;
	parklink_review(w);
}

void
parklink_init(struct warden *w)
{
	ports_init(w);
	w->ev_park = mem_must(evtimer_new(w->base, on_review, w));
}

void
parklink_clear(struct warden *w)
{
	ports_clear(w);
	event_free(w->ev_park);
}

/* ---- what the sentinel says ---- */

static bool
is_family(const struct msg_addr *a)
{
	return a->family == 4 || a->family == 6;
}

/* A SYN, a datagram, a ping may come from anywhere, whatever its address says. */
static bool
may_wake(struct warden *w, struct unit *u)
{
	if (w->stopping)
		return false;
	if (is_busy(u) || rate_take(&w->packet_wakes, clock_now_ns()))
		return true;
	unit_error_set(u, "packets wake too often (limits: udp-wakes-per-minute)");
	w->totals.refused++;
	return false;
}

static bool
on_knock(struct warden *w, struct unit *u, const struct msg *m)
{
	uint8_t proto = m->knock.proto, family = m->knock.peer.family;
	bool echo = proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;

	if (!is_family(&m->knock.peer) || m->knock.middle > 1 ||
	    (!echo && proto != IPPROTO_TCP && proto != IPPROTO_UDP) ||
	    (echo && (m->knock.port != 0 || (proto == IPPROTO_ICMPV6) != (family == 6))) ||
	    (m->knock.middle == 1 && proto != IPPROTO_TCP))
		return false;
	if (u == NULL || !parklink_holds(u))
		return true;   /* it crossed what has changed */
	u->dropped = false;
	if (!may_wake(w, u)) {
		parklink_refused(w, u);
		return true;
	}
	unit_run(u)->knock = (struct unit_knock){ .peer = m->knock.peer, .proto = proto,
		.port = m->knock.port };
	wake_asker(w, u, &m->knock.peer);
	wake_request(w, u, LIFE_BY_PACKET, m->time_ns);
	return true;
}

static bool
on_settled(struct warden *w, struct unit *u)
{
	if (u == NULL || !u->settling)
		return true;   /* it sleeps again */
	u->settling = false;
	u->parked = 0;
	let_go(w, u);
	return true;
}

static bool
on_conflict(struct warden *w, struct unit *u, const struct msg *m)
{
	char text[SHOW_CONFLICT], addr[ADDR_TEXT];
	struct unit_conflict *c;

	if (!is_family(&m->conflict.addr) || m->conflict.over > 1)
		return false;
	if (u == NULL || u->conf == NULL || u->parked == 0 ||
	    !mapping_unit_has_addr(u->conf, &m->conflict.addr))
		return true;
	c = &unit_run(u)->conflicts[m->conflict.addr.family == 6];
	addr_text(&m->conflict.addr, addr);
	if (!m->conflict.over) {
		*c = (struct unit_conflict){ .addr = m->conflict.addr };
		memcpy(c->mac, m->conflict.mac, sizeof(c->mac));
		snprintf(text, sizeof(text), "%s has %s, too", ADDR_MAC_STR(c->mac), addr);
	} else {
		c->addr.family = 0;
		snprintf(text, sizeof(text), "nobody else has %s any more", addr);
	}
	u->owned = !is_contested(u);
	if (!flood_pass(w->flood, u->number, "conflict", LIMIT_FLOOD_KIND))
		return true;
	log_warn("%s: %s", u->name, text);
	record_event(w, u->name, "conflict", text);
	return true;
}

bool
parklink_message(struct warden *w, struct unit *u, const struct msg *m)
{
	switch (m->type) {
	case MSG_KNOCK:
		return on_knock(w, u, m);
	case MSG_SETTLED:
		return on_settled(w, u);
	default:
		return on_conflict(w, u, m);
	}
}
