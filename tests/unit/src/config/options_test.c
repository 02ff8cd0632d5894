/*
 * options_test: every row of the table has a value that is accepted and one that is not, and a
 * paragraph in its man page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/config/config.h"
#include "src/config/options.h"

struct sample {
	enum option_section section;
	const char *name, *good, *bad;
};

static const struct sample samples[] = {
	{ OPTION_TOP, "listen", "192.0.2.1@5353", "localhost" },
	{ OPTION_TOP, "port", "5300", "65536" },
	{ OPTION_TOP, "workers", "0", "65" },
	{ OPTION_TOP, "control", "c", "" },
	{ OPTION_TOP, "state", "/s", "" },
	{ OPTION_TOP, "run-dir", "/r",
	    "/123456789/123456789/123456789/123456789/123456789/123456789" },
	{ OPTION_TOP, "user", "nobody", "no body" },
	{ OPTION_TOP, "vm-user", "vm_1", "a:b" },
	{ OPTION_TOP, "on-exit", "stop", "kill" },
	{ OPTION_TOP, "admins", "ann", "-ann" },
	{ OPTION_TOP, "nsid", "ns1 of two", "" },
	{ OPTION_TOP, "cookie-secret-file", "cookies", "" },
	{ OPTION_TOP, "proxy-protocol", "192.0.2.0/24", "192.0.2.1/24" },
	{ OPTION_TOP, "address-hold", "0s", "31d" },
	{ OPTION_TOP, "pool", "4", "1001" },
	{ OPTION_TOP, "log-level", "debug", "notice" },
	{ OPTION_LIMITS, "boots", "1", "0" },
	{ OPTION_LIMITS, "vms", "1", "-1" },
	{ OPTION_LIMITS, "memory", "1G", "1000" },
	{ OPTION_LIMITS, "wakes-per-minute", "0", "many" },
	{ OPTION_LIMITS, "wakes-per-minute-total", "0", "10000001" },
	{ OPTION_LIMITS, "udp-wakes-per-minute", "0", "-5" },
	{ OPTION_LIMITS, "queue", "0", "1e3" },
	{ OPTION_LIMITS, "queue-timeout", "0s", "2d" },
	{ OPTION_LIMITS, "hang-timeout", "500ms", "61m" },
	{ OPTION_LIMITS, "memory-pressure", "25%", "101%" },
	{ OPTION_LIMITS, "held-per-unit", "1", "0" },
	{ OPTION_LIMITS, "held-total", "1000", "0" },
	{ OPTION_LIMITS, "tcp-clients", "1", "0x10" },
	{ OPTION_LIMITS, "tcp-idle", "500ms", "5" },
	{ OPTION_LIMITS, "udp-payload", "512", "511" },
	{ OPTION_LIMITS, "zone-memory", "4M", "3M" },
	{ OPTION_LIMITS, "zone-time", "1s", "2h" },
	{ OPTION_NETWORK, "bridge", "br-0.1", "bridge-too-long-x" },
	{ OPTION_NETWORK, "subnets", "10.0.0.0/8", "10.0.0.1/8" },
	{ OPTION_NETWORK, "gateway", "10.0.0.1", "10.0.0.1/8" },
	{ OPTION_NETWORK, "units", "10.0.0.2-10.0.0.9", "10.0.0.9-10.0.0.2" },
	{ OPTION_NETWORK, "probe", "10.0.0.1", "eth0" },
	{ OPTION_NETWORK, "packets", "no", "none" },
	{ OPTION_ZONE, "file", "z", "" },
	{ OPTION_ZONE, "units", "u", "" },
	{ OPTION_ZONE, "images", "i", "i j" },
	{ OPTION_IMAGE, "driver", "qemu", "vmware" },
	{ OPTION_IMAGE, "kernel", "k", "" },
	{ OPTION_IMAGE, "initrd", "i-{name}", "" },
	{ OPTION_IMAGE, "cmdline", "console=ttyS0", "a\tb" },
	{ OPTION_IMAGE, "memory", "16M", "16" },
	{ OPTION_IMAGE, "vcpus", "2", "65" },
	{ OPTION_IMAGE, "machine", "q35", "pc" },
	{ OPTION_IMAGE, "accel", "tcg", "hvf" },
	{ OPTION_IMAGE, "type", "pv", "xen" },
	{ OPTION_IMAGE, "xl", "www.xl", "" },
	{ OPTION_IMAGE, "vif-script", "/s", "" },
	{ OPTION_IMAGE, "network", "lan", "l/an" },
	{ OPTION_IMAGE, "nics", "lan", "l an" },
	{ OPTION_IMAGE, "disks", "d,format=qcow2,readonly", "d,format=vmdk" },
	{ OPTION_IMAGE, "overlay", "yes", "maybe" },
	{ OPTION_IMAGE, "args", "-device", "a\001b" },
	{ OPTION_IMAGE, "ready", "tcp:80", "tcp" },
	{ OPTION_IMAGE, "boot-timeout", "1m", "0s" },
	{ OPTION_IMAGE, "stop", "shutdown", "kill" },
	{ OPTION_IMAGE, "stop-timeout", "1h", "2h" },
	{ OPTION_IMAGE, "idle", "auto", "31d" },
	{ OPTION_IMAGE, "hold", "0s", "31s" },
	{ OPTION_IMAGE, "min-up", "0s", "-1s" },
	{ OPTION_IMAGE, "unused-after", "auto", "never" },
	{ OPTION_IMAGE, "idle-below", "1K/m", "1K" },
	{ OPTION_IMAGE, "keep-open", "yes", "always" },
	{ OPTION_IMAGE, "schedule", "mon-fri 08:00-18:00", "mon-fri 8-18" },
	{ OPTION_IMAGE, "sleep", "save", "hibernate" },
	{ OPTION_IMAGE, "standby", "2", "yes" },
	{ OPTION_IMAGE, "freeze-for", "30d", "1w" },
	{ OPTION_IMAGE, "freeze-then", "save", "freeze" },
	{ OPTION_IMAGE, "save-for", "30d", "31d" },
	{ OPTION_IMAGE, "answer", "now", "later" },
	{ OPTION_IMAGE, "after", "started", "healthy" },
	{ OPTION_IMAGE, "wake-on", "tcp:443", "tcp:0" },
	{ OPTION_IMAGE, "passive-port", "accept", "open" },
	{ OPTION_IMAGE, "passive-from", "192.0.2.7/32", "192.0.2.7/24" },
	{ OPTION_IMAGE, "backoff-min", "100ms", "99ms" },
	{ OPTION_IMAGE, "backoff-max", "1d", "2d" },
	{ OPTION_IMAGE, "cpu", "150%", "150" },
	{ OPTION_IMAGE, "cpu-weight", "10000", "0" },
	{ OPTION_MAPPING, "image", "hello", "he llo" },
	{ OPTION_MAPPING, "unit", "www.example.test.", "*.example.test." },
	{ OPTION_MAPPING, "needs", "db,cache:started", "db,,cache" },
	{ OPTION_MAPPING, "standby", "yes", "2" },
	{ OPTION_MAPPING, "mac", "02:00:00:00:00:01", "01:00:00:00:00:01" },
};

#define NSAMPLES (sizeof(samples) / sizeof(samples[0]))

static void
every_row_has_a_passing_and_a_failing_value(void **state)
{
	(void)state;
	assert_int_equal(NSAMPLES, options_count);
	for (unsigned i = 0; i < NSAMPLES; i++) {
		const struct config_option *o = option_find(
		    samples[i].section, samples[i].name, strlen(samples[i].name));
		struct errmsg m;
		uint64_t n;

		assert_non_null(o);
		if (option_parse(o, samples[i].good, &n, &m) != ERR_OK)
			fail_msg("%s = %s: %s", o->name, samples[i].good, m.text);
		if (option_parse(o, samples[i].bad, &n, &m) == ERR_OK)
			fail_msg("%s = %s is accepted", o->name, samples[i].bad);
		assert_non_null(strstr(m.text, "must be"));
	}
}

/* In a file, in its section, with the line where it stands. */
static void
every_row_reports_its_line(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NSAMPLES; i++) {
		const struct sample *s = &samples[i];
		char text[512], line[2048], want[128];
		struct config *conf;
		struct report r;

		if (s->section == OPTION_MAPPING || strpbrk(s->bad, "\001") != NULL)
			continue;
		snprintf(text, sizeof(text), "%s%s%s\n\n%s = \"%s\"\n%s",
		    option_section_name(s->section), s->section > OPTION_LIMITS ? " \"t\"" : "",
		    s->section == OPTION_TOP ? "" : " {", s->name, s->bad,
		    s->section == OPTION_TOP ? "" : "}\n");
		report_init(&r);
		assert_int_equal(
		    config_load_text("/c/jitsu.conf", NULL, text, strlen(text), &conf, &r),
		    ERR_PARSE);
		assert_null(conf);
		assert_true(r.nlines > 0);
		report_format(&r, 0, line, sizeof(line));
		snprintf(want, sizeof(want), "/c/jitsu.conf:3: %s: \"", s->name);
		if (strncmp(line, want, strlen(want)) != 0)
			fail_msg("%s does not begin with %s", line, want);
		report_clear(&r);
	}
}

