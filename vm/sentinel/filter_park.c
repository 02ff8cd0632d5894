/*
 * filter_park: what of a bridge's and a NIC's frames comes to the sentinel for units that sleep or
 * begin to run: the filter of a port's tap, and the packet socket of a link.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm/sentinel/bpf.h"
#include "vm/sentinel/frame.h"
#include "vm/vm.h"

#define PASS_WHOLE 0x40000   /* longer than any frame */

/* ---- the port ---- */

/*
 * ARP and neighbour discovery, and unicast TCP, UDP and echo requests, in one piece, untagged, and
 * not marked as ours: a readiness probe is no client, which is all that it would be taken for.
 */
enum {
	TWO(P_MARK), TWO(P_TAG), TWO(P_TYPE), P_TYPE_V4, P_TYPE_V6,
	TWO(P_V4_TO), TWO(P_V4_FRAG), P_V4_HEADER, TWO(P_V4_PROTO), P_V4_UDP, P_V4_ICMP,
	TWO(P_V4_ECHO),
	TWO(P_V6_NEXT), TWO(P_ND), P_ND_TO, TWO(P_V6_TO), TWO(P_V6_PROTO), P_V6_UDP, P_V6_ICMP,
	TWO(P_V6_ECHO),
	P_DROP, P_PASS, P_COUNT
};

static struct sock_filter port_program[] = {
	STEP(P_MARK, LOAD(BPF_W, SKF_AD_OFF + SKF_AD_MARK), BPF_JEQ, VM_PROBE_MARK, P_DROP, P_TAG),
	STEP(P_TAG, LOAD(BPF_B, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT), BPF_JEQ, 0, P_TYPE, P_DROP),
	STEP(P_TYPE, LOAD(BPF_H, AT_ETHERTYPE), BPF_JEQ, ETH_P_ARP, P_PASS, P_TYPE_V4),
	WHEN(P_TYPE_V4, BPF_JEQ, ETH_P_IP, P_V4_TO, P_TYPE_V6),
	WHEN(P_TYPE_V6, BPF_JEQ, ETH_P_IPV6, P_V6_NEXT, P_DROP),

	STEP(P_V4_TO, LOAD(BPF_B, AT_DST), BPF_JSET, 1, P_DROP, P_V4_FRAG),
	STEP(P_V4_FRAG, LOAD(BPF_H, AT_V4_FRAGMENT), BPF_JSET, BPF_FRAGMENT_BITS,
	    P_DROP, P_V4_HEADER),
	[P_V4_HEADER] = HEADER_V4,
	STEP(P_V4_PROTO, LOAD(BPF_B, AT_V4_PROTO), BPF_JEQ, IPPROTO_TCP, P_PASS, P_V4_UDP),
	WHEN(P_V4_UDP, BPF_JEQ, IPPROTO_UDP, P_PASS, P_V4_ICMP),
	WHEN(P_V4_ICMP, BPF_JEQ, IPPROTO_ICMP, P_V4_ECHO, P_DROP),
	STEP(P_V4_ECHO, LOAD_X(BPF_B, 0), BPF_JEQ, ICMP_ECHO, P_PASS, P_DROP),

	STEP(P_V6_NEXT, LOAD(BPF_B, AT_V6_NEXT), BPF_JEQ, IPPROTO_ICMPV6, P_ND, P_V6_TO),
	STEP(P_ND, LOAD(BPF_B, AT_V6_PAYLOAD), BPF_JGE, ND_NEIGHBOR_SOLICIT, P_ND_TO, P_V6_TO),
	WHEN(P_ND_TO, BPF_JGT, ND_NEIGHBOR_ADVERT, P_DROP, P_PASS),
	STEP(P_V6_TO, LOAD(BPF_B, AT_DST), BPF_JSET, 1, P_DROP, P_V6_PROTO),
	STEP(P_V6_PROTO, LOAD(BPF_B, AT_V6_NEXT), BPF_JEQ, IPPROTO_TCP, P_PASS, P_V6_UDP),
	WHEN(P_V6_UDP, BPF_JEQ, IPPROTO_UDP, P_PASS, P_V6_ICMP),
	WHEN(P_V6_ICMP, BPF_JEQ, IPPROTO_ICMPV6, P_V6_ECHO, P_DROP),
	STEP(P_V6_ECHO, LOAD(BPF_B, AT_V6_PAYLOAD), BPF_JEQ, ICMP6_ECHO_REQUEST, P_PASS, P_DROP),

