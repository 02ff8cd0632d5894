/*
 * mem: memory, where its lack is the end.
 *
 * The warden, the start of every process and the command-line tool cannot go on without the few
 * bytes that they ask for: each function logs what was asked for and ends the process, so callers
 * check nothing; VMs run on and are adopted by the next start.  A zones process ends, too: the zone
 * that it was at keeps its old contents, another process compiles the others.  For what one query
 * or one client asks for, confined processes use calloc(3) and errors.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Each returns memory for free(3), never NULL; `n * size` may overflow, which is fatal, too. */

/* Zeroed. */
void *mem_zero(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2), returns_nonnull));
/* As realloc(3); what is new is not zeroed. */
void *mem_resize(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
/* Room for one more in an array of n with *room: grown by half, at least to 8; not zeroed. */
void *mem_room(void *array, size_t n, size_t *room, size_t size) __attribute__((returns_nonnull));
/* A copy of n bytes. */
void *mem_copy(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
/* strdup(3). */
char *mem_text(const char *s) __attribute__((malloc, returns_nonnull, nonnull));
/* asprintf(3). */
char *mem_format(const char *fmt, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));
/* For libraries that return NULL without memory (libevent, jansson): p, or the end. */
void *mem_must(void *p) __attribute__((returns_nonnull));

#endif
