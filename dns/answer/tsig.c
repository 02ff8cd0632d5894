/* tsig: reads TSIG records, and says that the key is not known. */
#include <string.h>

#include "dns/answer/query.h"
#include "dns/zimage/rdata.h"

#define FIXED_LEN 10
#define TIME_LEN 6
#define HEAD_LEN (TIME_LEN + 4)   /* behind the algorithm: time signed, fudge, MAC size */
#define TAIL_LEN 6                /* behind the MAC: original ID, error, other length */
#define ERROR_BADKEY 17

/* The name at `at`, which may be compressed, into `name`; its length, or 0 when it is malformed. */
static size_t
name_expand(const uint8_t *wire, size_t wire_len, const uint8_t *at, uint8_t name[DNS_WIRE_NAME])
{
	const uint8_t *end = wire + wire_len, *before = at;
	size_t len = 0;

	while (at < end) {
		if ((*at & 0xc0) == 0xc0) {
			size_t to = 0;

			if (end - at < 2 ||
			    (to = dns_get16(at) & 0x3fffu) >= (size_t)(before - wire))
				return 0;   /* only backwards, so that it ends */
			before = at = wire + to;
			continue;
		}
		if (*at > 63 || end - at < 1 + *at || len + 1u + *at > DNS_WIRE_NAME)
			return 0;
		memcpy(name + len, at, 1u + *at);
		len += 1u + *at;
		if (*at == 0)
			return len;
		at += 1u + *at;
	}
	return 0;
}

bool
tsig_parse(struct dns_tsig *t, const uint8_t *wire, size_t len, const uint8_t *owner,
    const uint8_t *fixed)
{
	const uint8_t *rdata = fixed + FIXED_LEN;
	size_t rdlen = dns_get16(fixed + 8), algorithm = dns_name_len(rdata, rdlen), mac, other;
	uint8_t name[DNS_WIRE_NAME];

	/* RFC 8945 section 4.2: the owner may be compressed, the algorithm may not. */
	if (dns_get16(fixed + 2) != DNS_CLASS_ANY || dns_get32(fixed + 4) != 0 ||
	    algorithm == 0 || rdlen < algorithm + HEAD_LEN + TAIL_LEN)
		return false;
	mac = dns_get16(rdata + algorithm + TIME_LEN + 2);
	if (rdlen < algorithm + HEAD_LEN + mac + TAIL_LEN)
		return false;
	other = dns_get16(rdata + algorithm + HEAD_LEN + mac + 4);
	if (rdlen != algorithm + HEAD_LEN + mac + TAIL_LEN + other ||
	    name_expand(wire, len, owner, name) == 0)
		return false;
	t->owner = owner;
	t->rdata = rdata;
	return true;
}

size_t
tsig_reply_len(const struct dns_tsig *t, const uint8_t *wire, size_t len)
{
	uint8_t name[DNS_WIRE_NAME];

	if (t->rdata == NULL)
		return 0;
	return name_expand(wire, len, t->owner, name) + FIXED_LEN +
	    dns_name_len(t->rdata, DNS_WIRE_NAME) + HEAD_LEN + TAIL_LEN;
}

void
tsig_reply_put(const struct dns_tsig *t, const uint8_t *wire, size_t len, uint8_t *p)
{
	size_t algorithm = dns_name_len(t->rdata, DNS_WIRE_NAME);

	p += name_expand(wire, len, t->owner, p);
	dns_put16(p, DNS_T_TSIG);
	dns_put16(p + 2, DNS_CLASS_ANY);
	dns_put32(p + 4, 0);
	dns_put16(p + 8, (uint16_t)(algorithm + HEAD_LEN + TAIL_LEN));
	p += FIXED_LEN;
	/* RFC 8945 section 5.3.2: without a MAC; algorithm, time and fudge are the client's. */
	memcpy(p, t->rdata, algorithm + TIME_LEN + 2);
	p += algorithm + TIME_LEN + 2;
	dns_put16(p, 0);
	memcpy(p + 2, wire, 2);   /* the ID */
	dns_put16(p + 4, ERROR_BADKEY);
	dns_put16(p + 6, 0);
}