static void
defaults_are_accepted_and_come_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < options_count; i++) {
		const struct config_option *o = &options[i];
		char text[64];
		uint64_t n = 0;

		assert_true(option_row(o) < 64);
		if (o->def == NULL || (o->flags & OPTION_LIST) != 0)
			continue;
		assert_int_equal(option_parse(o, o->def, &n, NULL), ERR_OK);
		if (o->type > OPTION_PERCENT)
			continue;
		option_format(o, n, text, sizeof(text));
		assert_string_equal(text, o->def);
	}
}

static void
quantities(void **state)
{
	const struct config_option *idle = option_find_key("idle", 4),
				   *memory = option_find_key("memory", 6);
	static const char *const bad[] = { "", "s", "1", "1.5s", " 1s", "1s ", "+1s", "1S", "1ms1s",
		"99999999999999999999s", "auto " };
	char text[64];
	uint64_t n;

	(void)state;
	assert_int_equal(option_parse(idle, "2h", &n, NULL), ERR_OK);
	assert_int_equal(n, 7200000);
	assert_int_equal(option_parse(idle, "1500ms", &n, NULL), ERR_OK);
	assert_int_equal(n, 1500);
	option_format(idle, 90000, text, sizeof(text));
	assert_string_equal(text, "90s");
	option_format(idle, 0, text, sizeof(text));
	assert_string_equal(text, "0s");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(option_parse(idle, bad[i], &n, NULL), ERR_OK);
	assert_int_equal(option_parse(memory, "2G", &n, NULL), ERR_OK);
	assert_int_equal(n, 2ull << 30);
	assert_int_equal(option_parse(memory, "512K", &n, NULL), ERR_RANGE);
	assert_int_equal(option_parse(memory, "18446744073709551615T", &n, NULL), ERR_PARSE);
}

