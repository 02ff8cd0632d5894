/*
 * zgroup: fields whose form depends on what stands in front of it: lists of types and of prefixes,
 * gateways and relays, host identities.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dns/zimage/rdata.h"
#include "dns/zone/zrdata.h"

/* ---- the types of a name (RFC 4034 section 4.1.2): windows of 256, their lengths and bits ---- */

#define WINDOWS 256
#define WINDOW_BYTES 32

/* Types up to the end of the entry, a bit of `map` for each; `range` says what is allowed. */
static bool
types_read(struct zrdata_in *in, uint8_t *map, unsigned most, const char *range)
{
	uint16_t type;

	while (in->t[0] != '\0') {
		if (!zfield_token(in, "a type"))
			return false;
		if (!ztype_number(in->token, in->token_len, &type) || type == 0 || type > most)
			return zfield_fail(in, "there is no record type \"%.*s\"%s",
			    ztoken_shown(in->token_len), in->token, range);
		map[type / 8] |= (uint8_t)(0x80 >> type % 8);
	}
	return true;
}

/* The types in so many bytes of bits, from type `first` on, with blanks between them. */
static void
types_print(struct ztext *x, const uint8_t *bits, size_t bytes, unsigned first, const char **blank)
{
	char buf[ZTYPE_TEXT];

	for (unsigned bit = 0; bit < 8 * bytes; bit++) {
		if ((bits[bit / 8] & 0x80 >> bit % 8) == 0)
			continue;
		ztext_add(x, "%s%s", *blank, ztype_text((uint16_t)(first + bit), buf));
		*blank = " ";
	}
}

static bool
bitmap_read(struct zrdata_in *in, const struct zfield *f)
{
	uint8_t map[WINDOWS][WINDOW_BYTES] = { { 0 } };

	if (in->t[0] == '\0' && f->bytes > 0)
		return zfield_lacks(in, "types");
	if (!types_read(in, map[0], UINT16_MAX, ""))
		return false;
	for (unsigned w = 0; w < WINDOWS; w++) {
		unsigned n = WINDOW_BYTES;

		while (n > 0 && map[w][n - 1] == 0)
			n--;
		if (n > 0 && !(zfield_put_number(in, w, 1) && zfield_put_counted(in, map[w], n)))
			return false;
	}
	return true;
}

static ssize_t
bitmap_span(const uint8_t *p, size_t len, const struct zfield *f)
{
	int last = -1;

	for (size_t at = 0; at < len; last = p[at], at += 2u + p[at + 1])
		if (len - at < 3 || p[at] <= last || p[at + 1] == 0 || p[at + 1] > WINDOW_BYTES ||
		    p[at + 1] > len - at - 2 || p[at + 1 + p[at + 1]] == 0)
			return -1;
	return len >= f->bytes ? (ssize_t)len : -1;
}

static bool
bitmap_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	const char *blank = "";

	if (len > 0 && p[0] == 0 && (p[2] & 0x80) != 0)
		return false;   /* no name of a type is read as 0 */
	for (size_t at = 0; at < len; at += 2u + p[at + 1])
		types_print(x, p + at + 2, p[at + 1], p[at] * 256u, &blank);
	return true;
}

const struct zfield zfield_bitmap = ZFIELD(bitmap_read, bitmap_span, bitmap_print, 1);
const struct zfield zfield_bitmap_maybe = ZFIELD(bitmap_read, bitmap_span, bitmap_print, 0);

/* ---- the types of NXT (RFC 2535 section 5.2): bits of those from 1 to 127 ---- */

#define NXT_BYTES 16

static bool
nxt_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	uint8_t map[NXT_BYTES] = { 0 };
	size_t n = NXT_BYTES;

	if (in->t[0] == '\0')
		return zfield_lacks(in, "types");
	if (!types_read(in, map, 8 * NXT_BYTES - 1, " from 1 to 127"))
		return false;
	while (map[n - 1] == 0)
		n--;
	return zfield_put(in, map, n);
}

static ssize_t
nxt_span(const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	bool ok = len > 0 && len <= NXT_BYTES && (p[0] & 0x80) == 0 && p[len - 1] != 0;

	return ok ? (ssize_t)len : -1;
}

static bool
nxt_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	types_print(x, p, len, 0, &(const char *){ "" });
	return true;
}

const struct zfield zfield_nxt = ZFIELD(nxt_read, nxt_span, nxt_print, 0);

/* ---- prefixes (RFC 3123): [!]FAMILY:ADDRESS/PREFIX ---- */

enum { APL_IPV4 = 1, APL_IPV6 = 2, APL_NOT = 0x80 };

static int
apl_family(unsigned family)
{
	return family == APL_IPV4 ? AF_INET : AF_INET6;
}

