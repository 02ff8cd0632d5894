/* probelink: messages to the sentinel: networks and readiness probes. */
#include "src/warden/probelink.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "src/warden/parklink.h"
#include "src/warden/ports.h"
#include "src/warden/wake.h"

/* The bridge's own address in the subnet of `guest`; family 0 when it has none. */
static struct msg_addr
bridge_source(const struct vm_bridge *br, const struct msg_addr *guest)
{
	struct msg_addr subnet = *guest;

	for (unsigned i = 0; i < br->naddrs; i++) {
		if (br->addrs[i].family != guest->family)
			continue;
		subnet = br->addrs[i];
		if (addr_in_prefix(guest, &subnet))
			return br->addrs[i];
	}
	return (struct msg_addr){ 0 };
}

/* What to probe and from where; *br is its bridge, with ifindex 0 when nothing is to be probed. */
static enum err
plan(const struct unit *u, struct msg *m, struct vm_bridge *br, struct errmsg *why)
{
	const struct config_network *net = u->conf->image->network;
	const struct config_ready *ready = &u->conf->image->ready;
	struct msg_addr *guest = &m->probe.guest, *source = &m->probe.source;
	char text[ADDR_TEXT];
	enum err e;

	br->ifindex = 0;
	if (!spec_probe(u->conf, guest, source))
		return ERR_OK;
	if ((e = vm_bridge_get(net->bridge, br, why)) != ERR_OK ||
	    (e = vm_bridge_up(net->bridge, br, why)) != ERR_OK)
		return e;
	if (source->family == 0)
		*source = bridge_source(br, guest);
	if (source->family == 0 && ready->kind != CONFIG_READY_ARP) {
		addr_text(guest, text);
		return err_set(why, ERR_MISSING,
		    "network %s: bridge %s has no address in the subnet of %s, from which "
		    "readiness could be probed: give it one, or set `probe`",
		    net->name, net->bridge, text);
	}
	m->probe.network = net->index;
	m->probe.kind = ready->kind == CONFIG_READY_TCP ? PROBE_TCP :
	    ready->kind == CONFIG_READY_PING ? PROBE_PING : PROBE_ARP;
	m->probe.port = ready->port;
	memcpy(m->probe.mac, u->conf->mac, sizeof(m->probe.mac));
	return ERR_OK;
}

/* Gives the sentinel a packet socket, and our port, of a bridge that is new, or has a new MAC. */
static enum err
send_network(struct warden *w, unsigned index, const struct vm_bridge *br, struct errmsg *why)
{
	const struct config_network *net = &w->gen->conf->networks[index];
	struct probed *p = &w->probed[index];
	struct msg m = { .type = MSG_NETWORK,
		.network = { .index = index, .ifindex = br->ifindex } };
	int fds[2] = { -1, ports_of(w, index)->fd };
	enum err e;

	if (p->ifindex == br->ifindex && memcmp(p->mac, br->mac, sizeof(p->mac)) == 0)
		return ERR_OK;
	if (vm_bridge_pin(net->bridge, br, why) != ERR_OK)
		log_warn("network %s: %s", net->name, why->text);
	e = vm_packet_socket(br, &fds[0], why);
	p->ifindex = 0;
	if (e != ERR_OK)
		return e;
	memcpy(m.network.mac, br->mac, sizeof(m.network.mac));
	child_send(&w->sentinel, &m, fds, fds[1] >= 0 ? 2 : 1);
	close(fds[0]);
	*p = (struct probed){ .ifindex = br->ifindex };
	memcpy(p->mac, br->mac, sizeof(p->mac));
	return ERR_OK;
}

/* A bridge that is there, or has changed: our port is on it, and the sentinel has both. */
static enum err
keep_network(struct warden *w, unsigned index, const struct vm_bridge *br, struct errmsg *why)
{
	const struct config_network *net = &w->gen->conf->networks[index];
	enum ports_news news;

	if (vm_bridge_pin(net->bridge, br, why) != ERR_OK)
		log_warn("network %s: %s", net->name, why->text);
	news = ports_keep(w, index);
	if (news == PORTS_NEW)
		w->probed[index].ifindex = 0;
	if (news != PORTS_SAME)
		parklink_again(w, index);
	return send_network(w, index, br, why);
}

