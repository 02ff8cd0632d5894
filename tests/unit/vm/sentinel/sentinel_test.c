/*
 * sentinel_test: the confined process and its packet socket against a real kernel's network stack
 * (world.h).
 */
#include "tests/unit/vm/sentinel/world.h"

/* A packet socket in the guest, for what arrives there and to send what we like. */
static int
guest_raw(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd;

	in_guest();
	at.sll_ifindex = (int)if_nametoindex("g0");
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	assert_true(fd >= 0 && at.sll_ifindex > 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	in_host();
	return fd;
}

/* How many of the frames that came in since the last call are from the bridge and TCP. */
static unsigned
probes_seen(int raw)
{
	uint8_t buf[2048];
	unsigned n = 0;
	ssize_t len;

	while ((len = recv(raw, buf, sizeof(buf), 0)) >= 0) {
		struct frame f;

		if (frame_parse(buf, (size_t)len, &f) && memcmp(f.src_mac, bridge_mac, 6) == 0 &&
		    f.kind == FRAME_TCP && f.tcp.flags == FRAME_TCP_SYN)
			n++;
	}
	return n;
}

static void
tell_probe(uint32_t unit, enum msg_probe_kind kind, const char *guest, const char *source)
{
	struct msg m = { .type = MSG_PROBE, .unit = unit };

	m.probe.network = NETWORK;
	m.probe.kind = kind;
	m.probe.port = 80;
	memcpy(m.probe.mac, guest_mac, 6);
	m.probe.guest = guest_addr(guest);
	if (source != NULL)
		m.probe.source = guest_addr(source);
	tell(&m, -1);
}

static void
tell_unprobe(uint32_t unit)
{
	struct msg m = { .type = MSG_UNPROBE, .unit = unit };

	tell(&m, -1);
}

static int
setup(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	bridge_make();
	guest_make();
	sentinel_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	in_host();
	if (child > 0)
		(void)sentinel_end();   /* the test that cares has looked already */
	return system("ip link del br0; ip link del v0 2>/dev/null; true");
}

/* ---- tests ---- */

static void
check_tcp(int family, const char *guest, const char *source)
{
	uint64_t closed_ns, listening_ns, heard_ns;
	struct msg m;
	int fd;

	NEED_ROOT();
	tell_probe(UNIT, PROBE_TCP, guest, source);
	assert_int_equal(hear(50).type, 0);   /* the guest's link is down */
	guest_boot();
	m = hear(PATIENCE_MS);
	assert_int_equal(m.type, MSG_ALIVE);
	assert_int_equal(m.unit, UNIT);
	assert_int_equal(hear(30).type, 0);   /* its port is closed */
	closed_ns = clock_now_ns();
	fd = guest_listen(family, 80);
	listening_ns = clock_now_ns();
	m = hear(PATIENCE_MS);
	heard_ns = clock_now_ns();
	assert_int_equal(m.type, MSG_READY);
	assert_int_equal(m.unit, UNIT);
	assert_true(m.probed.seen_ns <= heard_ns && m.probed.seen_ns > closed_ns);
	print_message("listen to ready %.2f ms, frame to report %.3f ms\n",
	    ((double)heard_ns - (double)listening_ns) / 1e6,
	    (double)(heard_ns - m.probed.seen_ns) / 1e6);
	close(fd);
	assert_int_equal(sentinel_end(), 0);
}

static void
test_tcp_v4(void **state)
{
	(void)state;
	check_tcp(AF_INET, "10.77.0.10", "10.77.0.1");
}

static void
test_tcp_v6(void **state)
{
	(void)state;
	check_tcp(AF_INET6, "fd77::a:1", "fd77::1");
}

/* No half-open connection stays in the guest. */
static void
test_closed_with_rst(void **state)
{
	struct pollfd p = { .events = POLLIN };

	(void)state;
	NEED_ROOT();
	guest_boot();
	p.fd = guest_listen(AF_INET, 80);
	tell_probe(UNIT, PROBE_TCP, "10.77.0.10", "10.77.0.1");
	assert_int_equal(hear(PATIENCE_MS).type, MSG_ALIVE);
	assert_int_equal(hear(PATIENCE_MS).type, MSG_READY);
	in_guest();
	run_until("test \"$(ss -Htn state syn-recv | wc -l)\" = 0");
	in_host();
	assert_int_equal(poll(&p, 1, 0), 0);   /* nor was one ever established */
	close(p.fd);
}

static void
check_kind(enum msg_probe_kind kind, const char *guest, const char *source)
{
	tell_probe(UNIT, kind, guest, source);
	assert_int_equal(hear(PATIENCE_MS).type, MSG_ALIVE);
	assert_int_equal(hear(PATIENCE_MS).type, MSG_READY);
	assert_int_equal(hear(30).type, 0);
	tell_unprobe(UNIT);
}

static void
test_ping_and_arp(void **state)
{
	(void)state;
	NEED_ROOT();
	guest_boot();
	check_kind(PROBE_PING, "10.77.0.10", "10.77.0.1");
	check_kind(PROBE_PING, "fd77::a:1", "fd77::1");
	check_kind(PROBE_ARP, "10.77.0.10", "10.77.0.1");
	check_kind(PROBE_ARP, "10.77.0.10", NULL);
	check_kind(PROBE_ARP, "fd77::a:1", "fd77::1");
	check_kind(PROBE_ARP, "fd77::a:1", NULL);
}

/* Until all of them were told of a new probe; it does not become ready meanwhile. */
static void
hear_signs(const char *guest, const char *source, unsigned all)
{
	uint64_t end = clock_now_ms() + PATIENCE_MS;

	tell_unprobe(UNIT);
	while (hear(100).type != 0)
		;
	signs = 0;
	tell_probe(UNIT, PROBE_TCP, guest, source);
	while ((signs & all) != all) {
		assert_int_not_equal(hear(10).type, MSG_READY);
		assert_true(clock_now_ms() < end);
	}
}

/* What a real network stack does that refuses us, by itself or by its rules. */
static void
test_signs(void **state)
{
	(void)state;
	NEED_ROOT();
	guest_boot();
	hear_signs("10.77.0.10", "10.77.0.1", 1u << SIGN_NEIGHBOUR | 1u << SIGN_REFUSED);
	hear_signs("fd77::a:1", "fd77::1", 1u << SIGN_NEIGHBOUR | 1u << SIGN_REFUSED);
	assert_int_equal(signs & 1u << SIGN_UNREACHABLE, 0);
	if (system("command -v nft >/dev/null") != 0)
		return;
	in_guest();
	run("nft 'table inet t { chain c { type filter hook input priority 0; tcp dport 80 reject "
	    "with icmpx type port-unreachable; }; }'");
	in_host();
	hear_signs("10.77.0.10", "10.77.0.1", 1u << SIGN_UNREACHABLE);
	hear_signs("fd77::a:1", "fd77::1", 1u << SIGN_UNREACHABLE);
	assert_int_equal(signs & 1u << SIGN_REFUSED, 0);
	in_guest();
	run("nft delete table inet t");
	in_host();
}

/* An address that is not the guest's is never ready, however alive the guest. */
static void
test_wrong_address(void **state)
{
	(void)state;
	NEED_ROOT();
	guest_boot();
	tell_probe(UNIT, PROBE_ARP, "10.77.0.99", "10.77.0.1");
	in_guest();
	run("ping -q -c 1 -W 30 10.77.0.1 >/dev/null");
	in_host();
	assert_int_equal(hear(PATIENCE_MS).type, MSG_ALIVE);
	assert_int_equal(hear(200).type, 0);
}

static void
test_unprobe(void **state)
{
	uint64_t end = clock_now_ms() + PATIENCE_MS;
	unsigned seen = 0;
	int raw;

	(void)state;
	NEED_ROOT();
	guest_boot();
	raw = guest_raw();
	tell_probe(UNIT, PROBE_TCP, "10.77.0.10", "10.77.0.1");
	assert_int_equal(hear(PATIENCE_MS).type, MSG_ALIVE);
	for (; seen <= 10 && clock_now_ms() < end; wait_ms(1))
		seen += probes_seen(raw);
	assert_true(seen > 10);
	tell_unprobe(UNIT);
	/* Messages are read in order: when another unit is ready, that one was. */
	tell_probe(UNIT + 1, PROBE_ARP, "10.77.0.10", NULL);
	assert_int_equal(hear(PATIENCE_MS).type, MSG_ALIVE);
	assert_int_equal(hear(PATIENCE_MS).type, MSG_READY);
	(void)probes_seen(raw);
	wait_ms(200);
	assert_int_equal(probes_seen(raw), 0);
	assert_int_equal(hear(0).type, 0);
	close(raw);
}

/*
 * Payload of an awake guest, its probe still remembered, does not wake the sentinel; nor does time.
 */
static void
test_idle(void **state)
{
	long before;
	int fd;

	(void)state;
	NEED_ROOT();
	guest_boot();
	fd = guest_listen(AF_INET, 80);
	tell_probe(UNIT, PROBE_TCP, "10.77.0.10", "10.77.0.1");
	assert_int_equal(hear(PATIENCE_MS).type, MSG_ALIVE);
	assert_int_equal(hear(PATIENCE_MS).type, MSG_READY);
	run("ip neigh replace 10.77.0.10 lladdr 02:00:00:00:00:aa dev br0 nud permanent");
	in_guest();
	run("ip neigh replace 10.77.0.1 lladdr 02:00:00:00:00:11 dev g0 nud permanent");
	in_host();
	wait_ms(100);
	before = status_number("voluntary_ctxt_switches:");
	run("ping -q -f -c 500 -W 30 10.77.0.10 >/dev/null");
	in_guest();
	run("ping -q -f -c 500 -W 30 10.77.0.1 >/dev/null");
	in_host();
	assert_true(before > 0);
	/*
	 * Router solicitations and MLD reports of a young IPv6 interface may come at any time, so a
	 * few are allowed for 2,000 frames.
	 */
	assert_in_range(status_number("voluntary_ctxt_switches:") - before, 0, 30);
	close(fd);
}

static void
test_confined(void **state)
{
	char path[64], root[256];
	ssize_t n;

	(void)state;
	NEED_ROOT();
	assert_int_equal(status_number("Uid:"), NOBODY);
	assert_int_equal(status_number("Gid:"), NOBODY);
	assert_int_equal(status_number("NoNewPrivs:"), 1);
	assert_int_equal(status_number("Seccomp:"), 2);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)child);
	n = readlink(path, root, sizeof(root) - 1);
	assert_true(n > 0);
	root[n] = '\0';
	assert_string_equal(root, empty_root);
}

