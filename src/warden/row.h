/* row: what the store remembers of a unit, for adopt.c and aside.c. */
#ifndef SRC_WARDEN_ROW_H
#define SRC_WARDEN_ROW_H

#include "src/warden/record.h"
#include "src/warden/state.h"

struct unit_row {
	char *owner;               /* "" = not known */
	char *driver, *image;
	char *last_error, *console;   /* NULL = none */
	struct vm_uuid uuid;
	bool has_uuid;
	bool this_boot;            /* else the times are 0 */
	enum life_state state;
	uint64_t awake_since_ns, last_activity_ns, backoff_until_ns, boots;
	uint32_t crashes, failures, last_boot_ms;
	char identity[RECORD_IDENTITY];   /* "" = not known */
};

/* `r` gets copies, which row_clear frees, of what the store has of a unit, or would have. */
void row_copy(struct unit_row *r, const struct store_unit *s);
void row_clear(struct unit_row *r);

/*
 * Makes a row what the (dormant) unit is; true when its VM goes on.  `vm`: how that was found, or
 * NULL; `why`: for the event.
 */
bool row_join(struct warden *w, struct unit *u, const struct unit_row *r,
    const enum vm_found_state *vm, const char *why);

#endif
