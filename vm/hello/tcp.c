/*
 * tcp.c: what a received segment does to a connection
 *
 *                  SYN /                ACK                FIN
 *        FREE ──────────> SYN_RCVD ──────────> ESTABLISHED ──────────> CLOSE_WAIT
 *                         SYN+ACK                  │ closed / FIN           │ closed / FIN
 *                                     FIN          v                        v
 *                       CLOSING <─────────── FIN_WAIT_1                 LAST_ACK ──ACK──> FREE
 *                          │ ACK                   │ ACK
 *                          v            FIN        v
 *                      TIME_WAIT <─────────── FIN_WAIT_2
 *
 * FIN and ACK of FIN in one segment take both steps. To FREE lead, from everywhere: a RST with
 * exactly the expected sequence number, the last retry, being replaced by a newer connection, and
 * for TIME_WAIT a new SYN or time.  Done by: SYN accept(); ACK acknowledged() and ack_advance();
 * FIN tcp_receive(); "closed" is `closing`, set by HTTP, its FIN goes out in tcp_output().
 * Invariants: snd_una <= snd_nxt <= snd_max; tx holds the bytes from snd_una on; a timer runs
 * exactly while data or a FIN is unacknowledged or unsent.
 */
#include "vm/hello/tcp_impl.h"

#define ALL_SEGMENTS UINT32_MAX
#define DUP_ACKS     3 /* RFC 5681 section 3.2 */

/* An option that is cut off ends the list: the rest means nothing. */
static uint16_t
parse_mss(struct wire_in w)
{
	while (w.left && !w.bad) {
		uint8_t kind = wire_u8(&w), len;
		struct wire_in body;

		if (kind == TCP_OPTION_END)
			break;
		if (kind == TCP_OPTION_NOP)
			continue;
		len = wire_u8(&w);
		if (len < 2)
			break;
		body = wire_in(wire_take(&w, len - 2u), len - 2u);
		if (!w.bad && kind == TCP_OPTION_MSS && len == 4)
			return wire_u16(&body);
	}
	return 0;
}

static bool
parse(const struct ip_packet *packet, struct tcp_segment *seg)
{
	struct wire_in w = packet->payload, options;
	size_t header_len;

	if (ip_pseudo_checksum(&packet->src, &packet->dst, IP_TCP, w.at, w.left) != 0)
		return false;
	seg->src_port = wire_u16(&w);
	seg->dst_port = wire_u16(&w);
	seg->seq = wire_u32(&w);
	seg->ack = wire_u32(&w);
	header_len = wire_u8(&w) >> 4 << 2;
	seg->flags = wire_u8(&w);
	seg->window = wire_u16(&w);
	(void)wire_u32(&w);
	if (w.bad || header_len < TCP_HEADER_BYTES || header_len - TCP_HEADER_BYTES > w.left)
		return false;
	options = wire_in(w.at, header_len - TCP_HEADER_BYTES);
	(void)wire_take(&w, options.left);
	seg->mss = seg->flags & TCP_SYN ? parse_mss(options) : 0;
	seg->data = w;
	return true;
}

static uint16_t
usable_mss(const struct tcp_conn *c, uint16_t offered)
{
	uint16_t most = addr_is_v4(&c->local) ? LIMIT_TCP_MSS4 : LIMIT_TCP_MSS6;

	if (offered == 0)
		offered = addr_is_v4(&c->local) ? 536 : LIMIT_TCP_MSS6; /* RFC 9293 section 3.7.1 */
	if (offered < LIMIT_TCP_MSS_LEAST)
		offered = LIMIT_TCP_MSS_LEAST;
	return offered < most ? offered : most;
}

/* Data in a SYN is not taken: the client sends it again. */
static void
accept(struct net *net, const struct ip_packet *packet, const struct tcp_segment *seg)
{
	struct tcp_conn *c = tcp_take(net, packet, seg->src_port);

	c->state = TCP_SYN_RCVD;
	c->mss = usable_mss(c, seg->mss);
	c->snd_una = tcp_initial_seq(net, packet, seg->src_port);
	c->snd_nxt = c->snd_max = c->snd_una + 1;
	c->rcv_nxt = seg->seq + 1;
	c->rto_ms = LIMIT_TCP_RTO_FIRST_MS;
	c->rtt_timing = true;
	c->rtt_seq = c->snd_nxt;
	c->rtt_start_ms = c->active_ms = net->now_ms;
	http_init(&c->http);
	tcp_send_syn_ack(net, c);
}

