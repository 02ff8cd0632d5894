/*
 * activity_element: reads "MAC . ADDRESS . PORT . PORT counter packets N bytes N ... expires TIME".
 * (nftables 1.0.6 has no JSON for elements.)
 */
#include "vm/net/activity_element.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "vm/net/activity_rules.h"

int64_t
activity_element_expires(const char *text, int64_t most_s)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
	    { "d", 86400000 } };
	const char *p = text != NULL ? strstr(text, " expires ") : NULL;
	int64_t left = 0;

	if (p == NULL)
		return -1;
	for (p += strlen(" expires "); *p >= '0' && *p <= '9';) {
		char *end;
		long n = strtol(p, &end, 10);
		size_t i = 0, count = sizeof(units) / sizeof(units[0]);

		while (i < count && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (i == count || n < 0 || n > most_s * (int64_t)MS_PER_S)
			return -1;
		left += n * units[i].ms;
		p = end + strlen(units[i].unit);
	}
	return left <= most_s * (int64_t)MS_PER_S ? left : -1;
}

/* " . PORT"; false: something else. */
static bool
take_port(const char **p, uint16_t *port)
{
	unsigned long n;
	char *end;

	if (strncmp(*p, " . ", 3) != 0)
		return false;
	n = strtoul(*p + 3, &end, 10);
	if (end == *p + 3 || n > UINT16_MAX)
		return false;
	*port = (uint16_t)n;
	*p = end;
	return true;
}

/* What stands behind the MAC; *end: behind the key. */
static bool
take_key(const char *p, struct vm_flow *flow, const char **end)
{
	char addr[ADDR_TEXT];
	size_t len;

	if (strncmp(p, " . ", 3) != 0)
		return false;
	p += 3;
	len = strcspn(p, " ");
	if (len >= sizeof(addr))
		return false;
	memcpy(addr, p, len);
	addr[len] = '\0';
	*end = p + len;
	return addr_parse(addr, &flow->peer) && take_port(end, &flow->peer_port) &&
	    take_port(end, &flow->port);
}

bool
activity_element_flow(const char **text, const uint8_t mac[6], struct activity_flow *f)
{
	const char *name = ADDR_MAC_STR(mac), *at;

	while ((at = strstr(*text, name)) != NULL) {
		const char *end, *bytes;

		*text = at + strlen(name);
		*f = (struct activity_flow){ .left_ms = -1 };
		if (!take_key(*text, &f->flow, &end) || (size_t)(end - at) >= sizeof(f->key))
			continue;
		memcpy(f->key, at, (size_t)(end - at));
		f->left_ms = activity_element_expires(end, FLOW_KEEP_S);
		bytes = strstr(end, " bytes ");
		if (bytes != NULL)
			f->flow.bytes = strtoull(bytes + strlen(" bytes "), NULL, 10);
		if (f->left_ms >= 0)
			return true;
	}
	return false;
}
