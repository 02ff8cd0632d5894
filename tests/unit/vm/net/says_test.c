/* says_test: what real bridges say of what keeps frames away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/vm/host_fixture.h"

static struct world w;

static int
setup(void **state)
{
	(void)state;
	/* A host without rules, whether or not frames would pass them. */
	(void)sh_status("sysctl -q net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-"
	    "ip6tables=1 net.bridge.bridge-nf-call-arptables=1 2>/dev/null; nft flush ruleset");
	sh("ip link add jtest1 type bridge && ip link set jtest1 up && ip link add vport0 type "
	    "veth peer name vport1 && ip link set vport0 master jtest1 up");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)sh_status("nft flush ruleset; ip link del vport0; ip link del jtest1");
	return 0;
}

static void
on_sentence(const char *sentence, void *arg)
{
	char *all = arg;
	size_t used = strlen(all);

	snprintf(all + used, 4096 - used, "%s\n", sentence);
}

/* All sentences, a line each. */
static const char *
says(const char *bridge)
{
	static char all[4096];

	all[0] = '\0';
	vm_bridge_says(bridge, on_sentence, all);
	return all;
}

static void
has(const char *text)
{
	const char *all = says("jtest1");

	if (strstr(all, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, all);
}

static void
test_nothing(void **state)
{
	(void)state;
	assert_string_equal(says("jtest1"), "");
	assert_string_equal(says("none0"), "");
	assert_string_equal(says("lo"), "");
	assert_string_equal(says(""), "");
}

static void
test_vlans(void **state)
{
	(void)state;
	if (sh_status("ip link set jtest1 type bridge vlan_filtering 1 2>/dev/null") != 0)
		return;         /* a kernel without them */
	has("VMs are in VLAN 1, untagged");
	sh("ip link set jtest1 type bridge vlan_default_pvid 0");
	has("into none, so that nobody reaches a VM (ip link set jtest1 type bridge");
}

static void
test_ports(void **state)
{
	(void)state;
	/* Of another bridge: no matter. */
	sh("ip link add vother0 type veth peer name vother1 && ip link set vother0 master " BRIDGE
	    " && bridge link set dev vother0 isolated on");
	assert_string_equal(says("jtest1"), "");
	sh("ip link set vother0 master jtest1 && bridge link set dev vother0 isolated on && bridge "
	    "link set dev vport0 isolated on");
	has("isolated ports (v");
	has("vport0");
	has("vother0");
	sh("ip link del vother0 && bridge link set dev vport0 isolated off");
	assert_string_equal(says("jtest1"), "");
	if (sh_status("bridge link set dev vport0 locked on 2>/dev/null") == 0)
		has("locked ports (vport0)");
}

static void
test_rules(void **state)
{
	(void)state;
	if (access("/proc/sys/net/bridge/bridge-nf-call-iptables", F_OK) != 0)
		return;         /* there is no br_netfilter */
	/* Tables that see no bridged frame, or change addresses only. */
	sh("nft add table ip t && nft add chain ip t plain && nft add table bridge t && "
	    "nft add chain ip t in '{ type filter hook input priority 0; }' && "
	    "nft add chain ip t nat '{ type nat hook prerouting priority 0; }' && "
	    "nft add chain bridge t f '{ type filter hook forward priority 0; }'");
	assert_string_equal(says("jtest1"), "");
	sh("nft add chain ip t onward '{ type filter hook forward priority 0; policy drop; }'");
	has("its IPv4 frames pass this host's rules, such as chain onward of nftables' table t");
	assert_null(strstr(says("jtest1"), "IPv6"));
	sh("nft add table inet both && nft add chain inet both pre '{ type filter hook prerouting "
	    "priority 0; }'");
	has("its IPv6 frames pass this host's rules, such as chain pre of nftables' table both");
	sh("sysctl -q net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0");
	assert_string_equal(says("jtest1"), "");
	sh("ip link set jtest1 type bridge nf_call_iptables 1");
	has("net.bridge.bridge-nf-call-iptables=0, and nf_call of the bridge)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vlans, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
	};

	return world_main(&w, tests, NULL);
}
