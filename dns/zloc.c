/*
 * zloc: the text of a LOC record (RFC 1876 section 3):
 *
 *     DEGREES [MINUTES [SECONDS]] N|S  DEGREES [MINUTES [SECONDS]] E|W  ALTITUDE[m] [SIZE[m] [HORIZONTAL[m] [VERTICAL[m]]]]
 */
#include "dns/zloc.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "dns/ztoken.h"

#define DIGITS_MAX 12          /* more do not fit any field */

/* A number: in units of its last decimal, from least to most. */
struct field {
	const char *expected;
	unsigned decimals;
	int64_t least, most;
	bool metres;               /* may have an m behind it */
};

static const struct field minutes = { "minutes, from 0 to 59", 0, 0, 59, false };
static const struct field seconds = { "seconds, from 0 to 59.999", 3, 0, 59999, false };

static const struct coordinate {
	struct field degrees;
	const char *letters, *end;
} coordinates[] = {
	{ { "degrees of latitude, from 0 to 90", 0, 0, 90, false }, "NnSs", "latitude ends at 90 degrees" },
	{ { "degrees of longitude, from 0 to 180", 0, 0, 180, false }, "EeWw", "longitude ends at 180 degrees" },
};

static const struct field metres[] = {
	{ "an altitude, from -100000.00m to 42849672.95m", 2, -10000000, 4284967295, true },
	{ "a size, from 0 to 90000000m", 2, 0, 9000000099, true },   /* one digit of it is kept: the decimals of such a number are not */
	{ "a horizontal precision, from 0 to 90000000m", 2, 0, 9000000099, true },
	{ "a vertical precision, from 0 to 90000000m", 2, 0, 9000000099, true },
};

/* [-|+]DIGITS[.DECIMALS][m]; false when it is something else or out of its range. */
static bool
read_field(const char *t, size_t len, const struct field *f, int64_t *value)
{
	bool negative = len > 0 && t[0] == '-', point = false;
	unsigned digits = 0, decimals = 0;
	size_t i = negative || (len > 0 && t[0] == '+' && f->metres) ? 1 : 0;

	*value = 0;
	if (f->metres && len > i && (t[len - 1] == 'm' || t[len - 1] == 'M'))
		len--;
	for (; i < len && digits <= DIGITS_MAX && (isdigit((unsigned char)t[i]) || (t[i] == '.' && !point)); i++) {
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
check_number(const char *t, const struct field *f, int64_t *value, char *why, size_t size)
{
	size_t len = ztoken_len(t);

	if (read_field(t, len, f, value))
		return true;
	if (len == 0)
		snprintf(why, size, "LOC needs %s", f->expected);
	else
		snprintf(why, size, "`%.*s' where LOC needs %s", ztoken_shown(len), t, f->expected);
	return false;
}

/* Latitude or longitude, up to the letter behind it; *t is then what follows. */
static bool
check_coordinate(char **t, const struct coordinate *c, char *why, size_t size)
{
	const struct field *next[] = { &c->degrees, &minutes, &seconds };
	int64_t value, above = 0;

	for (unsigned i = 0; i < 3; i++, *t = ztoken_next(*t)) {
		if (i > 0 && ztoken_len(*t) == 1 && strchr(c->letters, **t) != NULL)
			break;
		if (!check_number(*t, next[i], &value, why, size))
			return false;
		if (above == c->degrees.most && value > 0) {
			snprintf(why, size, "`%.*s' behind it: %s", ztoken_shown(ztoken_len(*t)), *t, c->end);
			return false;
		}
		above = i == 0 ? value : above;
	}
	*t = ztoken_next(*t);
	return true;
}

bool
zloc_check(char *t, char *why, size_t size)
{
	const size_t most = sizeof(metres) / sizeof(metres[0]);
	int64_t value;
	size_t i;

	for (i = 0; i < sizeof(coordinates) / sizeof(coordinates[0]); i++)
		if (!check_coordinate(&t, &coordinates[i], why, size))
			return false;
	for (i = 0; i < most && (i == 0 || *t != '\0'); i++, t = ztoken_next(t))
		if (!check_number(t, &metres[i], &value, why, size))
			return false;
	if (*t == '\0')
		return true;
	snprintf(why, size, "`%.*s' behind the last field of LOC", ztoken_shown(ztoken_len(t)), t);
	return false;
}
