/*
 * wires_test: clients of units that sleep, against a real kernel's network stack (world.h): a
 * client in a namespace of its own, the bridge with a port, and a guest that comes late.
 */
#include "tests/unit/vm/sentinel/world.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>

#define GUEST_V4 "10.77.0.10"
#define GUEST_V6 "fd77::a:1"
#define CLIENT_V4 "10.77.0.20"
#define CLIENT_V6 "fd77::20"

static int ns_client = -1;

/* ---- the world ---- */

static void
in_client(void)
{
	assert_int_equal(setns(ns_client, CLONE_NEWNET), 0);
}

/* As the warden makes it. */
static void
port_make(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct errmsg why;

	port_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_true(port_fd >= 0);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "port0");
	assert_int_equal(ioctl(port_fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(ioctl(port_fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6), 0);
	if (vm_port_filter(port_fd, &why) != ERR_OK)
		fail_msg("%s", why.text);
	run("ip link set port0 master br0 && bridge link set dev port0 learning off flood off "
	    "mcast_router 2 && ip link set port0 up");
}

/* The guest's MAC is where `dev` is. */
static void
mac_at(const char *dev)
{
	run("bridge fdb replace 02:00:00:00:00:aa dev %s master static", dev);
}

static int
setup(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	/* a namespace for each test: connections of the one before are forgotten */
	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	ns_client = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	in_host();
	bridge_make();
	run("ip link add vc type veth peer name c0 && ip link set vc master br0 up &&"
	    " ip link set c0 netns /proc/%d/fd/%d", (int)getpid(), ns_client);
	in_client();
	run("ip addr add " CLIENT_V4 "/24 dev c0 && ip addr add " CLIENT_V6 "/64 dev c0 nodad &&"
	    " ip link set c0 up");
	in_host();
	port_make();
	mac_at("port0");
	/* until the client's frames pass */
	run_until("ping -q -c 1 -W 1 " CLIENT_V4 " >/dev/null && ping -q -c 1 -W 1 " CLIENT_V6
	    " >/dev/null");
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
	close(port_fd);
	close(ns_client);
	port_fd = -1;
	return system("ip link del br0; for i in vc v0; do ip link del $i 2>/dev/null; done; true");
}

/* ---- the warden's side ---- */

static struct msg
park_msg(uint32_t flags)
{
	struct msg m = { .type = MSG_PARK, .unit = UNIT,
	    .park = { .network = NETWORK, .flags = flags } };

	memcpy(m.park.mac, guest_mac, 6);
	m.park.addr[0] = guest_addr(GUEST_V4);
	m.park.addr[1] = guest_addr(GUEST_V6);
	return m;
}

static void
tell_park(uint32_t flags)
{
	struct msg m = park_msg(flags);

	tell(&m, -1);
}

static void
tell_unit(enum msg_type type)
{
	struct msg m = { .type = (uint16_t)type, .unit = UNIT };

	tell(&m, -1);
}

/* The guest's NIC is there, and its link; then the MAC leaves the port. */
static void
tell_link(void)
{
	struct msg m = { .type = MSG_LINK, .unit = UNIT };
	struct errmsg why;
	int fd;

	guest_make();
	if (vm_link_socket("v0", guest_mac, &fd, &why) != ERR_OK)
		fail_msg("%s", why.text);
	tell(&m, fd);
	close(fd);
	mac_at("v0");
}

/* A NIC takes what is given, without a word lost, only when its other end was seen to be up. */
static void
nic_wait(void)
{
	run_until("ip -o link show v0 | grep -q 'state UP'");
}

/* As vm/net/activity_rules.c has it, for all MACs. */
static void
guard_make(void)
{
	run("nft 'table bridge t { chain c { type filter hook prerouting priority -300;"
	    " tcp flags & (rst | ack) == rst | ack tcp sequence 0 drop; }; }'");
}

static struct msg
hear_type(enum msg_type type)
{
	struct msg m = hear(PATIENCE_MS);

	assert_int_equal(m.type, type);
	assert_int_equal(m.unit, UNIT);
	return m;
}

/* ---- clients ---- */

static socklen_t
address_of(struct sockaddr_storage *to, int family, const char *text, uint16_t port)
{
	struct msg_addr a = guest_addr(text);

	memset(to, 0, sizeof(*to));
	to->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)to;

		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a.bytes, 4);
		return sizeof(*in);
	}
	((struct sockaddr_in6 *)to)->sin6_port = htons(port);
	memcpy(&((struct sockaddr_in6 *)to)->sin6_addr, a.bytes, 16);
	return sizeof(struct sockaddr_in6);
}

