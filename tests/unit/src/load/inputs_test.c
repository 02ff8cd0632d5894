/* inputs_test: files that a zone was read from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/load/inputs.h"

/* Waits until what was written is no longer racy; nothing tells when but the clock. */
static void
let_it_age(void)
{
	const struct timespec ts = { .tv_sec = 3, .tv_nsec = 100000000 };

	(void)nanosleep(&ts, NULL);
}

/* As if it had been written so many seconds from now. */
static void
date_file(int fd, int seconds)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &times[1]), 0);
	times[1].tv_sec += seconds;
	assert_int_equal(futimens(fd, times), 0);
}

static void
append(const char *path)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	fputs("x", f);
	assert_int_equal(fclose(f), 0);
}

static void
changes_show(void **state)
{
	char a[] = "/tmp/jitsu-inputs-XXXXXX", b[] = "/tmp/jitsu-inputs-XXXXXX";
	struct inputs in = { .rows = NULL }, moved = { .rows = NULL };
	int fa = mkstemp(a), fb = mkstemp(b);

	(void)state;
	assert_true(fa >= 0 && fb >= 0);
	assert_false(inputs_unchanged(&in));
	/* just written, however long we take: a second write might not show */
	date_file(fa, 60);
	assert_int_equal(inputs_add(&in, a, fa), ERR_OK);
	assert_false(inputs_unchanged(&in));
	inputs_clear(&in);
	date_file(fa, 0);
	let_it_age();
	assert_int_equal(inputs_add(&in, a, fa), ERR_OK);
	assert_int_equal(inputs_add(&in, b, fb), ERR_OK);
	assert_true(inputs_unchanged(&in));
	inputs_move(&moved, &in);
	assert_false(inputs_unchanged(&in));
	assert_true(inputs_unchanged(&moved));
	append(b);
	assert_false(inputs_unchanged(&moved));
	inputs_clear(&moved);
	/* another file of that name */
	assert_int_equal(inputs_add(&in, a, fa), ERR_OK);
	assert_true(inputs_unchanged(&in));
	assert_int_equal(rename(b, a), 0);
	assert_false(inputs_unchanged(&in));
	assert_int_equal(unlink(a), 0);
	assert_false(inputs_unchanged(&in));
	inputs_clear(&in);
	close(fa);
	close(fb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(changes_show) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
