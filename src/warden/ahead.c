/* ahead: the choice of units, and its timer. */
#include "src/warden/ahead.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "src/warden/timer.h"
#include "src/warden/wake.h"

/* What one is taken to cost before any is there. */
#define COST_BYTES (24ull * 1024 * 1024)

struct ahead {
	struct event *soon;
	uint64_t yield_ns;         /* nothing is wanted before */
	bool wanted;               /* something was: what is not wanted any more is to be ended */
	unsigned standbys;
};

struct pick {
	struct unit *unit;
	uint64_t used_ns;
};

/* The units that were used last, the last one first; at most so many. */
struct picks {
	struct pick *list;
	unsigned n, most;
};

static bool
is_before(const struct pick *a, const struct pick *b)
{
	return a->used_ns != b->used_ns ? a->used_ns > b->used_ns :
	    a->unit->number < b->unit->number;
}

/* Most units are used less lately than those that are there: one look. */
static void
picks_add(struct picks *p, const struct pick *x)
{
	unsigned low = 0, high = p->n;

	if (p->most == 0 || (p->n == p->most && !is_before(x, &p->list[p->n - 1])))
		return;
	if (p->list == NULL)
		p->list = mem_zero(p->most, sizeof(*p->list));
	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (is_before(x, &p->list[mid]))
			high = mid;
		else
			low = mid + 1;
	}
	if (p->n < p->most)
		p->n++;
	memmove(&p->list[low + 1], &p->list[low], (p->n - 1 - low) * sizeof(*p->list));
	p->list[low] = *x;
}

/* ---- the choice ---- */

static bool
is_known(const struct unit *u)
{
	return u->conf != NULL && !u->refused && !u->aside;
}

static bool
sleeps(const struct unit *u)
{
	return is_known(u) && (u->life.phase == LIFE_P_DORMANT || u->life.phase == LIFE_P_SAVED);
}

/* It waits for its turn, or a driver has it: what there is for it is not ended meanwhile. */
static bool
wakes(const struct unit *u)
{
	return is_known(u) && life_is_starting(&u->life);
}

/* Does it go on from a saved state when it wakes? */
static bool
is_saved(const struct unit *u)
{
	return u->life.phase == LIFE_P_SAVED ||
	    (life_is_starting(&u->life) && life_has_state(&u->life));
}

static bool
can_ahead(const struct warden *w, const struct unit *u)
{
	unsigned caps;

	return vm_driver_caps(w->vms, u->conf->image->driver_name, &caps, NULL) == ERR_OK &&
	    (caps & VM_CAN_AHEAD) != 0;
}

static struct pick
pick_of(const struct warden *w, struct unit *u)
{
	return (struct pick){ .unit = u, .used_ns = wake_last_use_ns(w, u) };
}

struct choice {
	struct warden *w;
	struct picks asked;        /* units with standby = yes */
	struct picks *images;
	struct picks pool;
};

static void
choose_standbys(struct choice *c)
{
	const struct config *conf = c->w->gen->conf;
	struct unit *u;

	c->asked.most = LIMIT_AHEAD;
	c->images = mem_zero(conf->nimages + 1, sizeof(*c->images));
	for (unsigned i = 0; i < conf->nimages; i++)
		c->images[i].most = conf->images[i].standby;
	UNIT_FOREACH(u, &c->w->units) {
		struct pick x;
		bool kept = u->ahead && wakes(u);

		u->ahead = false;
		if ((!kept && (!sleeps(u) || u->life.phase != LIFE_P_DORMANT)) ||
		    u->conf->standby == UNIT_STANDBY_NO)
			continue;
		x = pick_of(c->w, u);
		if (u->conf->standby == UNIT_STANDBY_YES)
			picks_add(&c->asked, &x);
		else if (u->conf->image->index < conf->nimages &&
		    &conf->images[u->conf->image->index] == u->conf->image)
			picks_add(&c->images[u->conf->image->index], &x);
	}
}

static void
choose_pool(struct choice *c)
{
	struct unit *u;

	c->pool.most = c->w->gen->conf->pool;
	if (c->pool.most == 0)
		return;
	UNIT_FOREACH(u, &c->w->units) {
		struct pick x;

		/* Disks are not known to a machine for any state. */
		if ((!sleeps(u) && !wakes(u)) || u->ahead || !can_ahead(c->w, u) ||
		    (is_saved(u) && (u->conf->image->ndisks > 0 || u->conf->image->args.n > 0)))
			continue;
		x = pick_of(c->w, u);
		picks_add(&c->pool, &x);
	}
}

struct wishes {
	struct vm_wish *list;
	size_t n, room;
	unsigned most;             /* as far as the memory goes */
};

