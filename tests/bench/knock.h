/*
 * knock: SYNs to port 80 of a guest, from a packet socket on its bridge, until the first SYN-ACK;
 * for programs that measure a boot without jitsud.  What fails ends the program with a message.
 */
#ifndef BENCH_KNOCK_H
#define BENCH_KNOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_MS 1000000ll
#define NS_PER_S 1000000000ll
#define KNOCK_GIVE_UP_S 60

int64_t now_ns(void);

/* Opens the socket and builds the SYN; addresses as text. */
void knock_init(const char *bridge, const char *guest_mac, const char *guest, const char *source);

/*
 * From start_ns on, one SYN each interval_ns; false when no SYN-ACK came within KNOCK_GIVE_UP_S.
 * between() is called after each SYN and frame, and returns the interval from then on.
 */
bool knock(int64_t start_ns, int64_t interval_ns, int64_t (*between)(void *arg), void *arg);

#endif
