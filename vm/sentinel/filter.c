/*
 * filter: the packet socket of one bridge, and the classic BPF program that decides what may wake
 * the sentinel.
 *
 * Passed: ARP; neighbour and router discovery and MLD, which a guest sends when its interface comes
 * up; DHCP from a client; TCP to the ports that probes come from; ICMP that says that a probe did
 * not arrive; echo replies with our identifier.  Everything else, an awake guest's payload above
 * all, is dropped in the kernel before it is copied.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm/sentinel/bpf.h"
#include "vm/vm.h"

#define ICMP6_MLDV2_REPORT 143
#define DHCP_CLIENT_PORT 68
/* what the sentinel reads of a frame: more than any answer to a probe has */
#define PASS_BYTES 512

enum {
	TWO(I_TAG),
	TWO(I_TYPE), I_TYPE_V4, I_TYPE_V6,
	TWO(I_V4_FRAG), I_V4_HEADER, TWO(I_V4_PROTO), I_V4_UDP, I_V4_ICMP,
	TWO(I_V4_ICMP_TYPE), TWO(I_V4_ICMP_ID),
	I_V4_LOST, TWO(I_V4_LOST_HEADER), TWO(I_V4_LOST_PROTO), TWO(I_V4_LOST_PORT),
	TWO(I_V4_UDP_PORT), TWO(I_V4_TCP_PORT),
	TWO(I_V6_NEXT), I_V6_ICMP, I_V6_HOPS,
	TWO(I_HOPS_NEXT), TWO(I_HOPS_LENGTH), TWO(I_MLD), I_MLD_FROM, I_MLD_TO,
	TWO(I_ICMP6), I_ICMP6_REPLY, I_ICMP6_ND_FROM, I_ICMP6_ND_TO, TWO(I_ICMP6_ID),
	TWO(I_V6_LOST_NEXT), TWO(I_V6_LOST_PORT), I_V6_TCP_PORT,
	I_PORT_FROM, I_PORT_TO,
	I_DROP, I_PASS,
	I_COUNT
};

static struct sock_filter program[] = {
	/* A tag that the NIC or the bridge took off; a tag inside the frame is no type we pass. */
	STEP(I_TAG, LOAD(BPF_B, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT), BPF_JEQ, 0, I_TYPE, I_DROP),

	STEP(I_TYPE, LOAD(BPF_H, AT_ETHERTYPE), BPF_JEQ, ETH_P_ARP, I_PASS, I_TYPE_V4),
	WHEN(I_TYPE_V4, BPF_JEQ, ETH_P_IP, I_V4_FRAG, I_TYPE_V6),
	WHEN(I_TYPE_V6, BPF_JEQ, ETH_P_IPV6, I_V6_NEXT, I_DROP),

	/* IPv4: what we wait for is never fragmented; X = the header's length. */
	STEP(I_V4_FRAG, LOAD(BPF_H, AT_V4_FRAGMENT), BPF_JSET, BPF_FRAGMENT_BITS,
	    I_DROP, I_V4_HEADER),
	[I_V4_HEADER] = HEADER_V4,
	STEP(I_V4_PROTO, LOAD(BPF_B, AT_V4_PROTO), BPF_JEQ, IPPROTO_TCP, I_V4_TCP_PORT, I_V4_UDP),
	WHEN(I_V4_UDP, BPF_JEQ, IPPROTO_UDP, I_V4_UDP_PORT, I_V4_ICMP),
	WHEN(I_V4_ICMP, BPF_JEQ, IPPROTO_ICMP, I_V4_ICMP_TYPE, I_DROP),

	STEP(I_V4_ICMP_TYPE, LOAD_X(BPF_B, 0), BPF_JEQ, ICMP_ECHOREPLY, I_V4_ICMP_ID, I_V4_LOST),
	STEP(I_V4_ICMP_ID, LOAD_X(BPF_H, ECHO_ID), BPF_JEQ, VM_PROBE_ECHO_ID, I_PASS, I_DROP),

	/* A SYN of ours, which has no options, that did not arrive. */
	WHEN(I_V4_LOST, BPF_JEQ, ICMP_UNREACH, I_V4_LOST_HEADER, I_DROP),
	STEP(I_V4_LOST_HEADER, LOAD_X(BPF_B, ICMP_HEADER), BPF_JEQ, 0x45, I_V4_LOST_PROTO, I_DROP),
	STEP(I_V4_LOST_PROTO, LOAD_X(BPF_B, ICMP_HEADER + 9), BPF_JEQ, IPPROTO_TCP,
	    I_V4_LOST_PORT, I_DROP),
	GO(I_V4_LOST_PORT, LOAD_X(BPF_H, ICMP_HEADER + 20 + PORT_SRC), I_PORT_FROM),

	STEP(I_V4_UDP_PORT, LOAD_X(BPF_H, PORT_SRC), BPF_JEQ, DHCP_CLIENT_PORT, I_PASS, I_DROP),
	GO(I_V4_TCP_PORT, LOAD_X(BPF_H, PORT_DST), I_PORT_FROM),

