/*
 * links: VMs that run are reachable: what happens to bridges and to the host's ends of NICs.
 *
 *     a bridge is made again, or got its name back → ports of VMs that run are put on it
 *     a port was taken from its bridge             → the same
 *     the host's end of a NIC was deleted          → the VM is ended, with that for a reason
 *     there is no such bridge                      → said, and waited for
 *
 * After LIMIT_LINKS_SETTLE_MS, since a tap also goes with its VM, whose end says more, and a bridge
 * that is made again is not complete at once.  The first look is at the VMs that were adopted.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "src/record.h"
#include "src/spec.h"
#include "src/warden.h"

/* Has it a VM that runs, whole, and was not told to go? */
static bool
runs(const struct unit *u)
{
	return u->conf != NULL && u->run != NULL && u->run->has_vm &&
	    (life_state(&u->life) == LIFE_AWAKE || life_state(&u->life) == LIFE_FROZEN);
}

static void
say_lost(struct warden *w, struct unit *u, const char *name, const char *why)
{
	char text[600];

	snprintf(text, sizeof(text), "its VM cannot be reached: %.16s is on no bridge: %.500s", name, why);
	log_warn("%s: %s", u->name, text);
	record_event(w, u->name, "network", text);
	unit_error_set(u, text);
	u->run->unreachable = true;
}

static void
say_back(struct warden *w, struct unit *u, const char *name, const char *bridge)
{
	char text[100];

	snprintf(text, sizeof(text), "%.16s is on bridge %.16s again", name, bridge);
	log_warn("%s: %s", u->name, text);
	record_event(w, u->name, "network", text);
	if (u->run->unreachable)
		unit_error_set(u, NULL);
	u->run->unreachable = false;
}

static void
keep_ports(struct warden *w, struct unit *u)
{
	const struct config_image *im = u->conf->image;
	struct vm_activity_nic nics[LIMIT_NICS];
	struct vm_ids ids = vm_ids_get(w->vms, &u->run->uuid);
	unsigned n = spec_nics(&w->secret, u->conf, &ids, nics);
	char why[100];
	struct errmsg m = { "" };

	if (im->xl != NULL || im->vif_script != NULL)
		return;   /* its network is somebody else's business */
	for (unsigned i = 0; i < n; i++) {
		const char *bridge = (i == 0 ? im->network : im->nics[i - 1])->bridge;

		if (nics[i].name[0] == '\0')
			continue;
		switch (vm_port_keep(nics[i].name, bridge, nics[i].mac, &m)) {
		case VM_PORT_THERE:
			break;
		case VM_PORT_BACK:
			say_back(w, u, nics[i].name, bridge);
			break;
		case VM_PORT_LOST:
			if (!u->run->unreachable)
				say_lost(w, u, nics[i].name, m.text);
			break;
		case VM_PORT_GONE:
			/* A domain's devices go before the domain when somebody destroys it: its end tells. */
			if (ids.domid != 0)
				return;
			snprintf(why, sizeof(why), "its network interface %.16s was deleted", nics[i].name);
			vm_end(w->vms, &u->run->uuid, why);
			return;
		}
	}
}

static void
on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct warden *w = arg;

	(void)fd;
	(void)what;
	for (struct unit *u = unit_vm_next(&w->units, NULL), *next; u != NULL; u = next) {
		next = unit_vm_next(&w->units, u);
		if (!u->run->link_changed)
			continue;
		u->run->link_changed = false;
		if (runs(u))
			keep_ports(w, u);
	}
}

static void
look_soon(struct warden *w)
{
	const struct timeval settle = { .tv_usec = LIMIT_LINKS_SETTLE_MS * 1000 };

	/* Not put off by each further event. */
	if (w->ev_links != NULL && !evtimer_pending(w->ev_links, NULL) &&
	    evtimer_add(w->ev_links, &settle) != 0)
		fatal("event loop: %s", err_str(ERR_NOMEM));
}

/* Units with a NIC on that bridge, or with that interface as its end; all, when both are NULL. */
static void
mark(struct warden *w, const char *bridge, const char *port)
{
	for (struct unit *u = unit_vm_next(&w->units, NULL); u != NULL; u = unit_vm_next(&w->units, u)) {
		struct vm_ids ids;
		bool is_meant = port == NULL && bridge == NULL;

		if (!runs(u))
			continue;
		if (port != NULL)
			ids = vm_ids_get(w->vms, &u->run->uuid);
		for (unsigned k = 0; !is_meant && k < 1 + u->conf->image->nnics; k++) {
			const struct config_image *im = u->conf->image;

			is_meant = port != NULL ? strcmp(ids.nics[k], port) == 0 :
			    strcmp((k == 0 ? im->network : im->nics[k - 1])->bridge, bridge) == 0;
		}
		if (!is_meant)
			continue;
		u->run->link_changed = true;
		look_soon(w);
	}
}

static void
on_link(const struct vm_link *link, void *arg)
{
	struct warden *w = arg;

	if (w->gen == NULL)
		return;
	for (unsigned i = 0; i < w->gen->conf->nnetworks; i++) {
		const char *bridge = w->gen->conf->networks[i].bridge;
		bool is_same = w->bridges[i] == link->ifindex, is_named = strcmp(bridge, link->name) == 0;

		/* One that is what it was says so whenever a port joins. */
		if (link->kind == VM_LINK_LEFT || (link->kind == VM_LINK_IS && is_same == is_named) ||
		    (link->kind == VM_LINK_GONE && !is_same && !is_named))
			continue;
		if (link->kind == VM_LINK_IS && is_named)
			w->bridges[i] = link->ifindex;
		else
			w->bridges[i] = 0;
		mark(w, bridge, NULL);
	}
	if (link->kind == VM_LINK_GONE || link->kind == VM_LINK_LEFT)
		mark(w, NULL, link->name);
}

void
links_review(struct warden *w)
{
	mark(w, NULL, NULL);
}

void
links_init(struct warden *w)
{
	struct errmsg m;

	w->ev_links = evtimer_new(w->base, on_settled, w);
	if (w->ev_links == NULL)
		fatal("event loop: %s", err_str(ERR_NOMEM));
	if (vm_links_new(w->base, on_link, w, &w->links, &m) != ERR_OK)
		log_warn("VMs whose bridge goes and comes again stay without a network: %s", m.text);
}

void
links_clear(struct warden *w)
{
	vm_links_free(w->links);
	if (w->ev_links != NULL)
		event_free(w->ev_links);
	w->links = NULL;
	w->ev_links = NULL;
}
