/* znumber: fields that are numbers, some of which have names, and times. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dns/zimage/rdata.h"
#include "dns/zone/zrdata.h"

#define EPOCH_YEAR 1970
#define TIME_DIGITS 14         /* YYYYMMDDHHmmSS, RFC 4034 section 3.2 */

bool
zfield_fail(struct zrdata_in *in, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(in->why, in->size, fmt, ap);   /* cut where too long */
	va_end(ap);
	return false;
}

bool
zfield_wrong(struct zrdata_in *in, const char *fmt, ...)
{
	size_t n = (size_t)snprintf(in->why, in->size, "`%.*s'", ztoken_shown(in->token_len),
	    in->token);
	va_list ap;

	va_start(ap, fmt);
	if (n < in->size)
		(void)vsnprintf(in->why + n, in->size - n, fmt, ap);   /* cut where too long */
	va_end(ap);
	return false;
}

bool
zfield_lacks(struct zrdata_in *in, const char *what)
{
	return zfield_fail(in, "value expected: %s lacks %s", in->type, what);
}

bool
zfield_token(struct zrdata_in *in, const char *what)
{
	size_t len = ztoken_len(in->t);

	in->token = in->t;
	in->token_len = len;
	if (len == 0)
		return zfield_lacks(in, what);
	if (memchr(in->t, '"', len) != NULL)
		return zfield_wrong(in, " where %s has %s, which is written without quotes",
		    in->type, what);
	in->t += len + (in->t[len] == ' ');
	return true;
}

bool
zfield_put(struct zrdata_in *in, const void *p, size_t len)
{
	if (ZRDATA_MAX - in->len < len)
		return zfield_fail(in, "more than %d bytes of data", ZRDATA_MAX);
	if (len > 0)
		memcpy(in->out + in->len, p, len);
	in->len += len;
	return true;
}

bool
zfield_put_number(struct zrdata_in *in, uint64_t n, unsigned bytes)
{
	uint8_t wire[8];

	for (unsigned i = 0; i < bytes; i++)
		wire[i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
	return zfield_put(in, wire, bytes);
}

bool
zfield_put_counted(struct zrdata_in *in, const void *p, size_t len)
{
	return zfield_put_number(in, len, 1) && zfield_put(in, p, len);
}

bool
zfield_number(struct zrdata_in *in, unsigned bytes, const struct zfield_name *names, uint64_t *n)
{
	uint64_t most = UINT64_MAX >> (64 - 8 * bytes);

	if (!zfield_token(in, "a number"))
		return false;
	for (; names != NULL && names->name != NULL; names++) {
		if (ztoken_is(in->token, names->name)) {
			*n = names->number;
			return true;
		}
	}
	return ztoken_number(in->token, in->token_len, most, n) ||
	    zfield_wrong(in, " is not a number from 0 to %llu", (unsigned long long)most);
}

static bool
number_read(struct zrdata_in *in, const struct zfield *f)
{
	uint64_t n;

	return zfield_number(in, f->bytes, f->names, &n) && zfield_put_number(in, n, f->bytes);
}

ssize_t
zfield_span_fixed(UNUSED const uint8_t *p, size_t len, const struct zfield *f)
{
	return len >= f->bytes ? (ssize_t)f->bytes : -1;
}

ssize_t
zfield_span_rest(UNUSED const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	return (ssize_t)len;
}

static bool
number_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n = n << 8 | p[i];
	ztext_add(x, "%llu", (unsigned long long)n);
	return true;
}

/* RFC 4034 appendix A.1 and the registry since then; some have two spellings. */
static const struct zfield_name algorithms[] = { { "DELETE", 0 }, { "RSAMD5", 1 }, { "DH", 2 },
	{ "DSA", 3 }, { "ECC", 4 }, { "RSASHA1", 5 }, { "DSA-NSEC3-SHA1", 6 }, { "NSEC3DSA", 6 },
	{ "RSASHA1-NSEC3-SHA1", 7 }, { "NSEC3RSASHA1", 7 }, { "RSASHA256", 8 }, { "RSASHA512", 10 },
	{ "ECC-GOST", 12 }, { "ECCGOST", 12 }, { "ECDSAP256SHA256", 13 }, { "ECDSAP384SHA384", 14 },
	{ "ED25519", 15 }, { "ED448", 16 }, { "INDIRECT", 252 }, { "PRIVATEDNS", 253 },
	{ "PRIVATEOID", 254 }, { NULL, 0 } };

static const struct zfield_name digest_types[] = { { "SHA-1", 1 }, { "SHA-256", 2 }, { "GOST", 3 },
	{ "SHA-384", 4 }, { NULL, 0 } };

/* RFC 4398 section 2.1 */
static const struct zfield_name cert_types[] = { { "PKIX", 1 }, { "SPKI", 2 }, { "PGP", 3 },
	{ "IPKIX", 4 }, { "ISPKI", 5 }, { "IPGP", 6 }, { "ACPKIX", 7 }, { "IACPKIX", 8 },
	{ "URI", 253 }, { "OID", 254 }, { NULL, 0 } };

/* RFC 7218 */
static const struct zfield_name usages[] = { { "PKIX-TA", 0 }, { "PKIX-EE", 1 }, { "DANE-TA", 2 },
	{ "DANE-EE", 3 }, { "PrivCert", 255 }, { NULL, 0 } };
