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

#include "base/err.h"
#include "dns/zimage/name.h"

#define ZRDATA_MAX 65535

/* ---- ztoken.c: the words of an entry of zread: single blanks between, quotes kept ---- */

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

/* ---- ztext.c: a growing text, and how master files write bytes, names and strings ---- */

/* All zero is the empty text; the owner frees buf. */
struct ztext {
	char *buf;                    /* terminated */
	size_t len, cap;
};

void ztext_cut(struct ztext *x, size_t len);   /* to its first characters; keeps the buffer */
void ztext_add(struct ztext *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An absolute name in wire format, with its final dot. */
void ztext_add_name(struct ztext *x, const uint8_t *name);
/* An address of this family (AF_INET, AF_INET6). */
void ztext_add_ip(struct ztext *x, int family, const uint8_t *p);
/* In quotes, whatever the bytes are. */
void ztext_add_quoted(struct ztext *x, const uint8_t *p, size_t len);
void ztext_add_hex(struct ztext *x, const uint8_t *p, size_t len);
void ztext_add_base64(struct ztext *x, const uint8_t *p, size_t len);
/* RFC 4648 section 7, without padding and in lower case. */
void ztext_add_base32hex(struct ztext *x, const uint8_t *p, size_t len);

/* ---- fields ---- */

/* RDATA on its way from text to wire format. */
struct zrdata_in {
	const char *t;                /* what is left of an entry of zread's; "" at the end */
	const char *token;            /* what is read, for messages: its text, not terminated */
	size_t token_len;
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
	{ .read = (read_), .span = (span_), .print = (print_), .bytes = (n) }

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

/*
 * svcb.c: what is wrong with the RDATA of SVCB or HTTPS (RFC 9460), a phrase; NULL when it is
 * well-formed.  Clients throw the whole RRset away if not.
 */
const char *svcb_fault(const uint8_t *rdata, size_t len);

/* ---- what the kinds share ---- */

/* The span of a kind that always has f->bytes, and of one that takes all that is left. */
ssize_t zfield_span_fixed(const uint8_t *p, size_t len, const struct zfield *f);
ssize_t zfield_span_rest(const uint8_t *p, size_t len, const struct zfield *f);

/* Sets `why`; always false. */
bool zfield_fail(struct zrdata_in *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, with the token in quotes before the text; such a text for zfield_unescape's -1. */
#define ZFIELD_ESCAPE ": behind a backslash, three digits say a number up to 255"
bool zfield_wrong(struct zrdata_in *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for a record that ends before `what`. */
bool zfield_lacks(struct zrdata_in *in, const char *what);

/* Takes the next token into in->token; false at the end (`what` is lacking) or with a quote. */
bool zfield_token(struct zrdata_in *in, const char *what);

/* Appends bytes; false when the record has no room for them. */
bool zfield_put(struct zrdata_in *in, const void *p, size_t len);
bool zfield_put_number(struct zrdata_in *in, uint64_t n, unsigned bytes);
/* The same behind their number, which is one octet. */
bool zfield_put_counted(struct zrdata_in *in, const void *p, size_t len);

/* A number of so many bytes in a token, or one of the names for such; false with `why`. */
bool zfield_number(struct zrdata_in *in, unsigned bytes, const struct zfield_name *names,
    uint64_t *n);

/* The name in a token of a master file, relative to the origin.  0 with `why` when it is none. */
size_t zfield_parse_name(const char *t, size_t len, const uint8_t *origin, size_t origin_len,
    uint8_t name[], char *why, size_t size);

/*
 * The character behind t[*at], which moves: `\DDD`, `\X` or the character itself.  -1 for `\DDD`
 * beyond 255, and for a backslash that ends the text.
 */
int zfield_unescape(const char *t, size_t len, size_t *at);

/* An address of this family (AF_INET, AF_INET6); false when it is none. */
bool zfield_parse_ip(const char *t, size_t len, int family, uint8_t *wire);
/* Hexadecimal digits, two for each byte, or base64 with its padding; -1 when t is not that. */
ssize_t zfield_parse_hex(const char *t, size_t len, uint8_t *out, size_t cap);
ssize_t zfield_parse_base64(const char *t, size_t len, uint8_t *out, size_t cap);

#endif
