/* mapping_test: from TXT strings to units, and everything that zones may not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/units/mapping.h"
#include "src/units/unit_addr.h"
#include "tests/unit/src/units/add_units.h"

static const char conf_text[] = "network \"lan\" { bridge = b0\n subnets = { \"10.77.0.0/24\", "
    "\"fd77::/64\" }\n gateway = { \"10.77.0.1\", \"fd77::1\" } packets = no\n"
    " units = { \"10.77.0.10-10.77.0.255\", \"fd77::a:0/112\" } }\n"
    "network \"big\" { bridge = b1\n subnets = { \"10.128.0.0/9\" } "
    "units = { \"10.128.0.0/9\" } }\n"
    "image \"hello\" { kernel = k network = lan memory = 64M cmdline = "
    "'name={name} ip={address}/{prefixlen}' }\n"
    "image \"uuid\" { kernel = k network = lan cmdline = '{uuid}' }\n"
    "image \"dom\" { driver = xen kernel = k network = lan }\n"
    "image \"six\" { kernel = k network = lan cmdline = '{address6}' "
    "}\n"
    "image \"any\" { kernel = k network = lan idle = 5m unused-after = "
    "0s nics = { big } passive-from = { \"10.9.0.0/16\" } }\n"
    "image \"disk\" { disks = { '/d/one' } network = lan }\n"
    "image \"own\" { disks = { '/d/{name}', '/d/base,readonly' } "
    "network = lan }\n"
    "image \"over\" { disks = { '/d/one2' } overlay = yes network = "
    "lan }\n"
    "image \"base\" { disks = { '/d/base' } network = lan }\n"
    "image \"wide\" { kernel = k network = big }\n"
    "image \"script\" { driver = xen kernel = k network = big vif-script = '/s' }\n"
    "zone \"a.test\" { file = a }\n"
    "zone \"b.test\" { file = b images = { hello } }\n";

static const struct mapping_secret secret = { .key = { 1, 2, 3 } };

struct fixture {
	struct config *conf;
	struct mapping_set *set;
	const struct config_zone *a, *b;
	struct report r;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct msg_addr host;

	assert_non_null(f);
	report_init(&f->r);
	assert_int_equal(config_load_text("/c/jitsu.conf", NULL, conf_text, sizeof(conf_text) - 1,
			     &f->conf, &f->r),
	    ERR_OK);
	assert_true(addr_parse("10.77.0.99", &host));
	f->set = mapping_set_new(f->conf, &secret, &host, 1);
	f->a = config_zone_find(f->conf, "a.test");
	f->b = config_zone_find(f->conf, "b.test");
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	mapping_set_free(f->set);
	config_free(f->conf);
	report_clear(&f->r);
	free(f);
	return 0;
}

/* `text`: addresses, then strings, separated by spaces.  `line` is where it stands. */
static struct dns_unit
unit(const char *owner, const char *text, unsigned line)
{
	struct dns_unit u = { .ttl = 60, .line = line };

	snprintf(u.owner, sizeof(u.owner), "%s", owner);
	snprintf(u.file, sizeof(u.file), "x.zone");
	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		char word[64];

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		if (addr_parse(word, &u.addrs[u.naddrs])) {
			u.naddrs++;
		} else {
			u.strings[u.nstrings].data = text;
			u.strings[u.nstrings].len = (uint8_t)len;
			u.nstrings++;
		}
		text += len + (text[len] == ' ');
	}
	return u;
}

/* The first finding of adding one unit to zone a. */
static void
expect(struct fixture *f, const char *owner, const char *text, const char *want)
{
	struct dns_unit u = unit(owner, text, 7);
	char line[2048], begin[300];

	report_clear(&f->r);
	if (add_units(f->set, f->a, &u, 1, &f->r) != ERR_PARSE)
		fail_msg("%s %s is accepted", owner, text);
	assert_false(mapping_zone_added(f->set, f->a));
	assert_null(mapping_unit_find(f->set, owner));
	report_format(&f->r, 0, line, sizeof(line));
	snprintf(begin, sizeof(begin), "x.zone:7: %s: ", owner);
	if (strncmp(line, begin, strlen(begin)) != 0 || strstr(line, want) == NULL)
		fail_msg("%s %s: not \"%s\": %s", owner, text, want, line);
}

static const struct unit_conf *
add_one(struct fixture *f, const char *owner, const char *text)
{
	struct dns_unit u = unit(owner, text, 3);
	char line[2048];

	if (add_units(f->set, f->a, &u, 1, &f->r) != ERR_OK ||
	    mapping_set_finish(f->set, &f->r) != ERR_OK) {
		report_format(&f->r, 0, line, sizeof(line));
		fail_msg("%s", line);
	}
	return mapping_unit_find(f->set, owner);
}

