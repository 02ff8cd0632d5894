/* zhint: phrases for the types that people write by hand. */
#include "dns/zhint.h"

#include <ldns/rr.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *type, *needs;
} hints[] = {
	{ "A", "an IPv4 address, such as 192.0.2.1" },
	{ "AAAA", "an IPv6 address, such as 2001:db8::1" },
	{ "CAA", "flags, a tag and a value, such as 0 issue \"ca.example.net\"" },
	{ "CNAME", "one name" },
	{ "DNAME", "one name" },
	{ "HTTPS", "a priority, a name and parameters, such as 1 . alpn=h2" },
	{ "MX", "a preference and a name, such as 10 mail" },
	{ "NS", "one name" },
	{ "PTR", "one name" },
	{ "SOA", "two names and five numbers: primary, mailbox, serial, refresh, retry, expire, negative TTL" },
	{ "SRV", "three numbers and a name: priority, weight, port, target" },
	{ "SVCB", "a priority, a name and parameters, such as 1 . alpn=h2" },
	{ "TXT", "texts of at most 255 characters each, with blanks in quotes" },
};

void
zhint(const char *type, size_t len, char *buf, size_t size)
{
	char name[32];

	if (len == 0) {
		snprintf(buf, size, "a type and its data are missing");
		return;
	}
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (strlen(hints[i].type) == len && strncasecmp(hints[i].type, type, len) == 0) {
			snprintf(buf, size, "%s needs %s", hints[i].type, hints[i].needs);
			return;
		}
	}
	snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1), type);
	if (len >= sizeof(name) || ldns_get_rr_type_by_name(name) == 0)
		snprintf(buf, size, "there is no record type \"%s\"; any type can be written as TYPE65280 \\# LENGTH HEX", name);
	else
		snprintf(buf, size, "this is no data of type %s; any data can be written as \\# LENGTH HEX", name);
}
