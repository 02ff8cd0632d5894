/*
 * adopt: joins what runs to what the store remembers, once, when the first generation is loaded.
 *
 *     a row with a UUID, and the VM
 *         runs whole                      → the unit goes on with its clocks
 *         is silent                       → the unit goes on as the row says; its hypervisor is
 *                                           asked again (vm_check)
 *         has what its unit was before    → (addresses, MAC) destroyed; the unit is dormant
 *         is half-made                    → destroyed; the unit is dormant
 *     a row without a unit
 *         of a zone that cannot be read   → set aside (aside.h), with the VM
 *         otherwise                       → forgotten, and the VM destroyed: it was removed
 *     a VM of ours without a row          → the store was lost: as its owner file says
 *                                           (vm/host/owner.h), or set aside
 *     a VM without our mark               → not in vm_adopt's list: never touched
 *
 * When jitsud is told to stop before all that, and on-exit = "stop", what is found is destroyed
 * instead (adopt_destroy).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "src/warden/aside.h"
#include "src/warden/holds.h"
#include "src/warden/links.h"
#include "src/warden/wake.h"

struct found {
	struct vm_uuid uuid;
	enum vm_found_state state;
	bool claimed;                     /* a row has its UUID */
	bool settled;                     /* it is a row's */
	char *unit, *said, *why;
	const char *driver;
	char identity[RECORD_IDENTITY];
};

/* What the store remembers of a unit. */
struct row {
	struct unit_row is;
	struct found *vm;                 /* NULL: none was found */
};

struct adoption {
	void (*done)(struct warden *w);
	struct row *rows;
	size_t nrows, rows_room;
	struct found *found;
	size_t nfound, found_room;
	unsigned adopted, aside, destroyed;
	unsigned ending;                  /* VMs being destroyed because jitsud stops */
};

static void
on_row(const struct store_unit *s, void *arg)
{
	struct adoption *a = arg;

	a->rows = mem_room(a->rows, a->nrows, &a->rows_room, sizeof(*a->rows));
	a->rows[a->nrows].vm = NULL;
	row_copy(&a->rows[a->nrows++].is, s);
}

static void
destroyed(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	char text[VM_UUID_TEXT];

	(void)arg;
	vm_uuid_text(uuid, text);
	if (res->err != ERR_OK && res->err != ERR_MISSING)
		log_err("VM %s, which no unit knows, cannot be destroyed: %s", text, res->text);
}

static void
ended(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct warden *w = arg;

	destroyed(uuid, res, NULL);
	if (w->adoption != NULL && --w->adoption->ending == 0)
		event_base_loopbreak(w->base);
}

/* jitsud stops, and no VM is to stay. */
static void
destroy_all(struct warden *w)
{
	struct adoption *a = w->adoption;

	log_info("on-exit: %zu VMs of the jitsud before are destroyed", a->nfound);
	a->ending = (unsigned)a->nfound;
	for (size_t i = 0; i < a->nfound; i++)
		vm_stop(w->vms, &a->found[i].uuid, VM_STOP_DESTROY, 0, ended, w);
	if (a->nfound == 0)
		event_base_loopbreak(w->base);
}

/* ---- rows ---- */

/* What a store that was neither lost nor full would say of the VM's unit. */
static void
row_renew(struct unit_row *r, const struct found *f)
{
	static const enum life_state states[] = { [VM_FOUND_RUNNING] = LIFE_AWAKE,
		[VM_FOUND_FROZEN] = LIFE_FROZEN, [VM_FOUND_SAVED] = LIFE_SAVED,
		[VM_FOUND_SILENT] = LIFE_AWAKE, [VM_FOUND_BROKEN] = LIFE_DORMANT };

	r->uuid = f->uuid;
	r->has_uuid = r->this_boot = true;
	r->state = states[f->state];
	r->failures = 0;
	r->backoff_until_ns = 0;
	free(r->driver);
	r->driver = mem_text(f->driver);
	/* Not known: nobody is to lose a VM that is used. */
	r->awake_since_ns = r->last_activity_ns = clock_now_ns();
	memcpy(r->identity, f->identity, sizeof(r->identity));
}

/* Each row gets the VM whose UUID it has. */
static void
join_by_uuid(struct adoption *a)
{
	struct table vms = { .slots = NULL };

	for (size_t i = 0; i < a->nfound; i++)
		(void)table_add(&vms, &a->found[i].uuid, sizeof(a->found[i].uuid), &a->found[i]);
	for (size_t i = 0; i < a->nrows; i++) {
		struct row *r = &a->rows[i];

		if (r->is.has_uuid)
			r->vm = table_find(&vms, &r->is.uuid, sizeof(r->is.uuid));
		if (r->vm != NULL)
			r->vm->claimed = true;
	}
	table_clear(&vms);
}

/* A row is older than its unit's VM when nothing could be saved: what the VM says counts. */
static void
join_by_owner(struct adoption *a)
{
	struct table owners = { .slots = NULL };

	for (size_t i = 0; i < a->nrows; i++)
		(void)table_add(
		    &owners, a->rows[i].is.owner, strlen(a->rows[i].is.owner), &a->rows[i]);
	for (size_t i = 0; i < a->nfound; i++) {
		struct found *f = &a->found[i];
		struct row *r;

		if (f->claimed || f->unit[0] == '\0' || f->state == VM_FOUND_BROKEN)
			continue;
		r = table_find(&owners, f->unit, strlen(f->unit));
		if (r == NULL || r->vm != NULL)
			continue;
		row_renew(&r->is, f);
		r->vm = f;
	}
	table_clear(&owners);
}

