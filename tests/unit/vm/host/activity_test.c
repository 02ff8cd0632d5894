/*
 * activity_test: what counts as payload and what does not, with real nftables on a real bridge, and
 * bridges as vm_bridge_get sees them.
 */
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
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/clock.h"
#include "tests/unit/vm/host_fixture.h"

#define GUEST_MAC "02:00:00:00:00:77"

/* The kernel counts an element's time in ticks. */
#define TICKS_NS (100 * NS_PER_MS)

static struct world w;
static pid_t guest;
static struct vm_activity *act;
static const uint8_t guest_mac[6] = { 2, 0, 0, 0, 0, 0x77 };
static const uint8_t nobody_mac[6] = { 2, 0, 0, 0, 0, 0x78 };
static const struct vm_uuid guest_uuid = { { 1 } }, nobody_uuid = { { 2 } },
    stranger_uuid = { { 3 } };

struct reading {
	bool done;
	enum err err;
	uint64_t last_ns;
	char why[300];
};

static void
reading_cb(enum err e, uint64_t last_ns, const char *why, void *arg)
{
	struct reading *r = arg;

	r->done = true;
	r->err = e;
	r->last_ns = last_ns;
	snprintf(r->why, sizeof(r->why), "%s", why);
}

static struct reading
reading(const struct vm_uuid *uuid)
{
	static struct reading r;

	memset(&r, 0, sizeof(r));
	vm_activity_read(act, uuid, reading_cb, &r);
	assert_false(r.done);
	assert_true(spin(&w, &r.done, 30000));
	return r;
}

/* A reading makes the kernel's sets what was asked for before it. */
static void
applied(void)
{
	(void)reading(&guest_uuid);
}

static void
watch(const struct vm_uuid *uuid, const char *nic, const uint8_t mac[6])
{
	struct vm_activity_nic n = { .below_bytes = 0 };

	snprintf(n.name, sizeof(n.name), "%s", nic);
	memcpy(n.mac, mac, sizeof(n.mac));
	vm_activity_watch(act, uuid, &n, 1);
}

/* What was counted of guests, and nothing else. */
static void
forget(void)
{
	(void)sh_status("for m in " GUEST_MAC " 02:00:00:00:00:78; do nft delete element bridge "
	    "jitsu-t1 active { $m } 2>/dev/null; done");
}

static bool
counted(const char *command)
{
	struct reading r;

	forget();
	(void)sh_status("%s", command);
	r = reading(&guest_uuid);
	if (r.err != ERR_OK)
		fail_msg("%s", r.why);
	return r.last_ns != 0;
}

/* A process that only keeps a network namespace. */
static pid_t
guest_begin(void)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) == 0 && write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static int
setup(void **state)
{
	struct errmsg m;

	(void)state;
	guest = guest_begin();
	sh("ip link add vact0 type veth peer name vact1 && ip link set vact0 master %s up && ip "
	    "link set vact1 netns %d", BRIDGE, (int)guest);
	sh("nsenter -t %d -n sh -c 'ip link set vact1 address " GUEST_MAC
	    " && ip addr add 10.99.0.9/24 dev vact1"
	    " && ip -6 addr add fd99::9/64 dev vact1 nodad && ip link set vact1 up'", (int)guest);
	sh("ip -6 addr replace fd99::1/64 dev %s nodad", BRIDGE);
	world_open(&w);
	if (vm_activity_new(w.host, "t1", &act, &m) != ERR_OK)
		fail_msg("%s", m.text);
	vm_activity_settle(act);
	watch(&guest_uuid, "vact0", guest_mac);
	watch(&nobody_uuid, "vact9", nobody_mac);
	applied();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	vm_activity_free(act, true);
	world_close(&w);
	sh("ip link del vact0");
	assert_int_equal(kill(guest, SIGKILL), 0);
	assert_int_equal(waitpid(guest, NULL, 0), guest);
	return 0;
}

