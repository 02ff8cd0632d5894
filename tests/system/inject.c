/*
 * inject: makes another process do one system call of our choice, as an attacker in it would.
 *
 *     inject PID|TID CALL            into that thread
 *     inject child PPID COMM CALL    into the first confined child of PPID with that name, as soon
 *                                    as there is one
 *     inject list                    the calls
 *
 * It stops the thread (ptrace), writes a `syscall` instruction where it stands, fills the registers
 * and steps over it.  Exit status: 0 when the process was killed by SIGSYS; 3 when the call
 * returned, whose result is printed (everything is put back then); 2 for trouble.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_TROUBLE 2
#define EXIT_SURVIVED 3
#define WAIT_S 30
#define SCRATCH 4096   /* so far below the stack pointer the thread's memory is free */

/* An argument that is the address of `data` in the other process. */
#define DATA UINT64_MAX

static const struct call {
	const char *name;
	long nr;
	uint64_t args[6];
	bool compat;               /* by int 0x80, as a 32-bit program would; nr is i386's */
	const char *data;
	size_t data_len;
} calls[] = {
	/* allowed: shows that the injection works */
	{ "getpid", SYS_getpid, { 0 }, false, NULL, 0 },
	{ "open", SYS_open, { DATA, O_RDONLY }, false, "/", 2 },
	{ "openat", SYS_openat, { (uint64_t)AT_FDCWD, DATA, O_RDONLY }, false, "/", 2 },
	{ "creat", SYS_creat, { DATA, 0600 }, false, "/x", 3 },
	{ "execve", SYS_execve, { DATA, 0, 0 }, false, "/bin/sh", 8 },
	{ "socket", SYS_socket, { 2, 2, 0 }, false, NULL, 0 },
	/* UNIX socket "x", of any descriptor: the filter decides before the kernel looks at it */
	{ "connect", SYS_connect, { 0, DATA, 3 }, false, "\1\0x", 3 },
	{ "bind", SYS_bind, { 0, DATA, 3 }, false, "\1\0x", 3 },
	{ "sendto-address", SYS_sendto, { 0, DATA, 1, 0, DATA, 16 }, false,
	    "\2\0\0\65\177\0\0\1\0\0\0\0\0\0\0\0", 16 },
	{ "fork", SYS_fork, { 0 }, false, NULL, 0 },
	{ "clone", SYS_clone, { SIGCHLD, 0, 0, 0, 0 }, false, NULL, 0 },
	{ "kill", SYS_kill, { 1, 0 }, false, NULL, 0 },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME, 0, 0, 0 }, false, NULL, 0 },
	{ "mount", SYS_mount, { DATA, DATA, 0, 0, 0 }, false, "/", 2 },
	{ "chroot", SYS_chroot, { DATA }, false, "/", 2 },
	{ "setuid", SYS_setuid, { 0 }, false, NULL, 0 },
	{ "prctl", SYS_prctl, { 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0 }, false, NULL, 0 },
	{ "process_vm_readv", SYS_process_vm_readv, { 1, 0, 0, 0, 0, 0 }, false, NULL, 0 },
	{ "compat", 20 /* getpid of i386 */, { 0 }, true, NULL, 0 },
};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

static void __attribute__((noreturn, format(printf, 1, 2)))
trouble(const char *fmt, ...)
{
	va_list ap;

	fputs("inject: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_TROUBLE);
}

/* The value of `key` in /proc/PID/status into buf; false when there is none. */
static bool
status_get(pid_t pid, const char *key, char *buf, size_t size)
{
	char path[64], line[256];
	size_t len = strlen(key);
	bool got = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (!got && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, key, len) != 0 || line[len] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, size, "%s", line + len + 1 + strspn(line + len + 1, " \t"));
		got = true;
	}
	fclose(f);
	return got;
}

static bool
is_child(pid_t pid, pid_t parent, const char *comm)
{
	char value[64];

	return status_get(pid, "PPid", value, sizeof(value)) && atoi(value) == parent &&
	    status_get(pid, "Name", value, sizeof(value)) && strcmp(value, comm) == 0 &&
	    status_get(pid, "Seccomp", value, sizeof(value)) && value[0] == '2';
}

/* 0: there is none now. */
static pid_t
child_find(pid_t parent, const char *comm)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	pid_t found = 0;

	if (dir == NULL)
		trouble("/proc: %s", strerror(errno));
	while (found == 0 && (d = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)atoi(d->d_name);

		if (pid > 0 && is_child(pid, parent, comm))
			found = pid;
	}
	closedir(dir);
	return found;
}

static pid_t
child_await(pid_t parent, const char *comm)
{
	time_t end = time(NULL) + WAIT_S;
	pid_t pid;

	printf("waiting\n");
	(void)fflush(stdout);
	while ((pid = child_find(parent, comm)) == 0)
		if (time(NULL) > end)
			trouble("process %d has no confined child %s after %d s", (int)parent, comm,
			    WAIT_S);
	return pid;
}

