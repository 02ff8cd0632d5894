/*
 * tcp_receive.c: putting received data in order
 *
 * The receive ring holds the bytes that HTTP has not taken yet, then the window. A segment is
 * copied to its place in the window whether or not those before it have come; `ranges`, sorted and
 * apart from each other, say where there is data beyond rcv_nxt.
 */
#include "vm/hello/tcp_impl.h"

uint32_t
tcp_window(const struct tcp_conn *c)
{
	return LIMIT_TCP_RX_BYTES - c->rx_len;
}

/* Adds a range, joining those that touch; false: one too many, which data in order never is. */
static bool
range_add(struct tcp_conn *c, uint32_t from, uint32_t to)
{
	struct tcp_range *r = c->ranges;
	unsigned first = 0, last;

	while (first < c->range_count && tcp_before(r[first].to, from))
		first++;
	last = first; /* the ranges first..last-1 touch the new one */
	while (last < c->range_count && tcp_upto(r[last].from, to)) {
		if (tcp_before(r[last].from, from))
			from = r[last].from;
		if (tcp_before(to, r[last].to))
			to = r[last].to;
		last++;
	}
	if (first == last && c->range_count >= LIMIT_TCP_RANGES && from != c->rcv_nxt)
		return false;
	memmove(r + first + 1, r + last, (c->range_count - last) * sizeof(*r));
	c->range_count = (uint8_t)(c->range_count - (last - first) + 1);
	r[first] = (struct tcp_range){ from, to };
	return true;
}

/* Moves rcv_nxt over the first range once there is no gap before it. */
static void
range_advance(struct tcp_conn *c)
{
	struct tcp_range first = c->ranges[0];

	if (c->range_count == 0 || first.from != c->rcv_nxt)
		return;
	c->rx_len = (uint16_t)(c->rx_len + (first.to - first.from));
	c->rcv_nxt = first.to;
	c->range_count--;
	memmove(c->ranges, c->ranges + 1, c->range_count * sizeof(first));
}

static void
take_data(struct tcp_conn *c, uint32_t seq, struct wire_in data)
{
	uint32_t right = c->rcv_nxt + tcp_window(c);

	if (tcp_before(seq, c->rcv_nxt)) {
		(void)wire_take(&data, c->rcv_nxt - seq);
		seq = c->rcv_nxt;
	}
	if (c->fin_known && tcp_before(c->fin_seq, right))
		right = c->fin_seq;
	if (data.bad || data.left == 0 || !tcp_before(seq, right))
		return;
	if (data.left > right - seq)
		data.left = right - seq;
	if (!range_add(c, seq, seq + (uint32_t)data.left))
		return;
	wire_ring_put(c->rx, LIMIT_TCP_RX_BYTES, c->rx_head + c->rx_len + (seq - c->rcv_nxt),
	    data.at, data.left);
	range_advance(c);
}

static void
take_fin(struct tcp_conn *c)
{
	c->rcv_nxt++;
	if (c->state == TCP_ESTABLISHED)
		c->state = TCP_CLOSE_WAIT;
	else if (c->state == TCP_FIN_WAIT_1)
		c->state = TCP_CLOSING;
	else
		c->state = TCP_TIME_WAIT;
}

void
tcp_receive(struct tcp_conn *c, const struct tcp_segment *seg)
{
	uint32_t end = seg->seq + (uint32_t)seg->data.left;

	if (c->state != TCP_ESTABLISHED && c->state != TCP_FIN_WAIT_1 && c->state != TCP_FIN_WAIT_2)
		return;
	take_data(c, seg->seq, seg->data);
	if ((seg->flags & TCP_FIN) && !c->fin_known && tcp_upto(end, c->rcv_nxt + tcp_window(c))) {
		c->fin_known = true;
		c->fin_seq = end;
	}
	if (seg->data.left || (seg->flags & TCP_FIN))
		c->ack_now = true;
	if (c->fin_known && c->rcv_nxt == c->fin_seq)
		take_fin(c);
}
