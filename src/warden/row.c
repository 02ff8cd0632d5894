/* row: what is remembered of a unit becomes what the unit is. */
#include "src/warden/row.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
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

static enum life_found
life_found_of(enum vm_found_state state, enum life_state was)
{
	switch (state) {
	case VM_FOUND_RUNNING:
		return LIFE_FOUND_RUNNING;
	case VM_FOUND_FROZEN:
		return LIFE_FOUND_FROZEN;
	case VM_FOUND_SAVED:
		return LIFE_FOUND_SAVED;
	case VM_FOUND_SILENT:
		return was == LIFE_FROZEN ? LIFE_FOUND_FROZEN : LIFE_FOUND_RUNNING;
	case VM_FOUND_BROKEN:
		break;
	}
	return LIFE_FOUND_BROKEN;
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
	struct life_event ev = { .kind = LIFE_EV_ADOPT, .now_ms = clock_now_ms() };

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
	ev.adopt.found = LIFE_FOUND_NONE;
	if (vm != NULL)
		ev.adopt.found = whole ? life_found_of(*vm, r->state) : LIFE_FOUND_BROKEN;
	ev.adopt.was = r->state;
	ev.adopt.awake_since_ms = r->awake_since_ns / NS_PER_MS;
	ev.adopt.last_use_ms = r->last_activity_ns / NS_PER_MS;
	ev.adopt.backoff_until_ms = r->backoff_until_ns / NS_PER_MS;
	ev.adopt.failures = (uint8_t)(r->failures > UINT8_MAX ? UINT8_MAX : r->failures);
	wake_step(w, u, &ev);
	return whole;
}
