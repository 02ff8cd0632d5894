/* arena: memory freed at once: of a configuration, a set of units, a zone.  Its lack is fatal. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

/* Empty when all zero. */
struct arena {
	struct arena_chunk *chunks;    /* newest first */
	size_t bytes;                  /* taken from the heap */
};

void arena_clear(struct arena *a);
/* Zeroed and aligned to 8 bytes.  `size` 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
void *arena_array(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t len) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((returns_nonnull, format(printf, 2, 3)));

#endif
