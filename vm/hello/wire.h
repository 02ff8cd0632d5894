/*
 * wire.h: bounds-checked cursors, the only way to touch bytes of a packet
 *
 * A cursor that is asked for more than is left sets `bad`, yields zeroes and writes nothing from
 * then on: code reads or writes a whole header and looks at `bad` once.
 */
#ifndef HELLO_WIRE_H
#define HELLO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/hello/mem.h"

struct wire_in {
	const uint8_t *at;
	size_t left;
	bool bad;
};

struct wire_out {
	uint8_t *start;
	size_t len; /* bytes written */
	size_t cap;
	bool bad;
};

static inline struct wire_in
wire_in(const uint8_t *bytes, size_t len)
{
	return (struct wire_in){ .at = bytes, .left = len };
}

/* The next n bytes, or NULL when there are fewer. */
static inline const uint8_t *
wire_take(struct wire_in *w, size_t n)
{
	const uint8_t *at = w->at;

	if (w->bad || n > w->left) {
		w->bad = true;
		return NULL;
	}
	w->at += n;
	w->left -= n;
	return at;
}

static inline void
wire_copy(struct wire_in *w, void *to, size_t n)
{
	const uint8_t *from = wire_take(w, n);

	if (from)
		memcpy(to, from, n);
	else
		memset(to, 0, n);
}

static inline uint8_t
wire_u8(struct wire_in *w)
{
	const uint8_t *b = wire_take(w, 1);

	return b ? b[0] : 0;
}

static inline uint16_t
wire_u16(struct wire_in *w)
{
	const uint8_t *b = wire_take(w, 2);

	return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static inline uint32_t
wire_u32(struct wire_in *w)
{
	uint32_t high = wire_u16(w);

	return high << 16 | wire_u16(w);
}

static inline struct wire_out
wire_out(uint8_t *start, size_t cap)
{
	return (struct wire_out){ .start = start, .cap = cap };
}

static inline void
wire_put(struct wire_out *w, const void *from, size_t n)
{
	if (w->bad || n > w->cap - w->len) {
		w->bad = true;
		return;
	}
	memcpy(w->start + w->len, from, n);
	w->len += n;
}

static inline void
wire_put_u8(struct wire_out *w, uint8_t v)
{
	wire_put(w, &v, 1);
}

static inline void
wire_put_u16(struct wire_out *w, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	wire_put(w, b, sizeof(b));
}

static inline void
wire_put_u32(struct wire_out *w, uint32_t v)
{
	wire_put_u16(w, (uint16_t)(v >> 16));
	wire_put_u16(w, (uint16_t)v);
}

/* Puts n bytes, at most the ring's size, at that place, which wraps. */
static inline void
wire_ring_put(uint8_t *ring, size_t size, size_t at, const void *bytes, size_t n)
{
	size_t to_end = size - at % size, first = n < to_end ? n : to_end;

	memcpy(ring + at % size, bytes, first);
	memcpy(ring, (const uint8_t *)bytes + first, n - first);
}

/* Overwrites two bytes that were written before: a checksum that is known last. */
static inline void
wire_patch_u16(struct wire_out *w, size_t offset, uint16_t v)
{
	if (w->bad || offset + 2 > w->len) {
		w->bad = true;
		return;
	}
	w->start[offset] = (uint8_t)(v >> 8);
	w->start[offset + 1] = (uint8_t)v;
}

#endif
