/* row: what is remembered of a unit becomes what the unit is. */
#include "src/warden/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "src/warden/wake.h"

void
row_clear(struct unit_row *r)
{
	free(r->owner);
	free(r->driver);
	free(r->image);
	free(r->last_error);
	free(r->console);
	memset(r, 0, sizeof(*r));
}

/* NULL of NULL and "". */
static char *
copy(const char *text)
{
	return text != NULL && text[0] != '\0' ? mem_text(text) : NULL;
}

void
row_copy(struct unit_row *r, const struct store_unit *s)
{
	*r = (struct unit_row){ .owner = mem_text(s->owner), .driver = mem_text(s->driver),
		.image = mem_text(s->image), .last_error = copy(s->last_error),
		.console = copy(s->console),
		.this_boot = s->this_boot, .boots = s->boots, .crashes = (uint32_t)s->crashes,
		.failures = s->failures, .last_boot_ms = s->last_boot_ms };
	r->has_uuid = vm_uuid_parse(s->uuid, &r->uuid);
	if (!life_state_parse(s->state, &r->state))
		r->state = LIFE_DORMANT;
	if (s->this_boot) {
		r->awake_since_ns = s->awake_since_ns;
		r->last_activity_ns = s->last_activity_ns;
		r->backoff_until_ns = s->backoff_until_ns;
	}
	snprintf(r->identity, sizeof(r->identity), "%s", s->identity);
}

static enum life_found
life_found_of(enum vm_found_state state, enum life_state was)
{
	static const enum life_found found[] = { [VM_FOUND_RUNNING] = LIFE_FOUND_RUNNING,
		[VM_FOUND_FROZEN] = LIFE_FOUND_FROZEN, [VM_FOUND_SAVED] = LIFE_FOUND_SAVED,
		[VM_FOUND_SILENT] = LIFE_FOUND_RUNNING, [VM_FOUND_BROKEN] = LIFE_FOUND_BROKEN };

	return state == VM_FOUND_SILENT && was == LIFE_FROZEN ? LIFE_FOUND_FROZEN : found[state];
}

/* The unit may have moved since; its guest would go on with addresses that it has no more. */
static bool
has_moved(const struct unit *u, const struct unit_row *r)
{
	char now[RECORD_IDENTITY];

	record_identity(u->conf, now);
	return r->identity[0] != '\0' && strcmp(r->identity, now) != 0;
}

bool
row_join(struct warden *w, struct unit *u, const struct unit_row *r,
    const enum vm_found_state *vm, const char *why)
{
	bool moved = vm != NULL && *vm != VM_FOUND_BROKEN && has_moved(u, r);
	bool whole = vm != NULL && *vm != VM_FOUND_BROKEN && !moved;
	struct life_event ev = { .kind = LIFE_EV_ADOPT, .now_ms = clock_now_ms(),
		.adopt = { .was = r->state, .awake_since_ms = r->awake_since_ns / NS_PER_MS,
		    .last_use_ms = r->last_activity_ns / NS_PER_MS,
		    .backoff_until_ms = r->backoff_until_ns / NS_PER_MS,
		    .failures = (uint8_t)(r->failures > UINT8_MAX ? UINT8_MAX : r->failures) } };

	u->boots = r->boots;
	u->crashes = r->crashes;
	u->last_boot_ms = r->last_boot_ms;
	u->last_use_ns = r->last_activity_ns;
	unit_error_set(u, r->last_error);
	unit_console_set(u, r->console, r->console != NULL ? strlen(r->console) : 0);
	if (u->run != NULL)
		unit_boot_begin(u);   /* they are of an earlier one */
	if (vm == NULL && (r->state == LIFE_DORMANT || !r->this_boot) && r->failures == 0)
		return false;   /* asleep, as it was */
	if (vm != NULL) {
		unit_uuid_set(&w->units, u, &r->uuid);
		unit_run(u)->awake_since_ns = *vm == VM_FOUND_RUNNING || *vm == VM_FOUND_SILENT ?
		    r->awake_since_ns : 0;
		unit_run(u)->trace.answer_ns = clock_now_ns();   /* its wake is history */
	}
	if (whole) {
		w->totals.adopted++;
		wake_count(w, u, &r->uuid);
		record_event(w, u->name, "adopted", why);
		if (*vm == VM_FOUND_SILENT)
			log_warn("%s: its VM is kept as it was, %s: %s", u->name,
			    life_state_text(r->state), why);
	}
	if (moved)
		log_warn("%s: its addresses, MAC or network changed while jitsud did not run: its "
		    "VM is stopped", u->name);
	ev.adopt.found = vm == NULL ? LIFE_FOUND_NONE :
	    whole ? life_found_of(*vm, r->state) : LIFE_FOUND_BROKEN;
	wake_step(w, u, &ev);
	return whole;
}
