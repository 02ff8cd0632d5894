/* table: open addressing with linear probing, at most three quarters full. */
#include "base/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/siphash.h"

#define SIZE_LEAST 16
#define LEN_GONE UINT32_MAX

static uint8_t secret[16];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

/* The value of a slot whose entry was removed: no key is of length LEN_GONE. */
static char gone;

static void
secret_make(void)
{
	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		fatal("getrandom: no random numbers for hash tables");
}

void
table_clear(struct table *t)
{
	free(t->slots);
	*t = (struct table){ 0 };
}

static uint32_t
hash_of(const void *key, size_t len)
{
	return (uint32_t)siphash24(secret, key, len);
}

/* The slot of a key, or the free one where it would go; the table has a free slot. */
static struct table_slot *
probe(const struct table *t, const void *key, size_t len, uint32_t hash)
{
	size_t i = hash & (t->size - 1);

	while (t->slots[i].value != NULL) {
		const struct table_slot *s = &t->slots[i];

		if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
			break;
		i = (i + 1) & (t->size - 1);
	}
	return &t->slots[i];
}

void *
table_find(const struct table *t, const void *key, size_t len)
{
	return t->count == 0 ? NULL : probe(t, key, len, hash_of(key, len))->value;
}

/* Makes room for twice the entries, without the slots of those that were removed. */
static void
resize(struct table *t)
{
	struct table old = *t;

	t->size = SIZE_LEAST;
	while (t->size / 8 * 3 < t->count)
		t->size *= 2;
	t->slots = mem_zero(t->size, sizeof(*t->slots));
	t->used = t->count;
	for (size_t i = 0; i < old.size; i++) {
		const struct table_slot *s = &old.slots[i];

		if (s->value != NULL && s->value != &gone)
			*probe(t, s->key, s->len, s->hash) = *s;
	}
	free(old.slots);
}

/* The slot of a key, made where there is none. */
static struct table_slot *
enter(struct table *t, const void *key, size_t len)
{
	struct table_slot *s;
	uint32_t hash;

	(void)pthread_once(&secret_once, secret_make);   /* cannot fail */
	if (t->used >= t->size / 4 * 3)
		resize(t);
	hash = hash_of(key, len);
	s = probe(t, key, len, hash);
	if (s->value == NULL) {
		t->used++;
		t->count++;
		s->len = (uint32_t)len;
		s->hash = hash;
	}
	return s;
}

bool
table_add(struct table *t, const void *key, size_t len, void *value)
{
	struct table_slot *s = enter(t, key, len);

	if (s->value != NULL)
		return false;
	s->key = key;
	s->value = value;
	return true;
}

void
table_set(struct table *t, const void *key, size_t len, void *value)
{
	struct table_slot *s = enter(t, key, len);

	s->key = key;
	s->value = value;
}

void *
table_remove(struct table *t, const void *key, size_t len)
{
	struct table_slot *s = t->count == 0 ? NULL : probe(t, key, len, hash_of(key, len));
	void *value = s != NULL ? s->value : NULL;

	if (value == NULL)
		return NULL;
	*s = (struct table_slot){ .value = &gone, .len = LEN_GONE };
	t->count--;
	return value;
}

void *
table_next(const struct table *t, size_t *at)
{
	while (*at < t->size) {
		void *value = t->slots[(*at)++].value;

		if (value != NULL && value != &gone)
			return value;
	}
	return NULL;
}

size_t
table_bytes(const struct table *t)
{
	return t->size * sizeof(*t->slots);
}
