/*
 * parklink: packets for units that are not awake: who they are, told to the sentinel, and what the
 * sentinel says of them.  ports.h has the ports of bridges.
 *
 *     a unit is not awake               → MSG_PARK, then its MAC behind our port (vm_park)
 *     its wake begins                   → MSG_PARK: what comes is held, and the guest guarded
 *     its VM has a NIC                  → MSG_LINK
 *     it is awake                       → MSG_AWAKE; MSG_SETTLED comes: no guard any more
 *     its wake is refused, or fails     → no guard, then MSG_DROP
 *     it sleeps again                   → MSG_PARK and vm_park, before its driver does anything
 *     its guest is asked to shut down   → a guard; vm_park follows when its VM is gone
 *     it could not be put to sleep      → vm_park_take, then MSG_AWAKE
 *     it has left, or its network has   → MSG_UNPARK, vm_unpark
 *     a new sentinel, port, generation  → everything anew, in slices
 */
#ifndef SRC_WARDEN_PARKLINK_H
#define SRC_WARDEN_PARKLINK_H

#include "src/warden/state.h"

void parklink_init(struct warden *w);
void parklink_clear(struct warden *w);

/* Soon all units are looked at, and what the sentinel has not been told yet is told. */
void parklink_review(struct warden *w);
/* A sentinel that knows nothing is set up; most units it knows before it reads a frame. */
void parklink_new(struct warden *w);
/* It runs: it is told of the others. */
void parklink_running(struct warden *w);
/* A port is new, or has joined a bridge again: its units are parked anew. */
void parklink_again(struct warden *w, unsigned network);

/* A unit's state has changed; the board says so. */
void parklink_changed(struct warden *w, struct unit *u, enum life_state from);
/*
 * Its VM is about to be stopped.  One that is asked to shut down keeps its MAC, for what it has to
 * say until it is gone; it refuses no new connection meanwhile, since it boots for the next SYN.
 */
void parklink_stops(struct warden *w, struct unit *u, bool asked);
/* A unit is about to lose its settings. */
void parklink_leave(struct warden *w, struct unit *u);
/* A wake was refused, or has failed: what is held for the unit is refused. */
void parklink_refused(struct warden *w, struct unit *u);
/* Does the sentinel hold packets for it?  Its VM's start, restore or thaw is to make a link. */
bool parklink_holds(const struct unit *u);
/* A cold boot begins: until the unit is settled its guest refuses nobody. */
void parklink_guard(struct warden *w, struct unit *u);
/* Its restore has failed, and its NIC is gone with the MAC's entry; a cold boot follows. */
void parklink_lost(struct warden *w, const struct unit *u);
/* Takes over the link to the NIC of a VM that is about to run. */
void parklink_link(struct warden *w, const struct unit *u, int fd);

/* MSG_KNOCK, MSG_SETTLED and MSG_CONFLICT about a unit, which may be NULL; false: nonsense. */
bool parklink_message(struct warden *w, struct unit *u, const struct msg *m);

#endif
