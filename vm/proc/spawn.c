/* spawn: the steps of a child before it executes, and how it ended. */
#include "vm/proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define STACK_SIZE (64 * 1024)
#define FD_PARK 256      /* descriptors are moved above this before they get their numbers */

static const char pass_descriptors[] = "pass descriptors";

/* Shared with the child. */
struct child {
	const struct spawn_conf *conf;
	int null_fd;
	const char *step;
	int error;
	int tasks[SPAWN_CGROUPS];
	uint64_t exec_ns;
};

#ifdef JITSU_SAN
#include <sanitizer/asan_interface.h>
/* The child leaves its frames by execve, so what the sanitizer noted of them must be wiped. */
#define STACK_FORGET(stack) ASAN_UNPOISON_MEMORY_REGION((stack), STACK_SIZE)
#else
#define STACK_FORGET(stack) ((void)(stack))
#endif

static char *const environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    (char *)"LC_ALL=C", NULL };

void
spawn_conf_init(struct spawn_conf *c)
{
	memset(c, 0, sizeof(*c));
	c->output_fd = c->cwd_fd = c->cgroup_fd = -1;
}

/*
 * The child runs on its own stack in its parent's memory: no locks, no allocation, and identities
 * are changed by system calls, because glibc's functions would change all threads of what they take
 * for their process.
 */
static bool
child_signals(struct child *c)
{
	struct sigaction sa;

	/* Handlers end with exec, all signals being blocked until then; SIG_IGN would stay. */
	c->step = "reset signal handlers";
	for (int n = 1; n < NSIG; n++) {
		if (sigaction(n, NULL, &sa) != 0 || sa.sa_handler != SIG_IGN)
			continue;   /* libc's own, or nothing to do */
		sa = (struct sigaction){ .sa_handler = SIG_DFL };
		if (sigaction(n, &sa, NULL) != 0)
			return false;
	}
	return true;
}

static bool
child_place(struct child *c)
{
	const struct spawn_conf *conf = c->conf;
	char score[16];
	int fd;
	bool ok;

	c->step = "change the directory";
	if ((conf->cwd_fd >= 0 ? fchdir(conf->cwd_fd) : chdir("/")) != 0)
		return false;
	if (conf->oom_score_adj == 0)
		return true;
	c->step = "write /proc/self/oom_score_adj";
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	snprintf(score, sizeof(score), "%d", conf->oom_score_adj);
	ok = write(fd, score, strlen(score)) > 0;
	close(fd);
	return ok;
}

static bool
park(const int *fds, unsigned n, int *parked)
{
	for (unsigned i = 0; i < n; i++) {
		parked[i] = fcntl(fds[i], F_DUPFD, FD_PARK);
		if (parked[i] < 0)
			return false;
	}
	return true;
}

