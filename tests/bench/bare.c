/*
 * bare: how long a VM takes without jitsud, with everything prepared that can be: from posix_spawn of a command line to the guest's SYN-ACK.
 *
 *   bare BRIDGE GUEST_MAC GUEST_ADDRESS SOURCE_ADDRESS UID GID -- COMMAND...
 *
 * Descriptor 3 of the command is a listening UNIX socket, 4 is a tap that is a port of BRIDGE, as jitsud passes them to QEMU.
 * A SYN to port 80 leaves every millisecond from a packet socket on the bridge.  Prints microseconds, and ends the command.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000ll
#define NS_PER_S 1000000000ll
#define GIVE_UP_S 60
#define PORT 80
#define SOURCE_PORT 61000

#define FD_QMP 3
#define FD_TAP 4

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static const char *bridge;
static struct frame syn;

static int64_t
now_ns(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		err(1, "clock_gettime");
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static uint32_t
sum16(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return sum;
}

static uint16_t
fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* The bridge's index; its MAC into the frame. */
static int
bridge_index(void)
{
	struct ifreq ifr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), index = (int)if_nametoindex(bridge);

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", bridge);
	if (fd < 0 || index == 0 || ioctl(fd, SIOCGIFHWADDR, &ifr) != 0)
		err(1, "%s", bridge);
	memcpy(syn.eth.h_source, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	close(fd);
	return index;
}

static void
syn_build(const char *mac, const char *guest, const char *source)
{
	struct ether_addr *to = ether_aton(mac);

	if (to == NULL || inet_pton(AF_INET, guest, &syn.ip.daddr) != 1 || inet_pton(AF_INET, source, &syn.ip.saddr) != 1)
		errx(2, "%s %s %s: a MAC and two IPv4 addresses", mac, guest, source);
	memcpy(syn.eth.h_dest, to, ETH_ALEN);
	syn.eth.h_proto = htons(ETH_P_IP);
	syn.ip.version = 4;
	syn.ip.ihl = 5;
	syn.ip.tot_len = htons(sizeof(syn.ip) + sizeof(syn.tcp));
	syn.ip.ttl = 64;
	syn.ip.protocol = IPPROTO_TCP;
	syn.ip.check = fold(sum16(&syn.ip, sizeof(syn.ip), 0));
	syn.tcp.source = htons(SOURCE_PORT);
	syn.tcp.dest = htons(PORT);
	syn.tcp.seq = htonl(1);
	syn.tcp.doff = 5;
	syn.tcp.syn = 1;
	syn.tcp.window = htons(65535);
	syn.tcp.check = fold(sum16(&syn.tcp, sizeof(syn.tcp), sum16(&syn.ip.saddr, 8, IPPROTO_TCP + sizeof(syn.tcp))));
}

static int
packet_open(int index)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = index };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		err(1, "packet socket");
	return fd;
}

static int
tap_open(void)
{
	struct ifreq ifr;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[IFNAMSIZ];

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "bare%d", (int)getpid());
	snprintf(name, sizeof(name), "%s", ifr.ifr_name);
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (fd < 0 || sock < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0)
		err(1, "tap");
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", bridge);
	ifr.ifr_ifindex = (int)if_nametoindex(name);
	if (ioctl(sock, SIOCBRADDIF, &ifr) != 0)
		err(1, "%s: port %s", bridge, name);
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	ifr.ifr_flags = IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr) != 0)
		err(1, "%s: up", name);
	close(sock);
	return fd;
}

/* A listening socket with an address of the kernel's choice (unix(7), autobind). */
static int
listener_open(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at.sun_family)) != 0 || listen(fd, 1) != 0)
		err(1, "listening socket");
	return fd;
}

static void
become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		err(1, "uid %d", (int)uid);
}

static bool
syn_ack_came(int fd)
{
	struct frame f;
	ssize_t n;

	while ((n = recv(fd, &f, sizeof(f), MSG_TRUNC)) > 0)
		if (n >= (ssize_t)sizeof(f) && f.ip.protocol == IPPROTO_TCP && f.ip.saddr == syn.ip.daddr && f.tcp.source == syn.tcp.dest &&
		    f.tcp.dest == syn.tcp.source && f.tcp.syn && f.tcp.ack)
			return true;
	return false;
}

/* Until the SYN-ACK; false when it never came. */
static bool
knock(int fd, pid_t pid, int64_t start)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t next = start;

	for (int64_t now = start; now < start + GIVE_UP_S * NS_PER_S; now = now_ns()) {
		struct timespec ts = { 0, 0 };

		if (now >= next) {
			/* A full queue loses it; the next one follows. */
			(void)send(fd, &syn, sizeof(syn), 0);
			next += NS_PER_MS;
			if (next < now)
				next = now + NS_PER_MS;
		}
		ts.tv_nsec = next > now ? (long)(next - now) : 0;
		if (ppoll(&p, 1, &ts, NULL) > 0 && syn_ack_came(fd))
			return true;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			errx(1, "the command ended");
	}
	return false;
}

int
main(int argc, char **argv)
{
	static char *environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C", NULL };
	posix_spawn_file_actions_t fa;
	int packets, tap, listener, error;
	int64_t start, took;
	pid_t pid;
	bool came;

	if (argc < 9 || strcmp(argv[7], "--") != 0)
		errx(2, "usage: bare BRIDGE GUEST_MAC GUEST_ADDRESS SOURCE_ADDRESS UID GID -- COMMAND...");
	bridge = argv[1];
	packets = packet_open(bridge_index());
	syn_build(argv[2], argv[3], argv[4]);
	tap = fcntl(tap_open(), F_DUPFD_CLOEXEC, 100);
	listener = fcntl(listener_open(), F_DUPFD_CLOEXEC, 100);
	become((uid_t)atoi(argv[5]), (gid_t)atoi(argv[6]));
	if (tap < 0 || listener < 0 || posix_spawn_file_actions_init(&fa) != 0 ||
	    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, 0, 1) != 0 || posix_spawn_file_actions_adddup2(&fa, listener, FD_QMP) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, tap, FD_TAP) != 0)
		err(1, "descriptors");
	start = now_ns();
	error = posix_spawn(&pid, argv[8], &fa, NULL, argv + 8, environment);
	if (error != 0)
		errx(1, "%s: %s", argv[8], strerror(error));
	came = knock(packets, pid, start);
	took = now_ns() - start;
	if (kill(pid, SIGKILL) != 0 || waitpid(pid, NULL, 0) != pid)
		warn("pid %d", (int)pid);
	if (!came)
		errx(1, "no SYN-ACK within %d s", GIVE_UP_S);
	printf("%.1f\n", (double)took / 1000);
	return 0;
}
