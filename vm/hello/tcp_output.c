/* tcp_output.c: sending segments, and the timer that sends them again */
#include "vm/hello/tcp_impl.h"

#define CHECKSUM_OFFSET 16

static struct wire_out
header_begin(struct net *net, uint16_t to, uint32_t seq, uint32_t ack, uint8_t flags,
    uint32_t window, unsigned options)
{
	struct wire_out w = ip_payload(net);

	wire_put_u16(&w, TCP_PORT);
	wire_put_u16(&w, to);
	wire_put_u32(&w, seq);
	wire_put_u32(&w, ack);
	wire_put_u8(&w, (uint8_t)((TCP_HEADER_BYTES + options) / 4 << 4));
	wire_put_u8(&w, flags);
	wire_put_u16(&w, (uint16_t)window);
	wire_put_u32(&w, 0); /* checksum, urgent pointer */
	return w;
}

static struct wire_out
segment_begin(struct net *net, const struct tcp_conn *c, uint32_t seq, uint8_t flags,
    unsigned options)
{
	return header_begin(net, c->remote_port, seq, c->rcv_nxt, flags, tcp_window(c), options);
}

static void
segment_send(struct net *net, const struct tcp_conn *c, struct wire_out *w)
{
	struct ip_route route = { .src = c->local, .dst = c->remote, .proto = IP_TCP,
	    .hop_limit = IP_HOP_LIMIT };

	memcpy(route.mac, c->mac, MAC_BYTES);
	ip_send_summed(net, &route, w, CHECKSUM_OFFSET);
}

void
tcp_send_ack(struct net *net, struct tcp_conn *c)
{
	struct wire_out w = segment_begin(net, c, c->snd_max, TCP_ACK, 0);

	c->ack_now = false;
	segment_send(net, c, &w);
}

void
tcp_send_reset(struct net *net, struct tcp_conn *c)
{
	struct wire_out w = segment_begin(net, c, c->snd_nxt, TCP_RST | TCP_ACK, 0);

	segment_send(net, c, &w);
}

static void
timer_restart(struct net *net, struct tcp_conn *c)
{
	uint64_t wait_ms = (uint64_t)c->rto_ms << c->backoff;

	c->timer_ms = net->now_ms +
	    (wait_ms < LIMIT_TCP_RTO_MOST_MS ? wait_ms : LIMIT_TCP_RTO_MOST_MS);
	if (c->timer_ms < net->tcp.next_ms)
		net->tcp.next_ms = c->timer_ms;
}

void
tcp_send_syn_ack(struct net *net, struct tcp_conn *c)
{
	struct wire_out w = segment_begin(net, c, c->snd_una, TCP_SYN | TCP_ACK, 4);

	wire_put_u8(&w, TCP_OPTION_MSS);
	wire_put_u8(&w, 4);
	wire_put_u16(&w, addr_is_v4(&c->local) ? LIMIT_TCP_MSS4 : LIMIT_TCP_MSS6);
	segment_send(net, c, &w);
	timer_restart(net, c);
}

void
tcp_refuse(struct net *net, const struct ip_packet *packet, const struct tcp_segment *seg)
{
	struct ip_route route = ip_reply_route(packet);
	uint32_t seq = 0, ack = 0;
	uint8_t flags = TCP_RST;
	struct wire_out w;

	if (seg->flags & TCP_RST)
		return;
	if (seg->flags & TCP_ACK) {
		seq = seg->ack;
	} else {
		flags |= TCP_ACK;
		ack = seg->seq + tcp_segment_length(seg);
	}
	w = header_begin(net, seg->src_port, seq, ack, flags, 0, 0);
	wire_patch_u16(&w, 0, seg->dst_port);
	ip_send_summed(net, &route, &w, CHECKSUM_OFFSET);
}

/* RFC 6298 section 2. */
void
tcp_rtt_sample(struct tcp_conn *c, uint64_t now_ms)
{
	uint64_t took_ms = now_ms - c->rtt_start_ms;
	uint32_t rtt_ms = took_ms < LIMIT_TCP_RTO_MOST_MS ? (uint32_t)took_ms :
	    LIMIT_TCP_RTO_MOST_MS;

	if (c->srtt_ms == 0) {
		c->srtt_ms = rtt_ms ? rtt_ms : 1;
		c->rttvar_ms = rtt_ms / 2;
	} else {
		uint32_t error = rtt_ms > c->srtt_ms ? rtt_ms - c->srtt_ms : c->srtt_ms - rtt_ms;

		c->rttvar_ms = (3 * c->rttvar_ms + error) / 4;
		c->srtt_ms = (7 * c->srtt_ms + rtt_ms) / 8;
	}
	c->rto_ms = c->srtt_ms + 4 * c->rttvar_ms;
	if (c->rto_ms < LIMIT_TCP_RTO_LEAST_MS)
		c->rto_ms = LIMIT_TCP_RTO_LEAST_MS;
	if (c->rto_ms > LIMIT_TCP_RTO_MOST_MS)
		c->rto_ms = LIMIT_TCP_RTO_MOST_MS;
}

