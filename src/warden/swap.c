/* swap: from one generation to the next: units, limits, and everybody who must know. */
#include "src/warden/state.h"

#include <string.h>

#include "src/warden/ahead.h"
#include "src/warden/aside.h"
#include "src/warden/dnslink.h"
#include "src/warden/holds.h"
#include "src/warden/links.h"
#include "src/warden/parklink.h"
#include "src/warden/passive.h"
#include "src/warden/pressure.h"
#include "src/warden/probelink.h"
#include "src/warden/schedule.h"
#include "src/warden/wake.h"

/* May a running VM of `old` go on as `fresh`?  Its guest knows addresses, MAC and network. */
static bool
same_identity(const struct unit_conf *old, const struct unit_conf *fresh)
{
	if (old->naddrs != fresh->naddrs || memcmp(old->mac, fresh->mac, sizeof(old->mac)) != 0 ||
	    strcmp(old->image->network->name, fresh->image->network->name) != 0 ||
	    strcmp(old->image->network->bridge, fresh->image->network->bridge) != 0)
		return false;
	for (unsigned i = 0; i < old->naddrs; i++)
		if (addr_cmp(&old->addrs[i], &fresh->addrs[i]) != 0)
			return false;
	return true;
}

static void
leave(struct warden *w, struct unit *u)
{
	parklink_leave(w, u);
	wake_leave(w, u);
}

static enum err
update_unit(struct warden *w, const struct unit_conf *uc, uint64_t generation, struct errmsg *m)
{
	struct unit *u = unit_by_name(&w->units, uc->name);
	uint16_t passive = passive_number(w, uc->policy.passive);
	bool counts = false;

	if (u != NULL && !same_identity(u->conf, uc)) {
		leave(w, u);
		u = NULL;
	}
	if (u != NULL) {
		counts = (u->conf->policy.idle_below != uc->policy.idle_below ||
		    u->passive != passive) && unit_runs(u) && !u->run->count_waits;
		unit_conf_set(&w->units, u, uc);
	} else if ((u = unit_new(&w->units, uc, m)) == NULL) {
		return ERR_LIMIT;
	}
	if (counts)
		wake_count(w, u, &u->run->uuid);
	u->passive = passive;
	if (u->life.timer_ms == 0)
		life_init(&u->life);
	u->generation = generation;
	return ERR_OK;
}

/* Points every unit to its new settings; those that have none leave. */
static void
update_units(struct warden *w, const struct generation *g, struct report *r)
{
	struct errmsg m;
	struct unit *u;

	for (unsigned z = 0; z < g->conf->nzones; z++) {
		const struct config_zone *zone = &g->conf->zones[z];
		uint32_t n = g->zones[z].zimage != NULL ? mapping_zone_units(g->mappings, zone) : 0;

		for (uint32_t i = 0; i < n; i++) {
			const struct unit_conf *uc = mapping_zone_unit(g->mappings, zone, i);

			if (uc->target == NULL && !uc->refused &&
			    update_unit(w, uc, g->number, &m) != ERR_OK)
				(void)report_add(r, uc->file, uc->line, "%s", m.text);
		}
	}
	UNIT_FOREACH(u, &w->units) {
		if (u->leaving || u->generation == g->number)
			continue;
		aside_leave(w, g, u);
		leave(w, u);
	}
}

/* After the swap: the end of what left, boards, and policies of what is not asleep. */
static void
settle_units(struct warden *w)
{
	struct unit *u;

	wake_drain(w);
	UNIT_FOREACH(u, &w->units) {
		wake_board(w, u);
		if (!u->leaving && life_state(&u->life) != LIFE_DORMANT)
			wake_policy_step(w, u);
	}
}

void
swap_prepare(struct warden *w, const struct config *conf)
{
	for (const struct config_image *im = conf->images; im < conf->images + conf->nimages; im++)
		vm_prepare(w->vms, im->driver_name, (enum vm_accel)im->accel);
}

void
swap_generation(struct warden *w, struct generation *g, struct report *r)
{
	struct generation *old = w->gen;
	const struct config_limits *l = &g->conf->limits;
	const struct admit_limits al = { .boots = l->boots, .vms = l->vms,
		.memory_bytes = l->memory_bytes, .queue = l->queue,
		.wakes_per_min = l->wakes_per_minute,
		.wakes_per_min_all = l->wakes_per_minute_total };

	w->next_generation++;
	update_units(w, g, r);
	if (old == NULL)
		admit_init(&w->admit, &al, wake_slot_sure, w);
	else
		admit_limits_set(&w->admit, &al);
	vm_host_limits(w->vms, l->boots, l->hang_timeout_ms != 0 ? l->hang_timeout_ms : UINT32_MAX);
	swap_prepare(w, g->conf);
	w->gen = g;
	w->packet_wakes.per_minute = l->udp_wakes_per_minute;
	w->stop_vms = g->conf->on_exit == CONFIG_EXIT_STOP;
	dnslink_tune(w);
	/* First: names of units that leave are plain data before their VMs stop. */
	dnslink_commit(w);
	/* Networks may have other numbers, by which units are parked from now on. */
	if (old != NULL) {
		probelink_networks(w);
		wake_slot_review(w);
	}
	settle_units(w);
	holds_settle(w, r);
	if (old != NULL) {
		links_look(w);
		probelink_again(w, PROBELINK_ALL);
		parklink_review(w);
		aside_review(w);
		needs_review(w);
		ahead_soon(w);
		pressure_review(w);
		schedule_review(w);
		wake_admit(w);
	}
	if (w->control != NULL)
		control_set_admins(w->control, g->admins, g->nadmins);
	generation_free(old);
}
