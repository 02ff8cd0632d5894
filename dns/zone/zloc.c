/*
 * zloc: LOC (RFC 1876 section 3):
 *
 *     DEGREES [MINUTES [SECONDS]] N|S  DEGREES [MINUTES [SECONDS]] E|W
 *         ALTITUDE[m] [SIZE[m] [HORIZONTAL[m] [VERTICAL[m]]]]
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dns/zimage/rdata.h"
#include "dns/zone/zfield.h"

#define DIGITS_MAX 12          /* more do not fit any field */
#define LOC_BYTES 16
#define EQUATOR 2147483648ll   /* and the prime meridian: 2^31, in thousandths of a second of arc */
#define DATUM 10000000ll       /* centimetres from the least altitude to the reference spheroid */

/* A number: in units of its last decimal, from least to most. */
struct number {
	const char *expected;
	unsigned decimals;
	int64_t least, most;
	bool metres;               /* may have an m behind it */
};

static const struct number minutes = { "minutes, from 0 to 59", 0, 0, 59, false };
static const struct number seconds = { "seconds, from 0 to 59.999", 3, 0, 59999, false };

static const struct coordinate {
	struct number degrees;
	const char *positive, *negative, *end;
} coordinates[] = {
	{ { "degrees of latitude, from 0 to 90", 0, 0, 90, false }, "Nn", "Ss",
	    "latitude ends at 90 degrees" },
	{ { "degrees of longitude, from 0 to 180", 0, 0, 180, false }, "Ee", "Ww",
	    "longitude ends at 180 degrees" },
};

static const struct number altitude = { "an altitude, from -100000.00m to 42849672.95m", 2,
	-10000000, 4284967295, true };

/* What may follow it, and what holds where it does not. */
static const struct {
	struct number number;
	int64_t otherwise;
} precisions[] = {
	/* One digit is kept, of such a number none of the decimals. */
	{ { "a size, from 0 to 90000000m", 2, 0, 9000000099, true }, 100 },
	{ { "a horizontal precision, from 0 to 90000000m", 2, 0, 9000000099, true }, 1000000 },
	{ { "a vertical precision, from 0 to 90000000m", 2, 0, 9000000099, true }, 1000 },
};

/* [-|+]DIGITS[.DECIMALS][m]; false when it is something else or out of its range. */
static bool
parse_number(const char *t, size_t len, const struct number *f, int64_t *value)
{
	bool negative = len > 0 && t[0] == '-', point = false;
	unsigned digits = 0, decimals = 0;
	size_t i = negative || (len > 0 && t[0] == '+' && f->metres) ? 1 : 0;

	*value = 0;
	if (f->metres && len > i && t[len - 1] == 'm')
		len--;
	for (; i < len && digits <= DIGITS_MAX; i++) {
		if (!isdigit((unsigned char)t[i]) && (t[i] != '.' || point))
			break;
		point |= t[i] == '.';
		if (t[i] == '.')
			continue;
		*value = *value * 10 + (t[i] - '0');
		digits++;
		decimals += point;
	}
	if (i < len || digits == 0 || decimals > f->decimals || (point && f->decimals == 0))
		return false;
	for (; decimals < f->decimals; decimals++)
		*value *= 10;
	if (negative)
		*value = -*value;
	return *value >= f->least && *value <= f->most;
}

static bool
read_number(struct zrdata_in *in, const struct number *f, int64_t *value)
{
	size_t len = ztoken_len(in->t);

	in->token = in->t;
	in->token_len = len;
	if (len == 0)
		return zfield_fail(in, "LOC needs %s", f->expected);
	if (!parse_number(in->t, len, f, value))
		return zfield_wrong(in, " where LOC needs %s", f->expected);
	in->t += len + (in->t[len] == ' ');
	return true;
}

/* Is the next token one of these letters? */
static bool
is_letter(const struct zrdata_in *in, const char *letters)
{
	return ztoken_len(in->t) == 1 && strchr(letters, in->t[0]) != NULL;
}

