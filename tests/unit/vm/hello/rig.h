/*
 * rig: the other end of the hello image's link: builds frames for it, takes apart and
 * checks what it sends
 *
 * One image and one client at a time, in static memory. Time stands still until a test moves it.
 */
#ifndef HELLO_RIG_H
#define HELLO_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/hello/net.h"

#define RIG_FRAMES 512
#define RIG_NAME   "www"

struct rig_frame {
	uint8_t bytes[1600];
	size_t len;
};

/* The client's side of a TCP segment; the test sets what it wants to differ. */
struct rig_segment {
	uint16_t client_port, server_port;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window;
	uint16_t mss; /* in the option; 0 for none */
	const uint8_t *data;
	size_t len;
	bool bad_checksum;
};

enum { RIG_FIN = 1, RIG_SYN = 2, RIG_RST = 4, RIG_PSH = 8, RIG_ACK = 16 };

struct rig {
	struct config config;
	struct net net;
	uint64_t now_ms, deadline_ms;
	bool v6;                   /* which family rig_segment() uses */
	struct addr client, server;
	uint8_t client_mac[6], server_mac[6];
	struct rig_frame frames[RIG_FRAMES]; /* sent by the image, a ring */
	unsigned first, count;
	char report[256]; /* the last complaint */
};

extern struct rig rig;

/* A fresh image that has announced itself; what it sent then is left in the queue. */
void rig_boot(const char *cmdline);

/* The usual: both families, 10.77.0.10 and fd77::a:1, announcements thrown away. */
void rig_boot_usual(bool v6);

void rig_input(const uint8_t *frame, size_t len);

/* Moves time, running timers whenever they are due. */
void rig_advance(uint64_t ms);

/* The oldest frame that was not taken yet; NULL without one. */
const struct rig_frame *rig_take(void);
void rig_drop_all(void);

/* Builds and delivers an IP packet from the client, headers and checksums right. */
void rig_ip(uint8_t proto, const uint8_t *payload, size_t len);
/* The frame alone, to be damaged; proto's own checksum must be in the payload already. */
size_t rig_ip_frame(uint8_t *frame, uint8_t proto, const uint8_t *payload, size_t len);
uint16_t rig_checksum(const uint8_t *bytes, size_t len, uint32_t sum);
uint16_t rig_pseudo(uint8_t proto, const uint8_t *payload, size_t len);

size_t rig_segment_bytes(uint8_t *out, const struct rig_segment *s);
void rig_segment(const struct rig_segment *s);

/* Takes the next frame, which must be a TCP segment to the client with right checksums. */
struct rig_segment rig_expect_segment(void);
void rig_expect_silence(void);

/*
 * A three-way handshake on that port; returns what the client sends next: sequence numbers, window,
 * an ACK flag.
 */
struct rig_segment rig_connect(uint16_t client_port, uint32_t isn, uint16_t mss, uint16_t window);

/* Sends the text on the connection and moves its sequence number on. */
void rig_say(struct rig_segment *c, const char *text);

/*
 * Collects data segments in order and acknowledges each, until there are none; moves c on. A FIN is
 * acknowledged too; true when there was one.
 */
bool rig_listen(struct rig_segment *c, char *text, size_t cap);

#endif
