/*
 * life: the life cycle of one unit, as a pure state machine: no I/O, no clock of its own, no
 * allocation.
 *
 * The warden embeds a struct life in each unit, tells it what happened (life_event) and does what
 * it answers (life_out), in order.  An event that results from doing an action is delivered only
 * after the whole list was done, never from inside it.
 *
 * Tickets: ADMIT, INTENT, START, RESTORE, PROBE, FREEZE, THAW, SAVE, STOP and READ carry a ticket,
 * and the event that ends them brings it back.  An event with another ticket is late or doubled; it
 * is ignored.  PROBE has the ticket of the START, RESTORE or ADOPT that it belongs to.  The channel
 * to the sentinel has no room for tickets: the glue drops a READY whose frame was seen before it
 * sent the PROBE.  DIED has none either: the glue finds the unit by the VM's UUID, which is new
 * with each INTENT.
 *
 * Times are milliseconds of clock.h; in every field 0 or LIFE_NEVER means what is said there.
 */
#ifndef SRC_LIFE_LIFE_H
#define SRC_LIFE_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "src/life/admit.h"    /* the budgets of all units */
#include "src/life/types.h"    /* states, events, actions */

void life_init(struct life *l);

/*
 * One step.  ERR_OK: do out->actions, if any; an event with a stale ticket has none.  ERR_STATE:
 * not possible in this phase (table at the top of life.c); nothing changed.
 */
enum err life_step(
    struct life *l, const struct life_policy *p, const struct life_event *ev, struct life_out *out);

enum life_state life_state(const struct life *l);
/* The VM exists or may exist: it has a slot. */
bool life_has_vm(const struct life *l);
/* Its VM is saved: a boot restores it, and until that has ended the state is there. */
bool life_has_state(const struct life *l);
/* It begins to wake, and has no VM that runs. */
bool life_is_starting(const struct life *l);
/* Somebody has sent it something since it was woken, as far as that is known by now. */
bool life_contacted(const struct life *l);
/* A boot has failed: when a query boots it again, as far as that is known by now; 0 = at once. */
uint64_t life_again_ms(const struct life *l, const struct life_policy *p, uint64_t now_ms);

/* Words as shown to users and stored; never NULL.  life_state_parse: false for an unknown word. */
const char *life_state_text(enum life_state s);
bool life_state_parse(const char *text, enum life_state *s);
const char *life_phase_text(enum life_phase p);
const char *life_why_text(enum life_why w);
const char *life_event_text(enum life_event_kind k);

#endif
