/*
 * sandbox_test: in forked children: what was dropped stays dropped, and what is not on the list
 * kills.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/sandbox.h"

#define NOBODY 65534
#define KILLED 1000   /* run_child: the filter killed it */
#define COULD_NOT 99  /* the child could not even begin */

static char empty_root[] = "/tmp/sandbox_test.XXXXXX";

static int
world_setup(void **state)
{
	(void)state;
	return mkdtemp(empty_root) == NULL || chmod(empty_root, 0755) != 0;
}

static int
world_teardown(void **state)
{
	(void)state;
	return rmdir(empty_root);
}

/* Runs `f` in a child: its exit status, KILLED, or -signal. */
static int
run_child(int (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(f());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return WTERMSIG(status) == SIGSYS ? KILLED : -WTERMSIG(status);
}

#define NEED_ROOT()                                               \
	do {                                                          \
		if (geteuid() != 0) {                                     \
			print_message("skipped: dropping privileges needs root to begin with\n"); \
			skip();                                               \
		}                                                         \
	} while (0)

/* ---- the identity ---- */

/* Each check has its own exit status, so that a failure says which it was. */
static int
child_dropped(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	gid_t more[3] = { 4, 24, 27 };
	uid_t r, e, s;
	gid_t gr, ge, gs;
	struct errmsg m;

	if (setgroups(3, more) != 0 || getgroups(0, NULL) != 3)
		return COULD_NOT;
	if (sandbox_enter(empty_root, NOBODY, NOBODY, &m) != ERR_OK)
		return COULD_NOT;
	if (getresuid(&r, &e, &s) != 0 || r != NOBODY || e != NOBODY || s != NOBODY)
		return 1;
	if (getresgid(&gr, &ge, &gs) != 0 || gr != NOBODY || ge != NOBODY || gs != NOBODY)
		return 2;
	if (getgroups(0, NULL) != 0)
		return 3;
	if (setuid(0) == 0 || setresuid(0, 0, 0) == 0 || seteuid(0) == 0)
		return 4;
	if (setgid(0) == 0 || setgroups(3, more) == 0)
		return 5;
	if (syscall(SYS_capget, &head, caps) != 0)
		return COULD_NOT;
	for (int i = 0; i < 2; i++)
		if (caps[i].effective != 0 || caps[i].permitted != 0 || caps[i].inheritable != 0)
			return 6;
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0 ||
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			return 7;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 8;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 9;
	if (open("/etc/passwd", O_RDONLY) >= 0 || open("/proc/self/status", O_RDONLY) >= 0 ||
	    open("../../etc/passwd", O_RDONLY) >= 0)
		return 10;
	if (open("/here", O_CREAT | O_WRONLY, 0600) >= 0 || mkdir("/there", 0700) == 0)
		return 11;
	if (chroot("/") == 0)
		return 12;
	return 0;
}

static void
test_dropped(void **state)
{
	(void)state;
	NEED_ROOT();
	assert_int_equal(run_child(child_dropped), 0);
}

static int
child_not_root(void)
{
	struct errmsg m;

	if (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
		return COULD_NOT;
	if (sandbox_enter(empty_root, NOBODY - 1, NOBODY - 1, &m) != ERR_PERM)
		return 1;
	return sandbox_enter(empty_root, NOBODY, NOBODY, &m) == ERR_PERM ? 0 : 2;
}

/* What cannot be dropped is an error, even where there is nothing left to drop. */
static void
test_not_root(void **state)
{
	(void)state;
	NEED_ROOT();
	assert_int_equal(run_child(child_not_root), 0);
}

static int
child_group_root(void)
{
	struct errmsg m;

	return sandbox_enter(empty_root, NOBODY, 0, &m) != ERR_OK ? 0 : 1;
}

static void
test_group_root(void **state)
{
	(void)state;
	NEED_ROOT();
	assert_int_equal(run_child(child_group_root), 0);
}

static int
child_tester(void)
{
	struct errmsg m;

	if (sandbox_enter("/nonexistent", 0, 0, &m) != ERR_OK)
		return 1;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2;
}

static void
test_tester(void **state)
{
	(void)state;
	assert_int_equal(run_child(child_tester), 0);
}

/* ---- the root ---- */

static char bad_root[64];
static enum err bad_want;
static const char *bad_word;

static int
child_bad_root(void)
{
	struct errmsg m = { "" };

	if (sandbox_enter(bad_root, NOBODY, NOBODY, &m) != bad_want)
		return 1;
	if (getuid() != 0)
		return 2;
	return strstr(m.text, bad_root) != NULL && strstr(m.text, bad_word) != NULL ? 0 : 3;
}

static void
test_bad_roots(void **state)
{
	char inside[sizeof(bad_root) + 16];
	int fd;

	(void)state;
	NEED_ROOT();
	snprintf(bad_root, sizeof(bad_root), "%s.missing", empty_root);
	bad_want = ERR_IO;
	bad_word = "No such file";
	assert_int_equal(run_child(child_bad_root), 0);

	assert_int_equal(mkdir(bad_root, 0755), 0);
	snprintf(inside, sizeof(inside), "%s/.secret", bad_root);
	fd = open(inside, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	bad_want = ERR_STATE;
	bad_word = "'.secret'";
	assert_int_equal(run_child(child_bad_root), 0);
	unlink(inside);

	bad_want = ERR_PERM;
	bad_word = "writable by nobody else";
	assert_int_equal(chmod(bad_root, 0775), 0);
	assert_int_equal(run_child(child_bad_root), 0);
	assert_int_equal(chmod(bad_root, 0757), 0);
	assert_int_equal(run_child(child_bad_root), 0);
	assert_int_equal(chmod(bad_root, 0755), 0);
	assert_int_equal(chown(bad_root, NOBODY, NOBODY), 0);
	assert_int_equal(run_child(child_bad_root), 0);
	rmdir(bad_root);

	fd = open(bad_root, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);   /* a file */
	assert_true(fd >= 0);
	close(fd);
	bad_want = ERR_IO;
	bad_word = "Not a directory";
	assert_int_equal(run_child(child_bad_root), 0);
	unlink(bad_root);
}

/* ---- the filter ---- */

static const struct sandbox_call calls[] = {
	SANDBOX_CALL(recvfrom, "an own call"),
	SANDBOX_CALL_IF(sendto, 4, 0, "no address"),
	SANDBOX_CALL_IF(sendmsg, 0, 200, "instead of the common rule: one descriptor only"),
};

static int pair[2];

static bool
confine(void)
{
	struct errmsg m;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0 ||
	    dup2(pair[0], 200) != 200)
		return false;
	if (sandbox_enter(empty_root, geteuid() == 0 ? NOBODY : 0, NOBODY, &m) != ERR_OK)
		return false;
	return sandbox_filter(calls, sizeof(calls) / sizeof(calls[0]), &m) == ERR_OK;
}

static int
message_on(int fd)
{
	char byte = 1;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	return sendmsg(fd, &hdr, 0) == 1 ? 0 : 1;
}

static int
child_allowed(void)
{
	char byte = 0, *p, *more;

	if (!confine())
		return COULD_NOT;
	p = malloc(1u << 22);
	if (p == NULL)
		return 1;
	memset(p, 1, 1u << 22);
	more = realloc(p, 1u << 23);
	if (more == NULL) {
		free(p);
		return 1;
	}
	free(more);
	if (clock_now_ns() == 0 || message_on(200) != 0 || recv(pair[1], &byte, 1, 0) != 1 ||
	    byte != 1)
		return 2;
	if (send(pair[0], "x", 1, 0) != 1 || recv(pair[1], &byte, 1, 0) != 1 ||
	    write(pair[0], "y", 1) != 1)
		return 3;
	return 0;
}

static void
test_allowed(void **state)
{
	(void)state;
	assert_int_equal(run_child(child_allowed), 0);
}

static int (*deed)(void);

static int
child_deed(void)
{
	if (!confine())
		return COULD_NOT;
	(void)deed();   /* it is not to come back */
	return 0;
}

static int
do_openat(void)
{
	return (int)syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static int
do_execve(void)
{
	char *argv[] = { NULL };

	return (int)syscall(SYS_execve, "/bin/true", argv, argv);
}

static int
do_socket(void)
{
	return (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static int
do_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) };

	return (int)syscall(SYS_connect, pair[0], &to, sizeof(to));
}

static int
do_fork(void)
{
	return (int)syscall(SYS_fork);
}

static int
do_kill(void)
{
	return (int)syscall(SYS_kill, getppid(), 0);
}

static int
do_ptrace(void)
{
	return (int)syscall(SYS_ptrace, 0, 0, 0, 0);
}

static int
do_setsockopt(void)
{
	int one = 1;

	return (int)syscall(SYS_setsockopt, pair[0], SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
}

static int
do_sendto_address(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	return (int)sendto(pair[0], "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
}

static int
do_sendmsg_elsewhere(void)
{
	return message_on(pair[0]);
}

static int
do_unshare(void)
{
	return (int)syscall(SYS_unshare, CLONE_NEWUSER);
}

static int
do_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

/*
 * A system call of the 32-bit table, by its own number: open(2) is 5 there, fstat(2), which is
 * allowed, here.
 */
static int
do_compat(void)
{
#ifdef __x86_64__
	long rc;

	__asm__ volatile("int $0x80"
			 : "=a"(rc)
			 : "a"(5), "b"(0), "c"(0), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)rc;
#else
	return do_openat();
#endif
}

static void
test_kills(void **state)
{
	static const struct {
		const char *what;
		int (*deed)(void);
	} rows[] = {
		{ "openat", do_openat },
		{ "execve", do_execve },
		{ "socket", do_socket },
		{ "connect", do_connect },
		{ "fork", do_fork },
		{ "kill", do_kill },
		{ "ptrace", do_ptrace },
		{ "setsockopt", do_setsockopt },
		{ "sendto with an address", do_sendto_address },
		{ "sendmsg on another descriptor", do_sendmsg_elsewhere },
		{ "unshare", do_unshare },
		{ "bpf", do_bpf },
		{ "a 32-bit system call", do_compat },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int how;

		deed = rows[i].deed;
		how = run_child(child_deed);
		if (how != KILLED)
			fail_msg(
			    "%s: the child ended with %d instead of SIGSYS", rows[i].what, how);
	}
}

static int go[2];

static void *
thread_opens(void *arg)
{
	char byte;

	if (read(go[0], &byte, 1) == 1)
		(void)do_openat();   /* it is not to come back */
	return arg;
}

static int
child_threads(void)
{
	pthread_t t;

	if (pipe(go) != 0 || pthread_create(&t, NULL, thread_opens, NULL) != 0 || !confine())
		return COULD_NOT;
	if (write(go[1], "x", 1) != 1)
		return COULD_NOT;
	pthread_join(t, NULL);
	return 0;
}

/* A thread that was there before is held by the filter, too, and its death is the process's. */
static void
test_threads(void **state)
{
	(void)state;
	assert_int_equal(run_child(child_threads), KILLED);
}

/* The same, for a thread that makes a system call of another architecture. */
static void *
thread_compat(void *arg)
{
	char byte;

	if (read(go[0], &byte, 1) == 1)
		(void)do_compat();
	return arg;
}

static int
child_compat_thread(void)
{
	pthread_t t;

	if (pipe(go) != 0 || pthread_create(&t, NULL, thread_compat, NULL) != 0 || !confine())
		return COULD_NOT;
	if (write(go[1], "x", 1) != 1)
		return COULD_NOT;
	pthread_join(t, NULL);
	return 0;
}

static void
test_compat_thread(void **state)
{
	(void)state;
	assert_int_equal(run_child(child_compat_thread), KILLED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_not_root),
		cmocka_unit_test(test_group_root),
		cmocka_unit_test(test_tester),
		cmocka_unit_test(test_bad_roots),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_kills),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_compat_thread),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