static void
test_counts(void **state)
{
	uint64_t begin_ns, end_ns, read_ns;
	struct reading r;

	(void)state;
	/* Learn the neighbours first. */
	(void)sh_status("ping -q -c1 -W30 10.99.0.9 >/dev/null");
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	begin_ns = clock_now_ns();
	assert_true(counted("ping -q -c1 -W30 fd99::9 >/dev/null"));
	r = reading(&guest_uuid);
	assert_true(r.last_ns + TICKS_NS >= begin_ns);
	assert_true(r.last_ns <= clock_now_ns());
	r = reading(&nobody_uuid);
	assert_int_equal(r.err, ERR_OK);
	assert_int_equal(r.last_ns, 0);
	/* Nobody said that it counts. */
	assert_int_equal(reading(&stranger_uuid).err, ERR_STATE);
	/* ARP alone. */
	if (sh_status("command -v busybox >/dev/null && busybox arping -q -c1 -w1 -I " BRIDGE
	    " 10.99.0.9 >/dev/null") == 0)
		assert_false(counted("busybox arping -q -c2 -w2 -I " BRIDGE
		    " 10.99.0.9 >/dev/null"));
	else
		print_message("no arping here\n");
	/* Time passes. */
	begin_ns = clock_now_ns();
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	end_ns = clock_now_ns();
	sh("sleep 2.2");
	read_ns = clock_now_ns();
	r = reading(&guest_uuid);
	read_ns = clock_now_ns() - read_ns;
	assert_true(r.last_ns + TICKS_NS >= begin_ns && r.last_ns <= end_ns + read_ns + TICKS_NS);
}

/* What a monitor sends, and what it gets, is no use; both families; others' is. */
static void
test_monitors(void **state)
{
	static const char *const from[] = { "10.99.0.0/30", "fd99::/126", "192.0.2.7/32" };
	struct msg_addr passive[3];
	struct vm_activity_nic n = { .name = "vact0", .passive = passive, .npassive = 3 };

	(void)state;
	memcpy(n.mac, guest_mac, sizeof(n.mac));
	for (size_t i = 0; i < 3; i++)
		assert_true(addr_parse_prefix(from[i], &passive[i]));
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	assert_true(counted("ping -q -c1 -W30 fd99::9 >/dev/null"));
	vm_activity_watch(act, &guest_uuid, &n, 1);
	applied();
	assert_false(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	assert_false(counted("ping -q -c1 -W30 fd99::9 >/dev/null"));
	assert_true(addr_parse_prefix("10.99.0.8/29", &passive[0]));
	vm_activity_watch(act, &guest_uuid, &n, 1);
	applied();
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	assert_false(counted("ping -q -c1 -W30 fd99::9 >/dev/null"));
	watch(&guest_uuid, "vact0", guest_mac);
	applied();
	assert_true(counted("ping -q -c1 -W30 fd99::9 >/dev/null"));
	assert_int_equal(sh_status("nft list set bridge jitsu-t1 passive6 | grep -q elements"), 1);
	/* They are there again when somebody has changed the table. */
	vm_activity_watch(act, &guest_uuid, &n, 1);
	applied();
	sh("nft flush set bridge jitsu-t1 passive6 && nft flush chain bridge jitsu-t1 to_guest");
	assert_int_equal(reading(&guest_uuid).err, ERR_MISSING);
	assert_int_equal(sh_status("nft list set bridge jitsu-t1 passive6 | grep -q elements"), 0);
}

/* A connection from that port with that mark, closed by a RST. */
static int
connect_from(uint16_t port, uint32_t mark)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9999) },
	    from = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct linger now = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, rc;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(inet_pton(AF_INET, "10.99.0.9", &to.sin_addr), 1);
	rc = connect(fd, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	return rc;
}

static bool
connection_counts(uint16_t port, uint32_t mark, int expected)
{
	forget();
	assert_int_equal(connect_from(port, mark), expected);
	return reading(&guest_uuid).last_ns != 0;
}