static void
a_unit(void **state)
{
	struct fixture *f = *state;
	const struct unit_conf *u = add_one(f, "www.a.test",
	    "10.77.0.10 fd77::a:1 image=hello IDLE=90s hold=2s memory=32M answer=now sleep=freeze "
	    "min-up=0s mac=02:00:00:00:00:aa");

	assert_non_null(u);
	assert_ptr_equal(u, mapping_zone_unit(f->set, f->a, 0));
	assert_string_equal(u->image->name, "hello");
	assert_int_equal(u->policy.idle_ms, 90000);
	assert_int_equal(u->policy.hold_ms, 2000);
	assert_int_equal(u->policy.min_up_ms, 0);
	assert_int_equal(u->policy.unused_after_ms, 60000);
	assert_int_equal(u->policy.answer, CONFIG_ANSWER_NOW);
	assert_int_equal(u->policy.sleep, CONFIG_SLEEP_FREEZE);
	assert_true(u->policy.memory_bytes == 32u << 20);
	assert_int_equal(u->mac[5], 0xaa);
	assert_int_equal(u->naddrs, 2);
	assert_int_equal(unit_addr(u, 4)->prefixlen, 24);
	assert_int_equal(unit_addr(u, 6)->prefixlen, 64);
	assert_non_null(unit_addr_gateway(u->image->network, unit_addr(u, 6)));
	assert_int_equal(mapping_set_units(f->set), 1);
	assert_int_equal(add_units(f->set, f->a, NULL, 0, &f->r), ERR_EXISTS);
}

static void
idle_follows_the_ttl(void **state)
{
	static const struct {
		uint32_t ttl, idle_ms, unused_ms;
	} cases[] = { { 0, 60000, 30000 }, { 29, 60000, 30000 }, { 31, 62000, 31000 },
		{ 300, 600000, 300000 }, { 4294967295u, 600000, 600000 } };
	struct fixture *f = *state;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mapping_set *set = mapping_set_new(f->conf, &secret, NULL, 0);
		struct dns_unit u = unit("w.a.test", "10.77.0.10 image=hello", 1);
		const struct unit_conf *uc;

		u.ttl = cases[i].ttl;
		assert_int_equal(add_units(set, f->a, &u, 1, &f->r), ERR_OK);
		uc = mapping_unit_find(set, "w.a.test");
		assert_int_equal(uc->policy.idle_ms, cases[i].idle_ms);
		assert_int_equal(uc->policy.unused_after_ms, cases[i].unused_ms);
		mapping_set_free(set);
	}
}

/* Whoever checks is told of an idle that is shorter than the TTL, where somebody wrote it. */
static void
a_short_idle_is_warned_of(void **state)
{
	static const struct {
		const char *text;
		uint32_t ttl;
		const char *warning;
	} cases[] = {
		{ "10.77.0.10 image=hello idle=59s", 60,
		    "x.zone:1: warning: w.a.test: idle is 59 s and the TTL of its addresses 60 "
		    "s: " },
		{ "10.77.0.10 image=hello idle=60s", 60, NULL },
		/* packets wake it; but not where its script makes its NIC */
		{ "10.128.0.1 image=wide idle=59s", 60, NULL },
		{ "10.128.0.1 image=script idle=59s", 60, "x.zone:1: warning: w.a.test: idle is "
		    "59 s and the TTL of its addresses 60 s: " },
		{ "10.77.0.10 image=hello idle=0s", 60, NULL },
		{ "10.77.0.10 image=hello", 86400, NULL },
	};
	struct fixture *f = *state;
	char line[1024];

	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *warning = i % 2 == 0 ? cases[i / 2].warning : NULL;
		struct mapping_set *set = mapping_set_new(f->conf, &secret, NULL, 0);
		struct dns_unit u = unit("w.a.test", cases[i / 2].text, 1);
		struct report r;

		report_init(&r);
		r.wants_zone_warnings = i % 2 == 0;   /* a load does not ask for them */
		u.ttl = cases[i / 2].ttl;
		assert_int_equal(add_units(set, f->a, &u, 1, &r), ERR_OK);
		assert_int_equal(r.nlines, warning != NULL);
		if (warning != NULL) {
			report_format(&r, 0, line, sizeof(line));
			assert_memory_equal(line, warning, strlen(warning));
		}
		report_clear(&r);
		mapping_set_free(set);
	}
}

static void
images_policy_counts_where_the_mapping_is_silent(void **state)
{
	const struct unit_conf *u = add_one(*state, "w.a.test", "10.77.0.10 image=any");

	assert_int_equal(u->policy.idle_ms, 300000);
	assert_int_equal(u->policy.unused_after_ms, 0);
	assert_int_equal(u->policy.passive->n, 1);
	assert_int_equal(u->policy.passive->from[0].prefixlen, 16);
}

