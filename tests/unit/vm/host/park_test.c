/* park_test: what is for units that are not awake comes to our port, on real bridges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/clock.h"
#include "tests/unit/vm/host_fixture.h"
#include "vm/host/host.h"
#include "vm/net/port.h"

#define CLIENT "02:00:00:00:00:cc"
#define SLEEPER "02:00:00:00:00:77"
#define VM_NUMBER 7
#define VM_MAC "02:00:00:00:09:07"
#define NOTHING_MS 100

static struct world w;
static struct vm_park_port port;
static uint8_t hosts[6];               /* the MAC of the port's bridge: nobody can have it */
static const uint8_t sleeper[6] = { 2, 0, 0, 0, 0, 0x77 };
static const uint8_t vm_mac[6] = { 2, 0, 0, 0, 9, VM_NUMBER };

static void
port_make(const char *bridge)
{
	struct vm_bridge br;
	struct errmsg m;

	port = (struct vm_park_port){ .fd = -1 };
	if (vm_bridge_get(bridge, &br, &m) != ERR_OK ||
	    vm_park_port(w.host, bridge, &port, &m) != VM_PARK_MADE)
		fail_msg("%s", m.text);
	memcpy(hosts, br.mac, sizeof(hosts));
}

/* A client at the bridge jtest1, and the port. */
static int
setup(void **state)
{
	(void)state;
	sh("ip link add jtest1 address 02:00:00:00:01:01 type bridge && ip link set jtest1 up");
	sh("ip link add vport0 type veth peer name vport1 address " CLIENT
	    " && ip link set vport0 master jtest1 up && ip link set vport1 up");
	world_open(&w);
	port_make("jtest1");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	vm_park_port_close(w.host, &port);
	assert_int_equal(port.fd, -1);
	world_close(&w);
	(void)sh_status("ip link del vport0; ip link del jtest1; ip link del vother0 2>/dev/null");
	return 0;
}

static bool
has(const char *command)
{
	return sh_status("%s", command) == 0;
}

/* Is the MAC, by a static entry, behind that port? */
static bool
behind(const char *bridge, const char *mac, const char *name)
{
	return sh_status("bridge fdb show br %s | grep -q '^%s dev %s .*master %s static'", bridge,
	    mac, name, bridge) == 0;
}

/* ---- what was said of MACs that could not be parked ---- */

struct failure {
	unsigned n;
	uint32_t unit;
	enum err err;
	char why[1024];
};

static void
failed(uint32_t unit, enum err e, const char *why, void *arg)
{
	struct failure *f = arg;

	f->n++;
	f->unit = unit;
	f->err = e;
	snprintf(f->why, sizeof(f->why), "%s", why);
}

/* What is queued has been done: another that fails comes behind it. */
static void
parked(void)
{
	struct failure last = { .n = 0 };

	vm_park(w.host, &port, hosts, NULL, 0, failed, &last);
	assert_true(spin_count(&w, &last.n, 1, PATIENCE_MS));
}

static void
park(const uint8_t mac[6])
{
	struct failure f = { .n = 0 };

	vm_park(w.host, &port, mac, NULL, 5, failed, &f);
	parked();
	if (f.n > 0)
		fail_msg("%s", f.why);
}

/* ---- frames ---- */

static void
frame_send(const char *ifname, const char *dst, const char *src, uint16_t type)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_ifindex = (int)if_nametoindex(ifname) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	uint8_t frame[60] = { 0 };

	assert_true(fd >= 0);
	assert_true(addr_parse_mac(dst, frame) && addr_parse_mac(src, frame + 6));
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	/* UDP, the shortest that is whole: br_netfilter looks at its checksum */
	frame[14] = 0x45;
	frame[17] = 28;
	frame[22] = 64;
	frame[23] = IPPROTO_UDP;
	frame[24] = 0x66;
	frame[25] = 0xcf;
	frame[26] = frame[30] = 10;
	frame[29] = 1;
	frame[33] = 2;
	frame[39] = 8;
	assert_int_equal(sendto(fd, frame, sizeof(frame), 0, (const struct sockaddr *)&to,
	    sizeof(to)), sizeof(frame));
	close(fd);
}