static void
stop(pid_t tid)
{
	int status;

	if (ptrace(PTRACE_ATTACH, tid, NULL, NULL) != 0)
		trouble("ptrace of %d: %s", (int)tid, strerror(errno));
	if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
		trouble("%d does not stop", (int)tid);
}

/* Whole words; ptrace writes to read-only text as well, into a copy of the page. */
static void
poke(pid_t tid, uint64_t at, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i += sizeof(long)) {
		long word;
		size_t n = len - i < sizeof(word) ? len - i : sizeof(word);

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, tid, (void *)(at + i), NULL);
		if (errno != 0)
			trouble("memory of %d: %s", (int)tid, strerror(errno));
		memcpy(&word, (const char *)data + i, n);
		if (ptrace(PTRACE_POKEDATA, tid, (void *)(at + i), (void *)word) != 0)
			trouble("memory of %d: %s", (int)tid, strerror(errno));
	}
}

static void
fill(struct user_regs_struct *r, const struct call *c, uint64_t data_at)
{
	uint64_t a[6];

	for (int i = 0; i < 6; i++)
		a[i] = c->args[i] == DATA ? data_at : c->args[i];
	r->rax = (uint64_t)c->nr;
	r->orig_rax = UINT64_MAX;   /* whatever it waited in is not restarted over this */
	if (c->compat) {
		r->rbx = a[0];
		r->rcx = a[1];
		r->rdx = a[2];
		return;
	}
	r->rdi = a[0];
	r->rsi = a[1];
	r->rdx = a[2];
	r->r10 = a[3];
	r->r8 = a[4];
	r->r9 = a[5];
}

/* Steps over the call.  True when the process was killed by SIGSYS. */
static bool
step(pid_t tid, struct user_regs_struct *r)
{
	int status;

	if (ptrace(PTRACE_SETREGS, tid, NULL, r) != 0 ||
	    ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL) != 0)
		trouble("registers of %d: %s", (int)tid, strerror(errno));
	if (waitpid(tid, &status, __WALL) != tid)
		trouble("%d: %s", (int)tid, strerror(errno));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return true;
	if (!WIFSTOPPED(status))
		trouble("%d ended in another way, status 0x%x", (int)tid, status);
	if (ptrace(PTRACE_GETREGS, tid, NULL, r) != 0)
		trouble("registers of %d: %s", (int)tid, strerror(errno));
	return false;
}

static int
inject(pid_t tid, const struct call *c)
{
	static const uint8_t insn[2][2] = { { 0x0f, 0x05 }, { 0xcd, 0x80 } };
	struct user_regs_struct saved, r;
	uint64_t data_at;
	long text;

	stop(tid);
	if (ptrace(PTRACE_GETREGS, tid, NULL, &saved) != 0)
		trouble("registers of %d: %s", (int)tid, strerror(errno));
	errno = 0;
	text = ptrace(PTRACE_PEEKTEXT, tid, (void *)saved.rip, NULL);
	if (errno != 0)
		trouble("text of %d: %s", (int)tid, strerror(errno));
	data_at = (saved.rsp - SCRATCH) & ~(uint64_t)15;
	if (c->data_len > 0)
		poke(tid, data_at, c->data, c->data_len);
	poke(tid, saved.rip, insn[c->compat], sizeof(insn[0]));
	r = saved;
	fill(&r, c, data_at);
	if (step(tid, &r)) {
		printf("killed\n");
		return 0;
	}
	printf("returned %lld\n", (long long)r.rax);
	poke(tid, saved.rip, &text, sizeof(text));
	if (ptrace(PTRACE_SETREGS, tid, NULL, &saved) != 0 ||
	    ptrace(PTRACE_DETACH, tid, NULL, NULL) != 0)
		trouble("%d cannot be let go: %s", (int)tid, strerror(errno));
	return EXIT_SURVIVED;
}

int
main(int argc, char **argv)
{
	bool child = argc == 5 && strcmp(argv[1], "child") == 0;
	const char *name = argv[argc - 1];
	pid_t tid;

	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		for (size_t i = 0; i < NCALLS; i++)
			printf("%s\n", calls[i].name);
		return 0;
	}
	if (argc != 3 && !child)
		trouble("usage: inject PID CALL | inject child PPID COMM CALL | inject list");
	for (size_t i = 0; i < NCALLS; i++) {
		if (strcmp(calls[i].name, name) != 0)
			continue;
		tid = child ? child_await((pid_t)atoi(argv[2]), argv[3]) : (pid_t)atoi(argv[1]);
		printf("%d ", (int)tid);
		return inject(tid, &calls[i]);
	}
	trouble("unknown call %s; see inject list", name);
}
