/* err_test: phrases, messages, reports and escaping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"

static void
test_phrases(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_COUNT; i++) {
		assert_non_null(err_str((enum err)i));
		assert_true(strlen(err_str((enum err)i)) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(err_str((enum err)i), err_str((enum err)j));
	}
	assert_string_equal(err_str(ERR_COUNT), "unknown error");
	assert_string_equal(err_str((enum err)-1), "unknown error");
}

static void
test_set(void **state)
{
	struct errmsg m;
	char longer[3000];

	(void)state;
	assert_int_equal(err_set(&m, ERR_RANGE, "port %d", 70000), ERR_RANGE);
	assert_string_equal(m.text, "port 70000");
	assert_int_equal(err_set(NULL, ERR_RANGE, "port %d", 70000), ERR_RANGE);
	/* One line that a terminal cannot be tricked with. */
	err_set(&m, ERR_PARSE, "'%s'", "a\nb\x1b[2J\x7f\xc3\\");
	assert_string_equal(m.text, "'a\\012b\\033[2J\\177\\303\\'");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&m, ERR_PARSE, "%s", longer);
	assert_in_range(strlen(m.text), sizeof(m.text) - 8, sizeof(m.text) - 1);
}

static void
test_sys(void **state)
{
	static const struct {
		int number;
		enum err e;
	} rows[] = { { ENOENT, ERR_IO }, { ENOMEM, ERR_NOMEM }, { EPERM, ERR_PERM },
		{ EACCES, ERR_PERM }, { EAGAIN, ERR_IO } };
	struct errmsg m;
	char want[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		errno = rows[i].number;
		assert_int_equal(err_sys(&m, "open %s", "f"), rows[i].e);
		assert_int_equal(errno, rows[i].number);
		snprintf(want, sizeof(want), "open f: %s", strerror(rows[i].number));
		assert_string_equal(m.text, want);
		assert_int_equal(err_sys(NULL, "open"), rows[i].e);
	}
}

static void
test_report(void **state)
{
	struct report r;
	char line[256];

	(void)state;
	report_init(&r);
	assert_int_equal(report_add(&r, "a.conf", 3, "bad '%s'", "x\ty"), ERR_PARSE);
	assert_int_equal(report_add(&r, "a.conf", 0, "whole file"), ERR_PARSE);
	assert_int_equal(report_add(&r, NULL, 7, "nowhere"), ERR_PARSE);
	assert_int_equal(r.nlines, 3);
	report_format(&r, 0, line, sizeof(line));
	assert_string_equal(line, "a.conf:3: bad 'x\\011y'");
	report_format(&r, 1, line, sizeof(line));
	assert_string_equal(line, "a.conf: whole file");
	report_format(&r, 2, line, sizeof(line));
	assert_string_equal(line, "nowhere");
	report_warn(&r, "a.conf", 4, "odd '%s'", "x\ty");
	assert_int_equal(r.nerrors, 3);
	report_format(&r, 3, line, sizeof(line));
	assert_string_equal(line, "a.conf:4: warning: odd 'x\\011y'");
	for (unsigned i = 0; i < 2 * LIMIT_REPORT_LINES; i++)
		assert_int_equal(report_add(&r, "b", i, "again"), ERR_PARSE);
	assert_int_equal(r.nlines, LIMIT_REPORT_LINES);
	assert_int_equal(r.nerrors, 3 + 2 * LIMIT_REPORT_LINES);
	report_clear(&r);
	assert_int_equal(r.nlines, 0);
	assert_int_equal(r.nerrors, 0);
	report_clear(&r);
}

/* Warnings are no errors, and leave room for these. */
static void
test_warnings(void **state)
{
	struct report r;
	char line[256];

	(void)state;
	report_init(&r);
	for (unsigned i = 0; i < 2 * LIMIT_REPORT_WARNINGS; i++)
		report_warn(&r, "z", 7, "odd %u", i);
	assert_int_equal(r.nlines, LIMIT_REPORT_WARNINGS);
	assert_int_equal(r.nwarnings, 2 * LIMIT_REPORT_WARNINGS);
	assert_int_equal(r.nerrors + report_errors_left_out(&r), 0);
	report_format(&r, 1, line, sizeof(line));
	assert_string_equal(line, "z:7: warning: odd 1");
	for (unsigned i = 0; i < LIMIT_REPORT_LINES; i++)
		assert_int_equal(report_add(&r, "b", i, "bad"), ERR_PARSE);
	assert_int_equal(report_errors_left_out(&r), LIMIT_REPORT_WARNINGS);
	report_clear(&r);
}

static void
test_escape(void **state)
{
	char out[16];

	(void)state;
	text_escape(out, sizeof(out), "a\\b\0c", 5);
	assert_string_equal(out, "a\\134b\\000c");
	/* Cut between characters, never inside an escape, and never beyond the end. */
	for (size_t size = 1; size <= sizeof(out); size++) {
		memset(out, 0x55, sizeof(out));
		text_escape(out, size, "\1\2\3\4\5\6\7", 7);
		assert_true(memchr(out, '\0', size) != NULL);
		assert_int_equal(strlen(out) % 4, 0);
		for (size_t i = size; i < sizeof(out); i++)
			assert_int_equal(out[i], 0x55);
	}
	memset(out, 0x55, sizeof(out));
	text_escape(out, 0, "x", 1);
	assert_int_equal(out[0], 0x55);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phrases),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_sys),
		cmocka_unit_test(test_report), cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
