/*
 * adopt: joins what runs to what the store remembers, once, when the first generation is loaded.
 *
 *     a row with a UUID, and the VM runs whole    → the unit goes on with its clocks
 *     a row with a UUID, and its unit has moved    → destroyed; the unit is dormant
 *     a row with a UUID, and the VM is half-made  → destroyed; the unit is dormant
 *     a VM of ours without a row, or of a unit that the configuration has lost → destroyed
 *     a VM without our mark                        → not in vm_adopt's list: never touched
 *
 * When jitsud is told to stop before all that, and on-exit = "stop", what is found is destroyed instead (adopt_destroy).
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/record.h"
#include "src/warden.h"

struct found {
	struct vm_uuid uuid;
	enum vm_found_state state;
};

struct row {
	char *owner;
	struct vm_uuid uuid;
	bool has_uuid;
	bool this_boot;
	enum life_state state;
	uint64_t awake_since_ns, last_activity_ns, backoff_until_ns, boots;
	uint32_t crashes, failures, last_boot_ms;
	char *last_error, *console;
	char identity[RECORD_IDENTITY];   /* "" = not known */
};

struct adoption {
	struct row *rows;
	size_t nrows;
	struct found *found;
	size_t nfound;
	unsigned adopted, destroyed;
	unsigned ending;                  /* VMs being destroyed because jitsud stops */
};

static void
on_row(const struct store_unit *s, void *arg)
{
	struct adoption *a = arg;
	struct row *grown = reallocarray(a->rows, a->nrows + 1, sizeof(*grown)), *r;

	if (grown == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
	a->rows = grown;
	r = &grown[a->nrows++];
	memset(r, 0, sizeof(*r));
	r->owner = strdup(s->owner);
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
	if (r->owner == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
}

static const struct found *
find_vm(const struct adoption *a, const struct row *r)
{
	for (size_t i = 0; r->has_uuid && i < a->nfound; i++)
		if (memcmp(&a->found[i].uuid, &r->uuid, sizeof(r->uuid)) == 0)
			return &a->found[i];
	return NULL;
}

static enum life_found
life_found_of(const struct found *f)
{
	if (f == NULL)
		return LIFE_FOUND_NONE;
	switch (f->state) {
	case VM_FOUND_RUNNING:
		return LIFE_FOUND_RUNNING;
	case VM_FOUND_FROZEN:
		return LIFE_FOUND_FROZEN;
	case VM_FOUND_SAVED:
		return LIFE_FOUND_SAVED;
	case VM_FOUND_BROKEN:
		break;
	}
	return LIFE_FOUND_BROKEN;
}

/* While nobody looked its unit may have moved; its guest would go on with addresses that it has no more. */
static bool
has_moved(const struct unit *u, const struct row *r)
{
	char now[RECORD_IDENTITY];

	record_identity(u->conf, now);
	return r->identity[0] != '\0' && strcmp(r->identity, now) != 0;
}

/* A row that belongs to a unit of the configuration. */
static void
adopt_row(struct warden *w, struct unit *u, const struct row *r)
{
	const struct found *f = find_vm(w->adoption, r);
	bool whole = f != NULL && f->state != VM_FOUND_BROKEN && !has_moved(u, r);
	struct life_event ev = { .kind = LIFE_EV_ADOPT, .now_ms = clock_now_ms() };

	u->boots = r->boots;
	u->crashes = r->crashes;
	u->last_boot_ms = r->last_boot_ms;
	u->last_use_ns = r->last_activity_ns;
	unit_error_set(u, r->last_error);
	unit_console_set(u, r->console);
	if (f == NULL && (r->state == LIFE_DORMANT || !r->this_boot) && r->failures == 0)
		return;   /* asleep, as it was */
	if (f != NULL) {
		unit_uuid_set(&w->units, u, &r->uuid);
		unit_run(u)->awake_since_ns = f->state == VM_FOUND_RUNNING ? r->awake_since_ns : 0;
		unit_run(u)->trace.answer_ns = clock_now_ns();   /* its wake is history */
		if (whole) {
			w->adoption->adopted++;
			w->totals.adopted++;
			wake_count(w, u, &r->uuid);
			record_event(w, u->name, "adopted", "its VM was running when jitsud started");
		}
	}
	if (f != NULL && f->state != VM_FOUND_BROKEN && !whole)
		log_warn("%s: its addresses, MAC or network changed while jitsud did not run: its VM is stopped", u->name);
	ev.adopt.found = f == NULL || whole ? life_found_of(f) : LIFE_FOUND_BROKEN;
	ev.adopt.was = r->state;
	ev.adopt.awake_since_ms = r->awake_since_ns / NS_PER_MS;
	ev.adopt.last_use_ms = r->last_activity_ns / NS_PER_MS;
	ev.adopt.backoff_until_ms = r->backoff_until_ns / NS_PER_MS;
	ev.adopt.failures = (uint8_t)(r->failures > UINT8_MAX ? UINT8_MAX : r->failures);
	wake_step(w, u, &ev);
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

/* VMs of ours that no unit claimed. */
static void
destroy_unclaimed(struct warden *w)
{
	struct adoption *a = w->adoption;

	for (size_t i = 0; i < a->nfound; i++) {
		char text[VM_UUID_TEXT];

		if (unit_by_uuid(&w->units, &a->found[i].uuid) != NULL)
			continue;
		vm_uuid_text(&a->found[i].uuid, text);
		log_warn("VM %s carries our mark but belongs to no unit: destroyed", text);
		a->destroyed++;
		vm_stop(w->vms, &a->found[i].uuid, VM_STOP_DESTROY, 0, destroyed, NULL);
	}
}

static void
on_found(const struct vm_found *f, void *arg)
{
	struct warden *w = arg;
	struct adoption *a = w->adoption;
	struct found *grown;

	if (a == NULL)
		return;
	if (f != NULL) {
		grown = reallocarray(a->found, a->nfound + 1, sizeof(*grown));
		if (grown == NULL)
			fatal("adoption: %s", err_str(ERR_NOMEM));
		a->found = grown;
		grown[a->nfound++] = (struct found){ .uuid = f->uuid, .state = f->state };
		return;
	}
	if (w->stopping) {
		destroy_all(w);
		return;
	}
	for (size_t i = 0; i < a->nrows; i++) {
		struct unit *u = unit_by_name(&w->units, a->rows[i].owner);

		if (u != NULL)
			adopt_row(w, u, &a->rows[i]);
		else
			store_unit_delete(w->store, a->rows[i].owner, NULL, NULL);
	}
	destroy_unclaimed(w);
	if (w->activity != NULL)
		vm_activity_settle(w->activity);
	if (a->nfound > 0)
		log_info("adoption: %u VMs go on, %u without a unit destroyed", a->adopted, a->destroyed);
	adopt_free(w);
	w->adopted = true;
	warden_serve(w);
}

void
adopt_destroy(struct warden *w)
{
	if (w->adoption != NULL)
		return;   /* on_found sees that we stop */
	w->adoption = calloc(1, sizeof(*w->adoption));
	if (w->adoption == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
	vm_adopt(w->vms, on_found, w);
}

void
adopt_start(struct warden *w)
{
	struct errmsg m;

	w->adoption = calloc(1, sizeof(*w->adoption));
	if (w->adoption == NULL)
		fatal("adoption: %s", err_str(ERR_NOMEM));
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
	for (size_t i = 0; i < a->nrows; i++) {
		free(a->rows[i].owner);
		free(a->rows[i].last_error);
		free(a->rows[i].console);
	}
	free(a->rows);
	free(a->found);
	free(a);
	w->adoption = NULL;
}
