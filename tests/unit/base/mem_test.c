/* mem_test: memory that is there, and the end when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static void
test_arrays_grow(void **state)
{
	size_t room = 0;
	int *a = NULL;

	(void)state;
	for (size_t n = 0; n < 1000; n++) {
		a = mem_room(a, n, &room, sizeof(*a));
		assert_true(room > n);
		a[n] = (int)n;
	}
	for (int n = 0; n < 1000; n++)
		assert_int_equal(a[n], n);
	assert_true(room < 1600);
	free(a);
}

static void
test_copies(void **state)
{
	char *text = mem_text("boot"), *copy = mem_copy("abc", 2), *empty = mem_copy(NULL, 0);
	char *line = mem_format("%s-%d", text, 7);
	int *zero = mem_zero(3, sizeof(*zero)), *none = mem_zero(0, sizeof(*none));

	(void)state;
	assert_string_equal(text, "boot");
	assert_memory_equal(copy, "ab", 2);
	assert_string_equal(line, "boot-7");
	assert_int_equal(zero[0] | zero[1] | zero[2], 0);
	assert_non_null(none);
	assert_ptr_equal(mem_must(line), line);
	free(text);
	free(copy);
	free(empty);
	free(line);
	free(zero);
	free(none);
}

/* The exit status of a child that asks for more than there is, or than can be counted. */
static int
status_of(size_t n, size_t size)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)close(2);
		free(mem_resize(NULL, n, size));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_lack_is_the_end(void **state)
{
	(void)state;
	assert_int_equal(status_of(4, 8), 0);
	assert_int_equal(status_of(SIZE_MAX / 4, 8), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arrays_grow),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_lack_is_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
