/*
 * table: a hash table from bytes to a pointer; keyed at random, so that who chooses the bytes
 * cannot aim at collisions.  An empty table is all zero.  Lack of memory is fatal, as in mem.h.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
	const void *key;
	void *value;                   /* NULL: free */
	uint32_t len, hash;
};

struct table {
	struct table_slot *slots;
	size_t size;                   /* a power of two, or 0 */
	size_t used;                   /* slots that searches go on behind */
	size_t count;                  /* entries */
};

/* Forgets every entry and frees. */
void table_clear(struct table *t);
void *table_find(const struct table *t, const void *key, size_t len);
/* Adds an entry; `key` lives as long, `value` is not NULL.  False: that key's entry stays. */
bool table_add(struct table *t, const void *key, size_t len, void *value);
/* Adds an entry, or replaces value and key bytes of that key's entry. */
void table_set(struct table *t, const void *key, size_t len, void *value);
/* Removes an entry and returns its value; NULL when there is none. */
void *table_remove(struct table *t, const void *key, size_t len);

/*
 * Every entry once, in any order: *at is 0 at first; NULL at the end.  Meanwhile entries may be
 * removed; an addition may leave entries out or repeat them.
 */
void *table_next(const struct table *t, size_t *at);
/* Taken from the heap. */
size_t table_bytes(const struct table *t);

#endif
