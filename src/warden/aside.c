/* aside: VMs and rows without a unit that can be known now. */
#include "src/warden/aside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "src/warden/show.h"
#include "src/warden/wake.h"

struct aside {
	LIST_ENTRY(aside) link;
	struct warden *w;
	struct unit_row row;
	bool has_vm;               /* row.uuid, in state `vm` */
	bool ending;               /* it is being destroyed */
	enum vm_found_state vm;
	char *said;                /* the unit's name as the VM says */
	struct admit_waiter admit;
	struct control_request *req;   /* of who destroys it; NULL = nobody waits */
};

static const char *
vm_word(const struct aside *a)
{
	static const char *const words[] = {
		[VM_FOUND_RUNNING] = "awake", [VM_FOUND_FROZEN] = "frozen",
		[VM_FOUND_SAVED] = "saved", [VM_FOUND_BROKEN] = "broken",
		[VM_FOUND_SILENT] = "silent",
	};

	return a->ending ? "stopping" : words[a->vm];
}

static void
why_text(const struct aside *a, char *why, size_t size)
{
	if (a->row.owner[0] != '\0') {
		if (!generation_hides(a->w->gen, a->row.owner, why, size))
			snprintf(why, size, "its unit is no longer in the configuration");
		return;
	}
	snprintf(why, size, "the state database does not know it%s%s%s",
	    a->said[0] != '\0' ? "; it calls itself " : "", a->said,
	    a->said[0] != '\0' ? ", which need not be true" : "");
}

/* ---- the table ---- */

static void
entry_free(struct aside *a)
{
	LIST_REMOVE(a, link);
	admit_release(&a->w->admit, &a->admit);
	row_clear(&a->row);
	free(a->said);
	free(a);
}

static void
row_store(struct aside *a)
{
	char uuid[VM_UUID_TEXT] = "";
	const struct unit_row *r = &a->row;
	struct store_unit row = { .owner = r->owner, .state = life_state_text(r->state),
		.uuid = uuid, .driver = r->driver, .image = r->image, .boots = r->boots,
		.awake_since_ns = r->awake_since_ns, .last_activity_ns = r->last_activity_ns,
		.backoff_until_ns = r->backoff_until_ns, .crashes = r->crashes,
		.failures = r->failures, .last_boot_ms = r->last_boot_ms,
		.last_error = r->last_error, .console = r->console, .identity = r->identity };

	if (r->owner[0] == '\0')
		return;
	if (a->has_vm)
		vm_uuid_text(&r->uuid, uuid);
	store_unit_put(a->w->store, &row, NULL, NULL);
}

/* As `list` shows it. */
static const char *
name_of(const struct aside *a)
{
	static char text[VM_UUID_TEXT];

	if (a->row.owner[0] != '\0')
		return a->row.owner;
	vm_uuid_text(&a->row.uuid, text);
	return text;
}

const struct vm_uuid *
aside_uuid(const struct aside *a)
{
	return &a->row.uuid;
}

/* aside_add with a reason; `why` "": the one that is known now. */
static void
add(struct warden *w, struct unit_row *r, const enum vm_found_state *vm, const char *said,
    uint64_t memory_bytes, char why[LIMIT_ASIDE_WHY])
{
	struct aside *a = mem_zero(1, sizeof(*a));
	char uuid[VM_UUID_TEXT];

	*a = (struct aside){ .w = w, .row = *r, .said = mem_text(said) };
	memset(r, 0, sizeof(*r));
	LIST_INSERT_HEAD(&w->asides, a, link);
	if (vm == NULL)
		return;
	a->has_vm = true;
	a->vm = *vm;
	a->admit.memory_bytes = memory_bytes;
	if (a->vm != VM_FOUND_SAVED)
		admit_take(&w->admit, &a->admit);
	if (why[0] == '\0')
		why_text(a, why, LIMIT_ASIDE_WHY);
	vm_uuid_text(&a->row.uuid, uuid);
	log_warn("%s: its VM %s (%s) is kept aside: %s", name_of(a), uuid, vm_word(a), why);
	record_event(w, a->row.owner, "aside", why);
	row_store(a);
}

void
aside_add(struct warden *w, struct unit_row *r, const enum vm_found_state *vm, const char *said)
{
	const struct config_image *im = config_image_find(w->gen->conf, r->image);
	char why[LIMIT_ASIDE_WHY] = "";

	add(w, r, vm, said, im != NULL ? im->policy.memory_bytes : 0, why);   /* as far as known */
}