static void
lists_are_the_images_or_the_mappings(void **state)
{
	const struct unit_conf *u = add_one(*state, "w.a.test",
	    "10.77.0.10 image=six fd77::a:10 passive-from=192.0.2.0/24,2001:db8::1/128 "
	    "wake-on=tcp:80,udp:53,icmp passive-port=accept");

	assert_int_equal(u->policy.wake_on->n, 3);
	assert_int_equal(u->policy.wake_on->on[1].proto, 17);
	assert_int_equal(u->policy.wake_on->on[1].port, 53);
	assert_int_equal(u->policy.passive_port, CONFIG_PASSIVE_ACCEPT);
	assert_int_equal(u->policy.passive->n, 2);
	assert_int_equal(u->policy.passive->from[0].prefixlen, 24);
	assert_int_equal(u->policy.passive->from[1].family, 6);
}

/* Of two prefixes of which one is within the other, that one. */
static void
prefixes_do_not_overlap(void **state)
{
	const struct unit_conf *u = add_one(*state, "w.a.test",
	    "10.77.0.10 image=hello passive-from=10.1.2.3/32,10.0.0.0/8,10.1.0.0/16,0.0.0.0/0,"
	    "fd00::/8");

	assert_int_equal(u->policy.passive->n, 2);
	assert_int_equal(u->policy.passive->from[0].family, 4);
	assert_int_equal(u->policy.passive->from[0].prefixlen, 0);
	assert_int_equal(u->policy.passive->from[1].family, 6);
}

static void
an_empty_list_takes_the_images_place(void **state)
{
	assert_null(add_one(*state, "w.a.test", "10.77.0.10 image=any passive-from=")
	    ->policy.passive);
}

static void
standby(void **state)
{
	struct fixture *f = *state;
	const struct unit_conf *u = add_one(f, "w.a.test", "10.77.0.10 image=hello");

	assert_int_equal(u->standby, UNIT_STANDBY_IMAGE);
	assert_false(mapping_set_stands_by(f->set));
}

static void
standby_of_a_unit(void **state)
{
	struct fixture *f = *state;
	const struct unit_conf *u = add_one(f, "w.a.test", "10.77.0.10 image=uuid standby=no");

	assert_int_equal(u->standby, UNIT_STANDBY_NO);
	assert_false(mapping_set_stands_by(f->set));
}

static void
standby_of_another(void **state)
{
	struct fixture *f = *state;
	const struct unit_conf *u = add_one(f, "w.a.test", "10.77.0.10 image=hello standby=yes");

	assert_int_equal(u->standby, UNIT_STANDBY_YES);
	assert_true(mapping_set_stands_by(f->set));
}

