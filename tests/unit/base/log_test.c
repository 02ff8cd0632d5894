/*
 * log_test: in forked children: nobody who does not read the log stops who writes it, and what was
 * dropped is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/log_out.h"

#define LINES 20000
#define PATIENCE_S 30

/*
 * A child that logs LINES lines, says so on `done`, logs one more when told to, and ends when told
 * again.
 */
struct writer {
	pid_t pid;
	int done, go;
};

static void
write_lines(int done, int go)
{
	char byte;

	(void)signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < LINES; i++)
		log_warn("line %u of a flood", i);
	if (write(done, "", 1) != 1 || read(go, &byte, 1) != 1)
		_exit(2);
	log_err("one more");
	if (read(go, &byte, 1) < 0)
		_exit(3);
	log_flush();
	_exit(0);
}

/* `fd` becomes its standard error; -1: none.  `prepare` runs in it before anything else. */
static struct writer
writer_start(int fd, unsigned to, bool (*prepare)(void))
{
	struct writer w;
	int done[2], go[2];

	assert_int_equal(pipe(done), 0);
	assert_int_equal(pipe(go), 0);
	w.pid = fork();
	assert_true(w.pid >= 0);
	if (w.pid == 0) {
		close(done[0]);
		close(go[1]);
		if ((prepare != NULL && !prepare()) || (fd >= 0 && dup2(fd, STDERR_FILENO) < 0))
			_exit(1);
		log_init("test", to, LOG_L_INFO);
		write_lines(done[1], go[0]);
	}
	close(done[1]);
	close(go[0]);
	w.done = done[0];
	w.go = go[1];
	return w;
}

/* The flood came to its end although nobody reads. */
static void
writer_wait(const struct writer *w)
{
	struct pollfd p = { .fd = w->done, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&p, 1, PATIENCE_S * 1000), 1);
	assert_int_equal(read(w->done, &byte, 1), 1);
}

static void
writer_end(struct writer *w)
{
	int status = -1;

	close(w->go);
	close(w->done);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_int_equal(status, 0);
}

/* What a reader sees, line by line. */
struct seen {
	char rest[4096];
	size_t used;
	unsigned lines, counts;
	unsigned long dropped;
	bool last;
};

static void
seen_line(struct seen *s, const char *line)
{
	const char *text = strstr(line, "log: warning: ");

	if (text != NULL) {
		s->counts++;
		s->dropped += strtoul(text + strlen("log: warning: "), NULL, 10);
	} else if (strstr(line, "error: one more") != NULL) {
		s->last = true;
	} else {
		assert_non_null(strstr(line, "of a flood"));
		s->lines++;
	}
}

/*
 * Reads until every line of the flood is accounted for, or the last one comes.  A datagram is a
 * line.
 */
static void
seen_all(struct seen *s, int fd, bool datagrams, bool last)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (last ? !s->last : s->lines + s->dropped < LINES) {
		ssize_t n;
		char *end;

		if (poll(&p, 1, PATIENCE_S * 1000) != 1)
			fail_msg("%u lines, %lu dropped, and no more", s->lines, s->dropped);
		n = read(fd, s->rest + s->used, sizeof(s->rest) - s->used - 1);
		assert_true(n > 0);
		s->used += (size_t)n;
		s->rest[s->used] = '\0';
		if (datagrams)
			s->rest[s->used++] = '\n';
		while ((end = memchr(s->rest, '\n', s->used)) != NULL) {
			*end = '\0';
			seen_line(s, s->rest);
			s->used -= (size_t)(end + 1 - s->rest);
			memmove(s->rest, end + 1, s->used);
		}
	}
}

/* Nobody reads; then somebody does, and finds the beginning, and how much is missing. */
static void
unread(int read_fd, int write_fd, unsigned to, bool (*prepare)(void), bool datagrams)
{
	struct writer w = writer_start(write_fd, to, prepare);
	struct seen s = { .used = 0 };

	writer_wait(&w);
	seen_all(&s, read_fd, datagrams, false);
	assert_int_equal(write(w.go, "", 1), 1);
	seen_all(&s, read_fd, datagrams, true);
	assert_int_equal(s.lines + s.dropped, LINES);
	assert_true(s.dropped > 0);
	assert_true(s.lines >= LIMIT_LOG_QUEUE_BYTES / 200);
	assert_in_range(s.counts, 1, 4);
	assert_int_equal(write(w.go, "", 1), 1);
	writer_end(&w);
}

static void
a_pipe_that_nobody_reads_stops_nobody(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	unread(fds[0], fds[1], LOG_TO_STDERR, NULL, false);
	/* Its description is shared with others, who did not ask for that. */
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	close(fds[0]);
	close(fds[1]);
}

static bool
hide_proc(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", "/proc", "tmpfs", 0, NULL) == 0;
}

static void
nor_without_proc(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	unread(fds[0], fds[1], LOG_TO_STDERR, hide_proc, false);
	close(fds[0]);
	close(fds[1]);
}

static void
a_terminal_that_nobody_reads_stops_nobody(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	unread(master, slave, LOG_TO_STDERR, NULL, false);
	assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	close(slave);
	close(master);
}