/* A client of the guest that does not wait. */
static int
client(int family, int type, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t len = address_of(&to, family, family == AF_INET ? GUEST_V4 : GUEST_V6, port);
	int fd;

	in_client();
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_true(connect(fd, (struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS);
	in_host();
	return fd;
}

/* How the connection attempt ended: 0 or errno. */
static int
connected(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int e = -1;

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len), 0);
	return e;
}

/* What a read says in the end: its length, or -errno. */
static ssize_t
read_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[64];
	ssize_t n;

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	n = recv(fd, buf, sizeof(buf), 0);
	return n >= 0 ? n : -errno;
}

/* Segments that the client had to send again. */
static void
check_no_retransmission(void)
{
	in_client();
	run("test \"$(nstat -asz TcpRetransSegs | awk 'NR == 2 { print $2 }')\" = 0");
	in_host();
}

/* ---- tests ---- */

/* The client's own SYN is accepted, though the guest comes 300 ms after it. */
static void
check_wake(int family)
{
	uint64_t listening_ns;
	struct msg m;
	int fd, server;

	NEED_ROOT();
	tell_park(MSG_PARK_OWNED);
	fd = client(family, SOCK_STREAM, 80);
	m = hear_type(MSG_KNOCK);
	assert_int_equal(m.knock.proto, IPPROTO_TCP);
	assert_int_equal(m.knock.port, 80);
	wait_ms(100);
	tell_link();
	server = guest_listen(family, 80);
	wait_ms(200);
	listening_ns = clock_now_ns();
	guest_boot();
	assert_int_equal(connected(fd), 0);
	print_message("boot to connection %.1f ms\n",
	    (double)(clock_now_ns() - listening_ns) / 1e6);
	tell_unit(MSG_AWAKE);
	(void)hear_type(MSG_SETTLED);
	check_no_retransmission();
	close(fd);
	close(server);
	assert_int_equal(sentinel_end(), 0);
}

static void
test_wake_v4(void **state)
{
	(void)state;
	check_wake(AF_INET);
}

static void
test_wake_v6(void **state)
{
	(void)state;
	check_wake(AF_INET6);
}

/* Its port opens 300 ms after its network; what refuses meanwhile is dropped at its NIC. */
static void
test_late_port(void **state)
{
	int fd, server;

	(void)state;
	NEED_ROOT();
	if (system("command -v nft >/dev/null") != 0)
		return;
	guard_make();
	tell_park(MSG_PARK_OWNED);
	fd = client(AF_INET, SOCK_STREAM, 80);
	(void)hear_type(MSG_KNOCK);
	tell_link();
	guest_boot();
	wait_ms(300);
	server = guest_listen(AF_INET, 80);
	assert_int_equal(connected(fd), 0);
	tell_unit(MSG_AWAKE);
	(void)hear_type(MSG_SETTLED);
	check_no_retransmission();
	run("nft delete table bridge t");
	close(fd);
	close(server);
}

