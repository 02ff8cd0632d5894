/* show: units and events as JSON, as control.h describes; NULL when out of memory. */
#ifndef SRC_WARDEN_SHOW_H
#define SRC_WARDEN_SHOW_H

#include <jansson.h>

#include "src/warden/state.h"

/* What somebody else wrote, as a string (utf8.h). */
json_t *show_bytes(const char *bytes, size_t len);
/* The same for a text; null when it is NULL or empty. */
json_t *show_text(const char *text);
/* A duration in seconds; null when it is not known. */
json_t *show_seconds(bool known, uint64_t ns);
/* null for what is 0 or less. */
json_t *show_number(int64_t n);
/* One object of two; both are taken over. */
json_t *show_joined(json_t *j, json_t *more);
json_t *show_event(const struct store_event *ev);
/* A unit as `list` and as `show` have it, and as who woke it is told. */
json_t *show_row(const struct warden *w, const struct unit *u);
json_t *show_unit(const struct warden *w, const struct unit *u);
json_t *show_woken(const struct unit *u);

/* The legs of a wake: from each to the next in µs, STORE_STEP_NONE where one did not happen. */
void show_steps(const struct unit_trace *t, int64_t steps[STORE_STEPS]);

#endif
