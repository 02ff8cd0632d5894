/*
 * adopt: joins what runs to what the store remembers, once, when the first generation is loaded.
 *
 *     a row with a UUID, and the VM runs whole    → the unit goes on with its clocks
 *     a row with a UUID, and the VM is silent     → goes on as the row says; its hypervisor is asked
 *                                                   again (vm_check)
 *     a row with a UUID, and its unit has moved   → destroyed; the unit is dormant
 *     a row with a UUID, and the VM is half-made  → destroyed; the unit is dormant
 *     a row without a unit, of a zone that cannot be read → set aside (aside.h), with the VM
 *     a row without a unit otherwise              → forgotten, and the VM destroyed: it was removed
 *     a VM of ours without a row                  → the store was lost: as its owner file says
 *                                                   (vm/host/owner.h); set aside when that says nothing
 *     a VM without our mark                       → not in vm_adopt's list: never touched
 *
 * When jitsud is told to stop before all that, and on-exit = "stop", what is found is destroyed
 * instead (adopt_destroy).
 */
#include "src/warden/adopt.h"

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

struct adoption {
	void (*done)(struct warden *w);
	struct unit_row *rows;
	size_t nrows;
	struct found *found;
	size_t nfound;
	unsigned adopted, aside, destroyed;
	unsigned ending;                  /* VMs being destroyed because jitsud stops */
};

static void
on_row(const struct store_unit *s, void *arg)
{
	struct adoption *a = arg;
	struct unit_row *grown = reallocarray(a->rows, a->nrows + 1, sizeof(*grown)), *r;

	if (grown == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
	a->rows = grown;
	r = &grown[a->nrows++];
	memset(r, 0, sizeof(*r));
	r->owner = strdup(s->owner);
	r->driver = strdup(s->driver);
	r->image = strdup(s->image);
	r->has_uuid = vm_uuid_parse(s->uuid, &r->uuid);
	r->this_boot = s->this_boot;
	if (!life_state_parse(s->state, &r->state))
		r->state = LIFE_DORMANT;
	if (s->this_boot) {
		r->awake_since_ns = s->awake_since_ns;
		r->last_activity_ns = s->last_activity_ns;
		r->backoff_until_ns = s->backoff_until_ns;
	}
	r->boots = s->boots;
	r->crashes = (uint32_t)s->crashes;
	r->failures = s->failures;
	r->last_boot_ms = s->last_boot_ms;
	r->last_error = s->last_error[0] != '\0' ? strdup(s->last_error) : NULL;
	r->console = s->console[0] != '\0' ? strdup(s->console) : NULL;
	snprintf(r->identity, sizeof(r->identity), "%s", s->identity);
	if (r->owner == NULL || r->driver == NULL || r->image == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
}

static struct found *
find_vm(const struct adoption *a, const struct unit_row *r)
{
	for (size_t i = 0; r->has_uuid && i < a->nfound; i++)
		if (memcmp(&a->found[i].uuid, &r->uuid, sizeof(r->uuid)) == 0)
			return &a->found[i];
	return NULL;
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

/* What the store would say, had it not been lost, or full when this VM began. */
static void
row_renew(struct unit_row *r, const struct found *f)
{
	static const enum life_state states[] = {
		[VM_FOUND_RUNNING] = LIFE_AWAKE, [VM_FOUND_FROZEN] = LIFE_FROZEN,
		[VM_FOUND_SAVED] = LIFE_SAVED, [VM_FOUND_SILENT] = LIFE_AWAKE, [VM_FOUND_BROKEN] = LIFE_DORMANT,
	};

	r->uuid = f->uuid;
	r->has_uuid = r->this_boot = true;
	r->state = states[f->state];
	r->failures = 0;
	r->backoff_until_ns = 0;
	free(r->driver);
	r->driver = strdup(f->driver);
	if (r->driver == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
	/* Not known: nobody is to lose a VM that is used. */
	r->awake_since_ns = r->last_activity_ns = clock_now_ns();
	memcpy(r->identity, f->identity, sizeof(r->identity));
}

/*
 * A row may be older than its unit's VM, which was begun while nothing could be saved: what stands
 * with the VM is newer then.
 */
static void
renew_rows(struct adoption *a)
{
	for (size_t i = 0; i < a->nrows; i++) {
		struct found *f = find_vm(a, &a->rows[i]);

		if (f != NULL)
			f->claimed = true;
	}
	for (size_t i = 0; i < a->nfound; i++) {
		struct found *f = &a->found[i];
		size_t k = 0;

		if (f->claimed || f->unit[0] == '\0' || f->state == VM_FOUND_BROKEN)
			continue;
		while (k < a->nrows && strcmp(a->rows[k].owner, f->unit) != 0)
			k++;
		if (k < a->nrows && find_vm(a, &a->rows[k]) == NULL)
			row_renew(&a->rows[k], f);
	}
}

static void
settle_row(struct warden *w, struct unit_row *r)
{
	struct adoption *a = w->adoption;
	struct unit *u = unit_by_name(&w->units, r->owner);
	struct found *f = find_vm(a, r);
	char why[LIMIT_ASIDE_WHY];

	if (u != NULL) {
		if (f != NULL)
			f->settled = true;
		a->adopted += row_join(w, u, r, f != NULL ? &f->state : NULL,
		    f != NULL && f->state == VM_FOUND_SILENT ? f->why : "its VM was running when jitsud started");
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
row_of(const struct found *f, struct unit_row *r)
{
	*r = (struct unit_row){ .owner = strdup(f->unit), .image = strdup("") };
	if (r->owner == NULL || r->image == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
	row_renew(r, f);
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
		row_of(f, &r);
		if (u != NULL) {
			r.boots = u->boots;
			r.crashes = u->crashes;
			r.last_boot_ms = u->last_boot_ms;
			a->adopted += row_join(w, u, &r, &f->state,
			    f->state == VM_FOUND_SILENT ? f->why : "its VM was running, and the store did not know it");
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
	struct found *grown = reallocarray(a->found, a->nfound + 1, sizeof(*grown));

	if (grown == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
	a->found = grown;
	grown += a->nfound++;
	*grown = (struct found){ .uuid = f->uuid, .state = f->state, .driver = f->driver,
		.unit = strdup(f->unit), .said = strdup(f->said), .why = strdup(f->why != NULL ? f->why : "") };
	if (grown->unit == NULL || grown->said == NULL || grown->why == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
	snprintf(grown->identity, sizeof(grown->identity), "%s", f->identity);
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
	renew_rows(a);
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
		row_clear(&a->rows[i]);
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
