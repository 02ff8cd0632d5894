/* ports: one port of ours on the bridge of each network whose packets wake units. */
#include "src/warden/ports.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

void
ports_init(struct warden *w)
{
	for (unsigned i = 0; i < LIMIT_NETWORKS; i++)
		w->ports[i] = (struct network_port){ .port = { .fd = -1 } };
}

static void
close_port(struct warden *w, struct network_port *p)
{
	if (p->port.fd >= 0)
		vm_park_port_close(w->vms, &p->port);
	*p = (struct network_port){ .port = { .fd = -1 } };
}

void
ports_clear(struct warden *w)
{
	for (unsigned i = 0; i < LIMIT_NETWORKS; i++)
		close_port(w, &w->ports[i]);
}

void
ports_renumber(struct warden *w)
{
	struct network_port before[LIMIT_NETWORKS];
	const struct config *conf = w->gen->conf;

	memcpy(before, w->ports, sizeof(before));
	ports_init(w);
	for (unsigned i = 0; i < conf->nnetworks; i++) {
		for (unsigned k = 0; conf->networks[i].packets && k < LIMIT_NETWORKS; k++) {
			if (strcmp(before[k].bridge, conf->networks[i].bridge) != 0)
				continue;
			w->ports[i] = before[k];
			before[k] = (struct network_port){ .port = { .fd = -1 } };
		}
	}
	for (unsigned k = 0; k < LIMIT_NETWORKS; k++)
		close_port(w, &before[k]);
}

enum ports_news
ports_keep(struct warden *w, unsigned network)
{
	const struct config_network *net = &w->gen->conf->networks[network];
	struct network_port *p = &w->ports[network];
	enum vm_park_state state;
	struct errmsg m;

	/* A network without units has no addresses of ours. */
	if (!net->packets || net->nunits == 0)
		return PORTS_SAME;
	snprintf(p->bridge, sizeof(p->bridge), "%s", net->bridge);
	state = vm_park_port(w->vms, net->bridge, &p->port, &m);
	if (state == VM_PARK_LOST && !p->failed)
		log_warn("network %s: packets wake no unit there, only queries do: %s", net->name,
		    m.text);
	p->failed = state == VM_PARK_LOST;
	return state == VM_PARK_MADE ? PORTS_NEW : state == VM_PARK_AGAIN ? PORTS_AGAIN :
	    PORTS_SAME;
}

const struct vm_park_port *
ports_of(const struct warden *w, unsigned network)
{
	return &w->ports[network].port;
}

bool
ports_has(const struct warden *w, unsigned network, const char *name)
{
	const struct vm_park_port *port = &w->ports[network].port;

	return port->fd >= 0 && strcmp(port->name, name) == 0;
}
