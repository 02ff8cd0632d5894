/*
 * ztext: a growing text, and how bytes, names and character-strings are written in master files
 * (RFC 1035 section 5.1).
 */
#ifndef DNS_ZONE_ZTEXT_H
#define DNS_ZONE_ZTEXT_H

#include <stddef.h>
#include <stdint.h>

/* All zero is the empty text; the owner frees buf. */
struct ztext {
	char *buf;             /* terminated */
	size_t len, cap;
};

void ztext_clear(struct ztext *x);   /* to the empty text; keeps the buffer */
void ztext_cut(struct ztext *x, size_t len);   /* to its first characters */
void ztext_add(struct ztext *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An absolute name in wire format, with its final dot. */
void ztext_add_name(struct ztext *x, const uint8_t *name);
/* In quotes, whatever the bytes are. */
void ztext_add_quoted(struct ztext *x, const uint8_t *p, size_t len);
void ztext_add_hex(struct ztext *x, const uint8_t *p, size_t len);
void ztext_add_base64(struct ztext *x, const uint8_t *p, size_t len);
/* RFC 4648 section 7, without padding and in lower case. */
void ztext_add_base32hex(struct ztext *x, const uint8_t *p, size_t len);

#endif
