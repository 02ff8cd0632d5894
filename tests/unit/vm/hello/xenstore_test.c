/*
 * xenstore_test: the hello image's XenStore client against a scripted store, honest and not
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vm/hello/xenstore.h"

#define LOG_BYTES 2048

/* The store: what it was sent, and what it has to say, a few bytes each time the client waits. */
static struct {
	struct xenstore_page page;
	struct xenstore xs;
	char sent[LOG_BYTES];
	size_t sent_len;
	char reply[16384];
	size_t reply_len, reply_at, chunk;
	bool takes;    /* reads requests */
	unsigned waits;
	void (*on_request)(const struct xenstore_header *h, const char *body);
} store;

static void
say(uint32_t type, uint32_t request, const char *body, size_t len)
{
	struct xenstore_header h = { type, request, 0, (uint32_t)len };

	assert_true(store.reply_len + sizeof(h) + len <= sizeof(store.reply));
	memcpy(store.reply + store.reply_len, &h, sizeof(h));
	memcpy(store.reply + store.reply_len + sizeof(h), body, len);
	store.reply_len += sizeof(h) + len;
}

static void
take_requests(void)
{
	struct xenstore_header h;
	size_t at = 0;

	while (store.page.req_cons != store.page.req_prod) {
		assert_true(store.sent_len < sizeof(store.sent));
		store.sent[store.sent_len++] =
		    store.page.req[store.page.req_cons++ % XENSTORE_RING_BYTES];
	}
	while (store.sent_len - at >= sizeof(h)) {
		memcpy(&h, store.sent + at, sizeof(h));
		if (store.sent_len - at < sizeof(h) + h.len)
			break;
		store.on_request(&h, store.sent + at + sizeof(h));
		at += sizeof(h) + h.len;
	}
	memmove(store.sent, store.sent + at, store.sent_len - at);
	store.sent_len -= at;
}

static void
put_replies(void)
{
	for (size_t n = 0; n < store.chunk && store.reply_at < store.reply_len; n++) {
		if (store.page.rsp_prod - store.page.rsp_cons == XENSTORE_RING_BYTES)
			return;
		store.page.rsp[store.page.rsp_prod++ % XENSTORE_RING_BYTES] =
		    store.reply[store.reply_at++];
	}
}

static void
notify_cb(void)
{
}

static void
wait_cb(void)
{
	if (++store.waits > 10000)
		fail_msg("the client waits for ever");
	if (store.takes)
		take_requests();
	put_replies();
}

/* What a store with a few keys would say. */
static void
honest(const struct xenstore_header *h, const char *body)
{
	static const char *const keys[][2] = { { "device/vif/0/mac", "00:16:3e:11:22:33" },
	    { "control/shutdown", "" }, { "long", NULL } };
	char text[600];

	memset(text, 'x', sizeof(text));
	assert_non_null(memchr(body, '\0', h->len));
	assert_int_equal(h->transaction, 0);
	switch (h->type) {
	case XENSTORE_READ:
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strcmp(body, keys[i][0]) == 0) {
				say(XENSTORE_READ, h->request, keys[i][1] ? keys[i][1] : text,
				    keys[i][1] ? strlen(keys[i][1]) : sizeof(text));
				return;
			}
		say(XENSTORE_ERROR, h->request, "ENOENT", 7);
		return;
	case XENSTORE_WATCH:
		assert_int_equal(body[h->len - 1], '\0'); /* path and token, each with its NUL */
		say(XENSTORE_WATCH, h->request, "OK", 3);
		memmove(text, body, h->len);
		say(XENSTORE_EVENT, 0, text, h->len);
		return;
	case XENSTORE_WRITE:
		say(XENSTORE_WRITE, h->request, "OK", 3);
		return;
	default:
		fail_msg("request of type %u", h->type);
	}
}

static int
setup(void **state)
{
	static const struct xenstore_port port = { notify_cb, wait_cb };

	(void)state;
	memset(&store, 0, sizeof(store));
	store.xs.page = &store.page;
	store.xs.port = &port;
	store.on_request = honest;
	store.takes = true;
	store.chunk = 7;
	/* Indices that are about to wrap. */
	store.page.req_prod = store.page.req_cons = UINT32_MAX - 20;
	store.page.rsp_prod = store.page.rsp_cons = UINT32_MAX - 5;
	store.xs.next_request = UINT32_MAX;
	return 0;
}

static void
test_requests_in_one_go(void **state)
{
	char mac[20], none[8] = "x", empty[8] = "x";
	struct xenstore_op ops[] = {
		{ .type = XENSTORE_READ, .path = "device/vif/0/mac", .out = mac,
		    .cap = sizeof(mac) },
		{ .type = XENSTORE_WRITE, .path = "device/vif/0/state", .value = "4" },
		{ .type = XENSTORE_READ, .path = "nothing", .out = none, .cap = sizeof(none) },
		{ .type = XENSTORE_WATCH, .path = "control/shutdown", .token = 3 },
		{ .type = XENSTORE_READ, .path = "control/shutdown", .out = empty,
		    .cap = sizeof(empty) },
	};

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_true(xenstore_run(&store.xs, ops, 5));
		assert_true(ops[0].ok && ops[1].ok && !ops[2].ok && ops[3].ok && ops[4].ok);
		assert_string_equal(mac, "00:16:3e:11:22:33");
		assert_string_equal(none, "");
		assert_string_equal(empty, "");
		xenstore_poll(&store.xs);
		assert_int_equal(store.xs.fired, 1u << 3);
		store.xs.fired = 0;
	}
}

