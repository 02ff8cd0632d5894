/* addr.c: Internet addresses of both families in one shape */
#include "vm/hello/addr.h"

#include "vm/hello/mem.h"

#define GROUPS 8 /* of 16 bits in an IPv6 address */

const struct addr addr_none, addr_all_nodes = { .b = { 0xff, 2, [15] = 1 } };

static const uint8_t mapped[ADDR_V4_OFFSET] = { [10] = 0xff, [11] = 0xff };

struct addr
addr_v4(const uint8_t bytes[4])
{
	struct addr a;

	memcpy(a.b, mapped, sizeof(mapped));
	memcpy(a.b + ADDR_V4_OFFSET, bytes, 4);
	return a;
}

bool
addr_is_v4(const struct addr *a)
{
	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

bool
addr_is_set(const struct addr *a)
{
	return !addr_equal(a, &addr_none);
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, ADDR_BYTES) == 0;
}

bool
addr_is_unicast(const struct addr *a)
{
	static const struct addr loopback6 = { .b = { [15] = 1 } };
	uint8_t first = a->b[ADDR_V4_OFFSET];

	if (addr_is_v4(a))
		return first != 0 && first != 127 && first < 224;
	return a->b[0] != 0xff && addr_is_set(a) && !addr_equal(a, &loopback6);
}

struct addr
addr_link_local(const uint8_t mac[MAC_BYTES])
{
	return (struct addr){ .b = { 0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe,
	    mac[3], mac[4], mac[5] } };
}

struct addr
addr_solicited_node(const struct addr *a)
{
	return (struct addr){ .b = { 0xff, 2, [11] = 1, 0xff, a->b[13], a->b[14], a->b[15] } };
}

void
addr_multicast_mac(const struct addr *group, uint8_t mac[MAC_BYTES])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group->b + 12, 4);
}

static bool
parse_v4(const char *s, size_t n, uint8_t out[4])
{
	const char *end = s + n;

	for (int i = 0; i < 4; i++) {
		uint32_t value;
		size_t used;

		if (i > 0 && (s == end || *s++ != '.'))
			return false;
		used = text_parse_dec(s, (size_t)(end - s), 255, &value);
		if (used == 0 || used > 3)
			return false;
		out[i] = (uint8_t)value;
		s += used;
	}
	return s == end;
}

/* The value of a hexadecimal digit; 16 for what is none. */
static unsigned
digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static size_t
parse_group(const char *s, size_t n, uint16_t *value)
{
	size_t i;

	*value = 0;
	for (i = 0; i < n && i < 4 && digit(s[i]) < 16; i++)
		*value = (uint16_t)(*value << 4 | digit(s[i]));
	return i;
}

/* Groups before a "::" are filled from the left, those after it are moved to the right end. */
static bool
parse_v6(const char *s, size_t n, struct addr *out)
{
	const char *end = s + n;
	int count = 0, gap = -1;

	*out = addr_none;
	while (s < end) {
		uint16_t value;
		size_t used;

		if (gap < 0 && end - s >= 2 && s[0] == ':' && s[1] == ':') {
			gap = count;
			s += 2;
			continue;
		}
		if (count > 0 && count != gap && *s++ != ':')
			return false;
		used = parse_group(s, (size_t)(end - s), &value);
		if (used == 0 || count == GROUPS)
			return false;
		out->b[2 * count] = (uint8_t)(value >> 8);
		out->b[2 * count + 1] = (uint8_t)value;
		count++;
		s += used;
	}
	if (gap < 0)
		return count == GROUPS;
	if (count == GROUPS)
		return false;
	memmove(out->b + ADDR_BYTES - 2 * (count - gap), out->b + 2 * gap,
	    (size_t)(2 * (count - gap)));
	memset(out->b + 2 * gap, 0, (size_t)(2 * (GROUPS - count)));
	return true;
}

bool
addr_mac_parse(const char *s, uint8_t mac[MAC_BYTES])
{
	for (unsigned i = 0; i < MAC_BYTES; i++, s += 3) {
		unsigned high = digit(s[0]), low = high < 16 ? digit(s[1]) : 16;

		if (low == 16 || s[2] != (i + 1 < MAC_BYTES ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool
addr_parse(const char *s, size_t n, struct addr *out)
{
	uint8_t bytes[4];

	if (parse_v4(s, n, bytes)) {
		*out = addr_v4(bytes);
		return true;
	}
	return parse_v6(s, n, out);
}

static uint16_t
group_at(const struct addr *a, int i)
{
	return (uint16_t)(a->b[2 * i] << 8 | a->b[2 * i + 1]);
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952 section 4.2). */
static int
longest_gap(const struct addr *a, int *length)
{
	int best = -1;

	*length = 1;
	for (int i = 0; i < GROUPS; i++) {
		int run = 0;

		while (i + run < GROUPS && group_at(a, i + run) == 0)
			run++;
		if (run > *length) {
			best = i;
			*length = run;
		}
	}
	return best;
}

void
addr_text(struct text *t, const struct addr *a)
{
	int gap, length;

	if (addr_is_v4(a)) {
		for (int i = 0; i < 4; i++) {
			if (i > 0)
				text_char(t, '.');
			text_dec(t, a->b[ADDR_V4_OFFSET + i], 0, ' ');
		}
		return;
	}
	gap = longest_gap(a, &length);
	for (int i = 0; i < GROUPS; i++) {
		if (i == gap) {
			text_str(t, "::");
			i += length - 1;
			continue;
		}
		if (i > 0 && i != gap + length)
			text_char(t, ':');
		text_hex(t, group_at(a, i), 1);
	}
}