/* More frames than a turn of the loop takes, which answer nobody: the guest's own connections. */
static void
guest_chatter(void)
{
	struct sockaddr_storage to;
	socklen_t len = address_of(&to, AF_INET, CLIENT_V4, 9);

	in_guest();
	for (int i = 0; i < 50; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		assert_true(fd >= 0);
		assert_true(connect(fd, (struct sockaddr *)&to, len) == 0 || errno != 0);
		close(fd);
	}
	in_host();
}

/* The guest has accepted a SYN, of which a late sentinel reads behind MSG_PARK: no other wake. */
static void
test_accepted_unseen(void **state)
{
	int fd, server;

	(void)state;
	NEED_ROOT();
	tell_park(MSG_PARK_OWNED);
	fd = client(AF_INET, SOCK_STREAM, 80);
	(void)hear_type(MSG_KNOCK);
	tell_link();
	server = guest_listen(AF_INET, 80);
	assert_int_equal(kill(child, SIGSTOP), 0);
	guest_boot();
	guest_chatter();
	assert_int_equal(connected(fd), 0);   /* by its second SYN, which the bridge has sent */
	tell_park(MSG_PARK_OWNED);
	assert_int_equal(kill(child, SIGCONT), 0);
	tell_unit(MSG_AWAKE);
	(void)hear_type(MSG_SETTLED);
	close(fd);
	close(server);
}

/* A datagram is given once. */
static void
test_udp(void **state)
{
	struct sockaddr_storage at;
	socklen_t len = address_of(&at, AF_INET, "0.0.0.0", 53);
	struct msg m;
	int fd, server;

	(void)state;
	NEED_ROOT();
	tell_park(MSG_PARK_OWNED);
	fd = client(AF_INET, SOCK_DGRAM, 53);
	assert_int_equal(send(fd, "question", 8, 0), 8);
	m = hear_type(MSG_KNOCK);
	assert_int_equal(m.knock.proto, IPPROTO_UDP);
	assert_int_equal(m.knock.port, 53);
	tell_link();
	guest_boot();
	in_guest();
	server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server, (struct sockaddr *)&at, len), 0);
	in_host();
	nic_wait();
	tell_unit(MSG_AWAKE);
	(void)hear_type(MSG_SETTLED);
	assert_int_equal(read_end(server), 8);
	assert_int_equal(recv(server, &at, sizeof(at), MSG_DONTWAIT), -1);
	close(fd);
	close(server);
}

static void
test_drop(void **state)
{
	bool guarded = system("command -v nft >/dev/null") == 0;
	int fd;

	(void)state;
	NEED_ROOT();
	/* A guard against the guest's refusals does not stop ours. */
	if (guarded)
		guard_make();
	tell_park(MSG_PARK_OWNED);
	fd = client(AF_INET, SOCK_STREAM, 80);
	(void)hear_type(MSG_KNOCK);
	tell_unit(MSG_DROP);
	assert_int_equal(connected(fd), ECONNREFUSED);
	close(fd);
	fd = client(AF_INET6, SOCK_STREAM, 80);
	assert_int_equal(connected(fd), ECONNREFUSED);
	close(fd);
	assert_int_equal(hear(0).type, 0);
	if (guarded)
		run("nft delete table bridge t");
}

/* A flow of a life that is over: the client hears of that with its next segment. */
static void
test_former_life(void **state)
{
	int fd, server;

	(void)state;
	NEED_ROOT();
	guest_make();
	mac_at("v0");
	server = guest_listen(AF_INET, 80);
	guest_boot();
	fd = client(AF_INET, SOCK_STREAM, 80);
	assert_int_equal(connected(fd), 0);
	tell_park(MSG_PARK_OWNED);
	run("ip link set v0 down");
	mac_at("port0");
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_int_equal(read_end(fd), -ECONNRESET);
	assert_int_equal(hear(0).type, 0);
	close(fd);
	close(server);
}

