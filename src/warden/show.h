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

/* "packet from 192.0.2.7 to tcp:80"; false: no packet woke it last. */
#define SHOW_KNOCK (ADDR_TEXT + 48)
bool show_knock(const struct unit *u, char text[SHOW_KNOCK]);
/* "52:54:00:12:34:56 has 10.77.0.10, too"; false: nobody has. */
#define SHOW_CONFLICT (ADDR_TEXT + ADDR_MAC_TEXT + 32)
bool show_conflict(const struct unit *u, char text[SHOW_CONFLICT]);

/* The legs of a wake: from each to the next in µs, STORE_STEP_NONE where one did not happen. */
void show_steps(const struct unit_trace *t, int64_t steps[STORE_STEPS]);

#endif