	STEP(I_V6_NEXT, LOAD(BPF_B, AT_V6_NEXT), BPF_JEQ, IPPROTO_TCP, I_V6_TCP_PORT, I_V6_ICMP),
	WHEN(I_V6_ICMP, BPF_JEQ, IPPROTO_ICMPV6, I_ICMP6, I_V6_HOPS),
	WHEN(I_V6_HOPS, BPF_JEQ, IPPROTO_HOPOPTS, I_HOPS_NEXT, I_DROP),

	/* MLD stands behind a hop-by-hop header of eight bytes (RFC 3810 section 5). */
	STEP(I_HOPS_NEXT, LOAD(BPF_B, AT_V6_PAYLOAD + HOPS_NEXT), BPF_JEQ, IPPROTO_ICMPV6,
	    I_HOPS_LENGTH, I_DROP),
	STEP(I_HOPS_LENGTH, LOAD(BPF_B, AT_V6_PAYLOAD + HOPS_LENGTH), BPF_JEQ, 0, I_MLD, I_DROP),
	STEP(I_MLD, LOAD(BPF_B, AT_V6_PAYLOAD + HOPS_BYTES), BPF_JEQ, ICMP6_MLDV2_REPORT,
	    I_PASS, I_MLD_FROM),
	WHEN(I_MLD_FROM, BPF_JGE, MLD_LISTENER_QUERY, I_MLD_TO, I_DROP),
	WHEN(I_MLD_TO, BPF_JGT, MLD_LISTENER_REDUCTION, I_DROP, I_PASS),

	STEP(I_ICMP6, LOAD(BPF_B, AT_V6_PAYLOAD), BPF_JEQ, ICMP6_DST_UNREACH, I_V6_LOST_NEXT,
	    I_ICMP6_REPLY),
	WHEN(I_ICMP6_REPLY, BPF_JEQ, ICMP6_ECHO_REPLY, I_ICMP6_ID, I_ICMP6_ND_FROM),
	WHEN(I_ICMP6_ND_FROM, BPF_JGE, ND_ROUTER_SOLICIT, I_ICMP6_ND_TO, I_DROP),
	WHEN(I_ICMP6_ND_TO, BPF_JGT, ND_NEIGHBOR_ADVERT, I_DROP, I_PASS),
	STEP(I_ICMP6_ID, LOAD(BPF_H, AT_V6_PAYLOAD + ECHO_ID), BPF_JEQ, VM_PROBE_ECHO_ID,
	    I_PASS, I_DROP),

	STEP(I_V6_LOST_NEXT, LOAD(BPF_B, AT_V6_PAYLOAD + ICMP_HEADER + 6), BPF_JEQ, IPPROTO_TCP,
	    I_V6_LOST_PORT, I_DROP),
	GO(I_V6_LOST_PORT, LOAD(BPF_H, AT_V6_PAYLOAD + ICMP_HEADER + 40 + PORT_SRC), I_PORT_FROM),
	[I_V6_TCP_PORT] = LOAD(BPF_H, AT_V6_PAYLOAD + PORT_DST),

	WHEN(I_PORT_FROM, BPF_JGE, VM_PROBE_PORT_FIRST, I_PORT_TO, I_DROP),
	WHEN(I_PORT_TO, BPF_JGT, VM_PROBE_PORT_LAST, I_DROP, I_PASS),

	[I_DROP] = BPF_STMT(BPF_RET | BPF_K, 0),
	[I_PASS] = BPF_STMT(BPF_RET | BPF_K, PASS_BYTES),
};

_Static_assert(sizeof(program) / sizeof(program[0]) == I_COUNT, "every instruction has its line");

enum err
vm_packet_socket(const struct vm_bridge *br, int *fd, struct errmsg *m)
{
	struct sock_fprog prog = { .len = I_COUNT, .filter = program };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
	    .sll_ifindex = (int)br->ifindex };
	enum err e = ERR_OK;
	uint32_t probe_mark = VM_PROBE_MARK;
	int one = 1, s;

	*fd = -1;
	/* Protocol 0 receives nothing: no frame slips in before the filter is attached. */
	s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return err_sys(m, "packet socket for the bridge with index %u (needs CAP_NET_RAW)",
		    br->ifindex);
	if (setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) != 0)
		e = err_sys(m, "packet socket: attach the filter");
	/* Who holds the socket, a captured sentinel for instance, cannot take the filter off. */
	else if (setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one)) != 0)
		e = err_sys(m, "packet socket: lock the filter");
	/* Frames that the host sends into the bridge are not even cloned for us. */
	else if (setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0)
		e = err_sys(m, "packet socket: ignore outgoing frames (needs Linux 4.20)");
	else if (setsockopt(s, SOL_SOCKET, SO_MARK, &probe_mark, sizeof(probe_mark)) != 0)
		e = err_sys(m, "packet socket: mark (needs CAP_NET_ADMIN)");
	else if (bind(s, (const struct sockaddr *)&at, sizeof(at)) != 0)
		e = err_sys(m, "packet socket: bind to the interface with index %u", br->ifindex);
	if (e == ERR_OK)
		*fd = s;
	else
		close(s);
	return e;
}
