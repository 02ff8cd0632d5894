/*
 * tcp.h: TCP for a server of one port (RFC 9293), with a fixed table of connections
 *
 * In brief: out-of-order data is reassembled; RTT is measured and lost segments are resent with
 * back-off (RFC 6298), the first also after three duplicate ACKs (RFC 5681); blind attacks meet
 * challenge ACKs (RFC 5961) and unpredictable initial sequence numbers (RFC 6528). No options but
 * MSS: what we send never exceeds an initial congestion window, so there is no congestion control
 * beyond resending one segment after a time-out.
 *
 * When the table is full, a SYN takes the entry that is missed least: closed ones first, then
 * half-open, then idle ones, each kind by age. Entries that merely linger (TIME-WAIT, FIN-WAIT-2,
 * idle keep-alive) therefore need no timers, and an idle guest sleeps.
 */
#ifndef HELLO_TCP_H
#define HELLO_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/hello/addr.h"
#include "vm/hello/http.h"
#include "vm/hello/limits.h"

struct net;
struct ip_packet;

enum tcp_state { TCP_FREE, TCP_SYN_RCVD, TCP_ESTABLISHED, TCP_CLOSE_WAIT, TCP_FIN_WAIT_1,
    TCP_FIN_WAIT_2, TCP_CLOSING, TCP_LAST_ACK, TCP_TIME_WAIT };

struct tcp_range {
	uint32_t from, to; /* sequence numbers, the last one not included */
};

struct tcp_conn {
	enum tcp_state state;
	struct addr local, remote;
	uint16_t remote_port;
	uint16_t mss;           /* most data bytes in a segment to the peer */
	uint8_t mac[MAC_BYTES]; /* where the peer's last good segment came from */
	bool ack_now;           /* something that must be acknowledged has come */
	bool closing;           /* set by HTTP: FIN follows what was written */
	bool fin_known;         /* the peer's FIN has been seen, at fin_seq */
	uint8_t dup_acks;
	uint8_t retries;        /* time-outs since the peer was last heard */
	uint8_t backoff;        /* doublings of rto_ms since data was last acknowledged */
	uint32_t snd_una, snd_nxt, snd_max; /* first not acknowledged, next to send, never sent */
	uint32_t snd_wnd, snd_wnd_most, snd_wl1, snd_wl2;
	uint32_t rcv_nxt;
	uint32_t fin_seq;
	uint32_t discarded; /* bytes taken after `closing` */
	uint32_t rtt_seq;   /* its acknowledgement ends the measurement, if rtt_timing */
	uint64_t rtt_start_ms;
	bool rtt_timing;
	uint32_t srtt_ms, rttvar_ms, rto_ms;
	uint64_t timer_ms;        /* resend or probe then; NET_NEVER: nothing to wait for */
	uint64_t active_ms;       /* last segment of the peer that belonged here */
	uint64_t challenge_ms;    /* no challenge ACK before then */
	struct tcp_range ranges[LIMIT_TCP_RANGES + 1]; /* and one in order, until it is taken */
	uint8_t range_count;
	struct http http;
	uint16_t rx_head, rx_len; /* bytes in order; later ones stand behind, see ranges */
	uint16_t tx_head, tx_len; /* bytes from snd_una on */
	/* both are rings; the last two members: not cleared for a new connection */
	uint8_t rx[LIMIT_TCP_RX_BYTES];
	uint8_t tx[LIMIT_TCP_TX_BYTES];
};

struct tcp {
	uint32_t key[2];  /* of the initial sequence numbers */
	/* no timer is due before; it may be early, since ACKs stop timers all the time */
	uint64_t next_ms;
	struct tcp_conn conns[LIMIT_TCP_CONNS];
};

void tcp_init(struct tcp *tcp, const uint8_t seed[8]);
/* Takes a TCP packet for one of our addresses. */
void tcp_input(struct net *net, const struct ip_packet *packet);
/* Resends what is due; returns the earliest deadline, or NET_NEVER. */
uint64_t tcp_run_timers(struct net *net);
/* For HTTP: how many bytes came in order and are in one piece, and where; 0 when there are none. */
size_t tcp_peek(const struct tcp_conn *c, const uint8_t **bytes);
void tcp_consume(struct tcp_conn *c, size_t n);
/* Room for bytes to send; a write within it always succeeds. */
size_t tcp_room(const struct tcp_conn *c);
void tcp_write(struct tcp_conn *c, const char *bytes, size_t n);
/* True when the peer sends no more and all of it has been consumed. */
bool tcp_at_end(const struct tcp_conn *c);

#endif