static void
test_probes(void **state)
{
	static const uint16_t ports[] = { VM_PROBE_PORT_FIRST, 63210, VM_PROBE_PORT_LAST, 40000 };
	pid_t server;

	(void)state;
	(void)sh_status("ping -q -c1 -W30 10.99.0.9 >/dev/null");
	/*
	 * A closed port: a RST comes back, which is no use; what asked for it is, unless that was a
	 * probe.
	 */
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		assert_true(connection_counts(ports[i], 0, -1));
	assert_false(connection_counts(ports[0], VM_PROBE_MARK, -1));
	/* An open one: neither the probe nor the SYN-ACK counts.  Clients have the same ports. */
	server = fork();
	if (server == 0) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", (int)guest);
		execlp("nsenter", "nsenter", "-t", pid, "-n", "python3", "-c",
		    "import socket, time\n"
		    "s = socket.create_server((\"10.99.0.9\", 9999))\n"
		    "time.sleep(600)\n", (char *)NULL);
		_exit(127);
	}
	assert_true(server > 0);
	for (int i = 0; i < 300 && connect_from(30000, VM_PROBE_MARK) != 0; i++)
		spin_ms(&w, 100);
	for (size_t i = 0; i < 3; i++) {
		assert_false(connection_counts(ports[i], VM_PROBE_MARK, 0));
		assert_true(connection_counts(ports[i], 0, 0));
	}
	assert_int_equal(kill(server, SIGKILL), 0);
	assert_int_equal(waitpid(server, NULL, 0), server);
}

/* Elements of the set of those that were active; 200 and more are 200.  One is no guest's. */
static int
active(void)
{
	return sh_status("n=$(nft list set bridge jitsu-t1 active | grep -o '[^ ]* timeout [^ ]* "
	    "expires' | grep -v ^00:00:00:00:00 | wc -l); exit $((n < 200 ? n : 200))");
}

/*
 * An echo request as the sentinel sends it, answered by the guest's kernel; and one of anybody's.
 */
static void
test_echo_probes(void **state)
{
	static const char ping[] = "python3 -c 'import socket, struct, sys\n"
	    "def sum16(b): s = sum(struct.unpack(\"!%%dH\" %% (len(b) // 2), b)); s = (s >> 16) + "
	    "(s & 65535); return 65535 ^ (s + (s >> 16))\n"
	    "six = \":\" in sys.argv[1]\n"
	    "s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, 58 if "
	    "six else 1)\n"
	    "s.settimeout(30)\n"
	    "s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(sys.argv[3]))\n"
	    "b = struct.pack(\"!BBHHH\", 128 if six else 8, 0, 0, int(sys.argv[2]), 1)\n"
	    "s.sendto(b if six else b[:2] + struct.pack(\"!H\", sum16(b)) + b[4:], (sys.argv[1], "
	    "0))\n"
	    "r = b\"\"\n"
	    "while r[:1] != bytes([129 if six else 0]) or r[4:] != b[4:]: r = s.recv(2000)[0 if "
	    "six else 20:]' %s %d %u";
	static const char *const to[] = { "10.99.0.9", "fd99::9" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		char ours[1200], theirs[1200];

		snprintf(ours, sizeof(ours), ping, to[i], VM_PROBE_ECHO_ID,
		    (unsigned)VM_PROBE_MARK);
		snprintf(theirs, sizeof(theirs), ping, to[i], VM_PROBE_ECHO_ID, 0u);
		(void)counted(theirs);   /* neighbours are known now */
		assert_int_equal(sh_status("%s", ours), 0);
		assert_false(counted(ours));
		assert_true(counted(theirs));
	}
}

