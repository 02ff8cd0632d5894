/* frame: DNS messages in a TCP stream: two bytes of length, then each (RFC 1035 section 4.2.2). */
#ifndef DNS_SERVER_FRAME_H
#define DNS_SERVER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FRAME_HEAD 2
#define FRAME_MAX (FRAME_HEAD + 65535)

/* The next whole message in buf[*pos..len), and *pos behind it; false when there is none yet. */
bool frame_next(const uint8_t *buf, size_t len, size_t *pos, const uint8_t **msg, size_t *msg_len);

/* Writes the length before a message that stands at buf + FRAME_HEAD; returns the frame's size. */
size_t frame_seal(uint8_t *buf, size_t msg_len);

/* Bytes kept between two turns: a message's beginning, or replies that the socket did not take. */
struct frame_kept {
	uint8_t *data;     /* NULL when there are none */
	size_t len;
	size_t cap;
};

/* Keeps a copy of exactly these bytes instead of what was kept; they lie elsewhere. */
enum err frame_keep(struct frame_kept *k, const uint8_t *bytes, size_t len);
/* Keeps these behind what is kept.  ERR_LIMIT when it would be more than `most`. */
enum err frame_keep_more(struct frame_kept *k, const uint8_t *bytes, size_t len, size_t most);
/* Drops the first `len` bytes; the memory goes with the last. */
void frame_drop(struct frame_kept *k, size_t len);

#endif
