/* rundir: watches, and what is missing. */
#include "src/warden/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "src/warden/state.h"
#include "src/warden/timer.h"

#define SEEN (IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct rundir {
	struct warden *w;
	char path[PATH_MAX], lock[PATH_MAX + 8];
	int lock_fd;                   /* held, and open, as long as this process lives */
	int notify_fd;
	struct event *ev, *timer;
};

/*
 * -1 with errno; EAGAIN: another jitsud has it.  The lock is the process's (fcntl(2)): one of the
 * open file would live on in a child of a killed warden, between fork and exec.
 */
static int
lock_take(const struct rundir *d)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(d->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0 && fcntl(fd, F_SETLK, &whole) != 0) {
		int saved = errno == EACCES ? EAGAIN : errno;   /* POSIX allows both */

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

void
rundir_lock(struct warden *w, const char *run_dir)
{
	struct rundir *d = mem_zero(1, sizeof(*d));

	*d = (struct rundir){ .w = w, .notify_fd = -1 };
	snprintf(d->path, sizeof(d->path), "%s", run_dir);
	snprintf(d->lock, sizeof(d->lock), "%s/lock", d->path);
	d->lock_fd = lock_take(d);
	if (d->lock_fd < 0 && errno == EAGAIN)
		fatal("another jitsud uses %s: stop it, or give this one a `run-dir` of its own",
		    run_dir);
	if (d->lock_fd < 0)
		fatal("%s/lock: %s", run_dir, strerror(errno));
	w->rundir = d;
}

static bool
directory_mend(const char *path)
{
	if (mkdir(path, 0755) == 0) {
		log_warn("%s was removed by somebody: it is made again", path);
		return true;
	}
	if (errno == EEXIST)
		return true;
	log_err("%s was removed by somebody, and cannot be made again: %s", path, strerror(errno));
	return false;
}

/* While it is away another jitsud could start. */
static bool
lock_mend(struct rundir *d)
{
	struct stat is, ours;
	int fd;

	if (lstat(d->lock, &is) == 0 && fstat(d->lock_fd, &ours) == 0 && is.st_ino == ours.st_ino &&
	    is.st_dev == ours.st_dev)
		return true;
	fd = lock_take(d);
	if (fd < 0) {
		log_err("%s was removed by somebody, and %s", d->lock,
		    errno == EAGAIN ? "another jitsud has it now: stop one of the two" :
		    strerror(errno));
		return false;
	}
	log_warn("%s was removed by somebody: it is made again", d->lock);
	close(d->lock_fd);
	d->lock_fd = fd;
	return true;
}

static bool
control_mend(struct warden *w)
{
	struct errmsg m;

	if (w->control == NULL || control_keep(w->control, &m) == ERR_OK)
		return true;
	log_err("the control socket was removed by somebody, and cannot be made again: %s", m.text);
	return false;
}

static void
watch(const struct rundir *d, const char *path)
{
	if (inotify_add_watch(d->notify_fd, path, SEEN) < 0 && errno != ENOENT)
		log_warn("%s is not watched, what is removed from it is not made again: %s", path,
		    strerror(errno));
}

static void
watch_all(const struct rundir *d)
{
	static const char *const below[] = { "vm", "xen" };
	char path[PATH_MAX + 8], *slash;

	watch(d, d->path);
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->path, below[i]);
		watch(d, path);
	}
	if (d->w->control == NULL)
		return;
	snprintf(path, sizeof(path), "%s", control_path(d->w->control));
	slash = strrchr(path, '/');
	if (slash == NULL || slash == path)
		return;
	*slash = '\0';
	watch(d, path);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rundir *d = arg;
	struct warden *w = d->w;
	bool whole = directory_mend(d->path);

	(void)fd;
	(void)what;
	whole = directory_mend(w->empty_root) && whole;
	whole = lock_mend(d) && whole;
	vm_run_dir_keep(w->vms);
	whole = control_mend(w) && whole;
	watch_all(d);
	if (!whole)
		timer_arm(d->timer, LIMIT_RUNDIR_AGAIN_MS);
}

/* The events are only counted: everything is looked at. */
static void
on_notify(evutil_socket_t fd, short what, void *arg)
{
	struct rundir *d = arg;
	char buf[4096];
	bool any = false;

	(void)what;
	while (read(fd, buf, sizeof(buf)) > 0)
		any = true;
	if (any && !event_pending(d->timer, EV_TIMEOUT, NULL))
		timer_arm(d->timer, LIMIT_RUNDIR_SETTLE_MS);
}

void
rundir_watch(struct warden *w)
{
	struct rundir *d = w->rundir;

	d->notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (d->notify_fd < 0) {
		log_warn(
		    "%s is not watched, what is removed from it is not made again: inotify: %s",
		    d->path, strerror(errno));
		return;
	}
	d->ev = mem_must(event_new(w->base, d->notify_fd, EV_READ | EV_PERSIST, on_notify, d));
	d->timer = mem_must(evtimer_new(w->base, on_timer, d));
	if (event_add(d->ev, NULL) != 0)
		fatal("%s", err_str(ERR_NOMEM));
	watch_all(d);
}

void
rundir_clear(struct warden *w)
{
	struct rundir *d = w->rundir;

	if (d == NULL)
		return;
	if (d->ev != NULL)
		event_free(d->ev);
	if (d->timer != NULL)
		event_free(d->timer);
	if (d->notify_fd >= 0)
		close(d->notify_fd);
	/* The lock goes with the process: until then it is ours. */
	free(d);
	w->rundir = NULL;
}
