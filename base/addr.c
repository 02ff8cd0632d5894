/* addr: IP addresses, prefixes and ranges from text and back. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

static unsigned
bits(const struct msg_addr *a)
{
	return a->family == 4 ? 32 : 128;
}

bool
addr_parse(const char *text, struct msg_addr *a)
{
	struct msg_addr out = { 0 };

	if (inet_pton(AF_INET, text, out.bytes) == 1)
		out.family = 4;
	else if (inet_pton(AF_INET6, text, out.bytes) == 1)
		out.family = 6;
	else
		return false;
	*a = out;
	return true;
}

/* At most `most`, decimal, no sign, no leading zero. */
static bool
parse_number(const char *text, unsigned long most, unsigned long *n)
{
	char *end;

	if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1] != '\0') ||
	    strlen(text) > 6)
		return false;
	*n = strtoul(text, &end, 10);
	return *end == '\0' && *n <= most;
}

/* Copies text[0..len) to buf[ADDR_TEXT] for the functions that want a string. */
static bool
cut(char buf[ADDR_TEXT], const char *text, size_t len)
{
	if (len >= ADDR_TEXT)
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return true;
}

bool
addr_parse_prefix(const char *text, struct msg_addr *p)
{
	const char *slash = strchr(text, '/');
	struct msg_addr out;
	struct addr_range r;
	char buf[ADDR_TEXT];
	unsigned long len;

	if (slash == NULL || !cut(buf, text, (size_t)(slash - text)) || !addr_parse(buf, &out) ||
	    !parse_number(slash + 1, bits(&out), &len))
		return false;
	out.prefixlen = (uint8_t)len;
	addr_prefix_range(&out, &r);
	if (addr_cmp(&r.first, &out) != 0)
		return false;
	*p = out;
	return true;
}

bool
addr_parse_range(const char *text, struct addr_range *r)
{
	const char *dash = strchr(text, '-');
	struct msg_addr prefix;
	struct addr_range out;
	char buf[ADDR_TEXT];

	if (strchr(text, '/') != NULL) {
		if (!addr_parse_prefix(text, &prefix))
			return false;
		addr_prefix_range(&prefix, r);
		return true;
	}
	if (dash == NULL) {
		if (!addr_parse(text, &out.first))
			return false;
		out.last = out.first;
	} else if (!cut(buf, text, (size_t)(dash - text)) || !addr_parse(buf, &out.first) ||
	    !addr_parse(dash + 1, &out.last) || out.first.family != out.last.family ||
	    addr_cmp(&out.first, &out.last) > 0) {
		return false;
	}
	*r = out;
	return true;
}

bool
addr_parse_listen(const char *text, struct msg_addr *a, uint16_t *port)
{
	const char *end = strchr(text, '@'), *digits = NULL;
	struct msg_addr out;
	char buf[ADDR_TEXT];
	unsigned long n = 0;
	bool bracket = text[0] == '[';

	if (bracket) {
		text++;
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		digits = end[1] == ':' ? end + 2 : NULL;
	} else if (end != NULL) {
		digits = end + 1;
	} else if ((end = strchr(text, ':')) != NULL && strchr(end + 1, ':') == NULL) {
		digits = end + 1;
	} else {
		end = text + strlen(text);
	}
	if (!cut(buf, text, (size_t)(end - text)) || !addr_parse(buf, &out) ||
	    (bracket && out.family != 6))
		return false;
	if (digits != NULL && (!parse_number(digits, 65535, &n) || n == 0))
		return false;
	*a = out;
	if (digits != NULL)
		*port = (uint16_t)n;
	return true;
}

bool
addr_parse_mac(const char *text, uint8_t mac[6])
{
	uint8_t out[6];

	if (strlen(text) != 17)
		return false;
	for (unsigned i = 0; i < 6; i++)
		if (!hex_read(text + 3 * i, &out[i], 1) || (i < 5 && text[3 * i + 2] != ':'))
			return false;
	memcpy(mac, out, 6);
	return true;
}

void
addr_text(const struct msg_addr *a, char text[ADDR_TEXT])
{
	if (a->family == 0 ||
	    inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, text, ADDR_TEXT) == NULL)
		snprintf(text, ADDR_TEXT, "none");
}

const char *
addr_mac_text(const uint8_t mac[6], char text[ADDR_MAC_TEXT])
{
	char *at = text;

	for (unsigned i = 0; i < 6; i++) {
		at = hex_write(at, &mac[i], 1);
		if (i < 5)
			*at++ = ':';
	}
	return text;
}

int
addr_cmp(const struct msg_addr *a, const struct msg_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, bits(a) / 8);
}

bool
addr_in_prefix(const struct msg_addr *a, const struct msg_addr *prefix)
{
	struct addr_range r;

	addr_prefix_range(prefix, &r);
	return addr_in_range(a, &r);
}

bool
addr_in_range(const struct msg_addr *a, const struct addr_range *r)
{
	return a->family == r->first.family && addr_cmp(a, &r->first) >= 0 &&
	    addr_cmp(a, &r->last) <= 0;
}

bool
addr_ranges_overlap(const struct addr_range *a, const struct addr_range *b)
{
	return a->first.family == b->first.family && addr_cmp(&a->first, &b->last) <= 0 &&
	    addr_cmp(&b->first, &a->last) <= 0;
}

void
addr_prefix_range(const struct msg_addr *prefix, struct addr_range *r)
{
	struct addr_range out = { *prefix, *prefix };

	out.first.prefixlen = out.last.prefixlen = 0;
	for (unsigned i = prefix->prefixlen; i < bits(prefix); i++) {
		uint8_t bit = (uint8_t)(0x80u >> (i % 8));

		out.first.bytes[i / 8] &= (uint8_t)~bit;
		out.last.bytes[i / 8] |= bit;
	}
	*r = out;
}

bool
addr_is_any(const struct msg_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->bytes, zero, bits(a) / 8) == 0;
}