	[P_DROP] = BPF_STMT(BPF_RET | BPF_K, 0),
	[P_PASS] = BPF_STMT(BPF_RET | BPF_K, PASS_WHOLE),
};

_Static_assert(sizeof(port_program) / sizeof(port_program[0]) == P_COUNT, "a line for each");

enum err
vm_port_filter(int fd, struct errmsg *m)
{
	struct sock_fprog prog = { .len = P_COUNT, .filter = port_program };

	if (ioctl(fd, TUNATTACHFILTER, &prog) != 0)
		return err_sys(m, "port: attach the filter to its tap");
	return ERR_OK;
}

/* ---- a link ---- */

/*
 * To or from the guest's MAC, in one piece, untagged: TCP with SYN or RST, UDP, echo, and what
 * tells that a guest begins to speak: ARP, neighbour and router discovery, MLD.  Neither our own
 * probes, which are no clients, nor the rest, an awake guest's TCP payload above all, is copied.
 */
enum {
	TWO(L_MARK), TWO(L_TAG), TWO(L_DIRECTION),
	TWO(L_TO_HIGH), TWO(L_TO_LOW), TWO(L_FROM_HIGH), TWO(L_FROM_LOW),
	TWO(L_TYPE), L_TYPE_V4, L_TYPE_V6,
	TWO(L_V4_FRAG), L_V4_HEADER, TWO(L_V4_PROTO), L_V4_UDP, L_V4_ICMP,
	TWO(L_V4_ECHO), L_V4_REPLY,
	L_V6_HEADER, TWO(L_V6_NEXT), L_V6_UDP, L_V6_HOPS, L_V6_ICMP,
	TWO(L_ICMP6_FROM), L_ICMP6_TO,
	TWO(L_TCP),
	L_DROP, L_PASS, L_COUNT
};

static const struct sock_filter link_program[] = {
	STEP(L_MARK, LOAD(BPF_W, SKF_AD_OFF + SKF_AD_MARK), BPF_JEQ, VM_PROBE_MARK, L_DROP, L_TAG),
	STEP(L_TAG, LOAD(BPF_B, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT), BPF_JEQ, 0,
	    L_DIRECTION, L_DROP),
	STEP(L_DIRECTION, LOAD(BPF_B, SKF_AD_OFF + SKF_AD_PKTTYPE), BPF_JEQ, PACKET_OUTGOING,
	    L_TO_HIGH, L_FROM_HIGH),
	/* the guest's MAC in place of the zeros */
	STEP(L_TO_HIGH, LOAD(BPF_W, AT_DST), BPF_JEQ, 0, L_TO_LOW, L_DROP),
	STEP(L_TO_LOW, LOAD(BPF_H, AT_DST + 4), BPF_JEQ, 0, L_TYPE, L_DROP),
	STEP(L_FROM_HIGH, LOAD(BPF_W, AT_SRC), BPF_JEQ, 0, L_FROM_LOW, L_DROP),
	STEP(L_FROM_LOW, LOAD(BPF_H, AT_SRC + 4), BPF_JEQ, 0, L_TYPE, L_DROP),

	STEP(L_TYPE, LOAD(BPF_H, AT_ETHERTYPE), BPF_JEQ, ETH_P_ARP, L_PASS, L_TYPE_V4),
	WHEN(L_TYPE_V4, BPF_JEQ, ETH_P_IP, L_V4_FRAG, L_TYPE_V6),
	WHEN(L_TYPE_V6, BPF_JEQ, ETH_P_IPV6, L_V6_HEADER, L_DROP),

	STEP(L_V4_FRAG, LOAD(BPF_H, AT_V4_FRAGMENT), BPF_JSET, BPF_FRAGMENT_BITS,
	    L_DROP, L_V4_HEADER),
	[L_V4_HEADER] = HEADER_V4,
	STEP(L_V4_PROTO, LOAD(BPF_B, AT_V4_PROTO), BPF_JEQ, IPPROTO_TCP, L_TCP, L_V4_UDP),
	WHEN(L_V4_UDP, BPF_JEQ, IPPROTO_UDP, L_PASS, L_V4_ICMP),
	WHEN(L_V4_ICMP, BPF_JEQ, IPPROTO_ICMP, L_V4_ECHO, L_DROP),
	STEP(L_V4_ECHO, LOAD_X(BPF_B, 0), BPF_JEQ, ICMP_ECHO, L_PASS, L_V4_REPLY),
	WHEN(L_V4_REPLY, BPF_JEQ, ICMP_ECHOREPLY, L_PASS, L_DROP),

	[L_V6_HEADER] = HEADER_V6,
	STEP(L_V6_NEXT, LOAD(BPF_B, AT_V6_NEXT), BPF_JEQ, IPPROTO_TCP, L_TCP, L_V6_UDP),
	WHEN(L_V6_UDP, BPF_JEQ, IPPROTO_UDP, L_PASS, L_V6_HOPS),
	WHEN(L_V6_HOPS, BPF_JEQ, IPPROTO_HOPOPTS, L_PASS, L_V6_ICMP),
	WHEN(L_V6_ICMP, BPF_JEQ, IPPROTO_ICMPV6, L_ICMP6_FROM, L_DROP),
	/* echo request and reply, MLD, discovery: 128 to 136 */
	STEP(L_ICMP6_FROM, LOAD_X(BPF_B, 0), BPF_JGE, ICMP6_ECHO_REQUEST, L_ICMP6_TO, L_DROP),
	WHEN(L_ICMP6_TO, BPF_JGT, ND_NEIGHBOR_ADVERT, L_DROP, L_PASS),

	STEP(L_TCP, LOAD_X(BPF_B, TCP_FLAGS), BPF_JSET, FRAME_TCP_SYN | FRAME_TCP_RST,
	    L_PASS, L_DROP),

	[L_DROP] = BPF_STMT(BPF_RET | BPF_K, 0),
	[L_PASS] = BPF_STMT(BPF_RET | BPF_K, PASS_WHOLE),
};

