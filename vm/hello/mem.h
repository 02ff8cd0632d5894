/* mem.h: the four functions that a compiler expects even from a freestanding program
 *
 * The guest has its own in mem.c; the tests on the host use the C library's. */
#ifndef HELLO_MEM_H
#define HELLO_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