/* Does a frame for that MAC come to the descriptor? */
static bool
frame_comes(int fd, const char *dst, int ms)
{
	uint64_t end = clock_now_ms() + (uint64_t)ms;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t buf[2048], mac[6];
	const size_t at = sizeof(struct virtio_net_hdr);
	uint64_t now;

	assert_true(addr_parse_mac(dst, mac));
	while ((now = clock_now_ms()) < end) {
		if (poll(&p, 1, (int)(end - now)) != 1)
			continue;
		if (read(fd, buf, sizeof(buf)) > (ssize_t)(at + 6) &&
		    memcmp(buf + at, mac, 6) == 0)
			return true;
	}
	return false;
}

/* Does such a frame come to the port?  A bridge's port may take a moment to forward. */
static bool
frame_gets(const char *ifname, const char *dst, const char *src, uint16_t type)
{
	uint64_t end = clock_now_ms() + PATIENCE_MS;
	bool got = false;

	while (!got && clock_now_ms() < end) {
		frame_send(ifname, dst, src, type);
		got = frame_comes(port.fd, dst, NOTHING_MS);
	}
	return got;
}

/* ---- the port ---- */

static void
test_port(void **state)
{
	(void)state;
	assert_int_equal(strncmp(port.name, "jtp", 3), 0);
	assert_int_equal(port.ifindex, if_nametoindex(port.name));
	assert_int_equal(sh_status("ip -o link show %s | grep 'master jtest1' | grep '[<,]UP' | "
	    "grep -q 'ether fe:'", port.name), 0);
	assert_int_equal(sh_status("bridge -d link show dev %s | grep ' learning off' | grep "
	    "' flood off' | grep ' isolated off' | grep -q ' mcast_router 2'",
	    port.name), 0);
	assert_int_equal(sh_status("test -z \"$(ip -6 addr show dev %s)\"", port.name), 0);
	/* ARP is broadcast; nothing else that is for many, and no unicast, comes. */
	assert_true(frame_gets("vport1", "ff:ff:ff:ff:ff:ff", CLIENT, ETH_P_ARP));
	while (frame_comes(port.fd, SLEEPER, NOTHING_MS))
		;       /* those that were late */
	frame_send("vport1", SLEEPER, CLIENT, ETH_P_IP);
	assert_false(frame_comes(port.fd, SLEEPER, NOTHING_MS));
	/* It learns nothing: the client is where it was. */
	frame_send("vport1", "ff:ff:ff:ff:ff:ff", CLIENT, ETH_P_ARP);
	frame_send(port.name, "ff:ff:ff:ff:ff:ff", CLIENT, ETH_P_ARP);
	assert_true(has("bridge fdb show br jtest1 | grep -q '^" CLIENT " dev vport0'"));
}

static void
test_frames(void **state)
{
	(void)state;
	park(sleeper);
	assert_true(behind("jtest1", SLEEPER, port.name));
	assert_true(frame_gets("vport1", SLEEPER, CLIENT, ETH_P_IP));
	/* The host itself, too. */
	assert_true(frame_gets("jtest1", SLEEPER, "02:00:00:00:01:01", ETH_P_IP));
	/* A late frame of the guest, or one of who says to be the guest, moves nothing. */
	frame_send("vport1", CLIENT, SLEEPER, ETH_P_IP);
	frame_send("vport1", "ff:ff:ff:ff:ff:ff", SLEEPER, ETH_P_ARP);
	assert_true(behind("jtest1", SLEEPER, port.name));
	vm_unpark(w.host, &port, sleeper);
	parked();
	assert_false(behind("jtest1", SLEEPER, port.name));
	while (frame_comes(port.fd, SLEEPER, NOTHING_MS))
		;       /* those that were late */
	frame_send("vport1", SLEEPER, CLIENT, ETH_P_IP);
	assert_false(frame_comes(port.fd, SLEEPER, NOTHING_MS));
}

/* A guest whose port nobody can name is where its frames come from. */
static void
test_unnamed(void **state)
{
	struct vm vm = { .driver = &vm_driver_qemu, .watch_fd = -1, .death_fd = -1 };

	(void)state;
	park(sleeper);
	host_park_take(w.host, &vm, sleeper, false);
	assert_false(behind("jtest1", SLEEPER, port.name));
	frame_send("vport1", "ff:ff:ff:ff:ff:ff", SLEEPER, ETH_P_ARP);
	assert_true(has("bridge fdb show br jtest1 | grep -q '^" SLEEPER " dev vport0'"));
	park(sleeper);
	assert_true(behind("jtest1", SLEEPER, port.name));
}

