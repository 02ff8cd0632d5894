/* frame: the framing of DNS over TCP, without sockets. */
#include "dns/server/frame.h"

#include <stdlib.h>
#include <string.h>

bool
frame_next(const uint8_t *buf, size_t len, size_t *pos, const uint8_t **msg, size_t *msg_len)
{
	size_t left = len - *pos, n;

	if (left < FRAME_HEAD)
		return false;
	n = (size_t)buf[*pos] << 8 | buf[*pos + 1];
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
	buf[0] = (uint8_t)(msg_len >> 8);
	buf[1] = (uint8_t)msg_len;
	return FRAME_HEAD + msg_len;
}

static enum err
reserve(struct frame_kept *k, size_t need)
{
	uint8_t *grown;

	if (need <= k->cap)
		return ERR_OK;
	grown = realloc(k->data, need);
	if (grown == NULL)
		return ERR_NOMEM;
	k->data = grown;
	k->cap = need;
	return ERR_OK;
}

enum err
frame_keep(struct frame_kept *k, const uint8_t *bytes, size_t len)
{
	if (len == 0) {
		frame_drop(k, k->len);
		return ERR_OK;
	}
	if (reserve(k, len) != ERR_OK)
		return ERR_NOMEM;
	memcpy(k->data, bytes, len);
	k->len = len;
	return ERR_OK;
}

enum err
frame_keep_more(struct frame_kept *k, const uint8_t *bytes, size_t len, size_t most)
{
	if (len == 0)
		return ERR_OK;
	if (len > most || k->len > most - len)
		return ERR_LIMIT;
	if (reserve(k, k->len + len) != ERR_OK)
		return ERR_NOMEM;
	memcpy(k->data + k->len, bytes, len);
	k->len += len;
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
