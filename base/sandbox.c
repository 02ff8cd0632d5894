/* sandbox: empty root, no privileges, an allow-list of system calls. */
#include "base/sandbox.h"

#include <cap-ng.h>
#include <dirent.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What every process of ours needs after its start. */
static const struct sandbox_call common_calls[] = {
	SANDBOX_CALL(exit, "a thread ends"),
	SANDBOX_CALL(exit_group, "the process ends"),
	SANDBOX_CALL(rt_sigreturn, "return from a signal handler"),
	SANDBOX_CALL(restart_syscall, "a stopped process goes on"),
	SANDBOX_CALL(brk, "malloc"),
	SANDBOX_CALL(munmap, "malloc, images that are replaced"),
	SANDBOX_CALL(mremap, "realloc"),
	SANDBOX_CALL(madvise, "free"),
	SANDBOX_CALL(mmap, "malloc, images that arrive"),
	SANDBOX_CALL(futex, "locks"),
	SANDBOX_CALL(clock_gettime, "time, where the vDSO has no answer"),
	SANDBOX_CALL(gettimeofday, "time, where the vDSO has no answer"),
	SANDBOX_CALL(getpid, "syslog, assertions"),
	SANDBOX_CALL(gettid, "abort, a crash that ends as it began (crash.c)"),
	SANDBOX_CALL(rt_sigprocmask, "abort; libc blocks signals in a thread that ends"),
	SANDBOX_CALL(close, "descriptors that are done with"),
	SANDBOX_CALL(read, "eventfds, timers"),
	SANDBOX_CALL(write, "eventfds, the log on stderr"),
	SANDBOX_CALL(writev, "libc says on stderr why it aborts"),
	SANDBOX_CALL(recvmsg, "the channel"),
	SANDBOX_CALL(sendmsg, "the channel"),
	SANDBOX_CALL(epoll_wait, "libevent"),
	SANDBOX_CALL(epoll_pwait, "libevent"),
	SANDBOX_CALL(epoll_ctl, "libevent"),
	SANDBOX_CALL(fstat, "the size of a received memory file"),
	SANDBOX_CALL(newfstatat,
	    "the size of a received memory file, as glibc asks; the root is empty"),
	SANDBOX_CALL(fcntl, "seals of a received memory file, non-blocking mode"),
#ifdef JITSU_SAN
	SANDBOX_CALL(mprotect, "sanitizers"),
	SANDBOX_CALL(sigaltstack, "sanitizers"),
	SANDBOX_CALL(sched_yield, "sanitizers"),
	SANDBOX_CALL(rt_sigaction, "sanitizers"),
	SANDBOX_CALL(prctl, "sanitizers name mappings"),
	SANDBOX_CALL(tgkill, "sanitizers stop the process"),
	SANDBOX_CALL(getuid, "sanitizers"),
	SANDBOX_CALL(readlink, "sanitizers"),
	SANDBOX_CALL(open, "sanitizers; the root is empty"),
	SANDBOX_CALL(clone, "leak checker"),
	SANDBOX_CALL(wait4, "leak checker"),
	SANDBOX_CALL(getrandom, "sanitizers"),
#endif
};

static enum err
check_empty(const char *root, struct errmsg *m)
{
	struct stat st;
	struct dirent *d;
	DIR *dir = opendir(root);
	enum err e = ERR_OK;

	if (dir == NULL)
		return err_sys(m, "empty root %s", root);
	if (fstat(dirfd(dir), &st) != 0)
		e = err_sys(m, "empty root %s", root);
	else if (st.st_uid != 0 || (st.st_mode & 022) != 0)
		e = err_set(m, ERR_PERM,
		    "empty root %s: must belong to root and be writable by nobody else", root);
	while (e == ERR_OK && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			e = err_set(m, ERR_STATE, "empty root %s: is not empty, it holds '%s'",
			    root, d->d_name);
	closedir(dir);
	return e;
}

static enum err
drop_ids(uid_t uid, gid_t gid, struct errmsg *m)
{
	if (setgroups(0, NULL) != 0)
		return err_sys(m, "setgroups");
	if (setresgid(gid, gid, gid) != 0)
		return err_sys(m, "setresgid %u", (unsigned)gid);
	if (setresuid(uid, uid, uid) != 0)
		return err_sys(m, "setresuid %u", (unsigned)uid);
	if (setuid(0) == 0 || setgid(0) == 0)
		return err_set(m, ERR_PERM, "privileges came back after they were dropped");
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return err_set(m, ERR_PERM, "capabilities cannot be dropped");
	return ERR_OK;
}

enum err
sandbox_enter(const char *root, uid_t uid, gid_t gid, struct errmsg *m)
{
	enum err e;

	if (uid != 0) {
		if ((e = check_empty(root, m)) != ERR_OK)
			return e;
		if (chroot(root) != 0 || chdir("/") != 0)
			return err_sys(m, "chroot %s", root);
		/* The bounding set can only be emptied while CAP_SETPCAP is held. */
		capng_clear(CAPNG_SELECT_BOTH);
		if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
			return err_set(m, ERR_PERM,
			    "the capability bounding set cannot be emptied");
		if ((e = drop_ids(uid, gid, m)) != ERR_OK)
			return e;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_sys(m, "no_new_privs");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_sys(m, "PR_SET_DUMPABLE");
	return ERR_OK;
}

static bool
has_call(const struct sandbox_call *calls, size_t n, int nr)
{
	for (size_t i = 0; i < n; i++)
		if (calls[i].nr == nr)
			return true;
	return false;
}

/* Adds the rules for calls that `instead` does not rule itself. */
static int
add_calls(scmp_filter_ctx ctx, const struct sandbox_call *calls, size_t n,
    const struct sandbox_call *instead, size_t ninstead)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct scmp_arg_cmp arg = { .arg = (unsigned)calls[i].cmp_arg, .op = SCMP_CMP_EQ,
			.datum_a = calls[i].cmp_value };

		if (!has_call(instead, ninstead, calls[i].nr))
			rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, calls[i].nr,
			    calls[i].cmp_arg >= 0, &arg);
	}
	return rc;
}

enum err
sandbox_filter(const struct sandbox_call *calls, size_t n, struct errmsg *m)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (ctx == NULL)
		return err_set(m, ERR_NOMEM, "seccomp: %s", err_str(ERR_NOMEM));
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/* The default for calls of another architecture ends one thread; its process would hang. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = add_calls(ctx, common_calls, sizeof(common_calls) / sizeof(common_calls[0]),
		    calls, n);
	if (rc == 0)
		rc = add_calls(ctx, calls, n, NULL, 0);
	/* A signal to ourselves: abort, and a crash that ends as it began (crash.c). */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		    SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)getpid()));
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc == 0 ? ERR_OK : err_set(m, ERR_UNSUPPORTED, "seccomp filter: %s", strerror(-rc));
}
