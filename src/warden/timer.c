/* timer: timers by milliseconds. */
#include "src/warden/timer.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

static struct timeval
timeval_of(uint64_t ms)
{
	return (struct timeval){ .tv_sec = (time_t)(ms / MS_PER_S),
		.tv_usec = (suseconds_t)(ms % MS_PER_S * 1000) };
}

void
timer_arm(struct event *timer, uint64_t ms)
{
	const struct timeval tv = timeval_of(ms);

	if (event_add(timer, &tv) != 0)
		fatal("event loop: %s", err_str(ERR_NOMEM));
}

void
timer_once(struct event_base *base, uint64_t ms, event_callback_fn fn, void *arg)
{
	const struct timeval tv = timeval_of(ms);

	if (event_base_once(base, -1, EV_TIMEOUT, fn, arg, &tv) != 0)
		fatal("event loop: %s", err_str(ERR_NOMEM));
}
