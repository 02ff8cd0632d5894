/* tcp_table.c: the table of TCP connections: entries, initial sequence numbers, buffers */
#include "vm/hello/tcp_impl.h"

void
tcp_init(struct tcp *tcp, const uint8_t seed[8])
{
	memcpy(tcp->key, seed, sizeof(tcp->key));
	tcp->next_ms = NET_NEVER;
	for (size_t i = 0; i < LIMIT_TCP_CONNS; i++)
		tcp->conns[i].state = TCP_FREE;
}

struct tcp_conn *
tcp_find(struct net *net, const struct ip_packet *packet, uint16_t remote_port)
{
	for (struct tcp_conn *c = net->tcp.conns; c < net->tcp.conns + LIMIT_TCP_CONNS; c++) {
		if (c->state == TCP_FREE || c->remote_port != remote_port ||
		    !addr_equal(&c->remote, &packet->src) || !addr_equal(&c->local, &packet->dst))
			continue;
		if (c->state == TCP_TIME_WAIT && net->now_ms >= c->active_ms +
		    LIMIT_TCP_TIME_WAIT_MS) {
			c->state = TCP_FREE;
			return NULL;
		}
		return c;
	}
	return NULL;
}

/* How much an entry would be missed. */
enum worth { WORTH_FREE, WORTH_TIME_WAIT, WORTH_FIN_WAIT_2, WORTH_HALF_OPEN, WORTH_IDLE,
    WORTH_BUSY };

static enum worth
worth(const struct tcp_conn *c)
{
	switch (c->state) {
	case TCP_FREE:
		return WORTH_FREE;
	case TCP_TIME_WAIT:
		return WORTH_TIME_WAIT;
	case TCP_FIN_WAIT_2:
		return WORTH_FIN_WAIT_2;
	case TCP_SYN_RCVD:
		return WORTH_HALF_OPEN;
	default:
		return c->tx_len == 0 && c->rx_len == 0 && !c->closing ? WORTH_IDLE : WORTH_BUSY;
	}
}

static struct tcp_conn *
least_missed(struct net *net)
{
	struct tcp_conn *conns = net->tcp.conns, *best = conns, *half_open = NULL;
	enum worth least = WORTH_BUSY;
	unsigned half_open_count = 0;

	for (struct tcp_conn *c = conns; c < conns + LIMIT_TCP_CONNS; c++) {
		enum worth w = worth(c);

		if (w < least || (w == least && c->active_ms < best->active_ms)) {
			best = c;
			least = w;
		}
		if (c->state != TCP_SYN_RCVD)
			continue;
		half_open_count++;
		if (!half_open || c->active_ms < half_open->active_ms)
			half_open = c;
	}
	return half_open_count >= LIMIT_TCP_HALF_OPEN ? half_open : best;
}

struct tcp_conn *
tcp_take(struct net *net, const struct ip_packet *packet, uint16_t remote_port)
{
	struct tcp_conn *c = least_missed(net);

	if (worth(c) >= WORTH_IDLE)
		tcp_send_reset(net, c);
	memset(c, 0, offsetof(struct tcp_conn, rx));
	c->local = packet->dst;
	c->remote = packet->src;
	c->remote_port = remote_port;
	memcpy(c->mac, packet->mac, MAC_BYTES);
	return c;
}

static uint32_t
rotate(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

static void
sip_round(uint32_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 5) ^ v[0];
	v[0] = rotate(v[0], 16);
	v[2] += v[3];
	v[3] = rotate(v[3], 8) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 7) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 13) ^ v[2];
	v[2] = rotate(v[2], 16);
}

static void
sip_word(uint32_t v[4], uint32_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static void
sip_bytes(uint32_t v[4], const uint8_t *bytes, size_t words)
{
	for (; words; words--, bytes += 4)
		sip_word(v, (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
		    (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
}

/* RFC 6528: a clock of 4 microseconds' ticks plus HalfSipHash-2-4 of the peer under our secret. */
uint32_t
tcp_initial_seq(const struct net *net, const struct ip_packet *packet, uint16_t remote_port)
{
	const uint32_t *key = net->tcp.key;
	uint32_t v[4] = { key[0], key[1], key[0] ^ 0x6c796765, key[1] ^ 0x74656462 };

	sip_bytes(v, packet->src.b, ADDR_BYTES / 4);
	sip_bytes(v, packet->dst.b, ADDR_BYTES / 4);
	sip_word(v, remote_port);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return (v[1] ^ v[3]) + (uint32_t)net->now_ms * 250;
}

size_t
tcp_peek(const struct tcp_conn *c, const uint8_t **bytes)
{
	size_t to_end = LIMIT_TCP_RX_BYTES - c->rx_head;

	*bytes = c->rx + c->rx_head;
	return c->rx_len < to_end ? c->rx_len : to_end;
}

void
tcp_consume(struct tcp_conn *c, size_t n)
{
	c->rx_head = (uint16_t)((c->rx_head + n) % LIMIT_TCP_RX_BYTES);
	c->rx_len = (uint16_t)(c->rx_len - n);
}

size_t
tcp_room(const struct tcp_conn *c)
{
	return LIMIT_TCP_TX_BYTES - c->tx_len;
}

void
tcp_write(struct tcp_conn *c, const char *bytes, size_t n)
{
	if (n > tcp_room(c))
		n = tcp_room(c);
	wire_ring_put(c->tx, LIMIT_TCP_TX_BYTES, c->tx_head + c->tx_len, bytes, n);
	c->tx_len = (uint16_t)(c->tx_len + n);
}

bool
tcp_at_end(const struct tcp_conn *c)
{
	return c->rx_len == 0 && (c->state == TCP_CLOSE_WAIT || c->state == TCP_LAST_ACK);
}
