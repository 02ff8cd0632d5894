/*
 * svcb: the parameters of SVCB and HTTPS records (RFC 9460): as text, in wire format, and whether
 * they are well-formed.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/zimage/rdata.h"
#include "dns/zone/zfield.h"

/* RFC 9460 section 14.3.2, RFC 9461 (dohpath), RFC 9540 (ohttp) */
enum key {
	KEY_MANDATORY = 0, KEY_ALPN = 1, KEY_NO_DEFAULT_ALPN = 2, KEY_PORT = 3, KEY_IPV4HINT = 4,
	KEY_ECH = 5, KEY_IPV6HINT = 6, KEY_DOHPATH = 7, KEY_OHTTP = 8,
	KEY_OPAQUE = 65535         /* reserved: its value has no form */
};

/* By number: the name, how many bytes a value has (a multiple of `each`), the fault of others. */
static const struct {
	const char *name;
	uint16_t least, most, each;
	const char *fault;
} keys[] = {
	[KEY_MANDATORY] = { "mandatory", 2, ZRDATA_MAX, 2, "mandatory names no keys" },
	[KEY_ALPN] = { "alpn", 1, ZRDATA_MAX, 1, "alpn has no value, or an empty one among them" },
	[KEY_NO_DEFAULT_ALPN] = { "no-default-alpn", 0, 0, 1, "no-default-alpn takes no value" },
	[KEY_PORT] = { "port", 2, 2, 2, "port needs a number" },
	[KEY_IPV4HINT] = { "ipv4hint", 4, ZRDATA_MAX, 4, "ipv4hint needs IPv4 addresses" },
	[KEY_ECH] = { "ech", 1, ZRDATA_MAX, 1, "ech needs a value" },
	[KEY_IPV6HINT] = { "ipv6hint", 16, ZRDATA_MAX, 16, "ipv6hint needs IPv6 addresses" },
	[KEY_DOHPATH] = { "dohpath", 1, ZRDATA_MAX, 1, "dohpath needs a relative URI template with "
	    "the variable dns, such as /dns-query{?dns}" },
	[KEY_OHTTP] = { "ohttp", 0, 0, 1, "ohttp takes no value" },
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

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

static bool
alpn_whole(const struct param *p)
{
	size_t at = 0;

	while (at < p->len && p->value[at] > 0)
		at += 1u + p->value[at];
	return at == p->len;
}

static const char *
param_fault(const struct param *p, const uint8_t *rdata, size_t len, size_t params)
{
	if (p->key >= KEYS)
		return NULL;
	if (p->len < keys[p->key].least || p->len > keys[p->key].most ||
	    p->len % keys[p->key].each != 0)
		return keys[p->key].fault;
	switch (p->key) {
	case KEY_MANDATORY:
		return mandatory_fault(p, rdata, len, params);
	case KEY_ALPN:
		return alpn_whole(p) ? NULL : keys[KEY_ALPN].fault;
	case KEY_NO_DEFAULT_ALPN:
		return has_key(rdata, len, params, KEY_ALPN) ? NULL : "no-default-alpn needs alpn";
	case KEY_DOHPATH:
		return p->value[0] == '/' && memmem(p->value, p->len, "{?", 2) != NULL &&
		    memmem(p->value, p->len, "dns", 3) != NULL ? NULL : keys[KEY_DOHPATH].fault;
	default:
		return NULL;
	}
}

const char *
svcb_fault(const uint8_t *rdata, size_t len)
{
	size_t name = len > 2 ? dns_name_len(rdata + 2, len - 2) : 0;
	size_t params = 2 + name, at = params;
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

/* ---- text ---- */

#define KEY_TEXT 32

/* A key by its name, or as key0 to key65535 without zeros in front. */
static bool
key_number(const char *t, size_t len, uint16_t *key)
{
	uint64_t n;

	for (unsigned i = 0; i < KEYS; i++) {
		if (strlen(keys[i].name) == len && memcmp(keys[i].name, t, len) == 0) {
			*key = (uint16_t)i;
			return true;
		}
	}
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): `len` are there */
	if (len < 4 || memcmp(t, "key", 3) != 0 || (t[3] == '0' && len > 4) ||
	    !ztoken_number(t + 3, len - 3, KEY_OPAQUE, &n))
		return false;
	*key = (uint16_t)n;
	return true;
}

static const char *
key_text(uint16_t key, char buf[KEY_TEXT])
{
	if (key < KEYS)
		return keys[key].name;
	(void)snprintf(buf, KEY_TEXT, "key%u", key);   /* fits */
	return buf;
}

/* A value on its way: as text without quotes and escapes, and in wire format behind `wire`. */
struct value {
	uint8_t raw[ZRDATA_MAX + 1];   /* terminated */
	size_t raw_len;
	uint8_t wire[ZRDATA_MAX];
	size_t len;
};

/* The list of appendix A.1: `,` between the items, and `\` before what is meant as itself. */
static bool
value_alpn(struct zrdata_in *in, struct value *v)
{
	size_t begin = 0, at = 1;

	for (size_t i = 0; i <= v->raw_len; i++) {
		if (i == v->raw_len || v->raw[i] == ',') {
			if (at == begin + 1 || at - begin - 1 > UINT8_MAX)
				return zfield_fail(in,
				    "alpn has no value, or an empty one among them, or one of more "
				    "than 255 bytes");
			v->wire[begin] = (uint8_t)(at - begin - 1);
			begin = at++;
			continue;
		}
		if (v->raw[i] == '\\' && ++i == v->raw_len)
			return zfield_fail(in, "alpn ends with a backslash");
		if (at >= sizeof(v->wire) - 1)
			return zfield_fail(in, "more than %d bytes of data", ZRDATA_MAX);
		v->wire[at++] = v->raw[i];
	}
	v->len = begin;
	return true;
}

/* One item of a list; false when it is none, or does not fit. */
static bool
value_item(struct value *v, uint16_t key, const char *t, size_t len)
{
	uint8_t wire[16];
	uint16_t number;
	size_t n = keys[key].each;

	if (key == KEY_MANDATORY) {
		if (!key_number(t, len, &number))
			return false;
		dns_put16(wire, number);
	} else if (!zfield_parse_ip(t, len, key == KEY_IPV4HINT ? AF_INET : AF_INET6, wire)) {
		return false;
	}
	if (n > sizeof(v->wire) - v->len)
		return false;
	memcpy(v->wire + v->len, wire, n);
	v->len += n;
	return true;
}

static int
by_key(const void *a, const void *b)
{
	return (int)dns_get16(a) - (int)dns_get16(b);
}

static bool
value_list(struct zrdata_in *in, struct value *v, uint16_t key)
{
	const char *t = (const char *)v->raw, *end = t + v->raw_len, *comma;
	char name[KEY_TEXT];

	for (; t <= end; t = comma + 1) {
		comma = memchr(t, ',', (size_t)(end - t));
		if (comma == NULL)
			comma = end;
		in->token = t;
		in->token_len = (size_t)(comma - t);
		if (!value_item(v, key, t, in->token_len))
			return zfield_wrong(in, " among the values of %s", key_text(key, name));
	}
	if (key == KEY_MANDATORY)
		qsort(v->wire, v->len / 2, 2, by_key);   /* written in any order (section 8) */
	return true;
}

/* What the key makes of its value; svcb_fault knows which key may have an empty one. */
static bool
value_encode(struct zrdata_in *in, uint16_t key, bool generic, struct value *v)
{
	uint64_t port;
	ssize_t n;

	v->len = 0;
	in->token = (const char *)v->raw;
	in->token_len = v->raw_len;
	switch (v->raw_len == 0 || generic ? KEY_OPAQUE : key) {
	case KEY_ALPN:
		return value_alpn(in, v);
	case KEY_MANDATORY: case KEY_IPV4HINT: case KEY_IPV6HINT:
		return value_list(in, v, key);
	case KEY_PORT:
		if (!ztoken_number(in->token, in->token_len, UINT16_MAX, &port))
			return zfield_wrong(in, " is not a number from 0 to 65535");
		dns_put16(v->wire, (uint16_t)port);
		v->len = 2;
		return true;
	case KEY_ECH:
		n = zfield_parse_base64(in->token, in->token_len, v->wire, sizeof(v->wire));
		if (n < 0)
			return zfield_wrong(in, " is not base64, whole and with its padding");
		v->len = (size_t)n;
		return true;
	default:
		memcpy(v->wire, v->raw, v->raw_len);
		v->len = v->raw_len;
		return true;
	}
}

/* The character-string in->token, perhaps in quotes, as the value's raw text. */
static bool
value_unquote(struct zrdata_in *in, struct value *v)
{
	const char *t = in->token;
	bool quoted = in->token_len > 0 && t[0] == '"';
	size_t i = quoted;
	int c;

	v->raw_len = 0;
	while (i < in->token_len && t[i] != '"') {
		if ((c = zfield_unescape(t, in->token_len, &i)) < 0)
			return zfield_wrong(in, ZFIELD_ESCAPE);
		if (v->raw_len == ZRDATA_MAX)
			return zfield_fail(in, "more than %d bytes of data", ZRDATA_MAX);
		v->raw[v->raw_len++] = (uint8_t)c;
	}
	v->raw[v->raw_len] = '\0';
	return i + quoted == in->token_len ||
	    zfield_wrong(in, ": a value stands in quotes as a whole, or has none");
}

/* Puts a parameter in its place from `first` on: keys are in ascending order (section 2.2). */
static bool
param_insert(struct zrdata_in *in, size_t first, uint16_t key, const struct value *v, int *last)
{
	size_t at = in->len, tail;
	struct param p;

	if (key < *last) {
		size_t next = first;

		do
			at = next;
		while (param_next(in->out, in->len, &next, &p) && p.key <= key);
	} else {
		*last = key;
	}
	tail = in->len - at;
	if (!zfield_put_number(in, 0, 4) || !zfield_put(in, v->wire, v->len))
		return false;
	memmove(in->out + at + 4 + v->len, in->out + at, tail);
	dns_put16(in->out + at, key);
	dns_put16(in->out + at + 2, (uint16_t)v->len);
	memcpy(in->out + at + 4, v->wire, v->len);
	return true;
}

static bool
params_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	const size_t first = in->len;
	struct value v;
	int last = -1;

	while (in->t[0] != '\0') {
		const char *t = in->t, *end = t + ztoken_len(t);
		const char *equals = memchr(t, '=', (size_t)(end - t));
		uint16_t key;

		in->token = t;
		in->token_len = (size_t)((equals != NULL ? equals : end) - t);
		if (!key_number(t, in->token_len, &key))
			return zfield_wrong(in, " is not the key of a parameter; any can be "
			    "written as key0 to key%d", KEY_OPAQUE);
		in->token = equals != NULL ? equals + 1 : end;
		in->token_len = (size_t)(end - in->token);
		if (!value_unquote(in, &v) ||
		    !value_encode(in, key, memcmp(t, "key", 3) == 0, &v) ||
		    !param_insert(in, first, key, &v, &last))
			return false;
		in->t = end + (*end == ' ');
	}
	return true;
}