/* Whatever is said before. */
static void
hear_ready(void)
{
	uint16_t type;

	do {
		type = hear(PATIENCE_MS).type;
		assert_int_not_equal(type, 0);
	} while (type != MSG_READY);
}

/* A bridge that goes down and up, and one that is made anew and named again under its old index. */
static void
test_bridge_changes(void **state)
{
	int fd;

	(void)state;
	NEED_ROOT();
	guest_boot();
	fd = guest_listen(AF_INET, 80);
	run("ip link set br0 down");
	tell_probe(UNIT, PROBE_TCP, "10.77.0.10", "10.77.0.1");
	assert_int_equal(hear(PATIENCE_MS).type, MSG_LOG);
	run("ip link set br0 up");
	hear_ready();
	tell_unprobe(UNIT);
	run("ip link del br0");
	bridge_make();
	run("ip link set v0 master br0");
	tell_network();
	tell_probe(UNIT, PROBE_TCP, "10.77.0.10", "10.77.0.1");
	hear_ready();
	close(fd);
	assert_int_equal(sentinel_end(), 0);
}

/* A network that is no more: its descriptors are closed, and no probe comes by. */
static void
test_network_gone(void **state)
{
	struct msg m = { .type = MSG_NETWORK, .network.index = NETWORK };
	int fd;

	(void)state;
	NEED_ROOT();
	guest_boot();
	fd = guest_listen(AF_INET, 80);
	tell(&m, -1);
	tell_probe(UNIT, PROBE_TCP, "10.77.0.10", "10.77.0.1");
	assert_int_equal(hear(200).type, 0);
	tell_network();
	hear_ready();
	close(fd);
	assert_int_equal(sentinel_end(), 0);
}