static bool
child_fds(struct child *c)
{
	const struct spawn_conf *conf = c->conf;
	int parked[SPAWN_FDS], out;

	c->step = pass_descriptors;
	out = fcntl(conf->output_fd >= 0 ? conf->output_fd : c->null_fd, F_DUPFD, FD_PARK);
	if (out < 0 || !park(conf->fds, conf->nfds, parked))
		return false;
	c->step = "join a cgroup";
	if (!park(conf->task_fds, conf->ntasks, c->tasks))
		return false;
	c->step = pass_descriptors;
	if (dup2(c->null_fd, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		return false;
	for (unsigned i = 0; i < conf->nfds; i++)
		if (dup2(parked[i], SPAWN_FD_FIRST + (int)i) < 0)
			return false;
	return true;
}

static bool
child_identity(struct child *c)
{
	const struct spawn_conf *conf = c->conf;
	struct rlimit none = { 0, 0 };

	c->step = "forbid core dumps";
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return false;
	if (conf->uid != 0) {
		c->step = "set groups";
		if (syscall(SYS_setgroups, (size_t)conf->ngroups, conf->groups) != 0)
			return false;
		c->step = "set the group";
		if (syscall(SYS_setresgid, conf->gid, conf->gid, conf->gid) != 0)
			return false;
		c->step = "set the user";
		if (syscall(SYS_setresuid, conf->uid, conf->uid, conf->uid) != 0)
			return false;
	}
	c->step = "set no_new_privs";
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/*
 * The cgroup and the session that it shares the processor in, and its priority: the daemon's own
 * processes go before everybody's, a VM does not.  Last, since a thread of the daemon waits until
 * the program runs.  The kernel asks who opened `tasks`, not who writes.
 */
static bool
child_yield(struct child *c)
{
	const struct spawn_conf *conf = c->conf;

	c->step = "start a session";
	if (syscall(SYS_setsid) < 0)
		return false;
	c->step = "set the scheduling priority";
	if (getpriority(PRIO_PROCESS, 0) < 0 && setpriority(PRIO_PROCESS, 0, 0) != 0)
		return false;
	c->step = "join a cgroup";
	for (unsigned i = 0; i < conf->ntasks; i++)
		if (write(c->tasks[i], "0", 1) != 1)
			return false;
	c->step = "close descriptors";
	return syscall(SYS_close_range, SPAWN_FD_FIRST + conf->nfds, ~0u, 0) == 0;
}

static bool
child_unblock(struct child *c)
{
	sigset_t none;

	c->step = "reset the signal mask";
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static int
child_main(void *arg)
{
	struct child *c = arg;

	if (child_signals(c) && child_place(c) && child_fds(c) && child_identity(c) &&
	    child_unblock(c) && child_yield(c)) {
		c->step = NULL;
		c->exec_ns = clock_now_ns();
		execve(c->conf->path, c->conf->argv, environment);
	}
	c->error = errno;
	_exit(127);
}

static enum err
child_failed(const struct child *c, pid_t pid, struct errmsg *m)
{
	if (waitpid(pid, NULL, 0) < 0 && errno != ECHILD)
		return err_sys(m, "waitpid");
	if (c->error == 0)
		return err_set(m, ERR_IO, "%s: the child died before it could run it (at: %s)",
		    c->conf->path, c->step);
	if (c->error == EINVAL && c->step == pass_descriptors)
		return err_set(m, ERR_LIMIT, "%s: cannot be run: the resource limit NOFILE "
		    "(descriptors) must be more than %d", c->conf->path, FD_PARK + SPAWN_FDS);
	errno = c->error;
	if (c->step != NULL)
		return err_sys(m, "%s: cannot %s before it is run", c->conf->path, c->step);
	if (c->error == EACCES)
		return err_set(m, ERR_PERM, "%s: uid %u may not execute it: check the modes of the "
		    "file and of the directories above", c->conf->path, (unsigned)c->conf->uid);
	if (c->error == ENOENT)
		return err_set(m, ERR_MISSING,
		    "%s: no such program (or its interpreter is missing)", c->conf->path);
	return err_sys(m, "%s: cannot be executed", c->conf->path);
}

enum err
spawn_run(const struct spawn_conf *conf, struct spawned *s, struct errmsg *m)
{
	struct child c = { .conf = conf, .null_fd = -1, .step = "begin" };
	void *stack = MAP_FAILED;
	sigset_t all, saved;
	enum err e = ERR_OK;

	*s = (struct spawned){ .pid = -1, .pidfd = -1 };
	if (conf->nfds > SPAWN_FDS || conf->ngroups > SPAWN_GROUPS || conf->ntasks > SPAWN_CGROUPS)
		return err_set(m, ERR_LIMIT, "%s: too many descriptors, groups or cgroups to pass",
		    conf->path);
	c.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (c.null_fd < 0) {
		e = err_sys(m, "/dev/null");
		goto out;
	}
	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
	    MAP_STACK, -1, 0);
	if (stack == MAP_FAILED) {
		e = err_sys(m, "stack for %s", conf->path);
		goto out;
	}
	STACK_FORGET(stack);
	/* No handler of ours may run in the child, which has our memory but is another process. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &saved);
	s->pid = spawn_clone(child_main, &c, stack, STACK_SIZE, conf->cgroup_fd, &s->pidfd);
	s->exec_ns = c.exec_ns;
	if (s->pid < 0) {
		e = err_sys(m, "%s: clone", conf->path);
		s->pidfd = -1;     /* the kernel may have written one that it closed */
	}
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (e == ERR_OK && (c.error != 0 || c.step != NULL)) {
		e = child_failed(&c, s->pid, m);
		close(s->pidfd);
		s->pidfd = -1;
		s->pid = -1;
	}
out:
	if (stack != MAP_FAILED) {
		STACK_FORGET(stack);
		munmap(stack, STACK_SIZE);
	}
	if (c.null_fd >= 0)
		close(c.null_fd);
	return e;
}

int
spawn_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

enum err
spawn_kill(int pidfd, struct errmsg *m)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) != 0 && errno != ESRCH)
		return err_sys(m, "kill");
	return ERR_OK;
}