static void
test_forged_sources(void **state)
{
	char command[1200];

	(void)state;
	forget();
	/* A hostile guest: a thousand senders that are not it, and then itself. */
	snprintf(command, sizeof(command), "nsenter -t %d -n python3 -c 'import socket\n"
	    "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
	    "s.bind((\"vact1\", 0))\n"
	    "for i in range(1000): s.send(bytes.fromhex(\"020000000001\" + \"0200%%08x\" %% (i + "
	    "4096) + \"88b5\") + bytes(50))\n'", (int)guest);
	assert_int_equal(sh_status("%s", command), 0);
	assert_int_equal(active(), 0);
	/* Another watched VM's address, from the wrong port. */
	snprintf(command, sizeof(command), "nsenter -t %d -n python3 -c 'import socket\n"
	    "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
	    "s.bind((\"vact1\", 0))\n"
	    "s.send(bytes.fromhex(\"02000000000102000000007888b5\") + bytes(50))\n'", (int)guest);
	assert_int_equal(sh_status("%s", command), 0);
	assert_int_equal(reading(&nobody_uuid).last_ns, 0);
	/* Where the port is not known, its address is enough. */
	watch(&nobody_uuid, "", nobody_mac);
	applied();
	assert_int_equal(sh_status("%s", command), 0);
	assert_int_not_equal(reading(&nobody_uuid).last_ns, 0);
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	assert_int_equal(active(), 1);
	/* It has gone. */
	vm_activity_unwatch(act, &guest_uuid);
	assert_int_equal(reading(&guest_uuid).err, ERR_STATE);
	forget();
	(void)sh_status("ping -q -c1 -W30 10.99.0.9 >/dev/null");
	assert_int_equal(active(), 0);
	assert_int_not_equal(sh_status("nft list set bridge jitsu-t1 guests | grep -q vact"), 0);
}

static void
test_table_lives(void **state)
{
	struct errmsg m;
	struct reading r;
	uint64_t last_ns;

	(void)state;
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	last_ns = reading(&guest_uuid).last_ns;
	/* The next daemon finds what was counted. */
	vm_activity_free(act, false);
	act = NULL;
	assert_int_equal(vm_activity_new(w.host, "t1", &act, &m), ERR_OK);
	assert_int_equal(reading(&guest_uuid).err, ERR_STATE);   /* not adopted yet */
	watch(&guest_uuid, "vact0", guest_mac);
	vm_activity_settle(act);
	applied();
	r = reading(&guest_uuid);
	assert_int_equal(r.err, ERR_OK);
	assert_true(r.last_ns + 2 * TICKS_NS >= last_ns && r.last_ns <= last_ns + 2 * TICKS_NS);
	assert_int_not_equal(sh_status("nft list set bridge jitsu-t1 guests | grep -q vact9"), 0);
	/* Somebody flushes the ruleset: unknown is not never, and it counts again. */
	sh("nft flush ruleset");
	r = reading(&guest_uuid);
	assert_int_equal(r.err, ERR_MISSING);
	assert_non_null(strstr(r.why, "jitsu-t1"));
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	/* Freed while a reading is under way: no callback. */
	memset(&r, 0, sizeof(r));
	vm_activity_read(act, &guest_uuid, reading_cb, &r);
	vm_activity_free(act, false);
	spin_ms(&w, 200);
	assert_false(r.done);
	act = NULL;
	assert_int_equal(vm_activity_new(w.host, "", &act, &m), ERR_RANGE);
	assert_int_equal(vm_activity_new(w.host, "a; flush ruleset", &act, &m), ERR_RANGE);
	assert_int_equal(vm_activity_new(w.host, "t1", &act, &m), ERR_OK);
}

/*
 * What others do to the table: what was counted before is not known any more, of no VM; and packets
 * count again.
 */
