/*
 * rdata_random: random RDATA of every type that has fields, valid, with bytes that text has trouble
 * with.
 */
#ifndef TESTS_RDATA_RANDOM_H
#define TESTS_RDATA_RANDOM_H

#include <string.h>

#include "dns/zimage/name.h"
#include "dns/zimage/rdata.h"
#include "dns/zone/zrdata.h"

struct rdata_random {
	uint64_t state;
	uint8_t *p;
	size_t len;
};

static inline uint32_t
rdata_random_below(struct rdata_random *r, uint32_t n)
{
	r->state = r->state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(((r->state >> 32) * n) >> 32);
}

static inline void
rdata_random_init(struct rdata_random *r, uint64_t seed)
{
	r->state = seed;
	(void)rdata_random_below(r, 2);
}

static inline void
rdata_put(struct rdata_random *r, unsigned byte)
{
	r->p[r->len++] = (uint8_t)byte;
}

/* Half of them are what master files treat specially. */
static inline void
rdata_put_bytes(struct rdata_random *r, size_t n)
{
	static const char special[] = "\\\";()@$., \t\n\r#'=0123456789aAzZ-_*\0\177\200\377";

	while (n-- > 0)
		rdata_put(r,
		    rdata_random_below(r, 2)
		        ? (uint8_t)special[rdata_random_below(r, sizeof(special) - 1)]
		        : rdata_random_below(r, 256));
}

/* Lengths: mostly short, at times the longest. */
static inline size_t
rdata_random_length(struct rdata_random *r, size_t least, size_t most)
{
	uint32_t kind = rdata_random_below(r, 16);
	size_t n = kind == 0 ? most
	    : kind == 1      ? rdata_random_below(r, (uint32_t)most + 1)
	                     : rdata_random_below(r, 12);

	return n < least ? least : n > most ? most : n;
}

static inline void
rdata_put_name(struct rdata_random *r)
{
	size_t left = rdata_random_length(r, 1, DNS_WIRE_NAME) - 1;

	while (left >= 2 && rdata_random_below(r, 8) != 0) {
		size_t n = 1 + rdata_random_below(r, (uint32_t)(left - 1 < 63 ? left - 1 : 63));

		rdata_put(r, (unsigned)n);
		rdata_put_bytes(r, n);
		left -= n + 1;
	}
	rdata_put(r, 0);
}

static inline void
rdata_put_string(struct rdata_random *r, size_t least)
{
	size_t n = rdata_random_length(r, least, 255);

	rdata_put(r, (unsigned)n);
	rdata_put_bytes(r, n);
}

static inline void
rdata_put_bitmap(struct rdata_random *r)
{
	for (unsigned w = rdata_random_below(r, 3); w < 256; w += 1 + rdata_random_below(r, 200)) {
		size_t n = 1 + rdata_random_below(r, 32);

		rdata_put(r, w);
		rdata_put(r, (unsigned)n);
		rdata_put_bytes(r, n - 1);
		rdata_put(r, 1 + rdata_random_below(r, 255));
	}
}

static inline void
rdata_put_apl(struct rdata_random *r)
{
	for (size_t n = rdata_random_below(r, 4); n > 0; n--) {
		unsigned family = rdata_random_below(r, 12) == 0 ? rdata_random_below(r, 65536)
		                                                 : 1 + rdata_random_below(r, 2);
		unsigned most = family == 1 ? 4
		    : family == 2           ? 16
		                            : 127,
		         len = rdata_random_below(r, most + 1);

		rdata_put(r, family >> 8);
		rdata_put(r, family & 0xff);
		rdata_put(r, rdata_random_below(r, family == 1 ? 33 : family == 2 ? 129 : 256));
		rdata_put(r, len | rdata_random_below(r, 2) << 7);
		for (; len > 1; len--)
			rdata_put(r, rdata_random_below(r, 256));
		if (len == 1)
			rdata_put(r, 1 + rdata_random_below(r, 255));
	}
}

static inline void
rdata_put_gateway(struct rdata_random *r, unsigned type)
{
	if (type == 1 || type == 2)
		rdata_put_bytes(r, type == 1 ? 4 : 16);
	else if (type == 3)
		rdata_put_name(r);
}

static inline void
rdata_put_ipseckey(struct rdata_random *r)
{
	unsigned type = rdata_random_below(r, 4), algorithm = rdata_random_below(r, 3);

	rdata_put(r, rdata_random_below(r, 256));
	rdata_put(r, type);
	rdata_put(r, algorithm);
	rdata_put_gateway(r, type);
	if (algorithm != 0 || rdata_random_below(r, 4) == 0)
		rdata_put_bytes(r, rdata_random_length(r, 1, 300));
}

static inline void
rdata_put_amtrelay(struct rdata_random *r)
{
	unsigned type = rdata_random_below(r, 5);

	rdata_put(r, rdata_random_below(r, 256));
	rdata_put(r, type | rdata_random_below(r, 2) << 7);
	if (type <= 3)
		rdata_put_gateway(r, type);
	else
		rdata_put_bytes(r, rdata_random_length(r, 0, 300));
}

static inline void
rdata_put_hip(struct rdata_random *r)
{
	size_t hit = rdata_random_length(r, 1, 255), key = rdata_random_length(r, 1, 600);

	rdata_put(r, (unsigned)hit);
	rdata_put(r, rdata_random_below(r, 256));
	rdata_put(r, (unsigned)(key >> 8));
	rdata_put(r, (unsigned)(key & 0xff));
	rdata_put_bytes(r, hit + key);
	for (unsigned n = rdata_random_below(r, 3); n > 0; n--)
		rdata_put_name(r);
}

static inline void
rdata_put32(struct rdata_random *r, uint64_t v)
{
	dns_put32(r->p + r->len, (uint32_t)v);
	r->len += 4;
}

