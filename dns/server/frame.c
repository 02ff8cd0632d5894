/* frame: the framing of DNS over TCP, without sockets. */
#include "dns/server/frame.h"

#include <stdlib.h>
#include <string.h>

#include "dns/zimage/rdata.h"

bool
frame_next(const uint8_t *buf, size_t len, size_t *pos, const uint8_t **msg, size_t *msg_len)
{
	size_t left = len - *pos, n;

	if (left < FRAME_HEAD)
		return false;
	n = dns_get16(buf + *pos);
	if (left - FRAME_HEAD < n)
		return false;
	*msg = buf + *pos + FRAME_HEAD;
	*msg_len = n;
	*pos += FRAME_HEAD + n;
	return true;
}

size_t
frame_seal(uint8_t *buf, size_t msg_len)
{
	dns_put16(buf, (uint16_t)msg_len);
	return FRAME_HEAD + msg_len;
}

enum err
frame_keep(struct frame_kept *k, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		frame_drop(k, k->len);
	k->len = 0;
	return frame_keep_more(k, bytes, len, SIZE_MAX);
}

enum err
frame_keep_more(struct frame_kept *k, const uint8_t *bytes, size_t len, size_t most)
{
	size_t need = k->len + len;

	if (len == 0)
		return ERR_OK;
	if (len > most || k->len > most - len)
		return ERR_LIMIT;
	if (need > k->cap) {
		uint8_t *grown = realloc(k->data, need);

		if (grown == NULL)
			return ERR_NOMEM;
		k->data = grown;
		k->cap = need;
	}
	memcpy(k->data + k->len, bytes, len);
	k->len = need;
	return ERR_OK;
}

void
frame_drop(struct frame_kept *k, size_t len)
{
	if (len < k->len) {
		memmove(k->data, k->data + len, k->len - len);
		k->len -= len;
		return;
	}
	free(k->data);
	*k = (struct frame_kept){ .data = NULL };
}
