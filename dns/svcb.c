/* svcb: parameters of SVCB and HTTPS. */
#include "dns/svcb.h"

#include <stdbool.h>

#include "dns/name.h"
#include "dns/rdata.h"

enum key { KEY_MANDATORY = 0, KEY_ALPN = 1, KEY_NO_DEFAULT_ALPN = 2, KEY_PORT = 3, KEY_IPV4HINT = 4, KEY_IPV6HINT = 6 };

struct param {
	uint16_t key;
	size_t len;
	const uint8_t *value;
};

/* The parameter at *at, which moves behind it; false when it is cut off. */
static bool
param_next(const uint8_t *rdata, size_t len, size_t *at, struct param *p)
{
	if (len - *at < 4)
		return false;
	p->key = dns_get16(rdata + *at);
	p->len = dns_get16(rdata + *at + 2);
	p->value = rdata + *at + 4;
	if (p->len > len - *at - 4)
		return false;
	*at += 4 + p->len;
	return true;
}

static bool
has_key(const uint8_t *rdata, size_t len, size_t at, uint16_t key)
{
	struct param p;

	while (at < len && param_next(rdata, len, &at, &p))
		if (p.key == key)
			return true;
	return false;
}

/* RFC 9460 section 8: keys in ascending order, each of them there, itself not among them. */
static const char *
mandatory_fault(const struct param *p, const uint8_t *rdata, size_t len, size_t params)
{
	if (p->len == 0 || p->len % 2 != 0)
		return "mandatory names no keys";
	for (size_t i = 0; i < p->len; i += 2) {
		uint16_t key = dns_get16(p->value + i);

		if (key == KEY_MANDATORY)
			return "mandatory names itself";
		if (i > 0 && key <= dns_get16(p->value + i - 2))
			return "mandatory names a key twice, or not in ascending order";
		if (!has_key(rdata, len, params, key))
			return "mandatory names a key that is not there";
	}
	return NULL;
}

static const char *
alpn_fault(const struct param *p)
{
	size_t at = 0;

	while (at < p->len && p->value[at] > 0)
		at += 1u + p->value[at];
	return p->len == 0 || at != p->len ? "alpn has no value, or an empty one among them" : NULL;
}

static const char *
param_fault(const struct param *p, const uint8_t *rdata, size_t len, size_t params)
{
	switch (p->key) {
	case KEY_MANDATORY:
		return mandatory_fault(p, rdata, len, params);
	case KEY_ALPN:
		return alpn_fault(p);
	case KEY_NO_DEFAULT_ALPN:
		if (p->len > 0)
			return "no-default-alpn takes no value";
		return has_key(rdata, len, params, KEY_ALPN) ? NULL : "no-default-alpn needs alpn";
	case KEY_PORT:
		return p->len == 2 ? NULL : "port needs a number";
	case KEY_IPV4HINT:
		return p->len > 0 && p->len % 4 == 0 ? NULL : "ipv4hint needs IPv4 addresses";
	case KEY_IPV6HINT:
		return p->len > 0 && p->len % 16 == 0 ? NULL : "ipv6hint needs IPv6 addresses";
	default:
		return NULL;
	}
}

const char *
svcb_fault(const uint8_t *rdata, size_t len)
{
	size_t name = len > 2 ? dns_name_len(rdata + 2, len - 2) : 0, params = 2 + name, at = params;
	const char *fault = NULL;
	struct param p;
	int last = -1;

	if (name == 0)
		return "a priority and a name are needed";
	while (at < len && fault == NULL) {
		if (!param_next(rdata, len, &at, &p))
			return "the last parameter is cut off";
		if (p.key == last)
			return "a key stands there twice";
		if (p.key < last)
			return "keys are not in ascending order";
		last = p.key;
		fault = param_fault(&p, rdata, len, params);
	}
	return fault;
}