static void
wish(struct warden *w, struct wishes *ws, struct unit *u, enum vm_ahead_kind what)
{
	struct vm_uuid none = { { 0 } };
	struct errmsg m;

	if (ws->n >= ws->most || !can_ahead(w, u))
		return;
	ws->list = mem_room(ws->list, ws->n, &ws->room, sizeof(*ws->list));
	if (spec_build(w->gen->conf, &w->secret, u->conf, &none, &ws->list[ws->n].spec, &m) !=
	    ERR_OK)
		return;   /* its boot will say so */
	ws->list[ws->n].keep = wakes(u);
	ws->list[ws->n++].what = what;
}

static void
wish_standbys(struct warden *w, struct wishes *ws, const struct picks *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		size_t before = ws->n;

		wish(w, ws, p->list[i].unit, VM_AHEAD_UNIT);
		p->list[i].unit->ahead = ws->n > before;
		w->ahead->standbys += ws->n > before;
	}
}

/* How many may be there: what VMs may have, and have not. */
static unsigned
most_by_memory(const struct warden *w)
{
	const struct admit *a = &w->admit;
	uint64_t left = a->limits.memory_bytes > a->memory_bytes ?
	    a->limits.memory_bytes - a->memory_bytes : 0, each = COST_BYTES;
	struct vm_ahead see;
	unsigned n = 0;

	vm_ahead_see(w->vms, NULL, &see);
	for (unsigned i = 0; i < VM_AHEAD_KINDS; i++)
		n += see.n[i];
	if (n > 0 && see.bytes > 0)
		each = see.bytes / n;
	return left / each < LIMIT_AHEAD ? (unsigned)(left / each) : LIMIT_AHEAD;
}

static void
want(struct warden *w)
{
	struct choice c = { .w = w };
	struct wishes ws = { .most = most_by_memory(w) };

	if (clock_now_ns() < w->ahead->yield_ns)
		ws.most = 0;
	w->ahead->standbys = 0;
	choose_standbys(&c);
	wish_standbys(w, &ws, &c.asked);
	for (unsigned i = 0; i < w->gen->conf->nimages; i++)
		wish_standbys(w, &ws, &c.images[i]);
	choose_pool(&c);
	for (unsigned i = 0; i < c.pool.n; i++)
		wish(w, &ws, c.pool.list[i].unit,
		    is_saved(c.pool.list[i].unit) ? VM_AHEAD_RESTORE : VM_AHEAD_BOOT);
	free(c.asked.list);
	for (unsigned i = 0; i < w->gen->conf->nimages; i++)
		free(c.images[i].list);
	free(c.images);
	free(c.pool.list);
	w->ahead->wanted = ws.n > 0;
	vm_ahead_want(w->vms, ws.list, (unsigned)ws.n);
}

/* Does the configuration want anything?  Then ten thousand sleeping units are not looked at. */
static bool
is_used(const struct warden *w)
{
	const struct config *conf = w->gen->conf;
	bool used = conf->pool > 0 || w->ahead->wanted || mapping_set_stands_by(w->gen->mappings);

	for (unsigned i = 0; i < conf->nimages; i++)
		used = used || conf->images[i].standby > 0;
	return used;
}

static void
on_soon(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct warden *w = arg;

	if (!w->stopping && is_used(w))
		want(w);
	if (w->ahead->yield_ns > clock_now_ns())
		timer_arm(w->ahead->soon,
		    (w->ahead->yield_ns - clock_now_ns()) / NS_PER_MS + 1);
}

/* ---- what others ask and tell ---- */

bool
ahead_stands_by(const struct warden *w, const struct unit *u, uint64_t *bytes)
{
	struct vm_ahead see;

	if (!u->ahead || u->life.phase != LIFE_P_DORMANT)
		return false;
	vm_ahead_see(w->vms, u->name, &see);
	*bytes = see.bytes;
	return see.n[VM_AHEAD_UNIT] > 0;
}

unsigned
ahead_standbys(const struct warden *w)
{
	return w->ahead != NULL ? w->ahead->standbys : 0;
}

void
ahead_soon(struct warden *w)
{
	/* Not put off by each further change. */
	if (w->ahead != NULL && !w->stopping && !evtimer_pending(w->ahead->soon, NULL))
		timer_arm(w->ahead->soon, LIMIT_AHEAD_SETTLE_MS);
}

void
ahead_yield(struct warden *w)
{
	if (w->ahead == NULL)
		return;
	w->ahead->yield_ns = clock_now_ns() + LIMIT_AHEAD_YIELD_S * NS_PER_S;
	timer_arm(w->ahead->soon, 0);
}

/* Even if nothing is wanted: what a former jitsud left behind is ended then. */
void
ahead_start(struct warden *w)
{
	w->ahead = mem_zero(1, sizeof(*w->ahead));
	w->ahead->soon = mem_must(evtimer_new(w->base, on_soon, w));
	want(w);
}

void
ahead_free(struct warden *w)
{
	if (w->ahead == NULL)
		return;
	event_free(w->ahead->soon);
	free(w->ahead);
	w->ahead = NULL;
}
