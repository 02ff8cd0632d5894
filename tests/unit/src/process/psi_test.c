/*
 * psi_test: a kernel that tells of memory pressure takes the trigger, and says nothing without
 * cause; one that does not is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/event.h>

#include "src/process/psi.h"

static void
count(void *arg)
{
	++*(unsigned *)arg;
}

static void
the_kernel_takes_the_trigger(void **state)
{
	struct event_base *base = event_base_new();
	static const struct timeval moment = { 0, 1000 };
	struct errmsg m = { "" };
	struct psi *psi = NULL;
	unsigned told = 0;
	enum err e;

	(void)state;
	assert_non_null(base);
	/* a task stalls for two whole seconds: not even a busy machine does that */
	e = psi_new(base, PSI_MEMORY, 100, count, &told, &psi, &m);
	if (e == ERR_UNSUPPORTED) {
		event_base_free(base);
		print_message("skipped: %s\n", m.text);
		skip();
	}
	assert_int_equal(e, ERR_OK);
	assert_int_equal(event_base_loopexit(base, &moment), 0);
	assert_int_equal(event_base_dispatch(base), 0);
	assert_int_equal(told, 0);
	psi_free(psi);
	event_base_free(base);
}

static void
what_is_no_such_file_is_named(void **state)
{
	char path[] = "/tmp/psi_test.XXXXXX";
	struct event_base *base = event_base_new();
	struct errmsg m = { "" };
	struct psi *psi = (struct psi *)1;
	int fd;

	(void)state;
	assert_non_null(base);
	assert_int_equal(psi_new(base, "/proc/pressure/none", 10, count, NULL, &psi, &m),
	    ERR_UNSUPPORTED);
	assert_null(psi);
	assert_non_null(strstr(m.text, "/proc/pressure/none"));
	/* a file of another kind takes the text, and has no events */
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_not_equal(psi_new(base, path, 10, count, NULL, &psi, &m), ERR_OK);
	assert_null(psi);
	assert_non_null(strstr(m.text, path));
	unlink(path);
	psi_free(NULL);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_takes_the_trigger),
		cmocka_unit_test(what_is_no_such_file_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