static void
settle_row(struct warden *w, struct row *row)
{
	struct adoption *a = w->adoption;
	struct unit_row *r = &row->is;
	struct unit *u = unit_by_name(&w->units, r->owner);
	struct found *f = row->vm;
	char why[LIMIT_ASIDE_WHY];

	if (u != NULL) {
		if (f != NULL)
			f->settled = true;
		a->adopted += row_join(w, u, r, f != NULL ? &f->state : NULL,
		    f != NULL && f->state == VM_FOUND_SILENT ? f->why :
		    "its VM was running when jitsud started");
	} else if (generation_hides(w->gen, r->owner, why, sizeof(why))) {
		bool keep = f != NULL && f->state != VM_FOUND_BROKEN;

		if (keep)
			f->settled = true;
		a->aside += keep;
		aside_add(w, r, keep ? &f->state : NULL, f != NULL ? f->said : "");
	} else {
		store_unit_delete(w->store, r->owner, NULL, NULL);
	}
}

/* ---- VMs that no row has ---- */

static void
destroy(struct warden *w, const struct found *f, const char *why)
{
	char text[VM_UUID_TEXT];

	vm_uuid_text(&f->uuid, text);
	log_warn("VM %s carries our mark but %s: destroyed", text, why);
	w->adoption->destroyed++;
	vm_stop(w->vms, &f->uuid, VM_STOP_DESTROY, 0, destroyed, NULL);
}

static void
settle_unclaimed(struct warden *w, struct found *f)
{
	struct unit *u = f->unit[0] != '\0' ? unit_by_name(&w->units, f->unit) : NULL;
	struct adoption *a = w->adoption;
	struct unit_row r;
	char why[LIMIT_ASIDE_WHY];

	if (f->state == VM_FOUND_BROKEN) {
		destroy(w, f, "is not whole");
	} else if (u != NULL && (unit_has_vm(u) || life_state(&u->life) != LIFE_DORMANT)) {
		destroy(w, f, "its unit has another one");
	} else if (u == NULL && f->unit[0] != '\0' &&
	    !generation_hides(w->gen, f->unit, why, sizeof(why))) {
		destroy(w, f, "belongs to no unit");
	} else {
		r = (struct unit_row){ .owner = mem_text(f->unit), .image = mem_text("") };
		row_renew(&r, f);
		if (u != NULL) {
			r.boots = u->boots;
			r.crashes = u->crashes;
			r.last_boot_ms = u->last_boot_ms;
			a->adopted += row_join(w, u, &r, &f->state,
			    f->state == VM_FOUND_SILENT ? f->why :
			    "its VM was running, and the store did not know it");
			row_clear(&r);
		} else {
			a->aside++;
			aside_add(w, &r, &f->state, f->said);
		}
	}
}

static void
add_found(struct adoption *a, const struct vm_found *f)
{
	struct found *add;

	a->found = mem_room(a->found, a->nfound, &a->found_room, sizeof(*a->found));
	add = &a->found[a->nfound++];
	*add = (struct found){ .uuid = f->uuid, .state = f->state, .driver = f->driver,
		.unit = mem_text(f->unit), .said = mem_text(f->said),
		.why = mem_text(f->why != NULL ? f->why : "") };
	snprintf(add->identity, sizeof(add->identity), "%s", f->identity);
}

static void
on_found(const struct vm_found *f, void *arg)
{
	struct warden *w = arg;
	struct adoption *a = w->adoption;
	void (*done)(struct warden *w);

	if (a == NULL)
		return;
	if (f != NULL) {
		add_found(a, f);
		return;
	}
	if (w->stopping) {
		destroy_all(w);
		return;
	}
	join_by_uuid(a);
	join_by_owner(a);
	for (size_t i = 0; i < a->nrows; i++)
		settle_row(w, &a->rows[i]);
	for (size_t i = 0; i < a->nfound; i++)
		if (!a->found[i].settled)
			settle_unclaimed(w, &a->found[i]);
	if (w->activity != NULL)
		vm_activity_settle(w->activity);
	if (a->nfound > 0)
		log_info("adoption: %u VMs go on, %u are kept aside, %u without a unit destroyed",
		    a->adopted, a->aside, a->destroyed);
	if (a->aside > 0)
		log_warn("`jitsu aside` lists the VMs that are kept aside, `jitsu destroy NAME` "
		         "ends one of them");
	done = a->done;
	adopt_free(w);
	w->adopted = true;
	holds_settle(w, NULL);   /* errors of units are the store's by now */
	links_review(w);
	done(w);
}

void
adopt_destroy(struct warden *w)
{
	if (w->adoption != NULL)
		return;   /* on_found sees that we stop */
	w->adoption = mem_zero(1, sizeof(*w->adoption));
	vm_adopt(w->vms, on_found, w);
}

void
adopt_start(struct warden *w, void (*done)(struct warden *w))
{
	struct errmsg m;

	w->adoption = mem_zero(1, sizeof(*w->adoption));
	w->adoption->done = done;
	if (store_units_load(w->store, on_row, w->adoption, &m) != ERR_OK)
		fatal("%s", m.text);
	vm_adopt(w->vms, on_found, w);
}

void
adopt_free(struct warden *w)
{
	struct adoption *a = w->adoption;

	if (a == NULL)
		return;
	for (size_t i = 0; i < a->nrows; i++)
		row_clear(&a->rows[i].is);
	for (size_t i = 0; i < a->nfound; i++) {
		free(a->found[i].unit);
		free(a->found[i].said);
		free(a->found[i].why);
	}
	free(a->rows);
	free(a->found);
	free(a);
	w->adoption = NULL;
}