static void
bad_mappings(void **state)
{
	static const struct {
		const char *owner, *text, *want;
	} cases[] = {
		{ "w.a.test", "10.77.0.10", "neither image= nor unit=" },
		{ "w.a.test", "10.77.0.10 image",
		    "\"image\": a mapping consists of strings key=value" },
		{ "w.a.test", "10.77.0.10 =x", "key=value" },
		{ "w.a.test", "10.77.0.10 image=hello image=any",
		    "\"image=any\": the key stands there twice" },
		{ "w.a.test", "10.77.0.10 image=hello iddle=2m",
		    "\"iddle=2m\": unknown key; did you mean idle? (accepted are image, unit, "
		    "needs, mac," },
		{ "w.a.test", "10.77.0.10 image=hello kernel=/etc/passwd", "unknown key" },
		{ "w.a.test", "10.77.0.10 image=hello wake-on=tcp:80,syn",
		    "wake-on: \"syn\" is not accepted: it must be tcp:PORT, udp:PORT or icmp" },
		{ "w.a.test", "10.77.0.10 image=hello proto=tcp",
		    "unknown key (accepted are image, unit, needs" },
		{ "w.a.test", "10.77.0.10 image=hello passive-from=192.0.2.7/32,192.0.2.9/24",
		    "passive-from: \"192.0.2.9/24\" is not accepted: it must be a prefix" },
		{ "w.a.test", "10.77.0.10 image=hello passive-from=192.0.2.7/32,",
		    "passive-from: \"\" is not accepted" },
		{ "w.a.test", "10.77.0.10 image=hello passive-from=1.0.0.0/8,2.0.0.0/8,3.0.0.0/8,"
		    "4.0.0.0/8,5.0.0.0/8,6.0.0.0/8,7.0.0.0/8,8.0.0.0/8,9.0.0.0/8,10.0.0.0/8,"
		    "11.0.0.0/8,12.0.0.0/8,13.0.0.0/8,14.0.0.0/8,15.0.0.0/8,16.0.0.0/8,17.0.0.0/8",
		    "passive-from: \"17.0.0.0/8\" is number 17; at most 16 items are accepted" },
		{ "w.a.test", "10.77.0.10 image=hello idle=2",
		    "idle: \"2\" is not accepted: it must be auto, or a duration" },
		{ "w.a.test", "10.77.0.10 image=hello hold=1m", "hold: \"1m\" is not accepted" },
		{ "w.a.test", "10.77.0.10 image=hello needs=db:healthy",
		    "needs: \"db:healthy\" is not accepted: it must be names separated by commas, "
		    "each relative to the zone or absolute with a final dot, and perhaps with "
		    ":ready or :started behind it" },
		{ "w.a.test", "10.77.0.10 image=hello needs=db:", "needs: \"db:\" is not" },
		{ "w.a.test", "10.77.0.10 image=hello needs=:ready", "needs: \":ready\" is not" },
		{ "w.a.test", "10.77.0.10 image=hello needs=a:ready:ready", "is not accepted" },
		{ "w.a.test", "10.77.0.10 image=hello idle-below=1K",
		    "idle-below: \"1K\" is not accepted: it must be bytes in a second, minute or "
		    "hour" },
		{ "w.a.test", "10.77.0.10 image=hello keep-open=maybe",
		    "keep-open: \"maybe\" is not accepted: it must be yes or no" },
		{ "w.a.test", "10.77.0.10 image=hello standby=2",
		    "standby: \"2\" is not accepted: it must be yes or no" },
		{ "w.a.test", "10.77.0.10 image=uuid standby=yes",
		    "standby=yes: image \"uuid\" uses {uuid}" },
		{ "w.a.test", "10.77.0.10 image=dom standby=yes",
		    "standby=yes: image \"dom\" is of driver xen" },
		{ "w.a.test", "10.77.0.10 image=hello after=never",
		    "after: \"never\" is not accepted: it must be ready or started" },
		{ "w.a.test", "10.77.0.10 image=hello memory=65M",
		    "memory=65M is more than image \"hello\" has" },
		{ "w.a.test", "10.77.0.10 image=nope",
		    "image=nope: there is no section image \"nope\" in /c/jitsu.conf" },
		{ "w.a.test", "10.77.0.10 image=hello mac=ff:ff:ff:ff:ff:ff",
		    "mac: \"ff:ff:ff:ff:ff:ff\"" },
		{ "w.a.test", "10.77.0.10 image=hello unit=x", "unit=x makes this name an alias" },
		{ "w.a.test", "image=hello", "no address" },
		{ "w.a.test", "10.77.0.9 image=hello",
		    "10.77.0.9 is outside the units of network \"lan\"" },
		{ "w.a.test", "10.77.0.1 image=hello", "10.77.0.1 is outside the units" },
		{ "w.a.test", "10.77.0.255 image=hello", "10.77.0.255 is no host's address" },
		{ "w.a.test", "10.77.0.99 image=hello", "10.77.0.99 is the address of this host" },
		{ "w.a.test", "fd77::b:0 10.77.0.10 image=hello", "fd77::b:0 is outside" },
		{ "w.a.test", "10.77.0.10 image=six",
		    "cmdline of image \"six\": it has no value for {address6}" },
		{ "*.a.test", "10.77.0.10 image=hello", "is no wildcard" },
		{ "w\\032x.a.test", "10.77.0.10 image=hello", "a unit's name consists of" },
		{ "w$(x).a.test", "10.77.0.10 image=hello", "a unit's name consists of" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(*state, cases[i].owner, cases[i].text, cases[i].want);
}

/* Strings are bytes of other people's: they are escaped where they are shown. */
static void
bytes_are_escaped(void **state)
{
	struct fixture *f = *state;
	struct dns_unit u = unit("w.a.test", "10.77.0.10 image=hello", 1);
	char line[1024];

	u.strings[1].data = "idle=\0\033[2J";
	u.strings[1].len = 10;
	u.nstrings = 2;
	assert_int_equal(add_units(f->set, f->a, &u, 1, &f->r), ERR_PARSE);
	report_format(&f->r, 0, line, sizeof(line));
	assert_string_equal(
	    line, "x.zone:1: w.a.test: \"idle=\\000\\033[2J\": the value has a NUL byte");
}

static enum err
add(struct fixture *f, const struct config_zone *z, const struct dns_unit *units, uint32_t n)
{
	report_clear(&f->r);
	return add_units(f->set, z, units, n, &f->r);
}

static void
assert_finding(const struct fixture *f, size_t i, const char *want)
{
	char line[2048];

	assert_true(f->r.nlines > i);
	report_format(&f->r, i, line, sizeof(line));
	if (strstr(line, want) == NULL)
		fail_msg("not \"%s\": %s", want, line);
}

static void
an_address_belongs_to_one_unit(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a = unit("w.a.test", "10.77.0.10 image=hello", 4),
			b = unit("w.b.test", "10.77.0.10 image=hello", 5);

	assert_int_equal(add(f, f->a, &a, 1), ERR_OK);
	assert_int_equal(add(f, f->b, &b, 1), ERR_PARSE);
	assert_finding(
	    f, 0, "x.zone:5: w.b.test: 10.77.0.10 belongs to the unit w.a.test (x.zone:4) already");
	/* A refused zone may come again with other contents, and the first one is untouched. */
	b = unit("w.b.test", "10.77.0.11 image=hello", 5);
	assert_int_equal(add(f, f->b, &b, 1), ERR_OK);
	assert_non_null(mapping_unit_find(f->set, "w.a.test"));
	assert_int_equal(mapping_set_units(f->set), 2);
}

static void
a_refused_zone_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a[2] = { unit("x.a.test", "10.77.0.10 image=hello", 1),
		unit("y.a.test", "10.77.0.9 image=hello", 2) };
	struct dns_unit b = unit("x.b.test", "10.77.0.10 image=hello", 3);

	assert_int_equal(add(f, f->a, a, 2), ERR_PARSE);
	assert_int_equal(mapping_zone_units(f->set, f->a), 0);
	assert_null(mapping_unit_find(f->set, "x.a.test"));
	assert_int_equal(add(f, f->b, &b, 1), ERR_OK);
}

static void
zones_use_the_images_they_list(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a = unit("w.a.test", "10.77.0.12 image=any", 1),
			b = unit("w.b.test", "10.77.0.10 image=any", 5);

	assert_int_equal(add(f, f->b, &b, 1), ERR_PARSE);
	assert_finding(
	    f, 0, "image=any: zone \"b.test\" may not use it; add it to images in /c/jitsu.conf:");
	/* Nor through an alias. */
	assert_int_equal(add(f, f->a, &a, 1), ERR_OK);
	b = unit("w.b.test", "10.77.0.12 unit=w.a.test.", 5);
	assert_int_equal(add(f, f->b, &b, 1), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_PARSE);
	assert_finding(f, 0, "may not use image \"any\"");
	assert_false(mapping_zone_added(f->set, f->b));
	assert_true(mapping_zone_added(f->set, f->a));
}

/* The host would not be reachable for anybody. */
static void
macs_of_the_host(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a = unit("x.a.test", "10.77.0.10 image=hello mac=02:00:00:00:00:01", 1),
			b = unit("y.b.test", "10.77.0.11 image=hello", 2);
	struct dns_unit c = unit("z.a.test", "10.77.0.12 image=any", 3);
	struct vm_host_mac host[4] = { { { 2, 0, 0, 0, 0, 1 }, 1 },
		{ { 2, 0, 0, 0, 0, 1 }, 999999 } };

	unit_addr_mac(&secret, "y.b.test", 0, host[2].mac);
	unit_addr_mac(&secret, "z.a.test", 1, host[3].mac);
	mapping_set_host_macs(f->set, host, 4);
	assert_int_equal(add_units(f->set, f->a, &a, 1, &f->r), ERR_PARSE);
	assert_finding(f, 0,
	    "x.zone:1: x.a.test: the MAC address 02:00:00:00:00:01 of NIC 0 is this host's own "
	    "(lo); use another mac=");
	assert_int_equal(add_units(f->set, f->b, &b, 1, &f->r), ERR_PARSE);
	assert_finding(f, 1, "of NIC 0 is this host's own (an interface); set a mac=");
	assert_int_equal(add_units(f->set, f->a, &c, 1, &f->r), ERR_PARSE);
	assert_finding(f, 2, "of NIC 1 is this host's own (an interface); set a mac=");
}

static void
macs(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a[2] = { unit(
				     "x.a.test", "10.77.0.10 image=hello mac=02:00:00:00:00:01", 1),
		unit("y.a.test", "10.77.0.11 image=hello mac=02:00:00:00:00:01", 2) };
	struct mapping_secret other = { .key = { 9 } };
	uint8_t m[6], n[6];

	assert_int_equal(add(f, f->a, a, 2), ERR_PARSE);
	assert_finding(f, 0,
	    "x.zone:2: y.a.test: the MAC address 02:00:00:00:00:01 of NIC 0 is that of x.a.test "
	    "(x.zone:1) already; use another mac=");
	unit_addr_mac(&secret, "x.a.test", 0, m);
	unit_addr_mac(&secret, "x.a.test", 0, n);
	assert_memory_equal(m, n, 6);
	assert_int_equal(m[0], 0x02);
	unit_addr_mac(&secret, "x.a.test", 1, n);
	assert_memory_not_equal(m, n, 6);
	unit_addr_mac(&other, "x.a.test", 0, n);
	assert_memory_not_equal(m, n, 6);
	unit_addr_mac(&secret, "y.a.test", 0, n);
	assert_memory_not_equal(m, n, 6);
	/* Somebody else's derived address, of the second NIC too. */
	unit_addr_mac(&secret, "x.a.test", 1, n);
	{
		char text[64], mac[ADDR_MAC_TEXT];

		addr_mac_text(n, mac);
		snprintf(text, sizeof(text), "10.77.0.11 image=hello mac=%s", mac);
		a[0] = unit("x.a.test", "10.77.0.10 image=any", 1);
		a[1] = unit("y.a.test", text, 2);
		assert_int_equal(add(f, f->a, a, 2), ERR_PARSE);
		assert_finding(f, 0, "is that of x.a.test");
	}
}

static void
disks(void **state)
{
	static const struct {
		const char *first, *second;
		bool good;
	} cases[] = {
		{ "disk", "disk", false },
		{ "own", "own", true },
		{ "over", "over", true },
		{ "own", "base", false },
		{ "base", "own", false },
		{ "disk", "over", true },
	};
	struct fixture *f = *state;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mapping_set *set = mapping_set_new(f->conf, &secret, NULL, 0);
		char x[64], y[64];
		struct dns_unit a[2];

		snprintf(x, sizeof(x), "10.77.0.10 image=%s", cases[i].first);
		snprintf(y, sizeof(y), "10.77.0.11 image=%s", cases[i].second);
		a[0] = unit("x.a.test", x, 1);
		a[1] = unit("y.a.test", y, 2);
		report_clear(&f->r);
		assert_int_equal(add_units(set, f->a, a, 2, &f->r),
		    cases[i].good ? ERR_OK : ERR_PARSE);
		if (!cases[i].good)
			assert_finding(f, 0,
			    "and one of them writes to it; accepted are readonly, overlay = yes");
		mapping_set_free(set);
	}
}

