/* flood: kinds, units, and the window in which both are counted. */
#include "src/process/flood.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/table.h"

struct kind {
	char text[FLOOD_KIND_TEXT];
	unsigned said, over;
	uint32_t unit;            /* of what was left out */
	bool units;               /* ... of more than one */
};

/* How often a kind was said of one unit. */
struct count {
	struct about {
		uint32_t unit, kind;
	} about;
	unsigned said;
};

struct flood {
	struct event *timer;      /* pending while something was left out */
	flood_tell_cb tell;
	void *arg;
	unsigned window_ms;
	uint64_t since_ms;
	unsigned nkinds, ncounts;
	struct kind kinds[LIMIT_FLOOD_KINDS];
	struct count counts[LIMIT_FLOOD_COUNTS];
	struct table by_unit;     /* the counts by what they are about */
};

_Static_assert(sizeof(struct about) == 2 * sizeof(uint32_t), "a key has no bytes between");

/* Ends the window: everything may be said again. */
static void
window_end(struct flood *f)
{
	unsigned n = f->nkinds;

	(void)evtimer_del(f->timer);   /* fails only for an event that was never made */
	f->nkinds = f->ncounts = 0;
	table_clear(&f->by_unit);
	f->since_ms = clock_now_ms();
	for (unsigned i = 0; i < n; i++)
		if (f->kinds[i].over > 0)
			f->tell(f->kinds[i].text, f->kinds[i].over,
			    f->kinds[i].units ? FLOOD_NO_UNIT : f->kinds[i].unit, f->arg);
}

static void
on_window(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	window_end(arg);
}

struct flood *
flood_new(struct event_base *base, unsigned window_ms, flood_tell_cb tell, void *arg)
{
	struct flood *f = mem_zero(1, sizeof(*f));

	f->timer = mem_must(evtimer_new(base, on_window, f));
	f->tell = tell;
	f->arg = arg;
	f->window_ms = window_ms;
	f->since_ms = clock_now_ms();
	return f;
}

void
flood_free(struct flood *f)
{
	if (f == NULL)
		return;
	window_end(f);
	event_free(f->timer);
	free(f);
}

/* The last place is for the kinds that found none. */
static unsigned
kind_find(struct flood *f, const char *text)
{
	struct kind *k;
	unsigned i;

	for (i = 0; i < f->nkinds; i++)
		if (strncmp(f->kinds[i].text, text, FLOOD_KIND_TEXT - 1) == 0)
			return i;
	if (i == LIMIT_FLOOD_KINDS)
		return i - 1;
	k = &f->kinds[f->nkinds++];
	memset(k, 0, sizeof(*k));
	snprintf(
	    k->text, sizeof(k->text), "%s", i == LIMIT_FLOOD_KINDS - 1 ? "other things" : text);
	return i;
}

/* NULL: too many units were spoken of; for this one the kind's own bound must do. */
static struct count *
count_find(struct flood *f, uint32_t unit, unsigned kind)
{
	struct about about = { unit, kind };
	struct count *c = table_find(&f->by_unit, &about, sizeof(about));

	if (c != NULL || f->ncounts == LIMIT_FLOOD_COUNTS)
		return c;
	c = &f->counts[f->ncounts++];
	*c = (struct count){ .about = about };
	table_set(&f->by_unit, &c->about, sizeof(c->about), c);
	return c;
}

static void
left_out(struct flood *f, struct kind *k, uint32_t unit)
{
	uint64_t now = clock_now_ms(), end = f->since_ms + f->window_ms;
	uint64_t left = end > now ? end - now : 0;
	struct timeval tv = { .tv_sec = (time_t)(left / 1000),
		.tv_usec = (suseconds_t)(left % 1000 * 1000) };

	if (k->over++ == 0)
		k->unit = unit;
	else if (k->unit != unit)
		k->units = true;
	if (!evtimer_pending(f->timer, NULL))
		/* without memory for it the next line ends the window */
		(void)evtimer_add(f->timer, &tv);
}

bool
flood_pass(struct flood *f, uint32_t unit, const char *kind, unsigned most)
{
	struct count *c = NULL;
	struct kind *k;
	unsigned i;

	if (f == NULL)
		return true;
	if (clock_now_ms() - f->since_ms >= f->window_ms)
		window_end(f);
	i = kind_find(f, kind);
	k = &f->kinds[i];
	if (unit != FLOOD_NO_UNIT)
		c = count_find(f, unit, i);
	if (k->said >= most || (c != NULL && c->said >= LIMIT_FLOOD_UNIT)) {
		left_out(f, k, unit);
		return false;
	}
	k->said++;
	if (c != NULL)
		c->said++;
	return true;
}
