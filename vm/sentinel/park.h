/*
 * park: packets for units that are not awake.  The sentinel's second state machine: clock as an
 * argument, frames in, frames out, no I/O, bounded memory.
 *
 * A parked unit's addresses are answered for, with its own MAC, once nobody else has them.  A
 * packet that may wake it is kept and told of; when the guest runs, it is given what was kept.
 * Nothing is acknowledged on the guest's behalf: a client sees one slow handshake.
 *
 * Frames that come in have a struct virtio_net_hdr in front (PARK_HEADER bytes, a tap's default),
 * and so do those that are given to guests; what is sent from a port is built here and has none.
 */
#ifndef VM_SENTINEL_PARK_H
#define VM_SENTINEL_PARK_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"

#define PARK_HEADER sizeof(struct virtio_net_hdr)

/*
 * Claims: as RFC 5227 and RFC 4862 have it, but quicker, since on a bridge an answer takes
 * milliseconds, and clients have none meanwhile.  Units begin one after the other, so that a
 * thousand of them are no storm; one that is asked for begins at once.
 */
#define PARK_CLAIM_PROBES 3
#define PARK_CLAIM_NS (100 * NS_PER_MS)
#define PARK_CLAIM_PACE_NS (1 * NS_PER_MS)
/* Another host has the address: it is looked whether it still has it, ever less often. */
#define PARK_CONFLICT_NS (1 * NS_PER_S)
#define PARK_CONFLICT_MOST_NS (300 * NS_PER_S)

/* A held SYN is given again after so long, twice as long, ..., once the guest shows life. */
#define PARK_GIVE_NS (2 * NS_PER_MS)
#define PARK_GIVE_MOST_NS (20 * NS_PER_MS)
/* A service may come so long after readiness; then what the guest has refused is refused. */
#define PARK_SETTLE_NS (10 * NS_PER_S)
/*
 * The sequence number of our RSTs for SYNs.  RFC 9293 has 0, by which a guard knows the refusal of
 * a guest whose service is not there yet; who has sent a SYN looks at the acknowledgement alone.
 */
#define PARK_REFUSAL_SEQ 1
/* A unit whose wake was refused is not asked for again before; one that had a VM may be. */
#define PARK_REFUSED_NS (1 * NS_PER_S)

/* What the machine wants done; called from inside its functions, which they must not call. */
struct park_ops {
	/* Send a frame by the network's port. */
	void (*port)(void *arg, uint32_t network, const uint8_t *frame, size_t len);
	/* Give a guest a frame by its link. */
	void (*give)(void *arg, uint32_t unit, const uint8_t *frame, size_t len);
	/* Close the unit's link. */
	void (*unlink)(void *arg, uint32_t unit);
	/* MSG_KNOCK, MSG_SETTLED, MSG_CONFLICT */
	void (*tell)(void *arg, const struct msg *m);
	/* 32 bits that nobody can guess. */
	uint32_t (*random)(void *arg);
};

struct park_set;

/* *ops is copied.  Lack of memory is fatal (mem.h), but for frames, which are then not held. */
struct park_set *park_set_new(const struct park_ops *ops, void *arg);
void park_set_free(struct park_set *set);                       /* NULL is allowed; no ops */

/* MSG_PARK.  ERR_RANGE: a field makes no sense, which m names; the unit is as it was. */
enum err park_put(struct park_set *set, const struct msg *msg, uint64_t now_ns, struct errmsg *m);
/* MSG_UNPARK.  A unit that is not known is no error, here and below. */
void park_remove(struct park_set *set, uint32_t unit);
/* MSG_LINK; false: the unit is not known, so its link is of no use. */
bool park_link(struct park_set *set, uint32_t unit, uint64_t now_ns);
/* MSG_AWAKE; MSG_SETTLED follows in any case, and the unit is known no more. */
void park_awake(struct park_set *set, uint32_t unit, uint64_t now_ns);
/* MSG_DROP */
void park_drop(struct park_set *set, uint32_t unit, uint64_t now_ns);

/* A frame came in by the network's port. */
void park_port_frame(struct park_set *set, uint32_t network, const uint8_t *frame, size_t len,
    uint64_t now_ns);
/* A frame passed a unit's link: to the guest, or from it. */
void park_link_frame(struct park_set *set, uint32_t unit, bool to_guest, const uint8_t *frame,
    size_t len, uint64_t now_ns);

/* Does what is due. */
void park_tick(struct park_set *set, uint64_t now_ns);
/* When park_tick is to be called next; 0 = never, nothing is under way. */
uint64_t park_next_ns(const struct park_set *set);

/* The network of a unit that is known; else LIMIT_NETWORKS. */
uint32_t park_network(const struct park_set *set, uint32_t unit);

/* For tests and figures. */
struct park_figures {
	size_t units, held, held_bytes, timed;
};
struct park_figures park_figures(const struct park_set *set);

#endif
