/* holds: claims of units, judged by the store's table; and what operators are told of them. */
#include "src/warden/holds.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "src/warden/parklink.h"
#include "src/warden/record.h"
#include "src/warden/show.h"

static void
held(const char *unit, const char *why, void *arg)
{
	struct warden *w = arg;
	struct unit *u = unit_by_name(&w->units, unit);

	if (u == NULL || u->refused)
		return;
	u->refused = true;
	w->refused_units++;
	unit_error_set(u, why);
}

void
holds_settle(struct warden *w, struct report *r)
{
	struct claims c = { .conf = w->gen->conf, .set = w->gen->mappings, .g = w->gen, .r = r,
		.held = held, .arg = w };
	struct unit *u;

	holds_note_use(w);
	UNIT_FOREACH(u, &w->units) {
		if (u->refused)
			unit_error_set(u, NULL);
		u->refused = false;
	}
	w->refused_units = 0;
	claims_make(&c);
	addresses_set(store_addresses(w->store), c.list, c.n, (uint64_t)time(NULL), &c.names);
	claims_clear(&c);
	parklink_review(w);
}

bool
holds_refuse(struct warden *w, struct unit *u)
{
	struct addresses *t = store_addresses(w->store);
	uint64_t now_s = (uint64_t)time(NULL);
	struct errmsg m;

	for (unsigned i = 0; u->conf != NULL && i < u->conf->naddrs; i++) {
		if (addresses_check(t, &u->conf->addrs[i], u->name, now_s, &m) == ERR_OK)
			continue;
		unit_error_set(u, m.text);
		return true;
	}
	holds_settle(w, NULL);   /* its time is over */
	return false;
}

void
holds_handed_out(struct warden *w, struct unit *u)
{
	struct addresses *t = store_addresses(w->store);

	if (u->handed_out)
		return;
	u->handed_out = true;
	if (u->leaving)
		addresses_used(t, u->left->addrs, u->left->naddrs, u->name);
	else
		addresses_used(t, u->conf->addrs, u->conf->naddrs, u->name);
}

void
holds_note_use(struct warden *w)
{
	struct unit *u;

	UNIT_FOREACH(u, &w->units)
		if (!u->handed_out && !u->refused && atomic_load_explicit(
		    &w->board.use[u->number].queries, memory_order_relaxed) > 0)
			holds_handed_out(w, u);
}

/* An address that is refused to a unit. */
struct refused {
	struct msg_addr addr;
	const struct unit *u;
};

struct listing {
	struct warden *w;
	json_t *all;
	bool in_use;                   /* those that are not held, too */
	struct refused *refused;       /* by address: a search of all units for each row is N x N */
	size_t nrefused;
};

static int
refused_cmp(const void *a, const void *b)
{
	return addr_cmp(&((const struct refused *)a)->addr, &((const struct refused *)b)->addr);
}

/* Every address of every unit that is refused.  l->refused is the caller's. */
static void
refused_list(struct listing *l)
{
	const struct warden *w = l->w;
	const struct unit *u;

	l->refused = mem_zero((size_t)w->refused_units * LIMIT_UNIT_ADDRS, sizeof(*l->refused));
	UNIT_FOREACH(u, &w->units)
		for (unsigned k = 0; u->refused && !u->leaving && k < u->conf->naddrs; k++)
			l->refused[l->nrefused++] =
			    (struct refused){ .addr = u->conf->addrs[k], .u = u };
	qsort(l->refused, l->nrefused, sizeof(*l->refused), refused_cmp);
}

static const struct unit *
refused_find(const struct listing *l, const struct msg_addr *addr)
{
	const struct refused key = { .addr = *addr }, *r;

	r = bsearch(&key, l->refused, l->nrefused, sizeof(key), refused_cmp);
	return r != NULL ? r->u : NULL;
}

static void
list_row(const struct store_address_view *v, void *arg)
{
	const struct listing *l = arg;
	const struct unit *u = refused_find(l, &v->addr);
	char text[ADDR_TEXT];

	if (!l->in_use && v->held_until == 0 && u == NULL)
		return;
	addr_text(&v->addr, text);
	(void)json_array_append_new(l->all,
	    json_pack("{s:s, s:s, s:b, s:I, s:o, s:o}", "address", text, "owner", v->owner,
		"handed_out", v->used, "removed", (json_int_t)v->removed_at,
		"until", show_number((int64_t)v->held_until),
		"refused_to", show_text(u != NULL ? u->name : NULL)));
}

void
holds_verb_list(struct control_request *req, json_t *args, void *arg)
{
	struct listing l = { .w = arg, .all = json_array() };
	int all = 0;

	(void)json_unpack(args, "{s?b}", "all", &all);   /* anything else: those that are held */
	l.in_use = all != 0;
	refused_list(&l);
	addresses_list(store_addresses(l.w->store), (uint64_t)time(NULL), list_row, &l);
	control_reply(req, l.all);
	free(l.refused);
}

struct wanted {
	struct msg_addr addr;
	bool found;
	uint64_t removed_at;
	char owner[LIMIT_NAME_TEXT];
};

static void
look_for(const struct store_address_view *v, void *arg)
{
	struct wanted *x = arg;

	if (addr_cmp(&v->addr, &x->addr) != 0)
		return;
	x->found = true;
	x->removed_at = v->removed_at;
	snprintf(x->owner, sizeof(x->owner), "%s", v->owner);
}

void
holds_verb_release(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	const char *given = json_string_value(json_object_get(args, "name"));
	struct wanted x = { .found = false };
	struct listing l = { .w = w };
	const struct unit *u;
	char text[ADDR_TEXT], what[LIMIT_NAME_TEXT + ADDR_TEXT + 32];

	if (given == NULL || !addr_parse(given, &x.addr)) {
		control_fail(req, "\"%.64s\" is no address", given != NULL ? given : "");
		return;
	}
	addr_text(&x.addr, text);
	addresses_list(store_addresses(w->store), (uint64_t)time(NULL), look_for, &x);
	refused_list(&l);
	u = refused_find(&l, &x.addr);
	free(l.refused);
	if (!x.found) {
		control_fail(
		    req, "address %s is not held (`jitsu held` lists those that are)", text);
		return;
	}
	if (x.removed_at == 0 && unit_by_name(&w->units, x.owner) != NULL) {
		control_fail(req, "address %s is in use by %s", text, x.owner);
		return;
	}
	log_info("address %s of %s is released, asked by uid %u", text, x.owner,
	    (unsigned)control_request_uid(req));
	snprintf(what, sizeof(what), "%s, which was that of %s", text, x.owner);
	record_event(w, u != NULL ? u->name : "", "released", what);
	(void)addresses_forget(store_addresses(w->store), &x.addr);   /* it is there */
	holds_settle(w, NULL);
	control_reply(req, json_pack("{s:s, s:s, s:s?}", "address", text, "owner", x.owner,
	    "unit", u != NULL ? u->name : NULL));
}
