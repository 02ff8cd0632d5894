/* tcp_impl.h: what the parts of TCP share: segments, sequence numbers, the table */
#ifndef HELLO_TCP_IMPL_H
#define HELLO_TCP_IMPL_H

#include "vm/hello/ip.h"
#include "vm/hello/net.h"
#include "vm/hello/tcp.h"

#define TCP_PORT         80
#define TCP_HEADER_BYTES 20

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

enum tcp_option { TCP_OPTION_END = 0, TCP_OPTION_NOP = 1, TCP_OPTION_MSS = 2 };

/* A received segment, checked and taken apart. */
struct tcp_segment {
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window;
	uint16_t mss; /* of the option; 0 without */
	struct wire_in data;
};

/* Sequence numbers wrap: a is before b when b is less than 2^31 ahead (RFC 9293 section 3.4). */
static inline bool
tcp_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool
tcp_upto(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

/* What it takes of the sequence: its data, SYN and FIN. */
static inline uint32_t
tcp_segment_length(const struct tcp_segment *seg)
{
	return (uint32_t)seg->data.left + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN);
}

/* tcp_table.c */
struct tcp_conn *tcp_find(struct net *net, const struct ip_packet *packet, uint16_t remote_port);
/* An entry for a new peer, which may cost another its own; all members but the buffers are zero. */
struct tcp_conn *tcp_take(struct net *net, const struct ip_packet *packet, uint16_t remote_port);
uint32_t tcp_initial_seq(const struct net *net, const struct ip_packet *packet,
    uint16_t remote_port);

/*
 * tcp_output.c. Sends what the windows allow, at most so many segments, or the ACK that is owed;
 * sets the timer.  With `force` one byte goes into a closed window.
 */
void tcp_output(struct net *net, struct tcp_conn *c, unsigned segments, bool force);
void tcp_send_syn_ack(struct net *net, struct tcp_conn *c);
void tcp_send_ack(struct net *net, struct tcp_conn *c);
void tcp_send_reset(struct net *net, struct tcp_conn *c);
/* The RST that answers a segment without a connection. */
void tcp_refuse(struct net *net, const struct ip_packet *packet, const struct tcp_segment *seg);
/* Sends the first unacknowledged segment once more. */
void tcp_resend(struct net *net, struct tcp_conn *c);
void tcp_rtt_sample(struct tcp_conn *c, uint64_t now_ms);
uint32_t tcp_window(const struct tcp_conn *c);

/* tcp_receive.c. Takes the data and the FIN of a segment that lies in the window. */
void tcp_receive(struct tcp_conn *c, const struct tcp_segment *seg);

#endif
