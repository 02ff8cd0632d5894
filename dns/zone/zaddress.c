/* zaddress: fields that are addresses and names. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "dns/zimage/name.h"
#include "dns/zone/zfield.h"
#include "dns/zone/ztoken.h"

#define LABEL_MAX 63

int
zfield_unescape(const char *t, size_t len, size_t *at)
{
	unsigned n = 0;

	if (t[*at] != '\\')
		return (unsigned char)t[(*at)++];
	if (++*at >= len)
		return -1;
	if (!isdigit((unsigned char)t[*at]))
		return (unsigned char)t[(*at)++];
	for (unsigned i = 0; i < 3; i++, (*at)++) {
		if (*at >= len || !isdigit((unsigned char)t[*at]))
			return -1;
		n = n * 10 + (unsigned)(t[*at] - '0');
	}
	return n <= 255 ? (int)n : -1;
}

/* ---- names ---- */

static size_t
not_a_name(const char *t, size_t len, const char *reason, char *why, size_t size)
{
	(void)snprintf(why, size, "`%.*s' is not a domain name: %s", ztoken_shown(len), t,
	    reason); /* cut where too long */
	return 0;
}

size_t
zfield_parse_name(const char *t, size_t len, const uint8_t *origin, size_t origin_len,
    uint8_t name[], char *why, size_t size)
{
	size_t i = 0, at = 1, label = 0;
	int c;

	if (len == 1 && t[0] == '@') {
		memcpy(name, origin, origin_len);
		return origin_len;
	}
	if (len == 0)
		return not_a_name(t, len, "nothing is there", why, size);
	if (t[0] == '@')
		return not_a_name(t, len,
		    "one that begins with @ is written with a backslash before it", why, size);
	if (len == 1 && t[0] == '.') {
		name[0] = 0;
		return 1;
	}
	while (i < len) {
		if (t[i] == '.') {
			if (at == label + 1)
				return not_a_name(t, len, "a label of it is empty", why, size);
			name[label] = (uint8_t)(at - label - 1);
			label = at++;
			i++;
			continue;
		}
		if (t[i] == '"')
			return not_a_name(t, len, "names are written without quotes", why, size);
		if ((c = zfield_unescape(t, len, &i)) < 0)
			return not_a_name(t, len,
			    "behind a backslash, three digits say a number up to 255", why, size);
		if (at - label > LABEL_MAX)
			return not_a_name(
			    t, len, "a label of it is longer than 63 bytes", why, size);
		if (at >= DNS_WIRE_NAME)
			return not_a_name(t, len, "it is longer than 255 bytes", why, size);
		name[at++] = (uint8_t)c;
	}
	if (at == label + 1) {          /* it ended in a dot */
		name[label] = 0;
		return at <= DNS_WIRE_NAME
		    ? at
		    : not_a_name(t, len, "it is longer than 255 bytes", why, size);
	}
	name[label] = (uint8_t)(at - label - 1);
	if (at + origin_len > DNS_WIRE_NAME)
		return not_a_name(t, len, "with the origin it is longer than 255 bytes", why, size);
	memcpy(name + at, origin, origin_len);
	return at + origin_len;
}

static bool
name_read(struct zrdata_in *in, const struct zfield *f)
{
	size_t len = ztoken_len(in->t), n;
	uint8_t name[DNS_WIRE_NAME];

	(void)f;
	if (len == 0)
		return zfield_lacks(in, "a name");
	if ((n = zfield_parse_name(
	         in->t, len, in->origin, in->origin_len, name, in->why, in->size)) == 0)
		return false;
	in->t += len + (in->t[len] == ' ');
	return zfield_put(in, name, n);
}

static ssize_t
name_span(const uint8_t *p, size_t len, const struct zfield *f)
{
	size_t n = dns_name_len(p, len);

	(void)f;
	return n > 0 ? (ssize_t)n : -1;
}

static bool
name_print(struct ztext *x, const uint8_t *p, size_t len, const struct zfield *f)
{
	(void)len;
	(void)f;
	ztext_add_name(x, p);
	return true;
}

const struct zfield zfield_name = {
	.read = name_read, .span = name_span, .print = name_print, .folds = true
};
const struct zfield zfield_exact_name = ZFIELD(name_read, name_span, name_print, 0);

/* ---- addresses ---- */

static bool
address_read(struct zrdata_in *in, const struct zfield *f)
{
	int family = f->bytes == 4 ? AF_INET : AF_INET6;
	char text[INET6_ADDRSTRLEN];
	uint8_t wire[16];
	const char *t;
	size_t len;

	if (!zfield_token(in, family == AF_INET ? "an IPv4 address" : "an IPv6 address", &t, &len))
		return false;
	if (len < sizeof(text)) {
		memcpy(text, t, len);
		text[len] = '\0';
		if (inet_pton(family, text, wire) == 1)
			return zfield_put(in, wire, f->bytes);
	}
	return zfield_fail(in, "`%.*s' is not an %s address", ztoken_shown(len), t,
	    family == AF_INET ? "IPv4" : "IPv6");
}

static bool
address_print(struct ztext *x, const uint8_t *p, size_t len, const struct zfield *f)
{
	char text[INET6_ADDRSTRLEN];

	(void)len;
	if (inet_ntop(f->bytes == 4 ? AF_INET : AF_INET6, p, text, sizeof(text)) == NULL)
		return false;
	ztext_add(x, "%s", text);
	return true;
}

const struct zfield zfield_a = ZFIELD(address_read, zfield_span_fixed, address_print, 4);
const struct zfield zfield_aaaa = ZFIELD(address_read, zfield_span_fixed, address_print, 16);

/* ---- groups of hexadecimal digits: hh-hh-..., and hhhh:hhhh:hhhh:hhhh ---- */

static bool
groups_read(struct zrdata_in *in, const struct zfield *f)
{
	bool locator = f == &zfield_locator;
	size_t each = locator ? 4 : 2, n = 2 * f->bytes / each, len;
	uint8_t wire[8];
	const char *t;

	if (!zfield_token(in, "groups of hexadecimal digits", &t, &len))
		return false;
	for (size_t i = 0; len == n * (each + 1) - 1 && i < n; i++) {
		const char *group = t + i * (each + 1);

		if ((i + 1 < n && group[each] != (locator ? ':' : '-')) ||
		    zfield_parse_hex(group, each, wire + i * each / 2, each / 2) !=
		        (ssize_t)each / 2)
			break;
		if (i + 1 == n)
			return zfield_put(in, wire, f->bytes);
	}
	return zfield_fail(in,
	    "`%.*s' is not what %s needs: %zu groups of %zu hexadecimal digits with `%c' between "
	    "them",
	    ztoken_shown(len), t, in->type, n, each, locator ? ':' : '-');
}

static bool
groups_print(struct ztext *x, const uint8_t *p, size_t len, const struct zfield *f)
{
	size_t each = f == &zfield_locator ? 2 : 1;

	for (size_t i = 0; i < len; i += each) {
		if (i > 0)
			ztext_add(x, "%c", f == &zfield_locator ? ':' : '-');
		ztext_add_hex(x, p + i, each);
	}
	return true;
}

const struct zfield zfield_eui48 = ZFIELD(groups_read, zfield_span_fixed, groups_print, 6);
const struct zfield zfield_eui64 = ZFIELD(groups_read, zfield_span_fixed, groups_print, 8);
const struct zfield zfield_locator = ZFIELD(groups_read, zfield_span_fixed, groups_print, 8);
