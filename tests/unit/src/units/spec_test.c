/* spec_test: what the VM module is asked to run for a unit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "src/units/spec.h"
#include "tests/unit/src/units/add_units.h"

static const char conf_text[] = "state = /s\n"
    "network \"lan\" { bridge = b0\n subnets = { \"10.77.0.0/24\", "
    "\"fd77::/64\" }\n gateway = { \"10.77.0.1\", \"fd77::1\" }\n"
    " units = { \"10.77.0.10-10.77.0.250\", \"fd77::a:0/112\" } probe "
    "= 10.77.0.2 }\n"
    "network \"back\" { bridge = b1 }\n"
    "image \"i\" { kernel = k initrd = 'rd-{address}' network = lan "
    "nics = back memory = 64M vcpus = 2 overlay = yes\n"
    " cmdline = 'name={name} ip={address}/{prefixlen} gw={gateway} "
    "ip={address6}/{prefixlen6} gw={gateway6} {mac} {uuid} {{x}'\n"
    " disks = { 'd/{name}.img', '/base,readonly,format=qcow2' } args = "
    "{ '-serial', 'file:/log/{name}' } ready = 'tcp:80' }\n"
    "image \"slow\" { kernel = k network = lan ready = 'delay:5' }\n"
    "zone \"a.test\" { file = a }\n";

static struct dns_unit
unit(const char *owner, const char *addr, const char *addr6, const char *string)
{
	struct dns_unit u = { .ttl = 60, .file = "x", .line = 1, .nstrings = 1 };

	snprintf(u.owner, sizeof(u.owner), "%s", owner);
	assert_true(addr_parse(addr, &u.addrs[0]) && addr_parse(addr6, &u.addrs[1]));
	u.naddrs = 2;
	u.strings[0].data = string;
	u.strings[0].len = (uint8_t)strlen(string);
	return u;
}

static void
a_spec(void **state)
{
	static const struct mapping_secret secret = { .key = { 4 } };
	static const struct vm_uuid uuid = { .bytes = { 0x12, 0x34, [15] = 0xff } };
	struct dns_unit units[2] = { unit("www.a.test", "10.77.0.10", "fd77::a:1", "image=i"),
		unit("w.a.test", "10.77.0.11", "fd77::a:2", "image=slow") };
	struct config *conf;
	struct mapping_set *set;
	const struct unit_conf *u;
	struct report r;
	struct errmsg m;
	struct vm_spec s;
	struct msg_addr guest, source, want;
	uint8_t mac[6];

	(void)state;
	report_init(&r);
	assert_int_equal(
	    config_load_text("/c/jitsu.conf", NULL, conf_text, sizeof(conf_text) - 1, &conf, &r),
	    ERR_OK);
	set = mapping_set_new(conf, &secret, NULL, 0);
	assert_int_equal(add_units(set, &conf->zones[0], units, 2, &r), ERR_OK);
	assert_int_equal(mapping_set_finish(set, &r), ERR_OK);
	u = mapping_unit_find(set, "www.a.test");
	memcpy(mac, u->mac, 6);
	assert_true(spec_probe(u, &guest, &source));
	assert_true(addr_parse("10.77.0.2", &want) && addr_cmp(&source, &want) == 0 &&
	    source.prefixlen == 24);
	assert_true(addr_parse("10.77.0.10", &want) && addr_cmp(&guest, &want) == 0);
	assert_false(spec_probe(mapping_unit_find(set, "w.a.test"), &guest, &source));
	assert_int_equal(spec_build(conf, &secret, u, &uuid, &s, &m), ERR_OK);
	/* The specification outlives them. */
	mapping_set_free(set);
	config_free(conf);
	report_clear(&r);

	assert_string_equal(s.unit, "www.a.test");
	assert_string_equal(s.driver, "qemu");
	assert_string_equal(s.kernel, "/c/k");
	assert_string_equal(s.initrd, "/c/rd-10.77.0.10");
	{
		char line[512], text[ADDR_MAC_TEXT];

		addr_mac_text(mac, text);
		snprintf(line, sizeof(line),
		    "name=www.a.test ip=10.77.0.10/24 gw=10.77.0.1 ip=fd77::a:1/64 gw=fd77::1 %s "
		    "12340000-0000-0000-0000-0000000000ff {x}",
		    text);
		assert_string_equal(s.cmdline, line);
	}
	assert_true(s.memory_bytes == 64u << 20 && s.vcpus == 2 && s.cpu_weight == 50);
	assert_int_equal(s.nnics, 2);
	assert_string_equal(s.nics[1].bridge, "b1");
	assert_memory_equal(s.nics[0].mac, mac, 6);
	assert_memory_not_equal(s.nics[1].mac, mac, 6);
	assert_int_equal(s.ndisks, 2);
	assert_string_equal(s.disks[0].path, "/c/d/www.a.test.img");
	assert_string_equal(s.disks[0].overlay, "/s/overlay/www.a.test.0.qcow2");
	assert_null(s.disks[1].overlay);
	assert_true(s.disks[1].readonly && s.disks[1].format == VM_DISK_QCOW2);
	assert_int_equal(s.nargs, 2);
	assert_string_equal(s.args[1], "file:/log/www.a.test");
	arena_clear(&s.memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_spec) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
