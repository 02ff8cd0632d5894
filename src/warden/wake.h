/*
 * wake: a unit's life cycle (life.h) fed with events, and carried out; wake_impl.h says which file does what.
 */
#ifndef SRC_WARDEN_WAKE_H
#define SRC_WARDEN_WAKE_H

#include "src/warden/state.h"

/* Somebody asked for a unit.  time_ns: when; never later than now. */
void wake_request(struct warden *w, struct unit *u, enum life_cause cause, uint64_t time_ns);
/* Puts an event into a unit's life cycle and carries out what follows.  The unit may be freed when it returns (LIFE_FORGET). */
void wake_step(struct warden *w, struct unit *u, const struct life_event *ev);
/*
 * The unit has left the configuration.  It waits for nothing any more, and that it left is the next
 * that its life cycle hears: wake_drain delivers that before anything else happens to any unit.
 */
void wake_leave(struct warden *w, struct unit *u);
/* Delivers the events that are queued, and those that follow from them. */
void wake_drain(struct warden *w);
/* Boots those that wait for a slot, as far as there are any (more). */
void wake_admit(struct warden *w);
/* What keeps a wake from its boot; only the boots are sure to let it on. */
enum wake_waits { WAITS_NOT = 0, WAITS_BOOTS, WAITS_VMS, WAITS_MEMORY, WAITS_FORMER, WAITS_NEEDS };

enum wake_waits wake_waits_for(const struct warden *w, const struct unit *u);
/* As programs see it: the limit's name, "former" or "needs". */
const char *wake_waits_text(enum wake_waits what);
/* As people read it: a sentence without the unit. */
void wake_waits_say(const struct warden *w, const struct unit *u, char *buf, size_t size);
/* Somebody waits for a VM of it that may never boot, or would if somebody asked now. */
bool wake_is_unsure(const struct warden *w, const struct unit *u);
/* After a reload: what a unit needs may be others now; what waits for memory follows its new settings. */
void wake_needs_review(struct warden *w);
void wake_slot_review(struct warden *w);
/* admit_sure_cb */
void wake_slot_sure(struct admit_waiter *x, void *warden);
/* The unit's policy as the life cycle wants it. */
void wake_policy(const struct warden *w, const struct unit *u, struct life_policy *p);
void wake_alive(struct warden *w, struct unit *u, uint64_t seen_ns);
void wake_ready(struct warden *w, struct unit *u, uint64_t seen_ns);
/* Its readiness is probed from now on; the sentinel saw something of a guest (u may be NULL), false: nonsense. */
void wake_why_probed(struct unit *u, const struct msg *probe);
bool wake_why_sign(struct unit *u, const struct msg *m);
/* What a unit needs is awake now: its own readiness, held back, counts. */
void wake_ready_again(struct warden *w, struct unit *u);
/* The packets of the unit's VM count as use. */
void wake_count(struct warden *w, const struct unit *u, const struct vm_uuid *uuid);
void wake_vm_event(const struct vm_event *ev, void *arg);
/* The first of a wake's held queries was answered. */
void wake_answered(struct warden *w, struct unit *u, uint64_t first_query_ns, uint64_t time_ns, unsigned answers, bool expired);
/* An operator waits: answered when the unit is awake (or asleep), or when that failed.  Takes over the request. */
void wake_wait(struct warden *w, struct unit *u, struct control_request *req, bool for_sleep);
/* The same for a wake; meanwhile it is told, when that changes, what the unit waits for before it boots. */
void wake_wait_told(struct warden *w, struct unit *u, struct control_request *req);
/* What units wait for has changed: who is told of it is told soon. */
void wake_waits_changed(struct warden *w);
/* The end: whoever still waits is told so. */
void wake_answer_all(struct warden *w, const char *why);
/* Why it failed, as an answer may say it: MSG_EDE_*. */
unsigned wake_ede(const struct unit *u);
/* After a reload: what the board says of a unit follows its new policy. */
void wake_board(struct warden *w, struct unit *u);
/* Newest use of a unit: queries (board) and payload as far as it was read; 0 = never. */
uint64_t wake_last_use_ns(const struct warden *w, const struct unit *u);

#endif
