/*
 * ztype: the types of records, their names and fields; each field is what its RFC says, in the
 * order of the wire.
 */
#include "dns/zone/zrdata.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define U8 &zfield_u8
#define U16 &zfield_u16
#define U32 &zfield_u32
#define NAME &zfield_name
#define EXACT &zfield_exact_name
#define STRING &zfield_string
#define STRINGS &zfield_strings
#define ALG &zfield_algorithm
#define HEX &zfield_hex
#define BASE64 &zfield_base64
#define TYPE &zfield_type
#define TIME &zfield_time
#define PERIOD &zfield_period
#define DIGEST &zfield_digest_type

/* In the order of their numbers; neighbours that are alike share a line. */
static const struct ztype types[] = {
	{ 1, "A", { &zfield_a } },
	{ 2, "NS", { NAME } },
	{ 3, "MD", { NAME } }, { 4, "MF", { NAME } },
	{ 5, "CNAME", { NAME } },
	{ 6, "SOA", { NAME, NAME, U32, PERIOD, PERIOD, PERIOD, PERIOD } },
	{ 7, "MB", { NAME } }, { 8, "MG", { NAME } }, { 9, "MR", { NAME } },
	{ 10, "NULL", { NULL } }, { 11, "WKS", { NULL } },
	{ 12, "PTR", { NAME } },
	{ 13, "HINFO", { STRING, STRING } },
	{ 14, "MINFO", { NAME, NAME } },
	{ 15, "MX", { U16, NAME } },
	{ 16, "TXT", { STRINGS } },
	{ 17, "RP", { NAME, NAME } }, /* RFC 1183 */
	{ 18, "AFSDB", { U16, NAME } },
	{ 19, "X25", { &zfield_digits } },
	{ 20, "ISDN", { STRING, &zfield_string_maybe } },
	{ 21, "RT", { U16, NAME } },
	{ 22, "NSAP", { &zfield_nsap } }, /* RFC 1706 */
	{ 23, "NSAP-PTR", { NAME } },
	{ 24, "SIG", { TYPE, ALG, U8, U32, TIME, TIME, U16, NAME, BASE64 } },
	{ 25, "KEY", { U16, U8, ALG, &zfield_key } }, /* RFC 2535: its flags may deny a key */
	{ 26, "PX", { U16, NAME, NAME } },
	{ 27, "GPOS", { STRING, STRING, STRING } },
	{ 28, "AAAA", { &zfield_aaaa } },
	{ 29, "LOC", { &zfield_loc } },
	{ 30, "NXT", { NAME, &zfield_nxt } },
	{ 31, "EID", { HEX } }, { 32, "NIMLOC", { HEX } },
	{ 33, "SRV", { U16, U16, U16, NAME } },
	{ 34, "ATMA", { NULL } },
	{ 35, "NAPTR", { U16, U16, STRING, STRING, STRING, NAME } }, /* RFC 3403 */
	{ 36, "KX", { U16, NAME } },
	{ 37, "CERT", { &zfield_cert_type, U16, ALG, BASE64 } }, /* RFC 4398 */
	{ 38, "A6", { NULL } },
	{ 39, "DNAME", { NAME } },
	{ 40, "SINK", { NULL } }, { 41, "OPT", { NULL } },
	{ 42, "APL", { &zfield_apl } },
	{ 43, "DS", { U16, ALG, DIGEST, HEX } },
	{ 44, "SSHFP", { U8, U8, &zfield_fingerprint } },
	{ 45, "IPSECKEY", { &zfield_ipseckey } },
	{ 46, "RRSIG", { TYPE, ALG, U8, U32, TIME, TIME, U16, EXACT, BASE64 } },
	{ 47, "NSEC", { EXACT, &zfield_bitmap } },
	{ 48, "DNSKEY", { U16, U8, ALG, BASE64 } },
	{ 49, "DHCID", { BASE64 } },
	{ 50, "NSEC3", { U8, U8, U16, &zfield_salt, &zfield_hash, &zfield_bitmap_maybe } },
	{ 51, "NSEC3PARAM", { U8, U8, U16, &zfield_salt } },
	{ 52, "TLSA", { &zfield_usage, &zfield_selector, &zfield_matching, HEX } }, /* RFC 6698 */
	{ 53, "SMIMEA", { &zfield_usage, &zfield_selector, &zfield_matching, HEX } },
	{ 55, "HIP", { &zfield_hip } },
	{ 56, "NINFO", { STRINGS } },
	{ 57, "RKEY", { U16, U8, ALG, BASE64 } },
	{ 58, "TALINK", { EXACT, EXACT } },
	{ 59, "CDS", { U16, ALG, DIGEST, HEX } },
	{ 60, "CDNSKEY", { U16, U8, ALG, BASE64 } },
	{ 61, "OPENPGPKEY", { BASE64 } },
	{ 62, "CSYNC", { U32, U16, &zfield_bitmap_maybe } },
	{ 63, "ZONEMD", { U32, U8, U8, &zfield_digest } }, /* RFC 8976 */
	{ 64, "SVCB", { U16, EXACT, &zfield_params } }, /* RFC 9460 */
	{ 65, "HTTPS", { U16, EXACT, &zfield_params } },
	{ 66, "DSYNC", { TYPE, &zfield_scheme, U16, EXACT } }, /* RFC 9859 */
	{ 67, "HHIT", { BASE64 } }, { 68, "BRID", { BASE64 } }, /* RFC 9886 */
	{ 99, "SPF", { STRINGS } },
	{ 100, "UINFO", { NULL } }, { 101, "UID", { NULL } },
	{ 102, "GID", { NULL } }, { 103, "UNSPEC", { NULL } },
	{ 104, "NID", { U16, &zfield_locator } }, /* RFC 6742 */
	{ 105, "L32", { U16, &zfield_a } },
	{ 106, "L64", { U16, &zfield_locator } },
	{ 107, "LP", { U16, EXACT } },
	{ 108, "EUI48", { &zfield_eui48 } },
	{ 109, "EUI64", { &zfield_eui64 } },
	{ 128, "NXNAME", { NULL } },
	{ 249, "TKEY", { NULL } }, { 250, "TSIG", { NULL } }, { 251, "IXFR", { NULL } },
	{ 252, "AXFR", { NULL } }, { 253, "MAILB", { NULL } },
	{ 254, "MAILA", { NULL } }, { 255, "ANY", { NULL } },
	{ 256, "URI", { U16, U16, &zfield_rest_quoted } }, /* RFC 7553 */
	{ 257, "CAA", { U8, &zfield_tag, &zfield_rest } }, /* RFC 8659 */
	{ 258, "AVC", { STRINGS } },
	{ 259, "DOA", { NULL } },
	{ 260, "AMTRELAY", { &zfield_amtrelay } }, /* RFC 8777 */
	{ 261, "RESINFO", { STRINGS } }, /* RFC 9606 */
	{ 262, "WALLET", { STRINGS } }, { 263, "CLA", { STRINGS } },
	{ 264, "IPN", { &zfield_u64 } },
	{ 32768, "TA", { U16, ALG, DIGEST, HEX } }, { 32769, "DLV", { U16, ALG, DIGEST, HEX } },
};

#define NTYPES (sizeof(types) / sizeof(types[0]))

const struct ztype *
ztype_find(uint16_t number)
{
	size_t low = 0, high = NTYPES;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (types[mid].number == number)
			return &types[mid];
		if (types[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

bool
ztype_number(const char *t, size_t len, uint16_t *number)
{
	uint64_t n;

	if (len > 4 && strncasecmp(t, "TYPE", 4) == 0 &&
	    ztoken_number(t + 4, len - 4, UINT16_MAX, &n)) {
		*number = (uint16_t)n;
		return true;
	}
	for (size_t i = 0; i < NTYPES; i++) {
		if (strlen(types[i].name) == len && strncasecmp(types[i].name, t, len) == 0) {
			*number = types[i].number;
			return true;
		}
	}
	return false;
}

const char *
ztype_text(uint16_t number, char buf[ZTYPE_TEXT])
{
	const struct ztype *t = ztype_find(number);

	if (t != NULL)
		return t->name;
	(void)snprintf(buf, ZTYPE_TEXT, "TYPE%u", number);   /* fits */
	return buf;
}