/* Its memory is there: the very segment wakes it, however it was offloaded, and is not lost. */
static void
test_frozen(void **state)
{
	static char much[40000];
	struct msg link = { .type = MSG_LINK, .unit = UNIT };
	struct errmsg why;
	int fd, server, accepted, link_fd;
	size_t got = 0;

	(void)state;
	NEED_ROOT();
	guest_make();
	mac_at("v0");
	server = guest_listen(AF_INET, 80);
	guest_boot();
	fd = client(AF_INET, SOCK_STREAM, 80);
	assert_int_equal(connected(fd), 0);
	accepted = accept(server, NULL, NULL);
	assert_true(accepted >= 0);
	tell_park(MSG_PARK_OWNED | MSG_PARK_MEMORY);
	mac_at("port0");
	assert_int_equal(send(fd, much, sizeof(much), 0), sizeof(much));
	assert_int_equal(hear_type(MSG_KNOCK).knock.middle, 1);
	assert_int_equal(vm_link_socket("v0", guest_mac, &link_fd, &why), ERR_OK);
	tell(&link, link_fd);
	close(link_fd);
	mac_at("v0");
	tell_unit(MSG_AWAKE);
	(void)hear_type(MSG_SETTLED);
	while (got < sizeof(much)) {
		ssize_t n = recv(accepted, much, sizeof(much), 0);

		assert_true(n > 0);
		got += (size_t)n;
	}
	close(fd);
	close(accepted);
	close(server);
}

static void
check_passive(uint8_t accepts)
{
	struct msg m = park_msg(MSG_PARK_OWNED);
	int fd;

	m.park.passive_accepts = accepts;
	m.park.npassive = 2;
	m.park.passive[0] = guest_addr("10.77.0.0");
	m.park.passive[0].prefixlen = 24;
	m.park.passive[1] = guest_addr("fd77::");
	m.park.passive[1].prefixlen = 64;
	tell(&m, -1);
	for (int i = 0; i < 4; i++) {
		fd = client(i < 2 ? AF_INET : AF_INET6, SOCK_STREAM, 80);
		assert_int_equal(connected(fd), accepts ? 0 : ECONNREFUSED);
		if (accepts && i % 2 == 1)
			(void)send(fd, "x", 1, MSG_NOSIGNAL);   /* it may be closed already */
		else if (accepts)
			assert_int_equal(read_end(fd), 0);
		close(fd);
	}
	assert_int_equal(hear(0).type, 0);
	in_client();
	run_until("test \"$(ss -Htan state established state fin-wait-1 state fin-wait-2 state "
	    "last-ack | wc -l)\" = 0");
	in_host();
	check_no_retransmission();
}

static void
test_passive(void **state)
{
	(void)state;
	NEED_ROOT();
	check_passive(0);
	check_passive(1);
}

/* An address that somebody has, found by a probe; and given up when it is free. */
static void
test_conflict(void **state)
{
	struct msg m;
	int fd;

	(void)state;
	NEED_ROOT();
	in_client();
	run("ip addr add " GUEST_V4 "/24 dev c0");
	in_host();
	tell_park(0);
	m = hear_type(MSG_CONFLICT);
	assert_int_equal(m.conflict.addr.family, 4);
	assert_int_equal(m.conflict.over, 0);
	in_client();
	run("ip addr del " GUEST_V4 "/24 dev c0");
	in_host();
	m = hear_type(MSG_CONFLICT);
	assert_int_equal(m.conflict.over, 1);
	fd = client(AF_INET, SOCK_STREAM, 80);
	assert_int_equal(hear_type(MSG_KNOCK).knock.peer.family, 4);
	close(fd);
}

