/* zaddress: fields that are addresses and names. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "dns/zone/zfield.h"

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

/* What is wrong with a name of two characters or more, or NULL; it then has *n bytes. */
static const char *
parse_labels(const char *t, size_t len, const uint8_t *origin, size_t origin_len, uint8_t name[],
    size_t *n)
{
	size_t i = 0, at = 1, label = 0;
	int c;

	while (i < len) {
		if (t[i] == '.') {
			if (at == label + 1)
				return "a label of it is empty";
			name[label] = (uint8_t)(at - label - 1);
			label = at++;
			i++;
			continue;
		}
		if (t[i] == '"')
			return "names are written without quotes";
		if ((c = zfield_unescape(t, len, &i)) < 0)
			return "behind a backslash, three digits say a number up to 255";
		if (at - label > DNS_WIRE_LABEL)
			return "a label of it is longer than 63 bytes";
		if (at >= DNS_WIRE_NAME)
			return "it is longer than 255 bytes";
		name[at++] = (uint8_t)c;
	}
	if (at > DNS_WIRE_NAME)
		return "it is longer than 255 bytes";
	name[label] = (uint8_t)(at - label - 1);
	*n = at;
	if (name[label] == 0)          /* it ended in a dot */
		return NULL;
	if (at + origin_len > DNS_WIRE_NAME)
		return "with the origin it is longer than 255 bytes";
	memcpy(name + at, origin, origin_len);
	*n += origin_len;
	return NULL;
}

size_t
zfield_parse_name(const char *t, size_t len, const uint8_t *origin, size_t origin_len,
    uint8_t name[], char *why, size_t size)
{
	const char *fault = NULL;
	size_t n = 1;

	if (len == 1 && t[0] == '.') {
		name[0] = 0;
	} else if (len == 1 && t[0] == '@') {
		memcpy(name, origin, origin_len);
		n = origin_len;
	} else if (len == 0) {
		fault = "nothing is there";
	} else if (t[0] == '@') {
		fault = "one that begins with @ is written with a backslash before it";
	} else {
		fault = parse_labels(t, len, origin, origin_len, name, &n);
	}
	if (fault == NULL)
		return n;
	/* cut where too long */
	(void)snprintf(why, size, "`%.*s' is not a domain name: %s", ztoken_shown(len), t, fault);
	return 0;
}

static bool
name_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	size_t len = ztoken_len(in->t), n;
	uint8_t name[DNS_WIRE_NAME];

	if (len == 0)
		return zfield_lacks(in, "a name");
	n = zfield_parse_name(in->t, len, in->origin, in->origin_len, name, in->why, in->size);
	in->t += len + (in->t[len] == ' ');
	return n > 0 && zfield_put(in, name, n);
}

static ssize_t
name_span(const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	size_t n = dns_name_len(p, len);

	return n > 0 ? (ssize_t)n : -1;
}

static bool
name_print(struct ztext *x, const uint8_t *p, UNUSED size_t len, UNUSED const struct zfield *f)
{
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
	bool v4 = f->bytes == 4;
	uint8_t wire[16];

	return zfield_token(in, v4 ? "an IPv4 address" : "an IPv6 address") &&
	    (zfield_parse_ip(in->token, in->token_len, v4 ? AF_INET : AF_INET6, wire)
	    ? zfield_put(in, wire, f->bytes)
	    : zfield_wrong(in, " is not an %s address", v4 ? "IPv4" : "IPv6"));
}

bool
zfield_parse_ip(const char *t, size_t len, int family, uint8_t *wire)
{
	char text[INET6_ADDRSTRLEN];

	if (len >= sizeof(text))
		return false;
	memcpy(text, t, len);
	text[len] = '\0';
	return inet_pton(family, text, wire) == 1;
}

static bool
address_print(struct ztext *x, const uint8_t *p, UNUSED size_t len, const struct zfield *f)
{
	ztext_add_ip(x, f->bytes == 4 ? AF_INET : AF_INET6, p);
	return true;
}

const struct zfield zfield_a = ZFIELD(address_read, zfield_span_fixed, address_print, 4);
const struct zfield zfield_aaaa = ZFIELD(address_read, zfield_span_fixed, address_print, 16);

/* ---- groups of hexadecimal digits: hh-hh-..., and hhhh:hhhh:hhhh:hhhh ---- */

static bool
groups_read(struct zrdata_in *in, const struct zfield *f)
{
	bool locator = f == &zfield_locator;
	size_t each = locator ? 4 : 2, n = 2 * f->bytes / each, i = 0;
	char between = locator ? ':' : '-';
	uint8_t wire[8];

	if (!zfield_token(in, "groups of hexadecimal digits"))
		return false;
	for (; in->token_len == n * (each + 1) - 1 && i < n; i++) {
		const char *group = in->token + i * (each + 1);

		if ((i + 1 < n && group[each] != between) ||
		    zfield_parse_hex(group, each, wire + i * each / 2, each / 2) < 0)
			break;
	}
	return i == n ? zfield_put(in, wire, f->bytes)
	    : zfield_wrong(in, " is not what %s needs: %zu groups of %zu hexadecimal digits with "
	    "`%c' between them", in->type, n, each, between);
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