static void
test_values_that_do_not_fit(void **state)
{
	char out[8], large[2048];
	struct xenstore_op read_mac = { .type = XENSTORE_READ, .path = "device/vif/0/mac",
	    .out = out, .cap = sizeof(out) };
	struct xenstore_op read_long = { .type = XENSTORE_READ, .path = "long", .out = large,
	    .cap = sizeof(large) };

	(void)state;
	assert_true(xenstore_run(&store.xs, &read_mac, 1));
	assert_false(read_mac.ok);
	assert_string_equal(out, "");
	assert_true(xenstore_run(&store.xs, &read_long, 1)); /* beyond what is kept of a message */
	assert_false(read_long.ok);
	read_mac.cap = 0;
	assert_true(xenstore_run(&store.xs, &read_mac, 1));
	assert_false(read_mac.ok);
}

static void
test_more_requests_than_the_ring_holds(void **state)
{
	struct xenstore_op ops[40];
	char path[200];

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 0; i < 40; i++)
		ops[i] = (struct xenstore_op){ .type = XENSTORE_WRITE, .path = path, .value =
		    "value" };
	assert_true(xenstore_run(&store.xs, ops, 40));
	for (size_t i = 0; i < 40; i++)
		assert_true(ops[i].ok);
}

static void
test_a_request_that_never_fits(void **state)
{
	static char path[XENSTORE_RING_BYTES + 1];
	struct xenstore_op op = { .type = XENSTORE_WRITE, .path = path, .value = "" };

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	assert_false(xenstore_run(&store.xs, &op, 1));
}

/* ---- a store that does not keep to the protocol */

static void
wrong_ids(const struct xenstore_header *h, const char *body)
{
	(void)body;
	say(XENSTORE_READ, h->request + 1, "no", 2);
	say(XENSTORE_READ, h->request - 1, "no", 2);
	say(XENSTORE_READ, h->request ^ 0x80000000u, "no", 2);
	say(XENSTORE_EVENT, h->request, "path\0z\0", 7);  /* a token beyond ours */
	say(XENSTORE_EVENT, h->request, "path", 4);       /* without one */
	say(XENSTORE_EVENT, h->request, "", 0);
	say(XENSTORE_READ, h->request, "yes", 3);
	say(XENSTORE_READ, h->request, "again", 5);
}

static void
test_strange_replies_are_skipped(void **state)
{
	char out[8];
	struct xenstore_op op = { .type = XENSTORE_READ, .path = "x", .out = out,
	    .cap = sizeof(out) };

	(void)state;
	store.on_request = wrong_ids;
	for (int i = 0; i < 3; i++) {
		assert_true(xenstore_run(&store.xs, &op, 1));
		assert_true(op.ok);
		assert_string_equal(out, "yes");
	}
	assert_int_equal(store.xs.fired, 0);
}

static void
other_type(const struct xenstore_header *h, const char *body)
{
	(void)body;
	say(XENSTORE_WRITE, h->request, "OK", 3);
}

static void
test_reply_of_another_type(void **state)
{
	char out[8] = "x";
	struct xenstore_op op = { .type = XENSTORE_READ, .path = "x", .out = out,
	    .cap = sizeof(out) };

	(void)state;
	store.on_request = other_type;
	assert_true(xenstore_run(&store.xs, &op, 1));
	assert_false(op.ok);
	assert_string_equal(out, "");
}

static void
endless(const struct xenstore_header *h, const char *body)
{
	struct xenstore_header lie = { XENSTORE_READ, h->request, 0, XENSTORE_PAYLOAD_BYTES + 1 };

	(void)body;
	memcpy(store.reply + store.reply_len, &lie, sizeof(lie));
	store.reply_len += sizeof(lie);
}

static void
test_a_message_too_long_breaks(void **state)
{
	char out[8];
	struct xenstore_op op = { .type = XENSTORE_READ, .path = "x", .out = out,
	    .cap = sizeof(out) };

	(void)state;
	store.on_request = endless;
	assert_false(xenstore_run(&store.xs, &op, 1));
	assert_false(op.ok);
	assert_false(xenstore_run(&store.xs, &op, 1)); /* and it stays so */
}

static void
test_indices_out_of_range_break(void **state)
{
	struct xenstore_op op = { .type = XENSTORE_WRITE, .path = "x", .value = "y" };

	store.page.rsp_prod = store.page.rsp_cons + XENSTORE_RING_BYTES + 1;
	xenstore_poll(&store.xs);
	assert_true(store.xs.broken);
	setup(state);
	store.page.req_cons = store.page.req_prod + 1;
	assert_false(xenstore_run(&store.xs, &op, 1));
}

static void
test_the_longest_message_passes(void **state)
{
	static char body[XENSTORE_PAYLOAD_BYTES];
	struct xenstore_op op = { .type = XENSTORE_WRITE, .path = "x", .value = "y" };

	(void)state;
	say(XENSTORE_EVENT, 0, body, sizeof(body));
	assert_true(xenstore_run(&store.xs, &op, 1));
	assert_true(op.ok);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_requests_in_one_go, setup),
		cmocka_unit_test_setup(test_values_that_do_not_fit, setup),
		cmocka_unit_test_setup(test_more_requests_than_the_ring_holds, setup),
		cmocka_unit_test_setup(test_a_request_that_never_fits, setup),
		cmocka_unit_test_setup(test_strange_replies_are_skipped, setup),
		cmocka_unit_test_setup(test_reply_of_another_type, setup),
		cmocka_unit_test_setup(test_a_message_too_long_breaks, setup),
		cmocka_unit_test_setup(test_indices_out_of_range_break, setup),
		cmocka_unit_test_setup(test_the_longest_message_passes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
