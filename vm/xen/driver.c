/*
 * driver: the operations on a domain that runs, and the driver's own.
 *
 * The console: xenconsoled keeps what the guest wrote (at most 1 MiB) until somebody reads its pty.
 * We read it when it is asked for and before a domain is destroyed, not in between, so that `xl
 * console` of a person gets everything meanwhile; what we have read is kept in a bounded buffer.
 */
#include "vm/xen/xen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* xenconsoled refills its pty's 4 KiB when they are read; a guest that writes on is cut off. */
#define CONSOLE_PAUSE_MS 20
#define CONSOLE_NS (300 * NS_PER_MS)

/* For a guest to suspend itself, and for all of it. */
#define SUSPEND_NS (LIMIT_XEN_SUSPEND_S * NS_PER_S)
#define SAVE_NS (LIMIT_XEN_SAVE_S * NS_PER_S)

/* ---- the driver's own ---- */

static void
xen_close(void *arg)
{
	struct xen_ctx *ctx = arg;

	if (ctx == NULL)
		return;
	xen_rests_free(ctx);
	pthread_mutex_destroy(&ctx->rests_lock);
	xen_events_free(ctx->events);
	if (ctx->marks_fd >= 0)
		close(ctx->marks_fd);
	if (ctx->saved_fd >= 0)
		close(ctx->saved_fd);
	free(ctx);
}

/* "control_d" in capabilities is how the kernel says that this is dom0. */
static enum err
is_dom0(struct errmsg *m)
{
	char text[64] = "";
	int fd = open("/proc/xen/capabilities", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		close(fd);
	if (n > 0 && strstr(text, "control_d") != NULL)
		return ERR_OK;
	if (access("/sys/hypervisor/type", F_OK) != 0)
		return err_set(m, ERR_UNSUPPORTED, "driver xen: there is no Xen here: this machine "
		    "did not boot under the Xen hypervisor");
	return err_set(m, ERR_UNSUPPORTED, "driver xen: this is not Xen's dom0%s", fd < 0 ?
	    " (or xenfs is not mounted on /proc/xen)" : "");
}

static enum err
may_control(struct errmsg *m)
{
	int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_set(m, ERR_PERM, "driver xen: no permission for the hypervisor: "
		    "/dev/xen/privcmd: %s%s", strerror(errno),
		    errno == ENOENT ? " (modprobe xen-privcmd)" : "");
	close(fd);
	return ERR_OK;
}

/*
 * What libxl forks (device models, hotplug scripts) has neither our priority nor the blocked
 * signals of a driver thread: libxl ends a device model by SIGHUP.
 */
static void
child_begins(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);     /* it cannot fail with these arguments */
	xen_priority_drop();
}

static void
children_prepare(void)
{
	static bool done;

	if (!done && pthread_atfork(NULL, NULL, child_begins) != 0)
		fatal("out of memory for the children of libxl");
	done = true;
}

static enum err
xen_open(const struct vm_env *env, void **out, struct errmsg *m)
{
	struct xen_ctx *ctx;
	enum err e;

	*out = NULL;
	if ((e = is_dom0(m)) != ERR_OK || (e = may_control(m)) != ERR_OK)
		return e;
	children_prepare();
	ctx = mem_zero(1, sizeof(*ctx));
	*ctx = (struct xen_ctx){ .env = env, .marks_fd = -1, .saved_fd = -1 };
	pthread_mutex_init(&ctx->rests_lock, NULL);
	SLIST_INIT(&ctx->rests);
	e = dir_open_in(env->conf->run_dir, "xen", &ctx->marks_fd, m);
	if (e == ERR_OK)
		e = dir_open_in(env->conf->state_dir, "saved", &ctx->saved_fd, m);
	if (e == ERR_OK && realpath(env->conf->run_dir, ctx->instance) == NULL)
		e = err_sys(m, "run directory %s", env->conf->run_dir);
	if (e == ERR_OK)
		e = xen_events_new(&ctx->events, m);
	if (e != ERR_OK)
		xen_close(ctx);
	else
		*out = ctx;
	return e;
}

/* Every operation begins with it: a context, and the domain still being the one we know. */
static enum err
begin(struct xen_vm *v, libxl_ctx **ctx, struct errmsg *m)
{
	enum err e;

	*ctx = xen_thread_ctx(m);
	if (*ctx == NULL)
		return ERR_UNSUPPORTED;
	e = xen_vm_info(*ctx, &v->vm.uuid, v->domid, NULL);
	if (e == ERR_MISSING)
		return err_set(m, e, "domain %u of %s is gone", v->domid, v->vm.unit);
	return e == ERR_OK ? e : xen_fail(m, ERROR_FAIL, "domain %u of %s cannot be looked at",
	    v->domid, v->vm.unit);
}

/* ---- console ---- */