static void
test_tampering(void **state)
{
	static const char *const commands[] = {
		"nft flush table bridge jitsu-t1",      /* the rules go, the sets stay */
		"nft delete table bridge jitsu-t1",
		"nft flush ruleset",
		"nft flush chain bridge jitsu-t1 to_guest",
		"nft insert rule bridge jitsu-t1 from_guest accept",
		"nft flush set bridge jitsu-t1 active",
		"nft flush set bridge jitsu-t1 guests",
		("nft delete table bridge jitsu-t1; nft add table bridge jitsu-t1; nft add set "
		    "bridge jitsu-t1 active '{ type inet_service; }'"),
	};
	static const struct vm_uuid late_uuid = { { 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		uint64_t then_ns;
		struct reading r;

		assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
		assert_int_equal(reading(&nobody_uuid).last_ns, 0);
		then_ns = clock_now_ns();
		sh("%s", commands[i]);
		r = reading(&guest_uuid);
		if (r.err != ERR_MISSING)
			fail_msg("%s: error %d, %s", commands[i], (int)r.err, r.why);
		/* To the others that moment is when they were used last. */
		r = reading(&nobody_uuid);
		assert_int_equal(r.err, ERR_OK);
		assert_true(r.last_ns + TICKS_NS >= then_ns && r.last_ns <= clock_now_ns());
		/* But not to who came later. */
		watch(&late_uuid, "vact8", (const uint8_t[6]){ 2, 0, 0, 0, 0, 0x7a });
		applied();
		assert_int_equal(reading(&late_uuid).last_ns, 0);
		vm_activity_unwatch(act, &late_uuid);
		then_ns = clock_now_ns();
		(void)sh_status("ping -q -c1 -W30 10.99.0.9 >/dev/null");
		r = reading(&guest_uuid);
		assert_int_equal(r.err, ERR_OK);
		assert_true(r.last_ns + TICKS_NS >= then_ns);
		/* Those who were watched after the loss are told the truth. */
		vm_activity_unwatch(act, &nobody_uuid);
		applied();
		watch(&nobody_uuid, "vact9", nobody_mac);
		applied();
	}
}

/* A unit may be idle for 30 days. */
static void
test_long_ago(void **state)
{
	uint64_t now = clock_now_ns();
	struct reading r;

	(void)state;
	forget();
	/* 61 minutes ago */
	sh("nft add element bridge jitsu-t1 active { " GUEST_MAC
	    " timeout 31d expires 30d22h59m }");
	r = reading(&guest_uuid);
	assert_int_equal(r.err, ERR_OK);
	if (now > 3660 * NS_PER_S)
		assert_true(r.last_ns + 3600 * NS_PER_S <= now &&
		    r.last_ns + 3720 * NS_PER_S >= now);
	else
		assert_int_equal(r.last_ns, 1);
	/* The packets' own elements live as long. */
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	assert_int_equal(sh_status("nft get element bridge jitsu-t1 active { " GUEST_MAC
	    " } | grep -q 'expires 30d23h'"), 0);
}

static void
test_second_nic(void **state)
{
	static const struct vm_activity_nic nics[] = {
		{ .name = "vact9", .mac = { 2, 0, 0, 0, 0, 0x78 } },
		{ .name = "vact0", .mac = { 2, 0, 0, 0, 0, 0x77 } } };

	(void)state;
	vm_activity_watch(act, &guest_uuid, nics, 2);
	vm_activity_unwatch(act, &nobody_uuid);
	applied();
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	/* It has this one only, now. */
	vm_activity_watch(act, &guest_uuid, nics, 1);
	applied();
	assert_false(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	assert_int_equal(active(), 0);
}

/* Three echo requests and their replies have 504 bytes, or 6168. */
#define SMALL "ping -q -c3 -i0.2 -W30 10.99.0.9 >/dev/null"
#define LARGE "ping -q -c3 -i0.2 -s1000 -W30 10.99.0.9 >/dev/null"

static void
test_below(void **state)
{
	struct vm_activity_nic nic = { .name = "vact0", .mac = { 2, 0, 0, 0, 0, 0x77 },
		.below_bytes = 2000, .below_s = 3600 };

	(void)state;
	vm_activity_watch(act, &guest_uuid, &nic, 1);
	applied();
	assert_false(counted(SMALL));
	assert_true(counted(LARGE));
	/* What was used up comes back in an hour; others have their own. */
	assert_true(counted(SMALL "; " LARGE));
	/* Another rate, with as much as it allows at first. */
	nic.below_bytes = 100000;
	nic.below_s = 60;
	vm_activity_watch(act, &guest_uuid, &nic, 1);
	applied();
	assert_false(counted(LARGE));
	/* None, and again one where the interface is not known. */
	nic.below_bytes = 0;
	vm_activity_watch(act, &guest_uuid, &nic, 1);
	applied();
	assert_true(counted(SMALL));
	nic.name[0] = '\0';
	nic.below_bytes = 1u << 20;
	nic.below_s = 1;
	vm_activity_watch(act, &guest_uuid, &nic, 1);
	applied();
	assert_false(counted(LARGE));
	/* Who is not watched any more leaves nothing for the next with this MAC. */
	vm_activity_unwatch(act, &guest_uuid);
	assert_int_equal(reading(&guest_uuid).err, ERR_STATE);
	assert_int_not_equal(sh_status("nft list set bridge jitsu-t1 macs | grep -q :77"), 0);
	watch(&guest_uuid, "vact0", guest_mac);
	applied();
	assert_true(counted(SMALL));
}

struct flows {
	bool done;
	enum err err;
	uint64_t bytes;
	unsigned n;
	struct vm_flow at[VM_FLOWS];
};

static void
flows_cb(enum err e, uint64_t bytes, const struct vm_flow *flows, unsigned n,
    UNUSED const char *why, void *arg)
{
	struct flows *f = arg;

	*f = (struct flows){ .done = true, .err = e, .bytes = bytes, .n = n };
	memcpy(f->at, flows, (n < VM_FLOWS ? n : VM_FLOWS) * sizeof(*flows));
}

static struct flows
flows(const struct vm_uuid *uuid)
{
	static struct flows f;

	f.done = false;
	vm_activity_flows(act, uuid, flows_cb, &f);
	assert_true(spin(&w, &f.done, 30000));
	return f;
}

/* A connection to port 9998 of the guest. */
static int
client(const char *addr)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(9998) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(9998) };
	bool six = strchr(addr, ':') != NULL;
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, addr, six ? (void *)&v6.sin6_addr :
	    (void *)&v4.sin_addr), 1);
	if (connect(fd, six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
		six ? sizeof(v6) : sizeof(v4)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
test_flows(void **state)
{
	uint64_t now_ns = clock_now_ns();
	pid_t server = fork();
	struct flows f;
	int fd = -1, fd6;

	(void)state;
	if (server == 0) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", (int)guest);
		execlp("nsenter", "nsenter", "-t", pid, "-n", "python3", "-c",
		    "import socket, time\n"
		    "s = socket.create_server((\"::\", 9998), family=socket.AF_INET6,"
		    " dualstack_ipv6=True)\n"
		    "time.sleep(600)\n", (char *)NULL);
		_exit(127);
	}
	assert_true(server > 0);
	for (int i = 0; i < 300 && fd < 0; i++) {
		spin_ms(&w, 100);
		fd = client("10.99.0.9");
	}
	assert_true(fd >= 0);
	/* Those that were refused are none. */
	f = flows(&guest_uuid);
	assert_int_equal(f.err, ERR_OK);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.at[0].peer.family, 4);
	assert_memory_equal(f.at[0].peer.bytes, "\x0a\x63\x00\x01", 4);
	assert_int_equal(f.at[0].port, 9998);
	assert_int_not_equal(f.at[0].peer_port, 0);
	assert_true(f.at[0].last_ns + TICKS_NS >= now_ns && f.at[0].last_ns <= clock_now_ns());
	assert_int_equal(send(fd, &f, 100, 0), 100);
	fd6 = client("fd99::9");
	assert_true(fd6 >= 0);
	f = flows(&guest_uuid);
	assert_int_equal(f.n, 2);
	assert_true(f.at[0].bytes > 100 && f.at[0].bytes < 1000 && f.bytes > f.at[0].bytes);
	assert_int_equal(f.at[1].peer.family, 6);
	assert_memory_equal(f.at[1].peer.bytes, "\xfd\x99", 2);
	assert_int_equal(f.at[1].port, 9998);
	/* Another VM's are not its; nor are those that the VM opens itself. */
	assert_int_equal(flows(&nobody_uuid).n, 0);
	assert_int_equal(flows(&stranger_uuid).err, ERR_STATE);
	close(fd6);
	spin_ms(&w, 100);
	assert_int_equal(flows(&guest_uuid).n, 1);
	/* A VM with the same MAC begins without. */
	vm_activity_unwatch(act, &guest_uuid);
	assert_int_equal(flows(&guest_uuid).err, ERR_STATE);
	watch(&guest_uuid, "vact0", guest_mac);
	applied();
	assert_int_equal(flows(&guest_uuid).n, 0);
	close(fd);
	assert_int_equal(kill(server, SIGKILL), 0);
	assert_int_equal(waitpid(server, NULL, 0), server);
}

