/* zrdata: RDATA from text and back, field by field. */
#include "dns/zone/zrdata.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "dns/zimage/rdata.h"

#define UNKNOWN "\\#"

/* \# LENGTH HEX */
static bool
read_unknown(struct zrdata_in *in)
{
	uint64_t n;

	in->t += sizeof(UNKNOWN) - 1 + (in->t[sizeof(UNKNOWN) - 1] == ' ');
	if (!zfield_number(in, 2, NULL, &n) ||
	    (in->t[0] != '\0' && !zfield_hex.read(in, &zfield_hex)))
		return false;
	return in->len == n || zfield_fail(in, "\\# says %llu bytes, and %zu follow",
	    (unsigned long long)n, in->len);
}

static bool
read_fields(struct zrdata_in *in, const struct ztype *type)
{
	if (type == NULL || type->fields[0] == NULL)
		/* obsolete, or nobody named its fields */
		return zfield_fail(in, "data of type %s is read only as \\# LENGTH HEX (RFC 3597)",
		    in->type);
	for (unsigned i = 0; i < ZTYPE_FIELDS && type->fields[i] != NULL; i++)
		if (!type->fields[i]->read(in, type->fields[i]))
			return false;
	in->token = in->t;
	in->token_len = ztoken_len(in->t);
	return in->t[0] == '\0' || zfield_wrong(in, " behind the last field of %s", in->type);
}

bool
zrdata_read(uint16_t type, const char *text, const uint8_t *origin, size_t origin_len, uint8_t *out,
    size_t *len, char *why, size_t size)
{
	char name[ZTYPE_TEXT];
	struct zrdata_in in = { .t = text, .origin = origin, .origin_len = origin_len,
		.type = ztype_text(type, name), .out = out, .why = why, .size = size };

	if (!(ztoken_is(text, UNKNOWN) ? read_unknown(&in) : read_fields(&in, ztype_find(type))))
		return false;
	*len = in.len;
	return zrdata_check(type, out, in.len, why, size);
}

/*
 * The next field of RDATA: which, where, and how long; false behind the last one, and when that is
 * malformed (*span is -1 then).
 */
static bool
field_next(const struct ztype *type, unsigned *i, const uint8_t *rdata, size_t len, size_t *at,
    ssize_t *span)
{
	if (*i > 0)
		*at += (size_t)*span;
	if (*i >= ZTYPE_FIELDS || type->fields[*i] == NULL)
		return false;
	*span = type->fields[*i]->span(rdata + *at, len - *at, type->fields[*i]);
	++*i;
	return *span >= 0;
}

#define DIGESTS_OF_DS { { 1, 20, "SHA-1" }, { 2, 32, "SHA-256" }, { 4, 48, "SHA-384" } }

/*
 * Digests whose length their type fixes: one that was cut when it was pasted is believed by nobody,
 * or matches nothing.  `at` is where the digest's number stands; the digest begins behind it.
 */
static const struct digests {
	uint16_t type;
	uint8_t at;
	const char *name, *number;
	struct {
		uint8_t number, bytes;
		const char *name;
	} known[3];
} digests[] = {
	/* RFC 3658, 4509, 6605; CDS and DLV are as DS (RFC 7344, 4431) */
	{ 43, 3, "DS", "digest type", DIGESTS_OF_DS },
	{ 59, 3, "CDS", "digest type", DIGESTS_OF_DS },
	{ 32769, 3, "DLV", "digest type", DIGESTS_OF_DS },
	/* RFC 4255, 6594; RFC 8976 */
	{ 44, 1, "SSHFP", "fingerprint type", { { 1, 20, "SHA-1" }, { 2, 32, "SHA-256" } } },
	{ 63, 5, "ZONEMD", "hash algorithm", { { 1, 48, "SHA-384" }, { 2, 64, "SHA-512" } } },
};

