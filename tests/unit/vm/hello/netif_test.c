/*
 * netif_test: the hello image's side of Xen's network rings, console and clock, against a
 * scripted other side
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vm/hello/netif.h"
#include "vm/hello/xen.h"

#define FIRST_GRANT 100

/* ---- receiving */

static struct netif_rx rx;
static struct netif_rx_page rx_page;

static int
setup_rx(void **state)
{
	(void)state;
	memset(&rx_page, 0xa5, sizeof(rx_page));
	netif_rx_init(&rx, &rx_page, FIRST_GRANT);
	assert_true(netif_rx_push(&rx));
	return 0;
}

/* The backend fills the next slot. */
static void
respond(unsigned offset, int status, unsigned flags)
{
	uint32_t at = rx_page.at.rsp_prod;
	uint16_t id = rx_page.slots[at % NETIF_RING_SLOTS].req.id;

	rx_page.slots[at % NETIF_RING_SLOTS].rsp = (struct netif_rx_response){ id, (uint16_t)offset,
	    (uint16_t)flags, (int16_t)status };
	rx_page.at.rsp_prod++;
}

static void
test_all_slots_are_offered(void **state)
{
	(void)state;
	assert_int_equal(rx_page.at.req_prod, LIMIT_NETIF_RX);
	for (unsigned i = 0; i < LIMIT_NETIF_RX; i++) {
		assert_int_equal(rx_page.slots[i].req.id, i);
		assert_int_equal(rx_page.slots[i].req.grant, FIRST_GRANT + i);
	}
	assert_false(netif_rx_push(&rx)); /* nothing new */
}

static void
test_frames_in_order_for_ever(void **state)
{
	struct netif_frame frame;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		unsigned burst = 1 + i % LIMIT_NETIF_RX;

		assert_false(netif_rx_wait(&rx));
		assert_int_equal(rx_page.at.rsp_event, rx_page.at.rsp_prod + 1);
		for (unsigned k = 0; k < burst; k++)
			respond(k, (int)(60 + k), 0);
		assert_true(netif_rx_wait(&rx));
		for (unsigned k = 0; k < burst; k++) {
			assert_true(netif_rx_peek(&rx, &frame));
			assert_true(netif_rx_peek(&rx, &frame)); /* the same */
			assert_int_equal(frame.slot, rx.rsp_cons % LIMIT_NETIF_RX);
			assert_int_equal(frame.offset, k);
			assert_int_equal(frame.len, 60 + k);
			netif_rx_release(&rx);
		}
		assert_false(netif_rx_peek(&rx, &frame));
		(void)netif_rx_push(&rx);
		assert_int_equal(rx_page.at.req_prod - rx_page.at.rsp_prod, LIMIT_NETIF_RX);
	}
}

static void
test_the_backend_is_told_when_it_asks(void **state)
{
	struct netif_frame frame;

	(void)state;
	rx_page.at.req_event = LIMIT_NETIF_RX + 2; /* at the second from now */
	for (unsigned i = 0; i < 3; i++) {
		respond(0, 60, 0);
		assert_true(netif_rx_peek(&rx, &frame));
		netif_rx_release(&rx);
		assert_int_equal(netif_rx_push(&rx), i == 1);
	}
}

static void
test_bad_frames_are_skipped(void **state)
{
	static const struct {
		unsigned offset;
		int status;
		unsigned flags;
	} bad[] = { { 0, 0, 0 }, { 0, -1, 0 }, { 0, INT16_MIN, 0 }, { 0, 4097, 0 }, { 4000, 97, 0 },
	    { 4096, 1, 0 }, { 65535, 60, 0 },
		{ 65535, INT16_MAX, 0 }, { 0, 60, NETIF_RX_BLANK_CHECKSUM } };
	struct netif_frame frame;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		respond(bad[i].offset, bad[i].status, bad[i].flags);
		assert_false(netif_rx_peek(&rx, &frame));
	}
	respond(4000, 96, 1); /* the page's last bytes; "data validated" changes nothing */
	assert_true(netif_rx_peek(&rx, &frame));
	assert_int_equal(frame.len, 96);
	assert_int_equal(frame.slot, sizeof(bad) / sizeof(bad[0]));
	netif_rx_release(&rx);
	/* Another id than the slot was offered with. */
	respond(0, 60, 0);
	rx_page.slots[(rx_page.at.rsp_prod - 1) % NETIF_RING_SLOTS].rsp.id = 0xffff;
	assert_false(netif_rx_peek(&rx, &frame));
}

