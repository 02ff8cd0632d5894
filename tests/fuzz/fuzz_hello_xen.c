/*
 * fuzz_hello_xen: the hello image's Xen side against any store and any backend.
 *
 * The first octet chooses: what XenStore's page says, in pieces, while requests wait for their
 * replies; or what the backend writes into the rings between the guest's steps.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vm/hello/netif.h"
#include "vm/hello/wire.h"
#include "vm/hello/xenstore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wire_in input;

/* ---- the store */

static struct xenstore_page *store_page;

static void
notify_cb(void)
{
}

/* A piece of the input into the page; a broken index when there is no more, which ends the wait. */
static void
wait_cb(void)
{
	size_t n = wire_u8(&input);

	store_page->req_cons = store_page->req_prod;
	if (!input.left || n == 255) {
		store_page->rsp_prod = store_page->rsp_cons + XENSTORE_RING_BYTES + 1 +
		    wire_u8(&input);
		return;
	}
	for (; n && input.left &&
	    store_page->rsp_prod - store_page->rsp_cons < XENSTORE_RING_BYTES; n--)
		store_page->rsp[store_page->rsp_prod++ % XENSTORE_RING_BYTES] =
		    (char)wire_u8(&input);
}

static void
store(void)
{
	static const struct xenstore_port port = { notify_cb, wait_cb };
	struct xenstore *xs = calloc(1, sizeof(*xs));
	char *value = malloc(20), *path = malloc(256);
	struct xenstore_op ops[] = {
		{ .type = XENSTORE_READ, .path = "device/vif/0/mac", .out = value, .cap = 20 },
		{ .type = XENSTORE_WRITE, .path = "device/vif/0/state", .value = "4" },
		{ .type = XENSTORE_READ, .path = "device/vif/0/backend", .out = path, .cap = 256 },
		{ .type = XENSTORE_WATCH, .path = "control/shutdown", .token = 1 },
	};

	store_page = calloc(1, sizeof(*store_page));
	if (xs == NULL || value == NULL || path == NULL || store_page == NULL)
		abort();
	xs->page = store_page;
	xs->port = &port;
	while (!xs->broken && input.left) {
		(void)xenstore_run(xs, ops, sizeof(ops) / sizeof(ops[0]));
		xenstore_poll(xs);
		if (strlen(value) >= 20 || strlen(path) >= 256 || xs->fired >> XENSTORE_TOKENS)
			abort();
		for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
			if (ops[i].ok && !ops[i].done)
				abort();
	}
	free(xs);
	free(value);
	free(path);
	free(store_page);
}

/* ---- the backend */

static void
receive(struct netif_rx *rx)
{
	struct netif_frame frame;

	for (unsigned i = 0; i < 100 && netif_rx_peek(rx, &frame); i++) {
		if (frame.slot >= LIMIT_NETIF_RX || frame.len == 0 ||
		    frame.offset + frame.len > XEN_PAGE_BYTES)
			abort();
		netif_rx_release(rx);
	}
	(void)netif_rx_wait(rx);
	(void)netif_rx_push(rx);
	if (rx->req_prod - rx->rsp_cons != LIMIT_NETIF_RX)
		abort();
}

static void
transmit(struct netif_tx *tx)
{
	unsigned slot = netif_tx_take(tx);

	if (slot > LIMIT_NETIF_TX || tx->free_count > LIMIT_NETIF_TX)
		abort();
	if (slot == LIMIT_NETIF_TX)
		return;
	if (tx->out[slot])
		abort();
	netif_tx_put(tx, slot, 8, 0, 60);
	(void)netif_tx_push(tx);
}

/* One thing that the backend does to a ring: an octet anywhere, or responses that are there. */
static void
scribble(void *page, size_t bytes, uint32_t *rsp_prod)
{
	uint16_t at = wire_u16(&input);

	if (at & 0x8000)
		*rsp_prod += at & 0x7f;
	else
		((uint8_t *)page)[at % bytes] = wire_u8(&input);
}

static void
rings(void)
{
	struct netif_rx_page *rx_page = malloc(sizeof(*rx_page));
	struct netif_tx_page *tx_page = malloc(sizeof(*tx_page));
	struct netif_rx rx;
	struct netif_tx tx;

	if (rx_page == NULL || tx_page == NULL)
		abort();
	netif_rx_init(&rx, rx_page, 8);
	netif_tx_init(&tx, tx_page);
	(void)netif_rx_push(&rx);
	while (input.left && !input.bad) {
		switch (wire_u8(&input) & 3) {
		case 0:
			scribble(rx_page, sizeof(*rx_page), &rx_page->at.rsp_prod);
			break;
		case 1:
			scribble(tx_page, sizeof(*tx_page), &tx_page->at.rsp_prod);
			break;
		case 2:
			receive(&rx);
			break;
		default:
			transmit(&tx);
			break;
		}
	}
	free(rx_page);
	free(tx_page);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = wire_in(data, size);
	if (wire_u8(&input) & 1)
		store();
	else
		rings();
	return 0;
}