/* A warden that talks nonsense is not served further. */
static void
test_nonsense(void **state)
{
	struct msg m = { .type = MSG_ZONE };
	int status;

	(void)state;
	NEED_ROOT();
	tell(&m, -1);
	assert_int_equal(hear(PATIENCE_MS).type, MSG_LOG);
	status = sentinel_end();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

/* ---- the filter ---- */

/* Headers in front of `payload` bytes of an upper layer, which begins with these eight bytes. */
static size_t
frame_make(uint8_t *p, int family, uint8_t proto, const uint8_t first[8], size_t payload)
{
	size_t ip = family == 4 ? 20 : 40;

	memset(p, 0, FRAME_ETHER_BYTES + ip + payload);
	memcpy(p, bridge_mac, 6);
	memcpy(p + 6, guest_mac, 6);
	p[12] = family == 4 ? 0x08 : 0x86;
	p[13] = family == 4 ? 0x00 : 0xdd;
	p[14] = family == 4 ? 0x45 : 0x60;
	p[family == 4 ? 14 + 3 : 14 + 5] = (uint8_t)(family == 4 ? ip + payload : payload);
	p[family == 4 ? 14 + 9 : 14 + 6] = proto;
	p[family == 4 ? 14 + 8 : 14 + 7] = 64;
	memcpy(p + 14 + ip, first, 8);
	return FRAME_ETHER_BYTES + ip + payload;
}

static const struct filter_case {
	const char *what;
	bool passes;
	int family;
	uint8_t proto;
	uint8_t first[8];
	int tag;               /* 1: a VLAN tag in front; 2: a fragment */
} filter_cases[] = {
	{ "TCP to the first probe port", true, 4, 6, { 0, 80, 0xee, 0x48 }, 0 },
	{ "TCP to the last probe port", true, 4, 6, { 0, 80, 0xfd, 0xe7 }, 0 },
	{ "TCP below the probe ports", false, 4, 6, { 0, 80, 0xee, 0x47 }, 0 },
	{ "TCP above the probe ports", false, 4, 6, { 0, 80, 0xfd, 0xe8 }, 0 },
	{ "TCP from a probe port", false, 4, 6, { 0xee, 0x48, 0, 80 }, 0 },
	{ "TCP in a fragment", false, 4, 6, { 0, 80, 0xee, 0x48 }, 2 },
	{ "TCP with a tag", false, 4, 6, { 0, 80, 0xee, 0x48 }, 1 },
	{ "our echo reply", true, 4, 1, { 0, 0, 0, 0, 0x6a, 0x74 }, 0 },
	{ "somebody's echo reply", false, 4, 1, { 0, 0, 0, 0, 0x6a, 0x75 }, 0 },
	{ "an echo request with our identifier", false, 4, 1, { 8, 0, 0, 0, 0x6a, 0x74 }, 0 },
	{ "DHCP from a client", true, 4, 17, { 0, 68, 0, 67 }, 0 },
	{ "DHCP from a server", false, 4, 17, { 0, 67, 0, 68 }, 0 },
	{ "DNS", false, 4, 17, { 0x80, 0, 0, 53 }, 0 },
	{ "GRE", false, 4, 47, { 0 }, 0 },
	{ "TCP over IPv6 to a probe port", true, 6, 6, { 0, 80, 0xf0, 0 }, 0 },
	{ "TCP over IPv6 elsewhere", false, 6, 6, { 0, 80, 0, 80 }, 0 },
	{ "TCP over IPv6 with a tag", false, 6, 6, { 0, 80, 0xf0, 0 }, 1 },
	{ "our IPv6 echo reply", true, 6, 58, { 129, 0, 0, 0, 0x6a, 0x74 }, 0 },
	{ "somebody's IPv6 echo reply", false, 6, 58, { 129, 0, 0, 0, 0, 0 }, 0 },
	{ "an IPv6 echo request", false, 6, 58, { 128, 0, 0, 0, 0x6a, 0x74 }, 0 },
	{ "a router solicitation", true, 6, 58, { 133 }, 0 },
	{ "a neighbour advertisement", true, 6, 58, { 136 }, 0 },
	{ "a redirect", false, 6, 58, { 137 }, 0 },
	{ "an MLD report", true, 6, 0, { 58, 0, 5, 2, 0, 0, 1, 0 }, 131 },
	{ "an MLDv2 report", true, 6, 0, { 58, 0, 5, 2, 0, 0, 1, 0 }, 143 },
	{ "a neighbour solicitation behind hop-by-hop options", false, 6, 0,
	    { 58, 0, 5, 2, 0, 0, 1, 0 }, 135 },
	{ "UDP behind hop-by-hop options", false, 6, 0, { 17, 0, 5, 2, 0, 0, 1, 0 }, 131 },
	{ "UDP over IPv6", false, 6, 17, { 0, 68, 0, 67 }, 0 },
};

static size_t
filter_frame(const struct filter_case *c, uint8_t *p)
{
	size_t len = frame_make(p, c->family, c->proto, c->first, 24);

	if (c->tag == 2)
		p[14 + 6] = 0x20;
	if (c->tag > 2)
		p[14 + 40 + 8] = (uint8_t)c->tag;
	if (c->tag == 1) {
		memmove(p + 16, p + 12, len - 12);
		p[12] = 0x81;
		p[13] = 0x00;
		p[14] = 0x00;
		p[15] = 0x07;
		len += 4;
	}
	return len;
}

/* Reads the socket until `wanted` has come, or `last`, which may be NULL; true: it was `wanted`. */
static bool
came(int fd, int ms, const uint8_t *wanted, size_t len, const struct frame_out *last)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_now_ms(), end = now + (uint64_t)ms;
	uint8_t buf[2048];

	for (; now < end && poll(&p, 1, (int)(end - now)) == 1; now = clock_now_ms()) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n == (ssize_t)len && memcmp(buf, wanted, len) == 0)
			return true;
		if (last != NULL && n == (ssize_t)last->len &&
		    memcmp(buf, last->bytes, last->len) == 0)
			break;
	}
	return false;
}

