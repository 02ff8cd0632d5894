/* index: open addressing with linear probing, at most three quarters full. */
#include "base/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/siphash.h"

void
index_init(struct index *x, const uint8_t secret[16])
{
	memset(x, 0, sizeof(*x));
	memcpy(x->secret, secret, sizeof(x->secret));
}

void
index_clear(struct index *x)
{
	free(x->slots);
	x->slots = NULL;
	x->size = x->used = 0;
}

/* The slot of a key, or the free one where it would go; the table has a free slot. */
static struct index_slot *
probe(const struct index *x, const void *key, size_t len, uint32_t hash)
{
	size_t i = hash & (x->size - 1);

	while (x->slots[i].value != NULL) {
		const struct index_slot *s = &x->slots[i];

		if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
			break;
		i = (i + 1) & (x->size - 1);
	}
	return &x->slots[i];
}

void *
index_find(const struct index *x, const void *key, size_t len)
{
	if (x->size == 0)
		return NULL;
	return probe(x, key, len, (uint32_t)siphash24(x->secret, key, len))->value;
}

static void
grow(struct index *x)
{
	struct index_slot *old = x->slots;
	size_t old_size = x->size, size = old_size == 0 ? 64 : 2 * old_size;

	x->slots = mem_zero(size, sizeof(*x->slots));
	x->size = size;
	for (size_t i = 0; i < old_size; i++) {
		if (old[i].value != NULL)
			*probe(x, old[i].key, old[i].len, old[i].hash) = old[i];
	}
	free(old);
}

void
index_add(struct index *x, const void *key, size_t len, void *value)
{
	uint32_t hash = (uint32_t)siphash24(x->secret, key, len);

	if (x->used >= x->size / 4 * 3)
		grow(x);
	*probe(x, key, len, hash) = (struct index_slot){ key, (uint32_t)len, hash, value };
	x->used++;
}

size_t
index_bytes(const struct index *x)
{
	return x->size * sizeof(*x->slots);
}