/* The parts of an item; false when there is no such prefix. */
static bool
apl_parse(const char *t, size_t len, uint8_t head[4], uint8_t address[16])
{
	bool negative = t[0] == '!';
	const char *begin = t + negative, *colon = memchr(begin, ':', len - negative);
	const char *slash = memchr(t, '/', len);
	uint64_t family, prefix;
	size_t n;

	if (colon == NULL || slash == NULL || slash < colon ||
	    !ztoken_number(begin, (size_t)(colon - begin), UINT16_MAX, &family) ||
	    family < APL_IPV4 || family > APL_IPV6)
		return false;
	n = family == APL_IPV4 ? 4 : 16;
	if (!zfield_parse_ip(colon + 1, (size_t)(slash - colon - 1), apl_family((unsigned)family),
	    address) || !ztoken_number(slash + 1, len - (size_t)(slash + 1 - t), 8 * n, &prefix))
		return false;
	while (n > 0 && address[n - 1] == 0)
		n--;
	dns_put16(head, (uint16_t)family);
	head[2] = (uint8_t)prefix;
	head[3] = (uint8_t)(n | (negative ? APL_NOT : 0));
	return true;
}

static bool
apl_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	uint8_t head[4], address[16];

	while (in->t[0] != '\0') {
		if (!zfield_token(in, "a prefix"))
			return false;
		if (!apl_parse(in->token, in->token_len, head, address))
			return zfield_wrong(in,
			    " is not what APL needs: [!]1:IPV4/0-32, or [!]2:IPV6/0-128");
		if (!zfield_put(in, head, sizeof(head)) ||
		    !zfield_put(in, address, head[3] & ~APL_NOT))
			return false;
	}
	return true;
}

static ssize_t
apl_span(const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	unsigned family, n, most;

	for (size_t at = 0; at < len; at += 4 + n) {
		if (len - at < 4)
			return -1;
		family = dns_get16(p + at);
		n = p[at + 3] & ~(unsigned)APL_NOT;
		most = family == APL_IPV4 ? 4 : family == APL_IPV6 ? 16 : 127;
		if (n > most || n > len - at - 4 || (most < 127 && p[at + 2] > 8 * most) ||
		    (n > 0 && p[at + 3 + n] == 0))
			return -1;   /* section 4: trailing zeros are left out */
	}
	return (ssize_t)len;
}

static bool
apl_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	unsigned n;

	for (size_t at = 0; at < len; at += 4 + n) {
		unsigned family = dns_get16(p + at);
		uint8_t address[16] = { 0 };

		if (family < APL_IPV4 || family > APL_IPV6)
			return false;
		n = p[at + 3] & ~(unsigned)APL_NOT;
		memcpy(address, p + at + 4, n);
		ztext_add(x, "%s%s%u:", at > 0 ? " " : "", (p[at + 3] & APL_NOT) != 0 ? "!" : "",
		    family);
		ztext_add_ip(x, apl_family(family), address);
		ztext_add(x, "/%u", p[at + 2]);
	}
	return true;
}

const struct zfield zfield_apl = ZFIELD(apl_read, apl_span, apl_print, 0);

/* ---- a gateway or relay: none, written as `.', an address or a name (RFC 4025, RFC 8777) ---- */

static const struct zfield *const gateways[] = { NULL, &zfield_a, &zfield_aaaa,
	&zfield_exact_name };

#define GATEWAYS (sizeof(gateways) / sizeof(gateways[0]))

static bool
gateway_read(struct zrdata_in *in, unsigned type)
{
	if (type >= GATEWAYS)
		return zfield_fail(in, "gateway type %u is not one of 0 (none), 1 (IPv4), 2 (IPv6) "
		    "and 3 (a name)", type);
	if (type > 0)
		return gateways[type]->read(in, gateways[type]);
	return zfield_token(in, "a gateway") &&
	    ((in->token_len == 1 && in->token[0] == '.') ||
	    zfield_wrong(in, " where type 0 says that there is no gateway: `.'"));
}

static ssize_t
gateway_span(const uint8_t *p, size_t len, unsigned type)
{
	if (type == 0 || type >= GATEWAYS)
		return type == 0 ? 0 : -1;
	return gateways[type]->span(p, len, gateways[type]);
}

static bool
gateway_print(struct ztext *x, const uint8_t *p, unsigned type)
{
	if (type > 0)
		return gateways[type]->print(x, p, gateways[type]->bytes, gateways[type]);
	ztext_add(x, ".");
	return true;
}

/*
 * PRECEDENCE TYPE ALGORITHM GATEWAY [KEY]: algorithm 0 says that there is no key (RFC 4025
 * section 2.4), another that there is.
 */
static bool
ipseckey_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	const uint8_t *head = in->out + in->len;

	for (unsigned i = 0; i < 3; i++)
		if (!zfield_u8.read(in, &zfield_u8))
			return false;
	if (!gateway_read(in, head[1]))
		return false;
	if (head[2] == 0)
		return in->t[0] == '\0' ||
		    zfield_fail(in, "a key, where algorithm 0 says that there is none");
	return zfield_base64.read(in, &zfield_base64);
}