enum err
probelink_plan(struct warden *w, struct unit *u, struct errmsg *m)
{
	struct msg msg = { .type = MSG_PROBE, .unit = u->number };
	struct unit_run *r = unit_run(u);
	struct vm_bridge br;
	enum err e = plan(u, &msg, &br, m);

	probelink_unplan(r);
	if (e == ERR_OK && br.ifindex != 0)
		e = send_network(w, msg.probe.network, &br, m);
	if (e == ERR_OK && br.ifindex != 0)
		r->probe = mem_copy(&msg, sizeof(msg));
	return e;
}

void
probelink_unplan(struct unit_run *r)
{
	free(r->probe);
	r->probe = NULL;
}

/* Starts the readiness probe of a unit, as planned if it was; an error says why it cannot. */
static enum err
send_probe(struct warden *w, struct unit *u, struct errmsg *m)
{
	struct unit_run *r = unit_run(u);
	enum err e = r->probe != NULL ? ERR_OK : probelink_plan(w, u, m);

	if (e != ERR_OK || r->probe == NULL)
		return e;
	r->probe->time_ns = clock_now_ns();
	wake_why_probed(u, r->probe);
	child_send(&w->sentinel, r->probe, NULL, 0);
	probelink_unplan(r);
	return ERR_OK;
}

void
probelink_start(struct warden *w, struct unit *u, bool vm_starts)
{
	struct unit_run *r = unit_run(u);
	unsigned caps = 0;
	struct errmsg m;

	r->probe_waits = vm_starts &&
	    vm_driver_caps(w->vms, u->conf->image->driver_name, &caps, NULL) == ERR_OK &&
	    (caps & VM_RUNS_LATE) != 0;
	if (!r->probe_waits && send_probe(w, u, &m) != ERR_OK) {
		/* The plan has found out what can be known; the boot's deadline ends this one. */
		unit_error_set(u, m.text);
		log_warn("%s: %s", u->name, m.text);
	}
}

void
probelink_unprobe(struct warden *w, const struct unit *u)
{
	struct msg m = { .type = MSG_UNPROBE, .unit = u->number };

	child_send(&w->sentinel, &m, NULL, 0);
}

/* Every change of the bridge tries again; the reason is said once. */
static void
say_failed(struct warden *w, unsigned index, const struct errmsg *why)
{
	if (!w->probed[index].failed)
		log_warn("network %s: %s", w->gen->conf->networks[index].name, why->text);
	w->probed[index].failed = true;
}

/* The sentinel has what networks of that number had before, and would keep their ports there. */
static void
close_others(struct warden *w, const struct probed before[LIMIT_NETWORKS])
{
	struct msg m = { .type = MSG_NETWORK };

	for (m.network.index = 0; m.network.index < LIMIT_NETWORKS; m.network.index++)
		if (before[m.network.index].ifindex != 0 &&
		    w->probed[m.network.index].ifindex == 0)
			child_send(&w->sentinel, &m, NULL, 0);
}

void
probelink_networks(struct warden *w)
{
	const struct config *conf = w->gen->conf;
	struct probed before[LIMIT_NETWORKS];

	memcpy(before, w->probed, sizeof(before));
	memset(w->probed, 0, sizeof(w->probed));
	ports_renumber(w);
	for (unsigned i = 0; i < conf->nnetworks; i++) {
		struct vm_bridge br;
		struct errmsg why;
		enum err e = vm_bridge_get(conf->networks[i].bridge, &br, &why);

		if (e == ERR_OK)
			e = keep_network(w, i, &br, &why);
		if (e != ERR_OK)
			say_failed(w, i, &why);
	}
	close_others(w, before);
}

void
probelink_again(struct warden *w, unsigned network)
{
	struct errmsg m;
	struct unit *u;

	UNIT_FOREACH(u, &w->units) {
		if (u->conf == NULL || u->run == NULL || u->run->probe_ticket == 0 || u->ready_held)
			continue;
		if (network != PROBELINK_ALL && u->conf->image->network->index != network)
			continue;
		probelink_unplan(u->run);     /* networks may have other numbers by now */
		if (!u->run->probe_waits && spec_probes(u->conf) && send_probe(w, u, &m) != ERR_OK)
			log_warn("%s: %s", u->name, m.text);
	}
}

void
probelink_bridge(struct warden *w, unsigned network, const struct vm_bridge *br)
{
	struct errmsg m;

	if (keep_network(w, network, br, &m) != ERR_OK)
		say_failed(w, network, &m);
	probelink_again(w, network);
}