static void
challenge(struct net *net, struct tcp_conn *c)
{
	if (net->now_ms < c->challenge_ms)
		return;
	c->challenge_ms = net->now_ms + LIMIT_TCP_CHALLENGE_MS;
	tcp_send_ack(net, c);
}

/* RFC 9293 section 3.10.7.4, first check: does the segment touch the window? */
static bool
in_window(const struct tcp_conn *c, const struct tcp_segment *seg)
{
	uint32_t len = tcp_segment_length(seg);
	uint32_t right = c->rcv_nxt + tcp_window(c), last = seg->seq + len - 1;

	if (len == 0)
		return seg->seq == c->rcv_nxt || (tcp_upto(c->rcv_nxt, seg->seq) &&
		    tcp_before(seg->seq, right));
	if (tcp_upto(c->rcv_nxt, seg->seq))
		return tcp_before(seg->seq, right);
	return tcp_upto(c->rcv_nxt, last) && tcp_before(last, right);
}

/* What does not touch the window is old or forged; the ACK tells a real peer where we are. */
static void
out_of_window(struct net *net, struct tcp_conn *c, const struct tcp_segment *seg)
{
	if (seg->flags & TCP_RST)
		return;
	if (c->state == TCP_SYN_RCVD && (seg->flags & TCP_SYN) && seg->seq + 1 == c->rcv_nxt)
		tcp_send_syn_ack(net, c);
	else if (seg->data.left || (seg->flags & TCP_FIN))
		tcp_send_ack(net, c);
	else
		challenge(net, c);
}

/* Drops n acknowledged bytes of data from the ring. */
static void
tx_drop(struct tcp_conn *c, uint32_t n)
{
	if (n > c->tx_len)
		n = c->tx_len; /* the rest was the FIN */
	c->tx_head = (uint16_t)((c->tx_head + n) % LIMIT_TCP_TX_BYTES);
	c->tx_len = (uint16_t)(c->tx_len - n);
}

static void
fin_acknowledged(struct tcp_conn *c)
{
	if (c->state == TCP_FIN_WAIT_1)
		c->state = TCP_FIN_WAIT_2;
	else if (c->state == TCP_CLOSING)
		c->state = TCP_TIME_WAIT;
	else if (c->state == TCP_LAST_ACK)
		c->state = TCP_FREE;
}

static void
ack_advance(struct net *net, struct tcp_conn *c, uint32_t ack)
{
	bool fin_sent = c->state == TCP_FIN_WAIT_1 || c->state == TCP_CLOSING ||
	    c->state == TCP_LAST_ACK;

	if (c->rtt_timing && tcp_upto(c->rtt_seq, ack)) {
		c->rtt_timing = false;
		tcp_rtt_sample(c, net->now_ms);
	}
	tx_drop(c, ack - c->snd_una);
	c->snd_una = ack;
	if (tcp_before(c->snd_nxt, ack))
		c->snd_nxt = ack;
	c->dup_acks = 0;
	c->backoff = 0;
	c->timer_ms = NET_NEVER; /* tcp_output() starts it afresh if need be */
	if (fin_sent && ack == c->snd_max)
		fin_acknowledged(c);
}

static void
duplicate_ack(struct net *net, struct tcp_conn *c, const struct tcp_segment *seg)
{
	if (c->snd_una == c->snd_max || seg->ack != c->snd_una || seg->data.left ||
	    seg->window != c->snd_wnd || c->snd_wnd == 0)
		return;
	if (++c->dup_acks == DUP_ACKS)
		tcp_resend(net, c);
}

