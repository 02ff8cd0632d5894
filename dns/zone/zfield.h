/*
 * zfield: the kinds of fields that RDATA has: how each is read from a master file, measured in wire
 * format, and written.
 *
 * What is served must be what was written: each kind refuses what it would have to cut, guess or
 * leave out.  A kind serves one direction as well as the other, so that what is printed is read
 * back; what has no text of its own is printed as unknown data (RFC 3597).
 */
#ifndef DNS_ZONE_ZFIELD_H
#define DNS_ZONE_ZFIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dns/zone/ztext.h"

#define ZRDATA_MAX 65535

/* RDATA on its way from text to wire format. */
struct zrdata_in {
	const char *t;                /* what is left of an entry of zread's; "" at the end */
	const uint8_t *origin;        /* of relative names, absolute and in wire format */
	size_t origin_len;
	const char *type;             /* its name, for messages */
	uint8_t *out;                 /* ZRDATA_MAX bytes */
	size_t len;                   /* of them that are written */
	char *why;                    /* what is wrong, a phrase */
	size_t size;
};

/* Names that stand for numbers; the list ends without a name. */
struct zfield_name {
	const char *name;
	uint16_t number;
};

struct zfield {
	/* Takes the field's token or tokens, and appends its wire format; false with `why`. */
	bool (*read)(struct zrdata_in *in, const struct zfield *f);
	/* The bytes that the field at p has, of `len` that there are; -1 when it is malformed. */
	ssize_t (*span)(const uint8_t *p, size_t len, const struct zfield *f);
	/* Writes that many bytes as text; false when they have none that is read back. */
	bool (*print)(struct ztext *x, const uint8_t *p, size_t len, const struct zfield *f);
	unsigned bytes;               /* of a number or an address; else the least there must be */
	const struct zfield_name *names;
	bool folds;                   /* the case of its letters does not count (RFC 4034, 6.2) */
};

/* A kind by its functions; `n` bytes. */
#define ZFIELD(read_, span_, print_, n) \
	{ .read = read_, .span = span_, .print = print_, .bytes = n }

/* znumber.c */
extern const struct zfield zfield_u8, zfield_u16, zfield_u32, zfield_u64, zfield_period,
    zfield_algorithm, zfield_digest_type, zfield_cert_type, zfield_usage, zfield_selector,
    zfield_matching, zfield_scheme, zfield_type, zfield_time;
/* zaddress.c */
extern const struct zfield zfield_a, zfield_aaaa, zfield_name, zfield_exact_name, zfield_eui48,
    zfield_eui64, zfield_locator;
/* zstring.c */
extern const struct zfield zfield_string, zfield_string_maybe, zfield_strings, zfield_digits,
    zfield_tag, zfield_rest, zfield_rest_quoted;
/* zbytes.c */
extern const struct zfield zfield_hex, zfield_base64, zfield_key, zfield_salt, zfield_hash,
    zfield_nsap, zfield_digest, zfield_fingerprint;
/* zgroup.c */
extern const struct zfield zfield_bitmap, zfield_bitmap_maybe, zfield_nxt, zfield_apl,
    zfield_ipseckey, zfield_amtrelay, zfield_hip;
/* zloc.c, svcb.c */
extern const struct zfield zfield_loc, zfield_params;

/* ---- what the kinds share ---- */

/* The span of a kind that always has f->bytes, and of one that takes all that is left. */
ssize_t zfield_span_fixed(const uint8_t *p, size_t len, const struct zfield *f);
ssize_t zfield_span_rest(const uint8_t *p, size_t len, const struct zfield *f);

/* Sets `why`; always false. */
bool zfield_fail(struct zrdata_in *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for a record that ends before `what`. */
bool zfield_lacks(struct zrdata_in *in, const char *what);

/*
 * The next token, which is not quoted and moves the input; false at the end (the record then lacks
 * `what`) or when there is a quote.
 */
bool zfield_token(struct zrdata_in *in, const char *what, const char **t, size_t *len);

/* Appends bytes; false when the record has no room for them. */
bool zfield_put(struct zrdata_in *in, const void *p, size_t len);
bool zfield_put_number(struct zrdata_in *in, uint64_t n, unsigned bytes);

/* A number of so many bytes in a token, or one of the names for such; false with `why`. */
bool zfield_number(
    struct zrdata_in *in, unsigned bytes, const struct zfield_name *names, uint64_t *n);

/* The name in a token of a master file, relative to the origin. 0 with `why` when it is none. */
size_t zfield_parse_name(const char *t, size_t len, const uint8_t *origin, size_t origin_len,
    uint8_t name[], char *why, size_t size);

/*
 * The character behind t[*at], which moves: `\DDD`, `\X` or the character itself.  -1 for `\DDD`
 * beyond 255, and for a backslash that ends the text.
 */
int zfield_unescape(const char *t, size_t len, size_t *at);

/* Hexadecimal digits, two for each byte; -1 when they are not. */
ssize_t zfield_parse_hex(const char *t, size_t len, uint8_t *out, size_t cap);
/* Base64 with its padding; -1 when it is not. */
ssize_t zfield_parse_base64(const char *t, size_t len, uint8_t *out, size_t cap);

#endif
