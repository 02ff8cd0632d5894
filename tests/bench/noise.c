/*
 * noise: frames at a steady pace into an interface, for what a sentinel has to bear.
 *
 *   noise INTERFACE FRAMES_PER_SECOND SECONDS arp
 *       broadcast ARP requests, for addresses of 192.0.2.0/24, which nobody has
 *   noise INTERFACE FRAMES_PER_SECOND SECONDS syn <MACS_AND_ADDRESSES
 *       TCP SYNs to port 80 from random sources of 198.18.0.0/15; standard input has lines of a MAC
 *       and an IPv4 address each
 *
 * Prints how many frames were sent.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/knock.h"

#define BATCH_NS 1000000ll     /* frames leave in batches, one each millisecond */
#define TARGETS_MOST 10000

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static struct frame frame;
static size_t len;
static struct target {
	uint8_t mac[ETH_ALEN];
	uint32_t addr;             /* network order */
} targets[TARGETS_MOST];
static unsigned ntargets;
static bool syns;

static void
arp_build(void)
{
	static const uint8_t request[28] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0x99, 0, 1,
	    192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2 };

	memset(frame.eth.h_dest, 0xff, ETH_ALEN);
	frame.eth.h_proto = htons(ETH_P_ARP);
	memcpy(&frame.ip, request, sizeof(request));
	len = sizeof(frame.eth) + sizeof(request);
}

static void
targets_read(void)
{
	char mac[32], address[32];

	while (ntargets < TARGETS_MOST && scanf("%31s %31s", mac, address) == 2) {
		struct ether_addr *a = ether_aton(mac);

		if (a == NULL || inet_pton(AF_INET, address, &targets[ntargets].addr) != 1)
			errx(2, "%s %s: a MAC and an IPv4 address", mac, address);
		memcpy(targets[ntargets++].mac, a, ETH_ALEN);
	}
	if (ntargets == 0)
		errx(2, "no addresses on standard input");
}

static void
syn_build(void)
{
	frame.eth.h_proto = htons(ETH_P_IP);
	frame.ip.version = 4;
	frame.ip.ihl = 5;
	frame.ip.tot_len = htons(sizeof(frame.ip) + sizeof(frame.tcp));
	frame.ip.ttl = 64;
	frame.ip.protocol = IPPROTO_TCP;
	frame.tcp.dest = htons(80);
	frame.tcp.doff = 5;
	frame.tcp.syn = 1;
	frame.tcp.window = htons(65535);
	len = sizeof(frame);
	syns = true;
}

static void
syn_vary(void)
{
	const struct target *to = &targets[(unsigned long)random() % ntargets];

	frame.ip.saddr = htonl(0xc6120000u | ((uint32_t)random() & 0x1ffffu));
	frame.ip.daddr = to->addr;
	memcpy(frame.eth.h_dest, to->mac, ETH_ALEN);
	frame.ip.check = 0;
	frame.ip.check = fold(sum16(&frame.ip, sizeof(frame.ip), 0));
	frame.tcp.source = htons((uint16_t)(1024 + random() % 60000));
	frame.tcp.seq = htonl((uint32_t)random());
	frame.tcp.check = 0;
	frame.tcp.check = fold(sum16(&frame.tcp, sizeof(frame.tcp),
	    sum16(&frame.ip.saddr, 8, IPPROTO_TCP + sizeof(frame.tcp))));
}

int
main(int argc, char **argv)
{
	static const uint8_t from[ETH_ALEN] = { 2, 0, 0, 0, 0x99, 0 };
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	int64_t start, end;
	long rate, sent = 0;
	int fd;

	if (argc != 5 || (strcmp(argv[4], "arp") != 0 && strcmp(argv[4], "syn") != 0))
		errx(2, "usage: noise INTERFACE FRAMES_PER_SECOND SECONDS arp | syn");
	rate = atol(argv[2]);
	at.sll_ifindex = (int)if_nametoindex(argv[1]);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0 || at.sll_ifindex == 0 ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
		err(1, "%s", argv[1]);
	memcpy(frame.eth.h_source, from, ETH_ALEN);
	if (strcmp(argv[4], "arp") == 0) {
		arp_build();
	} else {
		targets_read();
		syn_build();
	}
	start = now_ns();
	end = start + atol(argv[3]) * NS_PER_S;
	for (int64_t now = start; now < end; now = now_ns()) {
		struct timespec pause = { 0, BATCH_NS };

		for (long due = (long)((double)(now - start) * (double)rate / 1e9); sent < due;
		    sent++) {
			if (syns)
				syn_vary();
			if (send(fd, &frame, len, 0) < 0 && errno != ENOBUFS)
				err(1, "send");
		}
		(void)nanosleep(&pause, NULL);   /* a shorter one is as good */
	}
	printf("%ld\n", sent);
	return 0;
}
