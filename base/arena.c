/* arena: chunks of growing size, handed out from the front. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define CHUNK_LEAST 4096u
#define CHUNK_MOST (256u * 1024u)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	alignas(max_align_t) unsigned char data[];
};

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
		fatal("out of memory: %zu bytes were needed", room);
	c = mem_zero(1, sizeof(*c) + room);
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
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		fatal("out of memory: %zu times %zu bytes were needed", n, size);
	return arena_alloc(a, bytes);
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = take(a, len + 1, 1);

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
		fatal("out of memory: text of \"%s\"", fmt);
	out = take(a, (size_t)len + 1, 1);
	va_start(ap, fmt);
	vsnprintf(out, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return out;
}
