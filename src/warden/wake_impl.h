/*
 * wake_impl: what the files of wake share; what others may call is in wake.h.
 *
 *     wake.c        the engine             wake_ask.c    how wakes come in
 *     wake_do.c     the table of actions   wake_drive.c  store, driver and counters
 *     wake_slot.c   slots for boots, VMs   needs.c       what units need
 *     wake_ready.c  readiness              wake_wait.c   operators who wait
 *     wake_check.c  does a VM hang?        wake_why.c    why a boot failed
 *     wake_policy.c what the life cycle and the board are told of a unit
 */
#ifndef SRC_WARDEN_WAKE_IMPL_H
#define SRC_WARDEN_WAKE_IMPL_H

#include "src/warden/state.h"

/* An operation under way: what its completion needs to find the unit again. */
struct wake_op {
	struct warden *w;
	uint32_t unit;
	uint32_t ticket;
	enum life_event_kind ends_with;
	bool kept;                 /* for the event, see life.h */
};

/* Never NULL.  wake_op_done, or the owner, frees it. */
struct wake_op *wake_op_new(struct warden *w, const struct unit *u, uint32_t ticket,
    enum life_event_kind ends_with);
/* The result of an operation, from the loop; `why` is kept as the unit's error. */
void wake_op_done(struct wake_op *op, enum err result, const char *why);

/* ---- wake.c ---- */

/* Queues an event, which may come from inside a step; wake_drain delivers what is queued. */
void wake_post(struct warden *w, const struct unit *u, const struct life_event *ev);
void wake_post_result(struct warden *w, const struct unit *u, enum life_event_kind kind,
    uint32_t ticket, enum err result);

/* ---- wake_do.c ---- */

/* Begins one action; false when the unit is gone. */
bool wake_do(struct warden *w, struct unit *u, const struct life_action *a);

/* ---- needs.c ---- */

/* Does any unit need `u`?  Most are needed by none, and for these no unit is looked at. */
bool needs_anybody(const struct unit *u);
/* Does `u` need `other`? */
bool needs_this(const struct unit *u, const struct unit *other);
/* Has its VM been started, and is it not ready yet? */
bool needs_started(const struct unit *u);
/* Is everything that `u` needs had?  The first that is not, and what it must be; NULL: all are. */
bool needs_met(const struct warden *w, const struct unit *u);
const struct unit *needs_first(const struct warden *w, const struct unit *u, const char **after);
/* Does a wake of `u` wait for that? */
bool needs_waits(const struct unit *u);
/* May something that `u` needs never boot (wake_is_unsure)? */
bool needs_unsure(const struct warden *w, const struct unit *u);
/* Does a unit that is up, or boots, need `u`? */
bool needs_used(const struct warden *w, const struct unit *u);

/* ADMIT and THAW, with that ticket: at once, or when what it needs is had. */
void needs_ask(struct warden *w, struct unit *u, uint32_t ticket);
/* The wake of `u` waits for no needs any more. */
void needs_leave(struct unit *u);
/* A step of its life cycle is done: it may have gone on without waiting. */
void needs_stepped(struct warden *w, struct unit *u);
/* Wakes what `u` needs. */
void needs_wake(struct warden *w, struct unit *u, enum life_cause cause);
/* `u` has become awake, or its VM has started: those that waited for that alone go on. */
void needs_release(struct warden *w, const struct unit *u);
/* A wake of `u` has failed, or was refused: so do those of the units that need it. */
void needs_failed(struct warden *w, const struct unit *u, const char *why);
/* Whether `u` may never boot has changed: the board of those that need it follows. */
void needs_board(struct warden *w, const struct unit *u);

/* ---- wake_slot.c ---- */

void wake_slot_ask(struct warden *w, struct unit *u, uint32_t ticket);
/* A wake is refused that waits for a slot: the unit gets that as its error. */
void wake_slot_expired(struct warden *w, struct unit *u);
/* `u` waits for no slot any more, nor for a leaving unit to go. */
void wake_slot_withdraw(struct warden *w, struct unit *u);
/* `u` waits for no leaving unit any more; the leaving unit `number` is gone: others ask again. */
void wake_behind_leave(struct unit *u);
void wake_behind_gone(struct warden *w, uint32_t number);

/* ---- wake_drive.c ---- */

/* All that `u` needs is had: ADMIT and THAW begin. */
void wake_go_on(struct warden *w, struct unit *u, uint32_t ticket);

void wake_vm_intend(struct warden *w, struct unit *u, uint32_t ticket);
void wake_vm_start(struct warden *w, struct unit *u, uint32_t ticket, bool restore);
void wake_vm_stop(struct warden *w, struct unit *u, const struct life_action *a);
void wake_use_read(struct warden *w, struct unit *u, uint32_t ticket);
/* How an operation of the driver ended; arg is the struct wake_op. */
void wake_vm_done(const struct vm_uuid *uuid, const struct vm_result *res, void *arg);

/* ---- wake_ready.c ---- */

/* All that `u` needs is had: its own readiness, which was held back, counts now. */
void wake_ready_again(struct warden *w, struct unit *u);
void wake_probe_start(struct warden *w, struct unit *u, uint32_t ticket);
void wake_probe_stop(struct warden *w, struct unit *u);

/* ---- wake_why.c ---- */

/* Its state changes: of a boot that fails, the error is made while all that tells why is there. */
void wake_why_change(struct warden *w, struct unit *u, const struct life_action *a);
/* A VM ended by itself; `ev` says how. */
void wake_why_died(struct unit *u, const struct vm_event *ev);

/* ---- wake_check.c ---- */

/* A unit became awake: after a while a query has wake_check called.  It is not awake any more. */
void wake_check_begin(struct warden *w, struct unit *u);
void wake_check_end(struct unit *u);
/* Asks whether its hypervisor lives. */
void wake_check(struct warden *w, struct unit *u);

/* ---- wake_policy.c ---- */

/* Why a wake failed, as an answer may say it: MSG_EDE_*. */
unsigned wake_ede(const struct unit *u);

/* ---- wake_wait.c ---- */

/* What units wait for has changed: who is told of that is told soon. */
void wake_waits_changed(struct warden *w);
/* Answers those who wait for this; `failed` = NULL when it worked. */
void wake_waiters_answer(struct unit *u, bool for_sleep, const char *failed);

#endif
