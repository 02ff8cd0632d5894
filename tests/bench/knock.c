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
#include <stddef.h>
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

_Static_assert(sizeof(struct frame) == sizeof(((struct knock_to *)NULL)->frame), "a SYN");

static struct frame syn;         /* what all have in common */
static struct knock_to only;     /* of knock_init */
static int packets = -1;

int64_t
now_ns(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		err(1, "clock_gettime");
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

uint32_t
sum16(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return sum;
}

uint16_t
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
syn_build(const char *source)
{
	if (inet_pton(AF_INET, source, &syn.ip.saddr) != 1)
		errx(2, "%s: an IPv4 address", source);
	syn.eth.h_proto = htons(ETH_P_IP);
	syn.ip.version = 4;
	syn.ip.ihl = 5;
	syn.ip.tot_len = htons(sizeof(syn.ip) + sizeof(syn.tcp));
	syn.ip.ttl = 64;
	syn.ip.protocol = IPPROTO_TCP;
	syn.tcp.source = htons(SOURCE_PORT);
	syn.tcp.dest = htons(PORT);
	syn.tcp.seq = htonl(1);
	syn.tcp.doff = 5;
	syn.tcp.syn = 1;
	syn.tcp.window = htons(65535);
}

void
knock_to(struct knock_to *to, const char *mac, const char *guest)
{
	struct ether_addr *at = ether_aton(mac);
	struct frame f = syn;

	if (at == NULL || inet_pton(AF_INET, guest, &f.ip.daddr) != 1)
		errx(2, "%s %s: a MAC and an IPv4 address", mac, guest);
	memcpy(f.eth.h_dest, at, ETH_ALEN);
	f.ip.check = fold(sum16(&f.ip, sizeof(f.ip), 0));
	f.tcp.check = fold(sum16(&f.tcp, sizeof(f.tcp),
	    sum16(&f.ip.saddr, 8, IPPROTO_TCP + sizeof(f.tcp))));
	memcpy(to->frame, &f, sizeof(f));
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
knock_open(const char *bridge, const char *source)
{
	packets = packet_open(bridge_index(bridge));
	syn_build(source);
}

void
knock_init(const char *bridge, const char *guest_mac, const char *guest, const char *source)
{
	knock_open(bridge, source);
	knock_to(&only, guest_mac, guest);
}

void
knock_send(const struct knock_to *to)
{
	/* A full queue loses it; the next one follows. */
	(void)send(packets, to->frame, sizeof(to->frame), 0);
}

/* Is `f` the answer to this guest's SYN? */
static bool
answers(const struct frame *f, const struct knock_to *to)
{
	uint32_t guest;

	memcpy(&guest, to->frame + offsetof(struct frame, ip.daddr), sizeof(guest));
	return f->ip.protocol == IPPROTO_TCP && f->ip.saddr == guest &&
	    f->tcp.source == syn.tcp.dest && f->tcp.dest == syn.tcp.source && f->tcp.syn &&
	    f->tcp.ack;
}

void
knock_hear(int64_t wait_ns, const void *guests, size_t stride, unsigned n,
    void (*heard)(const struct knock_to *to, void *arg), void *arg)
{
	struct pollfd p = { .fd = packets, .events = POLLIN };
	struct timespec ts = { 0, 0 };
	struct frame f;
	ssize_t got;

	if (wait_ns > 0)
		ts = (struct timespec){ (time_t)(wait_ns / NS_PER_S), (long)(wait_ns % NS_PER_S) };
	if (ppoll(&p, 1, &ts, NULL) <= 0)
		return;
	while ((got = recv(packets, &f, sizeof(f), MSG_TRUNC)) > 0)
		for (unsigned i = 0; got >= (ssize_t)sizeof(f) && i < n; i++) {
			const struct knock_to *to =
			    (const void *)((const char *)guests + i * stride);

			if (answers(&f, to))
				heard(to, arg);
		}
}

static void
note(const struct knock_to *to, void *arg)
{
	(void)to;
	*(bool *)arg = true;
}

bool
knock(int64_t start_ns, int64_t interval_ns, int64_t (*between)(void *arg), void *arg)
{
	int64_t next = start_ns;
	bool came = false;

	for (int64_t now = start_ns; now < start_ns + KNOCK_GIVE_UP_S * NS_PER_S; now = now_ns()) {
		if (now >= next) {
			knock_send(&only);
			next += interval_ns;
			if (next < now)
				next = now + interval_ns;
		}
		knock_hear(next - now, &only, sizeof(only), 1, note, &came);
		if (came)
			return true;
		if (between != NULL)
			interval_ns = between(arg);
	}
	return false;
}