/* A key that algorithm 0 denies is nobody's harm, and other servers take it, but as text. */
static ssize_t
ipseckey_span(const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	ssize_t n = len >= 3 ? gateway_span(p + 3, len - 3, p[1]) : -1;

	return n >= 0 && (p[2] == 0 || (size_t)n + 3 < len) ? (ssize_t)len : -1;
}

static bool
ipseckey_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	size_t n = 3 + (size_t)gateway_span(p + 3, len - 3, p[1]);

	ztext_add(x, "%u %u %u ", p[0], p[1], p[2]);
	if (!gateway_print(x, p + 3, p[1]) || (p[2] == 0 && n < len))
		return false;
	if (n < len) {
		ztext_add(x, " ");
		ztext_add_base64(x, p + n, len - n);
	}
	return true;
}

const struct zfield zfield_ipseckey = ZFIELD(ipseckey_read, ipseckey_span, ipseckey_print, 0);

/* PRECEDENCE DISCOVERY-OPTIONAL TYPE RELAY: the second is the high bit of the type's octet. */
static bool
amtrelay_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	uint64_t precedence, optional, type;

	if (!zfield_number(in, 1, NULL, &precedence) || !zfield_number(in, 1, NULL, &optional))
		return false;
	if (optional > 1)
		return zfield_fail(in,
		    "`%llu' where AMTRELAY says whether discovery is optional: 0 or 1",
		    (unsigned long long)optional);
	return zfield_number(in, 1, NULL, &type) && zfield_put_number(in, precedence, 1) &&
	    zfield_put_number(in, optional << 7 | type, 1) && gateway_read(in, (unsigned)type);
}

static ssize_t
amtrelay_span(const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	unsigned type = len >= 2 ? p[1] & 0x7fu : 0;

	if (type >= GATEWAYS)
		return (ssize_t)len;   /* of what follows nothing is known */
	return len >= 2 && gateway_span(p + 2, len - 2, type) == (ssize_t)len - 2
	    ? (ssize_t)len : -1;
}

static bool
amtrelay_print(struct ztext *x, const uint8_t *p, UNUSED size_t len, UNUSED const struct zfield *f)
{
	unsigned type = p[1] & 0x7fu;

	ztext_add(x, "%u %u %u ", p[0], p[1] >> 7, type);
	return type < GATEWAYS && gateway_print(x, p + 2, type);
}

const struct zfield zfield_amtrelay = ZFIELD(amtrelay_read, amtrelay_span, amtrelay_print, 0);

/* ---- HIP (RFC 8005 section 6): ALGORITHM HIT KEY [SERVER ...]; the wire has the lengths ---- */

#define HIP_HEAD 4

static bool
hip_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	uint8_t *head = in->out + in->len;
	uint64_t algorithm;
	ssize_t n;

	if (!zfield_number(in, 1, NULL, &algorithm) || !zfield_put_number(in, 0, HIP_HEAD) ||
	    !zfield_token(in, "a host identity tag"))
		return false;
	n = zfield_parse_hex(in->token, in->token_len, in->out + in->len, UINT8_MAX);
	if (n <= 0)
		return zfield_wrong(in,
		    " is not a host identity tag: up to 255 bytes of two hexadecimal digits");
	in->len += (size_t)n;
	head[0] = (uint8_t)n;
	head[1] = (uint8_t)algorithm;
	if (!zfield_token(in, "a public key"))
		return false;
	n = zfield_parse_base64(in->token, in->token_len, in->out + in->len, ZRDATA_MAX - in->len);
	if (n <= 0)
		return zfield_wrong(in, " is not a public key in base64");
	in->len += (size_t)n;
	dns_put16(head + 2, (uint16_t)n);
	while (in->t[0] != '\0')
		if (!zfield_exact_name.read(in, &zfield_exact_name))
			return false;
	return true;
}

static ssize_t
hip_span(const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	size_t at = len >= HIP_HEAD ? (size_t)HIP_HEAD + p[0] + dns_get16(p + 2) : 0, n;

	if (at == 0 || at > len || p[0] == 0 || dns_get16(p + 2) == 0)
		return -1;
	for (; at < len; at += n)
		if ((n = dns_name_len(p + at, len - at)) == 0)
			return -1;
	return (ssize_t)len;
}

static bool
hip_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	size_t hit = p[0], key = dns_get16(p + 2), at = HIP_HEAD + hit + key;

	ztext_add(x, "%u ", p[1]);
	ztext_add_hex(x, p + HIP_HEAD, hit);
	ztext_add(x, " ");
	ztext_add_base64(x, p + HIP_HEAD + hit, key);
	for (; at < len; at += dns_name_len(p + at, len - at)) {
		ztext_add(x, " ");
		ztext_add_name(x, p + at);
	}
	return true;
}

const struct zfield zfield_hip = ZFIELD(hip_read, hip_span, hip_print, 0);