/* Latitude or longitude with its letter, in thousandths of a second of arc from 2^31 on. */
static bool
read_coordinate(struct zrdata_in *in, const struct coordinate *c, uint32_t *value)
{
	const struct number *parts[] = { &c->degrees, &minutes, &seconds };
	const int64_t scale[] = { 3600000, 60000, 1 };
	int64_t sum = 0, part = 0;
	bool positive, negative;
	unsigned i = 0;

	do {
		if (!read_number(in, parts[i], &part))
			return false;
		sum += part * scale[i];
		if (sum > c->degrees.most * scale[0])
			return zfield_wrong(in, " behind it: %s", c->end);
		positive = is_letter(in, c->positive);
		negative = is_letter(in, c->negative);
	} while (++i < 3 && !positive && !negative);
	if (!positive && !negative)
		return zfield_fail(in, "`%.*s' where LOC needs %c or %c",
		    ztoken_shown(ztoken_len(in->t)), in->t, c->positive[0], c->negative[0]);
	*value = (uint32_t)(positive ? EQUATOR + sum : EQUATOR - sum);
	in->t += 1 + (in->t[1] == ' ');
	return true;
}

/* Centimetres as one digit and a power of ten (section 2). */
static uint8_t
precision_octet(int64_t centimetres)
{
	unsigned power = 0;

	while (centimetres >= 10) {
		centimetres /= 10;
		power++;
	}
	return (uint8_t)((unsigned)centimetres << 4 | power);
}

static bool
loc_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	uint8_t wire[LOC_BYTES] = { 0 };
	uint32_t at[2] = { 0 };
	int64_t value = 0;

	for (unsigned i = 0; i < 2; i++)
		if (!read_coordinate(in, &coordinates[i], &at[i]))
			return false;
	if (!read_number(in, &altitude, &value))
		return false;
	dns_put32(wire + 4, at[0]);
	dns_put32(wire + 8, at[1]);
	dns_put32(wire + 12, (uint32_t)(value + DATUM));
	for (unsigned i = 0; i < sizeof(precisions) / sizeof(precisions[0]); i++) {
		value = precisions[i].otherwise;
		if (in->t[0] != '\0' && !read_number(in, &precisions[i].number, &value))
			return false;
		wire[1 + i] = precision_octet(value);
	}
	return zfield_put(in, wire, sizeof(wire));
}

/* Of a version that is not 0 nothing is known (section 2). */
static ssize_t
loc_span(const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	if (len > 0 && p[0] != 0)
		return (ssize_t)len;
	if (len != LOC_BYTES)
		return -1;
	for (unsigned i = 1; i <= 3; i++)
		if (p[i] >> 4 > 9 || (p[i] & 0x0f) > 9)
			return -1;
	return llabs(dns_get32(p + 4) - EQUATOR) <= 90 * 3600000ll &&
	    llabs(dns_get32(p + 8) - EQUATOR) <= 180 * 3600000ll ? LOC_BYTES : -1;
}

static void
print_coordinate(struct ztext *x, uint32_t value, const struct coordinate *c)
{
	long long v = llabs(value - EQUATOR);

	ztext_add(x, "%lld %lld %lld.%03lld %c ", v / 3600000, v / 60000 % 60, v / 1000 % 60,
	    v % 1000, value >= EQUATOR ? c->positive[0] : c->negative[0]);
}

static bool
loc_print(struct ztext *x, const uint8_t *p, UNUSED size_t len, UNUSED const struct zfield *f)
{
	long long cm = dns_get32(p + 12) - DATUM;

	if (p[0] != 0)
		return false;
	print_coordinate(x, dns_get32(p + 4), &coordinates[0]);
	print_coordinate(x, dns_get32(p + 8), &coordinates[1]);
	ztext_add(x, "%s%lld.%02lldm", cm < 0 ? "-" : "", llabs(cm) / 100, llabs(cm) % 100);
	for (unsigned i = 1; i <= 3; i++) {
		long long v = p[i] >> 4;

		for (unsigned power = p[i] & 0x0f; power > 0; power--)
			v *= 10;
		if (precision_octet(v) != p[i])
			return false;   /* zero with a power has no text */
		ztext_add(x, " %lld.%02lldm", v / 100, v % 100);
	}
	return true;
}

const struct zfield zfield_loc = ZFIELD(loc_read, loc_span, loc_print, 0);