/* An ARP request of the guest, which passes; different for each number. */
static void
arp_make(struct frame_out *out, unsigned number)
{
	struct frame_ends ends = { .dst_mac = { 255, 255, 255, 255, 255, 255 } };
	struct frame_arp arp = { .op = 1, .sender = guest_addr("10.77.0.10"),
	    .target = guest_addr("10.77.0.77") };

	memcpy(ends.src_mac, guest_mac, 6);
	memcpy(arp.sender_mac, guest_mac, 6);
	arp.target.bytes[3] = (uint8_t)(100 + number);
	assert_true(frame_build_arp(out, &ends, &arp));
}

static void
check_filter(int raw, int fd, size_t i)
{
	const struct filter_case *c = &filter_cases[i];
	uint8_t frame[256];
	struct frame_out behind;
	size_t len = filter_frame(c, frame);

	frame[len - 1] = (uint8_t)(i + 1);
	assert_int_equal(send(raw, frame, len, 0), (ssize_t)len);
	arp_make(&behind, (unsigned)i + 1);
	assert_int_equal(send(raw, behind.bytes, behind.len, 0), (ssize_t)behind.len);
	if (came(fd, PATIENCE_MS, frame, len, &behind) != c->passes)
		fail_msg("%s %s", c->what, c->passes ? "is dropped" : "passes");
}