static void
data_send(struct net *net, struct tcp_conn *c, uint32_t offset, uint32_t len, uint8_t flags)
{
	struct wire_out w = segment_begin(net, c, c->snd_nxt, flags, 0);
	uint32_t at = (c->tx_head + offset) % LIMIT_TCP_TX_BYTES, to_end = LIMIT_TCP_TX_BYTES - at;

	wire_put(&w, c->tx + at, len < to_end ? len : to_end);
	wire_put(&w, c->tx, len < to_end ? 0 : len - to_end);
	segment_send(net, c, &w);
	c->ack_now = false;
}

/* Books what was sent; only first transmissions are timed (Karn, RFC 6298 section 3). */
static void
sent(struct net *net, struct tcp_conn *c, uint32_t len, bool fin)
{
	if (!c->rtt_timing && c->snd_nxt == c->snd_max) {
		c->rtt_timing = true;
		c->rtt_start_ms = net->now_ms;
		c->rtt_seq = c->snd_nxt + len + fin;
	}
	c->snd_nxt += len + fin;
	if (tcp_before(c->snd_max, c->snd_nxt))
		c->snd_max = c->snd_nxt;
	if (fin && c->state == TCP_ESTABLISHED)
		c->state = TCP_FIN_WAIT_1;
	else if (fin && c->state == TCP_CLOSE_WAIT)
		c->state = TCP_LAST_ACK;
}

/* One segment; false when there is none, or no window for it: a FIN alone needs none. */
static bool
send_next(struct net *net, struct tcp_conn *c, bool force)
{
	uint32_t offset = c->snd_nxt - c->snd_una;
	uint32_t unsent = offset < c->tx_len ? c->tx_len - offset : 0;
	uint32_t room = offset < c->snd_wnd ? c->snd_wnd - offset : 0;
	uint32_t len;
	bool last, fin, fin_done = c->state == TCP_FIN_WAIT_2 || c->state == TCP_TIME_WAIT;

	if (force && room == 0)
		room = 1;
	len = unsent < room ? unsent : room;
	len = len < c->mss ? len : c->mss;
	last = len == unsent;
	fin = last && c->closing && !fin_done && offset <= c->tx_len;
	if (len == 0 && !fin)
		return false;
	data_send(net, c, offset, len, (uint8_t)(TCP_ACK | (last ? TCP_PSH : 0) |
	    (fin ? TCP_FIN : 0)));
	sent(net, c, len, fin);
	return true;
}

void
tcp_output(struct net *net, struct tcp_conn *c, unsigned segments, bool force)
{
	bool waiting;

	while (segments > 0 && send_next(net, c, force))
		segments--;
	if (c->ack_now)
		tcp_send_ack(net, c);
	/* Data in flight waits for its ACK; data before a closed window waits to probe it. */
	waiting = c->snd_una != c->snd_max || c->tx_len > 0;
	if (!waiting)
		c->timer_ms = NET_NEVER;
	else if (c->timer_ms == NET_NEVER)
		timer_restart(net, c);
}

void
tcp_resend(struct net *net, struct tcp_conn *c)
{
	uint32_t next = c->snd_nxt;

	c->rtt_timing = false;
	c->snd_nxt = c->snd_una;
	tcp_output(net, c, 1, true);
	if (tcp_before(c->snd_nxt, next))
		c->snd_nxt = next;
}

static void
timed_out(struct net *net, struct tcp_conn *c)
{
	bool half_open = c->state == TCP_SYN_RCVD;

	if (c->retries >= (half_open ? LIMIT_TCP_SYN_RETRIES : LIMIT_TCP_RETRIES)) {
		if (!half_open)
			tcp_send_reset(net, c);
		c->state = TCP_FREE;
		return;
	}
	c->retries++;
	if ((uint64_t)c->rto_ms << c->backoff < LIMIT_TCP_RTO_MOST_MS)
		c->backoff++;
	c->rtt_timing = false;
	c->dup_acks = 0;
	timer_restart(net, c);
	if (half_open) {
		tcp_send_syn_ack(net, c);
		return;
	}
	c->snd_nxt = c->snd_una; /* go back; what follows is sent as ACKs come in */
	tcp_output(net, c, 1, true);
}

uint64_t
tcp_run_timers(struct net *net)
{
	struct tcp *tcp = &net->tcp;

	if (net->now_ms < tcp->next_ms)
		return tcp->next_ms;
	tcp->next_ms = NET_NEVER;
	for (struct tcp_conn *c = tcp->conns; c < tcp->conns + LIMIT_TCP_CONNS; c++) {
		if (c->state == TCP_FREE || c->state == TCP_TIME_WAIT)
			continue;
		if (c->timer_ms <= net->now_ms)
			timed_out(net, c);
		if (c->state != TCP_FREE && c->timer_ms < tcp->next_ms)
			tcp->next_ms = c->timer_ms;
	}
	return tcp->next_ms;
}
