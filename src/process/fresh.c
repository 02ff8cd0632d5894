/* fresh: each thing that a process inherits, and what becomes of it. */
#include "src/process/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

/* Ignored for good: a reader that left, a file's limit, `tostop` are errors of a write, no more. */
static const int ignored[] = { SIGPIPE, SIGXFSZ, SIGTTOU };

/* What is read: where programs are, systemd's, and the time zone of `schedule`. */
static const char *const environment[] = {
	"PATH", "NOTIFY_SOCKET", "JOURNAL_STREAM", "TZ",
#ifdef JITSU_SAN
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
#endif
};

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const struct {
	const char *name;
	int resource;
	rlim_t want, least;         /* RLIM_INFINITY: none; below `least` something will fail */
	rlim_t must;                /* below it we would crash; 0: never */
} limits[] = {
	{ "NOFILE (descriptors)", RLIMIT_NOFILE, LIMIT_DESCRIPTORS, LIMIT_DESCRIPTORS_LEAST, 0 },
	{ "FSIZE (size of a file)", RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY, 0 },
	{ "AS (address space)", RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY, 0 },
	{ "DATA (memory)", RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY, 0 },
	{ "CPU (seconds)", RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY, 0 },
	{ "NPROC (processes of a user)", RLIMIT_NPROC, RLIM_INFINITY, LIMIT_PROCESSES_LEAST, 0 },
	{ "STACK", RLIMIT_STACK, LIMIT_STACK, LIMIT_STACK, LIMIT_STACK_LEAST },
	{ "SIGPENDING (signals)", RLIMIT_SIGPENDING, LIMIT_PROCESSES_LEAST, 1, 0 },
};

void
fresh_standard_descriptors(void)
{
	int fd;

	/* The lowest free number is taken.  A standard output that was closed fails, as before. */
	do {
		fd = open("/dev/null", fcntl(STDIN_FILENO, F_GETFD) >= 0 &&
		    fcntl(STDOUT_FILENO, F_GETFD) < 0 ? O_RDONLY : O_RDWR);
		if (fd < 0)
			/* no /dev: nothing can be read or written there either */
			fd = open("/", O_PATH);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* What was ignored or blocked stays so over exec(2); handlers do not. */
static void
reset_signals(void)
{
	struct sigaction sa;
	sigset_t none;

	for (int n = 1; n < NSIG; n++)
		if (sigaction(n, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			(void)signal(n, SIG_DFL);   /* refused for libc's own */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
reset_timers(void)
{
	static const struct itimerval off;

	(void)setitimer(ITIMER_REAL, &off, NULL);
	(void)setitimer(ITIMER_VIRTUAL, &off, NULL);
	(void)setitimer(ITIMER_PROF, &off, NULL);
}

static void
reset_environment(void)
{
	const size_t n = sizeof(environment) / sizeof(environment[0]);
	char *kept[sizeof(environment) / sizeof(environment[0])];

	for (size_t i = 0; i < n; i++) {
		const char *value = getenv(environment[i]);

		kept[i] = value != NULL ? mem_text(value) : NULL;
	}
	(void)clearenv();   /* clearenv can only succeed */
	for (size_t i = 0; i < n; i++) {
		if (kept[i] != NULL)
			/* without memory for it, as if it had not been there */
			(void)setenv(environment[i], kept[i], 1);
		free(kept[i]);
	}
	(void)setenv("PATH", DEFAULT_PATH, 0);
}

/* A caller that is to be killed first, as in some containers, does not mean its DNS server. */
static void
reset_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char text[16] = "";

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0 && atoi(text) > 0 && write(fd, "0", 1) != 1)
		log_warn("the OOM score, %d, which was inherited, cannot be set to 0: %s",
		    atoi(text), strerror(errno));
	close(fd);
}

/* A real-time policy would be every VM's, too. */
static void
reset_scheduling(void)
{
	static const struct sched_param none;
	int policy = sched_getscheduler(0);

	if (policy >= 0 && (policy & ~SCHED_RESET_ON_FORK) != SCHED_OTHER &&
	    sched_setscheduler(0, SCHED_OTHER, &none) != 0)
		log_warn("the scheduling policy, %d, which was inherited, cannot be changed: %s",
		    policy, strerror(errno));
}

void
fresh_start(void)
{
	/* a kernel before 5.9 is none that we run on */
	(void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0);
	reset_signals();
	reset_timers();
	reset_environment();
	(void)umask(022);
	if (personality(0xffffffff) != PER_LINUX)
		/* another one is meant for a debugger, and runs, too */
		(void)personality(PER_LINUX);
}

static void
raise_limit(size_t i)
{
	rlim_t want = limits[i].want;
	struct rlimit rl, raised;

	if (getrlimit(limits[i].resource, &rl) != 0)
		return;
	if (want != RLIM_INFINITY && rl.rlim_cur != RLIM_INFINITY && rl.rlim_cur > want)
		want = rl.rlim_cur;
	raised.rlim_cur = want;
	raised.rlim_max = rl.rlim_max == RLIM_INFINITY || rl.rlim_max > want ? rl.rlim_max : want;
	if (rl.rlim_cur == RLIM_INFINITY || setrlimit(limits[i].resource, &raised) == 0)
		return;
	/* No privilege, or more than the kernel allows: as far as it goes. */
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(limits[i].resource, &rl);
	if (rl.rlim_max < limits[i].must)
		fatal("the resource limit %s is %llu bytes and cannot be raised: it must be at "
		    "least %llu", limits[i].name, (unsigned long long)rl.rlim_max,
		    (unsigned long long)limits[i].must);
	if (rl.rlim_max < limits[i].least)
		log_warn("the resource limit %s is %llu and cannot be raised: with large zones or "
		    "many VMs something will fail",
		    limits[i].name, (unsigned long long)rl.rlim_max);
}

void
fresh_limits(void)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		raise_limit(i);
	reset_oom_score();
	reset_scheduling();
}