/* ---- refusals ---- */

/* To a port of the guest; 0, or the error within `ms`, ETIMEDOUT when nothing comes. */
static int
connect_within(const char *addr, int ms)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9999) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9999) };
	bool six = strchr(addr, ':') != NULL;
	int error = ETIMEDOUT, fd = socket(six ? AF_INET6 : AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(error);
	char c;

	assert_int_equal(inet_pton(AF_INET, "10.99.0.9", &to.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "fd99::9", &to6.sin6_addr), 1);
	(void)connect(fd, six ? (struct sockaddr *)&to6 : (struct sockaddr *)&to,
	    six ? sizeof(to6) : sizeof(to));
	if (poll(&p, 1, ms) == 1)
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	p.events = POLLIN;
	if (error == 0 && poll(&p, 1, ms) == 1 && read(fd, &c, 1) < 0)
		error = errno;
	close(fd);
	return error;
}

/* The set as it is by now: what was asked for before is done. */
static bool
guarded(const char *mac)
{
	spin_ms(&w, 1);
	applied();
	return sh_status("nft get element bridge jitsu-t1 waking '{ %s }' >/dev/null 2>&1", mac) ==
	    0;
}

static void
guard(const struct vm_uuid *uuid, bool on)
{
	vm_activity_guard(act, uuid, guest_mac, on);
	for (int i = 0; i < 100 && guarded(GUEST_MAC) != on; i++)
		spin_ms(&w, 20);
	assert_int_equal(guarded(GUEST_MAC), on);
}