static void
test_filter(void **state)
{
	uint64_t end = clock_now_ms() + PATIENCE_MS;
	struct frame_out out;
	cpu_set_t before, one;
	int fd, raw, off = 0;
	bool passed = false;
	uint8_t frame[256];

	(void)state;
	NEED_ROOT();
	guest_boot();
	/*
	 * Neither the host's firewall nor multicast snooping is to drop the crude frames below for
	 * what else is wrong with them.
	 */
	run("ip link set br0 type bridge mcast_snooping 0;"
	    " for f in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do test ! -e $f || echo 0 "
	    ">$f; done");
	/* Frames that one processor sends stay in order. */
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	raw = guest_raw();
	fd = packet_socket();
	/* The bridge takes a moment to see that the port has a carrier. */
	arp_make(&out, 0);
	while (!passed && clock_now_ms() < end) {
		assert_int_equal(send(raw, out.bytes, out.len, 0), (ssize_t)out.len);
		passed = came(fd, 10, out.bytes, out.len, NULL);
	}
	assert_true(passed);
	for (size_t i = 0; i < sizeof(filter_cases) / sizeof(filter_cases[0]); i++)
		check_filter(raw, fd, i);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	/*
	 * What the host sends does not come back: its own ARP is passed by the filter but outgoing.
	 */
	run("ping -q -c 1 -W 1 10.77.0.78 >/dev/null || true");
	while (recv(fd, frame, sizeof(frame), 0) >= 0)
		assert_memory_not_equal(frame + 6, bridge_mac, 6);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof(off)), -1);
	assert_int_equal(errno, EPERM);
	close(fd);
	close(raw);
}

static void
test_no_such_interface(void **state)
{
	struct vm_bridge br = { .ifindex = 9999 };
	struct errmsg why;
	int fd = 0;

	(void)state;
	NEED_ROOT();
	assert_int_not_equal(vm_packet_socket(&br, &fd, &why), ERR_OK);
	assert_int_equal(fd, -1);
	assert_non_null(strstr(why.text, "9999"));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_tcp_v4), T(test_tcp_v6), T(test_closed_with_rst), T(test_ping_and_arp),
		T(test_wrong_address), T(test_signs),
		T(test_unprobe), T(test_idle), T(test_confined), T(test_bridge_changes),
		T(test_network_gone), T(test_nonsense),
		T(test_filter), cmocka_unit_test(test_no_such_interface),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
