/*
 * activity_rules: what counts as use of a VM, and which connections were opened to it.
 *
 * Every rule here is in the path of every frame of the host's bridges, so that those that are not a
 * watched VM's leave early.
 */
#include "vm/net/activity_rules.h"

#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "vm/vm.h"

/* Elements of a set; beyond it new MACs are not counted, and new connections not known. */
#define SET_SIZE 65535

const char *const activity_chains[ACTIVITY_CHAINS] = {
	"from_guest", "to_guest", "guest_sends", "guest_gets", "guest_marks", "guest_ends"
};

/* ---- sets ---- */

#define FLOW_SET(family, address) \
	" set flows" family " { type ether_addr . " address " . inet_service . inet_service; " \
	"flags dynamic,timeout; size %d; counter; };\n"

static const char sets[] =
    " set active { type ether_addr; flags dynamic,timeout; size %d; };\n"
    " set guests { type ifname . ether_addr; size %d; counter; };\n"
    " set macs { type ether_addr; size %d; counter; };\n"
    " set below { type ether_addr; size %d; limit rate 1 bytes/second burst 1 bytes; };\n"
    /* Who leaves guards on, and dies, leaves them for an hour at most. */
    " set waking { type ether_addr; flags timeout; timeout 1h; size %d; };\n"
    " set passive4 { type ether_addr . ipv4_addr; flags interval; size %d; };\n"
    " set passive6 { type ether_addr . ipv6_addr; flags interval; size %d; };\n"
    FLOW_SET("4", "ipv4_addr") FLOW_SET("6", "ipv6_addr");

/* ---- rules ---- */

/* The key of a connection: the guest's MAC, its peer, that one's port, and the guest's. */
#define FLOW_OUT(ip) "ether saddr . " ip " daddr . tcp dport . tcp sport"
#define FLOW_IN(ip) "ether daddr . " ip " saddr . tcp sport . tcp dport"

/* Not less than its rate: that is use. */
#define USE(which) \
	"ether " which " @below return; update @active { ether " which " timeout %ds }; "

/*
 * What a monitor sends is no use, and its connections are none.  Most packets neither begin nor end
 * a connection.  A look at a flow counts its bytes, and what comes of the peer keeps it.
 */
static const char sends[] =
    "ether saddr . ip daddr @passive4 return; ether saddr . ip6 daddr @passive6 return; "
    "tcp flags & (syn | fin | rst) != 0x0 goto guest_marks; "
    FLOW_OUT("ip") " @flows4; " FLOW_OUT("ip6") " @flows6; " USE("saddr");
static const char gets[] =
    "ether daddr . ip saddr @passive4 return; ether daddr . ip6 saddr @passive6 return; "
    "tcp flags & (fin | rst) != 0x0 goto guest_ends; "
    FLOW_IN("ip") " @flows4 update @flows4 { " FLOW_IN("ip") " timeout %ds }; "
    FLOW_IN("ip6") " @flows6 update @flows6 { " FLOW_IN("ip6") " timeout %ds }; " USE("daddr");

/*
 * A refusal is no use, nor what answers a probe of a port.  Such an answer begins a flow all the
 * same, for clients have those ports, too: it ends unanswered.
 */
static const char marks[] =
    "tcp flags & (fin | rst) != 0x0 delete @flows4 { " FLOW_OUT("ip") " }; "
    "tcp flags & (fin | rst) != 0x0 delete @flows6 { " FLOW_OUT("ip6") " }; "
    "tcp flags & (syn | ack | fin | rst) == syn | ack update @flows4 { " FLOW_OUT("ip")
    " timeout %ds }; "
    "tcp flags & (syn | ack | fin | rst) == syn | ack update @flows6 { " FLOW_OUT("ip6")
    " timeout %ds }; "
    "tcp flags & rst == rst return; tcp flags & (syn | ack) == syn | ack tcp dport %d-%d return; "
    USE("saddr");
static const char ends[] =
    "delete @flows4 { " FLOW_IN("ip") " }; delete @flows6 { " FLOW_IN("ip6") " }; "
    "tcp flags & rst == rst return; " USE("daddr");

/*
 * The refusal of a SYN, and no other RST, has ACK and the sequence number 0 (RFC 9293 section
 * 3.10.7.1): while its guest is waking up, its port is not open yet, and the SYN is given again.
 * What comes from our port (vm/net/parkport.h) is the sentinel's, who means it.
 */
static const char waking[] =
    "tcp flags & (rst | ack) == rst | ack tcp sequence 0 ether saddr @waking iifname != \"jtp*\" "
    "drop;";

/* In order: not ARP; nobody in particular is meant; not neighbour discovery. */
static const char skip[] = "ether type arp return; "
    "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 return; "
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, "
    "nd-redirect } return;";

static const char from[] = "type filter hook prerouting priority -300; policy accept;";
static const char to[] = "type filter hook postrouting priority 300; policy accept;";

/*
 * Our readiness probes bear a mark; what answers them has none.  A SYN-ACK or an echo reply that
 * looks like such an answer, but answers somebody else, may be left out: what it answers was
 * counted.
 */
static void
base_chains(FILE *f)
{
	fprintf(f, " chain from_guest { %s %s %s icmp type echo-reply icmp id %d return; icmpv6 "
	    "type echo-reply icmpv6 id %d return; iifname . ether saddr @guests jump guest_sends; "
	    "ether saddr @macs jump guest_sends; }\n", from, waking, skip, VM_PROBE_ECHO_ID,
	    VM_PROBE_ECHO_ID);
	fprintf(f, " chain to_guest { %s %s meta mark 0x%08x return; oifname . ether daddr @guests "
	    "jump guest_gets; ether daddr @macs jump guest_gets; }\n", to, skip, VM_PROBE_MARK);
}

char *
activity_rules(const char *table, bool anew)
{
	char *commands = NULL;
	size_t size;
	FILE *f = mem_must(open_memstream(&commands, &size));

	if (anew)
		fprintf(f, "table bridge %s\ndelete table bridge %s\n", table, table);
	fprintf(f, "table bridge %s {\n", table);
	fprintf(f, sets, SET_SIZE, SET_SIZE, SET_SIZE, SET_SIZE, SET_SIZE, SET_SIZE, SET_SIZE,
	    SET_SIZE, SET_SIZE);
	fprintf(f, " chain from_guest { %s }\n chain to_guest { %s }\n", from, to);
	for (unsigned i = 2; i < ACTIVITY_CHAINS; i++)
		fprintf(f, " chain %s { }\n", activity_chains[i]);
	fprintf(f, "}\n");
	for (unsigned i = 0; i < ACTIVITY_CHAINS; i++)
		fprintf(f, "flush chain bridge %s %s\n", table, activity_chains[i]);
	fprintf(f, "table bridge %s {\n chain guest_sends { ", table);
	fprintf(f, sends, ACTIVITY_KEEP_S);
	fprintf(f, "}\n chain guest_gets { ");
	fprintf(f, gets, FLOW_KEEP_S, FLOW_KEEP_S, ACTIVITY_KEEP_S);
	fprintf(f, "}\n chain guest_marks { ");
	fprintf(f, marks, FLOW_OPENS_S, FLOW_OPENS_S, VM_PROBE_PORT_FIRST, VM_PROBE_PORT_LAST,
	    ACTIVITY_KEEP_S);
	fprintf(f, "}\n chain guest_ends { ");
	fprintf(f, ends, ACTIVITY_KEEP_S);
	fprintf(f, "}\n");
	base_chains(f);
	fprintf(f, "}\n");
	if (fclose(f) != 0)
		fatal("out of memory for the rules of a table");
	return commands;
}