static void
test_guard(void **state)
{
	static const char *const to[] = { "10.99.0.9", "fd99::9" };
	pid_t server;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(connect_within(to[i], 30000), ECONNREFUSED);
	guard(&guest_uuid, true);
	for (int i = 0; i < 2; i++)
		assert_int_equal(connect_within(to[i], 300), ETIMEDOUT);
	assert_true(counted("ping -q -c1 -W30 10.99.0.9 >/dev/null"));
	/* Other resets pass: of a flow that the guest had, and ends. */
	server = fork();
	if (server == 0) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", (int)guest);
		execlp("nsenter", "nsenter", "-t", pid, "-n", "python3", "-c",
		    "import socket, struct\n"
		    "s = socket.create_server((\"\", 9999), family=socket.AF_INET6, "
		    "dualstack_ipv6=True)\n"
		    "while True:\n"
		    " c = s.accept()[0]\n"
		    " c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, "
		    "struct.pack(\"ii\", 1, 0))\n"
		    " c.close()\n", (char *)NULL);
		_exit(127);
	}
	assert_true(server > 0);
	for (int i = 0; i < 2; i++) {
		int error = ETIMEDOUT;

		for (int k = 0; k < 300 && error == ETIMEDOUT; k++)
			error = connect_within(to[i], 300);
		assert_int_equal(error, ECONNRESET);
	}
	assert_int_equal(kill(server, SIGKILL), 0);
	assert_int_equal(waitpid(server, NULL, 0), server);
	/* The unit's next VM has the same MAC. */
	guard(&nobody_uuid, true);
	vm_activity_guard(act, &guest_uuid, guest_mac, false);
	applied();
	assert_true(guarded(GUEST_MAC));
	assert_int_equal(connect_within(to[0], 300), ETIMEDOUT);
	guard(&nobody_uuid, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(connect_within(to[i], 30000), ECONNREFUSED);
	vm_activity_guard(act, &nobody_uuid, guest_mac, false);   /* harmless */
}

