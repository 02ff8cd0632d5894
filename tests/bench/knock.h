/*
 * knock: SYNs to port 80 of a guest, from a packet socket on its bridge, until the first SYN-ACK;
 * for programs that measure a boot without jitsud.  What fails ends the program with a message.
 */
#ifndef BENCH_KNOCK_H
#define BENCH_KNOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS 1000000ll
#define NS_PER_S 1000000000ll
#define KNOCK_GIVE_UP_S 60

int64_t now_ns(void);
/* The Internet checksum (RFC 1071): sums of 16 bits, and what a header has of their sum. */
uint32_t sum16(const void *data, size_t len, uint32_t sum);
uint16_t fold(uint32_t sum);

/* A guest to knock at: the SYN. */
struct knock_to {
	uint8_t frame[54];
};

/* Opens the socket; SYNs come from the bridge's MAC and `source`.  Addresses as text. */
void knock_open(const char *bridge, const char *source);
void knock_to(struct knock_to *to, const char *guest_mac, const char *guest);
/* Sends the SYN once; a full queue loses it. */
void knock_send(const struct knock_to *to);
/* Waits at most so long for frames, and calls `heard` for each SYN-ACK of one of the n guests. */
void knock_hear(int64_t wait_ns, const void *guests, size_t stride, unsigned n,
    void (*heard)(const struct knock_to *to, void *arg), void *arg);

/* For one guest: opens the socket and builds the SYN. */
void knock_init(const char *bridge, const char *guest_mac, const char *guest, const char *source);

/*
 * From start_ns on, one SYN each interval_ns; false when no SYN-ACK came within KNOCK_GIVE_UP_S.
 * between() is called after each SYN and frame, and returns the interval from then on.
 */
bool knock(int64_t start_ns, int64_t interval_ns, int64_t (*between)(void *arg), void *arg);

#endif