static void
test_pieces_and_extras_are_skipped(void **state)
{
	struct netif_frame frame;

	(void)state;
	respond(0, 1000, NETIF_RX_MORE);
	respond(0, 1000, NETIF_RX_MORE);
	respond(0, 1000, 0);
	respond(0, 61, 0);
	assert_true(netif_rx_peek(&rx, &frame));
	assert_int_equal(frame.len, 61);
	netif_rx_release(&rx);
	/*
	 * A frame with two extra slots, the first saying that one more follows, and a second piece.
	 */
	respond(0, 1000, NETIF_RX_MORE | NETIF_RX_EXTRA);
	respond(0, 1000, 0);
	rx_page.slots[(rx_page.at.rsp_prod - 1) % NETIF_RING_SLOTS].rsp.id = 1 | 1 << 8;
	respond(0, 1000, NETIF_RX_MORE);
	rx_page.slots[(rx_page.at.rsp_prod - 1) % NETIF_RING_SLOTS].rsp.id = 1;
	respond(0, 1000, 0);
	respond(0, 62, 0);
	assert_true(netif_rx_peek(&rx, &frame));
	assert_int_equal(frame.len, 62);
}

static void
test_more_responses_than_requests_end_it(void **state)
{
	struct netif_frame frame;

	(void)state;
	rx_page.at.rsp_prod = LIMIT_NETIF_RX + 1;
	assert_false(netif_rx_peek(&rx, &frame));
	assert_false(netif_rx_wait(&rx));
	rx_page.at.rsp_prod = 1;
	assert_false(netif_rx_peek(&rx, &frame));
}

/* ---- sending */

static struct netif_tx tx;
static struct netif_tx_page tx_page;

static int
setup_tx(void **state)
{
	(void)state;
	memset(&tx_page, 0xa5, sizeof(tx_page));
	netif_tx_init(&tx, &tx_page);
	return 0;
}

static void
complete(unsigned id)
{
	tx_page.slots[tx_page.at.rsp_prod % NETIF_RING_SLOTS].rsp = (struct netif_tx_response){
	    (uint16_t)id, 0 };
	tx_page.at.rsp_prod++;
}

static void
test_slots_come_back_in_any_order(void **state)
{
	bool used[LIMIT_NETIF_TX] = { false };
	uint16_t ids[LIMIT_NETIF_TX];

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned i = 0; i < LIMIT_NETIF_TX; i++) {
			unsigned slot = netif_tx_take(&tx);
			uint32_t at = tx.req_prod;

			assert_true(slot < LIMIT_NETIF_TX);
			assert_false(used[slot]);
			used[slot] = true;
			netif_tx_put(&tx, slot, 7, 2048, 60);
			ids[i] = tx_page.slots[at % NETIF_RING_SLOTS].req.id;
			assert_int_equal(tx_page.slots[at % NETIF_RING_SLOTS].req.grant, 7);
			assert_int_equal(tx_page.slots[at % NETIF_RING_SLOTS].req.flags, 0);
		}
		assert_int_equal(netif_tx_take(&tx), LIMIT_NETIF_TX);
		assert_true(netif_tx_push(&tx));
		assert_int_equal(netif_tx_take(&tx), LIMIT_NETIF_TX);
		for (unsigned i = 0; i < LIMIT_NETIF_TX; i++)
			complete(ids[i * 7 % LIMIT_NETIF_TX]);
		memset(used, 0, sizeof(used));
		/* as the backend does when it has taken all */
		tx_page.at.req_event = tx_page.at.req_prod + 1;
		/* no events for these */
		assert_true(tx_page.at.rsp_event - tx_page.at.rsp_prod > NETIF_RING_SLOTS);
	}
}

