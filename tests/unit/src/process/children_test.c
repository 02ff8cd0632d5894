/*
 * children_test: a child that cannot be started, or not be watched, is tried again; nothing of it
 * is left; and what it said before its end is heard.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "src/process/children.h"

#define PATIENCE_MS 30000
#define LAST_WORDS 100         /* more than are read at once, and less than a socket takes */

static bool no_pidfd;
static unsigned heard;         /* messages */
static bool ended;

/* In place of libc's, for what children.c asks for: pidfd_open and pidfd_send_signal. */
long
syscall(long nr, ...)
{
	va_list ap;
	long a, b, c, d;
	long rc;

	va_start(ap, nr);
	a = va_arg(ap, long);
	b = va_arg(ap, long);
	c = va_arg(ap, long);
	d = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_pidfd_open && no_pidfd) {
		errno = EMFILE;
		return -1;
	}
#ifdef __x86_64__
	{
		register long r10 __asm__("r10") = d;

		__asm__ volatile("syscall"
				 : "=a"(rc)
				 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
				 : "rcx", "r11", "memory");
	}
#else
	(void)a, (void)b, (void)c, (void)d;
	rc = -ENOSYS;   /* the tests below fail there */
#endif
	if (rc < 0) {
		errno = (int)-rc;
		return -1;
	}
	return rc;
}

static const struct child_conf conf = { .empty_root = "/", .log_level = LOG_L_INFO };

static void
on_message(struct child *c, const struct msg *m, int *fds, unsigned nfds)
{
	(void)c;
	(void)m;
	heard++;
	chan_close_fds(fds, nfds);
}

static void
on_gone(struct child *c, const char *why)
{
	(void)c;
	(void)why;
	ended = true;
}

static const struct child_ops ops = { .message = on_message, .gone = on_gone };

static unsigned
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
no_processes(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Runs the loop until the child was started so often again, or it takes too long. */
static bool
spin(struct child *c, unsigned restarts)
{
	uint64_t end = clock_now_ms() + PATIENCE_MS;

	while (clock_now_ms() < end) {
		if (c->restarts >= restarts)
			return true;
		assert_int_not_equal(event_base_loop(c->base, EVLOOP_ONCE), -1);
	}
	return false;
}

static void
a_process_without_a_pidfd_is_not_left_behind(void **state)
{
	struct event_base *base = event_base_new();
	struct child c;
	struct errmsg m;
	unsigned before;

	(void)state;
	child_init(&c, ROLE_DNS, base, &conf, &ops, NULL);
	before = descriptors();
	no_pidfd = true;
	assert_int_not_equal(child_start(&c, &m), ERR_OK);
	no_pidfd = false;
	assert_non_null(strstr(m.text, "Too many open files"));
	assert_int_equal(c.pid, 0);
	assert_null(c.chan);
	assert_int_equal(descriptors(), before);
	no_processes();
	child_clear(&c);
	event_base_free(base);
}

/* It died; starting it anew fails for a while. */
static void
tried_again(void (*obstacle)(bool there))
{
	struct event_base *base = event_base_new();
	struct child c;
	struct errmsg m;
	pid_t first;

	child_init(&c, ROLE_DNS, base, &conf, &ops, NULL);
	assert_int_equal(child_start(&c, &m), ERR_OK);
	first = c.pid;
	obstacle(true);
	assert_int_equal(kill(first, SIGKILL), 0);
	assert_true(spin(&c, 3));
	assert_int_equal(c.pid, 0);
	no_processes();
	assert_in_range(c.backoff_ms, 8 * CHILD_BACKOFF_MIN_MS, CHILD_BACKOFF_MAX_MS);
	obstacle(false);
	assert_true(spin(&c, 4));
	assert_int_not_equal(c.pid, 0);
	assert_int_not_equal(c.pid, first);
	assert_non_null(c.chan);
	child_clear(&c);
	no_processes();
	event_base_free(base);
}

static void
without_pidfds(bool there)
{
	no_pidfd = there;
}

static void
without_descriptors(bool there)
{
	static struct rlimit rl;

	if (there)
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(
	    setrlimit(RLIMIT_NOFILE,
		&(struct rlimit){ .rlim_cur = there ? 3 : rl.rlim_cur, .rlim_max = rl.rlim_max }),
	    0);
}

static void
one_that_cannot_be_watched_is_tried_again(void **state)
{
	(void)state;
	tried_again(without_pidfds);
}

static void
one_that_cannot_be_started_is_tried_again(void **state)
{
	(void)state;
	tried_again(without_descriptors);
}

/* Descriptor 3 is its channel. */
static void
say_and_end(void)
{
	struct msg said = { .type = 0 };
	int fds[LIMIT_MSG_FDS];
	unsigned nfds;
	struct errmsg m;

	while (said.type != MSG_RUN)
		if (chan_recv_blocking(3, &said, fds, &nfds, &m) != ERR_OK)
			_exit(1);
	for (unsigned i = 0; i < LAST_WORDS; i++)
		if (chan_send_blocking(3, &(struct msg){ .type = MSG_COMPILING }, NULL, 0, &m) !=
		    ERR_OK)
			_exit(1);
	_exit(0);
}

static void
what_was_said_before_the_end_is_heard(void **state)
{
	struct event_base *base = event_base_new();
	struct child c;
	struct errmsg m;

	(void)state;
	child_init(&c, ROLE_ZONES, base, &conf, &ops, NULL);
	heard = 0;
	ended = false;
	assert_int_equal(child_start(&c, &m), ERR_OK);
	assert_int_equal(waitid(P_PID, (id_t)c.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	while (!ended)
		assert_int_not_equal(event_base_loop(base, EVLOOP_ONCE), -1);
	assert_int_equal(heard, LAST_WORDS);
	child_clear(&c);
	no_processes();
	event_base_free(base);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_without_a_pidfd_is_not_left_behind),
		cmocka_unit_test(one_that_cannot_be_watched_is_tried_again),
		cmocka_unit_test(one_that_cannot_be_started_is_tried_again),
		cmocka_unit_test(what_was_said_before_the_end_is_heard),
	};

	/* We are the child. */
	if (argc == 1 && strcmp(argv[0], "jitsud: zones") == 0)
		say_and_end();
	if (argc == 1 && strncmp(argv[0], "jitsud: ", 8) == 0)
		for (;;)
			pause();
	log_init("test", 1, LOG_L_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