static ssize_t
params_span(const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	struct param param;
	size_t at = 0;

	while (at < len)
		if (!param_next(p, len, &at, &param))
			return -1;
	return (ssize_t)len;
}

/* The list of appendix A.1, in quotes. */
static void
print_alpn(struct ztext *x, const struct param *p)
{
	uint8_t *list = mem_zero(2 * p->len + 1, 1);
	size_t n = 0;

	for (size_t at = 0; at < p->len; at += 1u + p->value[at]) {
		if (at > 0)
			list[n++] = ',';
		for (unsigned i = 1; i <= p->value[at]; i++) {
			if (p->value[at + i] == ',' || p->value[at + i] == '\\')
				list[n++] = '\\';
			list[n++] = p->value[at + i];
		}
	}
	ztext_add_quoted(x, list, n);
	free(list);
}

static void
print_list(struct ztext *x, const struct param *p)
{
	char text[KEY_TEXT];

	for (size_t at = 0; at < p->len; at += keys[p->key].each) {
		if (at > 0)
			ztext_add(x, ",");
		if (p->key == KEY_MANDATORY)
			ztext_add(x, "%s", key_text(dns_get16(p->value + at), text));
		else
			ztext_add_ip(x, p->key == KEY_IPV4HINT ? AF_INET : AF_INET6, p->value + at);
	}
}

static void
print_param(struct ztext *x, const struct param *p)
{
	char name[KEY_TEXT];

	ztext_add(x, "%s", key_text(p->key, name));
	if (p->len == 0)
		return;
	ztext_add(x, "=");
	switch (p->key) {
	case KEY_MANDATORY: case KEY_IPV4HINT: case KEY_IPV6HINT:
		print_list(x, p);
		break;
	case KEY_ALPN:
		print_alpn(x, p);
		break;
	case KEY_PORT:
		ztext_add(x, "%u", dns_get16(p->value));
		break;
	case KEY_ECH:
		ztext_add_base64(x, p->value, p->len);
		break;
	default:
		ztext_add_quoted(x, p->value, p->len);
	}
}

static bool
params_print(struct ztext *x, const uint8_t *rdata, size_t len, UNUSED const struct zfield *f)
{
	struct param p;
	size_t at = 0;

	while (at < len) {
		if (at > 0)
			ztext_add(x, " ");
		if (!param_next(rdata, len, &at, &p))
			return false;
		print_param(x, &p);
	}
	return true;
}

const struct zfield zfield_params = ZFIELD(params_read, params_span, params_print, 0);
