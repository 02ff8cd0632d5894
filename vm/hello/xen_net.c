/*
 * xen_net.c: the first network interface of a domain on Xen
 *
 * All buffers are granted to the backend once and for ever: it copies into a page of the ring's,
 * and maps those that we send.
 */
#include "vm/hello/mem.h"
#include "vm/hello/netif.h"
#include "vm/hello/xen.h"

#define FRONTEND "device/vif/0/"

#define TX_SLOT_BYTES    2048
#define TX_SLOTS_IN_PAGE (XEN_PAGE_BYTES / TX_SLOT_BYTES)
#define TX_PAGES         (LIMIT_NETIF_TX / TX_SLOTS_IN_PAGE)

enum grant {
	GRANT_RX = XEN_GRANT_RESERVED,
	GRANT_TX = GRANT_RX + LIMIT_NETIF_RX,
	GRANT_RX_RING = GRANT_TX + TX_PAGES,
	GRANT_TX_RING,
	GRANTS
};

_Static_assert(GRANTS <= XEN_GRANT_ENTRIES, "one page of grants is enough");
_Static_assert(LIMIT_FRAME_BYTES <= TX_SLOT_BYTES, "a frame fits its slot");

#define BACKEND_PATH_CHARS 255
#define STATE_SUFFIX       "/state"

static struct netif_rx rx;
static struct netif_tx tx;
static union {
	struct netif_rx_page ring;
	uint8_t page[XEN_PAGE_BYTES];
} rx_ring XEN_PAGE;
static union {
	struct netif_tx_page ring;
	uint8_t page[XEN_PAGE_BYTES];
} tx_ring XEN_PAGE;
static uint8_t rx_pages[LIMIT_NETIF_RX][XEN_PAGE_BYTES] XEN_PAGE;
static uint8_t tx_pages[TX_PAGES][XEN_PAGE_BYTES] XEN_PAGE;

static uint32_t port;
static bool connected; /* as of the last news from the backend */
static char backend_state[BACKEND_PATH_CHARS + sizeof(STATE_SUFFIX)];

/* ---- the handshake */

static void
grant_all(uint16_t backend)
{
	for (unsigned i = 0; i < LIMIT_NETIF_RX; i++)
		xen_grant(GRANT_RX + i, backend, rx_pages[i], false);
	for (unsigned i = 0; i < TX_PAGES; i++)
		xen_grant(GRANT_TX + i, backend, tx_pages[i], true);
	xen_grant(GRANT_RX_RING, backend, &rx_ring, false);
	xen_grant(GRANT_TX_RING, backend, &tx_ring, false);
}

static void
number(char text[12], uint32_t n)
{
	struct text t = text_init(text, 12);

	text_dec(&t, n, 0, ' ');
}

/* Tells the backend where everything is, the state last. */
static bool
publish(struct xenstore *xs, unsigned token)
{
	char rx_text[12], tx_text[12], port_text[12];
	struct xenstore_op ops[] = {
		{ .type = XENSTORE_WRITE, .path = FRONTEND "rx-ring-ref", .value = rx_text },
		{ .type = XENSTORE_WRITE, .path = FRONTEND "tx-ring-ref", .value = tx_text },
		{ .type = XENSTORE_WRITE, .path = FRONTEND "event-channel", .value = port_text },
		{ .type = XENSTORE_WRITE, .path = FRONTEND "request-rx-copy", .value = "1" },
		{ .type = XENSTORE_WRITE, .path = FRONTEND "feature-rx-notify", .value = "1" },
		{ .type = XENSTORE_WRITE, .path = FRONTEND "feature-no-csum-offload",
		    .value = "1" },
		{ .type = XENSTORE_WRITE, .path = FRONTEND "state", .value = "4" },
		{ .type = XENSTORE_WATCH, .path = backend_state, .token = token },
	};
	unsigned count = sizeof(ops) / sizeof(ops[0]);
	bool ok;

	_Static_assert(XENBUS_CONNECTED == 4, "the state that is written");
	number(rx_text, GRANT_RX_RING);
	number(tx_text, GRANT_TX_RING);
	number(port_text, port);
	ok = xenstore_run(xs, ops, count);
	for (unsigned i = 0; i < count; i++)
		ok = ok && ops[i].ok;
	return ok;
}