static void
aliases(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a[3] = { unit("blog.a.test", "10.77.0.10 unit=WWW", 1),
		unit("www.a.test", "10.77.0.10 fd77::a:1 image=hello", 2),
		unit("other.a.test", "10.77.0.11 unit=www", 3) };
	const struct unit_conf *u;

	assert_int_equal(add(f, f->a, a, 2), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_OK);
	u = mapping_zone_unit(f->set, f->a, 0);
	assert_string_equal(mapping_unit_target(u)->name, "www.a.test");
	assert_null(u->image);
	assert_int_equal(mapping_set_units(f->set), 1);
	assert_int_equal(mapping_zone_units(f->set, f->a), 2);
	mapping_set_free(f->set);

	f->set = mapping_set_new(f->conf, &secret, NULL, 0);
	assert_int_equal(add(f, f->a, a, 3), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_PARSE);
	assert_finding(
	    f, 0, "x.zone:3: other.a.test: unit=www: 10.77.0.11 is not an address of www.a.test");
	a[2] = unit("other.a.test", "10.77.0.10 unit=blog", 3);
	assert_int_equal(add(f, f->a, a, 3), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_PARSE);
	assert_finding(f, 0, "blog.a.test is an alias itself");
	a[2] = unit("other.a.test", "10.77.0.10 unit=nobody", 3);
	assert_int_equal(add(f, f->a, a, 3), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_PARSE);
	assert_finding(f, 0, "unit=nobody: there is no unit nobody.a.test");
	assert_int_equal(mapping_set_units(f->set), 0);
}

