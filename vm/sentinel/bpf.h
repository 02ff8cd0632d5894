/*
 * bpf: classic BPF programs over Ethernet frames, written with a name for each instruction, so that
 * jumps are by name; a step is a load and a jump.  A load beyond the frame's end ends a program
 * with 0, which drops the frame.
 */
#ifndef VM_SENTINEL_BPF_H
#define VM_SENTINEL_BPF_H

#include <linux/filter.h>

#define BPF_FRAGMENT_BITS 0x3fff    /* more fragments, or an offset */

/* Where a field stands in an untagged frame; what LOAD_X loads, behind the IP header. */
enum {
	AT_DST = 0, AT_SRC = 6, AT_ETHERTYPE = 12,
	AT_V4 = 14, AT_V4_FRAGMENT = AT_V4 + 6, AT_V4_PROTO = AT_V4 + 9,
	AT_V6 = 14, AT_V6_NEXT = AT_V6 + 6, AT_V6_PAYLOAD = AT_V6 + 40,
	PORT_SRC = 0, PORT_DST = 2, ECHO_ID = 4, TCP_FLAGS = 13, ICMP_HEADER = 8,
	HOPS_NEXT = 0, HOPS_LENGTH = 1, HOPS_BYTES = 8
};

#define TWO(step) step, step##_IF

#define LOAD(size, offset) BPF_STMT(BPF_LD | (size) | BPF_ABS, (uint32_t)(offset))
#define LOAD_X(size, offset) BPF_STMT(BPF_LD | (size) | BPF_IND, AT_V4 + (offset))
#define WHEN(at, test, value, then, other) \
	[at] = BPF_JUMP(BPF_JMP | (test) | BPF_K, (value), (then) - (at) - 1, (other) - (at) - 1)
/* NOLINTBEGIN(bugprone-macro-parentheses): a load is an initialiser in braces */
#define STEP(at, load, test, value, then, other) \
	[at] = load, WHEN(at##_IF, test, value, then, other)
#define GO(at, load, to) [at] = load, [at##_IF] = BPF_STMT(BPF_JMP | BPF_JA, (to) - at##_IF - 1)
/* NOLINTEND(bugprone-macro-parentheses) */

/* X = the length of the IPv4 header, and of an IPv6 header without extensions. */
#define HEADER_V4 BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, AT_V4)
#define HEADER_V6 BPF_STMT(BPF_LDX | BPF_IMM, 40)

#endif
