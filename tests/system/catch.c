/* catch: holds a child of a process still at its start
 *
 *   catch PID NAME   says `ready`, waits for a child of PID whose argv[0] is NAME, and says its pid
 *
 * The child has been executed, has not run an instruction since, and is stopped (SIGSTOP).  A poll
 * for the child would race its work.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLLOW (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

static bool
seize_threads(const char *pid)
{
	char path[64];
	struct dirent *e;
	DIR *d;
	int n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%s/task", pid);
	d = opendir(path);
	if (!d)
		return false;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' &&
		    ptrace(PTRACE_SEIZE, (pid_t)atoi(e->d_name), NULL, FOLLOW) == 0)
			n++;
	(void)closedir(d);
	return n > 0;
}

static bool
is_named(pid_t pid, const char *name)
{
	char path[64], text[256] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	(void)!fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	return strcmp(text, name) == 0;
}

/* Lets a thread that stopped go on, with its signal if it was one. */
static void
go_on(pid_t pid, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);

	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP)
		(void)ptrace(PTRACE_LISTEN, pid, NULL, NULL); /* a group stop */
	else
		(void)ptrace(PTRACE_CONT, pid, NULL, event ? 0 : sig);
}

int
main(int argc, char **argv)
{
	pid_t pid;
	int status;

	if (argc != 3)
		return 2;
	if (!seize_threads(argv[1])) {
		perror("catch: cannot trace it");
		return 1;
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid <= 0 || !WIFSTOPPED(status))
			continue;
		if (status >> 16 != PTRACE_EVENT_EXEC || !is_named(pid, argv[2])) {
			go_on(pid, status);
			continue;
		}
		/* Our end lets all go on, and this one as far as its signal. */
		(void)kill(pid, SIGSTOP);
		(void)printf("%d\n", (int)pid);
		return 0;
	}
	(void)fputs("catch: it ended\n", stderr);
	return 1;
}