/* What this host's own clients send has its checksum left undone, and says so. */
static void
test_offloads(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80),
		.sin_addr.s_addr = htonl(0x0a620007) };
	struct pollfd p = { .fd = port.fd, .events = POLLIN };
	struct virtio_net_hdr hdr;
	uint8_t buf[2048];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool found = false;

	(void)state;
	park(sleeper);
	sh("ip addr add 10.98.0.1/24 dev jtest1 && ip neigh replace 10.98.0.7 lladdr " SLEEPER
	    " dev jtest1");
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EINPROGRESS);
	while (!found && poll(&p, 1, PATIENCE_MS) == 1)
		found = read(port.fd, buf, sizeof(buf)) > (ssize_t)sizeof(hdr) &&
		    memcmp(buf + sizeof(hdr), sleeper, sizeof(sleeper)) == 0;
	assert_true(found);
	memcpy(&hdr, buf, sizeof(hdr));
	assert_int_equal(hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	close(fd);
}

/* ---- entries ---- */

static void
fails(const uint8_t mac[6], const char *text)
{
	struct failure f = { .n = 0 };

	vm_park(w.host, &port, mac, NULL, 9, failed, &f);
	assert_true(spin_count(&w, &f.n, 1, PATIENCE_MS));
	assert_int_equal(f.unit, 9);
	assert_int_equal(f.err, ERR_EXISTS);
	if (strstr(f.why, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, f.why);
}

static void
test_macs_of_others(void **state)
{
	(void)state;
	sh("ip link add vother0 address 02:00:00:00:00:88 type veth peer name vother1 && ip link "
	    "set vother0 master jtest1 up && ip link set vother1 up");
	for (int vlans = 0; vlans < 2; vlans++) {
		if (vlans == 1 && sh_status("ip link set jtest1 type bridge vlan_filtering 1 "
		    "2>/dev/null") != 0)
			break;   /* a kernel without them */
		sh("bridge fdb replace 02:00:00:00:00:99 dev vother0 master static");
		fails((const uint8_t[]){ 2, 0, 0, 0, 1, 1 }, "the host's own, on jtest1");
		fails((const uint8_t[]){ 2, 0, 0, 0, 0, 0x88 }, "the host's own, on vother0");
		fails((const uint8_t[]){ 2, 0, 0, 0, 0, 0x99 }, "somebody to the port vother0");
		assert_true(behind("jtest1", "02:00:00:00:00:99", "vother0"));
		/* Anybody's frame makes an entry, which keeps nobody from being parked. */
		sh("bridge fdb replace " SLEEPER " dev vother0 master dynamic");
		park(sleeper);
		assert_true(behind("jtest1", SLEEPER, port.name));
		park(sleeper);
		assert_true(behind("jtest1", SLEEPER, port.name));
		/* Only what is at the port is taken from there. */
		sh("bridge fdb replace " SLEEPER " dev vother0 master static");
		vm_unpark(w.host, &port, sleeper);
		parked();
		assert_true(behind("jtest1", SLEEPER, "vother0"));
		sh("bridge fdb del " SLEEPER " dev vother0 master");
	}
}

/* Another instance's port is somebody else's, another of ours is not. */
static void
test_instances(void **state)
{
	struct vm_park_port second = { .fd = -1 }, theirs = { .fd = -1 };
	struct vm_host_conf conf = w.conf;
	struct vm_host *other;
	struct errmsg m;
	char dir[128];

	(void)state;
	park(sleeper);
	assert_int_equal(vm_park_port(w.host, "jtest1", &second, &m), VM_PARK_MADE);
	assert_string_not_equal(port.name, second.name);
	vm_park(w.host, &second, sleeper, NULL, 0, NULL, NULL);
	parked();
	assert_true(behind("jtest1", SLEEPER, second.name));
	park(sleeper);
	assert_true(behind("jtest1", SLEEPER, port.name));
	vm_park_port_close(w.host, &second);

	snprintf(dir, sizeof(dir), "%s/other", w.dir);
	sh("mkdir -m 755 %s", dir);
	conf.run_dir = conf.state_dir = dir;
	assert_int_equal(vm_host_new(w.base, &conf, NULL, NULL, &other, &m), ERR_OK);
	assert_int_equal(vm_park_port(other, "jtest1", &theirs, &m), VM_PARK_MADE);
	assert_int_not_equal(strncmp(port.name, theirs.name, 11), 0);
	vm_park(other, &theirs, (const uint8_t[]){ 2, 0, 0, 0, 0, 0x78 }, NULL, 0, NULL, NULL);
	vm_host_free(other);
	sh("bridge fdb replace 02:00:00:00:00:78 dev %s master static", theirs.name);
	fails((const uint8_t[]){ 2, 0, 0, 0, 0, 0x78 }, theirs.name);
	close(theirs.fd);
	sh("rm -r %s", dir);
}

static void
keeps(enum vm_park_state state, const char *text)
{
	struct errmsg m = { "" };

	assert_int_equal(vm_park_port(w.host, "jtest1", &port, &m), state);
	if (strstr(m.text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, m.text);
}

static void
test_keep(void **state)
{
	unsigned was = port.ifindex;
	struct vm_park_port none = { .fd = -1 };
	struct errmsg m;

	(void)state;
	keeps(VM_PARK_THERE, "");
	sh("ip link set %s down", port.name);
	keeps(VM_PARK_THERE, "");
	assert_int_equal(sh_status("ip -o link show %s | grep -q '[<,]UP'", port.name), 0);
	sh("ip link set %s nomaster", port.name);
	keeps(VM_PARK_AGAIN, "");
	keeps(VM_PARK_THERE, "");
	sh("ip link set jtest1 name jtest2");
	keeps(VM_PARK_LOST, "\"jtest1\" does not exist");
	sh("ip link set jtest2 name jtest1");
	keeps(VM_PARK_THERE, "");
	sh("ip link del jtest1");
	keeps(VM_PARK_LOST, "\"jtest1\" does not exist");
	/* What is for a port without a bridge is no failure: all is parked again. */
	vm_park(w.host, &port, sleeper, NULL, 0, failed, NULL);
	sh("ip link add jtest1 address 02:00:00:00:01:01 type bridge && ip link set jtest1 up mtu "
	    "1400");
	keeps(VM_PARK_AGAIN, "");
	assert_int_equal(sh_status("ip -o link show %s | grep -q 'mtu 1400 '", port.name), 0);
	sh("ip link set jtest1 mtu 1500");
	keeps(VM_PARK_THERE, "");
	assert_int_equal(sh_status("ip -o link show %s | grep -q 'mtu 1500 '", port.name), 0);
	assert_int_equal(sh_status("bridge -d link show dev %s | grep -q ' learning off'",
	    port.name), 0);
	assert_int_equal(port.ifindex, was);
	park(sleeper);
	sh("ip link del %s", port.name);
	vm_park(w.host, &port, sleeper, NULL, 0, failed, NULL);
	keeps(VM_PARK_MADE, "");
	assert_true(port.ifindex != was && port.fd >= 0);
	park(sleeper);
	assert_true(frame_gets("jtest1", SLEEPER, "02:00:00:00:01:01", ETH_P_IP));
	/* By another name nobody would know whose it is. */
	sh("ip link set %s down && ip link set %s name vother0", port.name, port.name);
	keeps(VM_PARK_MADE, "");
	assert_int_equal(vm_park_port(w.host, "lo", &none, &m), VM_PARK_LOST);
	assert_non_null(strstr(m.text, "not a bridge"));
	assert_int_equal(none.fd, -1);
}

#define MANY 10000

static void
test_many(void **state)
{
	struct failure f = { .n = 0 };
	uint64_t begin = clock_now_ns(), said;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		vm_park(w.host, &port, (const uint8_t[]){ 2, 0, 0, 7, (uint8_t)(i >> 8),
		    (uint8_t)i }, NULL, i, failed, &f);
	said = clock_now_ns() - begin;
	parked();
	print_message("%u parked: %llu us to say, %llu ms in all\n", MANY,
	    (unsigned long long)said / 1000,
	    (unsigned long long)(clock_now_ns() - begin) / NS_PER_MS);
	assert_int_equal(f.n, 0);
	assert_int_equal(sh_status("test $(bridge fdb show br jtest1 dev %s | grep -c ' static') "
	    "= %u", port.name, MANY), 0);
}

/* ---- VMs ---- */

static void
operation(const struct vm_uuid *uuid, enum vm_op op)
{
	struct result r = { .done = false };

	vm_do(w.host, uuid, op, result_cb, &r);
	assert_true(spin(&w, &r.done, PATIENCE_MS));
	if (r.err != ERR_OK)
		fail_msg("%s", r.text);
}

static void
start(struct vm_spec *spec, void (*how)(struct vm_host *, struct vm_spec *, vm_done_cb, void *))
{
	struct result r = { .done = false };
	unsigned links = w.links;

	how(w.host, spec, result_cb, &r);
	assert_true(spin(&w, &r.done, PATIENCE_MS));
	if (r.err != ERR_OK)
		fail_msg("%s", r.text);
	assert_int_equal(w.links, links + (spec->link ? 1 : 0));
}

/* The guest's own frames, at its link. */
static void
link_hears(void)
{
	struct pollfd p = { .fd = w.link_fd, .events = POLLIN };

	assert_true(w.link_fd >= 0);
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

static void
test_vm(void **state)
{
	struct vm_park_port old = port;
	struct result r = { .done = false };
	char cmdline[128], tap[IFNAMSIZ];
	struct vm_spec spec;
	struct errmsg m;
	uint8_t frame[sizeof(struct virtio_net_hdr) + 60] = { 0 };
	int fd, copy;

	(void)state;
	port_make(BRIDGE);
	world_spec(&w, &spec, VM_NUMBER, cmdline);
	spec.link = true;
	vm_park(w.host, &port, vm_mac, NULL, 0, NULL, NULL);
	start(&spec, vm_start);
	memcpy(tap, vm_ids_get(w.host, &spec.uuid).nics[0], sizeof(tap));
	assert_true(behind(BRIDGE, VM_MAC, tap));
	assert_true(guest_pings(VM_NUMBER, PATIENCE_S));
	link_hears();

	/* Parked first, whichever thread is quicker; then frozen. */
	vm_park(w.host, &port, vm_mac, &spec.uuid, 0, NULL, NULL);
	operation(&spec.uuid, VM_FREEZE);
	assert_true(behind(BRIDGE, VM_MAC, port.name));
	assert_int_equal(vm_port_keep(w.host, tap, BRIDGE, vm_mac, &m), VM_PORT_THERE);
	sh("ip link set %s nomaster", tap);
	assert_int_equal(vm_port_keep(w.host, tap, BRIDGE, vm_mac, &m), VM_PORT_BACK);
	assert_true(behind(BRIDGE, VM_MAC, port.name));
	/* It goes on: it could not be frozen, say. */
	vm_park(w.host, &port, vm_mac, &spec.uuid, 0, NULL, NULL);
	vm_park_take(w.host, &spec.uuid, vm_mac);
	parked();
	assert_true(behind(BRIDGE, VM_MAC, tap));
	/* What was queued before the thaw does not take the MAC away again. */
	vm_park(w.host, &port, vm_mac, &spec.uuid, 0, NULL, NULL);
	vm_thaw(w.host, &spec.uuid, vm_mac, true, result_cb, &r);
	assert_true(spin(&w, &r.done, PATIENCE_MS));
	assert_int_equal(r.err, ERR_OK);
	assert_int_equal(w.links, 2);
	parked();
	assert_true(behind(BRIDGE, VM_MAC, tap));
	assert_true(guest_pings(VM_NUMBER, PATIENCE_S));

	vm_park(w.host, &port, vm_mac, &spec.uuid, 0, NULL, NULL);
	operation(&spec.uuid, VM_SAVE);
	assert_true(behind(BRIDGE, VM_MAC, port.name));
	assert_int_equal(vm_link_open(w.host, &spec.uuid, vm_mac, &fd, &m), ERR_MISSING);
	start(&spec, vm_restore);
	assert_true(behind(BRIDGE, VM_MAC, tap));
	assert_true(guest_pings(VM_NUMBER, PATIENCE_S));
	assert_int_equal(vm_link_open(w.host, &spec.uuid, vm_mac, &copy, &m), ERR_OK);
	assert_int_equal(send(copy, frame, sizeof(frame), 0), sizeof(frame));
	fd = entry_find(w.host, &spec.uuid)->link_fd;
	assert_true(fcntl(fd, F_GETFD) >= 0);
	vm_link_done(w.host, &spec.uuid);
	for (unsigned i = 0; i < PATIENCE_MS / 10 && fcntl(fd, F_GETFD) >= 0; i++)
		spin_ms(&w, 10);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	/* A copy leads nowhere. */
	assert_int_equal(send(copy, frame, sizeof(frame), 0), -1);
	assert_int_equal(errno, ENXIO);
	close(copy);
	/* An entry that is nowhere, as after a daemon that died in between. */
	sh("bridge fdb del " VM_MAC " dev %s master", tap);
	assert_int_equal(vm_port_keep(w.host, tap, BRIDGE, vm_mac, &m), VM_PORT_THERE);
	assert_true(behind(BRIDGE, VM_MAC, tap));

	vm_park(w.host, &port, vm_mac, &spec.uuid, 0, NULL, NULL);
	r.done = false;
	vm_stop(w.host, &spec.uuid, VM_STOP_DESTROY, 0, result_cb, &r);
	assert_true(spin(&w, &r.done, PATIENCE_MS));
	assert_true(behind(BRIDGE, VM_MAC, port.name));
	vm_park_port_close(w.host, &port);
	port = old;
}

/* The kernel takes up to a second to see that. */
static void
carrier_off(void)
{
	sh("ip link set vport1 down");
	for (unsigned i = 0; i < PATIENCE_MS / 10 &&
	    !has("ip -o link show vport0 | grep -q NO-CARRIER"); i++)
		spin_ms(&w, 10);
}

/* A NIC that has no carrier before the guest is connected, as a Xen vif: a veth's end. */
static void
test_late(void **state)
{
	struct vm vm = { .driver = &vm_driver_qemu, .late = true, .ids.nics[0] = "vport0",
		.watch_fd = -1, .death_fd = -1 };
	const struct vm_uuid uuid = { { 1 } };
	struct entry *e = entry_new(w.host, &uuid, 0);
	struct parks *parks = w.host->env.parks;
	struct errmsg m;

	(void)state;
	memcpy(vm.late_mac, sleeper, sizeof(sleeper));
	e->vm = &vm;
	e->state = ENTRY_RUNS;
	park(sleeper);
	carrier_off();
	assert_int_equal(port_guard(parks, "vport0", sleeper, true, &m), ERR_OK);
	assert_true(has("bridge -d link show dev vport0 | grep -q ' flood off'"));
	host_late_add(e);
	spin_ms(&w, NOTHING_MS);
	assert_true(vm.late && behind("jtest1", SLEEPER, port.name));
	sh("ip link set vport1 up");
	for (unsigned i = 0; i < PATIENCE_MS / 10 && vm.late; i++)
		spin_ms(&w, 10);
	assert_true(!vm.late && behind("jtest1", SLEEPER, "vport0"));
	/* It is there already. */
	vm_park(w.host, &port, sleeper, &uuid, 0, NULL, NULL);
	parked();
	assert_true(behind("jtest1", SLEEPER, port.name));
	vm.late = true;
	host_late_add(e);
	assert_true(!vm.late && behind("jtest1", SLEEPER, "vport0"));
	/* It sleeps again before the guest was connected. */
	carrier_off();
	vm.late = true;
	host_late_add(e);
	assert_true(vm.late);
	vm_park(w.host, &port, sleeper, &uuid, 0, NULL, NULL);
	parked();
	sh("ip link set vport1 up");
	spin_ms(&w, NOTHING_MS);
	assert_true(behind("jtest1", SLEEPER, port.name));
	/* Somebody deletes it. */
	vm.late = true;
	snprintf(vm.ids.nics[0], IFNAMSIZ, "vport9");
	host_late_add(e);
	assert_false(vm.late);
	assert_true(spin_count(&w, &w.logs, 1, PATIENCE_MS));
	/* The host's own MAC is refused before anything is up. */
	assert_int_equal(port_guard(parks, "vport0", hosts, true, &m), ERR_EXISTS);
	e->vm = NULL;
	entry_free(e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unnamed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offloads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_macs_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_instances, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late, setup, teardown),
	};

	return world_main(&w, tests, NULL);
}