static void
needs(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a[2] = { unit("web.a.test", "10.77.0.10 image=hello needs=db,x.b.test.", 1),
		unit("db.a.test", "10.77.0.11 image=hello", 2) };
	struct dns_unit b = unit("x.b.test", "10.77.0.12 image=hello", 3);
	const struct unit_conf *u;

	assert_int_equal(add(f, f->a, a, 2), ERR_OK);
	assert_int_equal(add(f, f->b, &b, 1), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_OK);
	u = mapping_unit_find(f->set, "web.a.test");
	assert_int_equal(u->nneeds, 2);
	assert_string_equal(u->needs[0].unit->name, "db.a.test");
	assert_string_equal(u->needs[1].unit->name, "x.b.test");
}

static void
needs_say_after_what(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a[3] = { unit("web.a.test",
	    "10.77.0.10 image=hello needs=db:ready,app,app.a.test.:started after=started", 1),
		unit("db.a.test", "10.77.0.11 image=hello", 2),
		unit("app.a.test", "10.77.0.12 image=hello needs=db,db:started", 3) };
	const struct unit_conf *u;

	assert_int_equal(add(f, f->a, a, 3), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_OK);
	u = mapping_unit_find(f->set, "web.a.test");
	assert_int_equal(u->nneeds, 3);
	assert_int_equal(u->needs[0].after, CONFIG_AFTER_READY);
	assert_int_equal(u->needs[1].after, CONFIG_AFTER_STARTED);
	assert_int_equal(u->needs[2].after, CONFIG_AFTER_STARTED);
	assert_string_equal(u->needs[2].unit->name, "app.a.test");
	u = mapping_unit_find(f->set, "app.a.test");
	assert_int_equal(u->needs[0].after, CONFIG_AFTER_READY);
	assert_int_equal(u->needs[1].after, CONFIG_AFTER_STARTED);
}

/* A zone that leaves takes those along that need it; each may come back with older contents. */
static void
needs_fail_together(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a = unit("web.a.test", "10.77.0.10 image=hello needs=x.b.test.", 1),
			b = unit("x.b.test", "10.77.0.12 image=hello needs=nobody", 3);

	assert_int_equal(add(f, f->a, &a, 1), ERR_OK);
	assert_int_equal(add(f, f->b, &b, 1), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_PARSE);
	assert_int_equal(f->r.nlines, 2);
	assert_finding(f, 0, "x.zone:3: x.b.test: needs=nobody: there is no unit nobody.b.test");
	assert_finding(f, 1, "x.zone:1: web.a.test: needs=x.b.test.: there is no unit x.b.test");
	assert_false(mapping_zone_added(f->set, f->a));
	b = unit("x.b.test", "10.77.0.12 image=hello", 3);
	assert_int_equal(add(f, f->b, &b, 1), ERR_OK);
	assert_int_equal(add(f, f->a, &a, 1), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_OK);
}

