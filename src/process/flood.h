/*
 * flood: how often the same may be said within a minute, of one unit and of all together; what goes
 * beyond is counted, and the count is said when the minute is over.
 *
 * Clients, guests and captured processes cause lines in the log and rows in the store.  A flood of
 * one kind, or of one unit, leaves room for the others and does not fill the disk.
 */
#ifndef SRC_PROCESS_FLOOD_H
#define SRC_PROCESS_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#define FLOOD_NO_UNIT UINT32_MAX
#define FLOOD_KIND_TEXT 96

struct flood;

/* `more` of this kind were left out; `unit` is FLOOD_NO_UNIT unless they were all of one. */
typedef void (*flood_tell_cb)(const char *kind, unsigned more, uint32_t unit, void *arg);

/* `window_ms` is LIMIT_FLOOD_WINDOW_MS but in tests. */
struct flood *flood_new(struct event_base *base, unsigned window_ms, flood_tell_cb tell, void *arg);
/* Tells what was left out so far.  NULL is allowed. */
void flood_free(struct flood *f);

/*
 * May this be said?  `kind` is words for a person, cut at FLOOD_KIND_TEXT; at most `most` of it of
 * all units in a window, and of one unit LIMIT_FLOOD_UNIT.  With `f` NULL everything may.
 */
bool flood_pass(struct flood *f, uint32_t unit, const char *kind, unsigned most);

#endif
