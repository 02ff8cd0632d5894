/* hours_test: windows of `schedule`: what is accepted, and when they begin and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "src/config/config.h"

static void
what_is_accepted(void **state)
{
	static const struct {
		const char *text;
		unsigned first, last, begin, end;
		const char *back;
	} good[] = {
		{ "mon-fri 08:00-18:00", 0, 4, 480, 1080, NULL },
		{ "Sat 10:30-24:00", 5, 5, 630, 1440, "sat 10:30-24:00" },
		{ "00:00-24:00", 0, 6, 0, 1440, NULL },
		{ "22:00-06:00", 0, 6, 1320, 1800, NULL },
		{ "fri-mon 23:59-00:00", 4, 0, 1439, 1440, "fri-mon 23:59-24:00" },
		{ "mon-sun 01:00-02:00", 0, 6, 60, 120, "01:00-02:00" },
	};
	static const char *const bad[] = { "", "mon-fri", "08:00", "8:00-18:00", "08:00-18",
		"mon 08:00-08:00", "08:60-09:00", "24:00-01:00", "25:00-26:00", "08:00-24:01",
		"mon-fri  08:00-18:00", "mon,tue 08:00-18:00", "monday 08:00-18:00",
		"08:00 - 18:00",
		"fry 08:00-18:00", "mon-fri-sat 08:00-18:00", "08:00-18:00 ", "mon- 08:00-18:00",
		"m" };
	struct arena a = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct config_schedule *s;
		char text[CONFIG_HOURS_TEXT];
		unsigned v[4];

		assert_true(option_parse_hours(good[i].text, &v[0], &v[1], &v[2], &v[3]));
		assert_int_equal(v[0], good[i].first);
		assert_int_equal(v[1], good[i].last);
		assert_int_equal(v[2], good[i].begin);
		assert_int_equal(v[3], good[i].end);
		s = config_schedule(&a, &good[i].text, 1);
		assert_int_equal(s->n, 1);
		config_hours_text(&s->at[0], text);
		assert_string_equal(text, good[i].back != NULL ? good[i].back : good[i].text);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned v[4];

		if (option_parse_hours(bad[i], &v[0], &v[1], &v[2], &v[3]))
			fail_msg("\"%s\" is accepted", bad[i]);
	}
	assert_null(config_schedule(&a, NULL, 0));
	arena_clear(&a);
}

/* A time of Central Europe's clocks. */
static time_t
at(int year, int month, int day, int hour, int min)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day,
		.tm_hour = hour, .tm_min = min, .tm_isdst = -1 };

	return mktime(&tm);
}

struct edge {
	bool within;
	time_t at;
};

static struct edge
edge_of(time_t now, const char *a, const char *b)
{
	const char *items[] = { a, b };
	struct arena arena = { 0 };
	struct edge e;

	e.within = config_schedule_at(
	    config_schedule(&arena, items, b != NULL ? 2 : 1), now, &e.at);
	arena_clear(&arena);
	return e;
}

#define EDGE(now, a, b, inside, then) do { \
	struct edge e_ = edge_of(now, a, b); \
	assert_int_equal(e_.within, inside); \
	assert_int_equal(e_.at, then); \
} while (0)

/* 2026-12-04 is a Friday. */
static void
begins_and_ends(void **state)
{
	const char *work = "mon-fri 08:00-18:00", *night = "22:00-06:00";

	(void)state;
	EDGE(at(2026, 12, 4, 7, 59), work, NULL, false, at(2026, 12, 4, 8, 0));
	EDGE(at(2026, 12, 4, 8, 0), work, NULL, true, at(2026, 12, 4, 18, 0));
	EDGE(at(2026, 12, 4, 17, 59), work, NULL, true, at(2026, 12, 4, 18, 0));
	/* Over the weekend, and over the end of a year. */
	EDGE(at(2026, 12, 4, 18, 0), work, NULL, false, at(2026, 12, 7, 8, 0));
	EDGE(at(2026, 12, 31, 18, 0), work, NULL, false, at(2027, 1, 1, 8, 0));
	/* Over midnight, of yesterday, too. */
	EDGE(at(2026, 12, 4, 23, 0), night, NULL, true, at(2026, 12, 5, 6, 0));
	EDGE(at(2026, 12, 5, 5, 0), night, NULL, true, at(2026, 12, 5, 6, 0));
	EDGE(at(2026, 12, 5, 6, 0), night, NULL, false, at(2026, 12, 5, 22, 0));
	EDGE(at(2026, 12, 5, 0, 30), "fri 22:00-06:00", NULL, true, at(2026, 12, 5, 6, 0));
	EDGE(at(2026, 12, 6, 0, 30), "fri 22:00-06:00", NULL, false, at(2026, 12, 11, 22, 0));
	/* Two that meet are one; two that do not are two. */
	EDGE(at(2026, 12, 4, 9, 0), work, "17:00-20:00", true, at(2026, 12, 4, 20, 0));
	EDGE(at(2026, 12, 4, 9, 0), "08:00-12:00", "12:00-13:00", true, at(2026, 12, 4, 13, 0));
	EDGE(at(2026, 12, 4, 9, 0), "08:00-12:00", "13:00-14:00", true, at(2026, 12, 4, 12, 0));
	/* A week is looked ahead. */
	EDGE(at(2026, 12, 4, 18, 30), "fri 08:00-18:00", NULL, false, at(2026, 12, 11, 8, 0));
	assert_true(edge_of(at(2026, 12, 4, 9, 0), "00:00-24:00", NULL).within);
	assert_true(edge_of(at(2026, 12, 4, 9, 0), "00:00-24:00", NULL).at >
	    at(2026, 12, 6, 0, 0));
}

/* The hours are the wall clock's: on 2026-03-29 and 2026-10-25 it is set. */
static void
when_the_clock_is_set(void **state)
{
	(void)state;
	EDGE(at(2026, 3, 28, 23, 0), "22:00-06:00", NULL, true, at(2026, 3, 29, 6, 0));
	assert_int_equal(at(2026, 3, 29, 6, 0) - at(2026, 3, 28, 22, 0), 7 * 3600);
	EDGE(at(2026, 10, 24, 23, 0), "22:00-06:00", NULL, true, at(2026, 10, 25, 6, 0));
	assert_int_equal(at(2026, 10, 25, 6, 0) - at(2026, 10, 24, 22, 0), 9 * 3600);
	EDGE(at(2026, 3, 29, 0, 0), "08:00-18:00", NULL, false, at(2026, 3, 29, 8, 0));
	/* A time that is left out is an hour later. */
	EDGE(at(2026, 3, 29, 1, 0), "02:30-04:00", NULL, false, at(2026, 3, 29, 3, 30));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_accepted),
		cmocka_unit_test(begins_and_ends),
		cmocka_unit_test(when_the_clock_is_set),
	};

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
