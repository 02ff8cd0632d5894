/* zfield: the fields of a record, held against its text. */
#include "dns/zfield.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dns/zloc.h"
#include "dns/ztoken.h"

/* Fields that are numbers, one token each; names that ldns knows for some may stand there as well. */
static const struct {
	ldns_rdf_type type;
	uint32_t most;
} numbers[] = {
	{ LDNS_RDF_TYPE_INT8, UINT8_MAX },
	{ LDNS_RDF_TYPE_ALG, UINT8_MAX },
	{ LDNS_RDF_TYPE_CERTIFICATE_USAGE, UINT8_MAX },
	{ LDNS_RDF_TYPE_SELECTOR, UINT8_MAX },
	{ LDNS_RDF_TYPE_MATCHING_TYPE, UINT8_MAX },
	{ LDNS_RDF_TYPE_INT16, UINT16_MAX },
	{ LDNS_RDF_TYPE_CERT_ALG, UINT16_MAX },
	{ LDNS_RDF_TYPE_INT32, UINT32_MAX },
};

/* Is this token a type that there is, by name or as TYPE1 to TYPE65535? */
static bool
is_type(const char *t, size_t len)
{
	char name[32];
	uint64_t n;

	if (len >= sizeof(name))
		return false;
	if (len > 4 && strncasecmp(t, "TYPE", 4) == 0)
		return ztoken_number(t + 4, len - 4, UINT16_MAX, &n) && n > 0;
	memcpy(name, t, len);
	name[len] = '\0';
	return ldns_get_rr_type_by_name(name) != 0;
}

static bool
check_number(const char *t, size_t len, uint32_t most, char *why, size_t size)
{
	uint64_t n;

	if (isalpha((unsigned char)t[0]) || ztoken_number(t, len, most, &n))
		return true;
	snprintf(why, size, "`%.*s' is not a number from 0 to %u", ztoken_shown(len), t, most);
	return false;
}

static bool
check_period(const char *t, size_t len, char *why, size_t size)
{
	uint32_t n;

	if (ztoken_ttl(t, len, UINT32_MAX, &n))
		return true;
	snprintf(why, size, "`%.*s' is no time: expected seconds, or numbers with s, m, h, d or w, up to %u seconds in all",
	    ztoken_shown(len), t, UINT32_MAX);
	return false;
}

static bool
check_name(const char *t, size_t len, char *why, size_t size)
{
	static const char *const at[] = { "@.", "\\@", "\\064" };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		size_t n = strlen(at[i]);

		if (len >= n && strncmp(t, at[i], n) == 0 && (t[n - 1] == '.' || n == len || t[n] == '.')) {
			snprintf(why, size, "a name whose first label is \"@\" can be written only as \\# LENGTH HEX");
			return false;
		}
	}
	return true;
}

static bool
is_generic(const char *t)
{
	return strncasecmp(t, "TYPE", 4) == 0;
}

static bool
check_type(const char *t, size_t len, char *why, size_t size)
{
	if (is_type(t, len))
		return true;
	snprintf(why, size, "there is no record type \"%.*s\"", ztoken_shown(len), t);
	return false;
}

/* The types that a bitmap lists, to the end: those that ldns did not know are its type 0 (RFC 4034 section 4.1.2: window, length, bits). */
static bool
check_bitmap(char *t, const ldns_rdf *rdf, char *why, size_t size)
{
	const uint8_t *map = ldns_rdf_data(rdf);
	bool unknown = ldns_rdf_size(rdf) > 2 && map[0] == 0 && (map[2] & 0x80) != 0;

	for (; *t != '\0'; t = ztoken_next(t))
		if ((unknown || is_generic(t)) && !check_type(t, ztoken_len(t), why, size))
			return false;
	return true;
}

/* Parameters of SVCB: of those that ldns reads, ports are numbers. */
static bool
check_params(char *t, char *why, size_t size)
{
	for (; *t != '\0'; t = ztoken_next(t)) {
		size_t len = ztoken_len(t);
		bool quoted = len > 6 && t[5] == '"';

		if (len > 5 && strncmp(t, "port=", 5) == 0 && !check_number(t + (quoted ? 6 : 5), len - (quoted ? 7 : 5), UINT16_MAX, why, size))
			return false;
	}
	return true;
}

/* One field; *more is whether the next field is the next token. */
static bool
check_field(char *t, const ldns_rdf *rdf, bool *more, char *why, size_t size)
{
	ldns_rdf_type type = ldns_rdf_get_type(rdf);
	size_t len = ztoken_len(t);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].type == type)
			return check_number(t, len, numbers[i].most, why, size);
	switch (type) {
	case LDNS_RDF_TYPE_PERIOD:
		return check_period(t, len, why, size);
	case LDNS_RDF_TYPE_DNAME:
		return check_name(t, len, why, size);
	case LDNS_RDF_TYPE_TYPE:
		return check_type(t, len, why, size);
	case LDNS_RDF_TYPE_A: case LDNS_RDF_TYPE_AAAA: case LDNS_RDF_TYPE_STR: case LDNS_RDF_TYPE_TIME:
	case LDNS_RDF_TYPE_TAG: case LDNS_RDF_TYPE_LONG_STR: case LDNS_RDF_TYPE_B32_EXT: case LDNS_RDF_TYPE_NSEC3_SALT:
	case LDNS_RDF_TYPE_NSEC3_NEXT_OWNER: case LDNS_RDF_TYPE_ILNP64:
		return true;
	case LDNS_RDF_TYPE_LOC:
		*more = false;
		return zloc_check(t, why, size);
	case LDNS_RDF_TYPE_NSEC:
		*more = false;
		return check_bitmap(t, rdf, why, size);
	case LDNS_RDF_TYPE_SVCPARAMS:
		*more = false;
		return check_params(t, why, size);
	default:
		*more = false;   /* the other types take several tokens, or are read strictly */
		return true;
	}
}

bool
zfield_check(char *type, const ldns_rr *rr, char *why, size_t size)
{
	char *rdata = ztoken_next(type);
	bool more = true;

	if ((ldns_rr_get_type(rr) == 0 || is_generic(type)) && !check_type(type, ztoken_len(type), why, size))
		return false;
	if (ztoken_is(rdata, "\\#"))
		return true;
	for (size_t i = 0; i < ldns_rr_rd_count(rr) && *rdata != '\0' && more; i++, rdata = ztoken_next(rdata))
		if (!check_field(rdata, ldns_rr_rdf(rr, i), &more, why, size))
			return false;
	return true;
}