/* How its VM rests, if it does: what is being started, stopped or saved goes with its unit. */
static bool
vm_rests(const struct unit *u, enum vm_found_state *vm)
{
	enum life_phase p = (enum life_phase)u->life.phase;

	*vm = p == LIFE_P_FROZEN ? VM_FOUND_FROZEN : p == LIFE_P_SAVED ? VM_FOUND_SAVED :
	    VM_FOUND_RUNNING;
	return unit_has_vm(u) && (p == LIFE_P_AWAKE || p == LIFE_P_READING ||
	    p == LIFE_P_FROZEN || p == LIFE_P_SAVED);
}

void
aside_leave(struct warden *w, const struct generation *g, struct unit *u)
{
	char why[LIMIT_ASIDE_WHY];
	enum vm_found_state vm;
	struct record_texts texts;
	struct store_unit row;
	struct unit_row r;
	bool rests = vm_rests(u, &vm);

	if ((!rests && life_state(&u->life) != LIFE_DORMANT) ||
	    !generation_hides(g, u->name, why, sizeof(why)))
		return;
	row = record_row(w, u, &texts);
	row_copy(&r, &row);
	if (rests) {
		if (w->activity != NULL)
			vm_activity_unwatch(w->activity, &u->run->uuid);
		unit_uuid_set(&w->units, u, NULL);   /* it is not the unit's to stop */
	}
	u->aside = true;
	add(w, &r, rests ? &vm : NULL, "", u->conf->policy.memory_bytes, why);
}

/* The VM has gone: what is known of its unit stays until its zone says whether there is one. */
static void
vm_gone(struct aside *a)
{
	a->has_vm = a->ending = false;
	a->row.state = LIFE_DORMANT;
	a->row.has_uuid = false;
	a->row.awake_since_ns = 0;
	a->row.identity[0] = '\0';
	row_store(a);
	admit_release(&a->w->admit, &a->admit);
	if (a->row.owner[0] == '\0')
		entry_free(a);
}

static struct aside *
by_uuid(const struct warden *w, const struct vm_uuid *uuid)
{
	struct aside *a;

	LIST_FOREACH(a, &w->asides, link)
		if (a->has_vm && memcmp(&a->row.uuid, uuid, sizeof(*uuid)) == 0)
			return a;
	return NULL;
}

struct aside *
aside_find(const struct warden *w, const char *name)
{
	struct vm_uuid uuid;
	struct aside *a;

	if (vm_uuid_parse(name, &uuid))
		return by_uuid(w, &uuid);
	LIST_FOREACH(a, &w->asides, link)
		if (a->has_vm && strcasecmp(a->row.owner, name) == 0)
			return a;
	return NULL;
}

unsigned
aside_vms(const struct warden *w)
{
	const struct aside *a;
	unsigned n = 0;

	LIST_FOREACH(a, &w->asides, link)
		n += a->has_vm;
	return n;
}

void
aside_clear(struct warden *w)
{
	struct aside *a;

	while ((a = LIST_FIRST(&w->asides)) != NULL) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): entry_free takes it off the list */
		if (a->req != NULL)
			control_fail(a->req, "jitsud stops");
		entry_free(a);
	}
}

/* ---- what becomes of them ---- */

static void
destroyed(const struct vm_uuid *uuid, const struct vm_result *res, void *arg)
{
	struct warden *w = arg;
	struct aside *a = by_uuid(w, uuid);
	struct control_request *req = a != NULL ? a->req : NULL;
	bool gone = res->err == ERR_OK || res->err == ERR_MISSING;
	char text[VM_UUID_TEXT];

	vm_uuid_text(uuid, text);
	if (!gone)
		log_err("VM %s, which was kept aside, cannot be destroyed: %s", text, res->text);
	if (req != NULL && gone)
		control_reply(req, json_pack("{s:s, s:s}", "name", name_of(a), "uuid", text));
	else if (req != NULL)
		control_fail(req, "%s: it cannot be destroyed: %s", name_of(a), res->text);
	if (a == NULL)
		return;   /* a reload gave it to its unit meanwhile */
	a->req = NULL;
	a->ending = false;
	if (gone) {
		record_event(w, a->row.owner, "destroyed", "its VM, which was kept aside");
		vm_gone(a);
		wake_admit(w);
	}
}

static void
destroy(struct aside *a)
{
	if (a->ending)
		return;
	a->ending = true;
	vm_stop(a->w->vms, &a->row.uuid, VM_STOP_DESTROY, 0, destroyed, a->w);
}

void
aside_stop_all(struct warden *w)
{
	struct aside *a;

	LIST_FOREACH(a, &w->asides, link)
		if (a->has_vm)
			destroy(a);
}

