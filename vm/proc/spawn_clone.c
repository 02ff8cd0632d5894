/* spawn_clone: a child on a stack of its own that shares our memory until it executes. */
#include "vm/proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * clone3 joins a v2 cgroup for nothing; writing cgroup.procs waits for an RCU grace period (13 ms,
 * measured on 6.18).  glibc has no wrapper for CLONE_VM: the child would return on this stack.
 */
#if defined(__x86_64__)
pid_t
spawn_clone(int (*fn)(void *), void *arg, void *stack, size_t stack_size, int cgroup_fd, int *pidfd)
{
	struct clone_args args = { .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
	    .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD,
	    .stack = (uint64_t)(uintptr_t)stack, .stack_size = stack_size };
	long ret;

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	__asm__ volatile(
	    "syscall\n\t"
	    "test %%rax, %%rax\n\t"
	    "jnz 1f\n\t"
	    "mov %[arg], %%rdi\n\t"
	    "call *%[fn]\n\t"
	    "mov %%eax, %%edi\n\t"
	    "mov %[nr_exit], %%eax\n\t"
	    "syscall\n\t"
	    "hlt\n"
	    "1:"
	    : "=a"(ret)
	    : "0"((long)SYS_clone3), "D"(&args), "S"(sizeof(args)), [fn] "r"(fn), [arg] "r"(arg),
	    [nr_exit] "i"(SYS_exit)
	    : "rcx", "r11", "memory", "cc");
	if (ret < 0) {
		errno = (int)-ret;
		return -1;
	}
	return (pid_t)ret;
}
#else
pid_t
spawn_clone(int (*fn)(void *), void *arg, void *stack, size_t stack_size, int cgroup_fd, int *pidfd)
{
	pid_t pid;

	pid = clone(fn, (char *)stack + stack_size, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
	    arg, pidfd);
	if (pid > 0 && cgroup_fd >= 0) {
		int procs = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

		/* Limits are no promise: the VM runs without its cgroup as well. */
		if (procs >= 0) {
			if (dprintf(procs, "%d", (int)pid) < 0)
				errno = 0;
			close(procs);
		}
	}
	return pid;
}
#endif
