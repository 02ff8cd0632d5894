/* timer: libevent's timers, by milliseconds; lack of memory is fatal. */
#ifndef SRC_WARDEN_TIMER_H
#define SRC_WARDEN_TIMER_H

#include <stdint.h>

#include <event2/event.h>

/* Makes a timer due in so many milliseconds, anew if it is pending. */
void timer_arm(struct event *timer, uint64_t ms);
/* Calls `fn` once, in so many milliseconds. */
void timer_once(struct event_base *base, uint64_t ms, event_callback_fn fn, void *arg);

#endif