/* The unit is served again.  No packets were counted meanwhile, so the VM counts as used now. */
static void
give_back(struct warden *w, struct aside *a, struct unit *u)
{
	enum vm_found_state vm = a->ending ? VM_FOUND_BROKEN : a->vm;

	if (a->has_vm)
		a->row.last_activity_ns = clock_now_ns();
	if (a->req != NULL)
		control_fail(a->req, "%s: its unit is served again", a->row.owner);
	admit_release(&w->admit, &a->admit);
	(void)row_join(w, u, &a->row, a->has_vm ? &vm : NULL,
	    "its VM was kept aside, and its zone is served again");
	entry_free(a);
}

void
aside_review(struct warden *w)
{
	struct aside *a, *next;
	char why[LIMIT_ASIDE_WHY];

	for (a = LIST_FIRST(&w->asides); a != NULL; a = next) {
		struct unit *u = unit_by_name(&w->units, a->row.owner);

		next = LIST_NEXT(a, link);
		if (u != NULL && life_state(&u->life) == LIFE_DORMANT && !unit_has_vm(u)) {
			give_back(w, a, u);
			continue;
		}
		if (a->row.owner[0] == '\0' ||
		    generation_hides(w->gen, a->row.owner, why, sizeof(why)))
			continue;
		store_unit_delete(w->store, a->row.owner, NULL, NULL);
		a->row.owner[0] = '\0';
		if (!a->has_vm) {
			entry_free(a);
			continue;
		}
		log_warn("VM %s, which was kept aside, belongs to no unit any more: destroyed",
		    name_of(a));
		destroy(a);
	}
}

void
aside_event(struct warden *w, const struct vm_event *ev)
{
	struct aside *a = ev->kind == VM_EVENT_DIED ? by_uuid(w, &ev->uuid) : NULL;

	if (a == NULL)
		return;
	log_warn("%s: its VM, which was kept aside, has ended: %s", name_of(a), ev->text);
	record_event(w, a->row.owner, "died", ev->text);
	a->row.crashes++;
	free(a->row.last_error);
	a->row.last_error = mem_text(ev->text);
	free(a->row.console);
	a->row.console = ev->console[0] != '\0' ? mem_text(ev->console) : NULL;
	vm_gone(a);
	wake_admit(w);
}

/* ---- JSON and verbs ---- */

static json_t *
entry_json(const struct aside *a)
{
	char uuid[VM_UUID_TEXT], why[LIMIT_ASIDE_WHY];
	struct vm_ids ids = vm_ids_get(a->w->vms, &a->row.uuid);

	vm_uuid_text(&a->row.uuid, uuid);
	why_text(a, why, sizeof(why));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:[], s:I, s:o, s:n, s:n, s:s, s:o, s:o, s:s}",
	    "name", name_of(a), "state", "aside", "vm", vm_word(a), "image", a->row.image,
	    "driver", a->row.driver, "addresses", "boots", (json_int_t)a->row.boots,
	    "last_boot_ms", show_number(a->row.last_boot_ms), "idle_s", "sleeps_in_s",
	    "uuid", uuid, "pid", show_number(ids.pid), "domid", show_number(ids.domid), "why", why);
}

void
aside_list_json(const struct warden *w, json_t *array)
{
	const struct aside *a;

	LIST_FOREACH(a, &w->asides, link)
		if (a->has_vm)
			(void)json_array_append_new(array, entry_json(a));
}

json_t *
aside_show_json(const struct aside *a)
{
	uint64_t now = clock_now_ns(), since = a->row.awake_since_ns;

	return show_joined(entry_json(a), json_pack("{s:I, s:I, s:o, s:o}",
	    "crashes", (json_int_t)a->row.crashes, "failures", (json_int_t)a->row.failures,
	    "since_s", show_seconds(since != 0 && since <= now, now - since),
	    "last_error", show_text(a->row.last_error)));
}

void
aside_verb_list(struct control_request *req, json_t *args, void *arg)
{
	json_t *all = json_array();

	(void)args;
	aside_list_json(arg, all);
	control_reply(req, all);
}

void
aside_verb_destroy(struct control_request *req, json_t *args, void *arg)
{
	struct warden *w = arg;
	char name[LIMIT_NAME_TEXT];
	const struct unit *u;
	struct aside *a;

	if (!control_arg_name(req, args, true, name))
		return;
	a = aside_find(w, name);
	u = unit_by_name(&w->units, name);
	if (a == NULL && u != NULL) {
		control_fail(req, "%s is a unit: `jitsu sleep %s` stops its VM", name, name);
	} else if (a == NULL) {
		control_fail(req, "no VM of %s is kept aside (`jitsu aside` lists those that are)",
		    name);
	} else if (a->req != NULL) {
		control_fail(req, "%s is being destroyed already", name);
	} else {
		log_info("%s: its VM that is kept aside is destroyed, asked by uid %u", name,
		    (unsigned)control_request_uid(req));
		a->req = req;
		destroy(a);
	}
}
