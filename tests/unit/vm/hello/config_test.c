/* config_test: text, addresses and the command line of the hello image */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include <cmocka.h>

#include "vm/hello/config.h"

static char complaint[256];
static unsigned complaints;

static void
complain(void *arg, const char *line)
{
	(void)arg;
	snprintf(complaint, sizeof(complaint), "%s", line);
	complaints++;
}

static struct config
parsed(const char *line)
{
	struct config c;

	complaints = 0;
	complaint[0] = '\0';
	config_parse(&c, line, complain, NULL);
	return c;
}

static const char *
shown(const struct addr *a)
{
	static char buf[64];
	struct text t = text_init(buf, sizeof(buf));

	addr_text(&t, a);
	return buf;
}

static void
test_text_is_bounded(void **state)
{
	char buf[8];
	struct text t = text_init(buf, sizeof(buf));

	(void)state;
	text_str(&t, "abc");
	text_dec(&t, 18446744073709551615ull, 0, ' ');
	assert_string_equal(buf, "abc1844");
	assert_int_equal(t.len, 7);
}

static void
test_numbers(void **state)
{
	char buf[64];
	struct text t = text_init(buf, sizeof(buf));
	uint16_t rest;

	(void)state;
	text_dec(&t, 7, 3, '0');
	text_char(&t, ' ');
	text_hex(&t, 0xab, 4);
	text_char(&t, ' ');
	text_hex(&t, 0, 1);
	text_char(&t, ' ');
	text_seconds(&t, 61005);
	assert_string_equal(buf, "007 00ab 0 61.005");
	for (uint64_t n = 1; n < UINT64_MAX / 3; n = n * 3 + 1) {
		assert_true(text_divide(n, 1000, &rest) == n / 1000);
		assert_int_equal(rest, n % 1000);
		assert_true(text_divide(n, 65535, &rest) == n / 65535);
	}
}

/* Against the C library, in both directions. */
static void
test_addresses(void **state)
{
	static const char *const good[] = { "::", "::1", "1::", "fd77::a:1", "2001:db8::1:0:0:1",
	    "2001:db8:0:1:1:1:1:1",
		"fe80::5054:ff:fe12:3456", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
		    "ABCD::EF", "1:0:0:2::", "0:0:1::" };
	static const char *const bad[] = { "", ":", ":::", "1", "1:", ":1", "1::2::3",
	    "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7:8::", "12345::", "g::", "1.2.3", "1.2.3.256", "1.2.3.4.5", "1..2.3",
		    "1.2.3.4 ", "0001.2.3.4", "::1/64" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct addr a;
		uint8_t want[16];
		char text[INET6_ADDRSTRLEN];

		assert_true(addr_parse(good[i], strlen(good[i]), &a));
		assert_int_equal(inet_pton(AF_INET6, good[i], want), 1);
		assert_memory_equal(a.b, want, 16);
		inet_ntop(AF_INET6, want, text, sizeof(text));
		assert_string_equal(shown(&a), text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct addr a;

		if (addr_parse(bad[i], strlen(bad[i]), &a))
			fail_msg("took '%s' as %s", bad[i], shown(&a));
	}
}

static void
test_macs(void **state)
{
	static const char *const bad[] = { "", "00:16:3e:11:22", "00:16:3e:11:22:3",
	    "00:16:3e:11:22:33:", "00:16:3e:11:22:33:44", "00-16-3e-11-22-33",
		"00:16:3e:11:22:3g", "0016:3e:11:22:33:0", ":::::", "00:16:3e:11:22:333" };
	uint8_t mac[MAC_BYTES];

	(void)state;
	assert_true(addr_mac_parse("00:16:3e:aB:Cd:eF", mac));
	assert_memory_equal(mac, "\x00\x16\x3e\xab\xcd\xef", MAC_BYTES);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (addr_mac_parse(bad[i], mac))
			fail_msg("'%s' is taken for a MAC", bad[i]);
}

static void
test_address_kinds(void **state)
{
	static const char *const hosts[] = { "10.0.0.1", "223.1.1.1", "fd77::1", "fe80::1" };
	static const char *const others[] = { "0.0.0.0", "127.0.0.1", "224.0.0.1",
	    "255.255.255.255", "::", "::1", "ff02::1" };
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		assert_true(addr_parse(hosts[i], strlen(hosts[i]), &a));
		assert_true(addr_is_unicast(&a));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_true(addr_parse(others[i], strlen(others[i]), &a));
		assert_false(addr_is_unicast(&a));
	}
	a = addr_link_local((const uint8_t[]){ 0x52, 0x54, 0, 0x12, 0x34, 0x56 });
	assert_string_equal(shown(&a), "fe80::5054:ff:fe12:3456");
	a = addr_solicited_node(&a);
	assert_string_equal(shown(&a), "ff02::1:ff12:3456");
}

