/* xenstore.c: a client of XenStore over the page that is shared with it */
#include "vm/hello/xenstore.h"

#include "vm/hello/text.h"
#include "vm/hello/wire.h"

#define HEADER_BYTES sizeof(struct xenstore_header)

/* ---- sending */

static void
put(struct xenstore_page *page, uint32_t *at, const void *bytes, size_t n)
{
	wire_ring_put((uint8_t *)page->req, XENSTORE_RING_BYTES, *at, bytes, n);
	*at += (uint32_t)n;
}

/* False when it does not fit yet. */
static bool
send(struct xenstore *xs, const struct xenstore_op *op, uint32_t request)
{
	struct xenstore_page *page = xs->page;
	char token[2] = { (char)('0' + op->token), '\0' };
	bool watch = op->type == XENSTORE_WATCH;
	const char *value = watch ? token : op->type == XENSTORE_WRITE ? op->value : "";
	/* A value to write comes without its NUL, a token with it. */
	size_t path_len = text_length(op->path) + 1, value_len = text_length(value) + watch;
	struct xenstore_header header = { op->type, request, 0, (uint32_t)(path_len + value_len) };
	uint32_t at = page->req_prod, used = at - xen_load(&page->req_cons);

	if (used > XENSTORE_RING_BYTES) {
		xs->broken = true;
		return false;
	}
	if (HEADER_BYTES + header.len > XENSTORE_RING_BYTES - used)
		return false;
	put(page, &at, &header, sizeof(header));
	put(page, &at, op->path, path_len);
	put(page, &at, value, value_len);
	xen_store(&page->req_prod, at);
	return true;
}

/* ---- receiving */

static void
take_byte(struct xenstore *xs, char c)
{
	size_t at = xs->have++;

	if (at < HEADER_BYTES)
		((char *)&xs->header)[at] = c;
	else if (at - HEADER_BYTES < LIMIT_XENSTORE_BODY)
		xs->body[at - HEADER_BYTES] = c;
}

/* Takes bytes up to the end of one message; true when it is whole. */
static bool
receive(struct xenstore *xs)
{
	struct xenstore_page *page = xs->page;
	uint32_t at = page->rsp_cons, there = xen_load(&page->rsp_prod) - at;
	bool whole = false, was_full = there == XENSTORE_RING_BYTES;

	if (there > XENSTORE_RING_BYTES)
		xs->broken = true;
	if (xs->broken)
		return false;
	while (there-- && !whole) {
		take_byte(xs, page->rsp[at++ % XENSTORE_RING_BYTES]);
		if (xs->have >= HEADER_BYTES && xs->header.len > XENSTORE_PAYLOAD_BYTES) {
			xs->broken = true;
			return false;
		}
		whole = xs->have >= HEADER_BYTES && xs->have == HEADER_BYTES + xs->header.len;
	}
	xen_store(&page->rsp_cons, at);
	if (was_full)
		xs->port->notify(); /* the store waits for room */
	if (whole) {
		uint32_t len = xs->header.len;

		xs->have = 0;
		xs->body[len < LIMIT_XENSTORE_BODY ? len : LIMIT_XENSTORE_BODY] = '\0';
	}
	return whole;
}

/* The payload is the path and the token, each with a NUL. */
static void
take_event(struct xenstore *xs)
{
	size_t path_len = text_length(xs->body);
	unsigned token;

	if (xs->header.len > LIMIT_XENSTORE_BODY || path_len + 2 > xs->header.len)
		return;
	token = (unsigned)(xs->body[path_len + 1] - '0');
	if (token < XENSTORE_TOKENS)
		xs->fired |= 1u << token;
}

/* The request that the message answers; NULL when it answers none. */
static struct xenstore_op *
take_reply(struct xenstore *xs, struct xenstore_op *ops, uint32_t first, unsigned sent)
{
	uint32_t number = xs->header.request - first;
	struct xenstore_op *op = ops + number;

	if (xs->header.type == XENSTORE_EVENT) {
		take_event(xs);
		return NULL;
	}
	if (number >= sent || op->done)
		return NULL;
	op->done = true;
	op->ok = xs->header.type == op->type;
	if (!op->ok || op->type != XENSTORE_READ)
		return op;
	op->ok = xs->header.len < op->cap && xs->header.len <= LIMIT_XENSTORE_BODY;
	if (op->ok)
		memcpy(op->out, xs->body, xs->header.len + 1);
	return op;
}

bool
xenstore_run(struct xenstore *xs, struct xenstore_op *ops, unsigned count)
{
	uint32_t first = xs->next_request;
	unsigned sent = 0, done = 0;

	for (unsigned i = 0; i < count; i++) {
		ops[i].ok = ops[i].done = false;
		if (ops[i].out && ops[i].cap)
			ops[i].out[0] = '\0';
	}
	while (done < count && !xs->broken) {
		unsigned before = sent;

		while (sent < count && send(xs, &ops[sent], first + sent))
			sent++;
		if (sent == before && sent == done) { /* it would never fit */
			xs->broken = true;
			break;
		}
		if (sent > before)
			xs->port->notify();
		if (!receive(xs)) {
			xs->port->wait();
			continue;
		}
		if (take_reply(xs, ops, first, sent))
			done++;
	}
	xs->next_request = first + count;
	return !xs->broken;
}

void
xenstore_poll(struct xenstore *xs)
{
	while (receive(xs))
		if (xs->header.type == XENSTORE_EVENT)
			take_event(xs);
}
