/*
 * crash_test: a process that breaks off says where, in whatever way and wherever, and ends by the
 * same signal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/thread.h"

static volatile uintptr_t nowhere;

static void
write_nowhere(void)
{
	*(volatile int *)nowhere = 1;
}

static void
call_nowhere(void)
{
	((void (*)(void))nowhere)();
}

static void
kill_itself(void)
{
	(void)raise(SIGSEGV);
}

static int
recurse(int n)
{
	volatile char room[4096];

	room[0] = (char)n;
	return n == 0 ? room[0] : recurse(n + 1) + room[0];
}

static void
use_up_the_stack(void)
{
	(void)recurse(1);
}

static void
break_heap(void)
{
	char *volatile first = malloc(32), *volatile again = first;

	free(first);
	free(again);
}

static void *
in_thread(void *arg)
{
	((void (*)(void))arg)();
	return NULL;
}

static void (*inner)(void);

static void
by_a_thread(void)
{
	pthread_t t;

	if (thread_start(&t, in_thread, (void *)inner) == 0)
		pthread_join(t, NULL);
}

static void
confined(void)
{
	struct errmsg m;

	if (sandbox_filter(NULL, 0, &m) == ERR_OK)
		inner();
}

static void
tell(const char *line)
{
	if (strstr(line, "crashed") != NULL && write(STDERR_FILENO, "TOLD\n", 5) < 0)
		_exit(3);
}

/* What a child says that does `f`; it must end by the signal. */
static void
crash(void (*f)(void), int number, char *said, size_t size)
{
	size_t used = 0;
	ssize_t n;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0, 0 }, small = { 512 * 1024, 512 * 1024 };
		static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			(void)signal(numbers[i], SIG_DFL);   /* the test library's */
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)setrlimit(RLIMIT_STACK, &small);
		(void)dup2(fds[1], STDERR_FILENO);
		log_init("test", 1, LOG_L_INFO);
		crash_tell(tell);
		f();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], said + used, size - 1 - used)) > 0)
		used += (size_t)n;
	said[used] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	print_message("%s", said);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), number);
}

static void
looks_right(const char *said, const char *name)
{
	char begin[64];
	const char *build;

	snprintf(begin, sizeof(begin), "test: error: crashed: %s", name);
	said = strstr(said, begin);
	assert_non_null(said);
	build = strstr(said, "build ");
	assert_non_null(build);
	assert_int_equal(strspn(build + 6, "0123456789abcdef"), 40);
	assert_non_null(strstr(said, "test: error: crashed: called from "));
	assert_non_null(strstr(said, " crash_test+0x"));
	assert_non_null(strstr(said, "TOLD\n"));
}

#ifdef JITSU_SAN
#define SKIP_SAN() skip()      /* a sanitizer says where itself */
#else
#define SKIP_SAN() (void)0
#endif

static void
a_bad_pointer(void **state)
{
	char said[16384];

	(void)state;
	SKIP_SAN();
	crash(write_nowhere, SIGSEGV, said, sizeof(said));
	looks_right(said, "SIGSEGV at address 0x0 in crash_test+0x");
	nowhere = 0x1234;
	crash(write_nowhere, SIGSEGV, said, sizeof(said));
	looks_right(said, "SIGSEGV at address 0x1234 in crash_test+0x");
	nowhere = 0;
}

/* The frames cannot be walked from there, but who called is on the stack. */
static void
a_call_to_nowhere(void **state)
{
	char said[16384];

	(void)state;
	SKIP_SAN();
	crash(call_nowhere, SIGSEGV, said, sizeof(said));
	assert_non_null(
	    strstr(said, "test: error: crashed: SIGSEGV at address 0x0 in 0x0, build "));
	assert_non_null(strstr(said, "crash_test+0x"));
}

static void
a_signal_that_was_sent(void **state)
{
	char said[16384];

	(void)state;
	SKIP_SAN();
	crash(kill_itself, SIGSEGV, said, sizeof(said));
	looks_right(said, "SIGSEGV in ");
	crash(abort, SIGABRT, said, sizeof(said));
	looks_right(said, "SIGABRT in ");
	crash(break_heap, SIGABRT, said, sizeof(said));
	looks_right(said, "SIGABRT in ");
}

static void
a_stack_that_is_used_up(void **state)
{
	char said[16384];

	(void)state;
	SKIP_SAN();
	crash(use_up_the_stack, SIGSEGV, said, sizeof(said));
	looks_right(said, "SIGSEGV at address ");
	inner = use_up_the_stack;
	crash(by_a_thread, SIGSEGV, said, sizeof(said));
	looks_right(said, "SIGSEGV at address ");
}

static void
a_thread(void **state)
{
	char said[16384];

	(void)state;
	SKIP_SAN();
	inner = write_nowhere;
	crash(by_a_thread, SIGSEGV, said, sizeof(said));
	looks_right(said, "SIGSEGV at address 0x0");
	inner = abort;
	crash(by_a_thread, SIGABRT, said, sizeof(said));
	looks_right(said, "SIGABRT");
}

static void
within_a_seccomp_filter(void **state)
{
	void (*const all[])(void) = {
		write_nowhere, kill_itself, use_up_the_stack, abort, break_heap
	};
	char said[16384];

	(void)state;
	SKIP_SAN();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		inner = all[i];
		crash(confined, i < 3 ? SIGSEGV : SIGABRT, said, sizeof(said));
		looks_right(said, i < 3 ? "SIGSEGV" : "SIGABRT");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_pointer),
		cmocka_unit_test(a_call_to_nowhere),
		cmocka_unit_test(a_signal_that_was_sent),
		cmocka_unit_test(a_stack_that_is_used_up),
		cmocka_unit_test(a_thread),
		cmocka_unit_test(within_a_seccomp_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