_Static_assert(sizeof(link_program) / sizeof(link_program[0]) == L_COUNT, "a line for each");

static enum err
link_options(int s, const uint8_t mac[6], struct errmsg *m)
{
	struct sock_filter program[L_COUNT];
	struct sock_fprog prog = { .len = L_COUNT, .filter = program };
	uint32_t mark = VM_PROBE_MARK, high, low = (uint32_t)mac[4] << 8 | mac[5];
	int one = 1;

	memcpy(program, link_program, sizeof(program));
	memcpy(&high, mac, sizeof(high));
	program[L_TO_HIGH_IF].k = program[L_FROM_HIGH_IF].k = ntohl(high);
	program[L_TO_LOW_IF].k = program[L_FROM_LOW_IF].k = low;
	if (setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) != 0)
		return err_sys(m, "attach the filter");
	if (setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one)) != 0)
		return err_sys(m, "lock the filter");
	if (setsockopt(s, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) != 0)
		return err_sys(m, "PACKET_VNET_HDR");
	if (setsockopt(s, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0)
		return err_sys(m, "mark (needs CAP_NET_ADMIN)");
	return ERR_OK;
}

enum err
vm_link_socket(const char *ifname, const uint8_t mac[6], int *fd, struct errmsg *m)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
	    .sll_ifindex = (int)if_nametoindex(ifname) };
	struct errmsg why;
	enum err e;
	int s;

	*fd = -1;
	if (at.sll_ifindex == 0)
		return err_set(m, ERR_MISSING, "link of %s: %s", ifname, strerror(errno));
	/* Protocol 0 receives nothing: no frame slips in before the filter is attached. */
	s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return err_sys(m, "link of %s: packet socket (needs CAP_NET_RAW)", ifname);
	e = link_options(s, mac, &why);
	if (e == ERR_OK && bind(s, (const struct sockaddr *)&at, sizeof(at)) != 0)
		e = err_sys(&why, "bind");
	if (e == ERR_OK) {
		*fd = s;
		return ERR_OK;
	}
	close(s);
	return err_set(m, e, "link of %s: %s", ifname, why.text);
}