static void
test_guards_left(void **state)
{
	uint64_t begin_ns;

	(void)state;
	/* What a daemon left, and what this one wants, when adoption has settled. */
	sh("nft add element bridge jitsu-t1 waking '{ 02:00:00:00:00:78 }'");
	guard(&guest_uuid, true);
	assert_true(guarded("02:00:00:00:00:78"));
	vm_activity_settle(act);
	applied();
	assert_false(guarded("02:00:00:00:00:78"));
	assert_true(guarded(GUEST_MAC));
	/* The table is gone: it is made again, with all that is to be there. */
	sh("nft delete table bridge jitsu-t1");
	vm_activity_guard(act, &nobody_uuid, nobody_mac, true);
	for (int i = 0; i < 500 && sh_status("nft get element bridge jitsu-t1 waking '{ "
	    "02:00:00:00:00:78 }' >/dev/null 2>&1") != 0; i++)
		spin_ms(&w, 20);
	assert_true(guarded(GUEST_MAC));
	assert_true(guarded("02:00:00:00:00:78"));
	assert_int_equal(sh_status("nft list set bridge jitsu-t1 guests | grep -q vact0"), 0);
	/* A storm of them. */
	begin_ns = clock_now_ns();
	for (unsigned i = 0; i < 300; i++)
		vm_activity_guard(act, &guest_uuid, (const uint8_t[6]){ 2, 0, 0, 0, 1 + i / 256,
		    (uint8_t)i }, true);
	for (int i = 0; i < 500 && sh_status("exit $(nft list set bridge jitsu-t1 waking | grep -o "
	    "02:00:00:00:0[12] | wc -l | sed s/300/0/)") != 0; i++)
		spin_ms(&w, 20);
	print_message("300 guards: at most %llu ms\n",
	    (unsigned long long)(clock_now_ns() - begin_ns) / NS_PER_MS);
	for (unsigned i = 0; i < 300; i++)
		vm_activity_guard(act, &guest_uuid, (const uint8_t[6]){ 2, 0, 0, 0, 1 + i / 256,
		    (uint8_t)i }, false);
	for (int i = 0; i < 500 && sh_status("! nft list set bridge jitsu-t1 waking | grep -q "
	    "02:00:00:00:0[12]") != 0; i++)
		spin_ms(&w, 20);
	assert_int_equal(sh_status("nft list set bridge jitsu-t1 waking | grep -q "
	    "02:00:00:00:0[12]"), 1);
	assert_true(guarded(GUEST_MAC));
}

/* Device models and scripts are executed by libxl, which closes nothing. */
static void
test_nothing_for_others(void **state)
{
	unsigned n = 0;

	(void)state;
	for (int fd = 0; fd < 1024; fd++) {
		int domain = -1;
		socklen_t len = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 ||
		    domain != AF_NETLINK)
			continue;
		n++;
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	}
	assert_true(n > 0);
}

static void
test_bridge(void **state)
{
	struct vm_bridge br;
	struct errmsg m;
	bool v4 = false, v6 = false;

	(void)state;
	assert_int_equal(vm_bridge_get(BRIDGE, &br, &m), ERR_OK);
	assert_true(br.up && br.ifindex > 0);
	assert_memory_equal(br.mac, ((uint8_t[]){ 2, 0, 0, 0, 0, 1 }), 6);
	for (unsigned i = 0; i < br.naddrs; i++) {
		v4 = v4 || (br.addrs[i].family == 4 && br.addrs[i].prefixlen == 24 &&
		    memcmp(br.addrs[i].bytes, "\x0a\x63\x00\x01", 4) == 0);
		v6 = v6 || (br.addrs[i].family == 6 && br.addrs[i].prefixlen == 64 &&
		    br.addrs[i].bytes[0] == 0xfd);
	}
	assert_true(v4 && v6);
	assert_int_equal(vm_bridge_get("lo", &br, &m), ERR_UNSUPPORTED);
	assert_int_equal(vm_bridge_get("none0", &br, &m), ERR_MISSING);
	assert_non_null(strstr(m.text, "none0"));
	assert_int_equal(vm_bridge_get("a-name-that-is-too-long", &br, &m), ERR_RANGE);
	assert_int_equal(vm_bridge_get("", &br, &m), ERR_RANGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_probes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_echo_probes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forged_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(test_table_lives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tampering, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_ago, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_nic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_below, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guards_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_for_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bridge, setup, teardown),
	};

	return world_main(&w, tests, NULL);
}
