/*
 * links: VMs that run are reachable: what happens to bridges and to the host's ends of NICs.
 *
 *     a bridge is made again, or got its name back  → ports of VMs that run are put on it
 *     a port was taken from its bridge, or set down → the same
 *     the host's end of a NIC was deleted           → the VM is ended, with that for a reason
 *     there is no such bridge, or it is down        → said once, queries are SERVFAIL; a VM is put
 *                                                     to sleep after LIMIT_LINKS_LOST_S
 *     a bridge has another name now                 → said: no other VM can boot on it
 *     a bridge has another MAC or IP address        → the sentinel's probes have it, too
 *     a bridge has what a wake had missed           → the next wake waits out no back-off
 *
 * A VM can be reached when its first NIC can be: its unit's addresses are there.  Its other NICs
 * are put back and said alike.
 *
 * After LIMIT_LINKS_SETTLE_MS, since a tap also goes with its VM, whose end says more, and a bridge
 * that is made again is not complete at once.  What counts then is what the kernel says when it is
 * asked: what was heard only tells whom to look at, so events that were lost (VM_LINK_LOST) cost a
 * look at all.  The first look is at the VMs that were adopted.
 */
#include "src/warden/links.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "src/warden/dnslink.h"
#include "src/warden/ports.h"
#include "src/warden/probelink.h"
#include "src/warden/record.h"
#include "src/warden/timer.h"
#include "src/warden/wake.h"

/* unit_run.links; from LINK_LOST on nobody can reach it. */
enum link_state { LINK_ON = 0, LINK_ELSEWHERE, LINK_LOST, LINK_GONE };

#define TEXT 600
#define GONE_TEXT "its network interface was deleted"

static const struct config_network *
network_of(const struct unit *u, unsigned nic)
{
	return nic == 0 ? u->conf->image->network : u->conf->image->nics[nic - 1];
}

/* A driver makes or saves its VM: what happens to its ports meanwhile is looked at afterwards. */
static bool
is_busy(const struct unit *u)
{
	enum life_phase p = (enum life_phase)u->life.phase;

	return u->conf != NULL && unit_has_vm(u) &&
	    (p == LIFE_P_STARTING || p == LIFE_P_RESTORING || p == LIFE_P_SAVING);
}

/* An xl.cfg or a vif script of the operator makes its network. */
static bool
is_foreign(const struct unit *u)
{
	return u->conf->image->xl != NULL || u->conf->image->vif_script != NULL;
}

/* ---- VMs that cannot be reached ---- */