static void
a_socket_that_nobody_reads_stops_nobody(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	unread(fds[0], fds[1], LOG_TO_STDERR, NULL, false);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	close(fds[0]);
	close(fds[1]);
}

/* ---- /dev/log, in a mount namespace of this process ---- */

static bool
own_dev(void)
{
	static bool done;

	if (!done)
		done = unshare(CLONE_NEWNS) == 0 &&
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		    mount("none", "/dev", "tmpfs", 0, NULL) == 0;
	return done;
}

static int
dev_log(int type)
{
	const struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void
a_syslogd_that_does_not_read_stops_nobody(void **state)
{
	int fd;

	(void)state;
	if (!own_dev())
		skip();
	fd = dev_log(SOCK_DGRAM);
	unread(fd, -1, LOG_TO_SYSLOG, NULL, true);
	close(fd);
	assert_int_equal(unlink("/dev/log"), 0);
}

static void
syslogd_comes_goes_and_comes_back(void **state)
{
	char buf[4096];
	int fd;

	(void)state;
	if (!own_dev())
		skip();
	log_init("test", LOG_TO_SYSLOG, LOG_L_INFO);
	log_err("before there is one");
	fd = dev_log(SOCK_DGRAM);
	log_warn("while there is one");
	for (int i = 0; i < 2; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

		assert_true(n > 0);
		buf[n] = '\0';
		assert_non_null(
		    strstr(buf, i == 0 ? "]: test: error: before" : "]: test: warning: while"));
		assert_memory_equal(buf, i == 0 ? "<27>" : "<28>", 4);
	}
	close(fd);
	log_err("after it ended");
	assert_int_equal(unlink("/dev/log"), 0);
	fd = dev_log(SOCK_STREAM);
	log_info("a new one, with a stream");
	{
		int peer = accept(fd, NULL, NULL);
		size_t got = 0;

		assert_true(peer >= 0);
		while (memmem(buf, got, "with a stream", 14) == NULL) {   /* and its NUL */
			ssize_t n = recv(peer, buf + got, sizeof(buf) - got, 0);

			assert_true(n > 0);
			got += (size_t)n;
		}
		assert_non_null(strstr(buf, "after it ended"));
		close(peer);
	}
	log_init("test", 0, LOG_L_INFO);
	close(fd);
	assert_int_equal(unlink("/dev/log"), 0);
}

/* ---- the journal ---- */

static void
the_journal_is_told_the_priority(void **state)
{
	static const char all[] =
	    "<3>test: error: e\n<4>test: warning: w\n<6>test: info: i\n<3>crashed\n";
	char env[64], buf[4096];
	int fds[2], saved = dup(STDERR_FILENO);
	struct stat st;
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(fstat(fds[1], &st), 0);
	snprintf(env, sizeof(env), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", env, 1), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	log_init("test", LOG_TO_STDERR, LOG_L_INFO);
	log_err("e");
	log_warn("w");
	log_info("i");
	log_out_crash("crashed");
	n = recv(fds[0], buf, sizeof(buf) - 1, 0);
	/* Standard error that was sent elsewhere is no journal, whatever the environment says. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	log_init("test", LOG_TO_STDERR, LOG_L_INFO);
	log_err("e");
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	log_init("test", LOG_TO_STDERR, LOG_L_INFO);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, all);
	n = recv(fds[0], buf, sizeof(buf) - 1, 0);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, "test: error: e\n");
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	close(saved);
}

/* ---- a disk ---- */

static void
a_file_that_takes_no_more_is_told_what_is_missing(void **state)
{
	char path[] = "/tmp/log_test.XXXXXX", buf[512] = "";
	int fd = mkstemp(path), saved = dup(STDERR_FILENO);
	struct rlimit rl, none;
	ssize_t n;

	(void)state;
	assert_true(fd >= 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &rl), 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	log_init("test", LOG_TO_STDERR, LOG_L_INFO);
	none = rl;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	log_warn("lost");
	log_warn("lost, too");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	log_warn("there is room again");
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	log_init("test", LOG_TO_STDERR, LOG_L_INFO);
	n = pread(fd, buf, sizeof(buf) - 1, 0);
	assert_true(n > 0);
	assert_string_equal(buf,
	    "log: warning: 2 lines were dropped here: nobody read them, or they "
	    "could not be written\n"
	    "test: warning: there is room again\n");
	close(fd);
	close(saved);
	assert_int_equal(unlink(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pipe_that_nobody_reads_stops_nobody),
		cmocka_unit_test(nor_without_proc),
		cmocka_unit_test(a_terminal_that_nobody_reads_stops_nobody),
		cmocka_unit_test(a_socket_that_nobody_reads_stops_nobody),
		cmocka_unit_test(the_journal_is_told_the_priority),
		cmocka_unit_test(a_file_that_takes_no_more_is_told_what_is_missing),
		cmocka_unit_test(a_syslogd_that_does_not_read_stops_nobody),
		cmocka_unit_test(syslogd_comes_goes_and_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
