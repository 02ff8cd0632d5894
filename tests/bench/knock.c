/* knock: the frames, and the loop that sends and looks. */
#include "tests/bench/knock.h"

#include <arpa/inet.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 80
#define SOURCE_PORT 61000

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static struct frame syn;
static int packets = -1;

int64_t
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
bridge_index(const char *bridge)
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

	if (to == NULL || inet_pton(AF_INET, guest, &syn.ip.daddr) != 1 ||
	    inet_pton(AF_INET, source, &syn.ip.saddr) != 1)
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
	syn.tcp.check = fold(sum16(&syn.tcp, sizeof(syn.tcp),
	    sum16(&syn.ip.saddr, 8, IPPROTO_TCP + sizeof(syn.tcp))));
}

static int
packet_open(int index)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
	    .sll_ifindex = index };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		err(1, "packet socket");
	return fd;
}

void
knock_init(const char *bridge, const char *guest_mac, const char *guest, const char *source)
{
	packets = packet_open(bridge_index(bridge));
	syn_build(guest_mac, guest, source);
}

static bool
syn_ack_came(void)
{
	struct frame f;
	ssize_t n;

	while ((n = recv(packets, &f, sizeof(f), MSG_TRUNC)) > 0)
		if (n >= (ssize_t)sizeof(f) && f.ip.protocol == IPPROTO_TCP &&
		    f.ip.saddr == syn.ip.daddr && f.tcp.source == syn.tcp.dest &&
		    f.tcp.dest == syn.tcp.source && f.tcp.syn && f.tcp.ack)
			return true;
	return false;
}

bool
knock(int64_t start_ns, int64_t interval_ns, int64_t (*between)(void *arg), void *arg)
{
	struct pollfd p = { .fd = packets, .events = POLLIN };
	int64_t next = start_ns;

	for (int64_t now = start_ns; now < start_ns + KNOCK_GIVE_UP_S * NS_PER_S; now = now_ns()) {
		struct timespec ts = { 0, 0 };

		if (now >= next) {
			/* A full queue loses it; the next one follows. */
			(void)send(packets, &syn, sizeof(syn), 0);
			next += interval_ns;
			if (next < now)
				next = now + interval_ns;
		}
		ts.tv_sec = next > now ? (time_t)((next - now) / NS_PER_S) : 0;
		ts.tv_nsec = next > now ? (long)((next - now) % NS_PER_S) : 0;
		if (ppoll(&p, 1, &ts, NULL) > 0 && syn_ack_came())
			return true;
		if (between != NULL)
			interval_ns = between(arg);
	}
	return false;
}
