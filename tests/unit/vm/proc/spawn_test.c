/* spawn_test: who the child is, what it has, where it is, and how failures are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/output.h"
#include "vm/proc/spawn.h"

/* Runs a shell command, returns its output; asserts that it exits with `status`. */
static void
run_shell(struct spawn_conf *c, const char *command, int status, char *text, size_t size)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)command, NULL };
	struct spawned s;
	struct spawn_end end;
	struct errmsg m;
	uint64_t before = clock_now_ns();

	c->path = "/bin/sh";
	c->argv = argv;
	assert_int_equal(output_new(&c->output_fd, &m), ERR_OK);
	if (spawn_run(c, &s, &m) != ERR_OK)
		fail_msg("%s", m.text);
	assert_true(s.exec_ns >= before && s.exec_ns <= clock_now_ns());
	assert_int_equal(spawn_wait(s.pidfd, 30000, &end, &m), ERR_OK);
	assert_true(end.known);
	assert_false(end.signalled);
	output_read(c->output_fd, text, size);
	if (end.status != status)
		fail_msg("status %d: %s", end.status, text);
	assert_true(end.usec_cpu >= 0);
	close(s.pidfd);
	close(c->output_fd);
}

static void
test_identity(void **state)
{
	struct spawn_conf c;
	char text[4096];

	(void)state;
	spawn_conf_init(&c);
	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		return;
	}
	c.uid = 65534;
	c.gid = 65533;
	c.groups[c.ngroups++] = 4242;
	c.oom_score_adj = 500;
	run_shell(&c, "id -u; id -g; id -G; cat /proc/self/oom_score_adj; ulimit -c; grep -E "
	    "'NoNewPrivs|CapEff' /proc/self/status; "
	    "test $(cut -d' ' -f6 /proc/$$/stat) = $$ && echo leader", 0, text, sizeof(text));
	assert_string_equal(text,
	    "65534\n65533\n65533 "
	    "4242\n500\n0\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nleader\n");
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), 0);
}

static void
test_descriptors(void **state)
{
	struct spawn_conf c;
	char text[4096];
	int a[2], b[2], leak;

	(void)state;
	spawn_conf_init(&c);
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	/* One that is not close-on-exec, as a careless library may leave it. */
	leak = open("/dev/zero", O_RDONLY);
	assert_true(leak >= 0);
	/* Their numbers here are those that others get there. */
	c.fds[c.nfds++] = b[1];
	c.fds[c.nfds++] = a[1];
	c.cwd_fd = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* No pipeline: its shell holds ends of pipes for a moment. */
	run_shell(&c, "ls /proc/$$/fd; readlink /proc/$$/fd/0; pwd; echo first >&3; echo second "
	    ">&4; umask", 0, text, sizeof(text));
	assert_non_null(strstr(text, "0\n1\n2\n3\n4\n/dev/null\n/usr\n"));
	memset(text, 0, sizeof(text));
	assert_int_equal(read(b[0], text, sizeof(text)), 6);
	assert_string_equal(text, "first\n");
	memset(text, 0, sizeof(text));
	assert_int_equal(read(a[0], text, sizeof(text)), 7);
	assert_string_equal(text, "second\n");
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	close(leak);
	close(c.cwd_fd);
}

static void
on_usr1(int sig)
{
	(void)sig;
}

static void
test_signals(void **state)
{
	struct spawn_conf c;
	char text[4096];
	sigset_t set, old;

	(void)state;
	spawn_conf_init(&c);
	signal(SIGUSR1, on_usr1);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	run_shell(&c, "sed -n '/Sig[BIC]/p' /proc/self/status", 0, text, sizeof(text));
	assert_string_equal(text,
	    "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n");
	/* Ours are as they were. */
	pthread_sigmask(SIG_SETMASK, &old, &set);
	assert_true(sigismember(&set, SIGTERM));
	assert_true(signal(SIGUSR1, SIG_DFL) == on_usr1);
	signal(SIGPIPE, SIG_DFL);
}

static void
test_output_bounded(void **state)
{
	struct spawn_conf c;
	char text[32768], line[64];

	(void)state;
	spawn_conf_init(&c);
	run_shell(&c, "echo begin; trap '' PIPE; yes 2>/dev/null | head -c 100000; echo; exit 3", 3,
	    text, sizeof(text));
	assert_true(strlen(text) <= 16384);
	assert_memory_equal(text, "begin\n", 6);
	output_last_line(-1, line, sizeof(line));
	assert_string_equal(line, "");
}