static void
test_full_line(void **state)
{
	struct config c = parsed("name=www.example-1.test ip=10.77.0.10/24  gw=10.77.0.1 "
	    "ip=fd77::a:1/64\tgw=fd77::1 delay=250 "
				 "crash=0 quiet virtio_mmio.device=512@0xfeb00e00:12\n");

	(void)state;
	assert_int_equal(complaints, 0);
	assert_string_equal(c.name, "www.example-1.test");
	assert_string_equal(shown(&c.address[CONFIG_V4]), "10.77.0.10");
	assert_string_equal(shown(&c.address[CONFIG_V6]), "fd77::a:1");
	assert_string_equal(shown(&c.gateway[CONFIG_V4]), "10.77.0.1");
	assert_string_equal(shown(&c.gateway[CONFIG_V6]), "fd77::1");
	assert_int_equal(c.prefix_len[CONFIG_V4], 24);
	assert_int_equal(c.prefix_len[CONFIG_V6], 64);
	assert_int_equal(c.delay_ms, 250);
	assert_true(c.crash);
	assert_int_equal(c.crash_ms, 0);
}

/* A template that serves both families leaves empty values behind. */
static void
test_absent_values(void **state)
{
	struct config c = parsed("name= ip=/ gw= ip=fd77::5/112 gw=");

	(void)state;
	assert_int_equal(complaints, 0);
	assert_string_equal(c.name, "hello");
	assert_false(addr_is_set(&c.address[CONFIG_V4]));
	assert_string_equal(shown(&c.address[CONFIG_V6]), "fd77::5");
	c = parsed("");
	assert_int_equal(complaints, 0);
	assert_false(c.crash);
}

static void
test_bad_values(void **state)
{
	static const char *const lines[] = { "name=<b>", "name=a/b", "ip=10.0.0.1",
	    "ip=10.0.0.1/33", "ip=10.0.0.1/", "ip=10.0.0/8",
		"ip=10.0.0.1/2x", "ip=fd77::1/129", "ip=224.0.0.1/4", "ip=::1/128", "gw=nowhere",
		"gw=0.0.0.0", "delay=soon", "delay=1s",
		"delay=4294967296", "crash=-1", "ip=1.2.3.4/8 ip=1.2.3.5/8",
		    "gw=1.2.3.4 gw=1.2.3.5" };
	char longest[600] = "name=";

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		(void)parsed(lines[i]);
		if (complaints != 1)
			fail_msg("%u complaints about '%s'", complaints, lines[i]);
	}
	(void)parsed("delay=so\x01on");
	assert_string_equal(complaint, "cannot use 'delay=so?on'");
	memset(longest + 5, 'a', 254);
	(void)parsed(longest);
	assert_int_equal(complaints, 1);
	longest[5 + 253] = '\0';
	assert_int_equal(strlen(parsed(longest).name), 253);
	assert_int_equal(complaints, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_bounded),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_address_kinds),
		cmocka_unit_test(test_full_line),
		cmocka_unit_test(test_absent_values),
		cmocka_unit_test(test_bad_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
