/*
 * spawn: a program as another user, in another cgroup, with chosen descriptors and no others.  Not
 * included outside vm/.
 *
 * The child shares our memory until it executes (vfork semantics): a large process spawns as fast
 * as a small one, and the child's errors are told in memory.
 */
#ifndef VM_PROC_SPAWN_H
#define VM_PROC_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define SPAWN_FD_FIRST 3       /* the first passed descriptor's number in the child */
#define SPAWN_FDS 32
#define SPAWN_GROUPS 4
#define SPAWN_CGROUPS 4

/* Nothing here is taken over; the caller closes what it opened. */
struct spawn_conf {
	const char *path;           /* absolute */
	char *const *argv;
	int fds[SPAWN_FDS];         /* fds[i] becomes number SPAWN_FD_FIRST + i */
	unsigned nfds;
	int output_fd;              /* stdout and stderr; -1 = /dev/null */
	int cwd_fd;                 /* -1 = the root directory */
	uid_t uid;                  /* 0 = stay as we are, groups too */
	gid_t gid;
	gid_t groups[SPAWN_GROUPS]; /* supplementary */
	unsigned ngroups;
	int cgroup_fd;              /* directory of a v2 cgroup, -1 = stay */
	int task_fds[SPAWN_CGROUPS];/* open `tasks` files of v1 cgroups */
	unsigned ntasks;
	int oom_score_adj;          /* 0 = as we have it */
};

struct spawned {
	pid_t pid;
	int pidfd;                  /* the caller's */
	uint64_t exec_ns;           /* when execve was called */
};

void spawn_conf_init(struct spawn_conf *c);

/* Returns when the program runs.  After an error there is no child; the message has its step. */
enum err spawn_run(const struct spawn_conf *c, struct spawned *s, struct errmsg *m);

struct spawn_end {
	bool known;                 /* false: it was another process's child */
	bool signalled;
	int status;                 /* exit status, or the signal's number */
	int64_t usec_cpu;           /* -1 when not known */
};

/* Waits at most timeout_ms for the end (ERR_TIMEOUT), and reaps a child of ours. */
enum err spawn_wait(int pidfd, int timeout_ms, struct spawn_end *end, struct errmsg *m);

/* SIGKILL; a process that has gone already is no error. */
enum err spawn_kill(int pidfd, struct errmsg *m);

/* Runs a program and waits for its end; ERR_TIMEOUT: it was killed after timeout_ms. */
enum err spawn_to_end(const struct spawn_conf *c, int timeout_ms, struct spawn_end *end,
    struct errmsg *m);

/* pidfd_open(2). */
int spawn_pidfd(pid_t pid);

/* Of proc_pid_stat(5); false, and zeros: there is no such process. */
struct spawn_stat {
	pid_t parent;
	unsigned long long start_ticks;   /* when it began, since boot */
	int64_t usec_cpu;
};
bool spawn_stat(pid_t pid, struct spawn_stat *st);

/* Bytes of memory that the process has for itself now; 0: there is no such process. */
uint64_t spawn_memory(pid_t pid);

/* "exited with status 1", "was killed by signal 9 (Killed)", ... */
void spawn_end_text(const struct spawn_end *end, char *text, size_t size);

/* Looks for an executable file `name` in PATH, or takes it as it is when it has a slash. */
enum err spawn_find(const char *name, char *path, size_t size, struct errmsg *m);

/* clone3(2) as vfork, with a pidfd, and cgroup_fd unless -1; fn, on `stack`, must not return. */
pid_t spawn_clone(int (*fn)(void *), void *arg, void *stack, size_t stack_size, int cgroup_fd,
    int *pidfd);

#endif
