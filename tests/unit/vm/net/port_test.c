/* port_test: an interface becomes a VM's port, on real bridges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vm/host_fixture.h"
#include "vm/net/port.h"

static struct world w;

#define GUEST "02:00:00:00:00:77"
static const uint8_t guest[6] = { 2, 0, 0, 0, 0, 0x77 };

/* An interface to join: one end of a pair. */
static int
setup(void **state)
{
	(void)state;
	sh("ip link add vport0 type veth peer name vport1 && ip link set vport1 up");
	sh("ip link add jtest1 address 02:00:00:00:01:01 type bridge && ip link set jtest1 up");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)sh_status("ip link del vport0; ip link del jtest1; ip link del vother0 2>/dev/null");
	return 0;
}

static void
join(const char *bridge)
{
	struct errmsg m;

	if (port_join(NULL, "vport0", bridge, guest, &m) != ERR_OK)
		fail_msg("%s", m.text);
}

static bool
has(const char *command)
{
	return sh_status("%s", command) == 0;
}

static void
test_join(void **state)
{
	(void)state;
	join("jtest1");
	assert_true(has("ip -o link show vport0 | grep -q 'master jtest1' && ip -o link show "
	    "vport0 | grep -q '[<,]UP'"));
	assert_true(has("bridge fdb show br jtest1 | grep -q '^" GUEST
	    " dev vport0 .*master jtest1 static'"));
	assert_true(has("bridge -d link show dev vport0 | grep -q ' flood off'"));
	/* What others have undone is done again. */
	sh("ip link set vport0 down && bridge fdb del " GUEST
	    " dev vport0 master && bridge link set dev vport0 flood on");
	join("jtest1");
	assert_true(has("bridge fdb show br jtest1 | grep -q '^" GUEST
	    " dev vport0 .*master jtest1 static'"));
	assert_true(has("bridge -d link show dev vport0 | grep -q ' flood off' && ip -o link show "
	    "vport0 | grep -q '[<,]UP'"));
	sh("ip link set vport0 nomaster");
	join("jtest1");
	sh("ip link set vport0 master " BRIDGE);
	join("jtest1");
	assert_true(has("ip -o link show vport0 | grep -q 'master jtest1'"));
	/* Somebody else has joined it. */
	sh("ip link set vport0 nomaster && ip link set vport0 master jtest1");
	assert_int_equal(port_guard(NULL, "vport0", guest, false, NULL), ERR_OK);
	assert_true(has("bridge fdb show br jtest1 | grep -q '^" GUEST
	    " dev vport0 .*master jtest1 static'"));
	assert_true(has("bridge -d link show dev vport0 | grep -q ' flood off'"));
	sh("ip link set vport0 nomaster");
	assert_int_equal(port_guard(NULL, "vport0", guest, false, NULL), ERR_MISSING);
}

static void
test_errors(void **state)
{
	struct errmsg m;

	(void)state;
	assert_int_equal(port_join(NULL, "vport0", "none0", guest, &m), ERR_MISSING);
	assert_non_null(strstr(m.text, "none0"));
	assert_int_equal(port_join(NULL, "vport0", "lo", guest, &m), ERR_UNSUPPORTED);
	assert_int_equal(port_join(NULL, "vport0", "", guest, &m), ERR_RANGE);
	assert_int_not_equal(port_join(NULL, "vport9", "jtest1", guest, &m), ERR_OK);
}

static void
test_mtu(void **state)
{
	(void)state;
	sh("ip link add vother0 mtu 9000 type veth peer name vother1 mtu 9000 && ip link set "
	    "vother0 master jtest1 up && ip link set vother1 up");
	assert_true(has("ip -o link show jtest1 | grep -q 'mtu 9000'"));   /* it follows */
	join("jtest1");
	assert_true(has("ip -o link show vport0 | grep -q 'mtu 9000' && ip -o link show jtest1 | "
	    "grep -q 'mtu 9000'"));
}

/* The MAC is refused, the message names what has it, and the bridge's entries are as before. */
static void
refused(const char *mac, const char *name)
{
	/* What somebody set: groups and learned entries come and go with the host's own IPv6. */
	static const char dump[] = "bridge fdb show br jtest1 | grep -E 'permanent|static' | "
	    "grep -vE 'vport0|^33:33:|^01:' | sort >%s/fdb.%d";
	struct errmsg m = { "" };
	unsigned b[6];
	uint8_t bytes[6];
	enum err e;

	assert_int_equal(sscanf(mac, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]),
	    6);
	for (int i = 0; i < 6; i++)
		bytes[i] = (uint8_t)b[i];
	sh(dump, w.dir, 1);
	e = port_join(NULL, "vport0", "jtest1", bytes, &m);
	if (e != ERR_EXISTS || strstr(m.text, mac) == NULL || strstr(m.text, name) == NULL)
		fail_msg("%s: %d, %s", mac, (int)e, m.text);
	sh(dump, w.dir, 2);
	sh("cmp %s/fdb.1 %s/fdb.2", w.dir, w.dir);
	sh("ip link set vport0 nomaster");
}

