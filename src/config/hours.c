/* hours: windows of `schedule`, in the host's local time. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/config/config.h"

#define DAY_MIN (24 * 60)

/* Monday first, as in ISO 8601. */
static const char *const days[7] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

static bool
take_day(const char **p, unsigned *day)
{
	for (*day = 0; *day < 7; (*day)++)
		if (strncasecmp(*p, days[*day], 3) == 0) {
			*p += 3;
			return true;
		}
	return false;
}

/* HH:MM, 24:00 at most. */
static bool
take_time(const char **p, unsigned *min)
{
	const char *s = *p;

	for (unsigned i = 0; i < 5; i++)
		if (i == 2 ? s[i] != ':' : s[i] < '0' || s[i] > '9')
			return false;
	*min = (unsigned)((s[0] - '0') * 10 + s[1] - '0') * 60 +
	    (unsigned)((s[3] - '0') * 10 + s[4] - '0');
	*p += 5;
	return s[3] < '6' && *min <= DAY_MIN;
}

bool
option_parse_hours(const char *text, unsigned *first, unsigned *last, unsigned *begin_min,
    unsigned *end_min)
{
	const char *p = text;

	*first = 0;
	*last = 6;
	if (*p < '0' || *p > '9') {
		if (!take_day(&p, first))
			return false;
		*last = *first;
		if (*p == '-' && (p++, !take_day(&p, last)))
			return false;
		if (*p++ != ' ')
			return false;
	}
	if (!take_time(&p, begin_min) || *p++ != '-' || !take_time(&p, end_min) || *p != '\0' ||
	    *begin_min == *end_min || *begin_min == DAY_MIN)
		return false;
	if (*end_min < *begin_min)
		*end_min += DAY_MIN;
	return true;
}

const struct config_schedule *
config_schedule(struct arena *a, const char *const *items, unsigned n)
{
	struct config_schedule *s;

	if (n == 0)
		return NULL;
	s = arena_alloc(a, sizeof(*s) + n * sizeof(s->at[0]));
	/* The texts were checked when they were read. */
	for (unsigned i = 0; i < n && s->n < LIMIT_SCHEDULE; i++) {
		unsigned first, last, begin, end;

		if (option_parse_hours(items[i], &first, &last, &begin, &end))
			s->at[s->n++] = (struct config_hours){ (uint8_t)first, (uint8_t)last,
				(uint16_t)begin, (uint16_t)end };
	}
	return s;
}

void
config_hours_text(const struct config_hours *h, char text[CONFIG_HOURS_TEXT])
{
	unsigned end = h->end_min > DAY_MIN ? h->end_min - DAY_MIN : h->end_min;
	char on[12] = "";

	if (h->first != 0 || h->last != 6)
		snprintf(on, sizeof(on), "%s%s%s ", days[h->first], h->first != h->last ? "-" : "",
		    h->first != h->last ? days[h->last] : "");
	snprintf(text, CONFIG_HOURS_TEXT, "%s%02u:%02u-%02u:%02u", on, h->begin_min / 60,
	    h->begin_min % 60, end / 60, end % 60);
}

static bool
is_day(const struct config_hours *h, unsigned day)
{
	if (h->first <= h->last)
		return day >= h->first && day <= h->last;
	return day >= h->first || day <= h->last;
}

/* By the wall clock, whatever it was set to between midnight and then. */
static time_t
at_minute(const struct tm *today, int after, unsigned min)
{
	struct tm tm = { .tm_year = today->tm_year, .tm_mon = today->tm_mon,
		.tm_mday = today->tm_mday + after, .tm_hour = (int)(min / 60),
		.tm_min = (int)(min % 60), .tm_isdst = -1 };

	return mktime(&tm);
}

/*
 * Goes over all windows that begin from yesterday to the same day of the next week.  `from`: the
 * end of the one that reaches furthest of those that begin until then; or, when none does, *next,
 * the begin of the first after that.
 */
static time_t
reach(const struct config_schedule *s, const struct tm *today, time_t from, time_t *next)
{
	time_t furthest = from;

	*next = 0;
	/* What begins on a later day begins later. */
	for (int after = -1; after <= 8 && *next == 0; after++) {
		unsigned day = (unsigned)(today->tm_wday + 6 + 7 + after) % 7;

		for (unsigned i = 0; i < s->n; i++) {
			time_t begin, end;

			if (!is_day(&s->at[i], day))
				continue;
			begin = at_minute(today, after, s->at[i].begin_min);
			end = at_minute(today, after, s->at[i].end_min);
			if (begin <= from && end > furthest)
				furthest = end;
			if (begin > from && (*next == 0 || begin < *next))
				*next = begin;
		}
	}
	return furthest;
}

bool
config_schedule_at(const struct config_schedule *s, time_t now, time_t *edge)
{
	time_t end = now, further, next;
	struct tm today;

	tzset();
	if (localtime_r(&now, &today) == NULL) {
		*edge = 0;
		return false;
	}
	while ((further = reach(s, &today, end, &next)) > end)
		end = further;
	*edge = end > now ? end : next;
	return end > now;
}