static void
needs_have_no_circles(void **state)
{
	struct fixture *f = *state;
	struct dns_unit a[20];
	char owner[64], texts[20][128];

	a[0] = unit("x.a.test", "10.77.0.10 image=hello needs=y", 1);
	a[1] = unit("y.a.test", "10.77.0.11 image=hello needs=x", 2);
	assert_int_equal(add(f, f->a, a, 2), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_PARSE);
	assert_finding(f, 0, "in a circle, or more than 16 deep");
	a[0] = unit("x.a.test", "10.77.0.10 image=hello needs=x", 1);
	assert_int_equal(add(f, f->a, a, 1), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_PARSE);
	/* Each needs the next: sixteen are accepted, seventeen are too deep. */
	for (unsigned deep = 16; deep <= 17; deep++) {
		for (unsigned i = 0; i < deep; i++) {
			snprintf(owner, sizeof(owner), "u%u.a.test", i);
			if (i + 1 < deep)
				snprintf(texts[i], sizeof(texts[i]),
				    "10.77.0.%u image=hello needs=u%u", 10 + i, i + 1);
			else
				snprintf(
				    texts[i], sizeof(texts[i]), "10.77.0.%u image=hello", 10 + i);
			a[i] = unit(owner, texts[i], 1);
		}
		mapping_set_free(f->set);
		f->set = mapping_set_new(f->conf, &secret, NULL, 0);
		assert_int_equal(add(f, f->a, a, deep), ERR_OK);
		assert_int_equal(
		    mapping_set_finish(f->set, &f->r), deep == 16 ? ERR_OK : ERR_PARSE);
	}
}

static void
memory_per_unit(void **state)
{
	static struct dns_unit units[10000];
	struct fixture *f = *state;
	char owner[64], addr[32];
	size_t bytes;

	for (unsigned i = 0; i < 10000; i++) {
		snprintf(owner, sizeof(owner), "unit-number-%u.a.test", i);
		units[i] = unit(owner, "10.77.0.10 image=wide idle=2m", i + 1);
		snprintf(addr, sizeof(addr), "10.200.%u.%u", i / 250, 1 + i % 250);
		assert_true(addr_parse(addr, &units[i].addrs[0]));
	}
	assert_int_equal(add(f, f->a, units, 10000), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_OK);
	bytes = mapping_set_bytes(f->set) / 10000;
	print_message("           %zu bytes per unit\n", bytes);
	assert_true(bytes < 450);
	assert_non_null(mapping_unit_find(f->set, "unit-number-9999.a.test"));
}

/* config/jitsu.conf and config/example.zone, compiled as the daemon does it. */
static void
the_example_has_its_units(void **state)
{
	struct fixture *f = *state;
	struct config *conf;
	struct mapping_set *set;
	struct dns_zimage *img;
	const struct unit_conf *app;
	char line[1024];
	int fd = -1;

	assert_int_equal(config_load("config/jitsu.conf", &conf, &f->r), ERR_OK);
	if (dns_compile_file(conf->zones[0].origin, conf->zones[0].file, NULL, &fd, &f->r) !=
	    ERR_OK) {
		report_format(&f->r, 0, line, sizeof(line));
		fail_msg("%s", line);
	}
	assert_int_equal(dns_zimage_open(fd, &img, NULL), ERR_OK);
	close(fd);
	set = mapping_set_new(conf, &secret, NULL, 0);
	if (mapping_set_add(set, &conf->zones[0], img, 0, &f->r) != ERR_OK ||
	    mapping_set_finish(set, &f->r) != ERR_OK) {
		report_format(&f->r, 0, line, sizeof(line));
		fail_msg("%s", line);
	}
	dns_zimage_close(img);
	assert_int_equal(mapping_set_units(set), 3);
	assert_int_equal(mapping_zone_units(set, &conf->zones[0]), 4);
	assert_string_equal(mapping_unit_target(mapping_unit_find(set, "blog.example.test"))->name,
	    "www.example.test");
	assert_int_equal(mapping_unit_find(set, "www.example.test")->policy.idle_ms, 120000);
	app = mapping_unit_find(set, "app.example.test");
	assert_string_equal(app->needs[0].unit->name, "db.example.test");
	assert_int_equal(app->policy.sleep, CONFIG_SLEEP_FREEZE);
	assert_non_null(strstr(app->file, "config/example.zone"));
	assert_int_equal(app->line, 25);
	mapping_set_free(set);
	config_free(conf);
}

static struct dns_zimage *
compiled(const char *text)
{
	char path[] = "/tmp/mapping_test.XXXXXX";
	struct dns_zimage *img = NULL;
	struct report r;
	struct errmsg m;
	int file = mkstemp(path), fd = -1;

	assert_true(file >= 0);
	assert_int_equal(write(file, text, strlen(text)), strlen(text));
	close(file);
	report_init(&r);
	assert_int_equal(dns_compile_file("a.test", path, NULL, &fd, &r), ERR_OK);
	assert_int_equal(dns_zimage_open(fd, &img, &m), ERR_OK);
	report_clear(&r);
	close(fd);
	unlink(path);
	return img;
}

