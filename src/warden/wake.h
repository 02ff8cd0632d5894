/* wake: a unit's life cycle (life.h), fed with events and carried out; see wake_impl.h. */
#ifndef SRC_WARDEN_WAKE_H
#define SRC_WARDEN_WAKE_H

#include "src/warden/state.h"

/* ---- events ---- */

/* Somebody asked for a unit.  time_ns: when; never later than now. */
void wake_request(struct warden *w, struct unit *u, enum life_cause cause, uint64_t time_ns);
/* Who asks for it next, for the queue's fairness (admit.h); NULL: this host itself. */
void wake_asker(const struct warden *w, struct unit *u, const struct msg_addr *client);
/* Puts an event into a unit's life cycle and does what follows, which may free the unit. */
void wake_step(struct warden *w, struct unit *u, const struct life_event *ev);
/* The same for LIFE_EV_POLICY: settings are new, or what made boots fail may be mended. */
void wake_policy_step(struct warden *w, struct unit *u);
/* The unit has left the configuration, which is the next that its life cycle hears (wake_drain). */
void wake_leave(struct warden *w, struct unit *u);
/* Delivers the events that are queued, and those that follow from them. */
void wake_drain(struct warden *w);
/* vm_event_cb of the drivers; `arg` is the struct warden. */
void wake_vm_event(const struct vm_event *ev, void *arg);
/* The sentinel saw the guest's first frame, or the frame that makes the unit ready. */
void wake_alive(struct unit *u, uint64_t seen_ns);
void wake_ready(struct warden *w, struct unit *u, uint64_t seen_ns);
/* The first of a wake's held queries was answered. */
void wake_answered(struct warden *w, struct unit *u, uint64_t first_query_ns, uint64_t time_ns,
    unsigned answers, bool expired);
/* Readiness is probed from now on. */
void wake_why_probed(struct unit *u, const struct msg *probe);
/* The sentinel saw something of a guest (u may be NULL); false: nonsense. */
bool wake_why_sign(struct unit *u, const struct msg *m);

/* ---- slots, and what wakes wait for ---- */

/* Boots those that wait for a slot, as far as there are any (more). */
void wake_admit(struct warden *w);
/* After a reload: what a unit needs may be others, and what waits for memory has new settings. */
void needs_review(struct warden *w);
void wake_slot_review(struct warden *w);
/* admit_sure_cb */
void wake_slot_sure(struct admit_waiter *x, void *warden);

/* What keeps a wake from its boot; only the boots are sure to let it on. */
enum wake_waits { WAITS_NOT = 0, WAITS_BOOTS, WAITS_VMS, WAITS_MEMORY, WAITS_FORMER, WAITS_NEEDS };

enum wake_waits wake_waits_for(const struct warden *w, const struct unit *u);
/* As programs see it: the limit's name, "former" or "needs". */
const char *wake_waits_text(enum wake_waits what);
/* As people read it: a sentence without the unit. */
void wake_waits_say(const struct warden *w, const struct unit *u, char *buf, size_t size);
/* Somebody waits for a VM that may never boot, or would if somebody asked now. */
bool wake_is_unsure(const struct warden *w, const struct unit *u);

/* The unit behind the i-th of `u`'s needs; NULL: there is none (any more). */
struct unit *needs_unit(const struct warden *w, const struct unit *u, unsigned i);
/* The word of an enum config_after. */
const char *needs_after_text(unsigned after);

/* Is `x` up, or on its way up or down, and needs `u`, which must not sleep for that? */
bool needs_uses(const struct unit *x, const struct unit *u);
/* `u` is ready, and held back for a unit that it needs: writes that, as wake_waits_say. */
bool needs_holds(const struct warden *w, const struct unit *u, char *buf, size_t size);

/* ---- operators who wait ---- */

/*
 * Answers `req`, which it takes over, when the unit is awake (or asleep), or when that failed;
 * `told`: `req` also hears of each change of what the unit waits for.
 */
void wake_wait(struct warden *w, struct unit *u, struct control_request *req, bool for_sleep,
    bool told);
/* The end: whoever still waits is told so. */
void wake_answer_all(struct warden *w, const char *why);

/* ---- settings and use ---- */

/* The unit's policy as the life cycle wants it. */
void wake_policy(const struct warden *w, const struct unit *u, struct life_policy *p);
/* The board says of the unit what is so now. */
void wake_board(struct warden *w, struct unit *u);
/* The packets of the unit's VM count as use. */
void wake_count(struct warden *w, const struct unit *u, const struct vm_uuid *uuid);
/* Newest use of a unit: queries (board) and payload as far as it was read; 0 = never. */
uint64_t wake_last_use_ns(const struct warden *w, const struct unit *u);

#endif
