/*
 * probe: when is a guest alive, and when is it ready?  The sentinel's state machine: clock as an
 * argument, frames in, frames out, no I/O.
 *
 * A probe belongs to one unit and asks one address: a SYN to a port, an echo request, or who has
 * the address.  Its frames go straight to the guest's MAC.  An answer counts only when source MAC,
 * source address and the numbers that the probe chose at random (acknowledgement, echo data) fit;
 * another frame with the guest's source MAC is a sign of life, no more.  What such frames, and
 * others' claims to its address, say of the guest is told once each, in case it never gets ready.
 */
#ifndef VM_SENTINEL_PROBE_H
#define VM_SENTINEL_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"

/*
 * The schedule: densely at first, since an answer waits for the guest, then ever less often.  The
 * first sign of life, and the first refusal of the port, begin the schedule anew.
 */
#define PROBE_DENSE_NS (100 * NS_PER_MS)         /* for so long the interval stays the first */
#define PROBE_FIRST_NS (1 * NS_PER_MS)
#define PROBE_MOST_NS (20 * NS_PER_MS)           /* then the interval doubles up to this */
#define PROBE_SILENT_NS (5 * NS_PER_S)           /* after so long without a sign of life ... */
#define PROBE_SILENT_MOST_NS (100 * NS_PER_MS)   /* ... up to this */

/*
 * A guest that is not ready after so long is asked for its address, too, by all who hear it: a
 * person wants to know whether another has the address.  The pause doubles.
 */
#define PROBE_ASK_NS (500 * NS_PER_MS)
#define PROBE_ASK_MOST_NS (8 * NS_PER_S)

/* What the machine wants done; called from inside probe_start, probe_tick and probe_frame. */
struct probe_ops {
	/* Send this frame into the network; a frame that is lost is sent again in time. */
	void (*send)(void *arg, uint32_t network, const uint8_t *frame, size_t len);
	/* Tell the warden: MSG_ALIVE (once, first) or MSG_READY (once); must not change the set. */
	void (*report)(void *arg, uint32_t unit, enum msg_type what, uint64_t seen_ns);
	/* Tell the warden of a sign; each once until MSG_READY.  addr and mac may be NULL. */
	void (*sign)(void *arg, uint32_t unit, enum msg_sign what, const struct msg_addr *addr,
	    const uint8_t *mac, uint64_t seen_ns);
	/* 32 bits that nobody can guess. */
	uint32_t (*random)(void *arg);
};

struct probe_set;

/* NULL when out of memory; *ops is copied */
struct probe_set *probe_set_new(const struct probe_ops *ops, void *arg);
void probe_set_free(struct probe_set *set);                               /* NULL is allowed */

/* The MAC of a network's bridge; the last one counts.  ERR_RANGE: index beyond LIMIT_NETWORKS. */
enum err probe_network_set(struct probe_set *set, uint32_t network, const uint8_t mac[6],
    struct errmsg *m);

/*
 * Starts probing as MSG_PROBE `msg` says, in place of the unit's last probe, and sends a frame.  No
 * probe after ERR_RANGE (a field makes no sense: m says which) and ERR_MISSING (network not set).
 */
enum err probe_start(struct probe_set *set, const struct msg *msg, uint64_t now_ns,
    struct errmsg *m);
/* Forgets the unit's probe; nothing is sent for it any more.  A unit without one is no error. */
void probe_stop(struct probe_set *set, uint32_t unit);

/* Sends what is due. */
void probe_tick(struct probe_set *set, uint64_t now_ns);
/* When probe_tick is to be called next; 0 = never, nothing is going on. */
uint64_t probe_next_ns(const struct probe_set *set);

/* Does any probe wait for frames of the network, which is below LIMIT_NETWORKS? */
bool probe_wants_frames(const struct probe_set *set, uint32_t network);
/* A frame came in. */
void probe_frame(struct probe_set *set, uint32_t network, const uint8_t *frame, size_t len,
    uint64_t now_ns);

#endif
