/*
 * index: a hash table from bytes to a pointer; keyed, so that who writes zones cannot aim at
 * collisions.  Entries are not removed one by one.  Lack of memory is fatal, as in mem.h.
 */
#ifndef BASE_INDEX_H
#define BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_slot {
	const void *key;
	uint32_t len, hash;
	void *value;
};

struct index {
	struct index_slot *slots;
	size_t size, used;             /* size is a power of two, or 0 */
	uint8_t secret[16];
};

void index_init(struct index *x, const uint8_t secret[16]);
/* Forgets every entry and frees. */
void index_clear(struct index *x);
void *index_find(const struct index *x, const void *key, size_t len);
/* Adds an entry that is not there; `key` must outlive the table, `value` is not NULL. */
void index_add(struct index *x, const void *key, size_t len, void *value);
size_t index_bytes(const struct index *x);

#endif