static bool
is_refused(const struct mapping_set *set, const struct config_zone *zone, const char *name)
{
	for (uint32_t i = 0; i < mapping_zone_units(set, zone); i++) {
		const struct unit_conf *u = mapping_zone_unit(set, zone, i);

		if (strcmp(u->name, name) == 0)
			return u->refused;
	}
	fail_msg("no unit %s", name);
	return false;
}

static const char less_text[] = "network \"lan\" { bridge = b0\n subnets = { \"10.77.0.0/24\" }\n "
    "units = { \"10.77.0.10-10.77.0.20\" } }\nimage \"own\" { kernel = "
    "k network = lan }\nzone \"a.test\" { file = a }\n";

static const char kept_text[] = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 10.77.0.1\n"
    "www 60 A 10.77.0.10\n_jitsu.www 60 TXT image=hello memory=32M\n"
    "far 60 A 10.77.0.30\n_jitsu.far 60 TXT image=hello\n"
    "alias 60 A 10.77.0.30\n_jitsu.alias 60 TXT unit=far\n"
    "top 60 A 10.77.0.11\n_jitsu.top 60 TXT image=own needs=far\n"
    "two 60 A 10.77.0.12\n_jitsu.two 60 TXT image=own needs=www\n"
    "any 60 A 10.77.0.13\n_jitsu.any 60 TXT image=any\n";

static void
what_was_kept(const struct mapping_set *set, const struct config *conf)
{
	/* An address that is outside now, a network that is gone, and who refers to those. */
	static const char *const refused[] = { "far.a.test", "alias.a.test", "top.a.test",
		"any.a.test" };
	const struct unit_conf *u = mapping_unit_find(set, "www.a.test");
	const struct config_zone *a = config_zone_find(conf, "a.test");

	assert_true(mapping_zone_added(set, a));
	assert_non_null(u);
	assert_string_equal(u->image->name, "hello");
	assert_string_equal(u->image->cmdline, "name={name} ip={address}/{prefixlen}");
	assert_ptr_equal(u->image->network, config_network_find(conf, "lan"));
	assert_int_equal(u->policy.memory_bytes, 32u << 20);
	assert_non_null(mapping_unit_find(set, "two.a.test"));
	for (int k = 0; k < 4; k++) {
		assert_null(mapping_unit_find(set, refused[k]));
		assert_true(is_refused(set, a, refused[k]));
	}
	assert_int_equal(mapping_set_units(set), 2);
}

static void
a_kept_zone_is_whole_whatever_became_of_the_configuration(void **state)
{
	struct fixture *f = *state;
	struct dns_zimage *img = compiled(kept_text);

	assert_int_equal(mapping_set_add(f->set, f->a, img, 0, &f->r), ERR_OK);
	assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_OK);
	/* The running generation dies each time; what the first had is not lost with it. */
	for (int i = 0; i < 3; i++) {
		struct mapping_set *before = f->set;
		struct config *old = f->conf;

		report_clear(&f->r);
		assert_int_equal(config_load_text("/c/jitsu.conf", NULL, less_text,
				     sizeof(less_text) - 1, &f->conf, &f->r),
		    ERR_OK);
		f->a = config_zone_find(f->conf, "a.test");
		f->set = mapping_set_new(f->conf, &secret, NULL, 0);
		assert_int_equal(mapping_set_add(f->set, f->a, img, 0, &f->r), ERR_PARSE);
		assert_int_equal(mapping_set_keep(f->set, before, f->a, img, 0, &f->r), ERR_OK);
		report_clear(&f->r);
		assert_int_equal(mapping_set_finish(f->set, &f->r), ERR_PARSE);
		mapping_set_free(before);
		config_free(old);
		what_was_kept(f->set, f->conf);
	}
	dns_zimage_close(img);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_kept_zone_is_whole_whatever_became_of_the_configuration),
		T(a_unit),
		T(idle_follows_the_ttl),
		T(a_short_idle_is_warned_of),
		T(images_policy_counts_where_the_mapping_is_silent),
		T(lists_are_the_images_or_the_mappings),
		T(prefixes_do_not_overlap),
		T(an_empty_list_takes_the_images_place),
		T(standby), T(standby_of_a_unit), T(standby_of_another),
		T(bad_mappings),
		T(bytes_are_escaped),
		T(an_address_belongs_to_one_unit),
		T(a_refused_zone_leaves_nothing),
		T(zones_use_the_images_they_list),
		T(macs),
		T(macs_of_the_host),
		T(disks),
		T(aliases),
		T(needs),
		T(needs_say_after_what),
		T(needs_fail_together),
		T(needs_have_no_circles),
		T(memory_per_unit),
		T(the_example_has_its_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
