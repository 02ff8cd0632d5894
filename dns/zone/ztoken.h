/* ztoken: the words of an entry as zread makes it: single blanks between, quotes kept. */
#ifndef DNS_ZONE_ZTOKEN_H
#define DNS_ZONE_ZTOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the token at t; quoted and escaped blanks belong to it. */
size_t ztoken_len(const char *t);

/* How much of a text of `len` characters a message shows, as the precision of %.*s. */
int ztoken_shown(size_t len);

/* The token behind the one at t; at the end the empty text. */
char *ztoken_next(char *t);

/* Is the token at t this word, in any letter case? */
bool ztoken_is(const char *t, const char *word);

/* Is it a number of nothing but digits, and at most `most`?  *n is undefined if not. */
bool ztoken_number(const char *t, size_t len, uint64_t most, uint64_t *n);

/* Seconds, or a sum of numbers with s, m, h, d or w; false for anything else, or beyond `most`. */
bool ztoken_ttl(const char *t, size_t len, uint32_t most, uint32_t *ttl);

#endif