static enum err
console_read(struct xen_vm *v, libxl_ctx *ctx, struct errmsg *m)
{
	uint64_t until_ns = clock_now_ns() + CONSOLE_NS;
	char *path = NULL, text[4096];
	struct pollfd p = { .events = POLLIN };
	int rc = libxl_primary_console_get_tty(ctx, v->domid, &path);
	enum err e = ERR_OK;
	ssize_t n;

	if (rc != 0)
		return xen_fail(m, rc, "domain %u has no console", v->domid);
	p.fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p.fd < 0)
		e = err_sys(m, "console %s of domain %u", path, v->domid);
	free(path);
	if (e != ERR_OK)
		return e;
	while (clock_now_ns() < until_ns && poll(&p, 1, CONSOLE_PAUSE_MS) > 0 &&
	    (n = read(p.fd, text, sizeof(text))) > 0)
		ring_keep(&v->con, text, (size_t)n);
	close(p.fd);
	return ERR_OK;
}

static enum err
xen_console(struct vm *vm, struct vm_outcome *out)
{
	struct xen_vm *v = (struct xen_vm *)vm;
	libxl_ctx *ctx;
	enum err e = begin(v, &ctx, &out->msg);

	if (e == ERR_OK)
		e = console_read(v, ctx, &out->msg);
	if (e == ERR_OK)
		ring_tell(&v->con, NULL, 0, out);
	return e;
}

/* ---- operations ---- */

/* A domain that runs can be unpaused, too. */
static enum err
set_paused(struct xen_vm *v, libxl_ctx *ctx, bool paused, struct errmsg *m)
{
	int rc = paused ? libxl_domain_pause(ctx, v->domid, NULL)
	    : libxl_domain_unpause(ctx, v->domid, NULL);

	if (rc != 0)
		return xen_fail(m, rc, "domain %u cannot be %s", v->domid,
		    paused ? "paused" : "unpaused");
	v->paused = paused;
	return ERR_OK;
}

static enum err
xen_freeze(struct vm *vm, bool freeze, struct vm_outcome *out)
{
	struct xen_vm *v = (struct xen_vm *)vm;
	libxl_ctx *ctx;
	enum err e = begin(v, &ctx, &out->msg);

	if (e == ERR_OK)
		e = set_paused(v, ctx, freeze, &out->msg);
	if (e != ERR_OK || freeze)
		return e;
	v->ready_told = false;     /* who waits for readiness asks anew */
	if (v->watch != NULL)
		xen_watch_again(v->watch);
	return ERR_OK;
}

static enum err
xen_ask(struct vm *vm, struct vm_outcome *out)
{
	struct xen_vm *v = (struct xen_vm *)vm;
	libxl_ctx *ctx;
	enum err e = v->paused ? xen_freeze(vm, false, out) : ERR_OK;
	int rc;

	if (e == ERR_OK)
		e = begin(v, &ctx, &out->msg);
	if (e != ERR_OK)
		return e;
	rc = xen_events_shutdown(v->ctx->events, v->domid);
	if (rc == ERROR_NOPARAVIRT)
		return err_set(&out->msg, ERR_UNSUPPORTED, "this guest has no paravirtual drivers "
		    "that could be asked: it is destroyed instead of shut down");
	return rc == 0 ? ERR_OK : xen_fail(&out->msg, rc, "domain %u cannot be asked to shut down",
	    v->domid);
}

static enum err
xen_stop(struct vm *vm, struct vm_outcome *out)
{
	struct xen_vm *v = (struct xen_vm *)vm;
	libxl_ctx *ctx = xen_thread_ctx(&out->msg);
	struct errmsg unused;
	enum err e;

	if (ctx == NULL)
		return ERR_UNSUPPORTED;
	if (xen_vm_info(ctx, &vm->uuid, v->domid, NULL) == ERR_OK)
		(void)console_read(v, ctx, &unused);     /* its last words, if it had a console */
	if (out->text == NULL)
		ring_tell(&v->con, NULL, 0, out);
	e = xen_domain_end(ctx, &vm->uuid, v->domid, &out->usec_cpu, &out->msg);
	if (e != ERR_OK)
		return e;
	xen_watch_free(v->ctx->events, v->watch);
	v->watch = NULL;
	vm->watch_fd = -1;
	xen_mark_remove(v->ctx, &vm->uuid);
	return ERR_OK;
}

/* After a failure the guest goes on where it suspended itself, if it has got so far. */
static void
go_on(struct xen_vm *v, libxl_ctx *ctx)
{
	(void)libxl_domain_resume(ctx, v->domid, 1, NULL);
	if (v->watch != NULL)
		xen_watch_renew(v->ctx->events, v->watch);
}

