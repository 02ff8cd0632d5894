/* mem: allocations that end the process when there is no memory. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void *
sure(void *p, size_t n, size_t size)
{
	if (p == NULL)
		fatal("out of memory: %zu times %zu bytes were needed", n, size);
	return p;
}

void *
mem_zero(size_t n, size_t size)
{
	return sure(calloc(n > 0 ? n : 1, size), n, size);
}

void *
mem_resize(void *p, size_t n, size_t size)
{
	return sure(reallocarray(p, n > 0 ? n : 1, size), n, size);
}

void *
mem_room(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	*room = n < 8 ? 8 : n + n / 2;
	return mem_resize(array, *room, size);
}

void *
mem_copy(const void *p, size_t n)
{
	void *copy = mem_zero(n, 1);

	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

char *
mem_text(const char *s)
{
	return mem_copy(s, strlen(s) + 1);
}

char *
mem_format(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return sure(n >= 0 ? text : NULL, 1, strlen(fmt));
}

void *
mem_must(void *p)
{
	return sure(p, 1, 1);
}
