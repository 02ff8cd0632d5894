/* netif.c: the two rings of a Xen network interface, from the guest's side */
#include "vm/hello/netif.h"

#include "vm/hello/mem.h"

#define NEVER_SOON 0x40000000u /* an index so far ahead raises no event */

_Static_assert(LIMIT_NETIF_RX <= NETIF_RING_SLOTS && LIMIT_NETIF_TX <= NETIF_RING_SLOTS,
    "all slots fit into a ring");
_Static_assert((LIMIT_NETIF_RX & (LIMIT_NETIF_RX - 1)) == 0, "indices wrap");

/* Makes requests up to `now` visible; true when the backend asked for an event at one of them. */
static bool
publish(struct netif_indices *at, uint32_t *pushed, uint32_t now)
{
	uint32_t old = *pushed;

	if (old == now)
		return false;
	xen_store(&at->req_prod, now);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* it looks for requests after it asked */
	*pushed = now;
	return now - xen_load(&at->req_event) < now - old;
}

/* ---- receiving */

/* The ring keeps order, so the slot follows from the index and never from what the backend says. */
static void
rx_offer(struct netif_rx *rx)
{
	unsigned slot = rx->req_prod % LIMIT_NETIF_RX;
	struct netif_rx_request *req = &rx->page->slots[rx->req_prod % NETIF_RING_SLOTS].req;

	*req = (struct netif_rx_request){ .id = (uint16_t)slot, .grant = rx->first_grant + slot };
	rx->req_prod++;
}

void
netif_rx_init(struct netif_rx *rx, struct netif_rx_page *page, uint32_t first_grant)
{
	*rx = (struct netif_rx){ .page = page, .first_grant = first_grant };
	memset(page, 0, sizeof(*page));
	page->at.req_event = page->at.rsp_event = 1;
	for (unsigned i = 0; i < LIMIT_NETIF_RX; i++)
		rx_offer(rx);
}

static bool
rx_has(struct netif_rx *rx)
{
	uint32_t there = xen_load(&rx->page->at.rsp_prod) - rx->rsp_cons;

	if (there > rx->pushed - rx->rsp_cons)
		rx->broken = true;
	return there != 0 && !rx->broken;
}

/* A frame that is whole and fits its page; moves the state of what is skipped on. */
static bool
rx_good(struct netif_rx *rx, const struct netif_rx_response *rsp, unsigned slot)
{
	bool in_chain = rx->in_chain;

	if (rx->extras) {
		/* A slot with extra info says in its second byte whether another follows. */
		rx->extras = (uint8_t)(rsp->id >> 8 & 1);
		return false;
	}
	rx->in_chain = rsp->flags & NETIF_RX_MORE;
	rx->extras = !in_chain && (rsp->flags & NETIF_RX_EXTRA);
	if (in_chain || rx->in_chain || rx->extras || rsp->id != slot ||
	    (rsp->flags & NETIF_RX_BLANK_CHECKSUM))
		return false;
	return rsp->status > 0 && rsp->offset < XEN_PAGE_BYTES &&
	    rsp->status <= XEN_PAGE_BYTES - rsp->offset;
}

bool
netif_rx_peek(struct netif_rx *rx, struct netif_frame *frame)
{
	while (rx_has(rx)) {
		/* Once: the backend can change it at any time. */
		struct netif_rx_response rsp = *(volatile struct netif_rx_response *)
		    &rx->page->slots[rx->rsp_cons % NETIF_RING_SLOTS].rsp;
		unsigned slot = rx->rsp_cons % LIMIT_NETIF_RX;

		if (rx_good(rx, &rsp, slot)) {
			*frame = (struct netif_frame){ slot, rsp.offset, (uint16_t)rsp.status };
			return true;
		}
		netif_rx_release(rx);
	}
	return false;
}

void
netif_rx_release(struct netif_rx *rx)
{
	rx->rsp_cons++;
	rx_offer(rx);
}

bool
netif_rx_wait(struct netif_rx *rx)
{
	if (rx_has(rx))
		return true;
	xen_store(&rx->page->at.rsp_event, rx->rsp_cons + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return rx_has(rx);
}

bool
netif_rx_push(struct netif_rx *rx)
{
	return publish(&rx->page->at, &rx->pushed, rx->req_prod);
}

/* ---- sending */

void
netif_tx_init(struct netif_tx *tx, struct netif_tx_page *page)
{
	*tx = (struct netif_tx){ .page = page };
	memset(page, 0, sizeof(*page));
	page->at.req_event = 1;
	page->at.rsp_event = NEVER_SOON;
	for (unsigned slot = 0; slot < LIMIT_NETIF_TX; slot++)
		tx->free[tx->free_count++] = (uint8_t)slot;
}

/* Slots come back in any order. */
static void
tx_reclaim(struct netif_tx *tx)
{
	uint32_t end = xen_load(&tx->page->at.rsp_prod);

	if (end - tx->rsp_cons > tx->pushed - tx->rsp_cons)
		tx->broken = true;
	if (tx->broken || end == tx->rsp_cons)
		return;
	for (; tx->rsp_cons != end; tx->rsp_cons++) {
		unsigned slot =
		    *(volatile uint16_t *)&tx->page->slots[tx->rsp_cons % NETIF_RING_SLOTS].rsp.id;

		if (slot >= LIMIT_NETIF_TX || !tx->out[slot])
			continue;
		tx->out[slot] = false;
		tx->free[tx->free_count++] = (uint8_t)slot;
	}
	tx->page->at.rsp_event = end + NEVER_SOON;
}

unsigned
netif_tx_take(struct netif_tx *tx)
{
	tx_reclaim(tx);
	if (tx->broken || tx->free_count == 0 || tx->req_prod - tx->rsp_cons >= NETIF_RING_SLOTS)
		return LIMIT_NETIF_TX;
	return tx->free[--tx->free_count];
}

void
netif_tx_put(struct netif_tx *tx, unsigned slot, uint32_t grant, uint16_t offset, uint16_t len)
{
	struct netif_tx_request *req = &tx->page->slots[tx->req_prod % NETIF_RING_SLOTS].req;

	*req = (struct netif_tx_request){ .grant = grant, .offset = offset, .id = (uint16_t)slot,
	    .size = len };
	tx->out[slot] = true;
	tx->req_prod++;
}

bool
netif_tx_push(struct netif_tx *tx)
{
	return publish(&tx->page->at, &tx->pushed, tx->req_prod);
}