static void
test_macs_of_others(void **state)
{
	(void)state;
	sh("ip link add vother0 address 02:00:00:00:00:88 type veth peer name vother1 && ip link "
	    "set vother0 master jtest1 up && ip link set vother1 up");
	sh("bridge fdb add 02:00:00:00:00:99 dev vother0 master static && bridge fdb add "
	    "02:00:00:00:00:aa dev jtest1 self local");
	for (int vlans = 0; vlans < 2; vlans++) {
		if (vlans == 1 && sh_status("ip link set jtest1 type bridge vlan_filtering 1 "
		    "2>/dev/null") != 0)
			break;   /* a kernel without them */
		/* the bridge's own: the host would be cut off */
		refused("02:00:00:00:01:01", "jtest1");
		refused("02:00:00:00:00:88", "vother0");     /* a port's */
		refused("02:00:00:00:00:aa", "jtest1");      /* what somebody made local */
		refused("02:00:00:00:00:99", "vother0");     /* what somebody put elsewhere */
		/* Whoever sends a frame makes an entry: that keeps no VM from its MAC. */
		sh("bridge fdb replace " GUEST " dev vother0 master dynamic");
		join("jtest1");
		assert_true(has("bridge fdb show br jtest1 | grep -q '^" GUEST
		    " dev vport0 .*master jtest1 static'"));
		assert_false(has("bridge fdb show br jtest1 | grep -q '^" GUEST " .*dev vother0'"));
		sh("ip link set vport0 nomaster");
	}
}

static void
test_spanning_tree(void **state)
{
	struct vm_bridge br;
	struct errmsg m;

	(void)state;
	assert_int_equal(vm_bridge_get("jtest1", &br, &m), ERR_OK);
	assert_int_equal(br.stp_wait_ms, 0);                   /* off, with a delay of 15 s */
	sh("ip link set jtest1 type bridge forward_delay 400 stp_state 1");
	assert_int_equal(vm_bridge_get("jtest1", &br, &m), ERR_OK);
	assert_int_equal(br.stp_wait_ms, 8000);
	sh("ip link set jtest1 type bridge stp_state 0");
	sh("ip link set jtest1 type bridge forward_delay 0 stp_state 1");
	assert_int_equal(vm_bridge_get("jtest1", &br, &m), ERR_OK);
	assert_int_equal(br.stp_wait_ms, 4000);                /* the least that the kernel takes */
}

/* Is this MAC among the host's own? */
static bool
own(const uint8_t mac[6])
{
	struct vm_host_mac *list;
	struct errmsg m;
	bool found = false;
	unsigned n;

	if (vm_host_macs(&list, &n, &m) != ERR_OK)
		fail_msg("%s", m.text);
	for (unsigned i = 0; i < n; i++)
		found = found || memcmp(list[i].mac, mac, 6) == 0;
	free(list);
	return found;
}

static void
test_host_macs(void **state)
{
	(void)state;
	assert_true(own((const uint8_t[]){ 2, 0, 0, 0, 1, 1 }));
	assert_false(own(guest));
	assert_false(own((const uint8_t[6]){ 0 }));            /* lo */
	sh("bridge fdb add 02:00:00:00:00:aa dev jtest1 self local");
	assert_true(own((const uint8_t[]){ 2, 0, 0, 0, 0, 0xaa }));
	/* A guest's entry, of a unit that is awake when the configuration is loaded again. */
	join("jtest1");
	assert_false(own(guest));
	sh("ip link set vport0 address " GUEST);
	assert_true(own(guest));
}

static void
keeps(enum vm_port_state state, const char *text)
{
	struct errmsg m = { "" };

	assert_int_equal(port_keep(NULL, "vport0", "jtest1", guest, &m), state);
	if (strstr(m.text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, m.text);
}

static void
test_keep(void **state)
{
	struct vm_bridge br;
	struct errmsg m;

	(void)state;
	keeps(VM_PORT_BACK, "");
	keeps(VM_PORT_THERE, "");
	sh("ip link set vport0 down");
	keeps(VM_PORT_BACK, "");
	assert_true(has("ip -o link show vport0 | grep -q '[<,]UP'"));
	/* Down: wherever the port is, nobody is reached. */
	sh("ip link set jtest1 down");
	keeps(VM_PORT_LOST, "ip link set jtest1 up");
	assert_int_equal(vm_bridge_check("jtest1", &m), ERR_STATE);
	assert_int_equal(vm_bridge_get("jtest1", &br, &m), ERR_OK);
	assert_int_equal(vm_bridge_up("jtest1", &br, &m), ERR_STATE);
	sh("ip link set jtest1 up");
	keeps(VM_PORT_THERE, "");
	assert_int_equal(vm_bridge_check("jtest1", &m), ERR_OK);
	/* By another name, which must be up. */
	sh("ip link set jtest1 name jtest2");
	keeps(VM_PORT_ELSEWHERE, "\"jtest1\" does not exist, and it is on \"jtest2\"");
	sh("ip link set jtest2 down");
	keeps(VM_PORT_LOST, "\"jtest1\" does not exist");
	sh("ip link set jtest2 name jtest1 && ip link set jtest1 up");
	sh("ip link del jtest1");
	keeps(VM_PORT_LOST, "\"jtest1\" does not exist");
	/* Something else has its name. */
	sh("ip link add jtest1 type veth peer name vother0");
	keeps(VM_PORT_LOST, "\"jtest1\" is not a bridge");
	sh("ip link del vport0");
	keeps(VM_PORT_GONE, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_join, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mtu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_macs_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spanning_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_macs, setup, teardown),
	};

	return world_main(&w, tests, NULL);
}