/* Ten thousand: owned as soon as they are told, and nothing wakes for them. */
static void
test_many(void **state)
{
	struct msg settled = { .type = MSG_AWAKE, .unit = 999 };
	uint64_t begin_ns, owned_ns;
	long before;
	int fd;

	(void)state;
	NEED_ROOT();
	begin_ns = clock_now_ns();
	for (uint32_t i = 1; i <= 10000; i++) {
		struct msg m = park_msg(MSG_PARK_OWNED);

		m.unit = 1000 + i;
		m.park.addr[0].bytes[1] = 78;
		m.park.addr[0].bytes[2] = (uint8_t)(i >> 8);
		m.park.addr[0].bytes[3] = (uint8_t)i;
		m.park.addr[1].bytes[7] = 1;
		m.park.addr[1].bytes[14] = (uint8_t)(i >> 8);
		m.park.addr[1].bytes[15] = (uint8_t)i;
		tell(&m, -1);
	}
	tell_park(MSG_PARK_OWNED);
	/* Messages are taken in order; of a unit that is not known, this one is answered. */
	tell(&settled, -1);
	assert_int_equal(hear(PATIENCE_MS).type, MSG_SETTLED);
	owned_ns = clock_now_ns();
	fd = client(AF_INET, SOCK_STREAM, 80);
	(void)hear_type(MSG_KNOCK);
	print_message("10,000 owned after %.1f ms; a SYN, with its ARP, to knock %.2f ms\n",
	    (double)(owned_ns - begin_ns) / 1e6, (double)(clock_now_ns() - owned_ns) / 1e6);
	close(fd);
	/* The client's SYN comes again after a second; its ARP entry is looked at, too. */
	in_client();
	run("ip link set c0 down");
	in_host();
	wait_ms(200);
	before = status_number("voluntary_ctxt_switches:");
	wait_ms(1000);
	/* Solicitations and reports of young IPv6 interfaces may come at any time: a few. */
	assert_in_range(status_number("voluntary_ctxt_switches:") - before, 0, 10);
}

/* ---- filters ---- */