static void
update_window(struct tcp_conn *c, const struct tcp_segment *seg)
{
	if (!tcp_before(c->snd_wl1, seg->seq) &&
	    !(c->snd_wl1 == seg->seq && tcp_upto(c->snd_wl2, seg->ack)))
		return;
	if (c->snd_wnd == 0 && seg->window > 0) {
		/* a probe that the closed window swallowed counts as unsent */
		c->snd_nxt = c->snd_una;
		c->backoff = 0;
		c->timer_ms = NET_NEVER;
	}
	c->snd_wnd = seg->window;
	c->snd_wl1 = seg->seq;
	c->snd_wl2 = seg->ack;
	if (c->snd_wnd > c->snd_wnd_most)
		c->snd_wnd_most = c->snd_wnd;
}

/* False when the segment goes no further. */
static bool
acknowledged(struct net *net, struct tcp_conn *c, const struct ip_packet *packet,
    const struct tcp_segment *seg)
{
	if (c->state == TCP_SYN_RCVD) {
		if (seg->ack != c->snd_max) {
			tcp_refuse(net, packet, seg);
			return false;
		}
		c->state = TCP_ESTABLISHED;
		c->snd_wl1 = seg->seq - 1;
		c->snd_wl2 = seg->ack;
	} else if (tcp_before(c->snd_max, seg->ack) ||
	    tcp_before(seg->ack, c->snd_una - c->snd_wnd_most)) {
		challenge(net, c);
		return false;
	}
	c->retries = 0;
	memcpy(c->mac, packet->mac, MAC_BYTES);
	if (tcp_before(c->snd_una, seg->ack))
		ack_advance(net, c, seg->ack);
	else
		duplicate_ack(net, c, seg);
	if (tcp_upto(c->snd_una, seg->ack))
		update_window(c, seg);
	return c->state != TCP_FREE;
}

/* Tells a peer whose window was small that HTTP has made room (RFC 9293 section 3.8.6.2.2). */
static void
run_http(struct net *net, struct tcp_conn *c)
{
	uint32_t before = tcp_window(c);

	http_run(net, c);
	if (before < LIMIT_TCP_RX_BYTES / 2 && tcp_window(c) >= LIMIT_TCP_RX_BYTES / 2)
		c->ack_now = true;
}

static void
arrived(struct net *net, struct tcp_conn *c, const struct ip_packet *packet,
    const struct tcp_segment *seg)
{
	if (!in_window(c, seg)) {
		out_of_window(net, c, seg);
		return;
	}
	if ((seg->flags & TCP_RST) && seg->seq == c->rcv_nxt) {
		c->state = TCP_FREE;
		return;
	}
	if (seg->flags & (TCP_RST | TCP_SYN)) {
		challenge(net, c);
		return;
	}
	if (!(seg->flags & TCP_ACK) || !acknowledged(net, c, packet, seg))
		return;
	c->active_ms = net->now_ms;
	tcp_receive(c, seg);
	if (c->discarded > LIMIT_TCP_DISCARD_BYTES) {
		tcp_send_reset(net, c);
		c->state = TCP_FREE;
		return;
	}
	run_http(net, c);
	tcp_output(net, c, ALL_SEGMENTS, false);
}

void
tcp_input(struct net *net, const struct ip_packet *packet)
{
	struct tcp_segment seg;
	struct tcp_conn *c;
	bool opens;

	if (!parse(packet, &seg))
		return;
	if (seg.dst_port != TCP_PORT || net->now_ms < net->config->delay_ms) {
		tcp_refuse(net, packet, &seg);
		return;
	}
	opens = (seg.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	c = tcp_find(net, packet, seg.src_port);
	/* RFC 9293 section 3.10.7.4: a SYN beyond all that was received reopens from TIME_WAIT. */
	if (c && c->state == TCP_TIME_WAIT && opens && tcp_before(c->rcv_nxt, seg.seq)) {
		c->state = TCP_FREE;
		c = NULL;
	}
	if (c)
		arrived(net, c, packet, &seg);
	else if (opens)
		accept(net, packet, &seg);
	else if (seg.flags & TCP_ACK)
		tcp_refuse(net, packet, &seg);
}