static void
test_strange_completions_give_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		netif_tx_put(&tx, netif_tx_take(&tx), 7, 0, 60);
	(void)netif_tx_push(&tx);
	complete(0xffff);
	complete(LIMIT_NETIF_TX);
	complete(LIMIT_NETIF_TX - 1);
	complete(LIMIT_NETIF_TX - 1); /* twice */
	for (unsigned i = 0; i < LIMIT_NETIF_TX - 4 + 1; i++) {
		assert_true(netif_tx_take(&tx) < LIMIT_NETIF_TX);
		assert_true(tx.free_count <= LIMIT_NETIF_TX);
	}
	assert_int_equal(netif_tx_take(&tx), LIMIT_NETIF_TX);
}

static void
test_completions_of_nothing_end_it(void **state)
{
	(void)state;
	netif_tx_put(&tx, netif_tx_take(&tx), 7, 0, 60); /* not pushed yet */
	complete(LIMIT_NETIF_TX - 1);
	assert_int_equal(netif_tx_take(&tx), LIMIT_NETIF_TX);
	assert_true(tx.broken);
}

/* ---- console and clock */

static void
test_console_wraps_and_fills(void **state)
{
	static struct xencons_page page;
	char text[XENCONS_OUT_BYTES + 100];

	(void)state;
	memset(text, 'a', sizeof(text));
	page.out_cons = page.out_prod = UINT32_MAX - 9;
	page.in_prod = 17;
	assert_int_equal(xen_page_print(&page, "0123456789abcdef", 16), 16);
	assert_memory_equal(page.out + XENCONS_OUT_BYTES - 10, "0123456789", 10);
	assert_memory_equal(page.out, "abcdef", 6);
	assert_int_equal(page.in_cons, 17);
	assert_int_equal(xen_page_print(&page, text, sizeof(text)), XENCONS_OUT_BYTES - 16);
	assert_int_equal(xen_page_print(&page, text, sizeof(text)), 0);
	page.out_cons = page.out_prod + 5; /* nonsense */
	assert_int_equal(xen_page_print(&page, text, sizeof(text)), 0);
}

static struct xen_time_info info;
static uint64_t now;
static unsigned reads;

static uint64_t
tsc_cb(void)
{
	/* While the first reading is under way Xen writes. */
	if (reads++ == 0) {
		info.version += 2;
		info.system_time = 5000;
		info.tsc_timestamp = 1000000;
	}
	return now;
}

static void
test_clock(void **state)
{
	(void)state;
	/* 2 GHz: half a nanosecond each tick */
	info = (struct xen_time_info){ .version = 4, .tsc_timestamp = 0, .system_time = 1,
	    .tsc_to_system_mul = 0x80000000u };
	now = 1002000;
	reads = 0;
	assert_int_equal(xen_page_time_ns(&info, tsc_cb), 6000);
	assert_int_equal(reads, 2);
	info.tsc_shift = 1; /* 1 GHz */
	assert_int_equal(xen_page_time_ns(&info, tsc_cb), 7000);
	info.tsc_shift = -1;
	assert_int_equal(xen_page_time_ns(&info, tsc_cb), 5500);
	info.tsc_shift = 0;
	now = 1000000 + (10ull << 40); /* hours later */
	assert_true(xen_page_time_ns(&info, tsc_cb) == 5000 + (5ull << 40));
	now = 999999; /* a stamp from the future */
	assert_int_equal(xen_page_time_ns(&info, tsc_cb), 5000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all_slots_are_offered, setup_rx),
		cmocka_unit_test_setup(test_frames_in_order_for_ever, setup_rx),
		cmocka_unit_test_setup(test_the_backend_is_told_when_it_asks, setup_rx),
		cmocka_unit_test_setup(test_bad_frames_are_skipped, setup_rx),
		cmocka_unit_test_setup(test_pieces_and_extras_are_skipped, setup_rx),
		cmocka_unit_test_setup(test_more_responses_than_requests_end_it, setup_rx),
		cmocka_unit_test_setup(test_slots_come_back_in_any_order, setup_tx),
		cmocka_unit_test_setup(test_strange_completions_give_nothing, setup_tx),
		cmocka_unit_test_setup(test_completions_of_nothing_end_it, setup_tx),
		cmocka_unit_test(test_console_wraps_and_fills),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
