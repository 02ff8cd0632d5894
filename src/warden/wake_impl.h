/*
 * wake_impl: what the files of wake share.  Included by src/wake*.c only; what others may call is in
 * warden.h.
 *
 *     wake.c        events, steps, the table of actions, timers, answers
 *     wake_slot.c   slots for boots and VMs           wake_drive.c  store, driver and counters
 *     wake_ready.c  readiness                         wake_wait.c   operators who wait
 *     wake_check.c  does the hypervisor live?         wake_why.c    why a boot failed
 */
#ifndef SRC_WARDEN_WAKE_IMPL_H
#define SRC_WARDEN_WAKE_IMPL_H

#include "src/warden/warden.h"

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

/* ---- wake_slot.c ---- */

void wake_slot_ask(struct warden *w, struct unit *u, uint32_t ticket);
/* Its wake is refused while it waits: that is its error, and counted. */
void wake_slot_expired(struct warden *w, struct unit *u);
/* It waits for no slot, and not for a leaving unit to go. */
void wake_slot_withdraw(struct warden *w, struct unit *u);
/* It waits for no leaving unit any more, or that one (by its number) is gone: others ask again. */
void wake_behind_leave(struct unit *u);
void wake_behind_gone(struct warden *w, uint32_t number);

/* ---- wake_drive.c ---- */

/* What it needs is awake: ADMIT and THAW begin. */
void wake_go_on(struct warden *w, struct unit *u, uint32_t ticket);

void wake_vm_intend(struct warden *w, struct unit *u, uint32_t ticket);
void wake_vm_start(struct warden *w, struct unit *u, uint32_t ticket, bool restore);
void wake_vm_stop(struct warden *w, struct unit *u, const struct life_action *a);
void wake_use_read(struct warden *w, struct unit *u, uint32_t ticket);
/* Callbacks for vm_freeze, vm_thaw and vm_save; arg is the struct wake_op. */
void wake_vm_done(const struct vm_uuid *uuid, const struct vm_result *res, void *arg);
void wake_vm_saved(const struct vm_uuid *uuid, const struct vm_result *res, void *arg);

/* ---- wake_ready.c ---- */

void wake_probe_start(struct warden *w, struct unit *u, uint32_t ticket);
void wake_probe_stop(struct warden *w, struct unit *u);

/* ---- wake_why.c ---- */

/*
 * Its state changes: is that a boot which fails?  Then its error is made, while all is there that tells why; the end of its VM is
 * still to come when it is stopping.
 */
void wake_why_change(struct warden *w, struct unit *u, const struct life_action *a);
/* A VM ended by itself; `ev` says how. */
void wake_why_died(struct unit *u, const struct vm_event *ev);

/* ---- wake_check.c ---- */

/* A unit became awake: after a while a query has wake_check called.  It is not awake any more. */
void wake_check_begin(struct warden *w, struct unit *u);
void wake_check_end(struct unit *u);
/* Asks whether its hypervisor lives. */
void wake_check(struct warden *w, struct unit *u);

/* ---- wake_wait.c ---- */

/* Answers those who wait for this; `failed` = NULL when it worked. */
void wake_waiters_answer(struct warden *w, struct unit *u, bool for_sleep, const char *failed);

#endif