/* False with `why`; types of records and of digests that are not known here are as they are. */
static bool
check_digest(uint16_t type, const uint8_t *rdata, size_t len, char *why, size_t size)
{
	const struct digests *d = digests, *end = d + sizeof(digests) / sizeof(digests[0]);
	size_t bytes;

	while (d < end && d->type != type)
		d++;
	if (d == end)
		return true;
	if (len <= d->at) {
		(void)snprintf(why, size, "%s needs at least %u bytes, not %zu", d->name,
		    d->at + 1u, len);
		return false;
	}
	bytes = len - d->at - 1;
	for (unsigned i = 0; i < 3; i++) {
		if (d->known[i].bytes == 0 || d->known[i].number != rdata[d->at] ||
		    d->known[i].bytes == bytes)
			continue;
		(void)snprintf(why, size,
		    "%s with %s %u (%s) needs a digest of %u bytes (%u hex digits), not of %zu",
		    d->name, d->number, d->known[i].number, d->known[i].name,
		    d->known[i].bytes, 2u * d->known[i].bytes, bytes);
		return false;
	}
	return true;
}

bool
zrdata_check(uint16_t type, const uint8_t *rdata, size_t len, char *why, size_t size)
{
	const struct ztype *t = ztype_find(type);
	const char *fault = NULL;
	char name[ZTYPE_TEXT];
	size_t at = 0;
	ssize_t span = 0;
	unsigned i = 0;

	if (t == NULL || t->fields[0] == NULL)
		return true;
	if (!check_digest(type, rdata, len, why, size))
		return false;
	if (type == DNS_T_SVCB || type == DNS_T_HTTPS)
		fault = svcb_fault(rdata, len);
	while (fault == NULL && field_next(t, &i, rdata, len, &at, &span))
		;
	if (fault == NULL && span >= 0 && at == len)
		return true;
	(void)snprintf(why, size, fault != NULL ? "%s" : "this is no data of type %s",
	    fault != NULL ? fault : ztype_text(type, name)); /* fits */
	return false;
}

/* False when this data has no text of its type's. */
static bool
print_fields(struct ztext *x, const struct ztype *t, const uint8_t *rdata, size_t len)
{
	const size_t begin = x->len;
	size_t at = 0, text;
	ssize_t span = 0;
	unsigned i = 0;

	while (field_next(t, &i, rdata, len, &at, &span)) {
		const char *blank = i > 1 ? " " : "";

		ztext_add(x, "%s", blank);
		text = x->len;
		if (!t->fields[i - 1]->print(x, rdata + at, (size_t)span, t->fields[i - 1]))
			return false;
		if (x->len == text)
			ztext_cut(x, text - strlen(blank));   /* a field that is left out */
	}
	return span >= 0 && at == len && x->len > begin &&
	    x->len - begin < LIMIT_RECORD_TEXT - LIMIT_NAME_TEXT - ZTYPE_TEXT - 32;
}

void
zrdata_print(struct ztext *x, uint16_t type, const uint8_t *rdata, size_t len)
{
	const struct ztype *t = ztype_find(type);
	const size_t begin = x->len;

	if (t != NULL && t->fields[0] != NULL && print_fields(x, t, rdata, len))
		return;
	ztext_cut(x, begin);
	ztext_add(x, len > 0 ? UNKNOWN " %zu " : UNKNOWN " %zu", len);
	ztext_add_hex(x, rdata, len);
}

bool
zrdata_equal(uint16_t type, const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	const struct ztype *t;
	size_t at = 0;
	ssize_t span = 0;
	unsigned i = 0;

	if (alen != blen)
		return false;
	if (memcmp(a, b, alen) == 0)
		return true;
	if (type == DNS_T_A || type == DNS_T_AAAA || (t = ztype_find(type)) == NULL)
		return false;
	while (field_next(t, &i, a, alen, &at, &span)) {
		bool folds = t->fields[i - 1]->folds;

		for (size_t k = at; k < at + (size_t)span; k++)
			if (folds ? dns_lower(a[k]) != dns_lower(b[k]) : a[k] != b[k])
				return false;
	}
	return span >= 0 && at == alen;
}
