/* zhint: phrases for the types that people write by hand. */
#include "dns/zone/zhint.h"

#include <stddef.h>
#include <stdio.h>

#include "dns/zimage/rdata.h"
#include "dns/zone/ztype.h"

#define TYPE_CAA 257

static const struct {
	uint16_t type;
	const char *needs;
} hints[] = {
	{ DNS_T_A, "A needs an IPv4 address, such as 192.0.2.1" },
	{ DNS_T_AAAA, "AAAA needs an IPv6 address, such as 2001:db8::1" },
	{ TYPE_CAA, "CAA needs flags, a tag and a value, such as 0 issue \"ca.example.net\"" },
	{ DNS_T_CNAME, "CNAME needs one name" },
	{ DNS_T_DNAME, "DNAME needs one name" },
	{ DNS_T_HTTPS, "HTTPS needs a priority, a name and parameters, such as 1 . alpn=h2" },
	{ DNS_T_MX, "MX needs a preference and a name, such as 10 mail" },
	{ DNS_T_NS, "NS needs one name" },
	{ DNS_T_PTR, "PTR needs one name" },
	{ DNS_T_SOA,
	    "SOA needs two names and five numbers: primary, mailbox, serial, refresh, retry, "
	    "expire, negative TTL" },
	{ DNS_T_SRV, "SRV needs three numbers and a name: priority, weight, port, target" },
	{ DNS_T_SVCB, "SVCB needs a priority, a name and parameters, such as 1 . alpn=h2" },
	{ DNS_T_TXT, "TXT needs texts of at most 255 characters each, with blanks in quotes" },
};

void
zhint(uint16_t type, char *buf, size_t size)
{
	char name[ZTYPE_TEXT];

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (hints[i].type == type) {
			(void)snprintf(buf, size, "%s", hints[i].needs);   /* cut where too long */
			return;
		}
	}
	(void)snprintf(buf, size,
	    "this is no data of type %s; any data can be written as \\# LENGTH HEX",
	    ztype_text(type, name)); /* fits */
}