/* Beside what each filter passes: frames by which its end is seen. */
static const struct filter_case {
	const char *what;
	bool port, to_guest, from_guest;   /* who passes it */
	int family;
	uint8_t proto;
	uint8_t upper[16];
	enum { PLAIN, TAGGED, FRAGMENT, TO_ALL } how;
} cases[] = {
	{ "a SYN", true, true, true, 4, 6, { 0, 9, 0, 80, [13] = 2 }, PLAIN },
	{ "a SYN over IPv6", true, true, true, 6, 6, { 0, 9, 0, 80, [13] = 2 }, PLAIN },
	{ "a SYN-ACK", true, true, true, 4, 6, { 0, 9, 0, 80, [13] = 0x12 }, PLAIN },
	{ "a RST", true, true, true, 6, 6, { 0, 9, 0, 80, [13] = 0x14 }, PLAIN },
	{ "a segment", true, false, false, 4, 6, { 0, 9, 0, 80, [13] = 0x10 }, PLAIN },
	{ "a segment over IPv6", true, false, false, 6, 6, { 0, 9, 0, 80, [13] = 0x18 }, PLAIN },
	{ "a SYN with a tag", false, false, false, 4, 6, { 0, 9, 0, 80, [13] = 2 }, TAGGED },
	{ "a fragment", false, false, false, 4, 6, { 0, 9, 0, 80, [13] = 2 }, FRAGMENT },
	{ "a SYN to all", false, false, true, 4, 6, { 0, 9, 0, 80, [13] = 2 }, TO_ALL },
	{ "UDP", true, true, true, 4, 17, { 0, 9, 0, 53 }, PLAIN },
	{ "UDP over IPv6", true, true, true, 6, 17, { 0, 9, 0, 53 }, PLAIN },
	{ "UDP to all", false, false, true, 6, 17, { 0, 9, 0, 53 }, TO_ALL },
	{ "an echo request", true, true, true, 4, 1, { 8 }, PLAIN },
	{ "an echo reply", false, true, true, 4, 1, { 0 }, PLAIN },
	{ "ICMP, unreachable", false, false, false, 4, 1, { 3 }, PLAIN },
	{ "an IPv6 echo request", true, true, true, 6, 58, { 128 }, PLAIN },
	{ "an IPv6 echo reply", false, true, true, 6, 58, { 129 }, PLAIN },
	{ "an IPv6 echo request to all", false, false, true, 6, 58, { 128 }, TO_ALL },
	{ "a solicitation", true, false, true, 6, 58, { 135 }, TO_ALL },
	{ "an advertisement", true, false, true, 6, 58, { 136 }, TO_ALL },
	{ "a router's solicitation", false, false, true, 6, 58, { 133 }, TO_ALL },
	{ "a redirect", false, false, false, 6, 58, { 137 }, PLAIN },
	{ "a packet that is too big", false, false, false, 6, 58, { 2 }, PLAIN },
	{ "GRE", false, false, false, 4, 47, { 0 }, PLAIN },
	{ "SCTP over IPv6", false, false, false, 6, 132, { 0 }, PLAIN },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static size_t
case_frame(size_t i, const uint8_t src[6], const uint8_t dst[6], uint8_t *p)
{
	const struct filter_case *c = &cases[i];
	size_t ip = c->family == 4 ? 20 : 40, len = FRAME_ETHER_BYTES + ip + 24;

	memset(p, 0, len);
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	if (c->how == TO_ALL && c->family == 4)
		memset(p, 0xff, 6);
	else if (c->how == TO_ALL)
		memcpy(p, "\x33\x33\0\0\0\x01", 6);
	wire_set16(p + 12, c->family == 4 ? ETH_P_IP : ETH_P_IPV6);
	p[14] = c->family == 4 ? 0x45 : 0x60;
	p[c->family == 4 ? 17 : 19] = (uint8_t)(c->family == 4 ? ip + 24 : 24);
	p[c->family == 4 ? 23 : 20] = c->proto;
	if (c->how == FRAGMENT)
		p[14 + 6] = 0x20;
	memcpy(p + 14 + ip, c->upper, sizeof(c->upper));
	p[len - 1] = (uint8_t)(i + 1);   /* by which it is known */
	if (c->how != TAGGED)
		return len;
	memmove(p + 16, p + 12, len - 12);
	memcpy(p + 12, "\x81\0\0\x07", 4);
	return len + 4;
}

static int
raw_at(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = 0,
	    .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0 && at.sll_ifindex > 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* Reads what passed until `wanted` comes, or the frame with `last` at its end: was it that one? */
static bool
passed(int fd, const uint8_t *wanted, size_t len, uint8_t last)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t buf[2048];

	while (poll(&p, 1, PATIENCE_MS) == 1) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n == (ssize_t)len + 10 && memcmp(buf + 10, wanted, len) == 0)
			return true;
		if (n > 10 && buf[n - 1] == last && buf[10 + 12] == 0x08 && buf[10 + 13] == 0x06)
			return false;
	}
	fail_msg("nothing comes any more");
	return false;
}

/* Which of both frames comes first. */
static int
first_of(int fd, uint8_t p[2][256], size_t len)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	uint8_t buf[2048];

	while (poll(&ready, 1, PATIENCE_MS) == 1) {
		ssize_t n = read(fd, buf, sizeof(buf));

		for (int i = 0; i < 2 && n == (ssize_t)len + 10; i++)
			if (memcmp(buf + 10, p[i], len) == 0)
				return i;
	}
	fail_msg("nothing comes any more");
	return -1;
}