static void
rates(void **state)
{
	const struct config_option *below = option_find_key("idle-below", 10);
	static const char *const bad[] = { "", "1K", "/m", "1K/d", "1K/", "-1/m", "1 K/m", "1k/m",
		"1.5K/m", "1G/m", "2M/h", "1048577/s", "99999999999999999999/s", "1K/m/m" };
	static const struct {
		const char *text;
		uint64_t rate;
		const char *back;
	} good[] = { { "1K/m", CONFIG_RATE(1024, 60), "1K/m" },
		{ "500/s", CONFIG_RATE(500, 1), "500/s" },
		{ "1M/h", CONFIG_RATE(1 << 20, 3600), "1M/h" },
		{ "1024K/h", CONFIG_RATE(1 << 20, 3600), "1M/h" },
		{ "0/s", CONFIG_RATE(0, 1), "0/s" },
		{ "1536/m", CONFIG_RATE(1536, 60), "1536/m" } };
	struct errmsg m;
	char text[64];
	uint64_t n;

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(option_parse(below, good[i].text, &n, NULL), ERR_OK);
		assert_int_equal(n, good[i].rate);
		option_format(below, n, text, sizeof(text));
		assert_string_equal(text, good[i].back);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(option_parse(below, bad[i], &n, &m), ERR_OK);
	assert_int_equal(option_parse(below, "2M/h", &n, &m), ERR_RANGE);
	assert_string_equal(m.text, "\"2M/h\" is not accepted: it must be bytes in a second, "
	    "minute or hour, such as 1K/m, from 0/m to 1M/m");
}

static void
ready_and_disks(void **state)
{
	bool qcow2, readonly;
	unsigned word;
	uint32_t n;
	size_t len;

	(void)state;
	assert_true(option_parse_ready("tcp:65535", &word, &n) && word == 0 && n == 65535);
	assert_true(option_parse_ready("delay:0", &word, &n) && word == 3 && n == 0);
	assert_true(option_parse_ready("arp", &word, &n) && word == 2);
	assert_false(option_parse_ready("tcp:65536", &word, &n));
	assert_false(option_parse_ready("ping:1", &word, &n));
	assert_true(option_parse_ready("xenstore:data/ready", &word, &n) && word == 4 && n == 9);
	assert_false(option_parse_ready("xenstore:", &word, &n));
	assert_false(option_parse_ready("xenstore:/data", &word, &n));
	assert_false(option_parse_ready("xenstore:data/", &word, &n));
	assert_false(option_parse_ready("xenstore:data//x", &word, &n));
	assert_false(option_parse_ready("xenstore:data/../x", &word, &n));
	assert_true(option_parse_disk("a b,readonly", &len, &qcow2, &readonly));
	assert_true(len == 3 && !qcow2 && readonly);
	assert_false(option_parse_disk(",readonly", &len, &qcow2, &readonly));
	assert_false(option_parse_disk("a,", &len, &qcow2, &readonly));
}

