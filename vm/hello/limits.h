/* limits.h: every size and time that bounds the hello image, each with its reason */
#ifndef HELLO_LIMITS_H
#define HELLO_LIMITS_H

/* Command line. A unit's name is an owner name: 253 characters at most. */
#define LIMIT_NAME_CHARS    253
#define LIMIT_CMDLINE_BYTES 2048 /* Linux on x86 takes as much */

/* One line on the console: twice a name, addresses, and words. */
#define LIMIT_LINE_CHARS 640

/* Ethernet without offloads or jumbo frames. */
#define LIMIT_FRAME_BYTES 1514
#define LIMIT_IP_BYTES    1500

/* virtio-net: enough for a burst of 20 clients' handshakes; a power of two, QEMU allows 256. */
#define LIMIT_QUEUE_SLOTS 64
#define LIMIT_POLL_FRAMES 64 /* frames handled before timers have their turn */
#define LIMIT_BUSY_ROUNDS 64 /* of so many frames, before the machine itself has its turn */

/* Xen. The image reads paths and numbers; of longer messages the rest is skipped. */
#define LIMIT_XENSTORE_BODY 511
#define LIMIT_NETIF_RX      64 /* frames that can wait for us, a page each; a power of two */
#define LIMIT_NETIF_TX      64 /* frames that the backend may hold, two to a page */

/* TCP. One connection costs 9 KiB, the whole table 1.1 MiB: a 4 MiB guest holds it. */
#define LIMIT_TCP_CONNS         128
#define LIMIT_TCP_HALF_OPEN     64    /* a SYN flood leaves half of the table to real clients */
#define LIMIT_TCP_RX_BYTES      4096  /* the window; a request is seldom longer */
#define LIMIT_TCP_TX_BYTES      4096  /* below the initial congestion window of RFC 6928 */
#define LIMIT_TCP_RANGES        4     /* pieces out of order; beyond them the peer resends */
#define LIMIT_TCP_DISCARD_BYTES 65536 /* what a client may send after our FIN before a RST */
#define LIMIT_TCP_MSS4          1460
#define LIMIT_TCP_MSS6          1220 /* fits the least IPv6 MTU: no path MTU discovery needed */
#define LIMIT_TCP_MSS_LEAST     64   /* a smaller offer only serves to multiply packets */
#define LIMIT_TCP_RTO_FIRST_MS  1000 /* RFC 6298 section 2.1 */
#define LIMIT_TCP_RTO_LEAST_MS  200  /* as Linux; RFC 6298 would say 1 s */
#define LIMIT_TCP_RTO_MOST_MS   60000
#define LIMIT_TCP_SYN_RETRIES   5 /* about 30 s, as Linux */
#define LIMIT_TCP_RETRIES       10
#define LIMIT_TCP_CHALLENGE_MS  500 /* per connection, as Linux */
#define LIMIT_TCP_TIME_WAIT_MS  60000

/* HTTP. */
#define LIMIT_HTTP_LINE_CHARS  512   /* a longer target is 414; fields are compared up to here */
#define LIMIT_HTTP_HEAD_BYTES  16384 /* beyond that 431: cookies of a browser fit */
#define LIMIT_HTTP_REPLY_BYTES 2048  /* longest reply: twice the name and an address, with room */

/* IPv6: so long after boot another's claim to our address is a duplicate, which takes it away. */
#define LIMIT_DAD_MS 1000
/* RFC 5227 section 2.4: an address is defended once in ten seconds. */
#define LIMIT_ARP_DEFEND_MS 10000

#endif