/* Sends each case from `raw`, an ARP request that passes behind it, and sees which of them come. */
static void
check_cases(int raw, int fd, const uint8_t src[6], const uint8_t dst[6], bool (*passes)(size_t))
{
	struct frame_ends e = { .dst_mac = { 255, 255, 255, 255, 255, 255 } };
	struct frame_arp arp = { .op = 1, .sender = guest_addr(CLIENT_V4),
	    .target = guest_addr("10.77.0.99") };
	uint8_t p[256];

	memcpy(e.src_mac, src, 6);
	memcpy(e.dst_mac, dst, 6);
	for (size_t i = 0; i < CASES; i++) {
		size_t len = case_frame(i, src, dst, p);
		struct frame_out behind;

		arp.target.bytes[3] = (uint8_t)(100 + i);
		assert_true(frame_build_arp(&behind, &e, &arp));
		assert_int_equal(send(raw, p, len, 0), (ssize_t)len);
		assert_int_equal(send(raw, behind.bytes, behind.len, 0), (ssize_t)behind.len);
		if (passed(fd, p, len, (uint8_t)(100 + i)) != passes(i))
			fail_msg("%s %s", cases[i].what, passes(i) ? "is dropped" : "passes");
	}
}

/* Marked as a readiness probe, what passes else does not. */
static void
check_mark(const char *name, int fd, const uint8_t src[6], const uint8_t dst[6])
{
	uint32_t mark = VM_PROBE_MARK;
	int probes = raw_at(name), raw = raw_at(name);
	uint8_t p[2][256];

	for (size_t i = 0; i < CASES; i++) {
		size_t len = case_frame(i, src, dst, p[0]);

		if (cases[i].family != 4 || !cases[i].port || !cases[i].to_guest)
			continue;
		case_frame(i, src, dst, p[1]);
		p[1][len - 1] = 0xee;   /* another frame, which nobody takes for the first */
		assert_int_equal(setsockopt(probes, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
		assert_int_equal(send(probes, p[0], len, 0), (ssize_t)len);
		assert_int_equal(send(raw, p[1], len, 0), (ssize_t)len);
		if (first_of(fd, p, len) != 1)
			fail_msg("%s of a probe passes", cases[i].what);
	}
	close(probes);
	close(raw);
}

static bool
port_passes(size_t i)
{
	return cases[i].port;
}

static bool
to_guest_passes(size_t i)
{
	return cases[i].to_guest;
}

static bool
from_guest_passes(size_t i)
{
	return cases[i].from_guest;
}

static void
test_filters(void **state)
{
	static const uint8_t src[6] = { 2, 0, 0, 0, 0, 0x22 };
	int raw, fd, off = 0;
	struct errmsg why;
	cpu_set_t before, one;

	(void)state;
	NEED_ROOT();
	assert_int_equal(sentinel_end(), 0);   /* the port's frames are ours */
	run("ip link set br0 type bridge mcast_snooping 0;"
	    " for f in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do test ! -e $f || echo 0 "
	    ">$f; done");
	/* Frames that one processor sends stay in order. */
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	in_client();
	raw = raw_at("c0");
	in_host();
	check_cases(raw, port_fd, src, guest_mac, port_passes);
	check_mark("br0", port_fd, src, guest_mac);
	close(raw);

	guest_make();
	guest_boot();
	nic_wait();
	if (vm_link_socket("v0", guest_mac, &fd, &why) != ERR_OK)
		fail_msg("%s", why.text);
	raw = raw_at("v0");
	check_cases(raw, fd, src, guest_mac, to_guest_passes);
	check_mark("v0", fd, src, guest_mac);
	close(raw);
	in_guest();
	raw = raw_at("g0");
	in_host();
	check_cases(raw, fd, guest_mac, src, from_guest_passes);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof(off)), -1);
	assert_int_equal(errno, EPERM);
	close(raw);
	close(fd);
	assert_int_equal(vm_link_socket("nowhere", guest_mac, &fd, &why), ERR_MISSING);
	assert_non_null(strstr(why.text, "nowhere"));
	assert_int_equal(fd, -1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_wake_v4), T(test_wake_v6), T(test_late_port), T(test_accepted_unseen),
		T(test_udp), T(test_drop),
		T(test_former_life), T(test_frozen), T(test_passive), T(test_conflict),
		T(test_many), T(test_filters),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
