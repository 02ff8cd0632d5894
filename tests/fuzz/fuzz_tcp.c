/* fuzz_tcp: a TCP stream that is cut anywhere yields the messages that it yields in one piece. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/server/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIECE 16384

/* What the stream holds, in one piece: a checksum over the messages and their lengths. */
static uint64_t
mix(uint64_t sum, const uint8_t *msg, size_t len)
{
	sum = (sum ^ len) * 0x100000001b3;
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ msg[i]) * 0x100000001b3;
	return sum;
}

static uint64_t
in_one_piece(const uint8_t *data, size_t size)
{
	const uint8_t *msg;
	size_t pos = 0, len;
	uint64_t sum = 0;

	while (frame_next(data, size, &pos, &msg, &len))
		sum = mix(sum, msg, len);
	return sum;
}

/* As a connection does it: what is kept, a piece behind it, whole messages, keep the rest. */
static uint64_t
in_pieces(const uint8_t *data, size_t size, uint8_t cut)
{
	static uint8_t in[FRAME_MAX + PIECE];
	struct frame_kept kept = { .data = NULL };
	uint64_t sum = 0;

	while (size > 0) {
		size_t n = 1 + (cut * 2654435761u >> 7) % PIECE, pos = 0, len, filled = kept.len;
		const uint8_t *msg;

		cut = (uint8_t)(cut * 5 + 1);
		if (cut & 1)
			n = n % 7 + 1;
		if (n > size)
			n = size;
		if (filled > FRAME_MAX)
			abort();
		if (filled > 0)
			memcpy(in, kept.data, filled);
		memcpy(in + filled, data, n);
		filled += n;
		data += n;
		size -= n;
		while (frame_next(in, filled, &pos, &msg, &len))
			sum = mix(sum, msg, len);
		if (frame_keep(&kept, in + pos, filled - pos) != ERR_OK)
			abort();
	}
	frame_drop(&kept, kept.len);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && in_one_piece(data + 1, size - 1) != in_pieces(data + 1, size - 1, data[0]))
		abort();
	return 0;
}
