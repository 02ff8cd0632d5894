/* children: starts, watches and replaces the confined processes. */
#include "src/process/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/output.h"
#include "src/process/flood.h"

#define NAMES(name) { name, "jitsud: " name, "jitsud-" name }

const struct child_names child_names[ROLE_COUNT] = {
	[ROLE_WARDEN] = NAMES("warden"), [ROLE_DNS] = NAMES("dns"),
	[ROLE_SENTINEL] = NAMES("sentinel"), [ROLE_ZONES] = NAMES("zones"),
};

static void restart_later(struct child *c);

/* posix_spawn of ourselves; *pid is set. */
static enum err
spawn_role(enum msg_role role, int chan_fd, int output_fd, pid_t *pid, struct errmsg *m)
{
	char *argv[] = { (char *)(uintptr_t)child_names[role].title, NULL };
#ifdef JITSU_SAN
	/* The leak checker wants ptrace at exit, which a confined process has not. */
	static char sanitizer[] = "ASAN_OPTIONS=detect_leaks=0";
	char *envp[] = { sanitizer, NULL };
#else
	char *envp[] = { NULL };
#endif
	const int files[][2] = { { output_fd, STDOUT_FILENO }, { output_fd, STDERR_FILENO },
		{ chan_fd, CHILD_CHANNEL_FD } };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(
	    &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	rc = posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	for (size_t i = 0; rc == 0 && i < sizeof(files) / sizeof(files[0]); i++)
		rc = posix_spawn_file_actions_adddup2(&fa, files[i][0], files[i][1]);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(&fa, CHILD_CHANNEL_FD + 1);
	if (rc == 0)
		rc = posix_spawn(pid, "/proc/self/exe", &fa, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	errno = rc;
	return rc == 0 ? ERR_OK : err_sys(m, "start of the %s process", child_names[role].name);
}

void
child_init(struct child *c, enum msg_role role, struct event_base *base,
    const struct child_conf *conf, const struct child_ops *ops, void *arg)
{
	*c = (struct child){ .role = role, .name = child_names[role].name, .base = base,
		.conf = conf, .ops = ops, .arg = arg, .pidfd = -1, .output_fd = -1,
		.restart = true, .backoff_ms = CHILD_BACKOFF_MIN_MS };
}

static void
describe_exit(const siginfo_t *si, char *buf, size_t size)
{
	if (si->si_code == 0)
		snprintf(buf, size, "ended, nobody knows how");
	else if (si->si_code == CLD_EXITED)
		snprintf(buf, size, "exited with status %d", si->si_status);
	else if (si->si_status == SIGSYS)
		snprintf(buf, size, "killed by its sandbox (SIGSYS)");
	else
		snprintf(
		    buf, size, "killed by signal %d (%s)", si->si_status, strsignal(si->si_status));
}

/* Whether more of this kind ("ends", of this child) may be said; what may not is counted. */
static bool
may_say(const struct child *c, const char *what, unsigned most)
{
	char kind[FLOOD_KIND_TEXT];

	snprintf(kind, sizeof(kind), "%s of the %s process", what, c->name);
	return flood_pass(c->conf->flood, FLOOD_NO_UNIT, kind, most);
}

/* What it wrote to stderr, line by line. */
static void
tell_output(const struct child *c)
{
	char all[LIMIT_OUTPUT + 1], text[4 * LIMIT_CHILD_LINE], *line, *rest = all;
	unsigned lines = 0, more = 0;

	(void)output_read(c->output_fd, all, sizeof(all));
	while ((line = strsep(&rest, "\r\n")) != NULL) {
		if (line[0] == '\0')
			continue;
		if (lines == LIMIT_CHILD_OUTPUT_LINES) {
			more++;
			continue;
		}
		lines++;
		text_escape(text, sizeof(text), line, strnlen(line, LIMIT_CHILD_LINE));
		log_err("%s process (pid %d) said: %s", c->name, (int)c->pid, text);
	}
	if (more > 0)
		log_err("%s process (pid %d) said %u lines more", c->name, (int)c->pid, more);
}

/* Forgets a process that has been reaped. */
static void
forget(struct child *c)
{
	if (c->output_fd >= 0)
		close(c->output_fd);
	chan_free(c->chan);
	c->chan = NULL;
	if (c->ev_exit != NULL)
		event_free(c->ev_exit);
	c->ev_exit = NULL;
	if (c->pidfd >= 0)
		close(c->pidfd);
	c->output_fd = c->pidfd = -1;
	c->pid = 0;
	c->confined = false;
}

static void
on_exit_cb(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	siginfo_t si = { 0 };
	pid_t pid = c->pid;
	char how[sizeof(c->why)];
	bool done, other;

	(void)fd;
	(void)what;
	/* What it said before counts, unless it was ended for that: the loop reads that first. */
	if (c->why[0] == '\0' && c->chan != NULL && chan_unread(c->chan))
		return;
	/* Somebody else may have reaped it; that it ended is certain then, too. */
	if (waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG) != 0 && errno == ECHILD)
		si.si_pid = pid;
	if (si.si_pid == 0)
		return;
	describe_exit(&si, how, sizeof(how));
	other = c->why[0] != '\0' && strcmp(how, c->why) != 0;
	if (c->why[0] == '\0')
		snprintf(c->why, sizeof(c->why), "%s", how);
	done = !c->restart && si.si_code == CLD_EXITED && si.si_status == 0;
	c->told = done || may_say(c, "ends", LIMIT_CHILD_ENDS);
	if (c->told && !done)
		log_warn("the %s process (pid %d) ended: %s%s%s", c->name, (int)pid, c->why,
		    other ? "; " : "", other ? how : "");
	if (clock_now_ms() - c->started_ms >= CHILD_LIVED_MS)
		c->backoff_ms = CHILD_BACKOFF_MIN_MS;
	if (c->told)
		tell_output(c);
	forget(c);
	if (c->restart)
		restart_later(c);
	if (c->ops->gone != NULL)
		c->ops->gone(c, c->why);
}

/* What a child has to say, escaped; captured or not, no more lines a minute than people read. */
static void
child_log(struct child *c, const struct msg *m)
{
	char text[4 * MSG_TEXT];

	if (!may_say(c, "lines", LIMIT_CHILD_LOG_LINES))
		return;
	text_escape(text, sizeof(text), m->log.text, strnlen(m->log.text, sizeof(m->log.text)));
	log_at(m->log.level <= LOG_L_DEBUG ? (enum log_level)m->log.level : LOG_L_WARN,
	    "%s process: %s", c->name, text);
}

static void
on_message(struct chan *chan, const struct msg *m, int *fds, unsigned nfds, void *arg)
{
	struct child *c = arg;

	(void)chan;
	switch (m->type) {
	case MSG_RUNNING:
		chan_close_fds(fds, nfds);
		if (c->confined) {
			child_kill(c, "it began to run twice");
			break;
		}
		c->confined = c->ran = true;
		log_debug("the %s process (pid %d) is confined and serves", c->name, (int)c->pid);
		if (c->ops->running != NULL)
			c->ops->running(c);
		break;
	case MSG_LOG:
		chan_close_fds(fds, nfds);
		child_log(c, m);
		break;
	default:
		c->ops->message(c, m, fds, nfds);
		break;
	}
}

static void
on_lost(struct chan *chan, const char *why, void *arg)
{
	struct child *c = arg;

	(void)chan;
	if (strcmp(why, "closed") != 0)
		snprintf(c->why, sizeof(c->why), "protocol violation: %s", why);
	/* Its end is what counts; on_exit_cb cleans up. */
	if (c->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

static void
end(struct child *c, const char *prefix, const char *why)
{
	if (c->pidfd < 0)
		return;
	snprintf(c->why, sizeof(c->why), "%s%s", prefix, why);
	if (syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0) != 0 && errno != ESRCH)
		log_err("the %s process (pid %d) cannot be ended: %s", c->name, (int)c->pid,
		    strerror(errno));
}

void
child_kill(struct child *c, const char *why)
{
	end(c, "protocol violation: ", why);
}

void
child_give_up(struct child *c, const char *why)
{
	end(c, "", why);
}

void
child_send(struct child *c, struct msg *m, const int *fds, unsigned nfds)
{
	enum err e;

	if (c->chan == NULL)
		return;
	e = chan_send(c->chan, m, fds, nfds);
	if (e == ERR_LIMIT)
		child_kill(c, "it does not read its channel");
	else if (e != ERR_OK && e != ERR_IO)
		log_err("message to the %s process: %s", c->name, err_str(e));
}

/* MSG_HELLO, the owner's set-up messages, MSG_RUN. */
static enum err
introduce(struct child *c, struct errmsg *m)
{
	struct msg run = { .type = MSG_RUN }, hello = { .type = MSG_HELLO, .hello = {
		.role = (uint32_t)c->role, .uid = c->conf->uid, .gid = c->conf->gid,
		.log_level = (uint32_t)c->conf->log_level } };
	enum err e;

	snprintf(hello.hello.empty_root, sizeof(hello.hello.empty_root), "%s", c->conf->empty_root);
	if ((e = chan_send(c->chan, &hello, NULL, 0)) != ERR_OK)
		return err_set(m, e, "%s process: first message: %s", c->name, err_str(e));
	if (c->ops->setup != NULL && (e = c->ops->setup(c, m)) != ERR_OK)
		return e;
	if ((e = chan_send(c->chan, &run, NULL, 0)) != ERR_OK)
		return err_set(m, e, "%s process: set-up: %s", c->name, err_str(e));
	return ERR_OK;
}

/* The process was started but cannot be looked after: it is ended, and nothing of it is left. */
static void
abandon(struct child *c)
{
	(void)kill(c->pid, SIGKILL);   /* not reaped yet, so it is still ours */
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	forget(c);
}

/* Watches the process that was just started and its channel, which is closed after an error. */
static enum err
watch(struct child *c, int chan_fd, struct errmsg *m)
{
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd < 0) {
		enum err e = err_sys(m, "%s process: pidfd_open", c->name);

		close(chan_fd);
		return e;
	}
	c->chan = mem_must(chan_new(c->base, chan_fd, on_message, on_lost, c));
	c->ev_exit = mem_must(event_new(c->base, c->pidfd, EV_READ | EV_PERSIST, on_exit_cb, c));
	if (event_add(c->ev_exit, NULL) != 0)
		fatal("%s process: %s", c->name, err_str(ERR_NOMEM));
	return ERR_OK;
}

enum err
child_start(struct child *c, struct errmsg *m)
{
	int fds[2] = { -1, -1 };
	enum err e = chan_pair(fds, m);

	if (e != ERR_OK)
		return e;
	c->why[0] = '\0';
	c->started_ms = clock_now_ms();
	if ((e = output_new(&c->output_fd, m)) == ERR_OK)
		e = spawn_role(c->role, fds[1], c->output_fd, &c->pid, m);
	close(fds[1]);
	if (e != ERR_OK) {
		close(fds[0]);
		c->pid = 0;
		forget(c);
		return e;
	}
	if ((e = watch(c, fds[0], m)) != ERR_OK) {
		abandon(c);
		return e;
	}
	e = introduce(c, m);
	if (e != ERR_OK)
		child_kill(c, "set-up failed");
	return e;
}

static void
on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct errmsg m;

	(void)fd;
	(void)what;
	c->restarts++;
	if (child_start(c, &m) != ERR_OK) {
		if (may_say(c, "failed starts", LIMIT_CHILD_ENDS))
			log_err("%s", m.text);
		if (c->pid == 0)
			restart_later(c);
	}
}

static void
restart_later(struct child *c)
{
	struct timeval tv = { .tv_sec = c->backoff_ms / 1000,
		.tv_usec = (suseconds_t)(c->backoff_ms % 1000) * 1000 };

	if (c->ev_restart == NULL)
		c->ev_restart = mem_must(evtimer_new(c->base, on_restart, c));
	if (event_add(c->ev_restart, &tv) != 0)
		fatal("%s process: restart: %s", c->name, err_str(ERR_NOMEM));
	c->backoff_ms *= 2;
	if (c->backoff_ms > CHILD_BACKOFF_MAX_MS)
		c->backoff_ms = CHILD_BACKOFF_MAX_MS;
}

void
child_clear(struct child *c)
{
	c->restart = false;
	if (c->pidfd >= 0) {
		(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
		/* SIGKILL of a process of ours is not refused; the wait is short. */
		(void)waitid(P_PIDFD, (id_t)c->pidfd, NULL, WEXITED);
	}
	tell_output(c);
	forget(c);
	if (c->ev_restart != NULL)
		event_free(c->ev_restart);
	c->ev_restart = NULL;
}