static void
end_within(struct warden *w, uint64_t ns)
{
	/* A pending timer is due earlier; after links_clear there is none. */
	if (w->ev_lost != NULL && !evtimer_pending(w->ev_lost, NULL))
		timer_arm(w->ev_lost, (ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void
end_lost(struct warden *w, struct unit *u)
{
	struct life_event ev = { .kind = LIFE_EV_SLEEP, .now_ms = clock_now_ms(),
		.sleep = { .cause = LIFE_BY_UNREACHABLE } };
	struct life_policy p;

	if (memchr(u->run->links, LINK_GONE, sizeof(u->run->links)) != NULL) {
		vm_end(w->vms, &u->run->uuid, unit_error(u, GONE_TEXT));
		return;
	}
	if (life_state(&u->life) == LIFE_FROZEN)
		return;   /* it costs no more than it did before */
	wake_policy(w, u, &p);
	ev.sleep.tier = (enum life_tier)p.sleep;
	wake_step(w, u, &ev);
}

static void
on_lost(evutil_socket_t fd, short what, void *arg)
{
	const uint64_t most = LIMIT_LINKS_LOST_S * NS_PER_S;
	uint64_t now = clock_now_ns(), next = UINT64_MAX;
	struct warden *w = arg;
	struct unit *u;

	(void)fd;
	(void)what;
	UNIT_FOREACH(u, &w->units) {
		if (!unit_unreachable(u))
			continue;
		if (u->run->lost_ns + most <= now)
			end_lost(w, u);
		else if (u->run->lost_ns + most - now < next)
			next = u->run->lost_ns + most - now;
	}
	if (next != UINT64_MAX)
		end_within(w, next);
}

/* Follows what is known of a unit's NICs. */
static void
settle_unit(struct warden *w, struct unit *u)
{
	/* A VM that has lost any NIC is ended all the same. */
	bool lost = u->run->links[0] >= LINK_LOST ||
	    memchr(u->run->links, LINK_GONE, sizeof(u->run->links)) != NULL;

	if (lost == (u->run->lost_ns != 0))
		return;
	u->run->lost_ns = lost ? clock_now_ns() : 0;
	wake_board(w, u);
	if (!lost)
		return;
	dnslink_woken(w, u->number, WAKE_FAILED, MSG_EDE_OTHER);   /* who waits for its boot */
	end_within(w, LIMIT_LINKS_LOST_S * NS_PER_S);
}

/* ---- ports ---- */

/* The state of a NIC, and its text for people; *is_new: the text cannot have been said yet. */
static enum link_state
look(struct warden *w, const struct unit *u, unsigned nic, const struct vm_activity_nic *port,
    char text[TEXT], bool *is_new)
{
	const char *bridge = network_of(u, nic)->bridge;
	struct errmsg m = { "" };

	*is_new = false;
	switch (vm_port_keep(w->vms, port->name, bridge, port->mac, &m)) {
	case VM_PORT_BACK:
		*is_new = true;
		/* FALLTHROUGH */
	case VM_PORT_THERE:
		snprintf(text, TEXT, "%.16s is on bridge %.16s again", port->name, bridge);
		return LINK_ON;
	case VM_PORT_ELSEWHERE:
		snprintf(text, TEXT, "the bridge of %.16s: %.500s", port->name, m.text);
		return LINK_ELSEWHERE;
	case VM_PORT_GONE:
		snprintf(text, TEXT, "its network interface %.16s was deleted", port->name);
		return LINK_GONE;
	case VM_PORT_LOST:
		break;
	}
	snprintf(text, TEXT, "its VM %s: %.16s: %.500s",
	    nic == 0 ? "cannot be reached" : "has lost a network", port->name, m.text);
	return LINK_LOST;
}

static void
keep_ports(struct warden *w, struct unit *u)
{
	struct vm_activity_nic ports[LIMIT_NICS];
	struct vm_ids ids = vm_ids_get(w->vms, &u->run->uuid);
	unsigned n = spec_nics(&w->secret, u->conf, &ids, ports);
	char text[TEXT], wrong[TEXT] = "";
	bool changed = false, is_new;

	if (is_foreign(u))
		return;
	for (unsigned i = 0; i < n; i++) {
		enum link_state now;

		if (ports[i].name[0] == '\0')
			continue;
		now = look(w, u, i, &ports[i], text, &is_new);
		if (now == LINK_GONE && ids.domid == 0) {
			vm_end(w->vms, &u->run->uuid, text);
			return;
		}
		/* A domain that somebody destroys loses its devices first: its end tells more. */
		if ((now != u->run->links[i] || is_new) && now != LINK_GONE) {
			log_warn("%s: %s", u->name, text);
			record_event(w, u->name, "network", text);
		}
		if (now != LINK_ON && wrong[0] == '\0')
			memcpy(wrong, text, sizeof(wrong));
		changed = changed || now != u->run->links[i];
		u->run->links[i] = (uint8_t)now;
	}
	if (changed)
		unit_error_set(u, wrong[0] != '\0' ? wrong : NULL);
	settle_unit(w, u);
}

/* ---- bridges ---- */

/* A bridge is back, or complete: boots that failed for want of that may be tried at once. */
static void
heal(struct warden *w, const struct config_network *net)
{
	struct unit *u;

	UNIT_FOREACH(u, &w->units) {
		bool on_it = false;

		if (u->conf == NULL || u->run == NULL || u->life.phase != LIFE_P_FAILED ||
		    (!u->run->no_network && u->run->lost_ns == 0))
			continue;
		for (unsigned k = 0; k < 1 + u->conf->image->nnics; k++)
			on_it = on_it || network_of(u, k) == net;
		if (on_it)
			wake_policy_step(w, u);
	}
}

/* Units with a NIC on that bridge or with that end; both NULL: all.  False: there are none. */
static bool
mark(struct warden *w, const char *bridge, const char *port)
{
	bool any = false;
	struct unit *u;
	size_t at = 0;

	while ((u = unit_vm_next(&w->units, &at)) != NULL) {
		bool is_meant = port == NULL && bridge == NULL;
		struct vm_ids ids;

		if (!unit_runs(u) && !is_busy(u))
			continue;
		if (port != NULL)
			ids = vm_ids_get(w->vms, &u->run->uuid);
		for (unsigned k = 0; !is_meant && k < 1 + u->conf->image->nnics; k++)
			is_meant = port != NULL ? strcmp(ids.nics[k], port) == 0 :
			    strcmp(network_of(u, k)->bridge, bridge) == 0;
		/* Names of ports that a driver is making are not known yet. */
		u->run->link_changed = u->run->link_changed || is_meant ||
		    (port != NULL && is_busy(u));
		any = any || is_meant;
	}
	return any;
}

static bool
is_known(const struct warden *w, unsigned network)
{
	return strcmp(w->bridges[network].name, w->gen->conf->networks[network].bridge) == 0;
}

static void
look_at_bridge(struct warden *w, unsigned network)
{
	const struct config_network *net = &w->gen->conf->networks[network];
	struct link_bridge *b = &w->bridges[network], was = *b;
	bool known = is_known(w, network);
	struct vm_bridge br;
	struct errmsg m;

	memset(b, 0, sizeof(*b));
	snprintf(b->name, sizeof(b->name), "%s", net->bridge);
	if (vm_bridge_get(net->bridge, &br, &m) == ERR_OK) {
		b->ifindex = br.ifindex;
		b->up = br.up;
		memcpy(b->mac, br.mac, sizeof(b->mac));
	}
	if (!known || was.ifindex != b->ifindex || was.up != b->up)
		(void)mark(w, net->bridge, NULL);   /* the caller looks at them */
	if (!b->up)
		return;
	probelink_bridge(w, network, &br);
	heal(w, net);
}

static void
on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct warden *w = arg;
	struct unit *u;
	size_t at = 0;

	(void)fd;
	(void)what;
	for (unsigned i = 0; w->gen != NULL && i < w->gen->conf->nnetworks; i++)
		if (w->bridges[i].doubt || !is_known(w, i))
			look_at_bridge(w, i);
	while ((u = unit_vm_next(&w->units, &at)) != NULL) {
		if (!u->run->link_changed || is_busy(u))
			continue;
		u->run->link_changed = false;
		if (unit_runs(u))
			keep_ports(w, u);
	}
}

void
links_look(struct warden *w)
{
	/* Not put off by each further event. */
	if (w->ev_links != NULL && !evtimer_pending(w->ev_links, NULL))
		timer_arm(w->ev_links, LIMIT_LINKS_SETTLE_MS);
}

/* ---- what the kernel tells ---- */

/* May a network have another bridge now, or a changed one? */
static bool
concerns(const struct link_bridge *b, const char *bridge, const struct vm_link *link)
{
	bool is_same = b->ifindex != 0 && b->ifindex == link->ifindex;
	bool is_named = strcmp(bridge, link->name) == 0;

	/* The kernel repeats what a bridge is whenever a port joins. */
	if (link->kind == VM_LINK_IS)
		return is_named != is_same || (is_same &&
		    (b->up != link->up || memcmp(b->mac, link->mac, sizeof(b->mac)) != 0));
	return link->kind == VM_LINK_LOST || (link->kind == VM_LINK_ADDR && is_same) ||
	    (link->kind == VM_LINK_GONE && (is_named || is_same));
}

static void
on_link(const struct vm_link *link, void *arg)
{
	struct warden *w = arg;
	bool is_lost = link->kind == VM_LINK_GONE || link->kind == VM_LINK_LEFT ||
	    (link->kind == VM_LINK_IS && !link->up);

	if (w->gen == NULL)
		return;
	for (unsigned i = 0; i < w->gen->conf->nnetworks; i++)
		if (concerns(&w->bridges[i], w->gen->conf->networks[i].bridge, link) ||
		    (is_lost && ports_has(w, i, link->name))) {
			w->bridges[i].doubt = true;
			links_look(w);
		}
	if (link->kind == VM_LINK_ADDR || (link->kind == VM_LINK_IS && link->up))
		return;
	if (mark(w, NULL, link->kind == VM_LINK_LOST ? NULL : link->name))
		links_look(w);
}

/* ---- what the others ask and tell ---- */

enum err
links_check(const struct warden *w, const struct unit *u, struct errmsg *m)
{
	unsigned n = is_foreign(u) ? 0 : 1 + u->conf->image->nnics;
	enum err e = ERR_OK;

	for (unsigned k = 0; k < n && e == ERR_OK; k++) {
		const struct config_network *net = network_of(u, k);
		const struct link_bridge *b = &w->bridges[net->index];

		if (w->links == NULL || !is_known(w, net->index) || !b->up || b->doubt)
			e = vm_bridge_check(net->bridge, m);
	}
	return e;
}

void
links_started(struct warden *w, const struct unit *u)
{
	if (u->run->link_changed)
		links_look(w);
}

void
links_awake(struct warden *w, struct unit *u)
{
	if (u->run == NULL)
		return;
	links_started(w, u);
	if (u->run->lost_ns == 0)
		return;
	u->run->lost_ns = clock_now_ns();
	end_within(w, LIMIT_LINKS_LOST_S * NS_PER_S);
}

void
links_review(struct warden *w)
{
	for (unsigned i = 0; i < w->gen->conf->nnetworks; i++)
		w->bridges[i].doubt = true;
	(void)mark(w, NULL, NULL);   /* the networks are looked at anyway */
	links_look(w);
}

void
links_init(struct warden *w)
{
	struct errmsg m;

	w->ev_links = mem_must(evtimer_new(w->base, on_settled, w));
	w->ev_lost = mem_must(evtimer_new(w->base, on_lost, w));
	if (vm_links_new(w->base, on_link, w, &w->links, &m) != ERR_OK)
		log_warn(
		    "VMs whose bridge goes and comes again stay without a network: %s", m.text);
}

void
links_clear(struct warden *w)
{
	vm_links_free(w->links);
	event_free(w->ev_links);
	event_free(w->ev_lost);
	w->links = NULL;
	w->ev_links = w->ev_lost = NULL;
}