static void
test_failures(void **state)
{
	char *argv[] = { (char *)"x", NULL };
	struct spawn_conf c;
	struct spawned s;
	struct errmsg m;

	(void)state;
	spawn_conf_init(&c);
	c.argv = argv;
	c.path = "/nonexistent/program";
	assert_int_equal(spawn_run(&c, &s, &m), ERR_MISSING);
	assert_non_null(strstr(m.text, "/nonexistent/program"));
	assert_int_equal(s.pid, -1);
	assert_int_equal(s.pidfd, -1);
	c.path = "/etc/passwd";
	assert_int_equal(spawn_run(&c, &s, &m), ERR_PERM);
	c.path = "/bin/true";
	c.fds[0] = 9999;
	c.nfds = 1;
	assert_int_equal(spawn_run(&c, &s, &m), ERR_IO);
	assert_non_null(strstr(m.text, "pass descriptors"));
	c.nfds = SPAWN_FDS + 1;
	assert_int_equal(spawn_run(&c, &s, &m), ERR_LIMIT);
	c.nfds = 0;
	c.task_fds[0] = 9999;
	c.ntasks = 1;
	assert_int_equal(spawn_run(&c, &s, &m), ERR_IO);
	assert_non_null(strstr(m.text, "cgroup"));
	c.ntasks = 0;
	c.cgroup_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(c.cgroup_fd >= 0);
#ifdef __x86_64__
	/* clone3(2) refuses what is no cgroup when it has made the pidfd already. */
	assert_int_not_equal(spawn_run(&c, &s, &m), ERR_OK);
	assert_int_equal(s.pid, -1);
	assert_int_equal(s.pidfd, -1);
#endif
	close(c.cgroup_fd);
	/* None is left to be reaped. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
test_kill(void **state)
{
	char *argv[] = { (char *)"sleep", (char *)"100", NULL };
	struct spawn_conf c;
	struct spawned s;
	struct spawn_end end;
	struct errmsg m;
	char text[80];

	(void)state;
	spawn_conf_init(&c);
	c.path = "/bin/sleep";
	c.argv = argv;
	assert_int_equal(spawn_run(&c, &s, &m), ERR_OK);
	assert_int_equal(spawn_wait(s.pidfd, 20, &end, &m), ERR_TIMEOUT);
	assert_int_equal(spawn_kill(s.pidfd, &m), ERR_OK);
	assert_int_equal(spawn_wait(s.pidfd, 30000, &end, &m), ERR_OK);
	assert_true(end.known && end.signalled);
	assert_int_equal(end.status, SIGKILL);
	spawn_end_text(&end, text, sizeof(text));
	assert_non_null(strstr(text, "signal 9"));
	/* Twice is no error, and then nothing is known. */
	assert_int_equal(spawn_kill(s.pidfd, &m), ERR_OK);
	assert_int_equal(spawn_wait(s.pidfd, 30000, &end, &m), ERR_OK);
	assert_false(end.known);
	close(s.pidfd);
}

static void
test_into_cgroup(void **state)
{
	bool unified = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0;
	struct spawn_conf c;
	char text[4096], dir[100], line[60];

	(void)state;
	/* Another run of this may go on beside us. */
	snprintf(dir, sizeof(dir), "/sys/fs/cgroup/%sspawn-test-%d", unified ? "" : "unified/",
	    (int)getpid());
	snprintf(line, sizeof(line), "0::/spawn-test-%d\n", (int)getpid());
	if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
		print_message("skipped: no writable v2 cgroup\n");
		return;
	}
	spawn_conf_init(&c);
	c.cgroup_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(c.cgroup_fd >= 0);
	run_shell(&c, "cat /proc/self/cgroup", 0, text, sizeof(text));
	assert_non_null(strstr(text, line));
	close(c.cgroup_fd);
	assert_int_equal(rmdir(dir), 0);
}

static void
test_find(void **state)
{
	struct errmsg m;
	char path[256];

	(void)state;
	assert_int_equal(spawn_find("sh", path, sizeof(path), &m), ERR_OK);
	assert_int_equal(path[0], '/');
	assert_int_equal(spawn_find("/bin/sh", path, sizeof(path), &m), ERR_OK);
	assert_string_equal(path, "/bin/sh");
	assert_int_equal(spawn_find("no-such-program-here", path, sizeof(path), &m), ERR_MISSING);
	assert_int_equal(spawn_find("bin/sh", path, sizeof(path), &m), ERR_RANGE);
	assert_int_equal(spawn_find("/etc", path, sizeof(path), &m), ERR_MISSING);
	assert_int_equal(spawn_find("/bin/sh", path, 4, &m), ERR_MISSING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_identity),
	    cmocka_unit_test(test_descriptors), cmocka_unit_test(test_signals),
		cmocka_unit_test(test_output_bounded), cmocka_unit_test(test_failures),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_into_cgroup), cmocka_unit_test(test_find) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