/* The file has its name only when it is whole. */
static enum err
save_to(struct xen_vm *v, libxl_ctx *ctx, struct errmsg *m)
{
	const char *name = DIR_FILE(&v->vm.uuid, XEN_SAVED);
	const char *part = DIR_FILE(&v->vm.uuid, XEN_PART);
	enum err e = ERR_OK;
	uint64_t now = clock_now_ns();
	int fd, rc;

	fd = openat(v->ctx->saved_fd, part, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return err_sys(m, "saved state %s", part);
	rc = xen_events_suspend(v->ctx->events, v->domid, fd, now + SUSPEND_NS, now + SAVE_NS);
	if (rc == ERROR_TIMEDOUT)
		e = err_set(m, ERR_TIMEOUT, "domain %u: its guest did not suspend itself within "
		    "%llu s, or is not written within %llu s", v->domid,
		    SUSPEND_NS / NS_PER_S, SAVE_NS / NS_PER_S);
	else if (rc != 0)
		e = xen_fail(m, rc, "domain %u does not let itself be suspended", v->domid);
	else if (renameat(v->ctx->saved_fd, part, v->ctx->saved_fd, name) != 0)
		e = err_sys(m, "saved state %s", name);
	if (e != ERR_OK) {
		(void)unlinkat(v->ctx->saved_fd, part, 0);     /* at worst adoption removes it */
		go_on(v, ctx);
	}
	return e;
}

static enum err
xen_discard(void *arg, const struct vm_uuid *uuid, struct errmsg *m)
{
	const struct xen_ctx *ctx = arg;

	return dir_drop(ctx->saved_fd, uuid, XEN_SAVED, m);
}

static enum err
xen_save(struct vm *vm, struct vm_outcome *out)
{
	struct xen_vm *v = (struct xen_vm *)vm;
	libxl_ctx *ctx;
	enum err e = begin(v, &ctx, &out->msg);

	if (e == ERR_OK && v->paused)     /* it could not suspend itself */
		e = set_paused(v, ctx, false, &out->msg);
	if (e == ERR_OK)
		e = save_to(v, ctx, &out->msg);
	if (e != ERR_OK)
		return e;
	e = xen_stop(vm, out);
	if (e == ERR_OK)
		return ERR_OK;
	/* Saved, and still there: one of the two must go. */
	(void)dir_drop(v->ctx->saved_fd, &vm->uuid, XEN_SAVED, NULL);
	go_on(v, ctx);
	return e;
}

/* ---- what happens by itself ---- */

static const char *
end_text(const struct xen_news *news)
{
	static const char *const texts[] = {
		[LIBXL_SHUTDOWN_REASON_POWEROFF] = "the guest shut down",
		[LIBXL_SHUTDOWN_REASON_REBOOT] = "the guest wants to reboot",
		[LIBXL_SHUTDOWN_REASON_SUSPEND] = "the guest ended",
		[LIBXL_SHUTDOWN_REASON_CRASH] = "the guest crashed",
		[LIBXL_SHUTDOWN_REASON_WATCHDOG] = "the guest's watchdog ended it",
	};

	if (news->vanished)
		return "the domain was destroyed by somebody else";
	return news->reason >= 0 && news->reason <= LIBXL_SHUTDOWN_REASON_WATCHDOG
	    ? texts[news->reason] : "the guest ended";
}

static enum vm_watch_verdict
xen_watched(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out)
{
	struct xen_vm *v = (struct xen_vm *)vm;
	struct xen_news news = { 0 };
	struct errmsg m;
	libxl_ctx *ctx;

	if (v->watch == NULL)
		return VM_WATCH_ALIVE;
	xen_watch_take(v->ctx->events, v->watch, &news);
	if (news.ended) {
		snprintf(why, whylen, "%s", end_text(&news));
		if (!news.vanished && begin(v, &ctx, &m) == ERR_OK)
			/* without it there are fewer last lines */
			(void)console_read(v, ctx, &m);
		ring_tell(&v->con, NULL, 0, out);
		return VM_WATCH_ENDED;
	}
	if (!news.ready || v->ready_told)
		return VM_WATCH_ALIVE;
	v->ready_told = true;
	return VM_WATCH_READY;
}

/* A domain is no process: its end comes by its watch. */
static void
xen_died(struct vm *vm, char *why, size_t whylen, struct vm_outcome *out)
{
	ring_tell(&((struct xen_vm *)vm)->con, NULL, 0, out);
	snprintf(why, whylen, "the domain ended");
}

const struct vm_driver vm_driver_xen = {
	.name = "xen",
	.caps = VM_CAN_FREEZE | VM_CAN_SAVE | VM_CAN_SHUTDOWN | VM_CAN_CONSOLE | VM_RUNS_LATE,
	.open = xen_open, .close = xen_close, .thread_end = xen_thread_end,
	.start = xen_start, .restore = xen_restore, .discard = xen_discard,
	.ask = xen_ask, .stop = xen_stop, .freeze = xen_freeze, .save = xen_save,
	.console = xen_console, .watched = xen_watched, .died = xen_died, .list = xen_list,
	.keep = xen_marks_keep, .keep_vm = xen_mark_keep, .free = xen_vm_free,
};