static inline void
rdata_put_loc(struct rdata_random *r)
{
	if (rdata_random_below(r, 16) == 0) {
		rdata_put(r, 1 + rdata_random_below(r, 255));
		rdata_put_bytes(r, rdata_random_length(r, 0, 40));
		return;
	}
	rdata_put(r, 0);
	for (unsigned i = 0; i < 3; i++)
		rdata_put(r, rdata_random_below(r, 10) << 4 | rdata_random_below(r, 10));
	rdata_put32(r, 0x80000000ull - 324000000 + rdata_random_below(r, 648000001));
	rdata_put32(r, 0x80000000ull - 648000000 + rdata_random_below(r, 1296000001));
	rdata_put32(r, rdata_random_below(r, UINT32_MAX));
}

/* One parameter of SVCB with a value that is its key's. */
static inline void
rdata_put_param(struct rdata_random *r, unsigned key)
{
	size_t at = r->len;

	r->len += 4;
	switch (key) {
	case 1:
		do
			rdata_put_string(r, 1);
		while (rdata_random_below(r, 2));
		break;
	case 3:
		rdata_put_bytes(r, 2);
		break;
	case 4:
		rdata_put_bytes(r, 4 + 4 * rdata_random_below(r, 5));
		break;
	case 6:
		rdata_put_bytes(r, 16 + 16 * rdata_random_below(r, 5));
		break;
	case 7:
		memcpy(r->p + r->len, "/x{?dns}", 8);
		r->len += 8;
		break;
	case 2: case 8:
		break;
	default:
		rdata_put_bytes(r, rdata_random_length(r, key == 5, 300));
	}
	dns_put16(r->p + at, (uint16_t)key);
	dns_put16(r->p + at + 2, (uint16_t)(r->len - at - 4));
}

static inline void
rdata_put_params(struct rdata_random *r)
{
	unsigned mandatory = rdata_random_below(r, 4);

	if (mandatory == 0) {
		const uint8_t keys[] = { 0, 0, 0, 4, 0, 1, 0, 3 };

		memcpy(r->p + r->len, keys, sizeof(keys));
		r->len += sizeof(keys);
	}
	for (unsigned key = 1; key <= 9; key++)
		if ((mandatory == 0 && (key == 1 || key == 3)) ||
		    (key != 2 && rdata_random_below(r, 3) == 0))
			rdata_put_param(r, key);
	for (unsigned key = 10 + rdata_random_below(r, 1000); key < 65536;
	     key += 1 + rdata_random_below(r, 60000))
		rdata_put_param(r, key);
}

static inline void
rdata_put_field(struct rdata_random *r, const struct zfield *f)
{
	if (f == &zfield_name || f == &zfield_exact_name)
		rdata_put_name(r);
	else if (f == &zfield_string)
		rdata_put_string(r, 0);
	else if (f == &zfield_string_maybe && rdata_random_below(r, 2) == 0)
		rdata_put_string(r, 0);
	else if (f == &zfield_strings)
		do
			rdata_put_string(r, 0);
		while (rdata_random_below(r, 3) != 0);
	else if (f == &zfield_digits || f == &zfield_tag) {
		rdata_put(r, 5);
		for (unsigned i = 0; i < 5; i++)
			rdata_put(r, '0' + rdata_random_below(r, 10));
	} else if (f == &zfield_salt || f == &zfield_hash)
		rdata_put_string(r, f->bytes);
	else if (f == &zfield_bitmap || f == &zfield_bitmap_maybe)
		rdata_put_bitmap(r);
	else if (f == &zfield_nxt) {
		rdata_put(r, rdata_random_below(r, 128));
		rdata_put_bytes(r, rdata_random_below(r, 14));
		rdata_put(r, 1 + rdata_random_below(r, 255));
	} else if (f == &zfield_fingerprint)
		rdata_put_bytes(r, rdata_random_length(r, 0, 70));
	else if (f == &zfield_apl)
		rdata_put_apl(r);
	else if (f == &zfield_ipseckey)
		rdata_put_ipseckey(r);
	else if (f == &zfield_amtrelay)
		rdata_put_amtrelay(r);
	else if (f == &zfield_hip)
		rdata_put_hip(r);
	else if (f == &zfield_loc)
		rdata_put_loc(r);
	else if (f == &zfield_params)
		rdata_put_params(r);
	else if (f == &zfield_hex || f == &zfield_digest || f == &zfield_base64 ||
	    f == &zfield_key || f == &zfield_nsap || f == &zfield_rest ||
	    f == &zfield_rest_quoted)
		rdata_put_bytes(r,
		    rdata_random_length(r, f == &zfield_rest_quoted ? 0 : f->bytes,
		        rdata_random_below(r, 64) == 0 ? 60000 : 700));
	else if (f != &zfield_string_maybe)
		rdata_put_bytes(r, f->bytes);
}

/*
 * Random data of a type into wire[ZRDATA_MAX]; false when it has no fields here.  Digests that are
 * of a registered kind have its length.
 */
static inline bool
rdata_random(struct rdata_random *r, uint16_t type, uint8_t *wire, size_t *len)
{
	const struct ztype *t = ztype_find(type);
	char why[200];

	if (t == NULL || t->fields[0] == NULL)
		return false;
	r->p = wire;
	do {
		r->len = 0;
		for (unsigned i = 0; i < ZTYPE_FIELDS && t->fields[i] != NULL; i++)
			rdata_put_field(r, t->fields[i]);
	} while ((type == 43 || type == 44 || type == 59 || type == 63) &&
	    !zrdata_check(type, wire, r->len, why, sizeof(why)));
	*len = r->len;
	return true;
}

#endif