static const struct zfield_name selectors[] = { { "Cert", 0 }, { "SPKI", 1 }, { "PrivSel", 255 },
	{ NULL, 0 } };
static const struct zfield_name matchings[] = { { "Full", 0 }, { "SHA2-256", 1 }, { "SHA2-512", 2 },
	{ "PrivMatch", 255 }, { NULL, 0 } };

static const struct zfield_name schemes[] = { { "NOTIFY", 1 }, { NULL, 0 } };

#define NUMBER(size, list) { .read = number_read, .span = zfield_span_fixed, \
	.print = number_print, .bytes = (size), .names = (list) }

const struct zfield zfield_u8 = NUMBER(1, NULL);
const struct zfield zfield_u16 = NUMBER(2, NULL);
const struct zfield zfield_u32 = NUMBER(4, NULL);
const struct zfield zfield_u64 = NUMBER(8, NULL);
const struct zfield zfield_algorithm = NUMBER(1, algorithms);
const struct zfield zfield_digest_type = NUMBER(1, digest_types);
const struct zfield zfield_cert_type = NUMBER(2, cert_types);
const struct zfield zfield_usage = NUMBER(1, usages);
const struct zfield zfield_selector = NUMBER(1, selectors);
const struct zfield zfield_matching = NUMBER(1, matchings);
const struct zfield zfield_scheme = NUMBER(1, schemes);

/* ---- times ---- */

static bool
period_read(struct zrdata_in *in, const struct zfield *f)
{
	uint32_t seconds;

	if (!zfield_token(in, "a time"))
		return false;
	if (!ztoken_ttl(in->token, in->token_len, UINT32_MAX, &seconds))
		return zfield_wrong(in, " is no time: expected seconds, or numbers with s, m, h, d "
		    "or w, up to %u seconds in all", UINT32_MAX);
	return zfield_put_number(in, seconds, f->bytes);
}

const struct zfield zfield_period = ZFIELD(period_read, zfield_span_fixed, number_print, 4);

static unsigned
two_digits(const char *t)
{
	return (unsigned)(t[0] - '0') * 10 + (unsigned)(t[1] - '0');
}

/* The C library's functions for this, and ldns's, open files: death in a confined process. */
static bool
is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned
days_of_month(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/* YYYYMMDDHHmmSS into seconds since 1970; false when there is no such time. */
static bool
read_date(const char *t, uint64_t *seconds)
{
	unsigned year = two_digits(t) * 100 + two_digits(t + 2), month = two_digits(t + 4);
	unsigned day = two_digits(t + 6), hour = two_digits(t + 8), minute = two_digits(t + 10);
	unsigned second = two_digits(t + 12);
	uint64_t days = day - 1u;

	if (year < EPOCH_YEAR || month < 1 || month > 12 || day < 1 ||
	    day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 59)
		return false;
	for (unsigned y = EPOCH_YEAR; y < year; y++)
		days += is_leap(y) ? 366 : 365;
	for (unsigned m = 1; m < month; m++)
		days += days_of_month(year, m);
	*seconds = days * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

/* Seconds on a circle of 2^32 (RFC 4034 section 3.1.5). */
static bool
time_read(struct zrdata_in *in, const struct zfield *f)
{
	uint64_t seconds;
	bool date;

	if (!zfield_token(in, "a time"))
		return false;
	date = in->token_len == TIME_DIGITS;
	if (!ztoken_number(in->token, in->token_len, date ? UINT64_MAX / 10 : UINT32_MAX,
	    &seconds) || (date && !read_date(in->token, &seconds)))
		return zfield_wrong(in,
		    " is no time: expected YYYYMMDDHHmmSS, or seconds since 1970");
	return zfield_put_number(in, (uint32_t)seconds, f->bytes);
}

static bool
time_print(struct ztext *x, const uint8_t *p, UNUSED size_t len, UNUSED const struct zfield *f)
{
	unsigned at = dns_get32(p), days = at / 86400, year = EPOCH_YEAR, month = 1;

	for (; days >= (is_leap(year) ? 366u : 365u); year++)
		days -= is_leap(year) ? 366 : 365;
	for (; days >= days_of_month(year, month); month++)
		days -= days_of_month(year, month);
	ztext_add(x, "%04u%02u%02u%02u%02u%02u", year, month, days + 1, at / 3600 % 24,
	    at / 60 % 60, at % 60);
	return true;
}

const struct zfield zfield_time = ZFIELD(time_read, zfield_span_fixed, time_print, 4);

/* ---- types of records ---- */

static bool
type_read(struct zrdata_in *in, const struct zfield *f)
{
	uint16_t type;

	if (!zfield_token(in, "a type"))
		return false;
	if (!ztype_number(in->token, in->token_len, &type))
		return zfield_fail(in, "there is no record type \"%.*s\"",
		    ztoken_shown(in->token_len), in->token);
	return zfield_put_number(in, type, f->bytes);
}

static bool
type_print(struct ztext *x, const uint8_t *p, UNUSED size_t len, UNUSED const struct zfield *f)
{
	char buf[ZTYPE_TEXT];

	ztext_add(x, "%s", ztype_text(dns_get16(p), buf));
	return true;
}

const struct zfield zfield_type = ZFIELD(type_read, zfield_span_fixed, type_print, 2);
