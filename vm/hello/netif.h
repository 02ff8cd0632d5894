/*
 * netif.h: the two rings of a Xen network interface, from the guest's side
 * (xen/include/public/io/netif.h)
 *
 * Only the shared pages are touched here; buffers and grants are the caller's, who knows them by
 * slot: LIMIT_NETIF_RX to receive into, LIMIT_NETIF_TX to send from. What the backend writes is
 * checked: whatever it says, slots and lengths stay in bounds.
 */
#ifndef HELLO_NETIF_H
#define HELLO_NETIF_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/hello/limits.h"
#include "vm/hello/xen_abi.h"

struct netif_rx {
	struct netif_rx_page *page;
	/* Of our own, out of the backend's reach: requests written, told to it, responses read. */
	uint32_t req_prod, pushed, rsp_cons;
	uint32_t first_grant;                /* slot i has grant first_grant + i */
	bool in_chain;                       /* a frame in several pieces is being skipped */
	uint8_t extras;                      /* slots without a frame are being skipped */
	bool broken;
};

struct netif_tx {
	struct netif_tx_page *page;
	uint32_t req_prod, pushed, rsp_cons;
	uint8_t free[LIMIT_NETIF_TX]; /* a stack of slots */
	unsigned free_count;
	bool out[LIMIT_NETIF_TX]; /* by slot: the backend has it */
	bool broken;
};

/* A frame that came: bytes [offset, offset + len) of the slot's page. */
struct netif_frame {
	unsigned slot;
	uint16_t offset, len;
};

/* Empty rings; all receiving slots are offered, to be pushed by the first netif_rx_push(). */
void netif_rx_init(struct netif_rx *rx, struct netif_rx_page *page, uint32_t first_grant);
void netif_tx_init(struct netif_tx *tx, struct netif_tx_page *page);
/*
 * The oldest frame, which stays until it is released. Frames in pieces or without checksum, which
 * we have told the backend that we do not take, and damaged ones are skipped.
 */
bool netif_rx_peek(struct netif_rx *rx, struct netif_frame *frame);
void netif_rx_release(struct netif_rx *rx);
/* True when there is a response; otherwise the next one raises an event. */
bool netif_rx_wait(struct netif_rx *rx);
/* A free slot, or LIMIT_NETIF_TX when the backend has all. */
unsigned netif_tx_take(struct netif_tx *tx);
/* Queues the taken slot's frame. */
void netif_tx_put(struct netif_tx *tx, unsigned slot, uint32_t grant, uint16_t offset,
    uint16_t len);
/* Publish what was queued and released; true when the backend wants an event for it. */
bool netif_rx_push(struct netif_rx *rx);
bool netif_tx_push(struct netif_tx *tx);

#endif
