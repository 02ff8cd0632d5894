/*
 * rate: how often something may happen, for all threads together (the generic cell rate algorithm:
 * one number, one compare-and-swap).
 *
 * `per_minute` may happen at once after a quiet minute, and evenly from then on.
 */
#ifndef DNS_SERVER_RATE_H
#define DNS_SERVER_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rate {
	_Atomic uint64_t due_ns;       /* when all that happened so far is paid for */
	_Atomic uint32_t per_minute;   /* 0 = no limit */
};

/* True: it may happen, and is counted.  `now_ns` is monotonic; threads may differ a little. */
bool rate_take(struct rate *r, uint64_t now_ns);

#endif
