/* arena: memory that is allocated piece by piece and freed at once: one per loaded configuration, one per set of units. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;    /* newest first */
	size_t bytes;                  /* taken from the heap */
};

void arena_init(struct arena *a);
void arena_clear(struct arena *a);

/* Zeroed and aligned to 8 bytes; NULL when out of memory.  `size` 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);
/* n * size, NULL on overflow too. */
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