enum err
spawn_wait(int pidfd, int timeout_ms, struct spawn_end *end, struct errmsg *m)
{
	uint64_t deadline = clock_now_ms() + (uint64_t)timeout_ms;
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	struct rusage ru = { 0 };
	siginfo_t si = { 0 };
	int n;

	*end = (struct spawn_end){ .usec_cpu = -1 };
	do {
		uint64_t now = clock_now_ms();

		n = poll(&p, 1, now < deadline ? (int)(deadline - now) : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(m, "poll");
	if (n == 0)
		return err_set(m, ERR_TIMEOUT, "the process did not end within %d ms", timeout_ms);
	if (syscall(SYS_waitid, P_PIDFD, pidfd, &si, WEXITED | WNOHANG, &ru) != 0)
		return errno == ECHILD ? ERR_OK : err_sys(m, "waitid");
	if (si.si_pid == 0)
		return ERR_OK;
	end->known = true;
	end->signalled = si.si_code != CLD_EXITED;
	end->status = si.si_status;
	end->usec_cpu = (int64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
	    ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;
	return ERR_OK;
}

enum err
spawn_to_end(const struct spawn_conf *c, int timeout_ms, struct spawn_end *end, struct errmsg *m)
{
	struct spawned s;
	enum err e = spawn_run(c, &s, m);

	if (e != ERR_OK)
		return e;
	e = spawn_wait(s.pidfd, timeout_ms, end, m);
	if (e != ERR_OK) {
		(void)spawn_kill(s.pidfd, NULL);     /* it is waited for next */
		(void)spawn_wait(s.pidfd, timeout_ms, end, NULL);
	}
	close(s.pidfd);
	return e;
}

uint64_t
spawn_memory(pid_t pid)
{
	unsigned long long size, resident, shared;
	char path[64];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = pid > 0 ? fopen(path, "re") : NULL;
	if (f == NULL)
		return 0;
	n = fscanf(f, "%llu %llu %llu", &size, &resident, &shared);
	fclose(f);
	return n == 3 && resident > shared ?
	    (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void
spawn_end_text(const struct spawn_end *end, char *text, size_t size)
{
	if (!end->known)
		snprintf(text, size, "ended");
	else if (end->signalled)
		snprintf(text, size, "was killed by signal %d (%s)", end->status,
		    strsignal(end->status));
	else
		snprintf(text, size, "exited with status %d", end->status);
}

bool
spawn_stat(pid_t pid, struct spawn_stat *st)
{
	char path[64], line[1024], *p;
	unsigned long long user = 0, system = 0;
	FILE *f;

	memset(st, 0, sizeof(*st));
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	/* Field 2, the name, may have spaces and parentheses: count from its end. */
	if (fgets(line, sizeof(line), f) != NULL && (p = strrchr(line, ')')) != NULL &&
	    sscanf(p + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
	    "%*d %*d %llu", &st->parent, &user, &system, &st->start_ticks) != 4)
		memset(st, 0, sizeof(*st));
	fclose(f);
	st->usec_cpu = (int64_t)((user + system) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
	return st->start_ticks != 0;
}

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

enum err
spawn_find(const char *name, char *path, size_t size, struct errmsg *m)
{
	const char *dirs = getenv("PATH"), *end;

	if (strchr(name, '/') != NULL) {
		if (name[0] != '/')
			return err_set(m, ERR_RANGE,
			    "%s: give an absolute path, or a name to look for in PATH", name);
		if ((size_t)snprintf(path, size, "%s", name) >= size || !is_program(path))
			return err_set(m, ERR_MISSING, "%s: no such program", name);
		return ERR_OK;
	}
	if (dirs == NULL || dirs[0] == '\0')
		dirs = "/usr/sbin:/usr/bin:/sbin:/bin";
	for (const char *d = dirs;; d = end + 1) {
		end = strchrnul(d, ':');
		if (d[0] == '/' && (size_t)snprintf(path, size, "%.*s/%s", (int)(end - d), d,
		    name) < size && is_program(path))
			return ERR_OK;
		if (*end == '\0')
			return err_set(m, ERR_MISSING, "%s: not found in PATH (%s)", name, dirs);
	}
}
