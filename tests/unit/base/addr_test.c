/* addr_test: addresses, prefixes, ranges, listen addresses and MACs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/addr.h"

static void
round_trips(void **state)
{
	static const char *const same[] = { "0.0.0.0", "255.255.255.255", "::", "fd77::1",
		"2001:db8::a:b" };
	char text[ADDR_TEXT];
	struct msg_addr a;

	(void)state;
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_true(addr_parse(same[i], &a));
		addr_text(&a, text);
		assert_string_equal(text, same[i]);
		assert_int_equal(a.prefixlen, 0);
	}
	assert_true(addr_is_any(&a) == false);
	assert_true(addr_parse("::", &a) && addr_is_any(&a));
}

static void
refused(void **state)
{
	static const char *const bad[] = { "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "fe80::1%eth0",
		"[::1]", "1.2.3.4 ", "::g" };
	static const char *const prefixes[] = { "10.0.0.0", "10.0.0.0/33", "10.0.0.1/24",
		"fd00::1/64", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "/8" };
	static const char *const ranges[] = { "10.0.0.9-10.0.0.1", "10.0.0.1-fd00::1", "10.0.0.1-",
		"-10.0.0.1", "10.0.0.1-10.0.0.2-10.0.0.3" };
	static const char *const listens[] = { "", "localhost", "1.2.3.4@", "1.2.3.4@0",
		"1.2.3.4@65536", "[1.2.3.4]:53", "[::1", "[::1]53", "::1@053" };
	static const char *const macs[] = { "", "02:00:00:00:00", "02:00:00:00:00:0",
		"02-00-00-00-00-00", "02:00:00:00:00:0g", "02:00:00:00:00:00:00" };
	struct addr_range r;
	struct msg_addr a;
	uint16_t port;
	uint8_t mac[6];

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(addr_parse(bad[i], &a));
	for (unsigned i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		assert_false(addr_parse_prefix(prefixes[i], &a));
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		assert_false(addr_parse_range(ranges[i], &r));
	for (unsigned i = 0; i < sizeof(listens) / sizeof(listens[0]); i++)
		assert_false(addr_parse_listen(listens[i], &a, &port));
	for (unsigned i = 0; i < sizeof(macs) / sizeof(macs[0]); i++)
		assert_false(addr_parse_mac(macs[i], mac));
}

static void
listen_forms(void **state)
{
	struct msg_addr a;
	uint16_t port = 53;

	(void)state;
	assert_true(addr_parse_listen("::1", &a, &port) && a.family == 6 && port == 53);
	assert_true(
	    addr_parse_listen("192.0.2.1@5300", &a, &port) && a.family == 4 && port == 5300);
	assert_true(addr_parse_listen("fd00::1@5301", &a, &port) && a.family == 6 && port == 5301);
	assert_true(addr_parse_listen("[fd00::1]:5302", &a, &port) && port == 5302);
	assert_true(addr_parse_listen("192.0.2.1:5303", &a, &port) && port == 5303);
}

static void
ranges(void **state)
{
	struct msg_addr in, out, p;
	struct addr_range r, s;
	char text[ADDR_TEXT];

	(void)state;
	assert_true(addr_parse_range("fd77::a:0/112", &r));
	assert_true(addr_parse("fd77::a:ffff", &in) && addr_parse("fd77::b:0", &out));
	assert_true(addr_in_range(&in, &r) && !addr_in_range(&out, &r));
	addr_text(&r.first, text);
	assert_string_equal(text, "fd77::a:0");
	addr_text(&r.last, text);
	assert_string_equal(text, "fd77::a:ffff");
	assert_true(
	    addr_parse_range("10.0.0.250-10.0.1.5", &r) && addr_parse_range("10.0.1.5", &s));
	assert_true(addr_ranges_overlap(&r, &s));
	assert_true(addr_parse_range("10.0.1.6-10.0.1.7", &s) && !addr_ranges_overlap(&r, &s));
	assert_true(addr_parse_prefix("0.0.0.0/0", &p) && addr_parse("255.1.2.3", &in) &&
	    addr_in_prefix(&in, &p));
	assert_true(addr_parse("::1", &in) && !addr_in_prefix(&in, &p));
	assert_true(addr_parse_prefix("10.1.2.128/25", &p));
	assert_true(addr_parse("10.1.2.128", &in) && addr_in_prefix(&in, &p) &&
	    addr_parse("10.1.2.127", &out) && !addr_in_prefix(&out, &p));
}

static void
macs(void **state)
{
	uint8_t mac[6];
	char text[ADDR_MAC_TEXT];

	(void)state;
	assert_true(addr_parse_mac("02:aB:00:ff:10:0A", mac));
	addr_mac_text(mac, text);
	assert_string_equal(text, "02:ab:00:ff:10:0a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(refused),
		cmocka_unit_test(listen_forms),
		cmocka_unit_test(ranges),
		cmocka_unit_test(macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
