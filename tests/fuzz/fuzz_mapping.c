/*
 * fuzz_mapping: any strings, names and addresses become units within the rules, or findings.  The
 * input is one unit per line: owner, addresses and strings with tabs between.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/units/mapping.h"
#include "src/units/spec.h"
#include "tests/unit/src/units/add_units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNITS 16

static const char conf_text[] =
    "network \"lan\" { bridge = b0\n subnets = { \"10.77.0.0/24\", \"fd77::/64\" }"
    " gateway = 10.77.0.1\n"
    " units = { \"10.77.0.10-10.77.0.255\", \"fd77::a:0/112\" } }\n"
    "image \"i\" { kernel = k network = lan"
    " cmdline = 'name={name} ip={address}/{prefixlen} gw={gateway}' nics = lan }\n"
    "image \"d\" { disks = { '/d/{name}', '/d/x' } network = lan overlay = yes args = '{mac}' }\n"
    "image \"w\" { disks = { '/d/x' } network = lan }\n"
    "zone \"t\" { file = t }\n";

static struct config *
configuration(void)
{
	static struct config *conf;
	struct report r;

	report_init(&r);
	if (conf == NULL && config_load_text("/c/jitsu.conf", NULL, conf_text,
	    sizeof(conf_text) - 1, &conf, &r) != ERR_OK)
		abort();
	report_clear(&r);
	return conf;
}

/* One field of a line into the unit; the first is the owner. */
static void
take_field(struct dns_unit *u, const char *field, size_t len)
{
	char word[64];

	snprintf(word, sizeof(word), "%.*s", (int)(len < 63 ? len : 63), field);
	if (u->owner[0] == '\0') {
		snprintf(u->owner, sizeof(u->owner), "%s", word);
		for (char *p = u->owner; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
	} else if (u->naddrs < LIMIT_UNIT_ADDRS && addr_parse(word, &u->addrs[u->naddrs])) {
		u->naddrs++;
	} else if (u->nstrings < DNS_UNIT_STRINGS) {
		u->strings[u->nstrings].data = field;
		u->strings[u->nstrings].len = (uint8_t)(len < 255 ? len : 255);
		u->nstrings++;
	}
}

static void
take_line(struct dns_unit *u, const char *line, size_t len, unsigned number)
{
	memset(u, 0, sizeof(*u));
	u->line = number;
	u->ttl = number * 100;
	snprintf(u->file, sizeof(u->file), "f");
	for (size_t at = 0; at < len;) {
		const char *tab = memchr(line + at, '\t', len - at);
		size_t field = tab == NULL ? len - at : (size_t)(tab - line) - at;

		take_field(u, line + at, field);
		at += field + 1;
	}
}

/* What the rules promise of every unit. */
static void
check(const struct config *conf, const struct mapping_secret *secret, const struct unit_conf *u)
{
	static const struct vm_uuid uuid;
	struct vm_spec s;

	if (u->target != NULL) {
		if (u->target->image == NULL)
			abort();
		return;
	}
	if (strspn(u->name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(u->name))
		abort();
	if (u->policy.memory_bytes > u->image->policy.memory_bytes ||
	    u->policy.idle_ms == UINT32_MAX || u->naddrs == 0 || (u->mac[0] & 1) != 0)
		abort();
	if (spec_build(conf, secret, u, &uuid, &s, NULL) != ERR_OK)
		abort();
	arena_clear(&s.memory);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_unit units[UNITS];
	static const struct mapping_secret secret;
	const struct config *conf = configuration();
	struct mapping_set *set = mapping_set_new(conf, &secret, NULL, 0);
	struct report r;
	uint32_t n = 0;

	report_init(&r);
	for (size_t at = 0; at < size && n < UNITS; n++) {
		const char *line = (const char *)data + at, *end = memchr(line, '\n', size - at);
		size_t len = end == NULL ? size - at : (size_t)(end - line);

		take_line(&units[n], line, len, n + 1);
		at += len + 1;
	}
	if (add_units(set, &conf->zones[0], units, n, &r) == ERR_OK &&
	    mapping_set_finish(set, &r) == ERR_OK) {
		for (uint32_t i = 0; i < n; i++)
			check(conf, &secret, mapping_zone_unit(set, &conf->zones[0], i));
	} else if (r.nerrors == 0 || mapping_set_units(set) != 0) {
		abort();
	}
	report_clear(&r);
	mapping_set_free(set);
	return 0;
}