static void
packets_that_wake(void **state)
{
	static const char *const bad[] = { "", "tcp", "tcp:", "tcp:65536", "tcp:http", "udp:-1",
		"icmp:8", "icmpv6", "sctp:80", "TCP:80" };
	uint8_t proto;
	uint16_t port;

	(void)state;
	assert_true(option_parse_wake("tcp:80", &proto, &port) && proto == 6 && port == 80);
	assert_true(option_parse_wake("udp:65535", &proto, &port) && proto == 17 && port == 65535);
	assert_true(option_parse_wake("icmp", &proto, &port) && proto == 1 && port == 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(option_parse_wake(bad[i], &proto, &port));
}

static const char *
nearest(enum option_section section, const char *name)
{
	static struct suggest s;

	suggest_init(&s, name);
	option_offer(section, &s);
	return suggest_text(&s);
}

static void
keys_of_a_mapping(void **state)
{
	char text[256];

	(void)state;
	option_keys(text, sizeof(text));
	assert_string_equal(text,
	    "image, unit, needs, mac, standby, memory, idle, hold, min-up, unused-after, "
	    "idle-below, keep-open, schedule, sleep, answer, after, wake-on, passive-from, "
	    "passive-port");
	assert_null(option_find_key("kernel", 6));
	assert_null(option_find_key("network", 7));
	assert_string_equal(nearest(OPTION_MAPPING, "iddle"), "; did you mean idle?");
	assert_string_equal(nearest(OPTION_TOP, "netwrok"), "; did you mean network?");
	assert_string_equal(nearest(OPTION_TOP, "frobnicate"), "");
	assert_string_equal(nearest(OPTION_MAPPING, "kernle"), "");
}

/* ---- man pages ---- */

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (f == NULL || text == NULL)
		fail_msg("%s cannot be read; the test is run from the top of the tree", path);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

/*
 * The paragraph `.It Ic NAME` behind the heading `heading`, up to the next item; NULL when there is
 * none.
 */
static char *
paragraph(const char *page, const char *heading, const char *name)
{
	const char *start = strstr(page, heading), *end, *item;
	char want[64];

	if (start == NULL)
		return NULL;
	end = strstr(start + 1, "\n.Ss ");
	snprintf(want, sizeof(want), "\n.It Ic %s ", name);
	item = strstr(start, want);
	if (item == NULL || (end != NULL && item > end))
		return NULL;
	end = strstr(item + 1, "\n.It ");
	return end == NULL ? strndup(item, strcspn(item + 1, "\0")) :
	    strndup(item, (size_t)(end - item));
}

static void
check_paragraph(const char *page, const char *heading, const struct config_option *o)
{
	char *text = paragraph(page, heading, o->name), want[128];

	if (text == NULL)
		fail_msg("%s: no paragraph for %s", heading, o->name);
	if (o->def != NULL) {
		snprintf(want, sizeof(want), "Default: %s.", o->def);
		if (strstr(text, want) == NULL)
			fail_msg(
			    "the paragraph of %s does not say \"%s\": %s", o->name, want, text);
	}
	if (o->type <= OPTION_PERCENT && o->type != OPTION_WORD && o->type != OPTION_BOOL &&
	    (o->flags & OPTION_LIST) == 0) {
		char least[32], most[32];

		option_format(o, o->least, least, sizeof(least));
		option_format(o, o->most, most, sizeof(most));
		snprintf(want, sizeof(want), "%s to %s", least, most);
		if (strstr(text, want) == NULL)
			fail_msg("the paragraph of %s does not give its bounds \"%s\": %s", o->name,
			    want, text);
	}
	for (unsigned i = 0; o->words != NULL && o->words[i] != NULL; i++) {
		if (strstr(text, o->words[i]) == NULL)
			fail_msg("the paragraph of %s does not name %s", o->name, o->words[i]);
	}
	free(text);
}

static void
man_pages_agree(void **state)
{
	static const char *const headings[OPTION_SECTIONS] = { "\n.Ss Top level",
		"\n.Ss Section limits", "\n.Ss Section network", "\n.Ss Section zone",
		"\n.Ss Section image", NULL };
	char *conf = slurp("man/jitsu.conf.5"), *zone = slurp("man/jitsu.zone.5");

	(void)state;
	for (unsigned i = 0; i < options_count; i++) {
		const struct config_option *o = &options[i];

		if (o->section != OPTION_MAPPING)
			check_paragraph(conf, headings[o->section], o);
		if (option_find_key(o->name, strlen(o->name)) == o) {
			char *text = paragraph(zone, "\n.Ss Keys", o->name);

			if (text == NULL)
				fail_msg("jitsu.zone.5: no paragraph for %s", o->name);
			free(text);
		}
	}
	free(conf);
	free(zone);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_a_passing_and_a_failing_value),
		cmocka_unit_test(every_row_reports_its_line),
		cmocka_unit_test(defaults_are_accepted_and_come_back),
		cmocka_unit_test(quantities),
		cmocka_unit_test(rates),
		cmocka_unit_test(ready_and_disks),
		cmocka_unit_test(packets_that_wake),
		cmocka_unit_test(keys_of_a_mapping),
		cmocka_unit_test(man_pages_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
