/* schedule: the timer of the next edge, and who is woken at it. */
#include "src/warden/schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "src/warden/wake.h"

struct schedule {
	int fd;                    /* CLOCK_REALTIME */
	struct event *edge;        /* fd is readable */
	struct event *soon;        /* units are looked at: */
	bool all;                  /* all of them; else */
	uint32_t one;              /* this one's number + 1; 0 = none */
	time_t next;               /* what fd is set to; 0 = nothing */
};

static bool
is_asleep(const struct unit *u)
{
	enum life_state s = life_state(&u->life);

	return s == LIFE_DORMANT || s == LIFE_FROZEN || s == LIFE_SAVED;
}

static void
arm(struct schedule *s, time_t at)
{
	struct itimerspec t = { .it_value.tv_sec = at };

	if (at == s->next)
		return;
	s->next = at;
	if (timerfd_settime(s->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, NULL) != 0)
		log_err("schedule: the timer cannot be set: %s", strerror(errno));
}

/* 0 = never. */
static time_t
sooner(time_t a, time_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Its hours have begun, or ended, or it has none any more. */
static void
cross(struct warden *w, struct unit *u, bool within)
{
	u->scheduled = within;
	u->schedule_off = false;
	if (life_state(&u->life) == LIFE_AWAKE)
		wake_policy_step(w, u);
}

/* It is within its hours: if it sleeps it is woken; when it is to be looked at again, 0 = never. */
static time_t
keep(struct warden *w, struct unit *u, time_t now)
{
	if (u->schedule_off || u->refused || !is_asleep(u))
		return 0;
	wake_asker(w, u, NULL);
	wake_request(w, u, LIFE_BY_SCHEDULE, 0);
	return is_asleep(u) ? now + LIMIT_SCHEDULE_RETRY_S : 0;
}

static void
look(struct warden *w)
{
	const struct config_schedule *s, *before = NULL;   /* units of an image share one */
	time_t now = time(NULL), next = 0, edge = 0;
	bool within = false;
	struct unit *u;

	UNIT_FOREACH(u, &w->units) {
		s = u->conf != NULL ? u->conf->policy.schedule : NULL;
		if (s != NULL && s != before)
			within = config_schedule_at(s, now, &edge);
		before = s;
		if (s == NULL && !u->scheduled)
			continue;
		within = within && s != NULL;
		if (within != u->scheduled)
			cross(w, u, within);
		if (within)
			next = sooner(next, keep(w, u, now));
		if (s != NULL)
			next = sooner(next, edge);
	}
	arm(w->schedule, next);
}

/* Its hours go on, of which the timer knows the end. */
static void
look_at(struct warden *w, struct unit *u)
{
	if (u != NULL && u->scheduled)
		arm(w->schedule, sooner(w->schedule->next, keep(w, u, time(NULL))));
}

static void
on_edge(evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct warden *w = arg;
	uint64_t n;

	/* Somebody has set the clock: ECANCELED. */
	if (read(fd, &n, sizeof(n)) < 0 && errno == ECANCELED)
		log_info("schedule: the clock was set; who is to be awake is looked at again");
	w->schedule->next = 0;
	if (!w->stopping)
		look(w);
}

static void
on_soon(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct warden *w = arg;
	struct schedule *s = w->schedule;
	bool all = s->all;
	uint32_t one = s->one;

	s->all = false;
	s->one = 0;
	if (w->stopping)
		return;
	if (all)
		look(w);
	else if (one != 0)
		look_at(w, unit_by_number(&w->units, one - 1));
}

/* Units are about to be woken, which is no part of the step that they are in. */
static void
soon(struct warden *w, uint32_t one)
{
	struct schedule *s = w->schedule;

	if (one == 0 || (s->one != 0 && s->one != one))
		s->all = true;
	s->one = one;
	event_active(s->soon, EV_TIMEOUT, 0);
}

void
schedule_start(struct warden *w)
{
	struct schedule *s = mem_zero(1, sizeof(*s));

	w->schedule = s;
	s->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->fd < 0)
		fatal("timer: %s", strerror(errno));
	s->edge = mem_must(event_new(w->base, s->fd, EV_READ | EV_PERSIST, on_edge, w));
	s->soon = mem_must(event_new(w->base, -1, 0, on_soon, w));
	if (event_add(s->edge, NULL) != 0)
		fatal("event loop: %s", err_str(ERR_NOMEM));
	schedule_review(w);
}

void
schedule_free(struct warden *w)
{
	if (w->schedule == NULL)
		return;
	event_free(w->schedule->edge);
	event_free(w->schedule->soon);
	close(w->schedule->fd);
	free(w->schedule);
	w->schedule = NULL;
}

void
schedule_review(struct warden *w)
{
	if (w->schedule != NULL)
		soon(w, 0);
}

void
schedule_changed(struct warden *w, struct unit *u, enum life_state to, enum life_why why)
{
	time_t again;

	if (!u->scheduled || w->schedule == NULL || w->stopping)
		return;
	if (to == LIFE_BOOTING)
		u->schedule_off = false;
	else if (why == LIFE_WHY_OPERATOR && to != LIFE_AWAKE)
		u->schedule_off = true;
	else if (is_asleep(u) && why != LIFE_WHY_REFUSED && why != LIFE_WHY_NEEDS)
		soon(w, u->number + 1);
	else if (is_asleep(u) && (again = time(NULL) + LIMIT_SCHEDULE_RETRY_S) < w->schedule->next)
		arm(w->schedule, again);
}

void
schedule_sleep(struct unit *u)
{
	u->schedule_off = u->scheduled;
}