const char *
xen_net_start(struct xenstore *xs, unsigned token, uint8_t mac[MAC_BYTES])
{
	char path[BACKEND_PATH_CHARS + 1], id_text[8], mac_text[20];
	struct xenstore_op ops[] = {
		{ .type = XENSTORE_READ, .path = FRONTEND "backend", .out = path,
		    .cap = sizeof(path) },
		{ .type = XENSTORE_READ, .path = FRONTEND "backend-id", .out = id_text,
		    .cap = sizeof(id_text) },
		{ .type = XENSTORE_READ, .path = FRONTEND "mac", .out = mac_text,
		    .cap = sizeof(mac_text) },
	};
	struct text t = text_init(backend_state, sizeof(backend_state));
	uint32_t id;

	connected = false;
	if (!xenstore_run(xs, ops, sizeof(ops) / sizeof(ops[0])))
		return "no network: XenStore does not keep to its protocol";
	if (!ops[0].ok)
		return "no network: the domain has no vif";
	if (!text_parse_dec(id_text, text_length(id_text), UINT16_MAX, &id) ||
	    !addr_mac_parse(mac_text, mac))
		return "no network: XenStore has no backend or no MAC for the vif";
	text_str(&t, path);
	text_str(&t, STATE_SUFFIX);
	port = xen_event_alloc((uint16_t)id);
	if (!port)
		return "no network: Xen gives no event channel";
	grant_all((uint16_t)id);
	netif_rx_init(&rx, &rx_ring.ring, GRANT_RX);
	netif_tx_init(&tx, &tx_ring.ring);
	(void)netif_rx_push(&rx); /* the backend looks by itself when it connects */
	return publish(xs, token) ? NULL : "no network: XenStore takes nothing about the vif";
}

bool
xen_net_changed(struct xenstore *xs)
{
	char text[8];
	struct xenstore_op read = { .type = XENSTORE_READ, .path = backend_state, .out = text,
	    .cap = sizeof(text) };
	struct xenstore_op closed = { .type = XENSTORE_WRITE, .path = FRONTEND "state",
	    .value = "6" };
	bool before = connected;
	uint32_t state;

	_Static_assert(XENBUS_CLOSED == 6, "the state that is written");
	if (!xenstore_run(xs, &read, 1) || !text_parse_dec(text, text_length(text), UINT16_MAX,
	    &state))
		return false;
	connected = state == XENBUS_CONNECTED;
	if (state == XENBUS_CLOSING)
		/* whoever took the interface away does not wait for ever */
		(void)xenstore_run(xs, &closed, 1);
	return connected && !before;
}

/* ---- frames */

static const uint8_t *
receive(size_t *len)
{
	struct netif_frame frame;

	if (!netif_rx_peek(&rx, &frame))
		return NULL;
	*len = frame.len;
	return rx_pages[frame.slot] + frame.offset;
}

static void
release(void)
{
	netif_rx_release(&rx);
}

static bool
has_frame(void)
{
	return netif_rx_wait(&rx);
}

static void
send(const uint8_t *frame, size_t len)
{
	unsigned slot, page;
	uint16_t offset;

	if (len > LIMIT_FRAME_BYTES)
		return;
	slot = netif_tx_take(&tx);
	if (slot == LIMIT_NETIF_TX)
		return;
	page = slot / TX_SLOTS_IN_PAGE;
	offset = (uint16_t)(slot % TX_SLOTS_IN_PAGE * TX_SLOT_BYTES);
	memcpy(tx_pages[page] + offset, frame, len);
	netif_tx_put(&tx, slot, GRANT_TX + page, offset, (uint16_t)len);
}

static void
flush(void)
{
	bool for_rx = netif_rx_push(&rx), for_tx = netif_tx_push(&tx);

	if (for_rx || for_tx)
		xen_event_send(port);
}

const struct machine_card xen_net_card = {
	.receive = receive, .release = release, .has_frame = has_frame,
	.send = send, .flush = flush,
};
