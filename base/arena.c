/* arena: chunks of growing size, handed out from the front. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_LEAST 4096u
#define CHUNK_MOST (256u * 1024u)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	alignas(max_align_t) unsigned char data[];
};

void
arena_init(struct arena *a)
{
	a->chunks = NULL;
	a->bytes = 0;
}

void
arena_clear(struct arena *a)
{
	while (a->chunks != NULL) {
		struct arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	a->bytes = 0;
}

/* A chunk for at least `size` bytes; each is twice the last, so that small arenas stay small. */
static struct arena_chunk *
chunk_add(struct arena *a, size_t size)
{
	size_t room = a->chunks == NULL ? CHUNK_LEAST : a->chunks->size * 2;
	struct arena_chunk *c;

	if (room > CHUNK_MOST)
		room = CHUNK_MOST;
	if (room < size)
		room = size;
	if (room > SIZE_MAX - sizeof(*c))
		return NULL;
	c = calloc(1, sizeof(*c) + room);
	if (c == NULL)
		return NULL;
	c->size = room;
	c->next = a->chunks;
	a->chunks = c;
	a->bytes += sizeof(*c) + room;
	return c;
}

static void *
take(struct arena *a, size_t size, size_t align)
{
	struct arena_chunk *c = a->chunks;
	size_t at = c == NULL ? 0 : (c->used + align - 1) & ~(align - 1);

	if (c == NULL || at > c->size || c->size - at < size) {
		c = chunk_add(a, size);
		if (c == NULL)
			return NULL;
		at = 0;
	}
	c->used = at + size;
	return c->data + at;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	return take(a, size, 8);
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	return arena_alloc(a, n * size);
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = len == SIZE_MAX ? NULL : take(a, len + 1, 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *out;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return NULL;
	out = take(a, (size_t)len + 1, 1);
	if (out == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(out, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return out;
}
